#include "tasks/ruler/ruler_task.h"

#include "sala/core/error.h"
#include "tasks/ruler/upstream.h"
#include "tasks/text/match.h"

namespace sala::tasks {

int64_t find_answer_prefix(std::string_view prompt, std::string_view answer_prefix) {
  const size_t at = prompt.rfind(answer_prefix.substr(0, 10));
  SALA_DCHECK(at != std::string_view::npos);
  return static_cast<int64_t>(at);
}

Sample finish_sample(const Task& task, const SampleRequest& request, Tokenized tokens, RulerText text) {
  Sample sample;
  sample.task = task.name();
  sample.request = request;
  sample.id = sample_id(task, request);
  sample.tokens_to_generate = task.traits().tokens_to_generate;
  sample.outputs = std::move(text.outputs);
  sample.template_tokens =
      tokens.tokens_beside(static_cast<size_t>(text.haystack_begin), static_cast<size_t>(text.haystack_end));
  sample.evidence.reserve(text.evidence.size());
  for (const EvidenceBytes& bytes : text.evidence) {
    const FittedPrompt::Span span = tokens.tokens_of(static_cast<size_t>(bytes.begin), static_cast<size_t>(bytes.end));
    Evidence found;
    found.token_begin = span.begin;
    found.token_end = span.end;
    found.depth = static_cast<double>(span.begin) / static_cast<double>(tokens.tokens());
    found.key = bytes.key;
    found.value = bytes.value;
    const auto begin = static_cast<size_t>(bytes.begin);
    const size_t value =
        std::string_view(tokens.text).substr(begin, static_cast<size_t>(bytes.end) - begin).find(bytes.value);
    if (value != std::string::npos && !bytes.value.empty()) found.value_token = tokens.token_of(begin + value);
    sample.evidence.push_back(std::move(found));
  }
  sample.prompt_ids = std::move(tokens.ids);
  sample.answer_prefix = tokens.text.substr(static_cast<size_t>(text.prefix_at));
  sample.input = std::move(tokens.text);
  sample.input.resize(static_cast<size_t>(text.prefix_at));
  return sample;
}

void replace_all(std::string& text, std::string_view from, std::string_view to) {
  for (size_t at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size()))
    text.replace(at, from.size(), to);
}

void throw_too_short(std::string_view task, int64_t length, int64_t smallest_prompt, int64_t tokens_to_generate) {
  throw Error(ErrorCode::kUsage,
              "{}: length {} is too small; this sample needs at least {} ({} tokens of prompt + {} to generate)", task,
              length, smallest_prompt + tokens_to_generate, smallest_prompt, tokens_to_generate);
}

namespace {

TaskTraits of_ruler(TaskTraits traits) {
  traits.group = traits.aggregate = "ruler";
  traits.texts_name = "ruler-synth";
  return traits;
}

}  // namespace

RulerTask::RulerTask(TaskTraits traits) : Task(of_ruler(std::move(traits))) {}

Sample RulerTask::make_sample(const SampleRequest& request, const Tokenizer& tokenizer) const {
  if (request.mode == Mode::kUpstream) return upstream_sample(*this, request, tokenizer);
  return fixed_sample(request, tokenizer);
}

std::unique_ptr<SampleStream> RulerTask::open_stream(const SampleRequest& first, const Tokenizer& tokenizer) const {
  if (first.mode == Mode::kUpstream) return open_upstream_stream(*this, first, tokenizer);
  return Task::open_stream(first, tokenizer);
}

Score RulerTask::score(const Sample& sample, std::string_view answer) const {
  const bool any = traits().any_answer_counts;
  return {any ? string_match_part(answer, sample.outputs) : string_match_all(answer, sample.outputs),
          {{"word_match", any ? word_match_part(answer, sample.outputs) : word_match_all(answer, sample.outputs)}}};
}

Rng RulerTask::stream(const SampleRequest& request, uint32_t id) const {
  return Rng(request.seed, std::string("ruler/").append(name()), static_cast<uint64_t>(request.index), id);
}

}  // namespace sala::tasks
