// Training rows of MRCR: a conversation of short replies and a question for many of them, so that one row copies several
// replies and tells equal requests apart.
#include <algorithm>
#include <cmath>

#include "sala/core/error.h"
#include "tasks/mrcr/mrcr.h"
#include "tasks/mrcr/replies.h"
#include "tasks/mrcr/synth.h"
#include "tasks/training_row.h"

namespace sala::tasks {
namespace {

constexpr double kShortestReply = 60, kLongestReply = 900;  // characters; of a conversation's median, log-uniform
constexpr double kMostOfRow = 1.0 / 6;                      // of the row's characters, for one reply
constexpr double kCharsPerToken = 3.5;
constexpr int64_t kMostTopics = 3, kMostFormats = 3;  // of a conversation: near misses share topic or format
// Of the conversations, those whose replies are one sentence: which of several equal requests is meant is decided by one
// token of a reply, and weighs little where a hundred others follow.
constexpr double kSentenceShare = 0.6;
constexpr int kAttempts = 20;

struct Asked {
  int format = 0;
  std::string_view topic;
  std::string reply;
  int64_t ordinal = 1;  // among equal requests
};

// Turns until `budget` tokens are taken; at most `needles` of one request.
std::vector<Asked> draw_turns(int64_t needles, int64_t budget, const TrainingRequest& request, Rng& rng,
                              const Tokenizer& tokenizer, std::string& conversation) {
  const auto& topics = mrcr_topics_of(request.split);
  std::vector<std::string_view> about;
  std::vector<int> formats;
  for (int64_t i = rng.between(1, kMostTopics); i > 0; --i) about.push_back(topics[rng.below(topics.size())]);
  for (int64_t i = rng.between(1, kMostFormats); i > 0; --i)
    formats.push_back(static_cast<int>(rng.below(mrcr_formats().size())));
  const double longest =
      std::clamp(kMostOfRow * kCharsPerToken * static_cast<double>(request.row_tokens), kShortestReply, kLongestReply);
  const auto median = static_cast<int64_t>(kShortestReply * std::pow(longest / kShortestReply, rng.uniform()));
  const bool one_sentence = rng.uniform() < kSentenceShare;
  std::vector<Asked> turns;
  for (int64_t taken = 0;;) {
    if (turns.size() == static_cast<size_t>(needles) * mrcr_formats().size() * topics.size())
      return turns;  // no request is left
    Asked turn{formats[rng.below(formats.size())], about[rng.below(about.size())], {}, 1};
    for (const Asked& other : turns) turn.ordinal += other.format == turn.format && other.topic == turn.topic;
    if (turn.ordinal > needles) {  // this request has had its share: another one
      formats.push_back(static_cast<int>(rng.below(mrcr_formats().size())));
      about.push_back(topics[rng.below(topics.size())]);
      continue;
    }
    ReplyWriter writer(rng, request.split);
    turn.reply = one_sentence ? writer.sentence() : writer.write(turn.format, turn.topic, draw_reply_chars(rng, median));
    const std::string asked = mrcr_request(mrcr_formats()[static_cast<size_t>(turn.format)], turn.topic);
    const std::string text = render_message("user", asked) + render_message("assistant", turn.reply);
    taken += tokenizer.count(text);
    if (taken > budget && !turns.empty()) return turns;
    conversation += text;
    turns.push_back(std::move(turn));
  }
}

// `spare`: tokens to leave empty, because the conversation was too long before. Empty when nothing fitted.
std::optional<TrainingRow> many_questions(int64_t needles, const TrainingRequest& request, Rng& rng,
                                          const Tokenizer& tokenizer, int64_t spare) {
  const double share = most_turns_share(request.row_tokens) * (0.3 + 0.7 * rng.uniform());
  const auto budget = static_cast<int64_t>((1 - share) * static_cast<double>(request.row_tokens - spare));
  std::string text;
  std::vector<Asked> turns = draw_turns(needles, budget, request, rng, tokenizer, text);
  rng.shuffle(turns);
  RowWriter row(request, tokenizer);
  for (const Asked& turn : turns) {
    const MrcrQuestion question{draw_mrcr_hash(rng, request.split), turn.ordinal,
                                std::string(mrcr_formats()[static_cast<size_t>(turn.format)]), std::string(turn.topic)};
    text += render_message("user", mrcr_question(question)) + std::string(kMrcrAnswerPrefix);
    if (!row.append(text, question.hash + turn.reply)) break;
    text.clear();
  }
  if (row.empty()) return std::nullopt;
  return row.finish();
}

class SynthRows final : public TrainingRows {
 public:
  explicit SynthRows(int64_t needles) : needles_(needles) {}
  int64_t answer_room(const Task& task) const override {  // a sample keeps what its answer needs
    return task.traits().tokens_to_generate;
  }
  TrainingRow row(const Task& task, const TrainingRequest& request, Rng& rng, const Tokenizer& tokenizer) const override;

 private:
  int64_t needles_;
};

TrainingRow SynthRows::row(const Task& task, const TrainingRequest& request, Rng& rng, const Tokenizer& tokenizer) const {
  if (auto row = row_as_evaluated(*this, task, request, rng, tokenizer)) return *std::move(row);
  for (int attempt = 0; attempt < kAttempts; ++attempt)
    if (auto row = many_questions(needles_, request, rng, tokenizer, attempt * request.row_tokens / kAttempts))
      return *std::move(row);
  throw Error(ErrorCode::kUsage,
              "training row: {} tokens cannot hold one question of {}; use longer rows or leave the task out",
              request.row_tokens, task.name());
}

}  // namespace

std::unique_ptr<const TrainingRows> make_mrcr_rows(int64_t needles) { return std::make_unique<SynthRows>(needles); }

}  // namespace sala::tasks
