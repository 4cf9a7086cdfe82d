#include "eval/sweep/cell.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <iterator>
#include <numeric>
#include <utility>

#include "eval/spec/plan.h"
#include "eval/spec/record.h"
#include "eval/util/json_fields.h"
#include "sala/core/rng.h"
#include "sim/text/json.h"

namespace sala::eval {
namespace {

using Json = nlohmann::ordered_json;

Json columns_json(const Columns& columns) {
  Json json = Json::object();
  for (const auto& [name, text] : columns) json[name] = text;
  return json;
}

Columns parse_columns(const Json& object, const char* name) {
  Columns columns;
  const Json& json = fields::field(object, name);
  if (!json.is_object()) throw Error(ErrorCode::kFormat, "field '{}' is no object", name);
  for (const auto& [key, value] : json.items()) columns.emplace_back(key, fields::text(json, key.c_str()));
  return columns;
}

}  // namespace

std::string SweepCell::key() const { return name.empty() ? fmt::format("{}", fmt::join(words, "\n")) : name; }

std::string SweepCell::title() const {
  std::string who, switches;
  for (const auto& [column, text] : model) {
    if (column == "switches") switches = text;
    if (who.empty() || (column == "model" && !text.empty())) who = text;
  }
  return fmt::format("{}{}{}{}@{}", who, switches.empty() ? "" : fmt::format(" [{}]", switches), who.empty() ? "" : " ",
                     task, length);
}

void SweepCell::ask_for(const std::vector<int64_t>& more) {
  std::vector<int64_t> both;
  std::set_union(samples.begin(), samples.end(), more.begin(), more.end(), std::back_inserter(both));
  samples = std::move(both);
}

Json to_json(const SweepCell& cell) {
  return Json{{"cell", cell.name},
              {"refusal", cell.refusal},
              {"words", cell.words},
              {"task", cell.task},
              {"group", cell.group},
              {"length", cell.length},
              {"samples", format_indexes(cell.samples)},
              {"seed", cell.seed},
              {"model", columns_json(cell.model)},
              {"asked", columns_json(cell.asked)},
              {"versions", columns_json(cell.versions)},
              {"memory_bytes", cell.memory_bytes},
              {"flops_a_sample", cell.flops_a_sample}};
}

SweepCell parse_cell(const Json& json) {
  SweepCell cell;
  cell.name = fields::text(json, "cell");
  cell.refusal = fields::text(json, "refusal");
  cell.words = fields::texts(json, "words");
  cell.task = fields::text(json, "task");
  cell.group = fields::text(json, "group");
  cell.length = fields::integer(json, "length");
  cell.samples = parse_indexes(fields::text(json, "samples"));
  cell.seed = fields::text(json, "seed");
  cell.model = parse_columns(json, "model");
  cell.asked = parse_columns(json, "asked");
  cell.versions = parse_columns(json, "versions");
  cell.memory_bytes = fields::integer(json, "memory_bytes");
  cell.flops_a_sample = fields::number(json, "flops_a_sample");
  return cell;
}

std::string error_sentence(const Error& problem) {
  return fmt::format("[{}] {}", error_code_name(problem.code()), problem.what());
}

std::string cell_name(Json plan) {
  if (plan.contains("cells") && plan["cells"].is_object())
    for (auto& [name, samples] : plan["cells"].items()) samples = "";
  return hash_hex(stable_hash(text::write_json(plan)));
}

std::string cells_hash(const std::vector<SweepCell>& cells) {
  std::string text;
  for (const SweepCell& cell : cells) text += fmt::format("{}\n{}\n", cell.key(), format_indexes(cell.samples));
  return hash_hex(stable_hash(text));
}

std::vector<std::vector<std::size_t>> pack(const std::vector<double>& costs, std::size_t parts) {
  std::vector<std::size_t> order(costs.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return costs[a] > costs[b]; });
  std::vector<std::vector<std::size_t>> packs(parts);
  std::vector<double> sums(parts);
  for (const std::size_t item : order) {  // each to the part that has least
    const auto least = static_cast<std::size_t>(std::min_element(sums.begin(), sums.end()) - sums.begin());
    packs[least].push_back(item);
    sums[least] += costs[item];
  }
  return packs;
}

}  // namespace sala::eval
