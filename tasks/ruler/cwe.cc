#include "tasks/ruler/cwe.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <memory>
#include <optional>

#include "sala/core/error.h"
#include "sala/tasks/corpora.h"
#include "tasks/ruler/ruler_task.h"
#include "tasks/ruler/upstream_source.h"
#include "tasks/text/budget.h"
#include "tasks/text/pseudo_words.h"
#include "tasks/text/values.h"
#include "tasks/text/words.h"

namespace sala::tasks {
namespace {

constexpr int64_t kTokensToGenerate = 120;
constexpr int64_t kSwapCandidates = 48;  // words tried in place of the last one, to fill the target
constexpr int64_t kMostSwaps = 8;
constexpr double kEstimateMargin = 4;  // tokens by which an estimate may be too high

const std::unordered_set<std::string_view>& built_in_words() {
  static const auto words = [] {
    std::unordered_set<std::string_view> all;
    for (const auto* list : {&nouns(), &adjectives(), &verbs()}) all.insert(list->begin(), list->end());
    return all;
  }();
  return words;
}

uint64_t list_size(const SampleRequest& request, bool long_list, const std::vector<std::string_view>& lexicon) {
  if (!long_list) return lexicon.size();
  if (request.corpora != nullptr && !request.corpora->english.empty()) return request.corpora->english.size();
  return static_cast<uint64_t>(kPseudoWords);
}

// Tokens of " 1.", " 2.", ... up to n: the mean over a few numbers of each count of digits.
class NumberCosts {
 public:
  explicit NumberCosts(UnitCounter& counter) {
    constexpr int64_t kSamples = 24;
    for (int64_t first = 1; first <= 100'000'000; first *= 10) {
      const int64_t step = std::max<int64_t>(1, 9 * first / kSamples);
      int64_t tokens = 0, samples = 0;
      for (int64_t n = first; n < 10 * first; n += step, ++samples) tokens += counter.after_space(fmt::format("{}.", n));
      mean_.push_back(static_cast<double>(tokens) / static_cast<double>(samples));
    }
  }
  double upto(int64_t n) const {
    double tokens = 0;
    int64_t first = 1;
    for (const double mean : mean_) {
      if (n < first) break;
      tokens += mean * static_cast<double>(std::min(n, 10 * first - 1) - first + 1);
      first *= 10;
    }
    return tokens;
  }

 private:
  std::vector<double> mean_;
};

// The words of one sample, growing: the common ones first.
class CweList {
 public:
  CweList(const SampleRequest& request, const CweCounts& counts, const UnitCounter& counter, const NumberCosts& numbers,
          Rng rng);
  const std::vector<std::string>& example() const { return example_; }
  const std::vector<std::string>& words() const { return words_; }
  // A list of the first `count` of words(), some of which give way to others: (place, index into words()).
  struct Choice {
    int64_t count;
    double tokens;
    std::vector<std::pair<int64_t, int64_t>> swaps;
  };
  // The list that takes at most `tokens`, and `least` where swaps reach it. At least kCweLeastWords.
  Choice fitting(double tokens, double least);

 private:
  void start(bool long_list);
  bool grow();
  double cost(int64_t words, int64_t uncommon_tokens) const {
    const int64_t entries = kCweCommon * counts_.common + (words - kCweCommon) * counts_.uncommon;
    return numbers_.upto(entries) +
           static_cast<double>(common_tokens_ * counts_.common + uncommon_tokens * counts_.uncommon);
  }

  const SampleRequest& request_;
  CweCounts counts_;
  const UnitCounter& counter_;
  const NumberCosts& numbers_;
  Rng rng_;
  std::vector<std::string> example_, answers_, words_;
  std::vector<int64_t> tokens_;  // of words_
  int64_t common_tokens_ = 0;
  bool long_list_ = false;
  std::unique_ptr<CweWordStream> stream_;
};

CweList::CweList(const SampleRequest& request, const CweCounts& counts, const UnitCounter& counter,
                 const NumberCosts& numbers, Rng rng)
    : request_(request), counts_(counts), counter_(counter), numbers_(numbers), rng_(rng) {
  CweWordStream lexicon(request, false, rng_);
  for (int64_t i = 0; i < counts.example_words; ++i) {
    example_.push_back(lexicon.next({}, {}));
    if (example_.back().empty())
      throw Error(ErrorCode::kUsage, "cwe: the word lists hold {} words; the solved example alone needs {}", i,
                  counts.example_words);
  }
  start(false);
}

void CweList::start(bool long_list) {
  long_list_ = long_list;
  words_.clear(), answers_.clear(), tokens_.clear();
  common_tokens_ = 0;
  stream_ = std::make_unique<CweWordStream>(request_, long_list, rng_);
  while (static_cast<int64_t>(answers_.size()) < kCweCommon) {
    std::string word = stream_->next(answers_, example_);
    if (word.empty()) {
      if (!long_list) return start(true);
      throw Error(ErrorCode::kUsage, "cwe: the word lists are too short for {} different answers", kCweCommon);
    }
    const bool inside = std::any_of(answers_.begin(), answers_.end(),
                                    [&](const std::string& answer) { return answer.find(word) != std::string::npos; });
    if (inside) continue;
    answers_.push_back(word);
    words_.push_back(std::move(word));
    tokens_.push_back(counter_.after("the", " " + words_.back()));
    common_tokens_ += tokens_.back();
  }
}

bool CweList::grow() {
  std::string word = stream_->next(answers_, example_);
  if (word.empty()) return false;
  words_.push_back(std::move(word));
  tokens_.push_back(counter_.after("the", " " + words_.back()));
  return true;
}

CweList::Choice CweList::fitting(double tokens, double least) {
  int64_t count = kCweCommon, uncommon_tokens = 0;
  while (true) {
    if (count == static_cast<int64_t>(words_.size()) && !grow()) {
      if (long_list_)
        throw Error(ErrorCode::kUsage, "cwe: length {} needs more different words than the {} of the long list",
                    request_.length, words_.size());
      start(true);  // spec 1.6: then all words come from the long list
      return fitting(tokens, least);
    }
    const int64_t next = tokens_[static_cast<size_t>(count)];
    if (count >= kCweLeastWords && cost(count + 1, uncommon_tokens + next) > tokens) break;
    uncommon_tokens += next;
    ++count;
  }
  Choice choice{count, cost(count, uncommon_tokens), {}};
  while (static_cast<int64_t>(words_.size()) < count + kSwapCandidates && grow()) {
  }
  // The last word gives way to the longest of the next words that still fits; those before it too while the fill is too low.
  for (int64_t place = count - 1; place >= std::max<int64_t>(kCweCommon, count - kMostSwaps); --place) {
    if (place < count - 1 && choice.tokens >= least) break;
    int64_t best = place, best_tokens = uncommon_tokens;
    for (int64_t i = count; i < static_cast<int64_t>(words_.size()); ++i) {
      const int64_t swapped = uncommon_tokens - tokens_[static_cast<size_t>(place)] + tokens_[static_cast<size_t>(i)];
      const bool taken = std::any_of(choice.swaps.begin(), choice.swaps.end(), [&](const auto& s) { return s.second == i; });
      if (!taken && swapped > best_tokens && cost(count, swapped) <= tokens) best = i, best_tokens = swapped;
    }
    if (best == place) continue;
    uncommon_tokens = best_tokens;
    choice.swaps.emplace_back(place, best);
    choice.tokens = cost(count, uncommon_tokens);
  }
  words_.shrink_to_fit(), tokens_.shrink_to_fit();  // they stay while the prompt is built and tokenized
  return choice;
}

class CweTask final : public RulerTask {
 public:
  // "1. word 2. word", as the solved example has it, in the order in which the words first stand in the list.
  std::string training_answer(const Sample& sample) const override {
    std::string answer;
    std::vector<std::string> words;
    for (const Evidence& entry : sample.evidence) {
      if (std::find(words.begin(), words.end(), entry.value) != words.end()) continue;
      words.push_back(entry.value);
      answer += fmt::format("{}{}. {}", answer.empty() ? "" : " ", words.size(), entry.value);
    }
    return answer;
  }
  CweTask() : RulerTask("cwe", "the ten most common words of a list", kTokensToGenerate, Metric::kAll) {}

  std::string_view lm_eval_name() const override { return "ruler_cwe"; }
  TrainingFigure training_figure() const override { return {name(), "tokens"}; }
  std::unique_ptr<UpstreamSamples> upstream_samples(const SampleRequest& request,
                                                    const Tokenizer& tokenizer) const override {
    return size_upstream(*this, make_upstream_cwe(request), request, tokenizer);
  }

 protected:
  Sample fixed_sample(const SampleRequest& request, const Tokenizer& tokenizer) const override;
};

// What append_cwe_list() appends.
size_t cwe_list_bytes(const std::vector<std::string>& words, const std::vector<int32_t>& entries) {
  size_t bytes = entries.size() * 4;  // one digit, full stop, and the spaces before word and number
  for (size_t tens = 10; tens <= entries.size(); tens *= 10) bytes += entries.size() - tens + 1;
  for (const int32_t entry : entries) bytes += words[static_cast<size_t>(entry)].size();
  return bytes;
}

std::string example_text(const std::vector<std::string>& words, const CweCounts& counts, Rng& rng) {
  std::string text = cwe_text().header;
  append_cwe_list(text, words,
                  draw_cwe_entries(rng, static_cast<int64_t>(words.size()), counts.example_common, counts.example_uncommon),
                  0, nullptr);
  text += cwe_text().question + cwe_text().answer_prefix;
  for (int64_t i = 0; i < kCweCommon; ++i) text += fmt::format(" {}. {}", i + 1, words[static_cast<size_t>(i)]);
  return text + "\n";
}

// Everything of a sample but its main list.
struct Frame {
  CweCounts counts;
  std::string before, after;  // the list stands between them
  int64_t base = 0;           // their tokens
};

Sample CweTask::fixed_sample(const SampleRequest& request, const Tokenizer& tokenizer) const {
  const int64_t target = request.length - kTokensToGenerate;
  UnitCounter counter(tokenizer);
  const NumberCosts numbers(counter);
  Frame frame;
  std::optional<CweList> list;
  const auto prepare = [&](const CweCounts& counts) {
    frame.counts = counts;
    list.emplace(request, counts, counter, numbers, stream(request, 0));
    Rng rng = stream(request, 2);
    frame.before = example_text(list->example(), counts, rng) + cwe_text().header;
    frame.after = cwe_text().question + cwe_text().answer_prefix;
    frame.base = tokenizer.count(frame.before + frame.after);
  };
  prepare(cwe_counts(request.length));
  // A tokenizer that spells words in many pieces leaves no room beside 300 common entries: then the list is of the small
  // kind.
  if (list->fitting(static_cast<double>(target - frame.base), 0).count < 2 * kCweCommon) prepare(kCweSmallCounts);
  Tokenized tokens = fit_budget(name(), target, tokenizer, [&](int64_t budget) {
    const CweList::Choice choice =
        list->fitting(static_cast<double>(budget - frame.base), std::ceil(kMinimumFill * static_cast<double>(target)) +
                                                                    kEstimateMargin - static_cast<double>(frame.base));
    Rng shuffle = stream(request, 1);
    std::vector<int32_t> entries = draw_cwe_entries(shuffle, choice.count, frame.counts.common, frame.counts.uncommon);
    for (const auto& [place, index] : choice.swaps)
      std::replace(entries.begin(), entries.end(), static_cast<int32_t>(place), static_cast<int32_t>(index));
    Built built;
    built.text = frame.before;
    built.text.reserve(frame.before.size() + cwe_list_bytes(list->words(), entries) + frame.after.size());
    append_cwe_list(built.text, list->words(), entries, kCweCommon, &built.marks);
    built.text += frame.after;
    built.expected_tokens = frame.base + static_cast<int64_t>(choice.tokens);
    if (choice.count == kCweLeastWords && tokenizer.count(built.text) > target)
      throw_too_short(name(), request.length, tokenizer.count(built.text), kTokensToGenerate);
    return built;
  });
  RulerText made;
  made.outputs.assign(list->words().begin(), list->words().begin() + kCweCommon);
  for (size_t i = 0; i < tokens.marks.size(); i += 3) {
    const std::string& word = made.outputs[static_cast<size_t>(tokens.marks[i + 2])];
    made.evidence.push_back({tokens.marks[i], tokens.marks[i + 1], word, word});
  }
  made.haystack_begin = static_cast<int64_t>(frame.before.size());
  made.haystack_end = static_cast<int64_t>(tokens.text.size() - frame.after.size());
  made.prefix_at = find_answer_prefix(tokens.text, cwe_text().answer_prefix);
  return finish_sample(*this, request, std::move(tokens), std::move(made));
}

}  // namespace

const CweText& cwe_text() {
  static const CweText text = {
      "Below is a numbered list of words. In these words, some appear more often than others. Memorize the ones that appear "
      "most often.\n",
      "\nQuestion: What are the 10 most common words in the above list?",
      " Answer: The top 10 words that appear most often in the list are:"};
  return text;
}

std::vector<std::string_view> cwe_lexicon(const SampleRequest& request) {
  const auto make = [](const Corpora* corpora, std::optional<Split> split) {  // split: of the built-in words
    std::vector<std::string_view> words;
    std::unordered_set<std::string_view> seen;
    const auto add_list = [&](const std::vector<std::string>* given, const std::vector<std::string_view>& built_in) {
      if (given != nullptr && !given->empty()) {
        for (const std::string& word : *given)
          if (seen.insert(word).second) words.push_back(word);
      } else {
        for (const std::string_view word : built_in)
          if ((!split || split_of(word) == *split) && seen.insert(word).second) words.push_back(word);
      }
    };
    add_list(corpora ? &corpora->nouns : nullptr, nouns());
    add_list(corpora ? &corpora->adjectives : nullptr, adjectives());
    add_list(corpora ? &corpora->verbs : nullptr, verbs());
    return words;
  };
  if (request.mode == Mode::kUpstream) return make(request.corpora, std::nullopt);
  if (request.corpora != nullptr) return make(request.corpora, request.split);
  static const std::vector<std::string_view> eval = make(nullptr, Split::kEval), train = make(nullptr, Split::kTrain);
  return request.split == Split::kEval ? eval : train;
}

CweWordStream::CweWordStream(const SampleRequest& request, bool long_list, Rng& rng)
    : request_(request),
      lexicon_(long_list ? std::vector<std::string_view>() : cwe_lexicon(request)),
      pseudo_(long_list && (request.corpora == nullptr || request.corpora->english.empty())),
      order_(list_size(request, long_list, lexicon_), rng) {}

bool CweWordStream::take(uint64_t number, std::string& word) {
  if (pseudo_) {
    word = pseudo_word(static_cast<int64_t>(number));
    return split_of(word) == request_.split && !built_in_words().contains(word);
  }
  if (!lexicon_.empty()) {
    word = lexicon_[number];
    return true;
  }
  word = request_.corpora->english[number];
  return seen_.insert(stable_hash(word)).second;
}

std::string CweWordStream::next(const std::vector<std::string>& answers, const std::vector<std::string>& others) {
  std::string word;
  while (at_ < order_.size()) {
    if (!take(order_(at_++), word)) continue;
    const bool holds_answer = std::any_of(answers.begin(), answers.end(),
                                          [&](const std::string& answer) { return word.find(answer) != std::string::npos; });
    if (!holds_answer && std::find(others.begin(), others.end(), word) == others.end()) return word;
  }
  return "";
}

void append_cwe_list(std::string& text, const std::vector<std::string>& words, const std::vector<int32_t>& entries,
                     int32_t marked, std::vector<int64_t>* marks) {
  std::array<char, 24> digits;
  for (size_t i = 0; i < entries.size(); ++i) {
    if (i > 0) text.push_back(' ');
    const auto begin = static_cast<int64_t>(text.size());
    text.append(digits.data(), static_cast<size_t>(fmt::format_to(digits.data(), "{}. ", i + 1) - digits.data()));
    text += words[static_cast<size_t>(entries[i])];
    if (entries[i] < marked) marks->insert(marks->end(), {begin, static_cast<int64_t>(text.size()), entries[i]});
  }
}

std::vector<int32_t> draw_cwe_entries(Rng& rng, int64_t words, int64_t common, int64_t uncommon) {
  std::vector<int32_t> entries;
  entries.reserve(static_cast<size_t>(kCweCommon * common + std::max<int64_t>(0, words - kCweCommon) * uncommon));
  for (int64_t word = 0; word < words; ++word)
    entries.insert(entries.end(), static_cast<size_t>(word < kCweCommon ? common : uncommon), static_cast<int32_t>(word));
  rng.shuffle(entries);
  return entries;
}

const Task* cwe_task() {
  static const CweTask task;
  return &task;
}

}  // namespace sala::tasks
