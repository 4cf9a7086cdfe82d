#include "eval/run/speed.h"

#include <algorithm>
#include <vector>

#include "eval/util/clock.h"
#include "sala/core/error.h"
#include "sala/core/rng.h"
#include "sala/model/cost.h"

namespace sala::eval {

double done_flops(const ModelConfig& config, const SessionOptions& options, int64_t tokens) {
  return (options.prune ? pruned_prefill_cost(config, tokens) : prefill_cost(config, tokens)).total();
}

double measured_rate(const ModelEntry& entry, const ModelConfig& config, SessionOptions options, int64_t tokens) {
  const Model model = entry.has_weights || entry.random()
                          ? load_model(entry, config)
                          : throw Error(ErrorCode::kIo, "{} has no weights to measure with", entry.directory);
  options.max_tokens = tokens;
  Session session(model, options);
  Rng rng(1, "explain/calibration");
  std::vector<int32_t> ids;
  for (int64_t i = 0; i < tokens; ++i)
    ids.push_back(static_cast<int32_t>(rng.below(static_cast<uint64_t>(config.vocab_size))));
  double best = 0;
  for (int run = 0; run < 2; ++run) {  // the first one also faults the memory in
    session.reset();
    const double began = seconds_now();
    session.prefill(ids);
    const double seconds = seconds_now() - began;
    best = std::max(best, done_flops(config, options, tokens) / std::max(seconds, 1e-9));
  }
  return best;
}

}  // namespace sala::eval
