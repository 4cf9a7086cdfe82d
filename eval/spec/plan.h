// What a run computes: everything that its results depend on, and nothing else.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "eval/spec/select_by.h"
#include "sala/model/config.h"
#include "sala/model/session.h"
#include "sala/tasks/task.h"

namespace sala::eval {

// All samples of one task at one length.
struct Cell {
  const tasks::Task* task = nullptr;
  int64_t length = 0;
  std::vector<int64_t> samples;  // indexes, ascending
  int64_t most_tokens = 0;       // prompt and answer of the longest sample, where the length is no limit for them
  std::string name() const;      // "niah_single_1@131072"
};

// Of a run's folder and of its run.h5.
inline constexpr const char* kRunSchema = "sala.run/2";

struct RunPlan {
  std::string model_name;
  std::string weights_hash;  // fingerprint of the weights (models.h)
  ModelConfig model;         // with every override
  std::string tokenizer_kind, tokenizer_hash;
  std::vector<Cell> cells;  // in the order of running
  uint64_t seed = 42;
  tasks::Mode mode = tasks::Mode::kFixed;
  const tasks::Corpora* corpora = nullptr;  // the user's files; not owned
  Numerics numerics = Numerics::kFp32;
  std::string device = "cpu";  // cpu or cuda
  std::string numerics_before;  // as run.json has it, of a run that goes on in another class
  std::string kernels = "best";
  bool probe_answers = false;
  std::vector<std::string> statistics;  // that are recorded of them
  SelectBy select = SelectBy::kLearned;
  std::vector<std::string> switches;  // fields of the config that differ from the model's own (config_switches)
  std::vector<int32_t> prefix;        // ids before every prompt: BOS, or nothing

  tasks::SampleRequest request(const Cell& cell, int64_t index) const;
  int64_t most_tokens(const Cell& cell) const;  // of a prompt and its answer, the prefix included
  int64_t longest() const;                      // the most of all cells: what a session must hold
  int64_t sample_count() const;
  // The model's name, and who selects when it is not the model: "sala-tiny[select=oracle]".
  std::string label() const;
  // "fp32"; of a run that went on in another class, "fp32, then cuda-fp32".
  std::string numerics_text() const;
  // Two runs with the same JSON have the same results.
  nlohmann::ordered_json to_json() const;
};

// The class of arithmetic: fp32, bf16, and cuda-fp32, cuda-bf16 for those of a CUDA device (docs/numerics.md).
std::string numerics_class(Numerics numerics, const std::string& device);
// Samples run when nobody says how many: 20 up to 8k, 10 up to 32k, 5 up to 128k, 2 up to 512k, 1 beyond.
int64_t default_samples(int64_t length);
// "0-3,7" -> 0 1 2 3 7, ascending and without repeats; and back. Throws Error{kUsage}.
std::vector<int64_t> parse_indexes(const std::string& list);
std::string format_indexes(const std::vector<int64_t>& indexes);

// What was switched after training, one text a field, in the order of config.json: "sparse_config.topk=8 (was 12)".
std::vector<std::string> config_switches(const ModelConfig& trained, const ModelConfig& used);

}  // namespace sala::eval
