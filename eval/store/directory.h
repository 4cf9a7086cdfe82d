// The folder of a run: the plan it was begun with, the journal of finished samples, and the files made from them.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "eval/observe/array.h"
#include "eval/spec/plan.h"
#include "eval/spec/record.h"
#include "eval/util/files.h"

namespace sala::eval {

inline constexpr const char* kJournalFile = "samples.jsonl";
// How the sentence begins with which a folder is refused while another process writes to it.
inline constexpr const char* kInUse = "another process is writing to";

// Files: run.json (plan), samples.jsonl (journal), samples.arrays (what statistics saw), run.h5 and, while the run goes
// on, cells/*.h5 (run_file.h), summary.json, summary.md.
class RunDirectory {
 public:
  // A new run. Throws Error{kUsage} when `path` already holds one or anything under a name that a run writes, or when
  // another process writes to it; Error{kIo}.
  static RunDirectory begin(const std::string& path, const RunPlan& plan, const std::string& started);
  // Goes on with the run in `path`, or begins one when there is none. The plan may have more samples and cells than the one
  // that is there, which it then replaces (check_goes_on). A torn last line of the journal is dropped. Throws as begin(),
  // Error{kConfig} naming the field of the plan that changed, Error{kFormat} naming a damaged line or a journal that is
  // empty beside results.
  static RunDirectory resume(const std::string& path, const RunPlan& plan, const std::string& started);

  // What is done of the run in `path`, which is not written to: a torn last line is left out, and another process may go on
  // with the run. Throws as resume(); Error{kIo} where there is none.
  static RunDirectory read(const std::string& path, const RunPlan& plan);

  const std::string& path() const { return path_; }
  const std::string& started() const { return started_; }  // UTC time of the first begin
  std::string file(const std::string& name) const { return path_ + "/" + name; }
  // In the order in which they were added.
  const std::vector<SampleRecord>& records() const { return records_; }
  // Null when it is not done; until the next add().
  const SampleRecord* find(const Cell& cell, int64_t index) const;
  // By ascending index; until the next add().
  std::vector<const SampleRecord*> records_of(const Cell& cell) const;
  // What resuming found worth saying, one sentence each.
  const std::vector<std::string>& notes() const { return notes_; }

  // Both are on the disk when this returns, and the record says where its arrays are. Any thread may call it.
  void write(SampleRecord& record, const SampleArrays& arrays);
  // From now on records() holds it. Like all that follows, and what stands above write(), for one thread.
  void add(SampleRecord record);
  // Throws Error{kFormat} when the side file does not hold what the record says.
  SampleArrays arrays(const SampleRecord& record) const;

 private:
  RunDirectory(const std::string& path, const std::string& started);
  void lock();
  void go_on(const RunPlan& plan);
  // How far the two files hold what whole lines say.
  struct Whole {
    int64_t journal_bytes = 0, side_bytes = 0;
  };
  Whole read_journal(const RunPlan& plan);
  // Throws Error{kFormat} for a record that a run of this plan does not write.
  void check(const SampleRecord& record, const RunPlan& plan) const;
  void check_not_lost() const;

  std::string path_, started_;
  std::unique_ptr<std::mutex> writing_ = std::make_unique<std::mutex>();  // of the two files
  AppendFile journal_, side_file_;
  std::vector<SampleRecord> records_;
  // Places in records_ by sample index, of each task and length.
  std::map<std::pair<std::string, int64_t>, std::map<int64_t, std::size_t>> done_;
  std::vector<std::string> notes_;
};

}  // namespace sala::eval
