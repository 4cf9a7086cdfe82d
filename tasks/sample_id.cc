// Names of samples, and samples from their names.
#include <charconv>

#include "sala/core/error.h"
#include "sala/tasks/corpora.h"
#include "sala/tasks/task.h"

namespace sala::tasks {
namespace {

class MakeSampleStream final : public SampleStream {
 public:
  MakeSampleStream(const Task& task, const SampleRequest& first, const Tokenizer& tokenizer)
      : task_(task), request_(first), tokenizer_(tokenizer) {}
  Sample next() override {
    Sample sample = task_.make_sample(request_, tokenizer_);
    ++request_.index;
    return sample;
  }

 private:
  const Task& task_;
  SampleRequest request_;
  const Tokenizer& tokenizer_;
};

constexpr std::string_view kFilesMark = "~files.";

Error bad_id(std::string_view id) {
  return Error(ErrorCode::kUsage, "'{}' is no sample id; one looks like ruler/niah_single_1@131072#37!42", id);
}

}  // namespace

std::string_view mode_name(Mode mode) { return mode == Mode::kUpstream ? "upstream" : "fixed"; }

std::unique_ptr<SampleStream> Task::open_stream(const SampleRequest& first, const Tokenizer& tokenizer) const {
  return std::make_unique<MakeSampleStream>(*this, first, tokenizer);
}

std::string sample_id(const Task& task, const SampleRequest& request) {
  std::string id = fmt::format("{}/{}@{}#{}!{}", task.group(), task.name(), request.length, request.index, request.seed);
  if (request.split == Split::kTrain) id += "~train";
  if (request.mode == Mode::kUpstream) id += "~upstream";
  if (request.corpora != nullptr && !request.corpora->hash.empty()) id += std::string(kFilesMark) + request.corpora->hash;
  return id;
}

SampleId parse_sample_id(const std::string& id) {
  SampleId parsed;
  std::string_view rest = id;
  const auto until = [&](char mark) {
    const size_t at = rest.find(mark);
    if (at == std::string_view::npos) throw bad_id(id);
    const std::string_view word = rest.substr(0, at);
    rest.remove_prefix(at + 1);
    return word;
  };
  const auto number = [&]<class T>(std::string_view word, T& value) {
    const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), value);
    if (word.empty() || word[0] == '-' || error != std::errc() || end != word.data() + word.size()) throw bad_id(id);
  };
  const auto ends_with = [&](std::string_view suffix) {
    const bool found = rest.ends_with(suffix);
    if (found) rest.remove_suffix(suffix.size());
    return found;
  };
  parsed.group = until('/');
  parsed.task = until('@');
  number(until('#'), parsed.request.length);
  if (parsed.request.length > kLongestSample)
    throw Error(ErrorCode::kUsage, "'{}': length {} is beyond the {} tokens that a sample can have", id,
                parsed.request.length, kLongestSample);
  number(until('!'), parsed.request.index);
  if (const size_t files = rest.find(kFilesMark); files != std::string_view::npos) {
    parsed.corpora = rest.substr(files + kFilesMark.size());
    rest = rest.substr(0, files);
    if (parsed.corpora.size() != 16) throw bad_id(id);
  }
  if (ends_with("~upstream")) parsed.request.mode = Mode::kUpstream;
  if (ends_with("~train")) parsed.request.split = Split::kTrain;
  number(rest, parsed.request.seed);
  return parsed;
}

Sample regenerate(const std::string& text, const Tokenizer& tokenizer, const Corpora* corpora,
                  const std::vector<const Task*>& user) {
  SampleId id = parse_sample_id(text);
  const std::string given = corpora == nullptr ? "" : corpora->hash;
  if (id.corpora != given)
    throw Error(ErrorCode::kUsage, "sample {} was made from {}; this run has {}", text,
                id.corpora.empty() ? "the built-in texts" : "the user's files " + id.corpora,
                given.empty() ? "the built-in texts" : "the files " + given);
  id.request.corpora = corpora;
  const Task* task = find_task(id.task, user);
  if (task != nullptr && task->group() == id.group) return task->make_sample(id.request, tokenizer);
  throw Error(ErrorCode::kUsage, "'{}': no task '{}' in group '{}'; `sala_eval list tasks` shows all", text, id.task,
              id.group);
}

}  // namespace sala::tasks
