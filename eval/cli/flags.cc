#include "eval/cli/flags.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <cmath>
#include <utility>

#include "sala/core/error.h"

namespace sala::eval {

std::optional<double> decimal_number(std::string_view word) {
  double value = 0;
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), value);
  if (error != std::errc() || end != word.data() + word.size() || !std::isfinite(value)) return std::nullopt;
  return value;
}

WordCheck whole_number(int64_t low, int64_t high) {
  return [=](const std::string& text) {
    int64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    const bool other_base = text.size() > 1 && text.starts_with('0');
    if (error == std::errc() && end == text.data() + text.size() && !other_base && value >= low && value <= high)
      return std::string();
    const bool open = high == std::numeric_limits<int64_t>::max();
    return fmt::format("'{}' is no whole number from {} {}", text, low, open ? "up" : fmt::format("to {}", high));
  };
}

Flag& Flag::type_name(const char* name) {
  option_->type_name(name);
  return *this;
}
Flag& Flag::group(const char* title) {
  option_->group(title);
  return *this;
}
Flag& Flag::show_default() {
  option_->capture_default_str();
  return *this;
}
Flag& Flag::required() {
  option_->required();
  return *this;
}
Flag& Flag::check(WordCheck wrong) {
  option_->check(std::move(wrong));
  return *this;
}
Flag& Flag::one_of(const std::vector<std::string>& words) {
  option_->check(CLI::IsMember(words));
  return *this;
}
Flag& Flag::split_at(char comma) {
  option_->delimiter(comma);
  return *this;
}
Flag& Flag::repeatable() {
  option_->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)->expected(1)->allow_extra_args(false);
  return *this;
}

Flag Command::add_option(const char* name, std::string& value, const char* help) {
  return Flag(*app_->add_option(name, value, help));
}
Flag Command::add_option(const char* name, std::vector<std::string>& values, const char* help) {
  return Flag(*app_->add_option(name, values, help));
}
Flag Command::add_option(const char* name, int& value, const char* help) {
  return Flag(*app_->add_option(name, value, help));
}
Flag Command::add_option(const char* name, int64_t& value, const char* help) {
  return Flag(*app_->add_option(name, value, help));
}
Flag Command::add_option(const char* name, uint64_t& value, const char* help) {
  return Flag(*app_->add_option(name, value, help));
}
Flag Command::add_flag(const char* name, bool& value, const char* help) { return Flag(*app_->add_flag(name, value, help)); }
void Command::last_use_wins() { app_->option_defaults()->multi_option_policy(CLI::MultiOptionPolicy::TakeLast); }
void Command::footer(const char* text) { app_->footer(text); }
void Command::callback(std::function<void()> work) { app_->callback(std::move(work)); }

std::string Command::name() const { return app_->get_name(); }

std::vector<std::string> Command::long_flags() const {
  std::vector<std::string> names;
  for (const CLI::Option* option : app_->get_options())
    for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
  return names;
}

bool Command::has_flag(const std::string& flag) const { return app_->get_option_no_throw(flag) != nullptr; }
bool Command::takes_value(const std::string& flag) const { return app_->get_option(flag)->get_expected_max() != 0; }
std::string Command::value_type(const std::string& flag) const { return app_->get_option(flag)->get_type_name(); }
std::string Command::description(const std::string& flag) const { return app_->get_option(flag)->get_description(); }

Program::Program(const char* name, const char* description) : app_(std::make_unique<CLI::App>(description, name)) {
  app_->require_subcommand(1);
}
Program::~Program() = default;

Command Program::add_command(const char* name, const char* help) { return Command(*app_->add_subcommand(name, help)); }

std::vector<Command> Program::commands() const {
  std::vector<Command> all;
  for (CLI::App* each : app_->get_subcommands([](CLI::App*) { return true; })) all.emplace_back(*each);
  return all;
}

void Program::version(const std::string& text) { app_->set_version_flag("--version", text); }
void Program::footer(const char* text) { app_->footer(text); }

void Program::run(std::vector<std::string> words) {
  std::reverse(words.begin(), words.end());  // CLI11 takes them from the end
  try {
    app_->parse(words);
  } catch (const CLI::ParseError& problem) {
    if (problem.get_exit_code() != 0) throw Error(ErrorCode::kUsage, "{}", problem.what());
    app_->exit(problem);
  }
}

}  // namespace sala::eval
