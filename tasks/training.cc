#include "sala/tasks/training.h"

#include <array>
#include <atomic>
#include <cstring>
#include <mutex>

#include "sala/core/error.h"
#include "sala/core/parallel.h"
#include "sala/core/rng.h"
#include "sim/text/output_file.h"

namespace sala::tasks {
namespace {

constexpr int64_t kHeaderBytes = 48;
constexpr int64_t kRowsPerTile = 64;
constexpr int64_t kMostRowTokens = int64_t{1} << 30;
constexpr int64_t kMostTokens = int64_t{1} << 60;

const Task& draw_task(const TrainingRequest& request, Rng& rng) {
  double total = 0;
  for (const auto& [name, weight] : request.mix) total += weight;
  if (!(total > 0))
    throw Error(ErrorCode::kUsage, "training rows: the weights of the tasks add up to {}; at least one must be positive",
                total);
  double at = rng.uniform() * total;
  std::string_view chosen;
  for (const auto& [name, weight] : request.mix) {
    chosen = name;
    at -= weight;
    if (at < 0) break;
  }
  if (const Task* task = find_task(chosen)) return *task;
  throw Error(ErrorCode::kUsage, "training rows: no task '{}'", chosen);
}

template <class T>
std::string_view bytes_of(const T& values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(values[0])};
}

std::array<unsigned char, kHeaderBytes> make_header(const TrainingRequest& request, const Tokenizer& tokenizer) {
  std::array<unsigned char, kHeaderBytes> header{};
  const auto put = [&](size_t at, uint64_t value, size_t bytes) {
    for (size_t i = 0; i < bytes; ++i) header[at + i] = static_cast<unsigned char>(value >> (8 * i));
  };
  std::memcpy(header.data(), "SALATOK1", 8);
  put(8, 1, 4);
  put(12, static_cast<uint64_t>(request.row_tokens), 4);
  put(16, static_cast<uint64_t>(request.rows), 8);
  put(24, request.seed, 8);
  const std::string hash = tokenizer.hash();
  std::memcpy(header.data() + 32, hash.data(), std::min<size_t>(16, hash.size()));
  return header;
}

}  // namespace

TrainingRow make_training_row(const TrainingRequest& request, int64_t index, const Tokenizer& tokenizer) {
  if (tokenizer.vocab_size() > 65536)
    throw Error(ErrorCode::kUnsupported, "packed tokens hold 16-bit ids; the {} tokenizer has {} pieces", tokenizer.kind(),
                tokenizer.vocab_size());
  Rng rng(request.seed, request.split == Split::kTrain ? "training/train" : "training/eval", static_cast<uint64_t>(index));
  const Task& task = draw_task(request, rng);
  return training_rows(task).row(task, request, rng, tokenizer);
}

void write_training_file(const std::string& path, const TrainingRequest& request, const Tokenizer& tokenizer,
                         const std::function<void(int64_t)>& progress) {
  if (request.row_tokens < 1 || request.row_tokens > kMostRowTokens || request.rows < 1 ||
      request.rows > kMostTokens / request.row_tokens)
    throw Error(ErrorCode::kUsage, "training rows: {} rows of {} tokens; a row has 1 to {} tokens, a file at most {}",
                request.rows, request.row_tokens, kMostRowTokens, kMostTokens);
  make_training_row(request, 0, tokenizer);  // refuse before the file exists
  text::OutputFile file(path);
  file.write_at(bytes_of(make_header(request, tokenizer)), 0);
  const int64_t mask_start = kHeaderBytes + request.rows * request.row_tokens * 2;
  std::atomic<int64_t> done{0};
  std::mutex progress_mutex;
  parallel_for((request.rows + kRowsPerTile - 1) / kRowsPerTile, [&](int64_t tile, int) {
    const int64_t first = tile * kRowsPerTile, last = std::min(request.rows, first + kRowsPerTile);
    std::vector<uint16_t> ids;
    std::vector<uint8_t> mask;
    for (int64_t index = first; index < last; ++index) {
      const TrainingRow row = make_training_row(request, index, tokenizer);
      ids.insert(ids.end(), row.ids.begin(), row.ids.end());
      mask.insert(mask.end(), row.mask.begin(), row.mask.end());
    }
    file.write_at(bytes_of(ids), kHeaderBytes + first * request.row_tokens * 2);
    file.write_at(bytes_of(mask), mask_start + first * request.row_tokens);
    const int64_t total = done += last - first;
    if (progress) {
      const std::lock_guard lock(progress_mutex);
      progress(total);
    }
  });
  file.keep();
}

}  // namespace sala::tasks
