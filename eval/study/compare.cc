#include "eval/study/compare.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>

#include "eval/study/statistics.h"
#include "eval/util/columns.h"
#include "sala/core/error.h"
#include "sala/tasks/task.h"

namespace sala::eval {
namespace {

// The samples that all trainings of both sides have, of one task and length. [training][sample]
struct Shared {
  std::vector<std::vector<double>> a, b;
  int64_t count() const { return static_cast<int64_t>(a[0].size()); }
};

// Divided once, so that equal scores of any number of trainings have exactly that score as their mean.
std::vector<double> means(const std::vector<std::vector<double>>& trainings) {
  std::vector<double> of(trainings[0].size(), 0.0);
  for (const std::vector<double>& scores : trainings)
    for (std::size_t i = 0; i < of.size(); ++i) of[i] += scores[i];
  for (double& sum : of) sum /= static_cast<double>(trainings.size());
  return of;
}

double mean_score(const std::vector<double>& values) {
  double sum = 0;
  for (const double value : values) sum += value;
  return sum / static_cast<double>(values.size());
}

struct Count {
  int64_t better = 0, worse = 0;
};

Count count_of(const std::vector<double>& a, const std::vector<double>& b) {
  Count count;
  for (std::size_t i = 0; i < a.size(); ++i) (a[i] > b[i] ? count.better : count.worse) += a[i] != b[i] ? 1 : 0;
  return count;
}

Value percent(double share) { return number(100 * share, 1); }
Value points(const Interval& interval) { return range({100 * interval.low, 100 * interval.high}); }

std::string names(const Side& side) {
  std::vector<std::string> list;
  for (const ScoredAnswers& each : side) list.push_back(each.name);
  return fmt::format("{}", fmt::join(list, ", "));
}

using Cells = std::map<int64_t, std::map<std::string, Shared>>;  // by length and task

Cells shared_cells(const Side& a, const Side& b, const std::vector<std::string>& tasks, int64_t& alone) {
  Cells cells;
  for (const auto& [key, first] : a[0].scores) {
    if (!tasks.empty() && std::find(tasks.begin(), tasks.end(), key.task) == tasks.end()) continue;
    const auto everywhere = [&key = key](const Side& side) {
      return std::all_of(side.begin(), side.end(), [&](const ScoredAnswers& each) { return each.scores.count(key) > 0; });
    };
    if (!everywhere(a) || !everywhere(b)) {
      ++alone;
      continue;
    }
    Shared& shared = cells[key.length][key.task];
    shared.a.resize(a.size());
    shared.b.resize(b.size());
    for (std::size_t i = 0; i < a.size(); ++i) shared.a[i].push_back(a[i].scores.at(key));
    for (std::size_t i = 0; i < b.size(); ++i) shared.b[i].push_back(b[i].scores.at(key));
  }
  for (const auto& [key, score] : b[0].scores) {
    const bool wanted = tasks.empty() || std::find(tasks.begin(), tasks.end(), key.task) != tasks.end();
    alone += wanted && a[0].scores.count(key) == 0 ? 1 : 0;
  }
  return cells;
}

std::string mean_label(std::size_t tasks) { return fmt::format("mean of {}", counted(static_cast<int64_t>(tasks), "task")); }

// The trainings of one task, as the bootstrap wants them.
Trainings one_task(const std::vector<std::vector<double>>& trainings) {
  Trainings wrapped;
  for (const std::vector<double>& scores : trainings) wrapped.push_back({scores});
  return wrapped;
}

// The mean over the tasks of one length.
std::vector<Value> mean_row(const std::map<std::string, Shared>& tasks, int64_t length) {
  std::vector<double> differences, scores_a, scores_b;
  std::vector<Interval> intervals;
  Trainings of_a(tasks.begin()->second.a.size()), of_b(tasks.begin()->second.b.size());
  Count count;
  int64_t samples = 0;
  for (const auto& [task, shared] : tasks) {
    const std::vector<double> a = means(shared.a), b = means(shared.b);
    scores_a.push_back(mean_score(a));
    scores_b.push_back(mean_score(b));
    differences.push_back(scores_a.back() - scores_b.back());
    intervals.push_back(paired_interval(a, b));
    for (std::size_t i = 0; i < of_a.size(); ++i) of_a[i].push_back(shared.a[i]);
    for (std::size_t i = 0; i < of_b.size(); ++i) of_b[i].push_back(shared.b[i]);
    const Count of_task = count_of(a, b);
    count.better += of_task.better;
    count.worse += of_task.worse;
    samples += shared.count();
  }
  const auto bootstrap = hierarchical_bootstrap(of_a, of_b);
  return {text(mean_label(tasks.size())),
          tokens(length),
          large(samples),
          percent(mean_score(scores_a)),
          percent(mean_score(scores_b)),
          percent(mean_score(differences)),
          points(mean_difference_interval(differences, intervals)),
          bootstrap ? points(*bootstrap) : Value{},
          large(count.better),
          large(count.worse),
          number(sign_test(count.better, count.worse), 4)};
}

}  // namespace

Comparison compare(const Side& a, const Side& b, const std::vector<std::string>& tasks) {
  int64_t alone = 0;
  const Cells cells = shared_cells(a, b, tasks, alone);
  if (cells.empty())
    throw Error(ErrorCode::kUsage, "{} and {} share no sample: a pair needs the same task, length and sample", names(a),
                names(b));
  Comparison made;
  made.table.head = {"task",         "length",        "n",      "A",     "B",          "A - B",
                     "95% interval", "bootstrap 95%", "better", "worse", "sign test p"};
  for (const auto& [length, of_length] : cells) {
    for (const auto& [task, shared] : of_length) {
      const std::vector<double> of_a = means(shared.a), of_b = means(shared.b);
      const Count count = count_of(of_a, of_b);
      made.table.rows.push_back({text(task), tokens(length), large(shared.count()), percent(mean_score(of_a)),
                                 percent(mean_score(of_b)), percent(mean_score(of_a) - mean_score(of_b)),
                                 points(paired_interval(of_a, of_b)), Value{}, large(count.better), large(count.worse),
                                 number(sign_test(count.better, count.worse), 4)});
    }
    if (of_length.size() > 1) made.table.rows.push_back(mean_row(of_length, length));
  }
  made.sentences = {
      fmt::format("A is {}, B is {}. Scores and differences in percent, of the samples that both answered.", names(a),
                  names(b)),
      "95% interval: Newcombe's for paired samples (of Wilson's), joined over tasks by MOVER; it stays open where no sample "
      "differs. Bootstrap: trainings, then samples within tasks; tasks are fixed, and one whose samples all say the same is "
      "drawn from "
      "its interval.",
      "better, worse: samples on which A scored more, or less, than B. Sign test: two-sided, exact; one test a row, so of "
      "many "
      "rows some are below 0.05 by chance."};
  if (a.size() == 1 && b.size() == 1)
    made.sentences.emplace_back(
        "One training a side: the intervals are those of samples, and a difference may be one between trainings.");
  if (alone > 0) made.sentences.push_back(fmt::format("Left out: {} that not all have.", counted(alone, "sample")));
  return made;
}

Comparison summarise(const Side& side, const std::vector<std::string>& tasks) {
  int64_t alone = 0;
  const Cells cells = shared_cells(side, side, tasks, alone);
  if (cells.empty())
    throw Error(ErrorCode::kUsage, "{} have no sample in common: a mean is one of the same samples", names(side));
  Comparison made;
  made.table.head = {"task", "length", "n", "score", "95% interval", "bootstrap 95%"};
  for (const auto& [length, of_length] : cells) {
    std::vector<double> scores;
    std::vector<Interval> intervals;
    Trainings trainings(side.size());
    int64_t samples = 0;
    for (const auto& [task, shared] : of_length) {
      scores.push_back(mean_score(means(shared.a)));
      intervals.push_back(wilson_interval(scores.back(), shared.count()));
      const auto bootstrap = hierarchical_bootstrap(one_task(shared.a), {});
      made.table.rows.push_back({text(task), tokens(length), large(shared.count()), percent(scores.back()),
                                 points(intervals.back()), bootstrap ? points(*bootstrap) : Value{}});
      for (std::size_t i = 0; i < trainings.size(); ++i) trainings[i].push_back(shared.a[i]);
      samples += shared.count();
    }
    if (of_length.size() < 2) continue;
    const auto bootstrap = hierarchical_bootstrap(trainings, {});
    made.table.rows.push_back({text(mean_label(of_length.size())), tokens(length), large(samples),
                               percent(mean_score(scores)), points(mean_interval(scores, intervals)),
                               bootstrap ? points(*bootstrap) : Value{}});
  }
  made.sentences = {fmt::format("Scores of {} in percent, of the samples that all of its trainings answered.", names(side)),
                    "95% interval: Wilson's for the samples, joined over tasks by MOVER; the trainings count as one. "
                    "Bootstrap: trainings, then samples within tasks; tasks are fixed, and one whose samples all say the "
                    "same is drawn from its interval."};
  if (alone > 0) made.sentences.push_back(fmt::format("Left out: {} that not all have.", counted(alone, "sample")));
  return made;
}

}  // namespace sala::eval
