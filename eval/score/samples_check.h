// Whether the predictions are those of the samples: each once, none missing; and which length they belong to.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "eval/score/scored.h"

namespace sala::eval {

class SamplesCheck {
 public:
  explicit SamplesCheck(const ScoreRequest& request) : request_(request) {}

  // Reads the plan beside a run's samples.jsonl, which says what must be there and who answered it.
  void begin_file(const std::string& path);
  // Takes note of one record and fills in its length, where line, --len or the folder say it, and its index, where the line
  // has none that counts. Returns the place of the same sample when it was there before, else "".
  std::string add(PredictionFormat format, const tasks::Task& task, SampleRecord& record, const std::string& key,
                  std::optional<int64_t> index, const std::string& place);
  // Infers lengths that nothing says, then looks for what is missing. Throws Error{kUsage} for records of two models or
  // runs.
  void finish(std::vector<SampleRecord>& records, std::vector<std::string>& problems, std::vector<std::string>& warnings);

  // By length, tasks in the order of the registry. `tasks`: by name.
  std::vector<Cell> cells(const std::vector<SampleRecord>& records,
                          const std::map<std::string, const tasks::Task*>& tasks) const;
  std::vector<std::string> sources() const { return {sources_.begin(), sources_.end()}; }

 private:
  struct Series {  // samples that are counted together
    std::string name;
    std::map<int64_t, std::string> indexes;       // with the place of the first
    std::optional<std::vector<int64_t>> planned;  // of a run; else 0 to the last index
  };
  struct Source {  // of a file
    std::string answerer, folder;
    bool known = false;  // the plan of a run says who; else it is a folder
  };
  void note_source();
  void claim(const std::string& cell, const std::string& folder);
  void infer_lengths(std::vector<SampleRecord>& records, std::vector<std::string>& warnings) const;
  void find_missing(std::vector<std::string>& problems) const;

  const ScoreRequest& request_;
  std::string path_, folder_;
  int64_t folder_length_ = 0;                  // a number in the path, as upstream lays out its results
  std::map<std::string, std::string> places_;  // sample -> FILE:LINE
  std::map<std::string, Series> series_;
  bool has_plan_ = false;
  Source source_;
  std::optional<Source> first_source_;         // of the first record
  std::string two_models_;                     // a sentence, when not all records are of one
  std::map<std::string, int64_t> ordinals_;    // samples so far of a task and length
  std::vector<std::string> record_folders_;    // of each record
  std::map<std::string, std::string> owners_;  // task and length -> folder that answers it
  std::vector<bool> binned_;                   // whether a record's task has lengths of its own (TaskTraits::length_is_bin)
  std::set<std::string> sources_;
  std::vector<std::string> repeated_;  // sentences
};

}  // namespace sala::eval
