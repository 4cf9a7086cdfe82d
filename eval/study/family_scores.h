// Scores of a family's members from tables of cells: a sweep's cells.csv, or those of results/family.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "eval/spec/cell_result.h"
#include "eval/util/csv.h"

namespace sala::eval {

// Mean over tasks at one length, with MOVER of the tasks' Wilson intervals.
struct Measure {
  double score = 0;  // share of 1, as the interval
  Interval interval;
  int64_t fewest = 0, most = 0;  // samples a task
};

class FamilyScores {
 public:
  // `family`: "tiny" for sala-tiny, dense-tiny, ...; later tables win where they have more samples of a cell. In one table
  // rows of one cell with other seeds of samples are added up; other differences (numerics, versions) are refused. Rows with
  // other switches than YaRN, another selection, or other seeds of training are passed over. Throws Error{kFormat}, and
  // Error{kUsage} for two rows that are not told apart, and when nothing is left.
  FamilyScores(const std::vector<CsvTable>& tables, const std::string& family);

  // Members in the order of the paper's question: sala, dense, linear, full, then full with YaRN, as "full-tiny, YaRN 4".
  const std::vector<std::string>& members() const { return members_; }
  int64_t training_length(const std::string& member) const { return training_length_.at(member); }
  // None unless every task is there.
  std::optional<Measure> measure(const std::string& member, const std::vector<std::string>& tasks, int64_t length) const;

 private:
  struct Cell {
    int64_t n = 0;
    double score = 0;
    Interval interval;
    std::set<std::string> seeds;  // of the samples; empty where the table does not say
    std::string made_by;          // numerics and versions, as the table says
  };
  using Cells = std::map<std::tuple<std::string, std::string, int64_t>, Cell>;  // member, task, length
  void read(const CsvTable& table, const std::string& family);

  std::vector<std::string> members_;
  std::map<std::string, int64_t> training_length_;
  Cells cells_;
};

}  // namespace sala::eval
