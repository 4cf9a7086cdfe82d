#include "eval/sweep/table.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <limits>
#include <numeric>
#include <optional>
#include <set>

#include "eval/observe/statistic.h"
#include "eval/spec/cell_result.h"
#include "eval/store/h5.h"
#include "eval/util/files.h"
#include "eval/util/process.h"
#include "sala/tasks/ruler_scores.h"

namespace sala::eval {
namespace {

// Numbers are written with all their digits, so a row is texts.
std::string digits(double value) { return fmt::format("{}", value); }
std::string digits(const std::optional<double>& value) { return value ? digits(*value) : ""; }

std::string of(const Columns& columns, const std::string& name) {
  for (const auto& [column, text] : columns)
    if (column == name) return text;
  return "";
}

std::vector<std::string> names_of(Columns SweepCell::*columns, const std::vector<SweepCell>& cells) {
  std::vector<std::string> names;
  for (const SweepCell& cell : cells)
    for (const auto& [name, text] : cell.*columns)
      if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
  return names;
}

// What statistics find, in the order of the registry.
std::vector<std::string> figure_names() {
  std::vector<std::string> names;
  for (const StatisticKind& kind : statistics())
    for (const FigureKind& figure : kind.figures) names.push_back(figure.name);
  return names;
}

// Share of the samples that failed with all evidence read, or not.
std::optional<double> failed_share(const CellResult& result, bool all_read) {
  int64_t failed = 0, known = 0;
  for (const SampleRecord* record : result.records)
    for (const auto& [name, value] : record->figures) {
      if (name != "reached") continue;
      ++known;
      failed += record->score < 1 && (value >= 1) == all_read ? 1 : 0;
    }
  if (known == 0) return std::nullopt;
  return static_cast<double>(failed) / static_cast<double>(result.records.size());
}

std::vector<std::string> results_head() {
  std::vector<std::string> head = {"n", "score", "low", "high"};
  for (const std::string& name : figure_names()) head.push_back(name);
  head.insert(head.end(), {"empty", "unread", "unused"});
  return head;
}

CellResult summarized(const SweepCell& cell, const CellState& state) {
  std::vector<const SampleRecord*> records;
  for (const SampleRecord& record : state.records) records.push_back(&record);
  return summarize_cell({nullptr, cell.length, cell.samples}, std::move(records));
}

std::vector<std::string> results(const CellResult& result) {
  const auto count = static_cast<double>(result.records.size());
  std::vector<std::string> row = {fmt::format("{}", result.records.size()), digits(result.score),
                                  digits(result.interval.low), digits(result.interval.high)};
  for (const std::string& name : figure_names()) row.push_back(digits(result.figure(name)));
  row.push_back(digits(static_cast<double>(result.nulls) / count));
  row.push_back(digits(failed_share(result, false)));
  row.push_back(digits(failed_share(result, true)));
  return row;
}

std::vector<std::string> seconds(const CellResult& result) {
  double prefill = 0, decode = 0;
  for (const SampleRecord* record : result.records) {
    prefill += record->timing.prefill_seconds;
    decode += record->timing.decode_seconds;
  }
  return {digits(prefill), digits(decode)};
}

// Nothing when one of them is no number. An empty one is NaN.
std::optional<std::vector<double>> numbers_of(const std::vector<std::string>& words) {
  std::vector<double> numbers;
  for (const std::string& word : words) {
    double value = std::numeric_limits<double>::quiet_NaN();
    const char* end = word.data() + word.size();
    const auto [stop, problem] = std::from_chars(word.data(), end, value);
    if (!word.empty() && (problem != std::errc() || stop != end)) return std::nullopt;
    numbers.push_back(value);
  }
  return numbers;
}

void write_columns(const Table& table, h5::Group& group) {
  const std::set<std::string> identifiers = {"cell", "seed", "weights"};
  const auto rows = static_cast<int64_t>(table.rows.size());
  std::vector<int64_t> indexes(table.rows.size());
  std::iota(indexes.begin(), indexes.end(), int64_t{0});
  h5::Dataset row = group.write_array<int64_t>("row", {rows}, indexes);
  row.scale("row");
  for (std::size_t column = 0; column < table.head.size(); ++column) {
    const std::string& name = table.head[column];
    std::vector<std::string> words;
    for (const std::vector<Value>& values : table.rows) words.push_back(std::get<std::string>(values[column].is));
    const auto numbers = identifiers.contains(name) ? std::nullopt : numbers_of(words);
    h5::Dataset made = numbers ? group.write_array<double>(name, {rows}, *numbers) : group.write_texts(name, {rows}, words);
    made.attach(0, row);
  }
}

}  // namespace

Table cells_table(const std::vector<SweepCell>& cells, const std::vector<CellState>& states) {
  const std::vector<std::string> model = names_of(&SweepCell::model, cells), asked = names_of(&SweepCell::asked, cells),
                                 versions = names_of(&SweepCell::versions, cells), found = results_head();
  Table table;
  const auto add = [](std::vector<std::string>& row, const std::vector<std::string>& more) {
    row.insert(row.end(), more.begin(), more.end());
  };
  table.head = {"cell", "status", "error"};
  add(table.head, model);
  add(table.head, asked);
  add(table.head, {"task", "group", "length", "seed", "samples"});
  add(table.head, found);
  add(table.head, versions);
  add(table.head, {"prefill_seconds", "decode_seconds"});
  for (const char* name : kPlanned) table.head.emplace_back(name);
  for (std::size_t i = 0; i < cells.size(); ++i) {
    const SweepCell& cell = cells[i];
    std::vector<std::string> row = {cell.name, status_name(states[i].status), states[i].error};
    for (const std::string& name : model) row.push_back(of(cell.model, name));
    for (const std::string& name : asked) row.push_back(of(cell.asked, name));
    add(row, {cell.task, cell.group, std::to_string(cell.length), cell.seed, std::to_string(cell.samples.size())});
    std::optional<CellResult> result;
    if (!states[i].records.empty()) result = summarized(cell, states[i]);
    std::vector<std::string> none(found.size());
    none[0] = "0";
    add(row, result ? results(*result) : none);
    for (const std::string& name : versions) row.push_back(of(cell.versions, name));
    add(row, result ? seconds(*result) : std::vector<std::string>(2));
    for (const char* name : kPlanned) row.push_back(of(states[i].planned, name));
    std::vector<Value>& values = table.rows.emplace_back();
    for (std::string& word : row) values.push_back(text(std::move(word)));
  }
  return table;
}

void write_cells_h5(const Table& table, const std::string& path) {
  h5::File file = h5::File::make(path);
  write_columns(table, file);
  file.close();
}

std::vector<CellState> write_table(const SweepFolder& folder, const std::vector<SweepCell>& cells) {
  std::vector<CellState> states;
  for (const SweepCell& cell : cells) states.push_back(folder.state(cell));
  const Table table = cells_table(cells, states);
  write_shared(folder.file("cells.csv"), csv_view(table));
  const std::string place = folder.file("cells.h5"), own = fresh_beside(place + "." + process_name());
  try {
    write_cells_h5(table, own);
  } catch (...) {
    std::error_code ignored;
    std::filesystem::remove(own, ignored);
    throw;
  }
  replace_file(own, place);
  return states;
}

}  // namespace sala::eval
