#include "eval/store/directory.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <optional>

#include "eval/spec/plan_file.h"
#include "eval/store/h5.h"
#include "sala/core/error.h"
#include "sala/core/rng.h"

namespace sala::eval {
namespace {

constexpr const char* kSideFile = "samples.arrays";

bool holds_a_run(const std::string& path) {
  for (const char* name : {kPlanFile, kJournalFile, kSideFile, "run.h5"})
    if (file_exists(path + "/" + name)) return true;
  return false;
}

// What is written and removed while a run goes on is the run's own, because none of it was there when it was begun.
void check_names_are_free(const std::string& path) {
  for (const char* name : {kPlanFile, kJournalFile, kSideFile, "run.h5", "summary.json", "summary.md", "cells"})
    for (const std::string& made : {std::string(name), fresh_name(name)})
      if (std::filesystem::symlink_status(path + "/" + made).type() != std::filesystem::file_type::not_found)
        throw Error(ErrorCode::kUsage, "{} already holds {}, which a run would replace; choose another --out", path, made);
}

Error holds_a_run_already(const std::string& path) {
  return Error(ErrorCode::kUsage, "{} already holds a run; go on with it by --resume, or choose another --out", path);
}

// Samples in a run.h5; empty when it cannot be read.
std::optional<int64_t> samples_in(const std::string& path) {
  try {
    const h5::File file = h5::File::load(path);
    int64_t samples = 0;
    if (!file.has("cells")) return samples;
    const h5::Group cells = file.open("cells");
    for (const std::string& task : cells.children())
      for (const std::string& length : cells.open(task).children())
        samples += cells.open(task + "/" + length).integer("samples");
    return samples;
  } catch (const Error&) {
    return std::nullopt;
  }
}

}  // namespace

RunDirectory::RunDirectory(const std::string& path, const std::string& started) : path_(path), started_(started) {}

void RunDirectory::lock() {
  make_folders(path_);
  journal_ = AppendFile(file(kJournalFile));
  const AppendFile::Lock lock = journal_.try_lock();
  if (lock == AppendFile::Lock::kHeldElsewhere)
    throw Error(ErrorCode::kUsage, "{} {}; wait for it or choose another --out", kInUse, path_);
  if (lock == AppendFile::Lock::kImpossible)
    notes_.push_back(
        fmt::format("{} is on a file system without locks: nothing keeps a second run from writing to it", path_));
  side_file_ = AppendFile(file(kSideFile));
}

RunDirectory RunDirectory::begin(const std::string& path, const RunPlan& plan, const std::string& started) {
  if (holds_a_run(path)) throw holds_a_run_already(path);
  check_names_are_free(path);
  RunDirectory directory(path, started);
  directory.lock();
  // Another process may have begun one, and ended, before this one had the lock.
  if (file_exists(directory.file(kPlanFile)) || directory.journal_.size() > 0) throw holds_a_run_already(path);
  write_plan_file(directory.file(kPlanFile), {started, plan.to_json()});
  return directory;
}

RunDirectory RunDirectory::resume(const std::string& path, const RunPlan& plan, const std::string& started) {
  if (!holds_a_run(path)) {
    RunDirectory fresh = begin(path, plan, started);
    fresh.notes_.push_back(fmt::format("{} holds no run yet: this one begins", path));
    return fresh;
  }
  RunDirectory directory(path, started);
  directory.lock();
  if (!file_exists(directory.file(kPlanFile))) {
    // A kill between the first two steps of begin() leaves empty files.
    if (file_exists(directory.file("run.h5")) || directory.journal_.size() > 0 || directory.side_file_.size() > 0)
      throw Error(ErrorCode::kFormat, "{} has results but no {}, so nothing says what they are; choose another --out", path,
                  kPlanFile);
    write_plan_file(directory.file(kPlanFile), {started, plan.to_json()});
    return directory;
  }
  directory.go_on(plan);
  return directory;
}

RunDirectory RunDirectory::read(const std::string& path, const RunPlan& plan) {
  RunDirectory directory(path, "");
  directory.side_file_ = AppendFile::to_read(directory.file(kSideFile));
  directory.read_journal(plan);
  return directory;
}

void RunDirectory::go_on(const RunPlan& plan) {
  SavedPlan saved;
  try {
    saved = read_plan_file(file(kPlanFile));
  } catch (const Error& problem) {
    throw Error(problem.code(), "{}; choose another --out", problem.what());
  }
  const nlohmann::ordered_json wanted = plan.to_json();
  check_goes_on(wanted, saved.plan, path_);
  started_ = saved.started;
  const Whole whole = read_journal(plan);
  check_not_lost();
  if (whole.journal_bytes < journal_.size()) journal_.truncate(whole.journal_bytes);
  if (whole.side_bytes < side_file_.size()) side_file_.truncate(whole.side_bytes);  // arrays whose line was never written
  if (wanted == saved.plan) return;
  // Before the first sample that only the larger plan has: what the journal holds always belongs to the plan that is there.
  write_plan_file(file(kPlanFile), {started_, wanted});
  if (const int64_t before = planned_samples(saved.plan); before != plan.sample_count())
    notes_.push_back(fmt::format("the run in {} grows from {} to {} samples", path_, before, plan.sample_count()));
  if (wanted.at("numerics") != saved.plan.at("numerics"))
    notes_.push_back(fmt::format("the run in {} goes on in another numerics class: {}", path_, plan.numerics_text()));
}

// What the checksum of a line cannot tell: that the line is one of this run.
void RunDirectory::check(const SampleRecord& record, const RunPlan& plan) const {
  const auto cell = std::find_if(plan.cells.begin(), plan.cells.end(), [&](const Cell& each) {
    return each.task->name() == record.task && each.length == record.length;
  });
  if (cell == plan.cells.end() || !std::binary_search(cell->samples.begin(), cell->samples.end(), record.index) ||
      record.id != tasks::sample_id(*cell->task, plan.request(*cell, record.index)))
    throw Error(ErrorCode::kFormat, "sample '{}' does not belong to this run", record.id);
  if (find(*cell, record.index) != nullptr) throw Error(ErrorCode::kFormat, "sample '{}' stands there twice", record.id);
  for (const int32_t id : record.answer_ids)
    if (id >= plan.model.vocab_size)
      throw Error(ErrorCode::kFormat, "field 'answer_ids' holds {}, the model knows {} ids", id, plan.model.vocab_size);
  for (const double seconds : {record.timing.make_seconds, record.timing.prefill_seconds, record.timing.decode_seconds})
    if (!std::isfinite(seconds) || seconds < 0)
      throw Error(ErrorCode::kFormat, "field 'timing' holds {}, expected seconds", seconds);
  arrays(record);  // damage is found now, not after hours of running
}

// A journal without a sample beside a run.h5 that has some was lost: to begin again would replace what is left of it.
void RunDirectory::check_not_lost() const {
  const std::string results = file("run.h5");
  if (!records_.empty() || !file_exists(results)) return;
  const std::optional<int64_t> samples = samples_in(results);
  if (samples != 0)
    throw Error(ErrorCode::kFormat,
                "{} holds no sample, but {} {}: the journal was lost; bring it back, choose another --out, or remove run.h5 "
                "to run all samples again",
                file(kJournalFile), results, samples ? fmt::format("has {}", *samples) : "is there and cannot be read");
}

RunDirectory::Whole RunDirectory::read_journal(const RunPlan& plan) {
  const std::string text = read_file(file(kJournalFile));
  Whole whole;
  int64_t number = 0;
  for (std::size_t begin = 0; begin < text.size();) {
    ++number;
    const std::size_t end = text.find('\n', begin);
    if (end == std::string::npos) {  // a kill leaves a beginning of a line
      notes_.push_back(
          fmt::format("the last line of {} was not written to its end: its sample runs again", file(kJournalFile)));
      break;
    }
    try {
      SampleRecord record = parse_line(unsealed(text.substr(begin, end - begin)));
      check(record, plan);
      if (record.arrays) whole.side_bytes = std::max(whole.side_bytes, record.arrays->offset + record.arrays->bytes);
      add(std::move(record));
    } catch (const Error& problem) {
      throw Error(ErrorCode::kFormat, "{} line {}: {}; remove the line to run its sample again", file(kJournalFile), number,
                  problem.what());
    }
    begin = end + 1;
  }
  whole.journal_bytes = static_cast<int64_t>(text.rfind('\n') + 1);  // none: 0
  return whole;
}

const SampleRecord* RunDirectory::find(const Cell& cell, int64_t index) const {
  const auto done = done_.find({std::string(cell.task->name()), cell.length});
  if (done == done_.end()) return nullptr;
  const auto found = done->second.find(index);
  return found == done->second.end() ? nullptr : &records_[found->second];
}

std::vector<const SampleRecord*> RunDirectory::records_of(const Cell& cell) const {
  std::vector<const SampleRecord*> records;
  if (const auto found = done_.find({std::string(cell.task->name()), cell.length}); found != done_.end())
    for (const auto& [index, place] : found->second) records.push_back(&records_[place]);
  return records;
}

void RunDirectory::add(SampleRecord record) {
  done_[{record.task, record.length}].emplace(record.index, records_.size());
  records_.push_back(std::move(record));
}

void RunDirectory::write(SampleRecord& record, const SampleArrays& arrays) {
  const std::string bytes = arrays.empty() ? "" : array_bytes(arrays);
  const std::lock_guard lock(*writing_);
  if (!bytes.empty()) {
    record.arrays = ArraysRef{side_file_.size(), static_cast<int64_t>(bytes.size()), hash_hex(stable_hash(bytes))};
    side_file_.append(bytes);  // first: a line promises that its arrays are there
  }
  journal_.append(sealed(to_line(record)) + "\n");
}

SampleArrays RunDirectory::arrays(const SampleRecord& record) const {
  if (!record.arrays) return {};
  const std::string bytes = [&] {
    const std::lock_guard lock(*writing_);
    return side_file_.read(record.arrays->offset, record.arrays->bytes);
  }();
  if (hash_hex(stable_hash(bytes)) != record.arrays->hash)
    throw Error(ErrorCode::kFormat, "{}: the arrays of '{}' are damaged", file(kSideFile), record.id);
  return parse_arrays(bytes);
}

}  // namespace sala::eval
