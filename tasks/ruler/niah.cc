#include "tasks/ruler/niah.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <memory>
#include <set>

#include "sala/core/error.h"
#include "tasks/ruler/ruler_task.h"
#include "tasks/ruler/upstream_source.h"
#include "tasks/text/essay.h"
#include "tasks/text/fit.h"
#include "tasks/text/hash_set.h"

namespace sala::tasks {
namespace {

constexpr int64_t kNiahTokens = 128;
constexpr int64_t kUnitsThatTell = 512;  // after these the bytes of the whole haystack are known well enough to reserve them
constexpr int64_t kProbedLength = 16384;  // from here on a probe costs less than a second count would, on average
constexpr int kDepthCount = 40;           // round(linspace(0, 100, 40)) of spec 1.4

const char* plural(ValueKind kind) {
  return kind == ValueKind::kNumber ? "numbers" : kind == ValueKind::kUuid ? "uuids" : "words";
}

// Distinct integers of [0, n), ascending.
std::vector<int64_t> draw_distinct(Rng& rng, int64_t n, int64_t count) {
  std::set<int64_t> chosen;
  while (static_cast<int64_t>(chosen.size()) < count)
    chosen.insert(static_cast<int64_t>(rng.below(static_cast<uint64_t>(n))));
  return {chosen.begin(), chosen.end()};
}

struct Needle {
  std::string key, value, sentence;
  size_t begin = 0;  // first byte in the prompt built last
};

// Draws keys and values that the sample does not hold yet: a second needle of the same key, or the answer in another needle,
// would make the question ambiguous (spec tasks 5, pitfall 9). Strings are remembered by hash; two that share one only cost
// a further draw.
class FreshValues {
 public:
  FreshValues(std::string_view task, const SampleRequest& request) : task_(task), request_(&request) {}
  const std::string& draw(Rng& rng, ValueKind kind) {
    for (int attempt = 0; attempt < kMostDraws; ++attempt) {
      if (used_.insert(draw_value(rng, kind, *request_, value_))) return value_;
    }
    throw Error(ErrorCode::kUsage, "{}: the length needs more distinct keys and values than there are (about {} drawn)",
                task_, used_.size());
  }
  void reserve(size_t values) { used_.reserve(values); }

 private:
  static constexpr int kMostDraws = 1000;
  std::string_view task_;
  const SampleRequest* request_;
  std::string value_;
  HashSet used_;
};

// Units 0, 1, ... of a sample's haystack, made when first asked for: sentences of the essay, noise lines, or distractor
// needles. Their text stands once in memory: a prompt is built in it (take), and made again should another one be needed.
class HaystackUnits {
 public:
  // values: as they are after the sample's own needles.
  HaystackUnits(const NiahSpec& spec, const SampleRequest& request, const FreshValues& values)
      : spec_(spec), request_(request), first_values_(values), values_(values), rng_(stream()) {}
  char separator() const { return spec_.haystack == Haystack::kEssay ? ' ' : '\n'; }
  // Room for so many units of that many bytes, and for the prompt around them, so that the text never moves.
  void reserve(size_t units, size_t bytes) {
    text_.reserve(bytes);
    ends_.reserve(units);
    if (spec_.haystack == Haystack::kNeedle) values_.reserve(2 * units);
  }
  std::string_view operator[](int64_t index) {
    if (spec_.haystack == Haystack::kNoise) return kNoiseSentence;
    if (taken_) restart();
    while (static_cast<int64_t>(ends_.size()) <= index) {
      if (spec_.haystack == Haystack::kEssay) {
        text_ += essay_sentence(request_, static_cast<int64_t>(ends_.size()));
      } else {
        key_ = values_.draw(rng_, spec_.key_kind);
        append_needle(text_, spec_.value_kind, key_, values_.draw(rng_, spec_.value_kind));
      }
      ends_.push_back(text_.size());
    }
    return unit(text_, index);
  }
  // Bytes of the first `count` units.
  size_t bytes(int64_t count) {
    if (count == 0 || spec_.haystack == Haystack::kNoise) return static_cast<size_t>(count) * kNoiseSentence.size();
    (*this)[count - 1];
    return ends_[static_cast<size_t>(count) - 1];
  }
  // A string of `size` bytes that begins with the first `count` units, one after the other, where unit() finds them.
  std::string take(int64_t count, size_t size) {
    std::string text;
    if (count > 0 && spec_.haystack != Haystack::kNoise) {
      (*this)[count - 1];
      text.swap(text_);
      taken_ = true;
      values_ = FreshValues(first_values_);  // gives the memory back, which an assignment of the same would not
    }
    text.resize(size);
    return text;
  }
  std::string_view unit(const std::string& text, int64_t index) const {
    if (spec_.haystack == Haystack::kNoise) return kNoiseSentence;
    const auto at = static_cast<size_t>(index);
    const size_t begin = at == 0 ? 0 : ends_[at - 1];
    return std::string_view(text).substr(begin, ends_[at] - begin);
  }

 private:
  Rng stream() const {
    return Rng(request_.seed, fmt::format("ruler/{}/haystack", spec_.name), static_cast<uint64_t>(request_.index));
  }
  void restart() {
    rng_ = stream();
    text_.clear(), ends_.clear();
    taken_ = false;
  }
  const NiahSpec& spec_;
  const SampleRequest& request_;
  const FreshValues first_values_;
  FreshValues values_;
  Rng rng_;
  std::string key_;   // of the unit that is being made
  std::string text_;  // units without separators
  std::vector<size_t> ends_;
  bool taken_ = false;  // text_ became a prompt; ends_ still tells where its units were
};

// Everything of a sample that does not depend on the haystack's size.
struct NiahDraft {
  std::vector<Needle> needles;  // in the order of insertion
  std::vector<std::string> outputs;
  NiahText text;
};

class NiahTask final : public RulerTask {
 public:
  explicit NiahTask(const NiahSpec& spec)
      : RulerTask({.name = std::string(spec.name),
                   .subgroup = "niah",
                   .description = std::string(spec.description),
                   .tokens_to_generate = kNiahTokens,
                   .training = {"needle", "values"},
                   .hides_answers = true}),
        spec_(spec) {}
  std::unique_ptr<UpstreamSamples> upstream_samples(const SampleRequest& request,
                                                    const Tokenizer& tokenizer) const override {
    return size_upstream(*this, make_upstream_niah(spec_, request), request, tokenizer);
  }

 protected:
  Sample fixed_sample(const SampleRequest& request, const Tokenizer& tokenizer) const override;

 private:
  NiahDraft draft(const SampleRequest& request, FreshValues& values) const;
  std::string prompt(const SampleRequest& request, NiahDraft& draft, HaystackUnits& units, int64_t count,
                     std::string_view part) const;

  NiahSpec spec_;
};

NiahDraft NiahTask::draft(const SampleRequest& request, FreshValues& fresh) const {
  Rng rng = stream(request, 0);
  NiahDraft draft;
  const int64_t keys = std::max(spec_.keys, spec_.queries);
  std::vector<std::string> names;
  std::vector<std::vector<std::string>> values;
  for (int64_t k = 0; k < keys; ++k) {
    names.push_back(fresh.draw(rng, spec_.key_kind));
    values.emplace_back();
    for (int64_t v = 0; v < spec_.values; ++v) {
      values.back().push_back(fresh.draw(rng, spec_.value_kind));
      draft.needles.push_back(
          {names.back(), values.back().back(), needle_sentence(spec_.value_kind, names.back(), values.back().back())});
    }
  }
  rng.shuffle(draft.needles);
  std::vector<int64_t> order(static_cast<size_t>(keys));
  for (size_t i = 0; i < order.size(); ++i) order[i] = static_cast<int64_t>(i);
  rng.shuffle(order);
  std::vector<std::string> asked;
  for (int64_t q = 0; q < spec_.queries; ++q) {
    const auto k = static_cast<size_t>(order[static_cast<size_t>(q)]);
    asked.push_back(names[k]);
    draft.outputs.insert(draft.outputs.end(), values[k].begin(), values[k].end());
  }
  draft.text = niah_text(spec_.value_kind, join_keys(asked), spec_.queries * spec_.values == 1);
  return draft;
}

// The prompt with the needles among the first `count` units (spec 1.4) and `part` of a further one behind them, if any.
// Positions are drawn per sample and scale with count. Notes in `draft` where each needle begins.
std::string NiahTask::prompt(const SampleRequest& request, NiahDraft& draft, HaystackUnits& units, int64_t count,
                             std::string_view part) const {
  Rng rng = stream(request, 1);
  const auto needles = static_cast<int64_t>(draft.needles.size());
  std::vector<int64_t> before;  // needle i goes before unit before[i]; ascending
  if (spec_.haystack == Haystack::kEssay) {
    for (int64_t d : draw_distinct(rng, kDepthCount, needles)) {
      const int64_t depth = std::lround(100.0 * static_cast<double>(d) / (kDepthCount - 1));
      before.push_back(count * depth / 100);
    }
  } else {
    before = draw_distinct(rng, std::max(count, needles), needles);
  }
  const NiahText& frame = draft.text;
  size_t size = frame.header.size() + units.bytes(count) + frame.question.size() + frame.answer_prefix.size();
  int64_t left = count + needles + (part.empty() ? 0 : 1);
  size += part.size() + static_cast<size_t>(left - 1);  // separators
  for (const Needle& needle : draft.needles) size += needle.sentence.size();
  // From the last byte to the first: every unit moves to the right, within the text that holds it, and what is written lies
  // behind all units still to be moved.
  std::string text = units.take(count, size);
  size_t at = size;
  const auto put = [&](std::string_view piece) {
    at -= piece.size();
    std::memmove(text.data() + at, piece.data(), piece.size());
  };
  const auto put_line = [&](std::string_view line) {
    put(line);
    const size_t begin = at;
    if (--left > 0) text[--at] = units.separator();
    return begin;
  };
  put(frame.answer_prefix);
  put(frame.question);
  if (!part.empty()) put_line(part);
  size_t next = before.size();
  for (int64_t u = count; u >= 0; --u) {
    if (u < count) put_line(units.unit(text, u));
    while (next > 0 && before[next - 1] >= u) {
      --next;
      draft.needles[next].begin = put_line(draft.needles[next].sentence);
    }
  }
  put(frame.header);
  SALA_DCHECK(at == 0);
  return text;
}

Sample NiahTask::fixed_sample(const SampleRequest& request, const Tokenizer& tokenizer) const {
  FreshValues values(spec_.name, request);
  NiahDraft parts = draft(request, values);
  HaystackUnits units(spec_, request, values);
  TokensAfterStop tokens_of(std::string(1, units.separator()), tokenizer);
  const int64_t noise_tokens = spec_.haystack == Haystack::kNoise ? tokens_of(kNoiseSentence) : 0;
  UnitPrompt growing;
  growing.task = spec_.name;
  growing.tokens_to_generate = kNiahTokens;
  int64_t tokens = 0;  // of the units so far
  // A needle may open an essay or not, and costs a token more or less there: at any depth but 0 it does not among 64
  // sentences, as it does not among more.
  if (spec_.haystack == Haystack::kEssay && request.length >= kProbedLength) growing.probe_units = 64;
  growing.unit_tokens = [&](int64_t i) {
    if (noise_tokens > 0) return noise_tokens;
    if (i == kUnitsThatTell) {
      const double times = 1.03 * static_cast<double>(request.length) / static_cast<double>(tokens);
      units.reserve(static_cast<size_t>(times * static_cast<double>(i)),
                    static_cast<size_t>(times * static_cast<double>(units.bytes(i) + static_cast<size_t>(i))));
    }
    const int64_t added = tokens_of(units[i]);
    tokens += added;
    return added;
  };
  growing.build = [&](int64_t count) { return prompt(request, parts, units, count, ""); };
  const int64_t target = request.length - kNiahTokens;
  FittedPrompt fitted = fit_prompt(growing, target, tokenizer);
  if (static_cast<double>(fitted.ids.size()) < kMinimumFill * static_cast<double>(target)) {
    const int64_t count = fitted.units;
    const LastUnit last = {std::string(units[count]), [&](std::string_view part) { return tokens_of(part); },
                           [&](std::string_view part) { return prompt(request, parts, units, count, part); }};
    fitted = fill_with_part(std::move(fitted), last, target, tokenizer);
  }

  Sample sample;
  sample.id = sample_id(*this, request);
  sample.task = spec_.name;
  sample.request = request;
  sample.outputs = parts.outputs;
  sample.tokens_to_generate = kNiahTokens;
  for (const Needle& needle : parts.needles) {
    if (std::find(parts.outputs.begin(), parts.outputs.end(), needle.value) == parts.outputs.end()) continue;
    const size_t end = needle.begin + needle.sentence.size(), value_end = end - 1;  // a full stop follows the value
    const FittedPrompt::Span span = fitted.tokens_of(needle.begin, end);
    Evidence evidence;
    evidence.token_begin = span.begin;
    evidence.token_end = span.end;
    evidence.depth = static_cast<double>(span.begin) / static_cast<double>(fitted.ids.size());
    evidence.key = needle.key;
    evidence.value = needle.value;
    evidence.value_token = fitted.token_of(value_end - needle.value.size());
    sample.evidence.push_back(std::move(evidence));
  }
  sample.template_tokens = fitted.tokens_beside(
      parts.text.header.size(), fitted.text.size() - parts.text.question.size() - parts.text.answer_prefix.size());
  sample.prompt_ids = std::move(fitted.ids);
  sample.answer_prefix = parts.text.answer_prefix;
  sample.input = std::move(fitted.text);
  sample.input.resize(sample.input.size() - sample.answer_prefix.size());
  return sample;
}

}  // namespace

const std::vector<NiahSpec>& niah_specs() {
  using enum ValueKind;
  static const std::vector<NiahSpec> specs = {
      {"niah_single_1", "one number among repeated noise lines", Haystack::kNoise, kWord, kNumber, 1, 1, 1},
      {"niah_single_2", "one number in an essay", Haystack::kEssay, kWord, kNumber, 1, 1, 1},
      {"niah_single_3", "one uuid in an essay", Haystack::kEssay, kWord, kUuid, 1, 1, 1},
      {"niah_multikey_1", "one of four numbers in an essay", Haystack::kEssay, kWord, kNumber, 4, 1, 1},
      {"niah_multikey_2", "one number in a haystack of needles", Haystack::kNeedle, kWord, kNumber, 1, 1, 1},
      {"niah_multikey_3", "one uuid by uuid in a haystack of needles", Haystack::kNeedle, kUuid, kUuid, 1, 1, 1},
      {"niah_multivalue", "four numbers of one key in an essay", Haystack::kEssay, kWord, kNumber, 1, 4, 1},
      {"niah_multiquery", "four keys asked at once in an essay", Haystack::kEssay, kWord, kNumber, 1, 1, 4},
  };
  return specs;
}

NiahText niah_text(ValueKind value_kind, const std::string& query, bool singular) {
  std::string type = plural(value_kind);
  if (singular) type.pop_back();
  NiahText text{
      "Some special magic {type} are hidden within the following text. Make sure to memorize it. I will quiz you about the "
      "{type} afterwards.\n",
      "\nWhat are all the special magic {type} for {query} mentioned in the provided text?",
      " The special magic {type} for {query} mentioned in the provided text are"};
  for (std::string* part : {&text.header, &text.question, &text.answer_prefix}) {
    if (singular) {  // the rewrite acts on the template, before any key is in it
      replace_all(*part, "Some", "A");
      replace_all(*part, "are all", "is");
      replace_all(*part, "are", "is");
      replace_all(*part, "answers", "answer");
    }
    replace_all(*part, "{type}", type);
    replace_all(*part, "{query}", query);
  }
  return text;
}

void append_needle(std::string& text, ValueKind value_kind, std::string_view key, std::string_view value) {
  text.append("One of the special magic ")
      .append(plural(value_kind))
      .append(" for ")
      .append(key)
      .append(" is: ")
      .append(value)
      .push_back('.');
}

std::string needle_sentence(ValueKind value_kind, std::string_view key, std::string_view value) {
  std::string text;
  append_needle(text, value_kind, key, value);
  return text;
}

std::string join_keys(const std::vector<std::string>& keys) {
  if (keys.size() == 1) return keys[0];
  std::string text;
  for (size_t i = 0; i < keys.size(); ++i) text += (i == 0 ? "" : i + 1 == keys.size() ? ", and " : ", ") + keys[i];
  return text;
}

std::unique_ptr<const Task> make_niah_task(const NiahSpec& spec) { return std::make_unique<NiahTask>(spec); }

}  // namespace sala::tasks
