// NoLiMa (spec tasks 2.5): base score, effective length, normalised scores; beside them the score by hop and order.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <iterator>
#include <set>

#include "eval/report/aggregate.h"
#include "tasks/nolima/metrics.h"

namespace sala::eval {
namespace {

using Json = nlohmann::ordered_json;

// The mode is in the ids. Records without ids are those of upstream's runner: their lengths are windows.
bool upstream(const GroupCells& cells) {
  const std::string& id = cells[0]->records[0]->id;
  return id.empty() || tasks::parse_sample_id(id).request.mode == tasks::Mode::kUpstream;
}

std::vector<int64_t> base_lengths(bool upstream) {
  return upstream ? std::vector<int64_t>(std::begin(tasks::kUpstreamBaseLengths), std::end(tasks::kUpstreamBaseLengths))
                  : std::vector<int64_t>(std::begin(tasks::kFixedBaseLengths), std::end(tasks::kFixedBaseLengths));
}

// One test a sample. The pair is the key of the needle.
std::vector<tasks::NolimaTest> tests_of(const GroupCells& cells) {
  std::vector<tasks::NolimaTest> tests;
  for (const CellResult* cell : cells)
    for (const SampleRecord* record : cell->records)
      tests.push_back(
          {record->evidence.empty() ? std::string() : record->evidence[0].key, cell->cell.length, record->score});
  return tests;
}

std::string joined(const std::vector<int64_t>& lengths, const char* separator) {
  std::vector<std::string> words;
  for (const int64_t length : lengths) words.push_back(tasks::format_length(length));
  return fmt::format("{}", fmt::join(words, separator));
}

// Scores by what the question asks and where the name stands, and answers that list several names.
Table split_table(const GroupCells& cells, Json& json) {
  constexpr std::pair<const char*, const char*> kSplits[] = {{"onehop", "one hop"},
                                                             {"twohop", "two hops"},
                                                             {"default_order", "default order"},
                                                             {"inverted_order", "inverted order"},
                                                             {"many_names", "several names"}};
  Table table{"score by hop and order, and share of answers that list several names", {"NoLiMa", "length"}, {}};
  for (const auto& [name, title] : kSplits) table.head.emplace_back(title);
  for (const CellResult* cell : cells) {
    std::vector<Value> row = {text(std::string(cell->cell.task->name())), tokens(cell->cell.length)};
    Json entry = {{"length", cell->cell.length}};
    for (const auto& [name, title] : kSplits) {
      const double mean = 100 * mean_diagnostic(*cell, name);
      row.push_back(number(mean, 2));
      entry[name] = mean == mean ? Json(mean) : Json(nullptr);
    }
    table.rows.push_back(row);
    json.push_back(entry);
  }
  return table;
}

void add_base(const tasks::NolimaSummary& summary, const std::vector<int64_t>& base, Aggregate& made) {
  made.json["base"] = 100 * summary.base;
  made.json["threshold"] = 100 * summary.threshold;
  made.json["effective_length"] = summary.effective_length ? Json(*summary.effective_length) : Json(nullptr);
  const std::string effective =
      summary.effective_length ? length_text(*summary.effective_length) : "below " + length_text(base.back());
  made.remarks.push_back(
      fmt::format("Base score: {:.2f} (mean over pairs of the best of {}). Effective length: {} (the longest of {} with "
                  "more than 0.85 of "
                  "it, {:.2f}).",
                  100 * summary.base, joined(base, ", "), effective, summary.lengths.size(), 100 * summary.threshold));
  const auto most = std::max_element(summary.lengths.begin(), summary.lengths.end(),
                                     [](const auto& a, const auto& b) { return a.pairs < b.pairs; });
  for (const tasks::NolimaLength& row : summary.lengths)
    if (row.pairs < most->pairs) {
      made.remarks.push_back(fmt::format(
          "Only {} of {} pairs were asked at {}: its normalised score compares different pairs; ask for equal --samples.",
          row.pairs, most->pairs, length_text(row.length)));
      break;
    }
}

}  // namespace

Aggregate aggregate_nolima(const GroupCells& cells) {
  Aggregate made;
  made.group = cells[0]->cell.task->group();  // `nolima` or `nolima_user`
  made.title = "NoLiMa";
  const std::vector<tasks::NolimaTest> tests = tests_of(cells);
  const std::vector<int64_t> base = base_lengths(upstream(cells));
  std::set<int64_t> ran;
  for (const CellResult* cell : cells) ran.insert(cell->cell.length);
  std::vector<int64_t> missing;
  std::copy_if(base.begin(), base.end(), std::back_inserter(missing),
               [&](int64_t length) { return ran.count(length) == 0; });
  const bool whole = missing.empty();

  made.json["unit"] = "percent";
  made.json["base_lengths"] = base;
  made.json["base"] = made.json["threshold"] = made.json["effective_length"] = nullptr;
  // Without all base lengths the means over pairs remain; what is relative to the base is left out.
  const tasks::NolimaSummary summary =
      tasks::summarize_nolima(tests, whole ? base : std::vector<int64_t>(ran.begin(), ran.end()));
  made.overview.head = {"NoLiMa", "length", "n", "pairs", "score", "of base"};
  Json& lengths = made.json["lengths"] = Json::array();
  for (const tasks::NolimaLength& row : summary.lengths) {
    const bool based = whole && summary.base > 0;
    made.overview.rows.push_back({text(made.group), tokens(row.length), count(static_cast<int64_t>(row.tests)),
                                  count(static_cast<int64_t>(row.pairs)), number(100 * row.score, 2),
                                  based ? number(100 * row.normalised, 2, row.below_half ? " (below half)" : "") : Value{}});
    Json entry = {{"length", row.length}, {"tests", row.tests}, {"pairs", row.pairs}, {"score", 100 * row.score}};
    entry["normalised"] = based ? Json(100 * row.normalised) : Json(nullptr);
    entry["below_half_of_base"] = whole ? Json(row.below_half) : Json(nullptr);
    lengths.push_back(entry);
  }
  if (whole) {
    add_base(summary, base, made);
  } else {
    made.remarks.push_back(
        fmt::format("No base score, effective length and normalised scores of {} without the base lengths: add --len {}.",
                    made.group, joined(missing, ",")));
  }
  made.details.push_back(split_table(cells, made.json["splits"] = Json::array()));
  return made;
}

}  // namespace sala::eval
