// The closed forms of the cost model against what the reference kernels do, counted inside them, at odd sizes.
#include <gtest/gtest.h>

#include "sala/model/cost.h"
#include "sim/mixers/mixer.h"
#include "sim/model/weights.h"
#include "sim/ops/ref_counts.h"
#include "tests/sim/model/small_model.h"
#include "tests/sim/ops/select_problem.h"

namespace sala {
namespace {

constexpr double kFlops = 2;  // of a multiply-add

// Every matrix of a layer, multiplied for one token.
TEST(CostCounts, ProjectionsAndFfn) {
  for (const char* letters : {"S", "F", "L", "SLFS"}) {
    const ModelConfig config = small_config(letters);
    int64_t counted = 0;
    for (const TensorSpec& spec : model_tensors(config)) {
      if (spec.shape.size() != 2 || spec.name.find("layers.") == std::string::npos) continue;
      const auto w = ops::random_values(spec.shape[0] * spec.shape[1], 1), x = ops::random_values(spec.shape[1], 2);
      ops::test::Buffer<float> y(spec.shape[0]);
      const ops::PackedMatrix matrix(ops::on(ops::ref_kernels()), w.view(spec.shape[0], spec.shape[1]));
      ops::linear_ref(x.view(1, spec.shape[1]), matrix, y.view(1, spec.shape[0]), counted);
    }
    EXPECT_EQ(kFlops * static_cast<double>(counted), decode_cost(config, 333).of("projections+FFN")) << letters;
  }
}

// The last of `tokens` tokens in one layer: scores of blocks, and attention on what they choose.
struct Counted {
  int64_t selection = 0, softmax = 0;
};
Counted count_of(const ModelConfig& config, bool sparse, int64_t tokens) {
  const SparseConfig& fields = config.own<InfLlmV2Fields>().sparse_config;
  ops::SelectParams params = ops::params_of(fields.block_size, fields.kernel_size, fields.kernel_stride, fields.init_blocks,
                                            fields.window_size, fields.topk);
  params.exact_lse = config.own<InfLlmV2Fields>().exact_lse;
  const int64_t H = config.num_attention_heads, Hkv = config.num_key_value_heads, D = config.head_dim;
  const ops::Problem problem({1, tokens, H, Hkv, D}, params);
  const ops::Context context = ops::on(ops::ref_kernels());
  ops::PackedKeys keys(Hkv, D, tokens);
  ops::ValueCache values(Hkv, D, tokens);
  const auto k = ops::random_values(tokens * Hkv * D, 3), q = ops::random_values(H * D, 4);
  keys.append(context, k.view(tokens, Hkv, D));
  values.append(context, k.view(tokens, Hkv, D));
  ops::test::Buffer<int32_t> blocks(Hkv * params.slots());
  ops::test::Buffer<float> o(H * D);
  Counted counted;
  if (sparse)
    ops::select_ref(q.view(H, D), problem.fine, problem.coarse, tokens - 1, params, Numerics::kFp32,
                    blocks.view(Hkv, params.slots()), {}, counted.selection);
  ops::attend_ref(q.view(H, D), keys, values, tokens - 1, params.block_size,
                  sparse ? TensorView<const int32_t, 2>(blocks.view(Hkv, params.slots())) : TensorView<const int32_t, 2>(),
                  1, Numerics::kFp32, o.view(H, D), counted.softmax);
  return counted;
}

TEST(CostCounts, SelectionAndAttention) {
  for (const bool sparse : {true, false})
    for (const bool exact_lse : {false, true}) {
      ModelConfig config = small_config(sparse ? "S" : "F");
      config.own<InfLlmV2Fields>().exact_lse = exact_lse;
      for (const int64_t tokens : {int64_t{1}, int64_t{33}, int64_t{63}, int64_t{97}, int64_t{333}}) {
        const Counted counted = count_of(config, sparse, tokens);
        const Flops cost = decode_cost(config, tokens);
        EXPECT_EQ(kFlops * static_cast<double>(counted.softmax), cost.of("softmax")) << sparse << " " << tokens;
        if (!sparse) continue;
        EXPECT_EQ(kFlops * static_cast<double>(counted.selection), cost.of("selection")) << exact_lse << " " << tokens;
      }
    }
}

TEST(CostCounts, Lightning) {
  const ModelConfig config = small_config("L");
  const auto& fields = config.own<LightningFields>();
  const int64_t D = fields.lightning_head_dim, H = fields.lightning_nh;
  const auto mixer = find_mixer(config.mixer_types[0]).make(config, 0, nullptr);
  for (const int64_t tokens : {1, 63, 64, 97}) {
    const auto rows = ops::random_values(tokens * D, 1);
    std::vector<float> memory(static_cast<std::size_t>(D * D + 2 * ops::LightningState::kChunk * D)), o(rows.size());
    ops::LightningTile tile;
    tile.sum = memory.data(), tile.keys = tile.sum + D * D, tile.values = tile.keys + ops::LightningState::kChunk * D;
    tile.T = tokens, tile.D = tile.Dv = D;
    tile.k = tile.v = rows.data();
    tile.k_stride = tile.v_stride = tile.q_stride = tile.o_stride = D;
    tile.slope = 0.1f, tile.scale = 1;
    int64_t updates = 0, all = 0;
    ops::lightning_ref(tile, updates);
    tile.q = rows.data(), tile.o = o.data();
    ops::lightning_ref(tile, all);
    EXPECT_EQ(kFlops * static_cast<double>(H * updates), mixer->update_cost(tokens).mixing.of("linear")) << tokens;
    EXPECT_EQ(kFlops * static_cast<double>(H * all), static_cast<double>(tokens) * decode_cost(config, 1).of("linear"))
        << tokens;
  }
}

}  // namespace
}  // namespace sala
