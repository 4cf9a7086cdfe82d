#include "eval/store/directory.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <set>
#include <tuple>

#include "sala/core/error.h"
#include "sala/core/rng.h"
#include "sim/text/json.h"

namespace sala::eval {
namespace {

using Json = nlohmann::ordered_json;
using Key = std::tuple<std::string, int64_t, int64_t>;

constexpr const char* kPlanFile = "run.json";
constexpr const char* kJournalFile = "samples.jsonl";
constexpr const char* kSideFile = "samples.arrays";

bool holds_a_run(const std::string& path) {
  for (const char* name : {kPlanFile, kJournalFile, "run.h5"})
    if (file_exists(path + "/" + name)) return true;
  return false;
}

Json read_plan_file(const std::string& path) {
  Json json;
  const auto problem = text::read_json(read_file(path), json);
  if (problem || !json.is_object() || !json.contains("plan") || !json.contains("started") || !json["started"].is_string())
    throw Error(ErrorCode::kFormat, "{} is damaged: it is not the plan of a run; choose another --out", path);
  const Json& plan = json["plan"];
  const std::string schema = plan.is_object() ? plan.value("schema", Json()).dump() : "absent";
  if (schema != Json(kRunSchema).dump())
    throw Error(ErrorCode::kUnsupported, "{}: the schema is {}, this build continues runs of \"{}\"", path, schema,
                kRunSchema);
  return json;
}

}  // namespace

RunDirectory::RunDirectory(const std::string& path, const std::string& started) : path_(path), started_(started) {}

void RunDirectory::lock() {
  make_folders(path_);
  journal_ = AppendFile(file(kJournalFile));
  if (!journal_.try_lock())
    throw Error(ErrorCode::kUsage, "another process is writing to {}; wait for it or choose another --out", path_);
  side_file_ = AppendFile(file(kSideFile));
}

RunDirectory RunDirectory::begin(const std::string& path, const RunPlan& plan, const std::string& started) {
  if (holds_a_run(path))
    throw Error(ErrorCode::kUsage, "{} already holds a run; go on with it by --resume, or choose another --out", path);
  RunDirectory directory(path, started);
  directory.lock();
  write_atomically(directory.file(kPlanFile), Json({{"started", started}, {"plan", plan.to_json()}}).dump(1) + "\n");
  return directory;
}

RunDirectory RunDirectory::resume(const std::string& path, const RunPlan& plan, const std::string& started) {
  if (!holds_a_run(path)) {
    RunDirectory fresh = begin(path, plan, started);
    fresh.notes_.push_back(fmt::format("{} holds no run yet: this one begins", path));
    return fresh;
  }
  if (!file_exists(path + "/" + kPlanFile)) {
    // A kill between the first two steps of begin() leaves an empty journal and nothing else.
    if (!file_exists(path + "/run.h5") && read_file(path + "/" + kJournalFile).empty()) {
      RunDirectory fresh(path, started);
      fresh.lock();
      write_atomically(fresh.file(kPlanFile), Json({{"started", started}, {"plan", plan.to_json()}}).dump(1) + "\n");
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

void RunDirectory::read_journal(const RunPlan& plan) {
  std::set<Key> planned;
  for (const Cell& cell : plan.cells)
    for (const int64_t index : cell.samples) planned.emplace(cell.task->name(), cell.length, index);
  const std::string text = read_file(file(kJournalFile));
  int64_t number = 0, kept_arrays = 0;
  for (std::size_t begin = 0; begin < text.size();) {
    ++number;
    const std::size_t end = text.find('\n', begin);
    const bool last = end == std::string::npos || end + 1 == text.size();
    const auto damaged = [&](const std::string& why) {
      return Error(ErrorCode::kFormat, "{} line {}: {}; remove the line to run its sample again", file(kJournalFile), number,
                   why);
    };
    std::optional<SampleRecord> record;
    std::string torn = "the line has no end";
    try {
      if (end != std::string::npos) {
        record = parse_line(text.substr(begin, end - begin));
        arrays(*record);  // damage is found now, not after hours of running
      }
    } catch (const Error& problem) {
      torn = problem.what();
      if (!last) throw damaged(torn);
      record.reset();
    }
    if (!record) {
      notes_.push_back(fmt::format("the last line of {} was not written to its end ({}): its sample runs again",
                                   file(kJournalFile), torn));
      journal_.truncate(static_cast<int64_t>(begin));
      break;
    }
    const Key key{record->task, record->length, record->index};
    if (planned.count(key) == 0) throw damaged(fmt::format("sample '{}' does not belong to this run", record->id));
    if (record->arrays) kept_arrays = std::max(kept_arrays, record->arrays->offset + record->arrays->bytes);
    const std::string id = record->id;
    if (!add(std::move(*record))) throw damaged(fmt::format("sample '{}' stands there twice", id));
    begin = end + 1;
  }
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

bool RunDirectory::add(SampleRecord record) {
  if (!done_[{record.task, record.length}].emplace(record.index, records_.size()).second) return false;
  records_.push_back(std::move(record));
  return true;
}

void RunDirectory::append(SampleRecord record, const SampleArrays& arrays) {
  if (!arrays.empty()) {
    const std::string bytes = array_bytes(arrays);
    record.arrays = ArraysRef{side_file_.size(), static_cast<int64_t>(bytes.size()), hash_hex(stable_hash(bytes))};
    side_file_.append(bytes);  // first: a line promises that its arrays are there
  }
  journal_.append(to_line(record) + "\n");
  add(std::move(record));
}

SampleArrays RunDirectory::arrays(const SampleRecord& record) const {
  if (!record.arrays) return {};
  const std::string bytes = side_file_.read(record.arrays->offset, record.arrays->bytes);
  if (hash_hex(stable_hash(bytes)) != record.arrays->hash)
    throw Error(ErrorCode::kFormat, "{}: the arrays of '{}' are damaged", file(kSideFile), record.id);
  return parse_arrays(bytes);
}

}  // namespace sala::eval
