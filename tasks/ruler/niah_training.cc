#include "tasks/ruler/niah_training.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "sala/core/error.h"
#include "tasks/text/essay.h"

namespace sala::tasks {
namespace {

// How training rows differ from evaluation samples: more needles, more questions. One place for all numbers.
struct TrainingMix {
  double turns_from = 0.15, turns_to = 0.40;  // share of a row that is questions and answers
  double shortest = 0.35;                     // of the haystack, with length_jitter
  double needle_share = 0.5;                  // most of the haystack that needles take
  double as_evaluated = 0.3;                  // rows with exactly the evaluation's number of keys
  int64_t values_to = 6, queries_to = 5;      // multivalue asks 2..values_to values, multiquery 2..queries_to keys
  int64_t first_sentence = 1'000'000;         // essays start anywhere in the corpus
};
constexpr TrainingMix kMix;

struct Group {  // one key with its values, in the order in which they stand in the text
  std::string key;
  std::vector<std::string> values;
};

class RowBuilder {
 public:
  RowBuilder(const NiahSpec& spec, const TrainingRequest& request, Rng& rng, const Tokenizer& tokenizer)
      : spec_(spec), request_(request), rng_(rng), tokenizer_(tokenizer) {}
  TrainingRow build();

 private:
  std::string draw(ValueKind kind) {
    while (true) {
      std::string value = draw_value(rng_, kind, request_.split);
      if (used_.insert(value).second) return value;
    }
  }
  int64_t count(const std::string& text) const { return tokenizer_.count(text); }
  void draw_needles(int64_t budget);
  std::string haystack(int64_t budget);
  std::pair<NiahText, std::string> question();
  bool append(const std::string& text, const std::string& answer);

  const NiahSpec& spec_;
  const TrainingRequest& request_;
  Rng& rng_;
  const Tokenizer& tokenizer_;
  std::set<std::string> used_;
  std::vector<Group> groups_;
  std::vector<std::pair<size_t, std::string>> needles_;  // group and sentence, text order
  int64_t needle_tokens_ = 0;
  TrainingRow row_;
};

void RowBuilder::draw_needles(int64_t budget) {
  const bool many = spec_.haystack == Haystack::kNeedle;
  const std::string probe = needle_sentence(spec_.value_kind, draw_value(rng_, spec_.key_kind, request_.split),
                                            draw_value(rng_, spec_.value_kind, request_.split));
  const int64_t each = count(" " + probe) + 1;
  const int64_t evaluated = std::max(spec_.keys, spec_.queries);
  const int64_t per_key = spec_.values > 1 ? 4 : 1;
  const double most =
      std::max(1.0, static_cast<double>(budget) * (many ? 1.0 : kMix.needle_share) / static_cast<double>(each * per_key));
  int64_t keys = static_cast<int64_t>(std::exp(rng_.uniform() * std::log(most + 1)));
  if (many) keys = static_cast<int64_t>(most);
  if (!many && rng_.uniform() < kMix.as_evaluated) keys = evaluated;
  if (spec_.queries > 1) keys = std::max<int64_t>(keys, std::min<int64_t>(kMix.queries_to, static_cast<int64_t>(most)));
  keys = std::clamp<int64_t>(keys, 1, std::max<int64_t>(1, static_cast<int64_t>(most)));
  for (int64_t k = 0; k < keys; ++k) {
    groups_.push_back({draw(spec_.key_kind), {}});
    int64_t values = 1;
    if (spec_.values > 1) values = rng_.uniform() < kMix.as_evaluated ? spec_.values : rng_.between(2, kMix.values_to);
    for (int64_t v = 0; v < values && needle_tokens_ < budget; ++v) {
      std::string value = draw(spec_.value_kind);
      needles_.emplace_back(groups_.size() - 1, needle_sentence(spec_.value_kind, groups_.back().key, value));
      groups_.back().values.push_back(std::move(value));
      needle_tokens_ += each;
    }
  }
  while (groups_.size() > 1 && groups_.back().values.empty()) groups_.pop_back();
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

std::string RowBuilder::haystack(int64_t budget) {
  draw_needles(budget);
  const bool essay = spec_.haystack == Haystack::kEssay;
  const char separator = essay ? ' ' : '\n';
  std::vector<std::string> units;
  int64_t left = budget - needle_tokens_;
  if (spec_.haystack != Haystack::kNeedle) {
    int64_t sentence = essay ? static_cast<int64_t>(rng_.below(kMix.first_sentence)) : 0;
    while (true) {
      std::string unit = essay ? essay_sentence(request_.split, sentence++) : std::string(kNoiseSentence);
      left -= count(" " + unit);
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
      if (!text.empty()) text.push_back(separator);
      text += needles_[needle].second;
    }
    if (u == units.size()) break;
    if (!text.empty()) text.push_back(separator);
    text += units[u];
  }
  return text;
}

// A question about groups of this row, and its answer: the value; the values in text order; or "key: value" for each key
// asked.
std::pair<NiahText, std::string> RowBuilder::question() {
  if (spec_.queries == 1) {
    const Group& group = groups_[rng_.below(groups_.size())];
    std::string answer;
    for (size_t i = 0; i < group.values.size(); ++i) answer += (i ? ", " : "") + group.values[i];
    return {niah_text(spec_.value_kind, group.key, spec_.values == 1), answer};
  }
  const auto most = std::min<int64_t>(kMix.queries_to, static_cast<int64_t>(groups_.size()));
  int64_t asked = most < 2 ? 1 : rng_.between(2, most);
  if (rng_.uniform() < kMix.as_evaluated) asked = std::min<int64_t>(spec_.queries, most);
  std::vector<size_t> order(groups_.size());
  for (size_t i = 0; i < order.size(); ++i) order[i] = i;
  rng_.shuffle(order);
  std::vector<std::string> keys;
  std::string answer;
  for (int64_t q = 0; q < asked; ++q) {
    const Group& group = groups_[order[static_cast<size_t>(q)]];
    keys.push_back(group.key);
    answer += (q ? ", " : "") + group.key + ": " + group.values[0];
  }
  return {niah_text(spec_.value_kind, join_keys(keys), false), answer};
}

// Appends text, answer and EOS when they fit.
bool RowBuilder::append(const std::string& text, const std::string& answer) {
  const std::vector<int32_t> context = tokenizer_.encode(text), reply = tokenizer_.encode(answer);
  if (static_cast<int64_t>(row_.ids.size() + context.size() + reply.size()) + 1 > request_.row_tokens) return false;
  row_.ids.insert(row_.ids.end(), context.begin(), context.end());
  row_.mask.insert(row_.mask.end(), context.size(), 0);
  row_.ids.insert(row_.ids.end(), reply.begin(), reply.end());
  row_.ids.push_back(static_cast<uint16_t>(request_.eos_id));
  row_.mask.insert(row_.mask.end(), reply.size() + 1, 1);
  return true;
}

TrainingRow RowBuilder::build() {
  const double turns = kMix.turns_from + (kMix.turns_to - kMix.turns_from) * rng_.uniform();
  // What a first question costs at least, measured on a question like the row's own.
  const std::vector<std::string> sample_keys(static_cast<size_t>(std::min<int64_t>(spec_.queries, 4)), draw(spec_.key_kind));
  const NiahText probe = niah_text(spec_.value_kind, join_keys(sample_keys), false);
  const int64_t answer = spec_.queries * (count(draw(spec_.value_kind)) + 1) * (spec_.values > 1 ? kMix.values_to : 1) +
                         (spec_.queries > 1 ? spec_.queries * (count(sample_keys[0]) + 2) : 0);
  const int64_t question_tokens = count(probe.question + probe.answer_prefix) + answer + 2;
  const int64_t space = request_.row_tokens - 1 - count(probe.header) - question_tokens;
  int64_t budget = std::min(space, static_cast<int64_t>(static_cast<double>(request_.row_tokens) * (1 - turns)));
  if (request_.length_jitter && rng_.uniform() < 0.3)
    budget = static_cast<int64_t>(static_cast<double>(budget) * (kMix.shortest + (1 - kMix.shortest) * rng_.uniform()));
  row_.ids.push_back(static_cast<uint16_t>(request_.bos_id));
  row_.mask.push_back(0);
  const std::string context = haystack(std::max<int64_t>(budget, 0));
  bool first = true;
  while (true) {
    const auto [text, reply] = question();
    if (!append((first ? text.header + context : std::string()) + text.question + text.answer_prefix, reply)) break;
    first = false;
  }
  if (first) row_.ids.clear(), row_.mask.clear();  // nothing fitted: the caller draws again
  row_.ids.resize(static_cast<size_t>(request_.row_tokens), static_cast<uint16_t>(request_.eos_id));
  row_.mask.resize(static_cast<size_t>(request_.row_tokens), 0);
  return std::move(row_);
}

}  // namespace

TrainingRow niah_training_row(const NiahSpec& spec, const TrainingRequest& request, Rng& rng, const Tokenizer& tokenizer) {
  for (int attempt = 0; attempt < 50; ++attempt) {
    TrainingRow row = RowBuilder(spec, request, rng, tokenizer).build();
    if (std::find(row.mask.begin(), row.mask.end(), 1) != row.mask.end()) return row;
  }
  throw Error(ErrorCode::kUsage,
              "training row: {} tokens cannot hold one question of {}; use longer rows or leave the task out",
              request.row_tokens, spec.name);
}

}  // namespace sala::tasks
