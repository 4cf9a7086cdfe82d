// cwe and fwe.
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "sala/core/error.h"
#include "sala/tasks/corpora.h"
#include "tasks/ruler/cwe.h"
#include "tasks/ruler/fwe.h"
#include "tasks/ruler/upstream_source.h"
#include "tasks/text/pseudo_words.h"

namespace sala::tasks {
namespace {

class UpstreamCwe final : public UpstreamSource {
 public:
  explicit UpstreamCwe(const SampleRequest& request)
      : corpora_(request.corpora), counts_(cwe_counts(request.length)), seed_(request.seed), random_(request.seed) {
    lexicon_ = cwe_lexicon(request);
    std::sort(lexicon_.begin(), lexicon_.end());
    PyRandom(seed_).shuffle(lexicon_);
  }
  Sizing sizing() const override { return {10, 4096, true}; }
  RulerText generate(int64_t size, int64_t) override {
    const WordList shown = draw_words(counts_.example_words);
    const CweText& frame = cwe_text();
    RulerText text;
    text.prompt = frame.header;
    append_cwe_list(text.prompt, shown, entries(counts_.example_words, counts_.example_common, counts_.example_uncommon), 0,
                    nullptr);
    text.prompt += frame.question + frame.answer_prefix;
    for (int64_t i = 0; i < kCweCommon; ++i) text.prompt += fmt::format(" {}. {}", i + 1, shown[i]);
    text.prompt += "\n" + frame.header;
    const WordList words = draw_words(size);
    const auto answers = static_cast<int32_t>(std::min(size, kCweCommon));
    std::vector<int64_t> marks;
    text.haystack_begin = static_cast<int64_t>(text.prompt.size());
    append_cwe_list(text.prompt, words, entries(size, counts_.common, counts_.uncommon), answers, &marks);
    text.haystack_end = static_cast<int64_t>(text.prompt.size());
    for (size_t i = 0; i < marks.size(); i += 3) {
      const std::string word(words[marks[i + 2]]);
      text.evidence.push_back({marks[i], marks[i + 1], word, word});
    }
    for (int64_t i = 0; i < answers; ++i) text.outputs.emplace_back(words[i]);
    text.prompt += frame.question + frame.answer_prefix;
    text.prefix_at = find_answer_prefix(text.prompt, frame.answer_prefix);
    return text;
  }

 private:
  int64_t long_list_size() const {
    return corpora_ != nullptr && !corpora_->english.empty() ? static_cast<int64_t>(corpora_->english.size()) : kPseudoWords;
  }
  WordList draw_words(int64_t count) {
    const bool long_list = count > static_cast<int64_t>(lexicon_.size());
    const int64_t population = long_list ? long_list_size() : static_cast<int64_t>(lexicon_.size());
    if (count > population) throw PythonError("Sample larger than population or is negative");
    const bool given = corpora_ != nullptr && !corpora_->english.empty();
    WordList words;
    for (const int64_t i : random_.sample(population, count)) {
      if (!long_list)
        words.push_back(lexicon_[static_cast<size_t>(i)]);
      else
        words.push_back(given ? corpora_->english[static_cast<size_t>(i)] : pseudo_word(i));
    }
    return words;
  }
  // common * repeats + uncommon * repeats, shuffled with the seed: the same places in every sample.
  std::vector<int32_t> entries(int64_t words, int64_t common, int64_t uncommon) const {
    std::vector<int32_t> list;
    const auto first_uncommon = static_cast<int32_t>(std::min(words, kCweCommon));
    for (int64_t i = 0; i < common; ++i)
      for (int32_t word = 0; word < first_uncommon; ++word) list.push_back(word);
    for (int64_t i = 0; i < uncommon; ++i)
      for (int32_t word = first_uncommon; word < words; ++word) list.push_back(word);
    PyRandom(seed_).shuffle(list);
    return list;
  }

  const Corpora* corpora_;
  CweCounts counts_;
  uint64_t seed_;
  PyRandom random_;
  std::vector<std::string_view> lexicon_;
};

class UpstreamFwe final : public UpstreamSamples {
 public:
  UpstreamFwe(const Task& task, const SampleRequest& request, const Tokenizer& tokenizer);
  RulerText next(Tokenized& tokens) override;

 private:
  std::vector<std::string> draw_vocabulary();
  RulerText text(const std::vector<std::string>& vocabulary, int64_t words) const;
  int64_t limit_, step_;
  uint64_t seed_;
  const Tokenizer& tokenizer_;
  PyRandom random_;
  int64_t words_ = 0;
};

UpstreamFwe::UpstreamFwe(const Task& task, const SampleRequest& request, const Tokenizer& tokenizer)
    : limit_(request.length - task.traits().tokens_to_generate),
      step_(limit_ / 32),
      seed_(request.seed),
      tokenizer_(tokenizer),
      random_(request.seed) {
  if (limit_ / 50 < 4)
    throw Error(ErrorCode::kUsage, "fwe: length {} is too small for three answers in upstream mode; it needs at least {}",
                request.length, 250);
  const std::vector<std::string> vocabulary = draw_vocabulary();
  words_ = limit_ / 6;
  while (tokenizer_.count(text(vocabulary, words_).prompt) < limit_) words_ += step_;
  words_ -= step_;
}

std::vector<std::string> UpstreamFwe::draw_vocabulary() {
  const auto size = static_cast<size_t>(limit_ / 50);
  std::set<std::string> distinct;  // and sorted
  for (size_t drawn = 0; drawn < size || distinct.size() < size; ++drawn)
    distinct.insert(random_.choices("abcdefghijklmnopqrstuvwxyz", 6));
  std::vector<std::string> vocabulary(distinct.begin(), distinct.end());
  PyRandom(seed_).shuffle(vocabulary);
  vocabulary[0] = kFweNoise;
  return vocabulary;
}

RulerText UpstreamFwe::text(const std::vector<std::string>& vocabulary, int64_t words) const {
  const std::vector<int64_t> counts = fwe_counts(words, static_cast<int64_t>(vocabulary.size()));
  std::vector<int32_t> entries;
  for (size_t rank = 0; rank < counts.size(); ++rank)
    entries.insert(entries.end(), static_cast<size_t>(counts[rank]), static_cast<int32_t>(rank));
  PyRandom(seed_).shuffle(entries);
  RulerText made;
  made.prompt = fwe_text().header;
  std::vector<int64_t> marks;
  made.haystack_begin = static_cast<int64_t>(made.prompt.size());
  append_fwe_words(made.prompt, vocabulary, entries, counts, kFweMostSpans, marks);
  made.haystack_end = static_cast<int64_t>(made.prompt.size());
  for (size_t i = 0; i < marks.size(); i += 3) {
    const std::string& word = vocabulary[static_cast<size_t>(marks[i + 2])];
    made.evidence.push_back({marks[i], marks[i + 1], word, word});
  }
  made.outputs.assign(vocabulary.begin() + 1, vocabulary.begin() + 4);
  made.prompt += fwe_text().question + fwe_text().answer_prefix;
  made.prefix_at = find_answer_prefix(made.prompt, fwe_text().answer_prefix);
  return made;
}

RulerText UpstreamFwe::next(Tokenized& tokens) {
  const std::vector<std::string> vocabulary = draw_vocabulary();
  for (int64_t words = words_;; words -= step_) {
    if (words <= 0)
      throw Error(ErrorCode::kUsage, "fwe: {} tokens are too few for upstream mode; use mode fixed or a longer length",
                  limit_);
    RulerText made = text(vocabulary, words);
    tokens.text = std::move(made.prompt);
    tokenizer_.encode_into(tokens.text, tokens.ids, tokens.offsets);
    if (tokens.tokens() <= limit_) return made;
  }
}

}  // namespace

std::unique_ptr<UpstreamSource> make_upstream_cwe(const SampleRequest& request) {
  return std::make_unique<UpstreamCwe>(request);
}
std::unique_ptr<UpstreamSamples> make_upstream_fwe(const Task& task, const SampleRequest& request,
                                                   const Tokenizer& tokenizer) {
  return std::make_unique<UpstreamFwe>(task, request, tokenizer);
}

}  // namespace sala::tasks
