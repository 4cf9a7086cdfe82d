// A statistic: one file that watches the model while a sample is answered and says what it saw.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "eval/observe/array.h"
#include "sala/model/tap.h"

namespace sala::eval {

// What is known of the sample that is being answered.
struct Watch {
  std::vector<std::pair<int64_t, int64_t>> evidence;  // positions [begin, end), BOS counted, in the sample's order
  int64_t prompt_tokens = 0;                          // BOS counted
  int64_t layers = 0;                                 // of the model

  // The queries that make the answer: the last token of the prompt and every generated one that is fed back.
  bool probed(int64_t position) const { return position >= prompt_tokens - 1; }
};

// A summary of one sample, for journal and tables: {"recall", 0.5}.
using Figure = std::pair<std::string, double>;

struct Findings {
  SampleArrays arrays;          // all below the group that is called as the statistic
  std::vector<Figure> figures;  // those that exist for this sample
};

// Says which sites it reads and at which positions (Observer), and what it made of them. When several statistics read one
// site, a tap may hold rows that this one did not ask for.
class Statistic : public Observer {
 public:
  // After the answer; once.
  virtual Findings take() = 0;
};

// How reports show a figure: its mean over the samples of a cell is a column of every table.
struct FigureKind {
  std::string name;     // head of the column
  std::string key;      // in summary.json
  std::string meaning;  // said below the table, behind "NAME: "
};

struct StatisticKind {
  std::string name;  // of its group in run.h5
  std::string description;
  std::unique_ptr<Statistic> (*make)(const Watch&) = nullptr;
  std::vector<FigureKind> figures = {};  // all that it may find
};

// The registry (registry.cc), in the order of the files.
const std::vector<StatisticKind>& statistics();
// Adds one from outside the tree; before any sample runs. Throws Error{kConfig} when the name is taken or no word.
void register_statistic(const StatisticKind& kind);

// For statistics of the probed queries. `positions`: those that each layer saw. Adds `group`/probe_position and returns its
// axis. Throws Error{kInternal} when layers saw different queries.
Axis probe_axis(const std::string& group, const std::map<int, std::vector<int64_t>>& positions, SampleArrays& into);

// All registered statistics as one observer of one sample.
class SampleObserver final : public Observer {
 public:
  explicit SampleObserver(const Watch& watch);
  std::vector<std::string> sites() const override;
  bool wants(std::string_view site, int layer, int64_t position) const override;
  void on_tap(const Tap& tap) override;
  // Everything that they found. Throws Error{kInternal} naming a statistic that writes outside its group or finds a figure
  // that its kind does not name, and what check_arrays refuses.
  Findings take();

 private:
  struct Member {
    std::string name;
    std::vector<FigureKind> figures;
    std::unique_ptr<Statistic> statistic;
    std::vector<std::string> sites;
    bool reads(std::string_view site) const;
  };
  std::vector<Member> members_;
};

}  // namespace sala::eval
