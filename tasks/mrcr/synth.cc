#include "tasks/mrcr/synth.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <memory>
#include <numeric>

#include "sala/core/error.h"
#include "sala/core/rng.h"
#include "tasks/mrcr/lexicon.h"
#include "tasks/mrcr/replies.h"
#include "tasks/mrcr/sequence_matcher.h"
#include "tasks/text/values.h"

namespace sala::tasks {
const std::vector<std::string_view>& mrcr_topics_of(Split split) {
  static const auto lists = [] {
    std::array<std::vector<std::string_view>, 2> made;
    for (std::string_view topic : mrcr_topics()) made[split_of(topic) == Split::kEval ? 0 : 1].push_back(topic);
    return made;
  }();
  return lists[split == Split::kEval ? 0 : 1];
}

std::string draw_mrcr_hash(Rng& rng, Split split) {
  static constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
  while (true) {
    std::string hash(10, ' ');
    for (char& c : hash) c = kAlphabet[rng.below(kAlphabet.size())];
    if (split_of(hash) == split) return hash;
  }
}

namespace {

constexpr int64_t kExampleChars = 80;  // replies of the preamble
constexpr int64_t kTopUpChars = 100;   // of the reply that takes what is left, before it grows
constexpr int kMaxTries = 2000;        // replies drawn for one place; a try fails with probability 0.2 at the shortest
constexpr int kTopUpFormat = 6;        // short essay: grows by sentences
constexpr int kFirstRedraw = 6;        // attempts at a top-up that fits, before other replies are drawn for it
constexpr int kLastDraw = 40;
constexpr double kMeanOfMedian = 1.05;  // mean of a drawn reply length over the median
constexpr int64_t kHashTokens = 12;     // of the ten characters, at most
constexpr double kPlanShare = 0.97;     // of the length that a plan may take; less when texts come out longer than planned
enum Stream : uint32_t { kPlanStream, kLayoutStream, kFirstReplyStream, kTopUpStream = 0x40000001 };

struct Request {
  int format = 0;
  std::string_view topic;
  bool operator==(const Request&) const = default;
};

struct Pair {
  Request request;
  std::string reply;
  int64_t tokens = 0;  // of the rendered request and reply
  bool target = false;
};

struct TooShort {  // of a length; `least` might do, unless texts come out longer than planned
  int64_t least;
};

class Builder {
 public:
  Builder(int64_t needles, const SampleRequest& request, const Tokenizer& tokenizer)
      : needles_(needles),
        request_(request),
        tokenizer_(tokenizer),
        domain_(fmt::format("mrcr/mrcr_{}", needles)),
        rng_(stream(kPlanStream)) {}
  MrcrConversation build();

 private:
  Rng stream(uint32_t id) const { return Rng(request_.seed, domain_, static_cast<uint64_t>(request_.index), id); }
  Request draw_request() {
    const auto& topics = mrcr_topics_of(request_.split);
    return {static_cast<int>(rng_.below(mrcr_formats().size())), topics[rng_.below(topics.size())]};
  }
  std::string request_text(const Request& request) const {
    return mrcr_request(mrcr_formats()[static_cast<size_t>(request.format)], request.topic);
  }
  int64_t count_pair(const Request& request, const std::string& reply) const {
    return tokenizer_.count(render_message("user", request_text(request)) + render_message("assistant", reply)) - seam_;
  }
  std::string preamble(int64_t examples);
  void measure();
  double tokens_needed(const MrcrMix& mix, double median) const;
  bool fits(const MrcrMix& mix);
  void choose_plan();
  int64_t least_top_up() const { return pair_tokens_ + static_cast<int64_t>(tokens_per_char_ * 2 * kTopUpChars) + 1; }
  int64_t room_left() const;
  int64_t draw_chars(Rng& rng) const;
  std::string draw_reply(const Request& request);
  bool accept(const std::string& a, SequenceMatcher& b) const { return b.ratio(code_points(a)).ratio <= kMrcrMaxRatio; }
  void make_targets();
  void add(const Request& request);
  void add_mandatory();
  void add_fillers(int64_t room);
  void top_up(int64_t room, uint32_t draw = 0);
  void arrange();
  MrcrConversation assemble();
  void take_back(const Chat& chat);

  const int64_t needles_;
  const SampleRequest& request_;
  const Tokenizer& tokenizer_;
  const std::string domain_;  // of the random streams
  Rng rng_;                   // of the plan: what is asked, which requests there are
  Request target_;
  MrcrQuestion question_;
  std::array<std::string, 2> preambles_;   // by number of examples - 1
  std::array<int64_t, 2> frame_tokens_{};  // preamble, question and answer prefix, rendered
  std::vector<int64_t> group_repeats_;     // how often each repeated request is asked
  int64_t seam_ = 0;                       // tokens that a text has alone but not behind another
  double tokens_per_char_ = 0;
  int64_t pair_tokens_ = 0;  // rendered request and reply, without the reply
  double plan_share_ = kPlanShare;
  MrcrMix mix_{};
  int64_t median_ = 0;  // characters of a reply
  uint32_t next_reply_ = kFirstReplyStream;
  std::vector<Pair> pairs_;    // the targets first
  std::vector<size_t> order_;  // of pairs_ in the conversation
  std::unique_ptr<SequenceMatcher> answer_;
  int64_t budget_ = 0;
};

// Solved conversations in the frame of spec 3.1: two equal requests, one other between them, the question and its answer.
std::string Builder::preamble(int64_t examples) {
  std::string text = "Here are some examples of conversations succeeded by a follow-up question answered correctly:\n\n";
  std::vector<Request> seen = {target_};
  for (int64_t e = 0; e < examples; ++e) {
    const auto fresh = [&] {
      Request request;
      do {
        request = draw_request();
      } while (std::any_of(seen.begin(), seen.end(), [&](const Request& other) { return other.topic == request.topic; }));
      seen.push_back(request);
      return request;
    };
    const Request asked = fresh(), other = fresh();
    MrcrQuestion question{draw_mrcr_hash(rng_, request_.split), 1 + static_cast<int64_t>(rng_.below(2)),
                          std::string(mrcr_formats()[static_cast<size_t>(asked.format)]), std::string(asked.topic)};
    std::array<std::string, 2> replies;
    text += "======EXAMPLE======\n";
    for (const auto& [request, instance] : {std::pair<Request, int>{asked, 0}, {other, -1}, {asked, 1}}) {
      const std::string reply = ReplyWriter(rng_, request_.split).write(request.format, request.topic, kExampleChars);
      text += fmt::format("User: {}\nAssistant: {}\n", request_text(request), reply);
      if (instance >= 0) replies[static_cast<size_t>(instance)] = reply;
    }
    text += fmt::format("User: {}\nAssistant: {}{}\n======END EXAMPLE======\n", mrcr_question(question), question.hash,
                        replies[static_cast<size_t>(question.ordinal) - 1]);
  }
  return text;
}

// What a pair costs in this tokenizer.
void Builder::measure() {
  const std::string turn = render_message("user", request_text(target_));
  seam_ = 2 * tokenizer_.count(turn) - tokenizer_.count(turn + turn);
  int64_t chars = 0, tokens = 0, overhead = 0;
  constexpr int64_t kProbes = 6;
  for (int64_t probe = 0; probe < kProbes; ++probe) {
    const Request request = draw_request();
    const std::string reply = ReplyWriter(rng_, request_.split).write(request.format, request.topic, 500);
    const int64_t alone = tokenizer_.count(reply);
    chars += static_cast<int64_t>(reply.size());
    tokens += alone;
    overhead += count_pair(request, reply) - alone;
  }
  tokens_per_char_ = static_cast<double>(tokens) / static_cast<double>(chars);
  pair_tokens_ = std::max<int64_t>(1, (overhead + kProbes - 1) / kProbes);
}

// Tokens of the whole sample with replies of this median, everything mandatory counted and a least top-up.
double Builder::tokens_needed(const MrcrMix& mix, double median) const {
  int64_t pairs = needles_ + mix.near_topic + mix.near_format;
  for (int64_t g = 0; g < mix.groups; ++g) pairs += group_repeats_[static_cast<size_t>(g)];
  const double reply = tokens_per_char_ * median;
  const double longest = reply * (median < 2 * kMrcrShortestMedian ? 1.3 : 5.0 / 3);
  return static_cast<double>(frame_tokens_[static_cast<size_t>(mix.examples) - 1] + least_top_up() + kMrcrBudgetMargin +
                             kHashTokens) +
         static_cast<double>(pairs) * (static_cast<double>(pair_tokens_) + reply * kMeanOfMedian) + longest;
}

// Takes `mix` with the longest replies that fit; false when none do.
bool Builder::fits(const MrcrMix& mix) {
  const double room = plan_share_ * static_cast<double>(request_.length);
  if (tokens_needed(mix, kMrcrShortestMedian) > room) return false;
  int64_t low = kMrcrShortestMedian, high = kMrcrMedianChars;
  while (low < high) {
    const int64_t middle = (low + high + 1) / 2;
    if (tokens_needed(mix, static_cast<double>(middle)) <= room) {
      low = middle;
    } else {
      high = middle - 1;
    }
  }
  mix_ = mix;
  median_ = low;
  return true;
}

void Builder::choose_plan() {
  const std::vector<MrcrMix> ladder = mrcr_ladder(needles_);
  if (fits(ladder[0])) return;
  std::fill(group_repeats_.begin(), group_repeats_.end(), 2);
  for (const MrcrMix& mix : ladder)
    if (fits(mix)) return;
  throw TooShort{static_cast<int64_t>(std::ceil(tokens_needed(ladder.back(), kMrcrShortestMedian) / plan_share_))};
}

int64_t Builder::draw_chars(Rng& rng) const {
  if (median_ >= 2 * kMrcrShortestMedian) return draw_reply_chars(rng, median_);
  return median_ * rng.between(90, 120) / 100;
}

// A reply no shorter than autojunk needs. Each try has a stream of its own.
std::string Builder::draw_reply(const Request& request) {
  while (true) {
    Rng rng = stream(next_reply_++);
    const int64_t chars = draw_chars(rng);
    std::string reply = ReplyWriter(rng, request_.split).write(request.format, request.topic, chars);
    if (reply.size() >= kAutojunkFrom) return reply;
  }
}

// n instances, pairwise too unlike for a wrong one to score; the ratio is not symmetric, so both ways.
void Builder::make_targets() {
  std::vector<std::unique_ptr<SequenceMatcher>> matchers;
  for (int64_t n = 0; n < needles_; ++n) {
    for (int tries = 0;; ++tries) {
      if (tries == kMaxTries)
        throw Error(ErrorCode::kInternal, "mrcr_{}: no {} replies that differ enough", needles_, n + 1);
      std::string reply = draw_reply(target_);
      auto matcher = std::make_unique<SequenceMatcher>(code_points(reply));
      bool good = true;
      for (size_t other = 0; good && other < pairs_.size(); ++other)
        good = accept(reply, *matchers[other]) && accept(pairs_[other].reply, *matcher);
      if (!good) continue;
      const int64_t tokens = count_pair(target_, reply);
      reply.shrink_to_fit();  // it grew by doubling, and there are hundreds
      pairs_.push_back({target_, std::move(reply), tokens, true});
      matchers.push_back(std::move(matcher));
      break;
    }
  }
  budget_ = 0;
  for (const Pair& pair : pairs_)
    budget_ = std::max(budget_, tokenizer_.count(question_.hash + pair.reply) + kMrcrBudgetMargin);
  answer_ = std::move(matchers[static_cast<size_t>(question_.ordinal) - 1]);
}

// A reply to `request`; one that shares topic or format with the target must not come near the answer.
void Builder::add(const Request& request) {
  const bool near = request.topic == target_.topic || request.format == target_.format;
  for (int tries = 0;; ++tries) {
    if (tries == kMaxTries)
      throw Error(ErrorCode::kInternal, "mrcr_{}: no reply that differs enough from the answer", needles_);
    std::string reply = draw_reply(request);
    if (near && !accept(reply, *answer_)) continue;
    const int64_t tokens = count_pair(request, reply);
    reply.shrink_to_fit();
    pairs_.push_back({request, std::move(reply), tokens, false});
    return;
  }
}

void Builder::add_mandatory() {
  std::vector<int> formats;
  for (int f = 0; f < static_cast<int>(mrcr_formats().size()); ++f)
    if (f != target_.format) formats.push_back(f);
  rng_.shuffle(formats);
  for (int64_t i = 0; i < mix_.near_topic; ++i) add({formats[static_cast<size_t>(i) % formats.size()], target_.topic});
  const auto other_than_target = [&](bool any_format) {
    Request request;
    do {
      request = draw_request();
    } while (request.topic == target_.topic || (!any_format && request.format == target_.format));
    return request;
  };
  for (int64_t i = 0; i < mix_.near_format; ++i) add({target_.format, other_than_target(true).topic});
  for (int64_t g = 0; g < mix_.groups; ++g) {
    const Request repeated = other_than_target(false);
    for (int64_t i = 0; i < group_repeats_[static_cast<size_t>(g)]; ++i) add(repeated);
  }
}

// Pairs from the same distribution while they leave room for the top-up; a third repeat an earlier request.
void Builder::add_fillers(int64_t room) {
  while (true) {
    const Request request =
        rng_.below(3) == 0
            ? pairs_[static_cast<size_t>(needles_) + rng_.below(pairs_.size() - static_cast<size_t>(needles_))].request
            : draw_request();
    if (request == target_) continue;
    add(request);
    if (pairs_.back().tokens + least_top_up() > room) {
      pairs_.pop_back();
      return;
    }
    room -= pairs_.back().tokens;
  }
}

// One more pair that takes `room` tokens, or a few less; more when the reply of this `draw` cannot be made so short.
void Builder::top_up(int64_t room, uint32_t draw) {
  static constexpr auto kClosers =
      std::to_array<std::string_view>({" And that is all there is to say about it for now.",
                                       " So it went on for a long time.", " Nobody asked why.", " It was so.", " Yes."});
  Rng rng = stream(kTopUpStream + draw);
  Request request;
  const auto& topics = mrcr_topics_of(request_.split);
  do {
    request = {kTopUpFormat, topics[rng.below(topics.size())]};
  } while (request.topic == target_.topic);
  ReplyWriter writer(rng, request_.split);
  std::string reply = writer.write(request.format, request.topic, kTopUpChars);
  int64_t tokens = count_pair(request, reply);
  const auto grow = [&](std::string_view more) {
    const std::string longer = reply + std::string(more);
    const int64_t count = count_pair(request, longer);
    if (count > room) return false;
    reply = longer;
    tokens = count;
    return true;
  };
  while (grow(fmt::format(" {}", writer.sentence()))) {
  }
  for (std::string_view closer : kClosers) {
    for (int again = 0; again < 3 && grow(closer); ++again) {
    }
  }
  pairs_.push_back({request, std::move(reply), tokens, false});
}

// A uniform permutation, drawn again until no two targets are neighbours and one stands in the first 60 % of the pairs.
void Builder::arrange() {
  Rng rng = stream(kLayoutStream);
  order_.resize(pairs_.size());
  std::iota(order_.begin(), order_.end(), size_t{0});
  const auto spread = [&] {
    bool early = false;
    for (size_t i = 0; i < order_.size(); ++i) {
      if (!pairs_[order_[i]].target) continue;
      if (i > 0 && pairs_[order_[i - 1]].target) return false;
      early = early || 10 * i < 6 * order_.size();
    }
    return early;
  };
  do {
    rng.shuffle(order_);
  } while (!spread());
  // Instances are exchangeable; the one that stands at the ordinal is the one that everything was calibrated against.
  std::vector<size_t> places;
  for (size_t i = 0; i < order_.size(); ++i)
    if (pairs_[order_[i]].target) places.push_back(i);
  for (size_t t = 0; t < places.size(); ++t) order_[places[t]] = t;
}

// The replies move into the chat: a second copy would be a third of all memory that a sample takes.
MrcrConversation Builder::assemble() {
  MrcrConversation made;
  MrcrRow& row = made.row;
  Chat& chat = row.chat;
  const std::string question = mrcr_question(question_), &preamble = preambles_[static_cast<size_t>(mix_.examples) - 1];
  const size_t reply_frame = render_message("assistant", "").size();
  size_t bytes = render_message("user", preamble).size() + render_message("user", question).size();
  for (const Pair& pair : pairs_)
    bytes += pair.reply.size() + render_message("user", request_text(pair.request)).size() + reply_frame;
  chat.text.reserve(bytes + kMrcrAnswerPrefix.size());
  chat.turns.reserve(2 * pairs_.size() + 2);
  chat.add("user", preamble);
  int64_t seen = 0;
  for (size_t at : order_) {
    Pair& pair = pairs_[at];
    if (pair.target && ++seen == question_.ordinal) row.desired_msg_index = static_cast<int64_t>(chat.turns.size());
    chat.add("user", request_text(pair.request));
    chat.add("assistant", pair.reply);
    std::string().swap(pair.reply);  // an assignment would keep its memory
  }
  chat.add("user", question);
  row.hash = question_.hash;
  row.answer = question_.hash;
  row.answer.append(chat.messages()[static_cast<size_t>(row.desired_msg_index) + 1].content);
  row.n_needles = needles_;
  row.total_messages = static_cast<int64_t>(chat.turns.size());
  for (const Turn& turn : chat.turns) row.n_chars += turn.end - turn.begin;  // all ASCII
  made.question = question_;
  made.tokens_to_generate = budget_;
  chat.text += kMrcrAnswerPrefix;  // for a moment, to encode the prompt where it stands
  const int64_t target = request_.length - budget_, room = target + target / 256 + 64;  // a vector that has to grow doubles
  made.prompt_ids.reserve(static_cast<size_t>(room));
  made.offsets.reserve(room);
  tokenizer_.encode_into(chat.text, made.prompt_ids, made.offsets);
  chat.text.resize(chat.text.size() - kMrcrAnswerPrefix.size());
  return made;
}

// Undoes what assemble() did to pairs_.
void Builder::take_back(const Chat& chat) {
  const std::vector<Message> messages = chat.messages();
  for (size_t i = 0; i < order_.size(); ++i) pairs_[order_[i]].reply = messages[2 * i + 2].content;
}

// Tokens not taken by the frame, the pairs and the answer budget.
int64_t Builder::room_left() const {
  int64_t room = request_.length - budget_ - frame_tokens_[static_cast<size_t>(mix_.examples) - 1];
  for (const Pair& pair : pairs_) room -= pair.tokens;
  return room;
}

MrcrConversation Builder::build() {
  target_ = draw_request();
  question_ = {draw_mrcr_hash(rng_, request_.split), request_.index % needles_ + 1,
               std::string(mrcr_formats()[static_cast<size_t>(target_.format)]), std::string(target_.topic)};
  for (int64_t g = 0; g < std::max<int64_t>(1, needles_ / 2); ++g) group_repeats_.push_back(rng_.between(2, needles_));
  for (size_t examples : {1, 2}) {
    preambles_[examples - 1] = preamble(static_cast<int64_t>(examples));
    frame_tokens_[examples - 1] =
        tokenizer_.count(render_message("user", preambles_[examples - 1]) +
                         render_message("user", mrcr_question(question_)) + std::string(kMrcrAnswerPrefix));
  }
  measure();
  while (true) {  // again with a more careful plan when the texts came out longer than planned
    choose_plan();
    pairs_.clear();
    make_targets();
    add_mandatory();
    if (room_left() >= least_top_up()) break;
    plan_share_ -= 0.01;
  }
  add_fillers(room_left());
  const int64_t wanted = room_left();
  int64_t room = wanted;
  top_up(room);
  arrange();
  answer_.reset();
  pairs_.shrink_to_fit();
  for (int attempt = 0;; ++attempt) {
    MrcrConversation made = assemble();
    const int64_t target = request_.length - budget_, over = static_cast<int64_t>(made.prompt_ids.size()) - target;
    if (over <= 0 && (over >= -4 || attempt >= 2)) return made;
    if (attempt == kLastDraw)
      throw Error(ErrorCode::kInternal, "mrcr_{}: could not fit {} tokens into {}", needles_, made.prompt_ids.size(),
                  target);
    room =
        attempt < kFirstRedraw ? room - over : wanted - (attempt - kFirstRedraw);  // what was over says nothing of another
    take_back(made.row.chat);
    pairs_.pop_back();
    top_up(room, attempt < kFirstRedraw ? 0 : static_cast<uint32_t>(attempt));
  }
}

}  // namespace

std::vector<MrcrMix> mrcr_ladder(int64_t needles) {
  const int64_t half = std::max<int64_t>(1, needles / 2);
  return {{2 * needles, 2 * needles, half, 2}, {needles, needles, half, 2}, {half, half, 1, 2}, {half, half, 0, 1}};
}

MrcrConversation make_mrcr_conversation(int64_t needles, const SampleRequest& request, const Tokenizer& tokenizer) {
  const auto make = [&](int64_t length) {
    SampleRequest wanted = request;
    wanted.length = length;
    return Builder(needles, wanted, tokenizer).build();
  };
  const auto works = [&](int64_t length) {
    try {
      make(length);
      return true;
    } catch (const TooShort&) {
      return false;
    }
  };
  int64_t least = 0;
  try {
    return Builder(needles, request, tokenizer).build();
  } catch (const TooShort& found) {
    least = std::max(found.least, request.length + 1);
  }
  constexpr int64_t kStep = 16;
  while (!works(least)) least += kStep;
  while (least > request.length + 1 && works(least - 1)) --least;
  throw Error(ErrorCode::kUsage, "mrcr_{}: length {} is too small; this sample needs at least {}", needles, request.length,
              least);
}

}  // namespace sala::tasks
