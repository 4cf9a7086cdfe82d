#include "eval/score/line_scorer.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "sala/core/error.h"
#include "sim/text/near.h"

namespace sala::eval {
namespace {

// An id of a few bytes must not cost what a sample of billions of tokens does: twice the longest that is evaluated.
constexpr int64_t kLongestMadeAgain = int64_t{4} << 20;

Error unknown_task(const std::string& name) {
  std::vector<std::string> names;
  for (const tasks::Task* task : tasks::all_tasks()) names.emplace_back(task->name());
  return Error(ErrorCode::kFormat, "no task '{}'{}", name, text::near_it(name, names));
}

// The same metric as the ports have it: lm-eval counts the share of the answers also where any one will do.
void add_port_score(const tasks::Task& task, const Prediction& prediction, SampleRecord& record) {
  if (!task.traits().any_answer_counts || prediction.references.size() < 2) return;
  double matches = 0;
  for (const std::string& reference : prediction.references) {
    tasks::Sample one;
    one.outputs = {reference};
    matches += task.score(one, prediction.response).value;
  }
  record.diagnostics.emplace_back("lm_eval_score", matches / static_cast<double>(prediction.references.size()));
}

void set_diagnostic(SampleRecord& record, const std::string& name, double value) {
  for (auto& [each, held] : record.diagnostics)
    if (each == name) {
      held = value;
      return;
    }
  record.diagnostics.emplace_back(name, value);
}

}  // namespace

const tasks::Task& LineScorer::find_task(const std::string& name, const std::string& id) {
  if (const tasks::Task* task = tasks::find_task(name)) return *task;
  if (!id.empty() && tasks::parse_sample_id(id).corpora == files_hash())
    if (const tasks::Task* task = tasks::find_task(name, user_tasks())) return *task;
  const std::lock_guard lock(mutex_);
  const auto known = own_tasks_.find(name);
  if (known != own_tasks_.end()) return *known->second;
  const std::shared_ptr<const tasks::Task> made = tasks::make_file_task(name);
  if (made == nullptr) throw unknown_task(name);
  own_tasks_.emplace(name, made);
  return *made;
}

const tasks::Corpora* LineScorer::corpora() const { return request_.user == nullptr ? nullptr : request_.user->corpora(); }

std::string LineScorer::files_hash() const { return corpora() == nullptr ? "" : corpora()->hash; }

std::vector<const tasks::Task*> LineScorer::user_tasks() const {
  return request_.user == nullptr ? std::vector<const tasks::Task*>{} : request_.user->tasks();
}

bool LineScorer::wanted(const tasks::Task& task) const {
  // A task of files has no name in the registry: its benchmark's stands for it.
  const bool registered = tasks::find_task(task.name()) == &task;
  return request_.tasks.empty() || std::any_of(request_.tasks.begin(), request_.tasks.end(), [&](const tasks::Task* each) {
           return each->name() == task.name() || (!registered && each->traits().benchmark == task.traits().benchmark);
         });
}

const Tokenizer& LineScorer::tokenizer() {
  const std::lock_guard lock(mutex_);
  if (!tokenizer_) tokenizer_ = request_.open_tokenizer();
  return *tokenizer_;
}

tasks::Sample LineScorer::sample_of(const tasks::Task& task, Prediction& prediction) {
  const bool complete = !prediction.references.empty() && (!task.traits().needs_messages || !prediction.turns.empty());
  if (!complete && prediction.id.empty())
    throw Error(ErrorCode::kFormat, "no reference answers ('outputs') and no 'id' to make the sample again from");
  if (!complete) {
    if (prediction.length > kLongestMadeAgain)
      throw Error(ErrorCode::kFormat, "sample '{}' is too long to be made again (at most {} tokens); give 'outputs'",
                  prediction.id, kLongestMadeAgain);
    tasks::Sample sample = tasks::regenerate(prediction.id, tokenizer(), corpora(), user_tasks());
    if (!prediction.references.empty() && prediction.references != sample.outputs)
      throw Error(ErrorCode::kFormat,
                  "the reference answers are not those of sample '{}' made with this tokenizer; name the right one by "
                  "--tokenizer",
                  prediction.id);
    return sample;
  }
  tasks::Sample sample;
  sample.id = prediction.id;
  sample.task = task.name();
  if (!prediction.id.empty()) sample.request = tasks::parse_sample_id(prediction.id).request;
  sample.outputs = prediction.references;
  sample.input = std::move(prediction.chat);
  sample.turns = std::move(prediction.turns);
  sample.evidence = prediction.evidence;
  return sample;
}

SampleRecord LineScorer::score(const tasks::Task& task, Prediction prediction) {
  for (const int64_t tokens : {prediction.length, prediction.tokens})
    if (tokens > tasks::kLongestSample)
      throw Error(ErrorCode::kFormat, "a sample of {} tokens; the longest has {}", tokens, tasks::kLongestSample);
  tasks::Sample sample = sample_of(task, prediction);
  SampleRecord record;
  record.task = task.name();
  record.length = prediction.length;
  record.index = prediction.index.value_or(0);
  record.id = prediction.id;
  tasks::Score score = task.score(sample, prediction.response);
  record.score = score.value;
  record.diagnostics = std::move(score.diagnostics);
  add_port_score(task, prediction, record);
  if (prediction.metric) {
    record.score = tasks::nolima_match(*prediction.metric, prediction.response, sample.outputs);
    for (const std::string& kind : prediction.kinds) set_diagnostic(record, kind, record.score);
  }
  record.answer = std::move(prediction.response);
  record.expected = std::move(sample.outputs);
  record.evidence = std::move(sample.evidence);
  record.tokens_to_generate = 0;
  record.prompt_tokens = sample.prompt_ids.empty()
                             ? prediction.tokens
                             : static_cast<int64_t>(sample.prompt_ids.size()) + sample.tokens_to_generate;
  return record;
}

std::vector<std::shared_ptr<const tasks::Task>> LineScorer::own_tasks() const {
  std::vector<std::shared_ptr<const tasks::Task>> tasks;
  for (const auto& [name, task] : own_tasks_) tasks.push_back(task);
  return tasks;
}

}  // namespace sala::eval
