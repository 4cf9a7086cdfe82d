// The folder of a run: the plan it was begun with, the journal of finished samples, and the files made from them.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "eval/observe/array.h"
#include "eval/spec/plan.h"
#include "eval/spec/record.h"
#include "eval/util/files.h"

namespace sala::eval {

// Files: run.json (plan), samples.jsonl (journal), samples.arrays (what statistics saw), run.h5 and, while the run goes
// on, cells/*.h5 (run_file.h), summary.json, summary.md.
class RunDirectory {
 public:
  // A new run. Throws Error{kUsage} when `path` already holds one or another process writes to it, Error{kIo}.
  static RunDirectory begin(const std::string& path, const RunPlan& plan, const std::string& started);
  // Goes on with the run in `path`, or begins one when there is none. A torn last line of the journal is dropped.
  // Throws as begin(), Error{kConfig} naming the field of the plan that changed, Error{kFormat} naming a damaged line.
  static RunDirectory resume(const std::string& path, const RunPlan& plan, const std::string& started);

  const std::string& path() const { return path_; }
  const std::string& started() const { return started_; }  // UTC time of the first begin
  std::string file(const std::string& name) const { return path_ + "/" + name; }
  const std::vector<SampleRecord>& records() const { return records_; }
  bool has(const Cell& cell, int64_t index) const;
  // By ascending index; until the next append().
  std::vector<const SampleRecord*> records_of(const Cell& cell) const;
  // What resuming found worth saying, one sentence each.
  const std::vector<std::string>& notes() const { return notes_; }

  // On the disk when this returns. Arrays are appended to the side file, and read again for the file of the cell alone.
  void append(SampleRecord record, const SampleArrays& arrays);
  // Throws Error{kFormat} when the side file does not hold what the record says.
  SampleArrays arrays(const SampleRecord& record) const;

 private:
  RunDirectory(const std::string& path, const std::string& started);
  void lock();
  void read_journal(const RunPlan& plan);
  bool add(SampleRecord record);  // false when it is there already

  std::string path_, started_;
  AppendFile journal_, side_file_;
  std::vector<SampleRecord> records_;
  // Places in records_ by sample index, of each task and length.
  std::map<std::pair<std::string, int64_t>, std::map<int64_t, std::size_t>> done_;
  std::vector<std::string> notes_;
};

}  // namespace sala::eval
