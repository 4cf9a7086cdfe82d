#include "eval/spec/plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "sala/core/error.h"
#include "sala/tasks/corpora.h"
#include "sim/text/json.h"
#include "sim/text/printable.h"

namespace sala::eval {
namespace {

using Json = nlohmann::ordered_json;

Json config_object(const ModelConfig& config) { return text::parse_json(config.to_json(), "the config"); }

constexpr int64_t kMostIndexes = 1000000;
constexpr std::size_t kMostShown = 80;  // bytes of a value

// Every field of b that differs from a's; a list is one field.
void add_switches(const Json& a, const Json& b, const std::string& prefix, std::vector<std::string>& out) {
  for (const auto& [name, value] : b.items()) {
    const Json before = a.is_object() && a.contains(name) ? a[name] : Json(nullptr);
    if (before == value) continue;
    if (value.is_object() && before.is_object())
      add_switches(before, value, prefix + name + ".", out);
    else
      out.push_back(fmt::format("{}{}={} (was {})", prefix, name, text::printable(text::write_json(value), kMostShown),
                                text::printable(text::write_json(before), kMostShown)));
  }
}

}  // namespace

std::string Cell::name() const { return fmt::format("{}@{}", task->name(), length); }

tasks::SampleRequest RunPlan::request(const Cell& cell, int64_t index) const {
  tasks::SampleRequest wanted;
  wanted.length = cell.length;
  wanted.seed = seed;
  wanted.index = index;
  wanted.mode = mode;
  wanted.corpora = corpora;
  return wanted;
}

int64_t RunPlan::most_tokens(const Cell& cell) const {
  return std::max(cell.length, cell.most_tokens) + static_cast<int64_t>(prefix.size());
}

int64_t RunPlan::longest() const {
  int64_t most = 0;
  for (const Cell& cell : cells) most = std::max(most, most_tokens(cell));
  return most;
}

int64_t RunPlan::sample_count() const {
  int64_t count = 0;
  for (const Cell& cell : cells) count += static_cast<int64_t>(cell.samples.size());
  return count;
}

std::string RunPlan::label() const {
  return select == SelectBy::kLearned ? model_name : fmt::format("{}[select={}]", model_name, select_name(select));
}

std::vector<std::string> config_switches(const ModelConfig& trained, const ModelConfig& used) {
  std::vector<std::string> switches;
  add_switches(config_object(trained), config_object(used), "", switches);
  return switches;
}

std::string RunPlan::numerics_text() const {
  const std::string own = numerics_class(numerics, device);
  if (numerics_before.empty() || numerics_before == own || numerics_before.ends_with(", then " + own))
    return numerics_before.empty() ? own : numerics_before;
  return numerics_before + ", then " + own;
}

Json RunPlan::to_json() const {
  Json json;
  json["schema"] = kRunSchema;
  json["model"] = model_name;
  json["weights_hash"] = weights_hash;
  json["tokenizer"] = tokenizer_kind;
  json["tokenizer_hash"] = tokenizer_hash;
  json["seed"] = seed;
  json["mode"] = tasks::mode_name(mode);
  json["samples_version"] = tasks::kSamplesVersion;
  json["files_hash"] = corpora == nullptr ? "" : corpora->hash;
  Json& files = json["files"] = Json::array();  // by content: where they lie changes nothing
  if (corpora != nullptr)
    for (const tasks::CorpusFile& file : corpora->files) files.push_back({{"role", file.role}, {"sha256", file.sha256}});
  json["numerics"] = numerics_text();
  json["numerics_version"] = kNumericsVersion;
  json["kernels"] = kernels;
  json["probe"] = probe_answers ? "answer" : "none";
  json["statistics"] = statistics;
  json["select"] = select_name(select);
  json["switches"] = switches;
  json["decoding"] = "greedy";
  json["prefix_ids"] = prefix;
  Json& cell_list = json["cells"] = Json::object();
  for (const Cell& cell : cells) cell_list[cell.name()] = format_indexes(cell.samples);
  json["model_config"] = config_object(model);
  return json;
}

std::string numerics_class(Numerics numerics, const std::string& device) {
  return (device == "cpu" ? "" : device + "-") + (numerics == Numerics::kFp32 ? "fp32" : "bf16");
}

int64_t default_samples(int64_t length) {
  if (length <= 8192) return 20;
  if (length <= 32768) return 10;
  if (length <= 131072) return 5;
  return length <= 524288 ? 2 : 1;
}

std::vector<int64_t> parse_indexes(const std::string& list) {
  const auto fail = [&](const std::string& word) {
    return Error(ErrorCode::kUsage, "--sample: '{}' is not understood; write at most {} indexes and ranges such as 0,4-7",
                 text::printable(word, 60), kMostIndexes);
  };
  const auto parse = [&](const std::string& word, std::size_t begin, std::size_t end) {
    int64_t value = 0;
    const auto [stop, error] = std::from_chars(word.data() + begin, word.data() + end, value);
    if (begin == end || error != std::errc() || stop != word.data() + end || value < 0) throw fail(word);
    return value;
  };
  std::vector<int64_t> indexes;
  for (std::size_t begin = 0; begin <= list.size();) {
    const std::size_t end = std::min(list.find(',', begin), list.size());
    const std::string word = list.substr(begin, end - begin);
    begin = end + 1;
    const std::size_t dash = std::min(word.find('-'), word.size());
    const int64_t first = parse(word, 0, dash);
    const int64_t last = dash == word.size() ? first : parse(word, dash + 1, word.size());
    const int64_t room = kMostIndexes - static_cast<int64_t>(indexes.size());
    if (last < first || last - first >= room) throw fail(word);
    for (int64_t i = 0; i <= last - first; ++i) indexes.push_back(first + i);
  }
  std::sort(indexes.begin(), indexes.end());
  indexes.erase(std::unique(indexes.begin(), indexes.end()), indexes.end());
  return indexes;
}

std::string format_indexes(const std::vector<int64_t>& indexes) {
  std::string text;
  for (std::size_t i = 0; i < indexes.size();) {
    std::size_t last = i;
    while (last + 1 < indexes.size() && indexes[last + 1] == indexes[last] + 1) ++last;
    text += fmt::format("{}{}", text.empty() ? "" : ",", indexes[i]);
    if (last > i) text += fmt::format("-{}", indexes[last]);
    i = last + 1;
  }
  return text;
}

}  // namespace sala::eval
