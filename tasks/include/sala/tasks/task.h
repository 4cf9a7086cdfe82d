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

namespace sala::tasks {

// Which part of the key and value space a sample may draw from. The parts are disjoint by stable_hash of the string, so no
// key, no value and no essay sentence of an evaluation sample was ever trained on (tests/tasks prove it).
enum class Split { kEval, kTrain };

// fixed: upstream's templates and metrics without its defects (spec tasks 5). upstream: its random streams and sizing as
// well.
enum class Mode { kFixed, kUpstream };
std::string_view mode_name(Mode mode);  // `fixed`, `upstream`

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

// The score of one answer.
struct Score {
  double value = 0;  // in [0, 1]
  // Further figures of the same answer by name, shown beside the score and never ranked by (word-boundary match, confusion,
  // ...). A task gives the same names, in the same order, to every answer.
  std::vector<std::pair<std::string, double>> diagnostics;
};

// Under which name `list models` shows the scores that a member had in training (tasks of one name share it), and which
// figure of training.json that is: values (parts of the answer between commas), tokens, or exact (whole answers).
struct TrainingFigure {
  std::string name = {}, figure = "exact";
};

// What the other parts of the program know of a task: data, filled in once.
struct TaskTraits {
  std::string name = {};         // `niah_single_1`
  std::string group = {};        // `ruler`
  std::string subgroup = {};     // a name for several tasks of the group, `niah` for the needle tasks; empty = none
  std::string description = {};  // one line
  int64_t tokens_to_generate = 0;
  std::string texts_name = "built-in texts";  // what samples are made of without the user's files: `ruler-synth`
  // The benchmark by whose name predictions of this task are asked for, where no registry has it: `mrcr` for openai/mrcr
  // rows. Empty = the group.
  std::string benchmark = {};
  // How reports sum up its group beside the mean (eval/report/aggregate.h): `ruler`, `mrcr`, `nolima`. Empty = not at all.
  std::string aggregate = {};
  std::string lm_eval_name = {};  // empty = the name
  TrainingFigure training = {};   // its name empty = the task's

  bool any_answer_counts = false;  // one reference of several is a whole answer
  // The references stand in the prompt once each, and their places are the evidence. In RULER's files of such tasks `index`
  // is such a place and no index.
  bool hides_answers = false;
  bool needs_messages = false;  // score() reads Sample::turns
  bool length_is_bin = false;   // a sample's length is the bin of its own tokens, whatever a folder or a flag says
  // Prompt and answer budget stay within a request's length, by mode. Not where a benchmark's lengths count something else
  // (NoLiMa's window in upstream mode, MRCR's bins).
  bool fits_length_fixed = true, fits_length_upstream = true;
  bool fits_length(Mode mode) const { return mode == Mode::kUpstream ? fits_length_upstream : fits_length_fixed; }
};

// Two pure functions and what is known of them. How a model is taught to answer is apart: TrainingRows (training.h).
class Task {
 public:
  explicit Task(TaskTraits traits);  // empty names take what TaskTraits says of them
  virtual ~Task() = default;
  const TaskTraits& traits() const { return traits_; }
  const std::string& name() const { return traits_.name; }
  const std::string& group() const { return traits_.group; }

  // Throws Error{kUsage} with the smallest possible length when `length` is too small.
  virtual Sample make_sample(const SampleRequest& request, const Tokenizer& tokenizer) const = 0;
  // `answer` is the decoded generation, raw.
  virtual Score score(const Sample& sample, std::string_view answer) const = 0;

  // Samples request.index, request.index + 1, ... as make_sample() gives them. `upstream` mode draws all samples from one
  // stream, so that make_sample() replays the size search and every sample before the one asked for; this pays for them
  // once. The task, the tokenizer and the corpora must outlive the stream, which belongs to one thread.
  virtual std::unique_ptr<SampleStream> open_stream(const SampleRequest& first, const Tokenizer& tokenizer) const;
  // A sample in the benchmark's own file format; empty = in RULER's.
  virtual Record record(const Sample&, const Tokenizer&) const { return {}; }

 private:
  TaskTraits traits_;
};

// The registry: a plain table in tasks/registry.cc, benchmark order, then what register_task() added.
const std::vector<const Task*>& all_tasks();
// Adds a task from outside the tree, for the whole program: lists, runs, scores, sample ids and training rows know it from
// then on. Called before anything else uses the registry; it is not thread-safe. How it is taught, where not by samples one
// after the other, is a second argument (training.h). Throws Error{kUsage} for a name or group that cannot stand in a sample
// id, is taken, means tasks of another group in a list, or is a built-in benchmark's.
void register_task(std::unique_ptr<const Task> task);
// Expands a comma list of task and group names. A benchmark's name means its tasks in `user` (user_files.h) where there are
// such: `mrcr` then is `mrcr_official_2`, ..., and `mrcr_2` remains the built-in one. Throws Error{kUsage} naming near
// matches for an unknown one.
std::vector<const Task*> resolve_tasks(const std::string& list, const std::vector<const Task*>& user = {});

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
                  const std::vector<const Task*>& user = {});
// The task of that name in `user` or the registry; null when there is none.
const Task* find_task(std::string_view name, const std::vector<const Task*>& user = {});

// `4k`, `128k`, `1000k` (decimal because 1000 divides it), `1m`, `4096`; lists `4k,128k`; ranges `4k-2048k*2` (the factor is
// 2 when left out). A length named twice counts once. Throws Error{kUsage} with the offending word.
std::vector<int64_t> parse_lengths(const std::string& list);
// `131072` -> `128k`, `1000000` -> `1000k`, `5000` -> `5000`: the inverse of one word of parse_lengths.
std::string format_length(int64_t tokens);

}  // namespace sala::tasks
