// The paper's tables beside a family's scores. Whose a number is, stands in every row.
#pragma once

#include <string>
#include <vector>

#include "eval/report/table.h"
#include "eval/study/family_scores.h"
#include "eval/util/csv.h"

namespace sala::eval {

struct PaperTable {
  Table table;
  std::vector<std::string> sentences;  // what it can say, and what not
};

// The longest training of the paper's model, in its own unit: 520K tokens (table 1, stage 4).
inline constexpr double kPaperTrainingK = 520;

// Tables 3 and 4 in two alignments: the same multiple of the training length, and the same length. `paper`: configs/paper/
// table3.csv or table4.csv; `reference`: table4.csv, which has the score at the paper's training length.
PaperTable paper_scores(const CsvTable& paper, const CsvTable& reference, const FamilyScores& ours);

// Tables 1 and 2 as published, and why they are not simulated. `number`: 1 or 2.
PaperTable paper_as_published(const CsvTable& paper, int number);

}  // namespace sala::eval
