#include "eval/cli/common_flags.h"

#include <fmt/ranges.h>

namespace sala::eval {

Flag add_kind(Command& command, const char* name, std::string& kind, const Kinds& kinds) {
  std::vector<std::string> words, sentences;
  for (const auto& [of_one, sentence] : kinds) {
    words.insert(words.end(), of_one.begin(), of_one.end());
    sentences.push_back(fmt::format("{}: {}", fmt::join(of_one, ", "), sentence));
  }
  return command.add_option(name, kind, fmt::format("{}", fmt::join(sentences, ". ")).c_str()).one_of(words).required();
}

Flag add_out_flag(Command& command, std::string& out, const std::string& what, const char* type) {
  return command.add_option("--out", out, ("What is written: " + what).c_str()).type_name(type);
}

Flag add_tokenizer_flag(Command& command, std::string& tokenizer, const std::string& what) {
  return command.add_option("--tokenizer", tokenizer, ("Tokenizer" + what).c_str()).type_name("NAME|FILE");
}

void add_output_flag(Command& command, std::string& output, const char* group) {
  command.add_option("-o,--output", output, "Print as table, md, latex, csv or json")
      .one_of({"table", "md", "latex", "csv", "json"})
      .show_default()
      .group(group);
}

void add_threads_flag(Command& command, int& threads, const char* group) {
  command.add_option("--threads", threads, "Threads; 0 = all")
      .check(whole_number(0, 4096))
      .type_name("N")
      .show_default()
      .group(group);
}

}  // namespace sala::eval
