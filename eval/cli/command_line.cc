#include "eval/cli/command_line.h"

#include <fmt/format.h>

#include <cctype>
#include <optional>

#include "eval/util/toml.h"
#include "sala/core/error.h"
#include "sim/text/near.h"

namespace sala::eval {
namespace {

void check_flag(const Command& command, const std::string& word) {
  const std::string name = word.substr(0, word.find('='));
  if (command.has_flag(name)) return;
  throw Error(ErrorCode::kUsage, "{} has no flag '{}'{}; `sala_eval {} --help` shows all", command.name(), name,
              text::near_it(name, command.long_flags()), command.name());
}

bool looks_like_flag(const std::string& word) {
  return word.size() > 1 && word[0] == '-' && std::isdigit(static_cast<unsigned char>(word[1])) == 0 && word[1] != '.';
}

void add_set_words(const toml::table& table, const std::string& prefix, const std::string& where,
                   std::vector<std::string>& out) {
  for (const auto& [key, node] : table) {
    const std::string name = prefix + std::string(key.str());
    if (const toml::table* inner = node.as_table()) {
      add_set_words(*inner, name + ".", where, out);
      continue;
    }
    const toml::array* list = node.as_array();
    const std::string value = list != nullptr ? "[" + toml_list_text(*list, where) + "]" : toml_text(node, where);
    out.push_back("--set=" + name + "=" + value);
  }
}

}  // namespace

std::vector<std::string> words_of_config(const std::string& path, const Command& command) {
  const toml::table table = read_toml(path);
  std::vector<std::string> words;
  for (const auto& [key, node] : table) {
    const std::string name(key.str()), where = fmt::format("{}: '{}'", path, name), flag = "--" + name;
    if (!command.has_flag(flag) || name == "config" || name == "help")
      throw Error(ErrorCode::kUsage, "{} is no flag of {}{}", where, command.name(),
                  text::near_it(flag, command.long_flags()));
    if (const toml::table* inner = node.as_table()) {
      if (name != "set") throw Error(ErrorCode::kFormat, "{} is a table; only [set] is one", where);
      add_set_words(*inner, "", where, words);
    } else if (!command.takes_value(flag)) {
      const auto value = node.value_exact<bool>();
      if (!value) throw Error(ErrorCode::kFormat, "{} is a switch: write true or false", where);
      if (*value) words.push_back(flag);
    } else {
      const toml::array* list = node.as_array();
      words.push_back(flag + "=" + (list != nullptr ? toml_list_text(*list, where) : toml_text(node, where)));
    }
  }
  return words;
}

std::vector<std::string> prepare_words(const Program& program, const std::vector<std::string>& given) {
  std::vector<std::string> words = given;
  if (words.empty()) return {"--help"};
  if (words[0] == "--help" || words[0] == "-h" || words[0] == "--version") return words;
  if (looks_like_flag(words[0])) words.insert(words.begin(), "run");
  std::vector<std::string> commands;
  std::optional<Command> command;
  for (const Command& each : program.commands()) {
    commands.push_back(each.name());
    if (each.name() == words[0]) command = each;
  }
  if (!command)
    throw Error(ErrorCode::kUsage, "no command '{}'{}; `sala_eval --help` shows all", words[0],
                text::near_it(words[0], commands));
  std::vector<std::string> from_file, others;
  for (std::size_t i = 1; i < words.size(); ++i) {
    if (looks_like_flag(words[i])) check_flag(*command, words[i]);
    const bool attached = words[i].rfind("--config=", 0) == 0;
    if (!attached && words[i] != "--config") {
      others.push_back(words[i]);
      continue;
    }
    if (!attached && i + 1 == words.size()) throw Error(ErrorCode::kUsage, "--config needs the name of a file");
    const std::string path = attached ? words[i].substr(9) : words[++i];
    const std::vector<std::string> more = words_of_config(path, *command);
    from_file.insert(from_file.end(), more.begin(), more.end());
  }
  std::vector<std::string> ready = {words[0]};
  ready.insert(ready.end(), from_file.begin(), from_file.end());
  ready.insert(ready.end(), others.begin(), others.end());
  return ready;
}

}  // namespace sala::eval
