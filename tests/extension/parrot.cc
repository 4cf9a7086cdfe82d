// A task: repeat the number that stands before the filling.
#include "sala/core/error.h"
#include "sala/core/rng.h"
#include "sala/tasks/task.h"
#include "tests/extension/toys.h"

namespace sala::toys {
namespace {

class Parrot final : public tasks::Task {
 public:
  Parrot() : Task({.name = "parrot", .group = "toys", .description = "repeat the number", .tokens_to_generate = 6}) {}

  tasks::Sample make_sample(const tasks::SampleRequest& request, const Tokenizer& tokenizer) const override {
    Rng rng(request.seed, "toys/parrot", static_cast<uint64_t>(request.index));
    tasks::Sample sample;
    sample.task = name();
    sample.request = request;
    sample.id = tasks::sample_id(*this, request);
    sample.tokens_to_generate = traits().tokens_to_generate;
    sample.outputs = {std::to_string(rng.between(1000, 9999))};
    const int64_t room = request.length - sample.tokens_to_generate;
    const std::string head = "Remember " + sample.outputs[0] + ".", question = " Which number was it?";
    std::string filling;
    do {
      sample.input = head + filling + question;
      sample.prompt_ids = tokenizer.encode(sample.input);
      filling += " The parrot says nothing.";
    } while (static_cast<int64_t>(tokenizer.encode(head + filling + question).size()) <= room);
    if (static_cast<int64_t>(sample.prompt_ids.size()) > room)
      throw Error(ErrorCode::kUsage, "parrot: length {} is too small", request.length);
    const auto end = static_cast<int64_t>(tokenizer.encode(head).size());
    sample.evidence = {{.token_begin = 0, .token_end = end, .depth = 0, .key = "number", .value = sample.outputs[0]}};
    return sample;
  }
  tasks::Score score(const tasks::Sample& sample, std::string_view answer) const override {
    const bool found = answer.find(sample.outputs[0]) != std::string_view::npos;
    return {found ? 1.0 : 0.0, {{"bytes", static_cast<double>(answer.size())}}};
  }
};

}  // namespace

void register_parrot() { tasks::register_task(std::make_unique<Parrot>()); }

}  // namespace sala::toys
