// One prediction to one scored record.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "eval/score/scored.h"

namespace sala::eval {

// Thread-safe.
class LineScorer {
 public:
  explicit LineScorer(const ScoreRequest& request) : request_(request) {}

  // The task of that name: the registry's, one of the user's files when the id names the same files, or one that exists in
  // files only: mrcr_official_N (rows of openai/mrcr), nolima_user (records without an id), nolima_direct (their questions
  // that ask for the needle itself, which NoLiMa's figures leave out). Throws Error{kFormat} with near names for an unknown
  // one.
  const tasks::Task& find_task(const std::string& name, const std::string& id = "");
  // Whether --task asks for it.
  bool wanted(const tasks::Task& task) const;
  // Length 0 where it is not known. Throws Error for a prediction that cannot be scored.
  SampleRecord score(const tasks::Task& task, Prediction prediction);

  std::vector<std::shared_ptr<const tasks::Task>> own_tasks() const;

 private:
  tasks::Sample sample_of(const tasks::Task& task, Prediction& prediction);
  const Tokenizer& tokenizer();
  const tasks::Corpora* corpora() const;
  std::string files_hash() const;  // of the user's files; empty without
  std::vector<const tasks::Task*> user_tasks() const;

  const ScoreRequest& request_;
  std::mutex mutex_;
  std::unique_ptr<Tokenizer> tokenizer_;
  std::map<std::string, std::shared_ptr<const tasks::Task>> own_tasks_;
};

}  // namespace sala::eval
