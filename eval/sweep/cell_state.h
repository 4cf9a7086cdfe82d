// What is there of a cell.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "eval/spec/record.h"
#include "eval/sweep/cell.h"

namespace sala::eval {

enum class CellStatus { kDone, kPartial, kPending, kRefused, kFailed, kDamaged };
// Of the provenance in summary.json.
inline constexpr std::array kPlanned = {"expected_prefill_seconds", "planned_bytes", "peak_bytes"};
const char* status_name(CellStatus status);  // "done"

struct CellState {
  CellStatus status = CellStatus::kPending;
  std::string error;                  // the sentence of refused, failed and damaged
  std::vector<SampleRecord> records;  // of the samples that the cell asks for, by index
  std::vector<int64_t> others;        // indexes that are there besides
  Columns planned;                    // what its last run expected and took: kPlanned, as texts
};

// Reads `folder`, the run of the cell, and `error_file`, which says how its last process failed. Damage is a state, no
// exception. Nothing is changed.
CellState read_state(const SweepCell& cell, const std::string& folder, const std::string& error_file);

// Whether a failed cell may end otherwise when it runs again as it is.
bool may_pass(const CellState& state);

}  // namespace sala::eval
