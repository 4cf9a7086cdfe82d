#include "eval/store/directory.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>

#include "eval/store/h5.h"
#include "sala/core/error.h"
#include "sala/core/rng.h"
#include "sim/text/json.h"

namespace sala::eval {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kPlanFile = "run.json";
constexpr const char* kJournalFile = "samples.jsonl";
constexpr const char* kSideFile = "samples.arrays";

bool holds_a_run(const std::string& path) {
  for (const char* name : {kPlanFile, kJournalFile, kSideFile, "run.h5"})
    if (file_exists(path + "/" + name)) return true;
  return false;
}

bool holds_nothing(const std::string& path) { return !file_exists(path) || read_file(path).empty(); }

std::string plan_check(const std::string& started, const Json& plan) {
  return hash_hex(stable_hash(started + text::write_json(plan)));
}

Json read_plan_file(const std::string& path) {
  Json json;
  const auto problem = text::read_json(read_file(path), json);
  if (problem || !json.is_object() || !json.contains("plan") || !json.contains("started") || !json["started"].is_string())
    throw Error(ErrorCode::kFormat, "{} is damaged: it is not the plan of a run; choose another --out", path);
  const Json& plan = json["plan"];
  const std::string schema = plan.is_object() ? text::write_json(plan.value("schema", Json())) : "absent";
  if (schema != text::write_json(Json(kRunSchema)))
    throw Error(ErrorCode::kUnsupported, "{}: the schema is {}, this build continues runs of \"{}\"", path, schema,
                kRunSchema);
  const std::string started = json["started"].get<std::string>();
  if (json.value("check", Json()) != Json(plan_check(started, plan)))
    throw Error(ErrorCode::kFormat, "{} is damaged: its checksum does not fit; choose another --out", path);
  return json;
}

void write_plan_file(const std::string& path, const std::string& started, const Json& plan) {
  write_atomically(
      path, text::write_json(Json({{"started", started}, {"plan", plan}, {"check", plan_check(started, plan)}}), 1) + "\n");
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
    throw Error(ErrorCode::kUsage, "another process is writing to {}; wait for it or choose another --out", path_);
  if (lock == AppendFile::Lock::kImpossible)
    notes_.push_back(
        fmt::format("{} is on a file system without locks: nothing keeps a second run from writing to it", path_));
  side_file_ = AppendFile(file(kSideFile));
}

RunDirectory RunDirectory::begin(const std::string& path, const RunPlan& plan, const std::string& started) {
  if (holds_a_run(path))
    throw Error(ErrorCode::kUsage, "{} already holds a run; go on with it by --resume, or choose another --out", path);
  RunDirectory directory(path, started);
  directory.lock();
  write_plan_file(directory.file(kPlanFile), started, plan.to_json());
  return directory;
}

RunDirectory RunDirectory::resume(const std::string& path, const RunPlan& plan, const std::string& started) {
  if (!holds_a_run(path)) {
    RunDirectory fresh = begin(path, plan, started);
    fresh.notes_.push_back(fmt::format("{} holds no run yet: this one begins", path));
    return fresh;
  }
  if (!file_exists(path + "/" + kPlanFile)) {
    // A kill between the first two steps of begin() leaves empty files.
    if (!file_exists(path + "/run.h5") && holds_nothing(path + "/" + kJournalFile) &&
        holds_nothing(path + "/" + kSideFile)) {
      RunDirectory fresh(path, started);
      fresh.lock();
      write_plan_file(fresh.file(kPlanFile), started, plan.to_json());
      return fresh;
    }
    throw Error(ErrorCode::kFormat, "{} has results but no {}, so nothing says what they are; choose another --out", path,
                kPlanFile);
  }
  const Json saved = read_plan_file(path + "/" + kPlanFile);
  check_same_plan(plan.to_json(), saved["plan"], path);
  RunDirectory directory(path, saved["started"].get<std::string>());
  directory.lock();
  directory.read_journal(plan);
  return directory;
}

// What the checksum of a line cannot tell: that the line is one of this run.
void RunDirectory::check(const SampleRecord& record, const RunPlan& plan) const {
  const auto cell = std::find_if(plan.cells.begin(), plan.cells.end(), [&](const Cell& each) {
    return each.task->name() == record.task && each.length == record.length;
  });
  if (cell == plan.cells.end() || !std::binary_search(cell->samples.begin(), cell->samples.end(), record.index) ||
      record.id != tasks::sample_id(*cell->task, plan.request(*cell, record.index)))
    throw Error(ErrorCode::kFormat, "sample '{}' does not belong to this run", record.id);
  if (has(*cell, record.index)) throw Error(ErrorCode::kFormat, "sample '{}' stands there twice", record.id);
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

void RunDirectory::read_journal(const RunPlan& plan) {
  const std::string text = read_file(file(kJournalFile));
  int64_t number = 0, kept_arrays = 0;
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
      if (record.arrays) kept_arrays = std::max(kept_arrays, record.arrays->offset + record.arrays->bytes);
      add(std::move(record));
    } catch (const Error& problem) {
      throw Error(ErrorCode::kFormat, "{} line {}: {}; remove the line to run its sample again", file(kJournalFile), number,
                  problem.what());
    }
    begin = end + 1;
  }
  check_not_lost();
  const auto whole = static_cast<int64_t>(text.rfind('\n') + 1);  // none: 0
  if (whole < journal_.size()) journal_.truncate(whole);
  if (kept_arrays < side_file_.size()) side_file_.truncate(kept_arrays);  // arrays whose line was never written
}

bool RunDirectory::has(const Cell& cell, int64_t index) const {
  const auto found = done_.find({std::string(cell.task->name()), cell.length});
  return found != done_.end() && found->second.count(index) != 0;
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
