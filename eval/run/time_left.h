// How long the rest of a run takes.
#pragma once

#include <optional>
#include <utility>
#include <vector>

namespace sala::eval {

// Amounts of each kind of work: block scores, attention, projections, ... in operations.
using Work = std::vector<double>;

// Each kind is done at a speed of its own, which is learned from what was done: kinds that grow with the square of a length
// are a small part of its beginning. Speeds start as one for all kinds.
class TimeLeft {
 public:
  // `total`: all that there is to do.
  explicit TimeLeft(Work total) : total_(std::move(total)), at_last_(total_.size()), done_(total_.size()) {}

  void skip(const Work& work);  // a part of the total that was done before; before the first observe()
  // `done` of the total after `seconds`; both only grow.
  void observe(double seconds, Work done);
  // After the last observe(); nothing in the first second and while nothing is done.
  std::optional<double> seconds() const;

 private:
  std::vector<double> shares(const Work& work) const;  // of the total, one a kind
  std::vector<double> full_seconds(double sum_done) const;

  Work total_, at_last_, done_;
  double last_ = 0, now_ = 0;
  // Sums over the observations for least squares: seconds passed as a sum of shares done, times what a kind takes in all.
  std::vector<double> products_, targets_;
};

}  // namespace sala::eval
