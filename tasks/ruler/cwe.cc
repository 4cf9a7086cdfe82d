#include "tasks/ruler/cwe.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <memory>
#include <optional>
#include <unordered_set>

#include "sala/core/error.h"
#include "sala/tasks/corpora.h"
#include "tasks/ruler/ruler_task.h"
#include "tasks/ruler/upstream_source.h"
#include "tasks/text/budget.h"
#include "tasks/text/hash_set.h"
#include "tasks/text/pseudo_words.h"
#include "tasks/text/values.h"
#include "tasks/text/words.h"

namespace sala::tasks {
namespace {

constexpr int64_t kCweTokens = 120;
constexpr int64_t kSwapCandidates = 48;  // words tried in place of the last one, to fill the target
constexpr int64_t kMostSwaps = 8;
constexpr double kEstimateMargin = 4;  // tokens by which an estimate may be too high

const HashSet& built_in_words() {
  static const auto words = [] {
    HashSet all;
    for (const auto* list : {&nouns(), &adjectives(), &verbs()})
      for (const std::string_view word : *list) all.insert(value_hash(word));
    return all;
  }();
  return words;
}

uint32_t letters_of(std::string_view text) {
  uint32_t letters = 0;
  for (const char c : text) letters |= uint32_t{1} << (c & 31);
  return letters;
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
      const double mean = static_cast<double>(tokens) / static_cast<double>(samples);
      const double before = digits_.empty() ? 0 : upto(first - 1);
      digits_.push_back({first, before, mean});
    }
  }
  double upto(int64_t n) const {
    size_t at = 0;
    while (at + 1 < digits_.size() && n >= digits_[at + 1].first) ++at;
    const Digits& last = digits_[at];
    return last.before + last.mean * static_cast<double>(n - last.first + 1);
  }

 private:
  struct Digits {
    int64_t first;        // the smallest number of so many digits
    double before, mean;  // tokens of all smaller numbers together; of one of these
  };
  std::vector<Digits> digits_;
};

// The words of one sample, growing: the common ones first.
class CweList {
 public:
  CweList(const SampleRequest& request, const CweCounts& counts, UnitCounter& counter, const NumberCosts& numbers, Rng rng);
  const WordList& example() const { return example_; }
  const WordList& words() const { return words_; }
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
  UnitCounter& counter_;
  const NumberCosts& numbers_;
  Rng rng_;
  WordList example_, words_;
  std::vector<std::string> answers_;  // the first of words_
  std::vector<int32_t> tokens_;       // of words_
  int64_t common_tokens_ = 0;
  bool long_list_ = false;
  std::unique_ptr<CweWordStream> stream_;
};

CweList::CweList(const SampleRequest& request, const CweCounts& counts, UnitCounter& counter, const NumberCosts& numbers,
                 Rng rng)
    : request_(request), counts_(counts), counter_(counter), numbers_(numbers), rng_(rng) {
  CweWordStream lexicon(request, false, {}, rng_);
  for (int64_t i = 0; i < counts.example_words; ++i) {
    const std::string_view word = lexicon.next();
    if (word.empty())
      throw Error(ErrorCode::kUsage, "cwe: the word lists hold {} words; the solved example alone needs {}", i,
                  counts.example_words);
    example_.push_back(word);
  }
  start(false);
}

void CweList::start(bool long_list) {
  long_list_ = long_list;
  words_.clear(), answers_.clear(), tokens_.clear();
  common_tokens_ = 0;
  stream_ = std::make_unique<CweWordStream>(request_, long_list, example_, rng_);
  while (static_cast<int64_t>(answers_.size()) < kCweCommon) {
    const std::string_view word = stream_->next();
    if (word.empty()) {
      if (!long_list) return start(true);
      throw Error(ErrorCode::kUsage, "cwe: the word lists are too short for {} different answers", kCweCommon);
    }
    const bool inside = std::any_of(answers_.begin(), answers_.end(),
                                    [&](const std::string& answer) { return answer.find(word) != std::string::npos; });
    if (inside) continue;
    answers_.emplace_back(word);
    stream_->avoid(word);
    words_.push_back(word);
    tokens_.push_back(static_cast<int32_t>(counter_.after_space_once(word)));
    common_tokens_ += tokens_.back();
  }
}

bool CweList::grow() {
  const std::string_view word = stream_->next();
  if (word.empty()) return false;
  words_.push_back(word);
  tokens_.push_back(static_cast<int32_t>(counter_.after_space_once(word)));
  return true;
}

CweList::Choice CweList::fitting(double tokens, double least) {
  int64_t count = kCweCommon, uncommon_tokens = 0;
  while (true) {
    if (count == words_.size() && !grow()) {
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
  while (words_.size() < count + kSwapCandidates && grow()) {
  }
  // The last word gives way to the longest of the next words that still fits; those before it too while the fill is too low.
  for (int64_t place = count - 1; place >= std::max<int64_t>(kCweCommon, count - kMostSwaps); --place) {
    if (place < count - 1 && choice.tokens >= least) break;
    int64_t best = place, best_tokens = uncommon_tokens;
    for (int64_t i = count; i < words_.size(); ++i) {
      const int64_t swapped = uncommon_tokens - tokens_[static_cast<size_t>(place)] + tokens_[static_cast<size_t>(i)];
      const bool taken = std::any_of(choice.swaps.begin(), choice.swaps.end(), [&](const auto& s) { return s.second == i; });
      if (!taken && swapped > best_tokens && cost(count, swapped) <= tokens) best = i, best_tokens = swapped;
    }
    if (best == place) continue;
    uncommon_tokens = best_tokens;
    choice.swaps.emplace_back(place, best);
    choice.tokens = cost(count, uncommon_tokens);
  }
  return choice;
}

class CweTask final : public RulerTask {
 public:
  CweTask()
      : RulerTask({.name = "cwe",
                   .description = "the ten most common words of a list",
                   .tokens_to_generate = kCweTokens,
                   .lm_eval_name = "ruler_cwe",
                   .training = {.figure = "tokens"}}) {}
  std::unique_ptr<UpstreamSamples> upstream_samples(const SampleRequest& request,
                                                    const Tokenizer& tokenizer) const override {
    return size_upstream(*this, make_upstream_cwe(request), request, tokenizer);
  }

 protected:
  Sample fixed_sample(const SampleRequest& request, const Tokenizer& tokenizer) const override;
};

class CweRows final : public TrainingRows {
 public:
  // "1. word 2. word", as the solved example has it, in the order in which the words first stand in the list.
  std::string answer(const Task&, const Sample& sample) const override {
    std::string answer;
    std::vector<std::string> words;
    for (const Evidence& entry : sample.evidence) {
      if (std::find(words.begin(), words.end(), entry.value) != words.end()) continue;
      words.push_back(entry.value);
      answer += fmt::format("{}{}. {}", answer.empty() ? "" : " ", words.size(), entry.value);
    }
    return answer;
  }
};

// What append_cwe_list() appends, or a little more: a word that gives way to another one is counted too.
size_t cwe_list_bytes(const WordList& words, const CweList::Choice& choice, const CweCounts& counts) {
  int64_t entries = 0, bytes = 0;
  const auto add = [&](int64_t word, int64_t times) {
    entries += times;
    bytes += times * (static_cast<int64_t>(words[word].size()) + 4);  // one digit, full stop, and the two spaces
  };
  for (int64_t word = 0; word < choice.count; ++word) add(word, word < kCweCommon ? counts.common : counts.uncommon);
  for (int64_t tens = 10; tens <= entries; tens *= 10) bytes += entries - tens + 1;
  for (const auto& [place, index] : choice.swaps) bytes += counts.uncommon * static_cast<int64_t>(words[index].size());
  return static_cast<size_t>(bytes);
}

std::string example_text(const WordList& words, const CweCounts& counts, Rng& rng) {
  std::string text = cwe_text().header;
  append_cwe_list(text, words, draw_cwe_entries(rng, words.size(), counts.example_common, counts.example_uncommon), 0,
                  nullptr);
  text += cwe_text().question + cwe_text().answer_prefix;
  for (int64_t i = 0; i < kCweCommon; ++i) text += fmt::format(" {}. {}", i + 1, words[i]);
  return text + "\n";
}

// Everything of a sample but its main list.
struct Frame {
  CweCounts counts;
  std::string before, after;  // the list stands between them
  int64_t base = 0;           // their tokens
};

Sample CweTask::fixed_sample(const SampleRequest& request, const Tokenizer& tokenizer) const {
  const int64_t target = request.length - kCweTokens;
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
    built.text.reserve(frame.before.size() + cwe_list_bytes(list->words(), choice, frame.counts) + frame.after.size());
    append_cwe_list(built.text, list->words(), entries, kCweCommon, &built.marks);
    built.text += frame.after;
    built.expected_tokens = frame.base + static_cast<int64_t>(choice.tokens);
    if (choice.count == kCweLeastWords && tokenizer.count(built.text) > target)
      throw_too_short(name(), request.length, tokenizer.count(built.text), kCweTokens);
    return built;
  });
  RulerText made;
  for (int64_t i = 0; i < kCweCommon; ++i) made.outputs.emplace_back(list->words()[i]);
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

CweWordStream::CweWordStream(const SampleRequest& request, bool long_list, const WordList& others, Rng& rng)
    : request_(request),
      lexicon_(long_list ? std::vector<std::string_view>() : cwe_lexicon(request)),
      pseudo_(long_list && (request.corpora == nullptr || request.corpora->english.empty())),
      order_(list_size(request, long_list, lexicon_), rng) {
  for (int64_t i = 0; i < others.size(); ++i) left_out_.insert(value_hash(others[i]));
}

std::string_view CweWordStream::take(uint64_t number) {
  if (pseudo_) {
    spelled_ = spell_pseudo_word(static_cast<int64_t>(number));
    const uint64_t hash = value_hash(spelled_.view());
    const bool wanted = split_of(hash) == request_.split && !built_in_words().contains(hash) && !left_out_.contains(hash);
    return wanted ? spelled_.view() : std::string_view();
  }
  const std::string_view word = lexicon_.empty() ? request_.corpora->english[number] : lexicon_[number];
  return left_out_.insert(value_hash(word)) ? word : std::string_view();
}

void CweWordStream::avoid(std::string_view part) { avoided_.push_back({std::string(part), letters_of(part)}); }

std::string_view CweWordStream::next() {
  while (at_ < order_.size()) {
    const std::string_view word = take(order_(at_++));
    const uint32_t letters = letters_of(word);
    const auto inside = [&](const Part& part) {
      return (part.letters & ~letters) == 0 && word.find(part.text) != std::string_view::npos;
    };
    if (!word.empty() && std::none_of(avoided_.begin(), avoided_.end(), inside)) return word;
  }
  return {};
}

void append_cwe_list(std::string& text, const WordList& words, const std::vector<int32_t>& entries, int32_t marked,
                     std::vector<int64_t>* marks) {
  std::array<char, 24> label = {' '};  // space, number, full stop, space
  for (size_t i = 0; i < entries.size(); ++i) {
    const auto begin = static_cast<int64_t>(text.size()) + (i > 0 ? 1 : 0);
    char* end = std::to_chars(label.data() + 1, label.data() + label.size(), i + 1).ptr;
    *end++ = '.', *end++ = ' ';
    const char* from = label.data() + (i > 0 ? 0 : 1);
    text.append(from, static_cast<size_t>(end - from));
    text += words[entries[i]];
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

std::unique_ptr<const Task> make_cwe_task() { return std::make_unique<CweTask>(); }
std::unique_ptr<const TrainingRows> make_cwe_rows() { return std::make_unique<CweRows>(); }

}  // namespace sala::tasks
