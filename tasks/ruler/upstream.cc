#include "tasks/ruler/upstream.h"

#include <algorithm>
#include <cmath>
#include <optional>

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

class UpstreamStream final : public SampleStream {
 public:
  UpstreamStream(const Task& task, const SampleRequest& first, const Tokenizer& tokenizer);
  Sample next() override;

 private:
  RulerText draw(Tokenized& tokens);

  const Task& task_;
  SampleRequest request_;
  const Tokenizer& tokenizer_;
  std::unique_ptr<UpstreamSource> source_;
  std::optional<UpstreamFwe> fwe_;
  int64_t size_ = 0, index_ = 0;
};

UpstreamStream::UpstreamStream(const Task& task, const SampleRequest& first, const Tokenizer& tokenizer)
    : task_(task), request_(first), tokenizer_(tokenizer) {
  if (first.split == Split::kTrain)
    throw Error(ErrorCode::kUsage, "{}: upstream mode knows no training split; use mode fixed", task.name());
  if (first.seed >> 32)
    throw Error(ErrorCode::kUsage, "{}: seed {} is too large for upstream mode; NumPy takes at most {}", task.name(),
                first.seed, 0xffffffffu);
  if (first.length <= task.tokens_to_generate()) throw_too_short(task.name(), first.length, 1, task.tokens_to_generate());
  for (const NiahSpec& spec : niah_specs())
    if (spec.name == task.name()) source_ = make_upstream_niah(spec, request_);
  if (task.name() == "vt")
    source_ = make_upstream_vt(request_, tokenizer);
  else if (task.name() == "cwe")
    source_ = make_upstream_cwe(request_);
  else if (task.name() == "qa_1" || task.name() == "qa_2")
    source_ = make_upstream_qa(task.name() == "qa_1" ? 1 : 2, request_);
  else if (task.name() == "fwe")
    fwe_.emplace(request_, tokenizer);
  else if (source_ == nullptr)
    throw Error(ErrorCode::kUnsupported, "{} has no upstream mode", task.name());
  if (source_ != nullptr) {
    try {
      size_ = search_upstream_size(*source_, request_.length, task.tokens_to_generate(), tokenizer);
    } catch (const PythonError& error) {
      throw Error(ErrorCode::kUsage, "{}: upstream's size search crashes at length {}: {}; use mode fixed", task.name(),
                  request_.length, error.what());
    }
  }
  Tokenized ignored;
  while (index_ < first.index) draw(ignored);
}

RulerText UpstreamStream::draw(Tokenized& tokens) {
  const int64_t index = index_++;
  if (fwe_) return fwe_->next(tokens);
  return draw_upstream_sample(*source_, task_.name(), size_, index, request_.length, task_.tokens_to_generate(), tokenizer_,
                              tokens);
}

Sample UpstreamStream::next() {
  request_.index = index_;
  Tokenized tokens;
  RulerText text = draw(tokens);
  return finish_sample(task_, request_, std::move(tokens), std::move(text));
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

Sample upstream_sample(const Task& task, const SampleRequest& request, const Tokenizer& tokenizer) {
  return UpstreamStream(task, request, tokenizer).next();
}

std::unique_ptr<SampleStream> open_upstream_stream(const Task& task, const SampleRequest& first,
                                                   const Tokenizer& tokenizer) {
  return std::make_unique<UpstreamStream>(task, first, tokenizer);
}

}  // namespace sala::tasks
