// A task makes samples and scores answers. It sees text and a tokenizer, never a model.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sala/tasks/record.h"
#include "sala/tokenizer/tokenizer.h"

namespace sala {
class Rng;
}

namespace sala::tasks {

// Which part of the key and value space a sample may draw from. The parts are disjoint by stable_hash of the string, so no
// key, no value and no essay sentence of an evaluation sample was ever trained on (tests/tasks prove it).
enum class Split { kEval, kTrain };

// fixed: upstream's templates and metrics without its defects (spec tasks 5). upstream: its random streams and sizing as
// well.
enum class Mode { kFixed, kUpstream };
std::string_view mode_name(Mode mode);  // `fixed`, `upstream`

struct TrainingRequest;  // sala/tasks/training.h
struct TrainingRow;
struct Corpora;  // sala/tasks/corpora.h: texts from the user's files, loaded once, immutable

// Version of all samples: raised when the bytes of any evaluation sample change, and stored with every result.
inline constexpr int kSamplesVersion = 5;

// Most tokens of a sample that an id names: an id may come from a stranger's file, and making a longer one would not end.
inline constexpr int64_t kLongestSample = int64_t{1} << 32;

// What makes a sample. A sample is a pure function of this, the tokenizer and kSamplesVersion.
struct SampleRequest {
  int64_t length = 0;  // target: tokens in prompt + tokens_to_generate <= length, special tokens not counted
  uint64_t seed = 42;
  int64_t index = 0;
  Split split = Split::kEval;
  Mode mode = Mode::kFixed;
  const Corpora* corpora = nullptr;  // null = the built-in texts. Not owned
};

// One turn of a chat prompt: views of the text and of the Turn that it was made from.
struct Message {
  std::string_view role, content;
};

// Where the content of a turn stands in the text of its chat, in bytes.
struct Turn {
  std::string role;
  int64_t begin = 0, end = 0;  // [begin, end)
};
// `text` and `turns` must outlive the messages.
std::vector<Message> messages_of(std::string_view text, const std::vector<Turn>& turns);

// What an ideal selector would have to read, as token indexes into encode(prompt).
struct Evidence {
  int64_t token_begin = 0, token_end = 0;  // [begin, end)
  double depth = 0;                        // token_begin / prompt_tokens, 0..1
  std::string key, value;
  int64_t value_token = -1;  // where the value begins; -1 when the span has no value of its own
};

struct Sample {
  std::string id;    // sample_id(): regenerates the sample alone
  std::string task;  // `niah_single_1`
  SampleRequest request;
  std::string input;                 // prompt without answer_prefix
  std::string answer_prefix;         // prompt = input + answer_prefix
  std::vector<Turn> turns;           // of a chat task, in `input`, which is their plain rendering; else empty
  std::vector<std::string> outputs;  // reference answers
  std::vector<Evidence> evidence;
  std::vector<int32_t> prompt_ids;  // encode(input + answer_prefix)
  int64_t tokens_to_generate = 0;
  int64_t template_tokens = 0;  // of the prompt that hold no byte of the haystack: instructions, solved examples, question
  int64_t window_tokens = 0;    // NoLiMa's context_length: tokens of the book around the needle; 0 in other tasks
  std::string prompt() const { return input + answer_prefix; }
  std::vector<Message> messages() const& { return messages_of(input, turns); }
  std::vector<Message> messages() && = delete;  // they would outlive the sample
};

// Samples of one task and length one after the other.
class SampleStream {
 public:
  virtual ~SampleStream() = default;
  virtual Sample next() = 0;
};

struct TrainingFigure {
  std::string_view name, figure;
};

class Task {
 public:
  virtual ~Task() = default;
  virtual std::string_view name() const = 0;         // `niah_single_1`
  virtual std::string_view group() const = 0;        // `ruler`
  virtual std::string_view description() const = 0;  // one line
  virtual int64_t tokens_to_generate() const = 0;
  // What its samples are made of without the user's files: `ruler-synth`.
  virtual std::string_view texts_name() const { return "built-in texts"; }
  // The benchmark by whose name predictions of this task are asked for, where no registry has it: `mrcr` for openai/mrcr
  // rows.
  virtual std::string_view benchmark() const { return group(); }
  // A name for several tasks of the group, `niah` for the eight needle tasks; none by default.
  virtual std::string_view subgroup() const { return {}; }
  // Under which name `list models` shows the scores that a member had in training (tasks of one name share it), and which
  // figure of training.json that is: values (parts of the answer between commas), tokens, or exact (whole answers).
  virtual TrainingFigure training_figure() const { return {name(), "exact"}; }
  // lm-eval's name, where it is not ours.
  virtual std::string_view lm_eval_name() const { return name(); }
  // Whether one reference of several is a whole answer.
  virtual bool any_answer_counts() const { return false; }
  // Whether the references stand in the prompt once each, and their places are the evidence. In RULER's files of such tasks
  // `index` is such a place and no index.
  virtual bool hides_answers() const { return false; }
  // Whether score() needs Sample::turns.
  virtual bool needs_messages() const { return false; }
  // Whether a sample's length is the bin of its own tokens, whatever a folder or a flag says.
  virtual bool length_is_bin() const { return false; }
  // Whether prompt and answer budget stay within a request's length. Not where a benchmark's lengths count something else
  // (NoLiMa's window in upstream mode, MRCR's bins).
  virtual bool length_is_limit(Mode) const { return true; }
  // Throws Error{kUsage} with the smallest possible length when `length` is too small.
  virtual Sample make_sample(const SampleRequest& request, const Tokenizer& tokenizer) const = 0;
  // Samples request.index, request.index + 1, ... as make_sample() gives them. `upstream` mode draws all samples from one
  // stream, so that make_sample() replays the size search and every sample before the one asked for; this pays for them
  // once. The task, the tokenizer and the corpora must outlive the stream, which belongs to one thread.
  virtual std::unique_ptr<SampleStream> open_stream(const SampleRequest& first, const Tokenizer& tokenizer) const;
  // In [0, 1]. `answer` is the decoded generation, raw.
  virtual double score(const Sample& sample, std::string_view answer) const = 0;
  // Further figures of the same answer by name, shown beside the score and never ranked by (word-boundary match, confusion,
  // ...).
  virtual std::vector<std::pair<std::string, double>> diagnostics(const Sample&, std::string_view) const { return {}; }
  // A sample in the benchmark's own file format; empty = in RULER's.
  virtual Record record(const Sample&, const Tokenizer&) const { return {}; }

  // What a model is taught to answer. Default: the references, joined by ", ".
  virtual std::string training_answer(const Sample& sample) const;
  // Tokens to leave for that answer in a training row. Default: tokens_to_generate(), at most 64.
  virtual int64_t training_answer_room() const;
  // A packed training row (sala/tasks/training.h). Default: samples of the training split one after the other, as many as
  // fit. Throws Error{kUsage} when request.row_tokens cannot hold one.
  virtual TrainingRow training_row(const TrainingRequest& request, Rng& rng, const Tokenizer& tokenizer) const;
};

struct TaskInfo {
  const Task* task = nullptr;
  std::string_view name, group, description;
};

// The registry: a plain table in tasks/registry.cc, benchmark order.
const std::vector<TaskInfo>& all_tasks();
// Expands a comma list of task and group names. A benchmark's name means its tasks in `user` (user_files.h) where there are
// such: `mrcr` then is `mrcr_official_2`, ..., and `mrcr_2` remains the built-in one. Throws Error{kUsage} naming near
// matches for an unknown one.
std::vector<TaskInfo> resolve_tasks(const std::string& list, const std::vector<TaskInfo>& user = {});

// `ruler/niah_single_1@131072#37!42`: group, task, length, index, seed; then what is not the default: `~train`, `~upstream`,
// and
// `~files.1f2e3d4c5b6a7988` with the hash of the user's files.
std::string sample_id(const Task& task, const SampleRequest& request);
struct SampleId {
  std::string group, task, corpora;  // corpora: hash, or empty
  SampleRequest request;             // its corpora pointer is null
};
// Throws Error{kUsage}.
SampleId parse_sample_id(const std::string& id);
// Makes the sample again; its task is in the registry or in `user`. Throws Error{kUsage} for an id that names other corpora
// than those given.
Sample regenerate(const std::string& id, const Tokenizer& tokenizer, const Corpora* corpora = nullptr,
                  const std::vector<TaskInfo>& user = {});
// The task of that name in `user` or the registry; null when there is none.
const Task* find_task(std::string_view name, const std::vector<TaskInfo>& user = {});

// `4k`, `128k`, `1000k` (decimal because 1000 divides it), `1m`, `4096`; lists `4k,128k`; ranges `4k-2048k*2` (the factor is
// 2 when left out). A length named twice counts once. Throws Error{kUsage} with the offending word.
std::vector<int64_t> parse_lengths(const std::string& list);
// `131072` -> `128k`, `1000000` -> `1000k`, `5000` -> `5000`: the inverse of one word of parse_lengths.
std::string format_length(int64_t tokens);

}  // namespace sala::tasks
