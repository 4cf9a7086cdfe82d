#include "eval/sweep/sweep_file.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cctype>
#include <filesystem>

#include "eval/util/files.h"
#include "eval/util/toml.h"
#include "sala/core/error.h"
#include "sim/text/near.h"

namespace sala::eval {
namespace {

constexpr int64_t kMostCombinations = 100000;
constexpr std::string_view kSet = "set.";  // before the dotted name of a field

using Axes = std::map<std::string, std::vector<std::string>>;

class Reader {
 public:
  Reader(const std::string& path, const std::vector<AxisFlag>& flags) : path_(path), flags_(flags) {}

  SweepFile read() {
    const toml::table root = read_toml(path_);
    check_keys(root, path_, {"grid", "fixed", "include", "exclude", "slurm"});
    SweepFile file;
    file.name = name();
    file.text = read_file(path_);
    const Axes fixed = axes_of(root, "fixed");
    if (root.contains("grid")) add_grid(fixed, axes_of(root, "grid"), "[grid]", file);
    each_table(root, "include", [&](const toml::table& table, const std::string& where) {
      add_grid(fixed, axes(table, "", where), where, file);
    });
    if (file.combinations.empty())
      throw Error(ErrorCode::kUsage,
                  "{}: the sweep is empty; a table [grid] says what is varied, topk = [8, 12] for instance", path_);
    each_table(root, "exclude", [&](const toml::table& table, const std::string& where) {
      file.excludes.push_back(axes(table, "", where));
      check_exclude(file, where);
    });
    if (root.contains("slurm")) file.slurm = slurm(table_of(root, "slurm"));
    return file;
  }

 private:
  std::string name() const {
    std::string stem = std::filesystem::path(path_).stem().string();
    const auto fits = [](unsigned char c) { return std::isalnum(c) != 0 || c == '_' || c == '-' || c == '.'; };
    if (stem.empty() || stem[0] == '.' || !std::all_of(stem.begin(), stem.end(), fits))
      throw Error(ErrorCode::kUsage, "{}: a sweep is called as its file, which must be letters, digits, '-', '_' and '.'",
                  path_);
    return stem;
  }

  static void check_keys(const toml::table& table, const std::string& where, const std::vector<std::string>& known) {
    for (const auto& [key, node] : table)
      if (std::find(known.begin(), known.end(), key.str()) == known.end())
        throw Error(ErrorCode::kUsage, "{}: there is no '{}'{}", where, key.str(),
                    text::near_it(std::string(key.str()), known));
  }

  const toml::table& table_of(const toml::table& root, const char* key) const {
    const toml::table* table = root[key].as_table();
    if (table == nullptr) throw Error(ErrorCode::kFormat, "{}: '{}' is no table; write [{}]", path_, key, key);
    return *table;
  }

  template <class Each>
  void each_table(const toml::table& root, const char* key, const Each& each) const {
    if (!root.contains(key)) return;
    const toml::array* list = root[key].as_array();
    if (list == nullptr || !list->is_homogeneous<toml::table>())
      throw Error(ErrorCode::kFormat, "{}: '{}' is no list of tables; write [[{}]]", path_, key, key);
    for (std::size_t i = 0; i < list->size(); ++i)
      each(*(*list)[i].as_table(), fmt::format("{}: [[{}]] {}", path_, key, i + 1));
  }

  // A table that may be missing.
  Axes axes_of(const toml::table& root, const char* key) const {
    return root.contains(key) ? axes(table_of(root, key), "", fmt::format("{}: [{}]", path_, key)) : Axes{};
  }

  Axes axes(const toml::table& table, const std::string& prefix, const std::string& where) const {
    Axes all;
    for (const auto& [key, node] : table) {
      const std::string name = prefix + std::string(key.str());
      const std::string place = fmt::format("{} '{}'", where, name);
      const toml::table* inner = node.as_table();
      if (inner != nullptr && (name == "set" || name.starts_with(kSet))) {
        all.merge(axes(*inner, name + ".", where));
        continue;
      }
      if (inner != nullptr) throw Error(ErrorCode::kFormat, "{} is a table; only 'set' is one", place);
      check_flag(name, place);
      all[name] = values(node, name, place);
    }
    return all;
  }

  void check_flag(const std::string& name, const std::string& place) const {
    if (name.starts_with(kSet)) return;
    std::vector<std::string> names;
    for (const AxisFlag& flag : flags_) names.push_back(flag.name);
    if (std::find(names.begin(), names.end(), name) == names.end())
      throw Error(ErrorCode::kUsage, "{} is no flag of run that says what is computed{}", place, text::near_it(name, names));
  }

  std::vector<std::string> values(const toml::node& node, const std::string& name, const std::string& place) const {
    std::vector<std::string> texts;
    if (const toml::array* list = node.as_array()) {
      if (list->empty()) throw Error(ErrorCode::kUsage, "{} has no values", place);
      for (const toml::node& item : *list) {
        const toml::array* value = name.starts_with(kSet) ? item.as_array() : nullptr;  // a field that is a list
        texts.push_back(value != nullptr ? "[" + toml_list_text(*value, place) + "]" : toml_text(item, place));
      }
    } else {
      texts.push_back(toml_text(node, place));
    }
    const auto flag = std::find_if(flags_.begin(), flags_.end(), [&](const AxisFlag& each) { return each.name == name; });
    const bool is_switch = flag != flags_.end() && !flag->takes_value;
    for (const std::string& text : texts)
      if (is_switch && text != "true" && text != "false")
        throw Error(ErrorCode::kFormat, "{} is a switch: its values are true and false", place);
    return texts;
  }

  // The product of all values; the axis that is last by name varies fastest. Lists of [fixed] are one value.
  void add_grid(const Axes& fixed, const Axes& varied, const std::string& where, SweepFile& file) const {
    std::vector<Settings> grid;
    if (varied.empty()) return;
    grid.emplace_back();
    for (const auto& [name, values] : fixed) grid[0][name] = fmt::format("{}", fmt::join(values, ","));
    for (const auto& [name, values] : varied) {
      const auto total = static_cast<int64_t>(grid.size() * values.size() + file.combinations.size());
      if (total > kMostCombinations)
        throw Error(ErrorCode::kUsage, "{}: more than {} combinations", where, kMostCombinations);
      std::vector<Settings> more;
      for (const Settings& settings : grid)
        for (const std::string& value : values) (more.emplace_back(settings))[name] = value;
      grid = std::move(more);
    }
    file.combinations.insert(file.combinations.end(), grid.begin(), grid.end());
  }

  void check_exclude(const SweepFile& file, const std::string& where) const {
    if (file.excludes.back().empty()) throw Error(ErrorCode::kUsage, "{} names nothing: it would exclude all", where);
    for (const auto& [name, values] : file.excludes.back()) {
      const bool known = std::any_of(file.combinations.begin(), file.combinations.end(),
                                     [&, &key = name](const Settings& settings) { return settings.contains(key); });
      if (!known) throw Error(ErrorCode::kUsage, "{} names '{}', which no cell of the sweep says", where, name);
    }
  }

  SlurmOptions slurm(const toml::table& table) const {
    const std::string where = path_ + ": [slurm]";
    check_keys(table, where, {"partition", "account", "time", "memory", "options", "cpus", "jobs", "requeue"});
    SlurmOptions options;
    const auto text = [&](const char* key, std::string& value) {
      if (table.contains(key)) value = toml_text(*table.get(key), fmt::format("{} '{}'", where, key));
      if (value.find_first_of("\n\r") != std::string::npos)
        throw Error(ErrorCode::kFormat, "{} '{}' has more than one line", where, key);
    };
    const auto number = [&](const char* key, int64_t least, int64_t& value) {
      if (!table.contains(key)) return;
      const auto given = table[key].value_exact<int64_t>();
      if (!given || *given < least || *given > 100000)
        throw Error(ErrorCode::kUsage, "{} '{}' is no whole number from {} to 100000", where, key, least);
      value = *given;
    };
    text("partition", options.partition);
    text("account", options.account);
    text("time", options.time);
    text("memory", options.memory);
    number("cpus", 1, options.cpus);
    number("jobs", 1, options.jobs);
    number("requeue", 0, options.requeue);
    if (const toml::array* list = table["options"].as_array())
      for (const toml::node& item : *list) text_option(item, where, options);
    else if (table.contains("options"))
      throw Error(ErrorCode::kFormat, "{} 'options' is no list of options such as \"--qos=long\"", where);
    return options;
  }

  static void text_option(const toml::node& item, const std::string& where, SlurmOptions& options) {
    const std::string option = toml_text(item, where + " 'options'");
    if (!option.starts_with("-") || option.find_first_of("\n\r") != std::string::npos)
      throw Error(ErrorCode::kUsage, "{} 'options': '{}' is no option such as \"--qos=long\"", where, option);
    options.options.push_back(option);
  }

  const std::string& path_;
  const std::vector<AxisFlag>& flags_;
};

}  // namespace

std::vector<std::string> words_of(const Settings& settings, const std::vector<AxisFlag>& flags) {
  std::vector<std::string> words;
  for (const auto& [name, value] : settings) {
    const auto flag =
        std::find_if(flags.begin(), flags.end(), [&, &key = name](const AxisFlag& each) { return each.name == key; });
    if (name.starts_with(kSet))
      words.push_back(fmt::format("--set={}={}", name.substr(kSet.size()), value));
    else if (flag == flags.end() || flag->takes_value)
      words.push_back(fmt::format("--{}={}", name, value));
    else if (value == "true")
      words.push_back("--" + name);
  }
  return words;
}

SweepFile read_sweep_file(const std::string& path, const std::vector<AxisFlag>& flags) { return Reader(path, flags).read(); }

}  // namespace sala::eval
