
#include <algorithm>
#include <cmath>
#include <set>

#include "sala/core/error.h"
#include "tasks/ruler/niah.h"
#include "tasks/text/essay.h"
#include "tasks/training_row.h"

namespace sala::tasks {
namespace {

// How training rows differ from evaluation samples: more needles, more questions. One place for all numbers.
struct TrainingMix {
  double shortest = 0.35;                 // of the haystack, with length_jitter
  double needle_share = 0.6;              // most of the haystack that needles take
  int64_t values_to = 6, queries_to = 5;  // multivalue asks 2..values_to values, multiquery 2..queries_to keys
  int64_t first_sentence = 1'000'000;     // essays start anywhere in the corpus
};
constexpr TrainingMix kMix;

struct Group {  // one key with its values, in the order in which they stand in the text
  std::string key;
  std::vector<std::string> values;
};

class RowBuilder {
 public:
  // spare: tokens of the row to leave empty, because estimates were too low before
  RowBuilder(const NiahSpec& spec, const TrainingRequest& request, Rng& rng, const Tokenizer& tokenizer, int64_t spare)
      : spec_(spec), request_(request), rng_(rng), tokenizer_(tokenizer), spare_(spare), row_(request, tokenizer) {}
  TrainingRow build();  // without an answer when nothing fitted

 private:
  std::string draw(ValueKind kind) {
    while (true) {
      std::string value = draw_value(rng_, kind, request_.split);
      if (used_.insert(value).second) return value;
    }
  }
  int64_t count(const std::string& text) const { return tokenizer_.count(text); }
  char separator() const { return spec_.haystack == Haystack::kEssay ? ' ' : '\n'; }
  // Tokens of a sentence inside the haystack: a text of its own begins with a word boundary, which is not there inside.
  int64_t inside(const std::string& sentence) const { return count(separator() + sentence) - 1; }
  int64_t question_tokens();
  void plan();
  void draw_needles();
  std::string haystack();
  std::pair<NiahText, std::string> question();

  const NiahSpec& spec_;
  const TrainingRequest& request_;
  Rng& rng_;
  const Tokenizer& tokenizer_;
  int64_t spare_;
  std::set<std::string> used_;
  std::vector<Group> groups_;
  std::vector<std::pair<size_t, std::string>> needles_;  // group and sentence, text order
  std::vector<size_t> unasked_;                          // groups, the next to be asked last
  int64_t keys_ = 1, turns_ = 1, budget_ = 0;            // of this row; budget_: tokens of the haystack
  int64_t needle_size_ = 0, needle_tokens_ = 0;
  RowWriter row_;
};

// Tokens of the longest question with its answer; both are measured on a question like the row's own.
int64_t RowBuilder::question_tokens() {
  const std::vector<std::string> keys(static_cast<size_t>(std::min<int64_t>(spec_.queries, 4)), draw(spec_.key_kind));
  const NiahText probe = niah_text(spec_.value_kind, join_keys(keys), false);
  const int64_t values = spec_.values > 1 ? (request_.as_evaluated ? spec_.values : kMix.values_to) : 1;
  const int64_t answer = spec_.queries * (count(draw(spec_.value_kind)) + 1) * values +
                         (spec_.queries > 1 ? spec_.queries * (count(keys[0]) + 2) : 0);
  return count(probe.question + probe.answer_prefix) + answer + 2;
}

// Decides how many keys and questions a row has. No key is asked twice, or the answer could be copied from the earlier one;
// where there are fewer keys than questions would fit, the room goes to the haystack.
void RowBuilder::plan() {
  const std::string header = niah_text(spec_.value_kind, "", spec_.queries * spec_.values == 1).header;
  const int64_t question = question_tokens(), space = request_.row_tokens - 1 - spare_ - count(header);
  const std::string probe = needle_sentence(spec_.value_kind, draw_value(rng_, spec_.key_kind, request_.split),
                                            draw_value(rng_, spec_.value_kind, request_.split));
  needle_size_ = inside(probe);
  const bool many = spec_.haystack == Haystack::kNeedle;
  const int64_t evaluated = std::max(spec_.keys, spec_.queries), per_key = spec_.values > 1 ? 4 : 1;
  const double share = most_turns_share(request_.row_tokens) * (0.3 + 0.7 * rng_.uniform());
  turns_ = request_.as_evaluated
               ? 1
               : std::max<int64_t>(1, static_cast<int64_t>(share * static_cast<double>(request_.row_tokens) /
                                                           static_cast<double>(question)));
  const auto most_keys = [&] {
    const double room =
        static_cast<double>(std::max<int64_t>(space - turns_ * question, 0)) * (many ? 1.0 : kMix.needle_share);
    return std::max<int64_t>(1, static_cast<int64_t>(room) / (needle_size_ * per_key));
  };
  if (many) {
    while (turns_ > 1 && most_keys() < turns_) --turns_;
    keys_ = most_keys();
  } else {
    const int64_t most = most_keys();
    const bool as_evaluated = request_.as_evaluated || rng_.uniform() < kAsEvaluatedShare;
    keys_ = as_evaluated
                ? evaluated
                : std::clamp<int64_t>(
                      static_cast<int64_t>(std::exp(rng_.uniform() * std::log(static_cast<double>(most) + 1))), 1, most);
    if (spec_.queries > 1 && !request_.as_evaluated) keys_ = std::max(keys_, std::min(kMix.queries_to, most));
    turns_ = std::clamp<int64_t>(keys_ / spec_.queries, 1, turns_);
  }
  budget_ = std::max<int64_t>(0, space - turns_ * question);
}

void RowBuilder::draw_needles() {
  const bool many = spec_.haystack == Haystack::kNeedle;  // as many as there is room for
  for (int64_t k = 0; many || k < keys_; ++k) {
    Group group{draw(spec_.key_kind), {}};
    int64_t values = 1;
    if (spec_.values > 1)
      values = request_.as_evaluated || rng_.uniform() < kAsEvaluatedShare ? spec_.values : rng_.between(2, kMix.values_to);
    for (int64_t v = 0; v < values; ++v) {
      std::string value = draw(spec_.value_kind);
      std::string sentence = needle_sentence(spec_.value_kind, group.key, value);
      const int64_t size = inside(sentence);
      if (!needles_.empty() && (many || !request_.as_evaluated) && needle_tokens_ + size > budget_) break;
      needle_tokens_ += size;
      needles_.emplace_back(groups_.size(), std::move(sentence));
      group.values.push_back(std::move(value));
    }
    if (group.values.empty()) break;
    groups_.push_back(std::move(group));
  }
  // Shuffle needles, then give each group its values in the order in which they will stand in the text.
  std::vector<size_t> order(needles_.size());
  for (size_t i = 0; i < order.size(); ++i) order[i] = needles_[i].first;
  rng_.shuffle(order);
  std::vector<size_t> next(groups_.size(), 0);
  for (size_t i = 0; i < order.size(); ++i) {
    const Group& group = groups_[order[i]];
    needles_[i] = {order[i], needle_sentence(spec_.value_kind, group.key, group.values[next[order[i]]++])};
  }
}

std::string RowBuilder::haystack() {
  draw_needles();
  const bool essay = spec_.haystack == Haystack::kEssay;
  std::vector<std::string> units;
  int64_t left = budget_ - needle_tokens_;
  if (spec_.haystack != Haystack::kNeedle) {
    int64_t sentence = essay ? static_cast<int64_t>(rng_.below(kMix.first_sentence)) : 0;
    while (true) {
      std::string unit = essay ? essay_sentence(request_.split, sentence++) : std::string(kNoiseSentence);
      left -= inside(unit);
      if (left < 0) break;
      units.push_back(std::move(unit));
    }
  }
  std::vector<uint64_t> before;
  for (size_t i = 0; i < needles_.size(); ++i) before.push_back(rng_.below(units.size() + 1));
  std::sort(before.begin(), before.end());
  std::string text;
  size_t needle = 0;
  for (size_t u = 0; u <= units.size(); ++u) {
    for (; needle < needles_.size() && before[needle] == u; ++needle) {
      if (!text.empty()) text.push_back(separator());
      text += needles_[needle].second;
    }
    if (u == units.size()) break;
    if (!text.empty()) text.push_back(separator());
    text += units[u];
  }
  return text;
}

// The next question about keys of this row that nobody asked for yet, and its answer: the value; the values in text order;
// or "key: value" for each key asked.
std::pair<NiahText, std::string> RowBuilder::question() {
  if (spec_.queries == 1) {
    const Group& group = groups_[unasked_.back()];
    unasked_.pop_back();
    std::string answer;
    for (size_t i = 0; i < group.values.size(); ++i) answer += (i ? ", " : "") + group.values[i];
    return {niah_text(spec_.value_kind, group.key, spec_.values == 1), answer};
  }
  const auto most = std::min<int64_t>(kMix.queries_to, static_cast<int64_t>(unasked_.size()));
  int64_t asked = most < 2 ? 1 : rng_.between(2, most);
  if (request_.as_evaluated || rng_.uniform() < kAsEvaluatedShare) asked = std::min<int64_t>(spec_.queries, most);
  std::vector<std::string> keys;
  std::string answer;
  for (int64_t q = 0; q < asked; ++q) {
    const Group& group = groups_[unasked_.back()];
    unasked_.pop_back();
    keys.push_back(group.key);
    answer += (q ? ", " : "") + group.key + ": " + group.values[0];
  }
  return {niah_text(spec_.value_kind, join_keys(keys), false), answer};
}

TrainingRow RowBuilder::build() {
  plan();
  if (request_.length_jitter && !request_.as_evaluated && rng_.uniform() < 0.3)
    budget_ = static_cast<int64_t>(static_cast<double>(budget_) * (kMix.shortest + (1 - kMix.shortest) * rng_.uniform()));
  const std::string context = haystack();
  for (size_t i = 0; i < groups_.size(); ++i) unasked_.push_back(i);
  rng_.shuffle(unasked_);
  bool first = true;
  while (!unasked_.empty() && (first || !request_.as_evaluated)) {
    const auto [text, reply] = question();
    if (!row_.append((first ? text.header + context : std::string()) + text.question + text.answer_prefix, reply)) break;
    first = false;
  }
  return row_.finish();
}

class NiahRows final : public TrainingRows {
 public:
  explicit NiahRows(const NiahSpec& spec) : spec_(spec) {}
  TrainingRow row(const Task& task, const TrainingRequest& request, Rng& rng, const Tokenizer& tokenizer) const override;

 private:
  NiahSpec spec_;
};

TrainingRow NiahRows::row(const Task&, const TrainingRequest& request, Rng& rng, const Tokenizer& tokenizer) const {
  for (int attempt = 0; attempt < 50; ++attempt) {
    TrainingRow row = RowBuilder(spec_, request, rng, tokenizer, attempt * request.row_tokens / 64).build();
    if (std::find(row.mask.begin(), row.mask.end(), 1) != row.mask.end()) return row;
  }
  throw Error(ErrorCode::kUsage,
              "training row: {} tokens cannot hold one question of {}; use longer rows or leave the task out",
              request.row_tokens, spec_.name);
}

}  // namespace

std::unique_ptr<const TrainingRows> make_niah_rows(const NiahSpec& spec) { return std::make_unique<NiahRows>(spec); }

}  // namespace sala::tasks
