// What is to be scored, and what came out.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "eval/score/predictions.h"
#include "eval/spec/plan.h"
#include "eval/spec/record.h"
#include "sala/tasks/user_files.h"

namespace sala::eval {

struct ScoreRequest {
  std::vector<std::string> paths;          // files, or folders: every *.jsonl below them, in the order of names
  std::vector<const tasks::Task*> tasks;   // only these; empty = all
  std::optional<PredictionFormat> format;  // empty = each file by its fields
  int64_t length = 0;                      // where the lines say none; 0 = not given: the folder's, or inferred
  int64_t samples = 0;                     // each task and length must have exactly these, from 0; 0 = whatever is there
  bool partial = false;                    // samples may be missing
  bool one_model = false;                  // the user says that one model answered files that do not say it
  const tasks::UserFiles* user = nullptr;  // what samples with such ids were made of; may be null
  const Tokenizer* bins = nullptr;         // counts MRCR rows; null = what the rows say
  // Opens the tokenizer with which samples are made again from their ids. Called when a line needs it, once.
  std::function<std::unique_ptr<Tokenizer>()> open_tokenizer;
};

struct ScoredFile {
  std::string path;
  PredictionFormat format = PredictionFormat::kRuler;
  int64_t lines = 0, scored = 0, skipped = 0;  // skipped: of tasks that were not asked for
};

struct Scored {
  std::vector<ScoredFile> files;
  std::vector<SampleRecord> records;  // cell by cell; without times, ids of tokens and places in tokens where unknown
  std::vector<std::string> places;    // FILE:LINE of each record
  std::vector<Cell> cells;            // lengths ascending, tasks in the order of the registry
  std::vector<std::string> problems;  // "FILE:17: ...": what was not scored, or is missing
  std::vector<std::string> warnings;  // what was scored and should be known
  std::vector<std::string> sources;   // what made the samples, as far as ids tell: "mrcr-synth", ...
  std::vector<std::shared_ptr<const tasks::Task>> own_tasks;  // that no registry has; cells point to them
};

}  // namespace sala::eval
