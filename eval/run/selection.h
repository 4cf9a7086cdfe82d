// What the sparse layers selected for the queries that produced an answer, and how the evidence fared.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "sala/model/session.h"
#include "sala/tasks/task.h"

namespace sala::eval {

inline constexpr uint8_t kNoBlock = 255;  // padding of evidence_selected

// One layer of one sample. P probed queries, Hkv KV heads, S slots, B evidence blocks.
struct LayerSelection {
  int64_t layer = 0, heads = 0, slots = 0;
  std::vector<int32_t> blocks;             // [P, Hkv, S] block ids, ascending, padded with -1
  std::vector<uint8_t> evidence_selected;  // [P, Hkv, B] 1 = the evidence block is among `blocks`
  std::vector<int32_t> evidence_rank;      // [P, Hkv, B] 0 = best score; forced blocks first, ties to the lower id
  bool operator==(const LayerSelection&) const = default;
};

struct Selection {
  int64_t block_size = 0;
  std::vector<int64_t> positions;        // [P] of the probed queries, BOS included
  std::vector<int32_t> evidence_blocks;  // [B] ascending
  std::vector<int32_t> evidence_span;    // [B] the first evidence span that the block overlaps
  std::vector<LayerSelection> layers;    // sparse layers that selected, ascending
  bool operator==(const Selection&) const = default;

  // Mean of evidence_selected over layers, queries, KV heads and evidence blocks; NaN when there is nothing to average.
  double recall() const;
  // Share of evidence blocks that some head of some layer read for some probed query; NaN likewise.
  double reached() const;
};

// Bytes for the sidecar file. parse_selection treats its input as hostile and throws Error{kFormat}.
std::string selection_bytes(const Selection& selection);
Selection parse_selection(std::string_view bytes);

// Collects a Selection while a model answers: probes the last prompt token and every generated token that is fed back.
class AnswerProbe final : public SelectionProbe {
 public:
  // `evidence` in tokens of the prompt; `shift` tokens (BOS) stand before it. `prompt_tokens` counts them too.
  AnswerProbe(const std::vector<tasks::Evidence>& evidence, int64_t shift, int64_t prompt_tokens);
  bool wants(int64_t position) const override { return position >= first_; }
  void on_selection(int layer, int64_t position, int64_t block_size, TensorView<const int32_t, 2> blocks,
                    TensorView<const float, 2> scores) override;
  // Throws Error{kInternal} when layers saw different queries.
  Selection take();

 private:
  void set_block_size(int64_t block_size);
  std::vector<tasks::Evidence> evidence_;
  int64_t shift_ = 0, first_ = 0;
  Selection selection_;
  std::map<int, LayerSelection> layers_;
  std::map<int, std::vector<int64_t>> positions_;
};

}  // namespace sala::eval
