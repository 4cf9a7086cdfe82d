#include "tasks/mrcr/mrcr.h"

#include <fmt/format.h>

#include <algorithm>

#include "sala/core/error.h"
#include "sim/text/json.h"
#include "sim/text/utf8.h"
#include "tasks/mrcr/grader.h"
#include "tasks/mrcr/synth.h"

namespace sala::tasks {
namespace {

constexpr int64_t kMostTokensToGenerate = 2000;  // what HELM allows for the official rows

MrcrQuestion question_of(const Sample& sample) {
  const auto question = sample.turns.empty() ? std::nullopt : parse_mrcr_question(sample.messages().back().content);
  if (!question) throw Error(ErrorCode::kFormat, "sample {}: the last message is no MRCR question", sample.id);
  return *question;
}

// Fills what both kinds of sample share, once the prompt is encoded and the sample has input and turns. `offsets`: byte
// offset of each prompt token; `desired`: the message whose reply is wanted.
void finish(Sample& sample, int64_t desired, std::string answer, const TokenOffsets& offsets) {
  const std::vector<Message> messages = sample.messages();
  const auto asked = static_cast<size_t>(desired);
  const Turn& reply = sample.turns[asked + 1];
  const auto last_of = [&](int64_t byte) { return offsets.before(byte + 1) - 1; };  // of the tokens that hold it
  Evidence evidence;
  evidence.token_begin = offsets.holding(reply.begin);
  evidence.token_end = last_of(std::max(reply.begin + 1, reply.end) - 1) + 1;
  evidence.depth =
      static_cast<double>(evidence.token_begin) / static_cast<double>(std::max<size_t>(1, sample.prompt_ids.size()));
  evidence.key = messages[asked].content;
  evidence.value = messages[asked + 1].content;
  sample.evidence.push_back(std::move(evidence));
  // The conversation is the haystack; the last message asks. An empty line ends the one before it.
  const int64_t haystack_end = sample.turns[sample.turns.size() - 2].end + 2;
  sample.template_tokens = static_cast<int64_t>(sample.prompt_ids.size()) - (last_of(haystack_end - 1) + 1);
  sample.outputs = {std::move(answer)};
  sample.answer_prefix = kMrcrAnswerPrefix;
}

// What built-in and official conversations share; `made_by` is the generator's name in records.
class MrcrTask : public Task {
 public:
  MrcrTask(TaskTraits traits, int64_t needles, std::string made_by)
      : Task(of_mrcr(std::move(traits))), needles_(needles), made_by_(std::move(made_by)) {}
  Score score(const Sample& sample, std::string_view answer) const override {
    const std::string hash = question_of(sample).hash, &wanted = sample.outputs.at(0);
    return {mrcr_grade(answer, wanted, hash).score, mrcr_diagnostics(answer, wanted, hash, sample.messages())};
  }
  Record record(const Sample& sample, const Tokenizer& tokenizer) const override {
    return mrcr_record(sample, tokenizer, made_by_);
  }

 protected:
  Sample make_header(const SampleRequest& request) const {
    Sample sample;
    sample.task = name();
    sample.request = request;
    sample.id = sample_id(*this, request);
    return sample;
  }
  int64_t needles_;

 private:
  static TaskTraits of_mrcr(TaskTraits traits) {
    traits.tokens_to_generate = kMostTokensToGenerate;
    traits.benchmark = traits.aggregate = "mrcr";
    traits.training = {"mrcr", "tokens"};
    traits.needs_messages = traits.length_is_bin = true;
    return traits;
  }
  std::string made_by_;
};

class SynthTask final : public MrcrTask {
 public:
  explicit SynthTask(int64_t needles)
      : MrcrTask({.name = mrcr_task_name(needles, false),
                  .group = "mrcr",
                  .description = fmt::format("multi-round co-reference: one of {} equal requests in a long chat", needles),
                  .texts_name = std::string(kMrcrSynth)},
                 needles, std::string(kMrcrSynth)) {}
  Sample make_sample(const SampleRequest& request, const Tokenizer& tokenizer) const override {
    if (request.mode == Mode::kUpstream)
      throw Error(ErrorCode::kUnsupported,
                  "{}: openai/mrcr has rows and no generator, so there is no mode upstream; load its rows", name());
    MrcrConversation made = make_mrcr_conversation(needles_, request, tokenizer);
    Sample sample = make_header(request);
    sample.input = std::move(made.row.chat.text);
    sample.turns = std::move(made.row.chat.turns);
    sample.prompt_ids = std::move(made.prompt_ids);
    sample.tokens_to_generate = made.tokens_to_generate;
    finish(sample, made.row.desired_msg_index, std::move(made.row.answer), made.offsets);
    return sample;
  }
};

class RowsTask final : public MrcrTask {
 public:
  RowsTask(std::shared_ptr<const std::vector<MrcrRow>> rows, int64_t needles)
      : MrcrTask({.name = mrcr_task_name(needles, true),
                  .group = "mrcr_official",
                  .description = fmt::format("openai/mrcr rows with {} equal requests", needles),
                  .texts_name = "rows of openai/mrcr",
                  .fits_length_fixed = false,
                  .fits_length_upstream = false},
                 needles, "openai/mrcr"),
        rows_(std::move(rows)) {}
  Sample make_sample(const SampleRequest& request, const Tokenizer& tokenizer) const override {
    std::vector<const MrcrRow*> bin;
    for (const MrcrRow& row : *rows_)
      if (row.n_needles == needles_ && mrcr_bin(row.tokens) == request.length) bin.push_back(&row);
    if (bin.empty())
      throw Error(ErrorCode::kUsage, "{}: no row with {} needles in the bin {}; bins are 8192, 16384, ... 1048576", name(),
                  needles_, request.length);
    if (request.index >= static_cast<int64_t>(bin.size()))
      throw Error(ErrorCode::kUsage, "{}: the bin {} has {} rows with {} needles; there is no sample {}", name(),
                  request.length, bin.size(), needles_, request.index);
    const MrcrRow& row = *bin[static_cast<size_t>(request.index)];
    Sample sample = make_header(request);
    sample.input = row.chat.text;
    sample.turns = row.chat.turns;
    const std::vector<Message> messages = sample.messages();
    TokenOffsets offsets;
    tokenizer.encode_into(sample.input + std::string(kMrcrAnswerPrefix), sample.prompt_ids, offsets);
    for (int64_t at : equal_requests(messages, row.desired_msg_index)) {
      const std::string answer = std::string(row.hash).append(messages[static_cast<size_t>(at) + 1].content);
      sample.tokens_to_generate = std::max(sample.tokens_to_generate, tokenizer.count(answer) + kMrcrBudgetMargin);
    }
    finish(sample, row.desired_msg_index, row.answer, offsets);
    return sample;
  }

 private:
  std::shared_ptr<const std::vector<MrcrRow>> rows_;
};

}  // namespace

std::string mrcr_task_name(int64_t needles, bool official) {
  return fmt::format("{}{}", official ? kMrcrOfficial : "mrcr_", needles);
}

std::unique_ptr<const Task> make_mrcr_task(int64_t needles) { return std::make_unique<SynthTask>(needles); }

std::unique_ptr<const Task> make_official_mrcr_task(std::shared_ptr<const std::vector<MrcrRow>> rows, int64_t needles) {
  return std::make_unique<RowsTask>(std::move(rows), needles);
}

Record mrcr_record(const Sample& sample, const Tokenizer& tokenizer, const std::string& generator) {
  const MrcrQuestion question = question_of(sample);
  const std::vector<Message> messages = sample.messages();
  nlohmann::ordered_json prompt = nlohmann::ordered_json::array();
  int64_t chars = 0, needles = 0, desired = -1;
  const std::string request = mrcr_request(question.format, question.topic);
  for (size_t i = 0; i < messages.size(); ++i) {
    const Message& message = messages[i];
    prompt.push_back({{"role", message.role}, {"content", message.content}});
    chars += text::count_code_points(message.content);
  }
  for (size_t i = 0; i + 1 < messages.size() && desired < 0; ++i)
    if (messages[i].role == "user" && messages[i].content == sample.evidence.at(0).key &&
        messages[i + 1].content == sample.evidence[0].value)
      desired = static_cast<int64_t>(i);
  if (desired >= 0) needles = static_cast<int64_t>(equal_requests(messages, desired).size());
  const int64_t tokens = count_mrcr_tokens(messages, sample.outputs.at(0), tokenizer);
  return {{"prompt", text::write_json(prompt, -1, true)},
          {"answer", sample.outputs[0]},
          {"random_string_to_prepend", question.hash},
          {"n_needles", needles},
          {"desired_msg_index", desired},
          {"total_messages", static_cast<int64_t>(messages.size())},
          {"n_chars", chars},
          {"bin", mrcr_bin(tokens)},
          {"ordinal", question.ordinal},
          {"format", question.format},
          {"topic", question.topic},
          {"tokens", tokens},
          {"generator", generator},
          {"seed", static_cast<int64_t>(sample.request.seed)}};
}

}  // namespace sala::tasks
