// Scores of single samples, from whatever holds them.
#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace sala::eval {

// What two models must share to be compared.
struct SampleKey {
  std::string task;
  int64_t length = 0;
  std::string id;  // "ruler/vt@4096#0!42", or the index where a file has no ids
  auto operator<=>(const SampleKey&) const = default;
};

struct ScoredAnswers {
  std::string name;  // of the folder, file or run
  std::map<SampleKey, double> scores;
};

// `source` is one of
//   a run's folder;
//   a file of JSON lines: samples.jsonl, or what `score --samples-out` wrote;
//   FILE:RUN, or FOLDER:RUN with answers.jsonl.xz in the folder: the runs of that name, and those named RUN-LENGTH, in a
//   file of many runs such as that of results/family. A name that ends in .xz is unpacked by the program xz.
// Checksums of lines are checked where a line has one; in a run's folder all have.
// Throws Error{kIo}, Error{kFormat} naming the line, Error{kUsage} when the file has no such run, naming near ones.
ScoredAnswers read_answers(const std::string& source);

}  // namespace sala::eval
