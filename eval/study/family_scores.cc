#include "eval/study/family_scores.h"

#include <fmt/format.h>

#include <algorithm>

#include "eval/util/csv.h"
#include "sala/core/error.h"

namespace sala::eval {
namespace {

const std::vector<std::string> kRoles = {"sala", "dense", "linear", "full"};

// What was switched after training, and by whom blocks were chosen; empty: the model as it was trained.
std::string changes_of(const CsvTable& table, const std::vector<std::string>& row) {
  if (table.has("changes")) return table.of(row, "changes");
  const std::string select = table.has("select") ? table.of(row, "select") : "";
  return (select.empty() || select == "learned" ? "" : "select=" + select + ";") + table.of(row, "switches");
}

// The factor of YaRN when it is all that was switched: "4" of `rope_scaling={"rope_type":"yarn","factor":4.0,...} (was
// null)`.
std::string yarn_factor(const CsvTable& table, const std::vector<std::string>& row, const std::string& changes) {
  if (changes.rfind("rope_scaling=", 0) != 0 || changes.find(';') != std::string::npos) return "";
  std::string factor = table.has("yarn") ? table.of(row, "yarn") : "";
  const std::string key = "\"factor\":";
  if (const std::size_t at = changes.find(key); factor.empty() && at != std::string::npos) {
    const std::size_t begin = at + key.size();
    factor = changes.substr(begin, changes.find_first_of(",}", begin) - begin);
  }
  if (factor.size() > 2 && factor.compare(factor.size() - 2, 2, ".0") == 0) factor.resize(factor.size() - 2);
  return factor;
}

// What makes two scores of one cell differ although samples do not.
std::string made_by(const CsvTable& table, const std::vector<std::string>& row) {
  std::string made;
  for (const char* column : {"numerics", "numerics_version", "samples_version", "weights"})
    if (table.has(column)) made += fmt::format("{}{} {}", made.empty() ? "" : ", ", column, table.of(row, column));
  return made;
}

int64_t rank_of(const std::string& member) {
  for (std::size_t i = 0; i < kRoles.size(); ++i)
    if (member.rfind(kRoles[i] + "-", 0) == 0)
      return static_cast<int64_t>(i) * 2 + (member.find(',') != std::string::npos ? 1 : 0);
  return static_cast<int64_t>(kRoles.size()) * 2;
}

}  // namespace

FamilyScores::FamilyScores(const std::vector<CsvTable>& tables, const std::string& family) {
  for (const CsvTable& table : tables) read(table, family);
  if (members_.empty())
    throw Error(ErrorCode::kUsage, "no table has scores of sala-{0}, dense-{0}, linear-{0} or full-{0} as they were trained",
                family);
  std::stable_sort(members_.begin(), members_.end(), [](const auto& a, const auto& b) { return rank_of(a) < rank_of(b); });
}

void FamilyScores::read(const CsvTable& table, const std::string& family) {
  const bool own = table.has("member");  // a table of results/family
  Cells cells;
  for (const auto& row : table.rows) {
    const std::string& name = table.of(row, own ? "member" : "model");
    if (std::none_of(kRoles.begin(), kRoles.end(), [&](const auto& role) { return name == role + "-" + family; })) continue;
    if (own && table.of(row, "seed") != "1") continue;
    const std::string& count = table.of(row, "n");
    if (count.empty() || count == "0") continue;
    const std::string changes = changes_of(table, row), factor = yarn_factor(table, row, changes);
    if (!changes.empty() && factor.empty()) continue;
    const std::string member = name + (factor.empty() ? "" : ", YaRN " + factor);
    if (training_length_.count(member) == 0) {
      members_.push_back(member);
      training_length_[member] = static_cast<int64_t>(table.number(row, own ? "trained_length" : "training_length"));
    }
    Cell cell{static_cast<int64_t>(table.number(row, "n")),
              table.number(row, "score"),
              {table.number(row, "low"), table.number(row, "high")},
              {},
              made_by(table, row)};
    if (!own && table.has("seed")) cell.seeds = {table.of(row, "seed")};
    const std::string& task = table.of(row, "task");
    if (cell.n < 1 || !(cell.score >= 0 && cell.score <= 1))
      throw Error(ErrorCode::kFormat, "{}: {} of {} has n {} and score {}", table.path, task, name, cell.n, cell.score);
    const auto length = static_cast<int64_t>(table.number(row, "length"));
    const auto [known, first] = cells.try_emplace({member, task, length}, cell);
    if (first) continue;
    Cell& sum = known->second;
    if (cell.made_by != sum.made_by || cell.seeds.empty() || sum.seeds.count(*cell.seeds.begin()) > 0)
      throw Error(ErrorCode::kUsage, "{} has two rows of {}, {} at {}: {}; keep one of them", table.path, member, task,
                  length,
                  cell.made_by == sum.made_by ? "nothing tells them apart"
                                              : fmt::format("'{}' and '{}'", sum.made_by, cell.made_by));
    const auto n = static_cast<double>(sum.n), more = static_cast<double>(cell.n);
    sum.score = (n * sum.score + more * cell.score) / (n + more);
    sum.n += cell.n;
    sum.interval = wilson_interval(sum.score, sum.n);
    sum.seeds.merge(cell.seeds);
  }
  for (const auto& [key, cell] : cells)
    if (Cell& known = cells_[key]; cell.n >= known.n) known = cell;
}

std::optional<Measure> FamilyScores::measure(const std::string& member, const std::vector<std::string>& tasks,
                                             int64_t length) const {
  std::vector<double> scores;
  std::vector<Interval> intervals;
  Measure measure;
  for (const std::string& task : tasks) {
    const auto found = cells_.find({member, task, length});
    if (found == cells_.end()) return std::nullopt;
    const Cell& cell = found->second;
    scores.push_back(cell.score);
    intervals.push_back(cell.interval);
    measure.score += cell.score / static_cast<double>(tasks.size());
    measure.fewest = scores.size() == 1 ? cell.n : std::min(measure.fewest, cell.n);
    measure.most = std::max(measure.most, cell.n);
  }
  measure.interval = mean_interval(scores, intervals);
  return measure;
}

}  // namespace sala::eval
