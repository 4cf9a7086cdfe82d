#include "eval/sweep/cell_state.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "eval/spec/plan.h"
#include "eval/spec/plan_file.h"
#include "eval/store/directory.h"
#include "eval/util/files.h"
#include "eval/util/json_fields.h"
#include "sala/core/error.h"
#include "sim/text/json.h"
#include "sim/text/printable.h"

namespace sala::eval {
namespace {

constexpr int64_t kMostErrorBytes = 1 << 16;
constexpr std::size_t kMostSentence = 1000;

// The samples of the run in `folder`, by index. Throws Error{kFormat} for what is no run of this cell.
std::map<int64_t, SampleRecord> read_run(const SweepCell& cell, const std::string& folder) {
  std::map<int64_t, SampleRecord> records;
  const std::string journal = folder + "/" + kJournalFile;
  if (!file_exists(journal)) return records;
  const std::string text = read_file(journal);
  if (text.empty()) return records;  // a kill may have left it without a plan
  if (cell_name(read_plan_file(folder + "/" + kPlanFile).plan) != cell.name)
    throw Error(ErrorCode::kFormat, "{} is the plan of another run", folder + "/" + kPlanFile);
  int64_t number = 0;
  for (std::size_t begin = 0, end = 0; (end = text.find('\n', begin)) != std::string::npos; begin = end + 1) {
    ++number;  // what stands behind the last line feed was torn by a kill
    try {
      SampleRecord record = parse_line(unsealed(text.substr(begin, end - begin)));
      const int64_t index = record.index;
      if (record.task != cell.task || record.length != cell.length)
        throw Error(ErrorCode::kFormat, "sample '{}' does not belong to this run", record.id);
      if (!records.emplace(index, std::move(record)).second)
        throw Error(ErrorCode::kFormat, "sample {} stands there twice", index);
    } catch (const Error& problem) {
      throw Error(problem.code(), "{} line {}: {}", journal, number, problem.what());
    }
  }
  return records;
}

std::string read_sentence(const std::string& error_file) {
  try {
    const std::string text = read_file(error_file, kMostErrorBytes);
    return text::printable(text.substr(0, text.find('\n')), kMostSentence);
  } catch (const Error& problem) {
    return error_sentence(problem);
  }
}

// Nothing where it is not there, or is damaged: it says nothing of a result.
Columns read_planned(const std::string& path) {
  Columns columns;
  try {
    const auto json = text::parse_json(read_file(path), path);
    const auto& provenance = fields::field(fields::field(json, "sala"), "provenance");
    for (const char* name : kPlanned)
      if (provenance.contains(name)) columns.emplace_back(name, fields::text(provenance, name));
  } catch (const Error&) {
    columns.clear();
  }
  return columns;
}

}  // namespace

const char* status_name(CellStatus status) {
  switch (status) {
    case CellStatus::kDone:
      return "done";
    case CellStatus::kPartial:
      return "partial";
    case CellStatus::kPending:
      return "pending";
    case CellStatus::kRefused:
      return "refused";
    case CellStatus::kFailed:
      return "failed";
    case CellStatus::kDamaged:
      break;
  }
  return "damaged";
}

CellState read_state(const SweepCell& cell, const std::string& folder, const std::string& error_file) {
  CellState state;
  if (!cell.refusal.empty()) {
    state.status = CellStatus::kRefused;
    state.error = cell.refusal;
    return state;
  }
  try {
    for (auto& [index, record] : read_run(cell, folder)) {
      if (std::binary_search(cell.samples.begin(), cell.samples.end(), index))
        state.records.push_back(std::move(record));
      else
        state.others.push_back(index);
    }
  } catch (const Error& problem) {
    state.status = CellStatus::kDamaged;
    state.error = error_sentence(problem);
    return state;
  }
  if (!state.records.empty()) state.planned = read_planned(folder + "/summary.json");
  // `cells` goes when run.h5 is whole: a kill between the last sample and that leaves work.
  const bool written = file_exists(folder + "/run.h5") && !file_exists(folder + "/cells");
  if (state.records.size() == cell.samples.size() && written) {
    state.status = CellStatus::kDone;
  } else if (file_exists(error_file)) {
    state.status = CellStatus::kFailed;
    state.error = read_sentence(error_file);
  } else if (!state.records.empty()) {
    state.status = CellStatus::kPartial;
  }
  return state;
}

bool may_pass(const CellState& state) {
  // Kinds that come from outside; and a run that another process still writes, which has just lost its sweep.
  const std::string in_use = error_sentence(Error(ErrorCode::kUsage, "{}", kInUse));
  for (const std::string& begin :
       {std::string("[killed]"), std::string("[io]"), std::string("[memory]"), std::string("[internal]"), in_use})
    if (state.error.starts_with(begin)) return true;
  return false;
}

}  // namespace sala::eval
