#include "eval/study/paper_tables.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <set>

#include "eval/study/statistics.h"
#include "sala/core/error.h"
#include "sala/tasks/task.h"

namespace sala::eval {
namespace {

constexpr double kNoScore = std::numeric_limits<double>::quiet_NaN();
constexpr const char* kSala = "MiniCPM-SALA-9B";
constexpr const char* kSameMultiple = "same multiple";
constexpr const char* kSameLength = "same length";

// One line of the paper: RULER at 128K, MRCR with two needles at 64K.
struct Setting {
  std::string benchmark, label;                        // "MRCR", "64K-2N"
  double thousands = 0;                                // 64
  std::vector<std::string> tasks;                      // ours of the same name
  std::vector<std::pair<std::string, double>> models;  // the paper's scores in percent, in its order
  double multiple() const { return thousands / kPaperTrainingK; }
  double of(const std::string& model) const {
    for (const auto& [name, score] : models)
      if (name == model) return score;
    return kNoScore;
  }
};

std::vector<std::string> tasks_of(const std::string& benchmark, const std::string& label) {
  if (benchmark == "NoLiMa") return {"nolima"};
  if (benchmark == "MRCR") return {"mrcr_" + label.substr(label.find('-') + 1, 1)};
  std::vector<std::string> names;
  for (const tasks::Task* task : tasks::resolve_tasks("ruler")) names.emplace_back(task->name());
  return names;
}

std::vector<Setting> settings_of(const CsvTable& table) {
  const std::string column = table.has("setting") ? "setting" : "context";
  std::vector<Setting> settings;
  for (const auto& row : table.rows) {
    const std::string &benchmark = table.of(row, "benchmark"), &label = table.of(row, column);
    if (benchmark == "Average") continue;  // of benchmarks that stand for themselves here
    if (label.find('K') == std::string::npos)
      throw Error(ErrorCode::kFormat, "{}: '{}' in column {} is no length", table.path, label, column);
    auto at = std::find_if(settings.begin(), settings.end(),
                           [&](const Setting& each) { return each.benchmark == benchmark && each.label == label; });
    if (at == settings.end()) at = settings.insert(at, {benchmark, label, std::stod(label), tasks_of(benchmark, label), {}});
    if (!table.of(row, "score").empty()) at->models.emplace_back(table.of(row, "model"), table.number(row, "score"));
  }
  return settings;
}

// Ours that is meant: the power of two next to the multiple of the training length, or the length itself.
int64_t length_of(const Setting& setting, bool multiple, int64_t training_length) {
  if (!multiple) return tasks::parse_lengths(setting.label.substr(0, setting.label.find('K')) + "k").front();
  return int64_t{1} << std::llround(std::log2(setting.multiple() * static_cast<double>(training_length)));
}

class Builder {
 public:
  Builder(const FamilyScores& ours, const std::vector<Setting>& reference) : ours_(ours), reference_(reference) {
    table_.head = {"alignment",    "benchmark", "paper's setting",    "x trained",  "source",
                   "model",        "length",    "n a task",           "score",      "95% interval",
                   "% of trained", "95% of it", "less the paper's %", "95% of that"};
  }

  void add(const Setting& setting, bool multiple) {
    if (multiple)
      for (const auto& [model, score] : setting.models) add_paper(setting, model, score);
    for (const std::string& member : ours_.members()) add_ours(setting, member, multiple);
  }
  Table table() { return std::move(table_); }
  // Of our first member and of the paper's model, in the settings where both have a score; by alignment and benchmark.
  struct Scores {
    std::vector<double> paper, ours;
  };
  std::map<std::pair<std::string, std::string>, Scores> both;
  std::map<std::string, std::set<std::string>> missing;  // "RULER at 128k": members of which not all tasks were run there

 private:
  // The paper's score at its training length: of RULER, at the context nearest to it.
  double paper_reference(const std::string& benchmark, const std::string& model) const {
    double found = kNoScore, nearest = 0.1;  // of an octave or so
    for (const Setting& each : reference_)
      if (const double away = std::abs(std::log2(each.multiple())); each.benchmark == benchmark && away < nearest) {
        found = each.of(model);
        nearest = away;
      }
    return found;
  }

  void add_paper(const Setting& setting, const std::string& model, double score) {
    const double relative = score / paper_reference(setting.benchmark, model);
    const bool trained_so = model == kSala;  // of the others the training length is not known here
    table_.rows.push_back({text("paper"), text(setting.benchmark), text(setting.label),
                           trained_so ? number(setting.multiple(), 2) : Value{}, text("paper"), text(model),
                           text(setting.label), Value{}, number(score, 2), Value{},
                           trained_so ? number(100 * relative, 1) : Value{}, Value{}, Value{}, Value{}});
  }

  void add_ours(const Setting& setting, const std::string& member, bool multiple) {
    const int64_t trained = ours_.training_length(member), length = length_of(setting, multiple, trained);
    const auto here = ours_.measure(member, setting.tasks, length), there = ours_.measure(member, setting.tasks, trained);
    std::vector<Value> row = {text(multiple ? kSameMultiple : kSameLength),
                              text(setting.benchmark),
                              text(setting.label),
                              number(static_cast<double>(length) / static_cast<double>(trained), 2),
                              text("ours"),
                              text(member),
                              text(tasks::format_length(length))};
    if (!here) {
      missing[fmt::format("{} at {}", setting.benchmark, tasks::format_length(length))].insert(member);
      return;
    }
    row.push_back(
        text(here->fewest == here->most ? fmt::format("{}", here->most) : fmt::format("{}-{}", here->fewest, here->most)));
    row.push_back(number(100 * here->score, 1));
    row.push_back(range({100 * here->interval.low, 100 * here->interval.high}));
    add_relative(here, there, length == trained, row);
    if (multiple && there && there->score > 0) add_difference(setting, member, here, there, length == trained, row);
    row.resize(table_.head.size());
    table_.rows.push_back(row);
    const double paper = setting.of(kSala);
    if (member == ours_.members().front() && !std::isnan(paper)) {
      Scores& scores = both[{multiple ? kSameMultiple : kSameLength, setting.benchmark}];
      scores.paper.push_back(paper);
      scores.ours.push_back(here->score);
    }
  }

  // Nothing where the score at the training length is not known, or 0.
  static void add_relative(const std::optional<Measure>& here, const std::optional<Measure>& there, bool same,
                           std::vector<Value>& row) {
    if (!there || there->score <= 0) return;
    const auto interval = ratio_interval(here->score, here->interval, there->score, there->interval);
    row.push_back(number(100 * here->score / there->score, 1));
    row.push_back(interval && !same ? range({100 * interval->low, 100 * interval->high}) : Value{});
  }

  // Of the shares that are left at one multiple of the training length, ours less the paper's. At the same length the two
  // extrapolate differently far, so that their difference would say nothing.
  void add_difference(const Setting& setting, const std::string& member, const std::optional<Measure>& here,
                      const std::optional<Measure>& there, bool same, std::vector<Value>& row) const {
    const double paper = setting.of(kSala) / paper_reference(setting.benchmark, kSala);
    if (member != ours_.members().front() || std::isnan(paper) || same) return;
    const auto interval = ratio_interval(here->score, here->interval, there->score, there->interval);
    row.push_back(number(100 * (here->score / there->score - paper), 1));
    row.push_back(interval ? range({100 * (interval->low - paper), 100 * (interval->high - paper)}) : Value{});
  }

  const FamilyScores& ours_;
  const std::vector<Setting>& reference_;
  Table table_;
};

// Settings of several benchmarks are not ranked together: their scores have other scales.
std::string rank_sentence(const Builder& builder, const std::string& member) {
  std::vector<std::string> known;
  for (const auto& [place, scores] : builder.both)
    if (const double tau = rank_agreement(scores.paper, scores.ours); !std::isnan(tau))
      known.push_back(fmt::format("{}, {}: {:.2f} of {} settings", place.second, place.first, tau, scores.ours.size()));
  if (known.empty()) return "Rank agreement: unknown, no benchmark has two settings of one alignment that both have.";
  return fmt::format(
      "Rank agreement of {} with {} (Kendall's tau-b, 1: the same order; of fewer than five settings none can be told from "
      "chance): {}.",
      member, kSala, fmt::join(known, "; "));
}

}  // namespace

PaperTable paper_scores(const CsvTable& paper, const CsvTable& reference, const FamilyScores& ours) {
  const std::vector<Setting> settings = settings_of(paper), at_training = settings_of(reference);
  Builder builder(ours, at_training);
  for (const bool multiple : {true, false})
    for (const Setting& setting : settings) builder.add(setting, multiple);
  PaperTable made;
  made.table = builder.table();
  made.sentences = {
      fmt::format(
          "Source `paper`: published by MiniCPM-SALA (arXiv 2602.11761), percent; samples and intervals are not published. "
          "Source `ours`: small members trained on {} tokens; 95% intervals of samples (Wilson's, joined over tasks by "
          "MOVER), one training of each member.",
          ours.training_length(ours.members().front())),
      "Same multiple: ours at the multiple of the training length nearest to the paper's, whose longest training is 520K "
      "tokens. "
      "It compares how much of a score survives extrapolation; tasks of ours are shorter, so levels cannot be compared.",
      "Same length: ours at the paper's length, many times the length that ours were trained to. It says how far a small "
      "model "
      "reaches, not how good either is.",
      fmt::format(
          "% of trained: of the model's own score at its training length (RULER at 512K is the paper's). less the paper's "
          "%: "
          "that share of ours less that of {} at the same multiple, in points; the paper's counts as exact. It says which "
          "keeps more of its own score, not which scores more. Rows of the same length have none: ours are then at {:.0f} "
          "times the paper's multiple.",
          kSala, 1000 * kPaperTrainingK / static_cast<double>(ours.training_length(ours.members().front())))};
  made.sentences.push_back(rank_sentence(builder, ours.members().front()));
  std::vector<std::string> missing;
  for (const auto& [place, members] : builder.missing)
    missing.push_back(fmt::format("{} ({} of {} members)", place, members.size(), ours.members().size()));
  if (!missing.empty())
    made.sentences.push_back(fmt::format("Not there, since not all of their tasks were run: {}.", fmt::join(missing, ", ")));
  return made;
}

PaperTable paper_as_published(const CsvTable& paper, int number) {
  PaperTable made;
  made.table.head = paper.columns;
  for (const auto& row : paper.rows) {
    std::vector<Value>& values = made.table.rows.emplace_back();
    for (const std::string& field : row) values.push_back(field.empty() ? Value{} : text(field));
  }
  if (number == 1)
    made.sentences = {
        "Published by MiniCPM-SALA (arXiv 2602.11761, table 1): how the 9B model was trained. Nothing here is ours.",
        "Not simulated: 1,956 billion tokens. Members of the family are trained on this project's own tasks, on some "
        "hundred "
        "million tokens (docs/training.md)."};
  else
    made.sentences = {
        "Published by MiniCPM-SALA (arXiv 2602.11761, table 2): knowledge, code, mathematics and instructions. Nothing here "
        "is ours.",
        "Not simulated: these need a model that was trained on language; members of the family know this project's tasks "
        "alone. The "
        "released checkpoint answers such benchmarks through other harnesses, and `sala_eval score` reads what they write "
        "for RULER, "
        "NoLiMa and MRCR."};
  return made;
}

}  // namespace sala::eval
