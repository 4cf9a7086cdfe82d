#include "tasks/ruler/upstream.h"

#include <algorithm>
#include <cmath>

#include "sala/core/error.h"
#include "tasks/ruler/upstream_source.h"

namespace sala::tasks {
namespace {

// a // b of Python for positive doubles.
double python_floor_divide(double a, double b) {
  const double quotient = (a - std::fmod(a, b)) / b;
  const double floored = std::floor(quotient);
  return quotient - floored > 0.5 ? floored + 1 : floored;
}

class SizedSamples final : public UpstreamSamples {
 public:
  SizedSamples(const Task& task, std::unique_ptr<UpstreamSource> source, const SampleRequest& request,
               const Tokenizer& tokenizer)
      : task_(task), length_(request.length), tokenizer_(tokenizer), source_(std::move(source)) {
    try {
      size_ = search_upstream_size(*source_, length_, task.traits().tokens_to_generate, tokenizer);
    } catch (const PythonError& error) {
      throw Error(ErrorCode::kUsage, "{}: upstream's size search crashes at length {}: {}; use mode fixed", task.name(),
                  length_, error.what());
    }
  }
  RulerText next(Tokenized& tokens) override {
    return draw_upstream_sample(*source_, task_.name(), size_, index_++, length_, task_.traits().tokens_to_generate,
                                tokenizer_, tokens);
  }

 private:
  const Task& task_;
  int64_t length_, size_ = 0, index_ = 0;
  const Tokenizer& tokenizer_;
  std::unique_ptr<UpstreamSource> source_;
};

class UpstreamStream final : public SampleStream {
 public:
  UpstreamStream(const RulerTask& task, const SampleRequest& first, const Tokenizer& tokenizer);
  Sample next() override;

 private:
  const RulerTask& task_;
  SampleRequest request_;  // of the next sample
  std::unique_ptr<UpstreamSamples> samples_;
};

UpstreamStream::UpstreamStream(const RulerTask& task, const SampleRequest& first, const Tokenizer& tokenizer)
    : task_(task), request_(first) {
  if (first.split == Split::kTrain)
    throw Error(ErrorCode::kUsage, "{}: upstream mode knows no training split; use mode fixed", task.name());
  if (first.seed >> 32)
    throw Error(ErrorCode::kUsage, "{}: seed {} is too large for upstream mode; NumPy takes at most {}", task.name(),
                first.seed, 0xffffffffu);
  if (first.length <= task.traits().tokens_to_generate)
    throw_too_short(task.name(), first.length, 1, task.traits().tokens_to_generate);
  samples_ = task.upstream_samples(request_, tokenizer);
  Tokenized ignored;
  for (int64_t index = 0; index < first.index; ++index) samples_->next(ignored);
}

Sample UpstreamStream::next() {
  Tokenized tokens;
  RulerText text = samples_->next(tokens);
  const SampleRequest request = request_;
  ++request_.index;
  return finish_sample(task_, request, std::move(tokens), std::move(text));
}

}  // namespace

int64_t search_upstream_size(UpstreamSource& source, int64_t limit, int64_t reserve, const Tokenizer& tokenizer) {
  const UpstreamSource::Sizing sizing = source.sizing();
  const auto count = [&](int64_t size) { return tokenizer.count(source.generate(size, 0).prompt); };
  const double per_unit = static_cast<double>(count(sizing.probe)) / static_cast<double>(sizing.probe);
  const auto length = static_cast<double>(limit);
  const int64_t estimate = sizing.word_bounds ? static_cast<int64_t>(python_floor_divide(length, per_unit)) * 2
                                              : static_cast<int64_t>((length / per_unit) * 3);
  int64_t low = sizing.increment, high = std::max(estimate, 2 * sizing.increment), best = sizing.increment;
  while (low <= high) {
    const int64_t middle = (low + high) / 2;
    if (count(middle) + source.tokens_beside() + reserve <= limit) {
      best = middle;
      low = middle + 1;
    } else {
      high = middle - 1;
    }
  }
  return best;
}

RulerText draw_upstream_sample(UpstreamSource& source, std::string_view task, int64_t size, int64_t index, int64_t limit,
                               int64_t reserve, const Tokenizer& tokenizer, Tokenized& tokens) {
  constexpr int kPatience = 50;  // fresh samples of the smallest size
  const int64_t increment = source.sizing().increment;
  std::string reason;
  for (int retries = 0; retries < kPatience;) {
    try {
      RulerText text = source.finish(source.generate(size, index));
      tokens.text = std::move(text.prompt);
      tokenizer.encode_into(tokens.text, tokens.ids, tokens.offsets);
      if (tokens.tokens() + reserve <= limit) return text;
      reason = fmt::format("{} tokens", tokens.tokens() + reserve);
    } catch (const PythonError& error) {
      reason = error.what();
    }
    if (size > increment)
      size -= increment;
    else
      ++retries;
  }
  throw Error(
      ErrorCode::kUsage,
      "{}: length {} is too small: upstream retries for ever at its smallest size ({}); use mode fixed or a longer length",
      task, limit, reason);
}

std::unique_ptr<UpstreamSamples> size_upstream(const Task& task, std::unique_ptr<UpstreamSource> source,
                                               const SampleRequest& request, const Tokenizer& tokenizer) {
  return std::make_unique<SizedSamples>(task, std::move(source), request, tokenizer);
}

Sample upstream_sample(const RulerTask& task, const SampleRequest& request, const Tokenizer& tokenizer) {
  return UpstreamStream(task, request, tokenizer).next();
}

std::unique_ptr<SampleStream> open_upstream_stream(const RulerTask& task, const SampleRequest& first,
                                                   const Tokenizer& tokenizer) {
  return std::make_unique<UpstreamStream>(task, first, tokenizer);
}

}  // namespace sala::tasks
