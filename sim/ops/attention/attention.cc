#include "sim/ops/attention/attention.h"

#include <algorithm>
#include <vector>

#include "sala/core/error.h"
#include "sim/ops/attention/attention_tiles.h"
#include "sim/ops/context.h"

namespace sala::ops {
namespace {

constexpr int64_t kRowsPerTask = 192;    // they share what is read of keys and values
constexpr int64_t kEnoughTasks = 16;     // below, the keys are split too
constexpr int64_t kStatesTogether = 32;  // of tiles and spans, when they are split

// How a call is cut into tasks, and what they take.
struct Cut {
  int64_t rows, last_key, group, kv_heads, dim, value_dim;

  int64_t tokens_per_task() const { return std::clamp<int64_t>(kRowsPerTask / group, 1, std::max<int64_t>(1, rows)); }
  int64_t tiles() const { return (rows + tokens_per_task() - 1) / tokens_per_task(); }
  int64_t tasks() const { return tiles() * kv_heads; }
  int64_t spans() const { return (last_key + kAttendSpan - 1) / kAttendSpan; }
  bool split() const { return tasks() < kEnoughTasks && spans() > 1; }
  // Spans whose states of all tasks are held at a time, when the keys are split.
  int64_t together() const { return std::min(spans(), std::max<int64_t>(1, kStatesTogether / tasks())); }
  int64_t state_floats() const { return AttendState::floats(tokens_per_task() * group, value_dim); }
  int64_t scratch_floats() const { return AttendScratch::floats(tokens_per_task(), group, dim, value_dim); }
};

// Of each worker; of each state.
struct Memory {
  float *scratch, *states;
};
template <class Source>
Memory take_memory(Source& source, const Cut& cut, int threads) {
  const int64_t states = cut.split() ? cut.tasks() * (cut.together() + 1) : threads;
  return {source.template take<float>(threads, cut.scratch_floats()).data,
          source.template take<float>(states, cut.state_floats()).data};
}
int64_t memory_bytes(const Cut& cut, int threads) {
  ByteCounter counter;
  take_memory(counter, cut, threads);
  return counter.bytes();
}

struct Call {
  const Context& context;
  TensorView<const float, 3> q;
  const PackedKeys& keys;
  const ValueCache& values;
  int64_t first;
  int64_t block_size;
  TensorView<const int32_t, 3> blocks;  // no data: all keys
  float scale;
  TensorView<float, 3> o;
  Cut cut{q.extent[0], first + q.extent[0], q.extent[1] / keys.kv_heads(), keys.kv_heads(), q.extent[2], values.dim()};

  AttendState state(float* memory) const { return {memory, cut.tokens_per_task() * cut.group, values.dim()}; }
  // The last tiles come first: under a causal mask they are the longest.
  AttendTask task(int64_t index) const;
  void finish(int64_t index, const AttendState& state) const;
  int64_t row_of(int64_t index) const { return (cut.tiles() - 1 - index % cut.tiles()) * cut.tokens_per_task(); }
};

AttendTask Call::task(int64_t index) const {
  const int64_t head = index / cut.tiles(), row = row_of(index);
  AttendTask task;
  task.q = q[row][head * cut.group].data;
  task.q_row_stride = q.stride[0];
  task.q_head_stride = q.stride[1];
  task.tokens = std::min(cut.tokens_per_task(), q.extent[0] - row);
  task.group = cut.group;
  task.dim = q.extent[2];
  task.value_dim = values.dim();
  task.position = first + row;
  task.panels = keys.panels(head);
  task.values = values.rows(head);
  task.num_keys = values.size();
  if (blocks.data != nullptr) task.blocks = blocks[row][head].data;
  task.blocks_row_stride = blocks.stride[0];
  task.slots = blocks.extent[2];
  task.block_size = block_size;
  task.last_span = (task.position + task.tokens - 1) / kAttendSpan + 1;
  task.scale = scale;
  task.numerics = context.numerics;
  return task;
}

void Call::finish(int64_t index, const AttendState& state) const {
  SALA_TILE(context, attend_finish)
  (task(index), state, o[row_of(index)][index / cut.tiles() * cut.group].data, o.stride[0], o.stride[1]);
}

void run_whole(const Call& call, const Memory& memory) {
  const Cut& cut = call.cut;
  const auto attend = SALA_TILE(call.context, attend);
  call.context.pool.run(cut.tasks(), [&](int64_t index, int worker) {
    const AttendTask task = call.task(index);
    const AttendState state = call.state(memory.states + worker * cut.state_floats());
    attend(task, AttendScratch(memory.scratch + worker * cut.scratch_floats(), task), state);
    call.finish(index, state);
  });
}

// Few tokens: every span of keys is a task of its own, merged in the same order as in run_whole().
void run_split(const Call& call, const Memory& memory) {
  const Cut& cut = call.cut;
  const int64_t tasks = cut.tasks(), spans = cut.spans(), together = cut.together();
  const auto attend = SALA_TILE(call.context, attend);
  const auto merge = SALA_TILE(call.context, attend_merge);
  const auto total = [&](int64_t index) { return call.state(memory.states + index * cut.state_floats()); };
  const auto part = [&](int64_t index, int64_t i) { return total(tasks + index * together + i); };
  for (int64_t begin = 0; begin < spans; begin += together) {
    const int64_t count = std::min(together, spans - begin);
    call.context.pool.run(tasks * count, [&](int64_t item, int worker) {
      AttendTask task = call.task(item / count);
      task.first_span = begin + item % count;
      task.last_span = std::min(task.last_span, task.first_span + 1);
      const AttendScratch mine(memory.scratch + worker * cut.scratch_floats(), task);
      attend(task, mine, begin + item % count == 0 ? total(item / count) : part(item / count, item % count));
    });
    call.context.pool.run(tasks, [&](int64_t index, int) {
      for (int64_t i = begin == 0 ? 1 : 0; i < count; ++i) merge(call.task(index), part(index, i), total(index));
      if (begin + count == spans) call.finish(index, total(index));
    });
  }
}

[[maybe_unused]] AttendRows rows_of(const Call& call) {  // in a build with CUDA
  AttendRows rows;
  rows.q = call.q;
  rows.keys = call.keys.panels(0);
  rows.values = call.values.rows(0);
  rows.key_head_stride = call.keys.panels(1) - rows.keys;
  rows.value_head_stride = call.values.rows(1) - rows.values;
  rows.num_keys = call.values.size();
  rows.kv_heads = call.keys.kv_heads();
  rows.first = call.first;
  rows.blocks = call.blocks;
  rows.block_size = call.block_size;
  rows.scale = call.scale;
  rows.numerics = call.context.numerics;
  rows.o = call.o;
  return rows;
}

void run(const Call& call) {
  if (call.q.extent[0] == 0) return;
  SALA_ON_CUDA(call.context, attend(call.context, rows_of(call)));
  if (call.context.is_ref()) {
    for (int64_t r = 0; r < call.q.extent[0]; ++r)
      attend_ref(call.q[r], call.keys, call.values, call.first + r, call.block_size,
                 call.blocks.data == nullptr ? TensorView<const int32_t, 2>{} : call.blocks[r], call.scale,
                 call.context.numerics, call.o[r]);
    return;
  }
  const Workspace::Scope scope(call.context.workspace);
  const Memory memory = take_memory(call.context.workspace, call.cut, call.context.pool.threads());
  call.cut.split() ? run_split(call, memory) : run_whole(call, memory);
}

void check(const char* what, TensorView<const float, 3> q, const PackedKeys& keys, const ValueCache& values, int64_t first,
           float scale, TensorView<float, 3> o) {
  if (q.extent[2] != keys.dim() || q.extent[1] % keys.kv_heads() != 0 || q.extent[1] == 0)
    throw Error(ErrorCode::kShape, "{}: q is [{}, {}, {}], the keys have {} KV heads of {} dims", what, q.extent[0],
                q.extent[1], q.extent[2], keys.kv_heads(), keys.dim());
  if (values.kv_heads() != keys.kv_heads() || values.size() != keys.size())
    throw Error(ErrorCode::kShape, "{}: {} values of {} KV heads, {} keys of {}", what, values.size(), values.kv_heads(),
                keys.size(), keys.kv_heads());
  if (o.extent[0] != q.extent[0] || o.extent[1] != q.extent[1] || o.extent[2] != values.dim())
    throw Error(ErrorCode::kShape, "{}: o is [{}, {}, {}], expected [{}, {}, {}]", what, o.extent[0], o.extent[1],
                o.extent[2], q.extent[0], q.extent[1], values.dim());
  if (first < 0 || first + q.extent[0] > keys.size())
    throw Error(ErrorCode::kShape, "{}: queries at positions {} to {}, there are {} keys", what, first,
                first + q.extent[0] - 1, keys.size());
  if (!(scale > 0)) throw Error(ErrorCode::kShape, "{}: scale is {}, expected a number above 0", what, scale);
}

void check_blocks(TensorView<const int32_t, 3> blocks, TensorView<const float, 3> q, int64_t kv_heads, int64_t first,
                  int64_t block_size, bool on_host) {
  if (block_size < 1) throw Error(ErrorCode::kShape, "sparse_attention: block_size is {}, expected at least 1", block_size);
  if (blocks.extent[0] != q.extent[0] || blocks.extent[1] != kv_heads)
    throw Error(ErrorCode::kShape, "sparse_attention: blocks is [{}, {}, {}], q has {} rows and the keys {} KV heads",
                blocks.extent[0], blocks.extent[1], blocks.extent[2], q.extent[0], kv_heads);
  for (int64_t r = 0; r < blocks.extent[0] && on_host; ++r)
    for (int64_t g = 0; g < kv_heads; ++g) {
      const int32_t* ids = blocks[r][g].data;
      const int64_t last = (first + r) / block_size;
      for (int64_t s = 0; s < blocks.extent[2]; ++s)
        if (ids[s] < -1 || ids[s] > last || (s > 0 && ids[s] >= 0 && ids[s] <= ids[s - 1]) ||
            (s > 0 && ids[s] >= 0 && ids[s - 1] < 0))
          throw Error(ErrorCode::kShape,
                      "sparse_attention: row {}, KV head {}: block {} in slot {}; expected ascending ids up to {}, then -1",
                      r, g, ids[s], s, last);
    }
}

// The keys that the query at `position` reads, ascending; as many as are returned.
int64_t list_keys(int64_t position, int64_t block_size, TensorView<const int32_t, 1> blocks, int64_t* keys) {
  int64_t count = 0;
  const auto add = [&](int64_t begin, int64_t end) {
    for (int64_t key = begin; key < std::min(end, position + 1); ++key) keys[count++] = key;
  };
  if (blocks.data == nullptr) add(0, position + 1);
  for (int64_t s = 0; s < blocks.extent[0] && blocks[s] >= 0; ++s) {
    if ((s > 0 && blocks[s] <= blocks[s - 1]) || blocks[s] > position / block_size)
      throw Error(ErrorCode::kShape, "attention_logits: block {} in slot {}; expected ascending ids up to {}, then -1",
                  blocks[s], s, position / block_size);
    add(blocks[s] * block_size, (blocks[s] + 1) * block_size);
  }
  return count;
}

// The same into memory of the context's device. Lists are made on the host.
int64_t write_keys(const Context& context, int64_t position, int64_t block_size, TensorView<const int32_t, 1> blocks,
                   int64_t* keys) {
  if (&context.device == &cpu_device()) return list_keys(position, block_size, blocks, keys);
  std::vector<int32_t> ids(static_cast<size_t>(blocks.extent[0]));
  context.device.copy(ids.data(), blocks.data, static_cast<int64_t>(sizeof(int32_t)) * blocks.extent[0],
                      Device::Copy::kToHost);
  context.device.sync();
  if (blocks.data != nullptr) blocks.data = ids.data();
  std::vector<int64_t> read(static_cast<size_t>(position + 1));
  const int64_t count = list_keys(position, block_size, blocks, read.data());
  context.device.copy(keys, read.data(), static_cast<int64_t>(sizeof(int64_t)) * count, Device::Copy::kFromHost);
  return count;
}

void run_logits(const Context& context, TensorView<const float, 1> q, const PackedKeys& keys, int64_t kv_head, float scale,
                TensorView<const int64_t, 1> read, float* logits) {
  constexpr int64_t kKeys = 4096;  // of a task
  const int64_t count = read.extent[0];
  SALA_ON_CUDA(context, attend_logits(q.data, scale, keys.panels(kv_head), keys.dim(), read.data, count, logits));
  if (context.is_ref()) return attend_logits_ref(q, keys, kv_head, read, scale, logits);
  const auto run = SALA_TILE(context, attend_logits);
  context.pool.run((count + kKeys - 1) / kKeys, [&](int64_t tile, int) {
    const int64_t begin = tile * kKeys;
    run(q.data, scale, keys.panels(kv_head), keys.dim(), read.data + begin, std::min(kKeys, count - begin), logits + begin);
  });
}

}  // namespace

void dense_attention(const Context& context, TensorView<const float, 3> q, const PackedKeys& keys, const ValueCache& values,
                     int64_t first, float scale, TensorView<float, 3> o) {
  check("dense_attention", q, keys, values, first, scale, o);
  run({context, q, keys, values, first, 1, {}, scale, o});
}

void sparse_attention(const Context& context, TensorView<const float, 3> q, const PackedKeys& keys, const ValueCache& values,
                      int64_t first, int64_t block_size, TensorView<const int32_t, 3> blocks, float scale,
                      TensorView<float, 3> o) {
  check("sparse_attention", q, keys, values, first, scale, o);
  check_blocks(blocks, q, keys.kv_heads(), first, block_size, &context.device == &cpu_device());
  if (blocks.extent[2] == 0) {  // no slots at all
    for (int64_t r = 0; r < o.extent[0]; ++r)
      for (int64_t h = 0; h < o.extent[1]; ++h)
        context.device.clear(o[r][h].data, o.extent[2] * static_cast<int64_t>(sizeof(float)));
    return;
  }
  run({context, q, keys, values, first, block_size, blocks, scale, o});
}

int64_t attention_scratch_bytes(const AttentionSize& most, const Workers& workers) {
#if defined(SALA_CUDA)
  if (workers.cuda) return cuda::attend_scratch_bytes(most);
#endif
  const int threads = workers.threads;
  Cut cut{most.rows, most.keys, most.heads / most.kv_heads, most.kv_heads, most.dim, most.value_dim};
  const int64_t full = cut.tokens_per_task();
  cut.last_key = 0;  // as long as there is one span
  int64_t largest = memory_bytes(cut, threads);
  cut.last_key = most.keys;
  for (int64_t tiles = 1; (tiles - 1) * full < most.rows && tiles * cut.kv_heads < kEnoughTasks; ++tiles) {
    cut.rows = std::min(tiles * full, most.rows);
    largest = std::max(largest, memory_bytes(cut, threads));
  }
  return largest;
}

int64_t attention_logits(const Context& context, TensorView<const float, 1> q, const PackedKeys& keys, int64_t kv_head,
                         int64_t position, int64_t block_size, TensorView<const int32_t, 1> blocks, float scale,
                         TensorView<int64_t, 1> read, TensorView<float, 1> logits) {
  if (q.extent[0] != keys.dim() || kv_head < 0 || kv_head >= keys.kv_heads() || block_size < 1)
    throw Error(ErrorCode::kShape, "attention_logits: q has {} dims, the keys {}; KV head {} of {}, blocks of {}",
                q.extent[0], keys.dim(), kv_head, keys.kv_heads(), block_size);
  if (position < 0 || position >= keys.size() || read.extent[0] <= position || logits.extent[0] <= position)
    throw Error(ErrorCode::kShape, "attention_logits: position {}, {} keys, room for {} ids and {} logits", position,
                keys.size(), read.extent[0], logits.extent[0]);
  const int64_t count = write_keys(context, position, block_size, blocks, read.data);
  run_logits(context, q, keys, kv_head, scale, read.slice(0, count), logits.data);
  return count;
}

}  // namespace sala::ops
