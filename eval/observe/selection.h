// What the layers did for the queries that produced an answer, and how the evidence fared.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "eval/observe/attention.h"
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
  // ln of pooled block scores (spec 4.5), up to the normaliser. NaN: forced, or no such block.
  std::vector<double> evidence_score;  // [P, Hkv, B]
  std::vector<double> cut_score;       // [P, Hkv] of the worst selected block that is not forced
  std::vector<double> score_mean;      // [P, Hkv] over blocks that are neither forced nor evidence, and have a score
  std::vector<double> score_std;
};

struct Selection {
  int64_t block_size = 0;
  std::vector<int64_t> positions;         // [P] of the probed queries, BOS included
  std::vector<int32_t> evidence_blocks;   // [B] ascending
  std::vector<int32_t> evidence_span;     // [B] the first evidence span that the block overlaps
  std::vector<LayerSelection> layers;     // sparse layers that selected, ascending
  std::vector<LayerAttention> attention;  // softmax layers, ascending
  std::vector<LayerHidden> hidden;        // the embedding and all layers

  // Mean of evidence_selected over layers, queries, KV heads and evidence blocks; NaN when there is nothing to average.
  double recall() const;
  // Share of evidence blocks that some head of some layer read for some probed query; NaN likewise.
  double reached() const;
};

// Bytes for the sidecar file. parse_selection treats its input as hostile and throws Error{kFormat}.
std::string selection_bytes(const Selection& selection);
Selection parse_selection(std::string_view bytes);

// Collects a Selection while a model answers: probes the last prompt token and every generated token that is fed back.
class AnswerProbe final : public SessionProbe {
 public:
  // `evidence` in tokens of the prompt; `shift` tokens (BOS) stand before it. `prompt_tokens` counts them too.
  AnswerProbe(const std::vector<tasks::Evidence>& evidence, int64_t shift, int64_t prompt_tokens);
  bool wants(int64_t position) const override { return position >= first_; }
  bool wants_attention(int64_t position) const override { return wants(position); }
  void on_selection(int layer, int64_t position, int64_t block_size, TensorView<const int32_t, 2> blocks,
                    TensorView<const float, 2> scores) override;
  void on_attention(int layer, int64_t position, int64_t head, std::span<const int64_t> keys,
                    std::span<const float> logits) override;
  void on_hidden(int layer, int64_t first_position, TensorView<const float, 2> hidden) override;
  // Throws Error{kInternal} when layers saw different queries.
  Selection take();

 private:
  void set_block_size(int64_t block_size);
  std::vector<tasks::Evidence> evidence_;
  int64_t shift_ = 0, first_ = 0;
  Selection selection_;
  void add_scores(LayerSelection& into, TensorView<const float, 1> scores, TensorView<const int32_t, 1> chosen) const;
  Ranges ranges_;  // of the evidence, prefix counted
  std::map<int, LayerSelection> layers_;
  std::map<int, LayerAttention> attention_;
  std::map<int, HiddenFigures> hidden_;
  std::map<int, std::vector<int64_t>> positions_, attention_positions_;
};

}  // namespace sala::eval
