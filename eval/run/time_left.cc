#include "eval/run/time_left.h"

#include <algorithm>
#include <numeric>

namespace sala::eval {
namespace {

constexpr double kSecondsBetween = 1;  // observations
constexpr double kDoubt = 0.1;         // seconds: what it weighs to expect one speed for all kinds
constexpr int kRounds = 200;           // of the descent; each kind once a round

double sum(const Work& work) { return std::accumulate(work.begin(), work.end(), 0.0); }

}  // namespace

std::vector<double> TimeLeft::shares(const Work& work) const {
  std::vector<double> shares(work.size());
  for (std::size_t i = 0; i < work.size(); ++i) shares[i] = total_[i] > 0 ? work[i] / total_[i] : 0;
  return shares;
}

void TimeLeft::skip(const Work& work) {
  for (std::size_t i = 0; i < total_.size(); ++i) total_[i] = std::max(0.0, total_[i] - work[i]);
}

void TimeLeft::observe(double seconds, Work done) {
  now_ = seconds;
  done_ = std::move(done);
  if (now_ - last_ < kSecondsBetween) return;
  const std::size_t kinds = total_.size();
  products_.resize(kinds * kinds);
  targets_.resize(kinds);
  const std::vector<double> before = shares(at_last_), after = shares(done_);
  for (std::size_t i = 0; i < kinds; ++i) {
    for (std::size_t j = 0; j < kinds; ++j) products_[i * kinds + j] += (after[i] - before[i]) * (after[j] - before[j]);
    targets_[i] += (after[i] - before[i]) * (now_ - last_);
  }
  at_last_ = done_;
  last_ = now_;
}

// Seconds that all work of each kind takes: least squares over the observations, never negative. A kind that is twice as
// slow as expected weighs as much as an observation that is kDoubt off.
std::vector<double> TimeLeft::full_seconds(double sum_done) const {
  const std::size_t kinds = total_.size();
  std::vector<double> expected(kinds);
  for (std::size_t i = 0; i < kinds; ++i) expected[i] = now_ * total_[i] / sum_done;
  std::vector<double> full = expected;
  if (products_.empty()) return full;
  for (int round = 0; round < kRounds; ++round)
    for (std::size_t i = 0; i < kinds; ++i) {
      if (expected[i] <= 0) continue;
      const double weight = kDoubt * kDoubt / (expected[i] * expected[i]);
      double target = targets_[i] + weight * expected[i];
      for (std::size_t j = 0; j < kinds; ++j)
        if (j != i) target -= products_[i * kinds + j] * full[j];
      full[i] = std::max(0.0, target / (products_[i * kinds + i] + weight));
    }
  return full;
}

std::optional<double> TimeLeft::seconds() const {
  const double sum_done = sum(done_), sum_total = sum(total_);
  if (sum_total <= 0 || sum_done >= sum_total) return 0;
  if (sum_done <= 0 || now_ < kSecondsBetween) return std::nullopt;
  const std::vector<double> full = full_seconds(sum_done), share = shares(done_);
  double done = 0, left = 0;
  for (std::size_t i = 0; i < full.size(); ++i) {
    done += full[i] * share[i];
    left += full[i] * std::max(0.0, 1 - share[i]);
  }
  // All that was done took all the time that passed, reading and making samples included.
  return done > 0 ? now_ * left / done : now_ * (sum_total - sum_done) / sum_done;
}

}  // namespace sala::eval
