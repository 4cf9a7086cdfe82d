#include "tasks/ruler/vt.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "sala/core/error.h"
#include "tasks/ruler/niah.h"  // kNoiseSentence
#include "tasks/ruler/ruler_task.h"
#include "tasks/ruler/upstream_source.h"
#include "tasks/text/budget.h"
#include "tasks/text/values.h"

namespace sala::tasks {
namespace {

constexpr int64_t kVtTokens = 30;
constexpr int64_t kExampleShare = 8;  // of the length: below 4000 tokens the example shrinks with it
constexpr int64_t kLeastUnits = 5;

// Beginnings of a noise line as the last line of a haystack: none, after each sentence, and after each word.
std::vector<std::string> noise_tails(bool words) {
  std::vector<std::string> tails = {""};
  const std::string line = "\n" + std::string(kNoiseSentence);
  for (size_t at = line.find(' '); at != std::string::npos; at = line.find(' ', at + 1))
    if (words || line[at - 1] == '.') tails.push_back(line.substr(0, at));
  return tails;
}

struct VtDraft {
  std::string example;  // solved example with its answer, newline at the end
  VtChain chain;
  VtText text;
};

class VtTask final : public RulerTask {
 public:
  VtTask()
      : RulerTask({.name = "vt",
                   .description = "five variables of one value through four assignments",
                   .tokens_to_generate = kVtTokens,
                   .lm_eval_name = "ruler_vt",
                   .training = {.figure = "tokens"}}) {}
  std::unique_ptr<UpstreamSamples> upstream_samples(const SampleRequest& request,
                                                    const Tokenizer& tokenizer) const override {
    return size_upstream(*this, make_upstream_vt(request, tokenizer), request, tokenizer);
  }

 protected:
  Sample fixed_sample(const SampleRequest& request, const Tokenizer& tokenizer) const override;

 private:
  std::string example(Rng& rng, const SampleRequest& request, const Tokenizer& tokenizer, std::set<std::string>& used) const;
  VtDraft draft(const SampleRequest& request, const Tokenizer& tokenizer) const;
  // The whole prompt; `parts` sentences of a last, shorter noise line.
  std::string prompt(const SampleRequest& request, const VtDraft& draft, int64_t units, std::string_view tail) const;
};

// What a noise line adds behind others.
int64_t line_tokens(const Tokenizer& tokenizer) {
  const std::string line = fmt::format("{}\n", kNoiseSentence);
  return tokenizer.count(line + line + line) - tokenizer.count(line + line);
}

// A solved example of at most kVtExampleTokens, in which every name and the value are of this sample alone.
std::string VtTask::example(Rng& rng, const SampleRequest& request, const Tokenizer& tokenizer,
                            std::set<std::string>& used) const {
  const VtChain chain =
      make_vt_chain(draw_vt_value(rng, request.split, used), draw_vt_names(rng, request.split, 3, kVtHops + 1, used));
  const VtText text = vt_text(chain.value, kVtHops + 1);
  const auto build = [&](int64_t units) {
    Rng positions = stream(request, 2);
    std::string built = text.header;
    append_vt_context(built, chain, draw_vt_positions(positions, units, kVtHops + 1), units);
    return built + text.question + text.answer_prefix;
  };
  const int64_t limit = std::min(kVtExampleTokens, request.length / kExampleShare);
  const int64_t line = line_tokens(tokenizer);
  int64_t units = std::max<int64_t>(1, 1 + (limit - tokenizer.count(build(1))) / line);
  while (units > 1 && tokenizer.count(build(units)) > limit) --units;
  return fmt::format("{} {}\n", build(units), fmt::join(chain.names, " "));
}

VtDraft VtTask::draft(const SampleRequest& request, const Tokenizer& tokenizer) const {
  Rng rng = stream(request, 0);
  std::set<std::string> used;
  VtDraft draft;
  draft.chain =
      make_vt_chain(draw_vt_value(rng, request.split, used), draw_vt_names(rng, request.split, 5, kVtHops + 1, used));
  draft.text = vt_text(draft.chain.value, kVtHops + 1);
  draft.example = example(rng, request, tokenizer, used);
  return draft;
}

std::string VtTask::prompt(const SampleRequest& request, const VtDraft& draft, int64_t units, std::string_view tail) const {
  std::string text;
  text.reserve(draft.example.size() + static_cast<size_t>(units + 16) * (kNoiseSentence.size() + 1));
  text.append(draft.example).append("\n").append(draft.text.header);
  Rng positions = stream(request, 1);
  append_vt_context(text, draft.chain, draw_vt_positions(positions, units, kVtHops + 1), units);
  return text.append(tail).append(draft.text.question).append(draft.text.answer_prefix);
}

Sample VtTask::fixed_sample(const SampleRequest& request, const Tokenizer& tokenizer) const {
  const VtDraft parts = draft(request, tokenizer);
  const int64_t line = line_tokens(tokenizer), target = request.length - kVtTokens;
  const int64_t smallest = tokenizer.count(prompt(request, parts, kLeastUnits, ""));
  if (smallest > target) throw_too_short(name(), request.length, smallest, kVtTokens);
  const auto least = static_cast<int64_t>(std::ceil(kMinimumFill * static_cast<double>(target)));
  Tokenized tokens = fit_budget(name(), target, tokenizer, [&](int64_t budget) {
    const int64_t units = kLeastUnits + std::max<int64_t>(0, budget - smallest) / line;
    const int64_t whole = smallest + (units - kLeastUnits) * line;
    std::pair<std::string, int64_t> tail{"",
                                         0};  // the beginning of one more line, only where the fill is too low without it
    for (const bool words : {false, true}) {
      if (whole + tail.second >= least) break;
      for (const std::string& part : noise_tails(words)) {
        const int64_t taken = tokenizer.count(prompt(request, parts, kLeastUnits, part)) - smallest;
        if (whole + taken > budget) break;
        if (taken > tail.second) tail = {part, taken};
      }
    }
    return Built{prompt(request, parts, units, tail.first), whole + tail.second, {}};
  });
  RulerText made;
  made.haystack_begin = static_cast<int64_t>(parts.example.size() + 1 + parts.text.header.size());
  made.haystack_end =
      static_cast<int64_t>(tokens.text.size() - parts.text.question.size() - parts.text.answer_prefix.size());
  auto at = static_cast<size_t>(made.haystack_begin);
  for (size_t i = 0; i < parts.chain.lines.size(); ++i) {
    at = tokens.text.find(parts.chain.lines[i], at);
    SALA_DCHECK(at != std::string::npos);
    const auto begin = static_cast<int64_t>(at);
    made.evidence.push_back(
        {begin, begin + static_cast<int64_t>(parts.chain.lines[i].size()), parts.chain.value, parts.chain.names[i]});
  }
  made.outputs = parts.chain.names;
  made.prefix_at = find_answer_prefix(tokens.text, parts.text.answer_prefix);
  return finish_sample(*this, request, std::move(tokens), std::move(made));
}

}  // namespace

VtChain make_vt_chain(std::string value, std::vector<std::string> names) {
  VtChain chain{std::move(value), std::move(names), {}};
  for (size_t i = 0; i < chain.names.size(); ++i)
    chain.lines.push_back(i == 0 ? fmt::format("VAR {} = {}", chain.names[0], chain.value)
                                 : fmt::format("VAR {} = VAR {} ", chain.names[i], chain.names[i - 1]));
  return chain;
}

std::vector<std::string> draw_vt_names(Rng& rng, Split split, int letters, int64_t count, std::set<std::string>& used) {
  std::vector<std::string> names;
  while (static_cast<int64_t>(names.size()) < count) {
    std::string name;
    for (int i = 0; i < letters; ++i) name.push_back(static_cast<char>('A' + rng.below(26)));
    if (name != "VAR" && split_of(name) == split && used.insert(name).second) names.push_back(std::move(name));
  }
  return names;
}

std::string draw_vt_value(Rng& rng, Split split, std::set<std::string>& used) {
  while (true) {
    std::string value = std::to_string(rng.between(10000, 99998));
    if (split_of(value) == split && used.insert(value).second) return value;
  }
}

VtText vt_text(std::string_view value, int64_t num_variables) {
  return {"Memorize and track the chain(s) of variable assignment hidden in the following text.\n\n",
          fmt::format("\nQuestion: Find all variables that are assigned the value {} in the text above.", value),
          fmt::format(" Answer: According to the chain(s) of variable assignment in the text above, {} variables are "
                      "assigned the value {}, they are: ",
                      num_variables, value)};
}

void append_vt_context(std::string& text, const VtChain& chain, const std::vector<int64_t>& positions, int64_t units) {
  size_t next = 0;
  bool first = true;
  const auto line = [&](std::string_view content) {
    if (!first) text.push_back('\n');
    first = false;
    text.append(content);
  };
  for (int64_t unit = 0; unit < units; ++unit) {
    for (; next < positions.size() && positions[next] == unit; ++next) line(chain.lines[next]);
    line(kNoiseSentence);
  }
}

std::vector<int64_t> draw_vt_positions(Rng& rng, int64_t units, int64_t count) {
  std::vector<int64_t> positions;
  while (static_cast<int64_t>(positions.size()) < count) {
    const auto position = static_cast<int64_t>(rng.below(static_cast<uint64_t>(units)));
    if (units >= count && std::find(positions.begin(), positions.end(), position) != positions.end()) continue;
    positions.push_back(position);
  }
  std::sort(positions.begin(), positions.end());
  return positions;
}

std::unique_ptr<const Task> make_vt_task() { return std::make_unique<VtTask>(); }

}  // namespace sala::tasks
