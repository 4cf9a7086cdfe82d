// The command line without CLI11's headers: they take a compiler longer than any file of ours, so flags.cc alone has them.
#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace sala::eval {

// Returns what is wrong with a word, or nothing.
using WordCheck = std::function<std::string(const std::string&)>;

// A decimal number as it is written in a plain text: no hexadecimal, no blanks. Empty when it is none.
std::optional<double> decimal_number(std::string_view word);
// A whole number within [low, high], in decimal: CLI11 would take 010 for eight. CLI11's own check wraps negative numbers
// around and clutters the help.
WordCheck whole_number(int64_t low, int64_t high = std::numeric_limits<int64_t>::max());

// One flag; a call says more about it and returns it.
class Flag {
 public:
  explicit Flag(CLI::Option& option) : option_(&option) {}
  Flag& type_name(const char* name);  // of the value, in the help
  Flag& group(const char* title);     // the heading in the help
  Flag& show_default();
  Flag& required();
  Flag& check(WordCheck wrong);
  Flag& one_of(const std::vector<std::string>& words);
  Flag& split_at(char comma);  // several values in one word
  Flag& repeatable();          // every use adds one value

 private:
  CLI::Option* option_;
};

// A command and its flags. Variables must outlive the parsing.
class Command {
 public:
  explicit Command(CLI::App& app) : app_(&app) {}
  Flag add_option(const char* name, std::string& value, const char* help);
  Flag add_option(const char* name, std::vector<std::string>& values, const char* help);
  Flag add_option(const char* name, int& value, const char* help);
  Flag add_option(const char* name, int64_t& value, const char* help);
  Flag add_option(const char* name, uint64_t& value, const char* help);
  Flag add_flag(const char* name, bool& value, const char* help);
  void last_use_wins();  // for the flags added after it; otherwise a flag given twice is refused
  void footer(const char* text);
  void callback(std::function<void()> work);  // runs once all flags are read

  std::string name() const;
  std::vector<std::string> long_flags() const;  // --task, --len, ...
  bool has_flag(const std::string& flag) const;
  // has_flag(flag) must hold:
  bool takes_value(const std::string& flag) const;
  std::string value_type(const std::string& flag) const;   // in the help: LIST, N, ...
  std::string description(const std::string& flag) const;  // in the help

 private:
  CLI::App* app_;
};

// A program: its commands.
class Program {
 public:
  Program(const char* name, const char* description);
  ~Program();
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;

  Command add_command(const char* name, const char* help);
  std::vector<Command> commands() const;
  void version(const std::string& text);
  void footer(const char* text);
  // Reads the words and does the command's work, or prints the help or version that they ask for. Throws Error{kUsage} for
  // words that make no sense, and whatever the work throws.
  void run(std::vector<std::string> words);

 private:
  std::unique_ptr<CLI::App> app_;
};

}  // namespace sala::eval
