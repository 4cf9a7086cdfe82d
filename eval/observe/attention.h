// How the softmax layers spread the attention of the queries that produced an answer, and how large hidden states grew.
#pragma once

#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "sala/core/tensor.h"

namespace sala::eval {

inline constexpr int64_t kStartTokens = 64;       // one block of the released model
inline constexpr int64_t kMedianEveryToken = 64;  // of a sequence, every 64th token counts for the median

// Half-open ranges of positions, ascending, disjoint.
using Ranges = std::vector<std::pair<int64_t, int64_t>>;

// What a head does with the keys that it reads; n of them, of which those outside the evidence are the background.
struct AttentionFigures {
  double keys = 0;             // n
  double sink_mass = 0;        // attention on the first token of the sequence
  double start_mass = 0;       // ... on the first kStartTokens
  double evidence_mass = 0;    // ... on all evidence
  double evidence_logit = 0;   // largest logit among evidence; NaN when none is read
  double background_lse = 0;   // ln of the sum of exp(logit) over the background; NaN when it is empty, as the next two
  double background_mean = 0;  // mean and standard deviation of its logits
  double background_std = 0;
  double entropy = 0;  // of the attention, nats
};
AttentionFigures attention_figures(std::span<const int64_t> keys, std::span<const float> logits, const Ranges& evidence);

// One layer of one sample. P probed queries, H query heads: [P, H].
struct LayerAttention {
  int64_t layer = 0, heads = 0;
  std::vector<double> keys, sink_mass, start_mass, evidence_mass, evidence_logit, background_lse, background_mean,
      background_std, entropy;
  void add(const AttentionFigures& figures);
  // Calls f(name, units, array) for every array: the one list of what is stored.
  template <class Self, class F>
  static void visit(Self& self, const F& f) {
    f("keys", "tokens", self.keys);
    f("sink_mass", "1", self.sink_mass);
    f("start_mass", "1", self.start_mass);
    f("evidence_mass", "1", self.evidence_mass);
    f("evidence_logit", "1", self.evidence_logit);
    f("background_lse", "1", self.background_lse);
    f("background_mean", "1", self.background_mean);
    f("background_std", "1", self.background_std);
    f("entropy", "nats", self.entropy);
  }
};

// The largest hidden state behind one layer, over all positions that were computed, and an ordinary one.
struct LayerHidden {
  int64_t layer = -1;  // -1 = embedding
  double largest = 0;  // max |h|
  int64_t position = -1, channel = -1;
  double median = 0;  // of the medians of |h| of every kMedianEveryToken-th token and of the probed ones
};

class HiddenFigures {
 public:
  // hidden: [T, E]; probed: whether the row's token counts for the median in any case.
  template <class Wants>
  void add(int64_t first_position, TensorView<const float, 2> hidden, const Wants& probed) {
    for (int64_t t = 0; t < hidden.extent[0]; ++t)
      add_row(first_position + t, hidden[t], (first_position + t) % kMedianEveryToken == 0 || probed(first_position + t));
  }
  LayerHidden take(int64_t layer);

 private:
  void add_row(int64_t position, TensorView<const float, 1> row, bool for_median);
  LayerHidden figures_;
  std::vector<float> medians_;
};

}  // namespace sala::eval
