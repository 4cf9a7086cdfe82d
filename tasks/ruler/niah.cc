#include "tasks/ruler/niah.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <set>

#include "sala/core/error.h"
#include "tasks/text/essay.h"
#include "tasks/text/match.h"

namespace sala::tasks {
namespace {

constexpr int64_t kTokensToGenerate = 128;
constexpr int kDepths = 40;  // round(linspace(0, 100, 40)) of spec 1.4

const char* plural(ValueKind kind) {
  return kind == ValueKind::kNumber ? "numbers" : kind == ValueKind::kUuid ? "uuids" : "words";
}

void replace_all(std::string& text, std::string_view from, std::string_view to) {
  for (size_t at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size())) text.replace(at, from.size(), to);
}

// Distinct integers of [0, n), ascending.
std::vector<int64_t> draw_distinct(Rng& rng, int64_t n, int64_t count) {
  std::set<int64_t> chosen;
  while (static_cast<int64_t>(chosen.size()) < count) chosen.insert(static_cast<int64_t>(rng.below(static_cast<uint64_t>(n))));
  return {chosen.begin(), chosen.end()};
}

struct Needle {
  std::string key, value, sentence;
};

// Everything of a sample that does not depend on the haystack's size.
struct Draft {
  std::vector<Needle> needles;  // in the order of insertion
  std::vector<std::string> outputs;
  NiahText text;
};

class NiahTask final : public Task {
 public:
  explicit NiahTask(const NiahSpec& spec) : spec_(spec) {}
  std::string_view name() const override { return spec_.name; }
  std::string_view group() const override { return "ruler"; }
  std::string_view description() const override { return spec_.description; }
  int64_t tokens_to_generate() const override { return kTokensToGenerate; }
  double score(const Sample& sample, std::string_view answer) const override { return string_match_all(answer, sample.outputs); }
  Sample make_sample(const SampleRequest& request, const Tokenizer& tokenizer) const override;

 private:
  std::string domain() const { return fmt::format("ruler/{}", spec_.name); }
  Rng stream(const SampleRequest& request, uint32_t id) const {
    return Rng(request.seed, domain(), static_cast<uint64_t>(request.index), id);
  }
  Draft draft(const SampleRequest& request) const;
  std::string unit(const SampleRequest& request, const Draft& draft, int64_t index) const;
  std::string context(const SampleRequest& request, const Draft& draft, const std::vector<std::string>& units, int64_t count) const;
  int64_t separators() const;

  NiahSpec spec_;
};

Draft NiahTask::draft(const SampleRequest& request) const {
  Rng rng = stream(request, 0);
  Draft draft;
  const int64_t keys = std::max(spec_.keys, spec_.queries);
  std::vector<std::string> names;
  std::vector<std::vector<std::string>> values;
  std::set<std::string> used;
  const auto fresh = [&](ValueKind kind) {
    while (true) {
      std::string value = draw_value(rng, kind, request.split);
      if (used.insert(value).second) return value;
    }
  };
  for (int64_t k = 0; k < keys; ++k) {
    names.push_back(fresh(spec_.key_kind));
    values.emplace_back();
    for (int64_t v = 0; v < spec_.values; ++v) {
      values.back().push_back(fresh(spec_.value_kind));
      draft.needles.push_back({names.back(), values.back().back(), needle_sentence(spec_.value_kind, names.back(), values.back().back())});
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

// Haystack unit `index`: a sentence of the essay, the noise line, or a distractor needle.
std::string NiahTask::unit(const SampleRequest& request, const Draft& draft, int64_t index) const {
  switch (spec_.haystack) {
    case Haystack::kNoise: return std::string(kNoiseSentence);
    case Haystack::kEssay: return essay_sentence(request.split, index);
    case Haystack::kNeedle: break;
  }
  Rng rng(request.seed, domain() + "/haystack", static_cast<uint64_t>(request.index), static_cast<uint32_t>(index));
  std::string key;
  do {
    key = draw_value(rng, spec_.key_kind, request.split);
  } while (std::any_of(draft.needles.begin(), draft.needles.end(), [&](const Needle& needle) { return needle.key == key; }));
  return needle_sentence(spec_.value_kind, key, draw_value(rng, spec_.value_kind, request.split));
}

// The needles among the first `count` units (spec 1.4). Positions are drawn per sample and scale with count.
std::string NiahTask::context(const SampleRequest& request, const Draft& draft, const std::vector<std::string>& units, int64_t count) const {
  Rng rng = stream(request, 1);
  const auto needles = static_cast<int64_t>(draft.needles.size());
  std::vector<int64_t> before;  // needle i goes before unit before[i]; ascending
  if (spec_.haystack == Haystack::kEssay) {
    for (int64_t d : draw_distinct(rng, kDepths, needles)) {
      const int64_t depth = std::lround(100.0 * static_cast<double>(d) / (kDepths - 1));
      before.push_back(count * depth / 100);
    }
  } else {
    before = draw_distinct(rng, std::max(count, needles), needles);
  }
  const char separator = spec_.haystack == Haystack::kEssay ? ' ' : '\n';
  std::string text;
  size_t next = 0;
  for (int64_t u = 0; u <= count; ++u) {
    for (; next < before.size() && (before[next] == u || u == count); ++next) {
      if (!text.empty()) text.push_back(separator);
      text += draft.needles[next].sentence;
    }
    if (u == count) break;
    if (!text.empty()) text.push_back(separator);
    text += units[static_cast<size_t>(u)];
  }
  return text;
}

Sample NiahTask::make_sample(const SampleRequest& request, const Tokenizer& tokenizer) const {
  const Draft parts = draft(request);
  const int64_t target = request.length - kTokensToGenerate;
  Sample sample;
  const auto assemble = [&](const std::vector<std::string>& units, int64_t count) {
    sample.input = parts.text.header + context(request, parts, units, count) + parts.text.question;
    sample.answer_prefix = parts.text.answer_prefix;
    sample.prompt_ids = tokenizer.encode(sample.prompt());
    return static_cast<int64_t>(sample.prompt_ids.size());
  };
  std::vector<std::string> units;
  const int64_t smallest = assemble(units, 0);
  if (smallest > target)
    throw Error(ErrorCode::kUsage, "{}: length {} is too small; this sample needs at least {} ({} tokens of prompt without haystack + {} to generate)",
                spec_.name, request.length, smallest + kTokensToGenerate, smallest, kTokensToGenerate);
  // Estimate by adding up units (with their separator), then correct by what the whole prompt really takes.
  const auto grow = [&](int64_t tokens) {
    for (int64_t draw = static_cast<int64_t>(units.size()); tokens > 0; ++draw) {
      std::string next = unit(request, parts, draw);
      tokens -= tokenizer.count((spec_.haystack == Haystack::kEssay ? " " : "\n") + next);
      units.push_back(std::move(next));
    }
  };
  grow(target - smallest);
  auto count = static_cast<int64_t>(units.size());
  const auto average = [&](int64_t tokens) { return std::max(1.0, static_cast<double>(tokens - smallest) / static_cast<double>(std::max<int64_t>(count, 1))); };
  int64_t tokens = assemble(units, count);
  for (int attempt = 0; attempt < 64; ++attempt) {
    const int64_t gap = target - tokens;
    const double unit_tokens = average(tokens);
    if (gap >= 0 && static_cast<double>(gap) < unit_tokens * 1.5) break;
    int64_t change = static_cast<int64_t>(std::floor(static_cast<double>(gap) / unit_tokens));
    if (attempt > 3 && gap >= 0) break;  // close enough; never too long
    if (gap < 0) change = std::min<int64_t>(change, -1);
    if (count + change > static_cast<int64_t>(units.size())) grow(static_cast<int64_t>(static_cast<double>(count + change - static_cast<int64_t>(units.size())) * unit_tokens) + 1);
    count = std::clamp<int64_t>(count + change, 0, static_cast<int64_t>(units.size()));
    tokens = assemble(units, count);
  }
  if (tokens > target) throw Error(ErrorCode::kInternal, "{}: could not fit {} tokens into {}", spec_.name, tokens, target);

  sample.task = spec_.name;
  sample.request = request;
  sample.id = fmt::format("ruler/{}@{}#{}!{}", spec_.name, request.length, request.index, request.seed);
  sample.outputs = parts.outputs;
  sample.tokens_to_generate = kTokensToGenerate;
  std::vector<int64_t> offsets;
  const std::string prompt = sample.prompt();
  tokenizer.encode_with_offsets(prompt, offsets);
  const auto token_of = [&](size_t byte) {
    return std::upper_bound(offsets.begin(), offsets.end(), static_cast<int64_t>(byte)) - offsets.begin() - 1;
  };
  for (const Needle& needle : parts.needles) {
    if (std::find(parts.outputs.begin(), parts.outputs.end(), needle.value) == parts.outputs.end()) continue;
    const size_t at = prompt.find(needle.sentence);
    SALA_DCHECK(at != std::string::npos);
    Evidence evidence;
    evidence.token_begin = token_of(at);
    evidence.token_end = token_of(at + needle.sentence.size() - 1) + 1;
    evidence.depth = static_cast<double>(evidence.token_begin) / static_cast<double>(tokens);
    evidence.key = needle.key;
    evidence.value = needle.value;
    sample.evidence.push_back(std::move(evidence));
  }
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
      "Some special magic {type} are hidden within the following text. Make sure to memorize it. I will quiz you about the {type} afterwards.\n",
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

std::string needle_sentence(ValueKind value_kind, const std::string& key, const std::string& value) {
  return fmt::format("One of the special magic {} for {} is: {}.", plural(value_kind), key, value);
}

std::string join_keys(const std::vector<std::string>& keys) {
  if (keys.size() == 1) return keys[0];
  std::string text;
  for (size_t i = 0; i < keys.size(); ++i) text += (i == 0 ? "" : i + 1 == keys.size() ? ", and " : ", ") + keys[i];
  return text;
}

const std::vector<const Task*>& niah_tasks() {
  static const auto tasks = [] {
    std::vector<const Task*> made;
    static std::vector<std::unique_ptr<NiahTask>> owners;
    for (const NiahSpec& spec : niah_specs()) made.push_back(owners.emplace_back(std::make_unique<NiahTask>(spec)).get());
    return made;
  }();
  return tasks;
}

}  // namespace sala::tasks
