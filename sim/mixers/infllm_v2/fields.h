// The fields of config.json that are minicpm4's own, beside those of all softmax layers.
#pragma once

#include "sala/model/config.h"

namespace sala {

// `sparse_config`: block selection (spec 4).
struct SparseConfig {
  int64_t kernel_size = 32, kernel_stride = 16, block_size = 64, init_blocks = 1;
  int64_t window_size = 2048, topk = 64, dense_len = 8192;
  bool use_nope = false;

  // Blocks that a query reads: the window's blocks are added to topk (spec 4.6).
  int64_t slots() const { return topk + window_size / block_size; }
  // Blocks that are always read: the first ones, the query's own and those of the window before it (spec 4.5).
  int64_t forced_blocks() const { return init_blocks + window_size / block_size + 1; }
  void visit_fields(FieldVisitor& visit);
};

struct InfLlmV2Fields {
  SparseConfig sparse_config;
  bool exact_lse = false;            // these two in sala_lab
  std::string select_per = "token";  // or "block": the first query of a block selects for all of it
};

}  // namespace sala
