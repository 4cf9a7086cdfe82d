#include "sim/ops/attention/attention.h"

#include <algorithm>

#include "tests/sim/ops/op_test.h"

namespace sala::ops {
namespace {

using test::Buffer;

// fp32 scores, exponentials and sums of some thousand keys against double.
constexpr double kAgainstRef = 3e-6;
// In the bf16 class a probability may be rounded the other way: one step of 2^-8 on a few keys.
constexpr double kBf16AgainstRef = 2e-3;

struct Shape {
  int64_t R, S, H, Hkv, D, Dv;
  std::string name() const { return fmt::format("R {} S {} H {} Hkv {} D {} Dv {}", R, S, H, Hkv, D, Dv); }
};

// Random q, k, v; the queries are the last R tokens.
class Problem {
 public:
  explicit Problem(const Shape& wanted, float logits = 3, uint64_t seed = 1)
      : shape(wanted),
        keys(wanted.Hkv, wanted.D, wanted.S, memory()),
        values(wanted.Hkv, wanted.Dv, wanted.S, memory()),
        q(random_values(wanted.R * wanted.H * wanted.D, seed)),
        k(random_values(wanted.S * wanted.Hkv * wanted.D, seed + 1)),
        v(random_values(wanted.S * wanted.Hkv * wanted.Dv, seed + 2)) {
    keys.append(on(), k.view(shape.S, shape.Hkv, shape.D));
    values.append(on(), v.view(shape.S, shape.Hkv, shape.Dv));
    scale = logits / std::sqrt(static_cast<float>(shape.D));
  }
  TensorView<const float, 3> queries(int64_t begin, int64_t end) const {
    return q.view(shape.R, shape.H, shape.D).slice(begin, end);
  }
  int64_t first() const { return shape.S - shape.R; }
  Buffer<float> dense(const Kernels& kernels, int64_t step = 0) const {
    Buffer<float> o(shape.R * shape.H * shape.Dv);
    for (int64_t at = 0; at < shape.R; at += step) {
      if (step == 0) step = shape.R;
      const int64_t end = std::min(shape.R, at + step);
      dense_attention(on(kernels, numerics_of(bf16)), queries(at, end), keys, values, first() + at, scale,
                      o.view(shape.R, shape.H, shape.Dv).slice(at, end));
    }
    return o;
  }
  Buffer<float> sparse(const Kernels& kernels, const Buffer<int32_t>& blocks, int64_t block_size, int64_t step = 0) const {
    Buffer<float> o(shape.R * shape.H * shape.Dv);
    const auto ids = blocks.view(shape.R, shape.Hkv, blocks.size() / shape.R / shape.Hkv);
    for (int64_t at = 0; at < shape.R; at += step) {
      if (step == 0) step = shape.R;
      const int64_t end = std::min(shape.R, at + step);
      sparse_attention(on(kernels, numerics_of(bf16)), queries(at, end), keys, values, first() + at, block_size,
                       ids.slice(at, end), scale, o.view(shape.R, shape.H, shape.Dv).slice(at, end));
    }
    return o;
  }
  // Each block of the past with probability `share`, the own block always.
  Buffer<int32_t> some_blocks(int64_t block_size, double share, bool with_own = true) const {
    const int64_t slots = (shape.S + block_size - 1) / block_size;
    Buffer<int32_t> blocks(shape.R * shape.Hkv * slots);
    Rng rng(9, "tests/some_blocks");
    for (int64_t r = 0; r < shape.R; ++r)
      for (int64_t g = 0; g < shape.Hkv; ++g) {
        int32_t* out = blocks.data() + (r * shape.Hkv + g) * slots;
        std::fill_n(out, slots, -1);
        const int64_t own = (first() + r) / block_size;
        for (int64_t b = 0; b <= own; ++b)
          if (rng.uniform() < share || (b == own && with_own)) *out++ = static_cast<int32_t>(b);
      }
    return blocks;
  }

  Shape shape;
  PackedKeys keys;
  ValueCache values;
  float scale = 1;
  bool bf16 = false;

 private:
  Buffer<float> q, k, v;
};

const std::vector<Shape>& odd_shapes() {
  static const std::vector<Shape> shapes = {
      {1, 1, 2, 1, 16, 16},     {1, 2100, 4, 2, 64, 64}, {15, 15, 4, 2, 32, 32},   {63, 100, 4, 2, 64, 64},
      {64, 64, 1, 1, 128, 128}, {65, 193, 6, 2, 24, 40}, {65, 130, 16, 1, 64, 64}, {40, 2111, 7, 1, 17, 1},
      {100, 100, 3, 3, 48, 80}, {7, 4200, 2, 2, 8, 8},
  };
  return shapes;
}

TEST_P(EveryKernel, DenseMatchesRef) {
  for (const Shape& shape : odd_shapes())
    for (const bool bf16 : {false, true}) {
      Problem problem(shape);
      problem.bf16 = bf16;
      expect_close(problem.dense(kernels()), problem.dense(ref_kernels()), bf16 ? kBf16AgainstRef : kAgainstRef,
                   shape.name());
    }
}

TEST_P(EveryKernel, SparseMatchesRef) {
  for (const Shape& shape : odd_shapes())
    for (const int64_t block_size : {16, 64, 24, 100, 1}) {
      Problem problem(shape);
      problem.bf16 = block_size == 24;
      const Buffer<int32_t> blocks = problem.some_blocks(block_size, 0.4);
      expect_close(problem.sparse(kernels(), blocks, block_size), problem.sparse(ref_kernels(), blocks, block_size),
                   problem.bf16 ? kBf16AgainstRef : kAgainstRef, shape.name() + " blocks of " + std::to_string(block_size));
    }
}

// Spec 11, vector 7, for any block size.
TEST_P(EveryKernel, SparseOverAllBlocksGivesTheBytesOfDense) {
  for (const Shape& shape : odd_shapes())
    for (const int64_t block_size : {64, 24, 1000})
      for (const bool bf16 : {false, true}) {
        Problem problem(shape);
        problem.bf16 = bf16;
        expect_same_bytes(problem.sparse(kernels(), problem.some_blocks(block_size, 1), block_size),
                          problem.dense(kernels()), shape.name() + " blocks of " + std::to_string(block_size));
      }
}

// Chunks of a prefill, single tokens (which split the keys instead), and what the tile's other rows do.
TEST_P(EveryKernel, AnySplitOfTheRowsGivesTheSameBytes) {
  const Problem problem({70, 4200, 4, 2, 8, 8});
  const Buffer<float> dense = problem.dense(kernels());
  const Buffer<int32_t> blocks = problem.some_blocks(64, 0.2);
  const Buffer<float> sparse = problem.sparse(kernels(), blocks, 64);
  for (const int64_t step : {1, 7, 48, 69}) {
    expect_same_bytes(problem.dense(kernels(), step), dense, "dense in steps of " + std::to_string(step));
    expect_same_bytes(problem.sparse(kernels(), blocks, 64, step), sparse, "sparse in steps of " + std::to_string(step));
  }
}

TEST_P(EveryKernel, ThreadsDoNotMatter) {
  const Problem problem({400, 2400, 4, 2, 8, 8}), decode({1, 70000, 4, 2, 8, 8});
  const Buffer<int32_t> blocks = problem.some_blocks(32, 0.3);
  const auto all = [&](int threads) {
    const ThreadCount count(threads);
    std::vector<Buffer<float>> found;
    found.push_back(problem.dense(kernels()));
    found.push_back(problem.sparse(kernels(), blocks, 32));
    found.push_back(decode.dense(kernels()));
    return found;
  };
  const auto one = all(1);
  for (const int threads : {2, 3}) {
    const auto more = all(threads);
    for (size_t i = 0; i < one.size(); ++i) expect_same_bytes(more[i], one[i], std::to_string(threads) + " threads");
  }
}

TEST(Attention, EveryKernelGivesTheSameBytes) {
  for (const Shape& shape : odd_shapes())
    for (const bool bf16 : {false, true}) {
      Problem problem(shape);
      problem.bf16 = bf16;
      const Buffer<int32_t> blocks = problem.some_blocks(16, 0.4);
      const Kernels& portable = find_kernels("portable");
      const Buffer<float> dense = problem.dense(portable), sparse = problem.sparse(portable, blocks, 16);
      for (const Kernels& kernels : tile_kernels()) {
        expect_same_bytes(problem.dense(kernels), dense, shape.name() + " " + kernels.name);
        expect_same_bytes(problem.sparse(kernels, blocks, 16), sparse, shape.name() + " sparse " + kernels.name);
      }
    }
}

TEST_P(EveryKernel, HugeAndTinyLogitsGiveNumbers) {
  for (const float logits : {1e-30f, 1e4f, 1e30f}) {
    const Problem problem({65, 2300, 4, 2, 16, 16}, logits);
    const Buffer<float> got = problem.dense(kernels()), want = problem.dense(ref_kernels());
    for (int64_t i = 0; i < got.size(); ++i) ASSERT_TRUE(std::isfinite(got[i])) << logits << " at " << i;
    if (logits < 1) expect_close(got, want, kAgainstRef, "tiny logits");
    double largest = 0;
    for (int64_t i = 0; i < got.size(); ++i) largest = std::max(largest, std::fabs(static_cast<double>(got[i])));
    EXPECT_LE(largest, 1.0);  // an average of values in [-1, 1]
  }
}

TEST_P(EveryKernel, EqualScoresAverageTheValues) {
  Problem problem({3, 131, 2, 1, 16, 16});
  problem.scale = 1e-38f;
  const Buffer<float> o = problem.dense(kernels());
  double mean = 0;
  for (int64_t j = 0; j <= 129; ++j) mean += problem.values.at(j, 0, 5);
  EXPECT_NEAR(o.view(3, 2, 16)[1][1][5], mean / 130, 1e-6);
}

TEST_P(EveryKernel, RowWithoutBlocksGivesZeros) {
  const Problem problem({5, 100, 2, 1, 16, 16});
  Buffer<int32_t> blocks = problem.some_blocks(16, 0, false);
  blocks[2 * 7] = 3;  // only the middle row reads anything
  const Buffer<float> o = problem.sparse(kernels(), blocks, 16);
  for (int64_t r = 0; r < 5; ++r) {
    double sum = 0;
    for (int64_t i = 0; i < 32; ++i) sum += std::fabs(static_cast<double>(o[r * 32 + i]));
    EXPECT_EQ(sum > 0, r == 2) << r;
  }
  expect_same_bytes(problem.sparse(kernels(), Buffer<int32_t>(), 16), Buffer<float>(5 * 2 * 16), "no slots");
}

// A key that the mask excludes must not matter, whatever it holds.
TEST_P(EveryKernel, LaterKeysDoNotMatter) {
  const Problem longer({130, 400, 4, 2, 24, 24});
  const Shape& shape = longer.shape;
  PackedKeys keys(shape.Hkv, shape.D, shape.S, memory());
  ValueCache values(shape.Hkv, shape.Dv, shape.S, memory());
  Buffer<float> row(shape.Hkv * shape.D), o(longer.shape.H * shape.Dv), want = longer.dense(kernels());
  for (int64_t j = 0; j <= longer.first() + 70; ++j) {
    for (int64_t i = 0; i < row.size(); ++i) row[i] = longer.keys.at(j, i / shape.D, i % shape.D);
    keys.append(on(), row.view(1, shape.Hkv, shape.D));
    for (int64_t i = 0; i < row.size(); ++i) row[i] = longer.values.at(j, i / shape.D, i % shape.D);
    values.append(on(), row.view(1, shape.Hkv, shape.Dv));
  }
  dense_attention(on(kernels()), longer.queries(70, 71), keys, values, longer.first() + 70, longer.scale,
                  o.view(1, shape.H, shape.Dv));
  for (int64_t i = 0; i < o.size(); ++i) ASSERT_EQ(o[i], want[70 * o.size() + i]) << i;
}

TEST_P(EveryKernel, LongDecodeMatchesRef) {
  const Problem problem({1, 200003, 2, 1, 16, 16}, 6);
  expect_close(problem.dense(kernels()), problem.dense(ref_kernels()), 2e-5, "200003 keys");
  const Buffer<int32_t> blocks = problem.some_blocks(64, 0.01);
  expect_close(problem.sparse(kernels(), blocks, 64), problem.sparse(ref_kernels(), blocks, 64), kAgainstRef,
               "some of 200003");
}

TEST_P(EveryKernel, LogitsMatchRefAndPortable) {
  for (const Shape& shape : odd_shapes()) {
    const Problem problem(shape);
    const TensorView<const float, 1> q = problem.queries(shape.R - 1, shape.R)[0][shape.H - 1];
    const int64_t position = shape.S - 1;
    Buffer<int32_t> some(position / 3 + 2);
    int64_t slots = 0;
    for (int64_t block = 0; block <= position / 3; block += block % 5 == 3 ? 2 : 1)
      some[slots++] = static_cast<int32_t>(block);
    some[slots++] = -1;
    for (const TensorView<const int32_t, 1> blocks : {TensorView<const int32_t, 1>(), {some.data(), {slots}, {1}}}) {
      std::vector<int64_t> want;
      for (int64_t key = 0; key < shape.S; ++key)
        if (blocks.data == nullptr || std::count(some.data(), some.data() + slots, key / 3) > 0) want.push_back(key);
      const auto logits = [&](const Kernels& chosen) {
        Buffer<int64_t> read(shape.S);
        Buffer<float> out(shape.S), cut(static_cast<int64_t>(want.size()));
        const int64_t count = attention_logits(on(chosen), q, problem.keys, shape.Hkv - 1, position, 3, blocks,
                                               problem.scale, read.view(shape.S), out.view(shape.S));
        EXPECT_EQ(std::vector<int64_t>(read.data(), read.data() + count), want) << shape.name();
        std::copy_n(out.data(), cut.size(), cut.data());
        return cut;
      };
      const Buffer<float> got = logits(kernels());
      expect_close(got, logits(ref_kernels()), kAgainstRef, shape.name(), 1);
      expect_same_bytes(got, logits(find_kernels("portable")), shape.name());
      const ThreadCount three(3);
      expect_same_bytes(logits(kernels()), got, shape.name());
    }
  }
}

TEST(Attention, LogitsRefuseKeysThatDoNotExist) {
  const Problem problem({3, 70, 2, 1, 16, 16});
  Buffer<int64_t> read(70);
  Buffer<float> out(70);
  const auto logits = [&](int64_t position, std::vector<int32_t> blocks) {
    return attention_logits(on(find_kernels("best")), problem.queries(0, 1)[0][0], problem.keys, 0, position, 16,
                            {blocks.data(), {static_cast<int64_t>(blocks.size())}, {1}}, 1, read.view(70), out.view(70));
  };
  EXPECT_EQ(logits(69, {0, 4, -1}), 22);
  EXPECT_EQ(logits(69, {-1}), 0);
  expect_error(ErrorCode::kShape, {"position 70"}, [&] { logits(70, {0}); });
  expect_error(ErrorCode::kShape, {"block 5", "slot 1", "up to 4"}, [&] { logits(69, {0, 5}); });
  expect_error(ErrorCode::kShape, {"block 1", "slot 1"}, [&] { logits(69, {1, 1}); });
}

// No call takes more than what the op says, and one of them takes all of it.
TEST(Attention, ScratchIsWhatTheOpSays) {
  for (const int threads : {1, 2, 40})
    for (const Shape& shape : {Shape{300, 5000, 4, 2, 8, 8}, {40, 300, 4, 2, 8, 16}, {1, 9000, 16, 1, 16, 8}}) {
      const Problem problem(shape);
      ThreadPool pool(threads);
      Workspace workspace;
      const Context context{cpu_device(), find_kernels("best"), Numerics::kFp32, workspace, pool};
      for (const int64_t R : {int64_t{1}, shape.R / 10, shape.R / 3, shape.R / 2, shape.R}) {
        if (R == 0) continue;
        Buffer<float> o(R * shape.H * shape.Dv);
        for (const int64_t first : {int64_t{0}, shape.S - R})
          dense_attention(context, problem.queries(0, R), problem.keys, problem.values, first, problem.scale,
                          o.view(R, shape.H, shape.Dv));
      }
      const int64_t said = attention_scratch_bytes({shape.R, shape.S, shape.H, shape.Hkv, shape.D, shape.Dv}, {threads});
      EXPECT_LE(workspace.peak_bytes(), said) << shape.name() << ", " << threads << " threads";
      EXPECT_GE(workspace.peak_bytes(), said * 9 / 10) << shape.name() << ", " << threads << " threads";
    }
}

TEST(Attention, NoRowsIsNoWork) {
  const Problem problem({1, 10, 2, 1, 16, 16});
  dense_attention(on(find_kernels("best")), problem.queries(0, 0), problem.keys, problem.values, 10, problem.scale,
                  make_view(static_cast<float*>(nullptr), 0, 2, 16));
}

TEST(Attention, BadCallsNameTheNumbers) {
  const Problem problem({4, 100, 4, 2, 16, 8});
  const Kernels& kernels = find_kernels("best");
  Buffer<float> memory(4 * 4 * 32);
  const auto o = memory.view(4, 4, 8);
  const auto q = problem.queries(0, 4);
  const auto dense = [&](TensorView<const float, 3> query, int64_t first, float scale, TensorView<float, 3> out) {
    dense_attention(on(kernels), query, problem.keys, problem.values, first, scale, out);
  };
  expect_error(ErrorCode::kShape, {"dense_attention", "[4, 2, 32]", "2 KV heads of 16"},
               [&] { dense(memory.view(4, 2, 32), 96, 1, o); });
  expect_error(ErrorCode::kShape, {"[4, 3, 16]"}, [&] { dense(memory.view(4, 3, 16), 96, 1, o); });
  expect_error(ErrorCode::kShape, {"o is [4, 4, 16]", "[4, 4, 8]"}, [&] { dense(q, 96, 1, memory.view(4, 4, 16)); });
  expect_error(ErrorCode::kShape, {"97 to 100", "100 keys"}, [&] { dense(q, 97, 1, o); });
  expect_error(ErrorCode::kShape, {"-1"}, [&] { dense(q, -1, 1, o); });
  expect_error(ErrorCode::kShape, {"scale is 0"}, [&] { dense(q, 96, 0, o); });
  const ValueCache empty(2, 8, 100);
  expect_error(ErrorCode::kShape, {"0 values", "100 keys"},
               [&] { dense_attention(on(kernels), q, problem.keys, empty, 96, 1, o); });
  const auto sparse = [&](std::vector<int32_t> ids, int64_t slots, int64_t block_size) {
    sparse_attention(on(kernels), q.slice(0, 1), problem.keys, problem.values, 96, block_size,
                     make_view(static_cast<const int32_t*>(ids.data()), 1, static_cast<int64_t>(ids.size()) / slots, slots),
                     1, o.slice(0, 1));
  };
  expect_error(ErrorCode::kShape, {"sparse_attention", "block 7 in slot 0", "up to 6"}, [&] {
    sparse({7, -1, 1, 2}, 2, 16);
  });
  expect_error(ErrorCode::kShape, {"KV head 1", "block 1 in slot 1"}, [&] { sparse({1, 2, 2, 1}, 2, 16); });
  expect_error(ErrorCode::kShape, {"block 2 in slot 1"}, [&] { sparse({2, 2, 1, 2}, 2, 16); });
  expect_error(ErrorCode::kShape, {"block 2 in slot 1"}, [&] { sparse({-1, 2, 1, 2}, 2, 16); });
  expect_error(ErrorCode::kShape, {"block -2"}, [&] { sparse({-2, 2, 1, 2}, 2, 16); });
  expect_error(ErrorCode::kShape, {"block_size is 0"}, [&] { sparse({0, 1, 1, 2}, 2, 0); });
  expect_error(ErrorCode::kShape, {"[1, 1, 2]", "2 KV heads"}, [&] { sparse({0, 1}, 2, 16); });
}

INSTANTIATE_EVERY_KERNEL();

}  // namespace
}  // namespace sala::ops
