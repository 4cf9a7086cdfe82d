// MRCR (spec tasks 3.4): score by needle count and bin, beside it how often the code was there and another instance nearer.
#include <fmt/format.h>

#include <map>

#include "eval/report/aggregate.h"
#include "eval/util/columns.h"

namespace sala::eval {
namespace {

using Json = nlohmann::ordered_json;

struct NeedleCount {
  double sum = 0;
  std::size_t samples = 0, bins = 0;
  const CellResult* last = nullptr;  // the longest bin
};

}  // namespace

Aggregate aggregate_mrcr(const GroupCells& cells) {
  Aggregate made;
  made.group = cells[0]->cell.task->group();  // `mrcr` or `mrcr_official`
  made.title = "MRCR";
  made.json["unit"] = "percent";
  made.overview.head = {"MRCR", "bin", "n", "score", "code given", "confused"};
  Json bins = Json::array(), totals = Json::array();
  std::map<std::string, NeedleCount> counts;
  for (const CellResult* cell : cells) {
    const std::string name(cell->cell.task->name());
    const double hit = 100 * mean_diagnostic(*cell, "prefix_hit"), confused = 100 * mean_diagnostic(*cell, "confused");
    const double capped = mean_diagnostic(*cell, "grader_capped") * static_cast<double>(cell->records.size());
    const auto json = [](double value) { return value == value ? Json(value) : Json(nullptr); };
    made.overview.rows.push_back({text(name), tokens(cell->cell.length), count(static_cast<int64_t>(cell->records.size())),
                                  number(100 * cell->score, 2), number(hit, 1), number(confused, 1)});
    bins.push_back({{"task", name},
                    {"bin", cell->cell.length},
                    {"samples", cell->records.size()},
                    {"score", 100 * cell->score},
                    {"hit_rate", json(hit)},
                    {"confusion_rate", json(confused)},
                    {"score_stripped", json(100 * mean_diagnostic(*cell, "score_stripped"))},
                    {"score_no_autojunk", json(100 * mean_diagnostic(*cell, "score_no_autojunk"))},
                    {"grader_capped", json(capped)}});
    if (capped > 0)
      made.remarks.push_back(fmt::format("{}: {} answers were too long to compare and count 0 or lack their side figures.",
                                         cell->cell.name(), capped));
    NeedleCount& needles = counts[name];
    for (const SampleRecord* record : cell->records) needles.sum += record->score;
    needles.samples += cell->records.size();
    ++needles.bins;
    if (needles.last == nullptr || cell->cell.length > needles.last->cell.length) needles.last = cell;
  }
  // Vendors quote either figure under one name, so both are always said.
  for (const auto& [name, needles] : counts) {
    const double all = 100 * needles.sum / static_cast<double>(needles.samples), last = 100 * needles.last->score;
    totals.push_back({{"task", name},
                      {"bins", needles.bins},
                      {"score_all_bins", all},
                      {"last_bin", needles.last->cell.length},
                      {"score_last_bin", last}});
    made.remarks.push_back(fmt::format("{}: {:.2f} over all {} of {}, {:.2f} in the last bin ({}).", name, all,
                                       counted(static_cast<int64_t>(needles.samples), "sample"),
                                       counted(static_cast<int64_t>(needles.bins), "bin"), last,
                                       length_text(needles.last->cell.length)));
  }
  made.json["bins"] = bins;
  made.json["totals"] = totals;
  return made;
}

}  // namespace sala::eval
