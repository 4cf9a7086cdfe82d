#include "tasks/ruler/fwe.h"

#include <algorithm>
#include <cmath>
#include <unordered_set>

#include "sala/core/error.h"
#include "tasks/ruler/ruler_task.h"
#include "tasks/ruler/upstream_source.h"
#include "tasks/text/budget.h"
#include "tasks/text/values.h"

namespace sala::tasks {
namespace {

constexpr int64_t kFweTokens = 50;
constexpr int64_t kTokensPerWord = 50;  // vocabulary = length / this
constexpr int64_t kAnswers = 3;         // ranks 2, 3 and 4
constexpr double kZeta2 = 1.6449340668482264;

// The answers can be told apart: rank 4 is more frequent than rank 5.
bool decidable(const std::vector<int64_t>& counts) {
  return counts.size() > kAnswers && counts[kAnswers] > (counts.size() > kAnswers + 1 ? counts[kAnswers + 1] : 0);
}

class FweTask final : public RulerTask {
 public:
  FweTask()
      : RulerTask({.name = "fwe",
                   .description = "the three most frequent words of a coded text",
                   .tokens_to_generate = kFweTokens,
                   .lm_eval_name = "ruler_fwe",
                   .training = {.figure = "values"}}) {}
  std::unique_ptr<UpstreamSamples> upstream_samples(const SampleRequest& request,
                                                    const Tokenizer& tokenizer) const override {
    return make_upstream_fwe(*this, request, tokenizer);
  }

 protected:
  Sample fixed_sample(const SampleRequest& request, const Tokenizer& tokenizer) const override;
};

Sample FweTask::fixed_sample(const SampleRequest& request, const Tokenizer& tokenizer) const {
  const int64_t target = request.length - kFweTokens, vocabulary = target / kTokensPerWord;
  const std::string after = fwe_text().question + fwe_text().answer_prefix;
  const int64_t base = tokenizer.count(fwe_text().header + std::string(kFweNoise) + after);
  UnitCounter counter(tokenizer);
  std::vector<std::string> words = {std::string(kFweNoise)};
  Rng rng = stream(request, 0);
  const auto grow = [&](size_t count) {  // word i is the same for every length
    while (words.size() < count) {
      std::string word = draw_fwe_words(rng, request.split, 1)[0];
      if (std::find(words.begin(), words.end(), word) == words.end()) words.push_back(std::move(word));
    }
  };
  const auto cost = [&](int64_t n) {
    const std::vector<int64_t> counts = fwe_counts(n, vocabulary);
    grow(counts.size());
    int64_t tokens = base - counter.after_space(kFweNoise);
    for (size_t rank = 0; rank < counts.size(); ++rank) tokens += counts[rank] * counter.after_space(words[rank]);
    return tokens;
  };
  int64_t least = 1;
  while (least < 64 && !decidable(fwe_counts(least, INT64_MAX))) ++least;
  Tokenized tokens = fit_budget(name(), target, tokenizer, [&](int64_t budget) {
    int64_t low = least, high = least + 1;
    while (vocabulary > kAnswers && cost(high) <= budget && high < target * 4) high *= 2;
    while (high - low > 1) {
      const int64_t middle = low + (high - low) / 2;
      (cost(middle) <= budget ? low : high) = middle;
    }
    while (low > least && !decidable(fwe_counts(low, INT64_MAX)))
      --low;  // 42 to 52 words: ranks 4 and 5 are equally frequent
    std::vector<int64_t> counts = fwe_counts(low, std::max(vocabulary, kAnswers + 1));
    grow(counts.size());
    int64_t expected = vocabulary > kAnswers ? cost(low) : 0;
    // One more word to share out may raise many ranks at once. Then dots, which nobody counts, take what is left.
    if (expected > 0 && static_cast<double>(expected) < kMinimumFill * static_cast<double>(budget)) {
      const int64_t dots = std::max<int64_t>(0, budget - expected) / std::max<int64_t>(1, counter.after_space(kFweNoise));
      counts[0] += dots;
      expected += dots * counter.after_space(kFweNoise);
    }
    std::vector<int32_t> entries;
    entries.reserve(static_cast<size_t>(low));
    size_t bytes = fwe_text().header.size() + after.size();
    for (size_t rank = 0; rank < counts.size(); ++rank)
      bytes += static_cast<size_t>(counts[rank]) * (words[rank].size() + 1);
    for (size_t rank = 0; rank < counts.size(); ++rank)
      entries.insert(entries.end(), static_cast<size_t>(counts[rank]), static_cast<int32_t>(rank));
    Rng shuffle = stream(request, 1);
    shuffle.shuffle(entries);
    Built built;
    built.text.reserve(bytes);
    built.text += fwe_text().header;
    append_fwe_words(built.text, words, entries, counts, kFweMostSpans, built.marks);
    built.text += after;
    built.expected_tokens = expected;
    if (low == least || vocabulary <= kAnswers) {
      const int64_t smallest = std::max(tokenizer.count(built.text), (kAnswers + 1) * kTokensPerWord);
      if (smallest > target) throw_too_short(name(), request.length, smallest, kFweTokens);
    }
    return built;
  });
  RulerText made;
  for (size_t i = 0; i < tokens.marks.size(); i += 3) {
    const std::string& word = words[static_cast<size_t>(tokens.marks[i + 2])];
    made.evidence.push_back({tokens.marks[i], tokens.marks[i + 1], word, word});
  }
  made.outputs = {words[1], words[2], words[3]};
  made.haystack_begin = static_cast<int64_t>(fwe_text().header.size());
  made.haystack_end = static_cast<int64_t>(tokens.text.size() - after.size());
  made.prefix_at = find_answer_prefix(tokens.text, fwe_text().answer_prefix);
  return finish_sample(*this, request, std::move(tokens), std::move(made));
}

}  // namespace

const FweText& fwe_text() {
  static const FweText text = {
      "Read the following coded text and track the frequency of each coded word. Find the three most frequently appeared "
      "coded words. ",
      "\nQuestion: Do not provide any explanation. Please ignore the dots '....'. What are the three most frequently "
      "appeared words in the above coded text?",
      " Answer: According to the coded text above, the three most frequently appeared words are:"};
  return text;
}

std::vector<int64_t> fwe_counts(int64_t words, int64_t vocabulary) {
  std::vector<int64_t> counts;
  for (int64_t rank = 1; rank <= vocabulary; ++rank) {
    // The order of operations is upstream's; it decides where a product lies next to a whole number.
    const auto count = static_cast<int64_t>(static_cast<double>(words) * std::pow(static_cast<double>(rank), -2.0) / kZeta2);
    if (count == 0) break;
    counts.push_back(count);
  }
  return counts;
}

std::vector<std::string> draw_fwe_words(Rng& rng, Split split, int64_t count) {
  std::vector<std::string> words;
  std::unordered_set<std::string> seen;
  while (static_cast<int64_t>(words.size()) < count) {
    std::string word;
    for (int i = 0; i < 6; ++i) word.push_back(static_cast<char>('a' + rng.below(26)));
    if (split_of(word) == split && seen.insert(word).second) words.push_back(std::move(word));
  }
  return words;
}

void append_fwe_words(std::string& text, const std::vector<std::string>& words, const std::vector<int32_t>& entries,
                      const std::vector<int64_t>& counts, int64_t most_spans, std::vector<int64_t>& marks) {
  std::vector<int64_t> seen(counts.size(), 0);
  for (size_t i = 0; i < entries.size(); ++i) {
    const auto rank = static_cast<size_t>(entries[i]);
    if (i > 0) text.push_back(' ');
    const auto begin = static_cast<int64_t>(text.size());
    text += words[rank];
    if (rank == 0 || rank > kAnswers) continue;
    const int64_t spans = std::min(most_spans, counts[rank]), before = seen[rank]++;
    if (before * spans / counts[rank] != (before + 1) * spans / counts[rank])
      marks.insert(marks.end(), {begin, static_cast<int64_t>(text.size()), entries[i]});
  }
}

std::unique_ptr<const Task> make_fwe_task() { return std::make_unique<FweTask>(); }

}  // namespace sala::tasks
