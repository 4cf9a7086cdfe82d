#include "tasks/training_row.h"

#include <algorithm>
#include <cmath>

#include "sala/core/error.h"

namespace sala::tasks {
namespace {

// Share of a row that questions take in rows of kShortRow and kLongRow tokens; in between by the logarithm.
constexpr double kTurnsShort = 0.65, kTurnsLong = 0.20;
constexpr double kShortRow = 1024, kLongRow = 8192;

constexpr int64_t kAnswerRoom = 64;  // tokens left for an answer; a longer one is left out
constexpr double kWhole = 0.3;       // rows that are one sample
constexpr double kShortest = 0.2;    // of a row, for the shortest of several samples
constexpr int kMostFailures = 8;     // samples drawn again because their answer did not fit

Sample draw_sample(const TrainingRows& rows, const Task& task, int64_t tokens, const TrainingRequest& request, Rng& rng,
                   const Tokenizer& tokenizer) {
  SampleRequest wanted;
  // A sample keeps room for tokens_to_generate; what the answer does not need is given to the haystack.
  wanted.length = tokens + std::max<int64_t>(0, task.traits().tokens_to_generate - rows.answer_room(task));
  wanted.seed = rng.below(uint64_t{1} << 62);
  wanted.index = static_cast<int64_t>(rng.below(uint64_t{1} << 30));
  wanted.split = request.split;
  return task.make_sample(wanted, tokenizer);
}

}  // namespace

RowWriter::RowWriter(const TrainingRequest& request, const Tokenizer& tokenizer) : request_(request), tokenizer_(tokenizer) {
  row_.ids.push_back(static_cast<uint16_t>(request.bos_id));
  row_.mask.push_back(0);
}

bool RowWriter::append(const std::string& text, const std::string& answer) {
  const std::vector<int32_t> context = tokenizer_.encode(text), reply = tokenizer_.encode(answer);
  if (static_cast<int64_t>(context.size() + reply.size()) + 1 > room()) return false;
  row_.ids.insert(row_.ids.end(), context.begin(), context.end());
  row_.mask.insert(row_.mask.end(), context.size(), 0);
  row_.ids.insert(row_.ids.end(), reply.begin(), reply.end());
  row_.ids.push_back(static_cast<uint16_t>(request_.eos_id));
  row_.mask.insert(row_.mask.end(), reply.size() + 1, 1);
  ++turns_;
  return true;
}

TrainingRow RowWriter::finish() {
  row_.ids.resize(static_cast<size_t>(request_.row_tokens), static_cast<uint16_t>(request_.eos_id));
  row_.mask.resize(static_cast<size_t>(request_.row_tokens), 0);
  return std::move(row_);
}

double most_turns_share(int64_t row_tokens) {
  const double at = std::log2(static_cast<double>(row_tokens) / kShortRow) / std::log2(kLongRow / kShortRow);
  return kTurnsShort + (kTurnsLong - kTurnsShort) * std::clamp(at, 0.0, 1.0);
}

std::optional<TrainingRow> try_sample_row(const TrainingRows& rows, const Task& task, const TrainingRequest& request,
                                          Rng& rng, const Tokenizer& tokenizer) {
  RowWriter row(request, tokenizer);
  const bool one = request.as_evaluated || rng.uniform() < kWhole;
  bool rest = one;  // the next sample takes the rest of the row
  for (int failures = 0; failures < kMostFailures;) {
    const double share = std::pow(kShortest, rng.uniform());
    const auto part = static_cast<int64_t>(share * static_cast<double>(request.row_tokens));
    try {
      const Sample sample = draw_sample(rows, task, rest ? row.room() : std::min(part, row.room()), request, rng, tokenizer);
      if (row.append(sample.prompt(), rows.answer(task, sample))) {
        if (one || rest) break;
        continue;
      }
    } catch (const Error& error) {
      if (error.code() != ErrorCode::kUsage) throw;  // kUsage: too short for this task
    }
    if (rest && !row.empty()) break;
    rest = true;
    ++failures;
  }
  if (row.empty()) return std::nullopt;
  return row.finish();
}

TrainingRow sample_row(const TrainingRows& rows, const Task& task, const TrainingRequest& request, Rng& rng,
                       const Tokenizer& tokenizer) {
  if (auto row = try_sample_row(rows, task, request, rng, tokenizer)) return *std::move(row);
  throw Error(ErrorCode::kUsage,
              "training row: {} tokens cannot hold one sample of {}; use longer rows or leave the task out",
              request.row_tokens, task.name());
}

std::optional<TrainingRow> row_as_evaluated(const TrainingRows& rows, const Task& task, const TrainingRequest& request,
                                            Rng& rng, const Tokenizer& tokenizer) {
  if (request.as_evaluated) return sample_row(rows, task, request, rng, tokenizer);
  if (rng.uniform() < kAsEvaluatedShare) return try_sample_row(rows, task, request, rng, tokenizer);
  return std::nullopt;
}

TrainingRow TrainingRows::row(const Task& task, const TrainingRequest& request, Rng& rng, const Tokenizer& tokenizer) const {
  return sample_row(*this, task, request, rng, tokenizer);
}

std::string TrainingRows::answer(const Task& task, const Sample& sample) const {
  if (task.traits().any_answer_counts) return sample.outputs.at(0);
  std::string answer;
  for (const std::string& output : sample.outputs) answer += (answer.empty() ? "" : ", ") + output;
  return answer;
}

int64_t TrainingRows::answer_room(const Task& task) const { return std::min(task.traits().tokens_to_generate, kAnswerRoom); }

}  // namespace sala::tasks
