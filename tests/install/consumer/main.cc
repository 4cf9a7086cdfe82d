// consumer MODELS_DIR MODEL_DIR: a sample, its token ids, and one model run, through installed headers only.
#include <cstdint>
#include <cstdio>
#include <exception>
#include <string>
#include <vector>

#include "sala/model/cost.h"
#include "sala/model/session.h"
#include "sala/tasks/task.h"
#include "sala/tokenizer/tokenizer.h"

namespace {

int check(bool ok, const char* what) {
  std::printf("%s %s\n", ok ? "ok" : "FAILED", what);
  return ok ? 0 : 1;
}

int run(const std::string& models_dir, const std::string& model_dir) {
  int failures = 0;
  const auto tokenizer = sala::open_tokenizer(models_dir + "/tokenizer.model");
  const sala::tasks::Task& task = *sala::tasks::resolve_tasks("niah_single_1").at(0);
  sala::tasks::SampleRequest request;
  request.length = sala::tasks::parse_lengths("1k").at(0);
  const sala::tasks::Sample sample = task.make_sample(request, *tokenizer);
  failures += check(static_cast<int64_t>(sample.prompt_ids.size()) <= request.length, "a sample fits its length");
  failures += check(task.score(sample, sample.outputs.at(0)).value == 1.0, "the reference answer scores 1");

  const sala::ModelConfig tiny = sala::ModelConfig::load(models_dir + "/sala-tiny/config.json");
  failures += check(sala::prefill_cost(tiny, 2048).total() > 0, "sala-tiny has a cost");

  const sala::Model model = sala::Model::load(model_dir);
  sala::SessionOptions options;
  options.max_tokens = 8;
  sala::Session session(model, options);
  const std::vector<int32_t> ids = {1, 2, 3};
  session.prefill(ids);
  session.decode(sala::argmax(session.logits()));
  failures += check(session.position() == 4, "a session counts prompt and answer");
  failures += check(static_cast<int64_t>(session.logits().size()) == model.config().vocab_size, "one logit a token");
  return failures;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  try {
    return run(argv[1], argv[2]);
  } catch (const std::exception& error) {
    std::printf("FAILED %s\n", error.what());
    return 1;
  }
}
