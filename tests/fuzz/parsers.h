// Every parser of files that nobody vouches for, behind one signature: for the fuzzer and the mutation test.
#pragma once

#include <string>
#include <vector>

namespace sala {

struct Parser {
  std::string name;  // also the folder of its corpus
  // Reads the bytes as the program would and goes on to the first use. May throw sala::Error, and nothing else.
  void (*parse)(const std::string& bytes);
};
const std::vector<Parser>& parsers();
// The corpus of a parser, in the order of names.
std::vector<std::string> corpus(const std::string& name);

}  // namespace sala
