#include "eval/cli/generate.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <mutex>
#include <optional>

#include "eval/cli/common_flags.h"
#include "eval/cli/user_flags.h"
#include "eval/util/clock.h"
#include "eval/util/streams.h"
#include "sala/core/error.h"
#include "sala/core/parallel.h"
#include "sala/tasks/training.h"
#include "sim/text/json.h"
#include "sim/text/output_file.h"
#include "sim/text/utf8.h"

namespace sala::eval {
namespace {

constexpr const char* kFamilyTokenizer = "models/tokenizer.model";

struct Options {
  std::string tasks, lengths, out = "-", tokenizer = kFamilyTokenizer, split = "eval", weights;
  std::vector<std::string> ids;
  UserFlags user;
  int64_t samples = 20, first = 0;
  uint64_t seed = 42;
  int threads = 0;
  bool tokens = false, jitter = false, as_evaluated = false, quiet = false;
};

tasks::Split parse_split(const std::string& name) { return name == "train" ? tasks::Split::kTrain : tasks::Split::kEval; }

std::vector<std::pair<std::string, double>> task_mix(const Options& options) {
  std::vector<std::pair<std::string, double>> mix;
  for (const tasks::Task* task : tasks::resolve_tasks(options.tasks)) mix.emplace_back(task->name(), 1.0);
  for (size_t begin = 0; !options.weights.empty() && begin <= options.weights.size();) {
    const size_t end = std::min(options.weights.find(',', begin), options.weights.size());
    const std::string word = options.weights.substr(begin, end - begin);
    begin = end + 1;
    const size_t equal = word.find('=');
    bool found = false;
    for (auto& [name, weight] : mix) {
      if (equal == std::string::npos || name != word.substr(0, equal)) continue;
      const std::optional<double> given = decimal_number(std::string_view(word).substr(equal + 1));
      found = given && *given >= 0;
      weight = given.value_or(0);
    }
    if (!found) throw Error(ErrorCode::kUsage, "--weights: '{}' is not TASK=NUMBER with a task of --task", word);
  }
  return mix;
}

void generate_tokens(const Options& options, const Tokenizer& tokenizer) {
  const std::vector<int64_t> lengths = tasks::parse_lengths(options.lengths);
  if (lengths.size() != 1)
    throw Error(ErrorCode::kUsage, "--tokens writes rows of one length; --len has {}", lengths.size());
  if (options.out == "-") throw Error(ErrorCode::kUsage, "--tokens writes a binary file; name it with --out");
  if (open_user_files(options.user, "generate", options.quiet)->corpora() != nullptr ||
      options.user.mode() == tasks::Mode::kUpstream)
    throw Error(ErrorCode::kUsage,
                "--tokens writes rows of the built-in texts in mode fixed; leave your own files and --mode out");
  tasks::TrainingRequest request;
  request.mix = task_mix(options);
  request.row_tokens = lengths[0];
  request.rows = options.samples;
  request.seed = options.seed;
  request.split = parse_split(options.split);
  request.length_jitter = options.jitter;
  request.as_evaluated = options.as_evaluated;
  const double began = seconds_now();
  double shown = began;
  tasks::write_training_file(options.out, request, tokenizer, [&](int64_t done) {
    const double now = seconds_now();
    if (options.quiet || (done < request.rows && now - shown < 2)) return;
    shown = now;
    streams::note("generate: {} of {} rows, {:.1f} M tokens/s\n", done, request.rows,
                  static_cast<double>(done * request.row_tokens) / 1e6 / std::max(now - began, 1e-9));
  });
}

using Json = nlohmann::ordered_json;

Json evidence_json(const tasks::Sample& sample) {
  Json evidence = Json::array();
  for (const auto& span : sample.evidence)
    evidence.push_back({{"token_begin", span.token_begin},
                        {"token_end", span.token_end},
                        {"value_token", span.value_token},
                        {"depth", span.depth},
                        {"key", span.key},
                        {"value", span.value}});
  return evidence;
}

// The fields of upstream's validation.jsonl (spec tasks 1.9). Upstream's niah overwrites `index` with the character offset
// of the answer; here `index` is the index and the offset has a name of its own.
Json ruler_fields(const tasks::Task& task, const tasks::Sample& sample, const Tokenizer& tokenizer) {
  const int64_t length = static_cast<int64_t>(sample.prompt_ids.size()) + sample.tokens_to_generate;
  Json line;
  line["index"] = sample.request.index;
  line["input"] = "";  // its place; the text comes last
  line["outputs"] = sample.outputs;
  line["length"] = length;
  line["length_w_model_temp"] = length;
  line["answer_prefix"] = sample.answer_prefix;
  const std::size_t at = sample.outputs.empty() ? std::string::npos : sample.input.find(sample.outputs[0]);
  if (at != std::string::npos && task.traits().hides_answers) {
    // As upstream counts: the tokens of the text that ends there, which may be cut within a token of the prompt.
    const std::string before = sample.input.substr(0, at);
    line["token_position_answer"] = tokenizer.count(before);
    line["answer_char"] = text::count_code_points(before);
  }
  return line;
}

// What every sample says of itself, behind the fields of its benchmark.
void add_certificate(Json& line, const tasks::Task& task, const tasks::Sample& sample, const Tokenizer& tokenizer) {
  const tasks::SampleRequest& request = sample.request;
  const auto tokens = static_cast<int64_t>(sample.prompt_ids.size());
  line["id"] = sample.id;
  line["mode"] = tasks::mode_name(request.mode);
  line["samples_version"] = tasks::kSamplesVersion;
  line["corpora"] = request.corpora == nullptr ? task.traits().texts_name : request.corpora->hash;
  line["tokenizer"] = tokenizer.hash();
  line["seed"] = request.seed;
  line["max_length"] = request.length;
  line["fill"] = static_cast<double>(tokens + sample.tokens_to_generate) / static_cast<double>(request.length);
  line["prompt_tokens"] = tokens;
  line["template_tokens"] = sample.template_tokens;
  line["tokens_to_generate"] = sample.tokens_to_generate;
  line["evidence"] = evidence_json(sample);
}

// The sample in its benchmark's own format, then ours.
std::string to_line(const tasks::Task& task, tasks::Sample sample, const Tokenizer& tokenizer) {
  const tasks::Record record = task.record(sample, tokenizer);
  Json line;
  for (const auto& field : record) std::visit([&](const auto& held) { line[field.first] = held; }, field.second);
  if (record.empty()) line = ruler_fields(task, sample, tokenizer);
  add_certificate(line, task, sample, tokenizer);
  sample.prompt_ids = {};
  if (record.empty()) line["input"] = std::move(sample.input);
  return text::write_json(line, -1, true);
}

// Standard output or a file, which is not made before there is something to write.
class Output {
 public:
  explicit Output(const std::string& name) : name_(name) {}
  void line(const std::string& text) {
    if (name_ == "-") {
      streams::print_text(text + '\n');
      return streams::finish();  // a reader that went away ends the work
    }
    if (!file_) file_.emplace(name_);
    file_->write(text + '\n');
  }
  void keep() {
    if (file_) file_->keep();
  }

 private:
  const std::string& name_;
  std::optional<text::OutputFile> file_;
};

// Writes lines in the order of their turns, whatever the order in which threads bring them. A thread whose turn it is not
// waits, so that no more samples are in memory than threads.
class OrderedWriter {
 public:
  explicit OrderedWriter(Output& output) : output_(output) {}
  // Drops the line when an earlier turn has failed: what is written does not depend on the threads.
  void write(int64_t turn, const std::string& line) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return failed_ < turn || next_ == turn; });
    if (failed_ < turn) return;
    output_.line(line);
    ++next_;
    changed_.notify_all();
  }
  bool ended_before(int64_t turn) {
    const std::lock_guard lock(mutex_);
    return failed_ < turn;
  }
  void fail(int64_t turn, std::exception_ptr why) {
    const std::lock_guard lock(mutex_);
    if (turn < failed_) failed_ = turn, why_ = std::move(why);
    changed_.notify_all();
  }
  // Of the earliest turn that failed.
  void rethrow() const {
    if (why_) std::rethrow_exception(why_);
  }

 private:
  Output& output_;
  std::mutex mutex_;
  std::condition_variable changed_;
  int64_t next_ = 0, failed_ = INT64_MAX;
  std::exception_ptr why_;
};

// The samples of one task and length. Upstream mode draws them from one stream, one after the other.
void generate_cell(const tasks::Task& task, const tasks::SampleRequest& first, int64_t count, const Tokenizer& tokenizer,
                   Output& output) {
  if (first.mode == tasks::Mode::kUpstream) {
    const auto stream = task.open_stream(first, tokenizer);
    for (int64_t i = 0; i < count; ++i) output.line(to_line(task, stream->next(), tokenizer));
    return;
  }
  OrderedWriter writer(output);
  parallel_for(count, [&](int64_t i, int) {
    if (writer.ended_before(i)) return;
    try {
      tasks::SampleRequest request = first;
      request.index += i;
      writer.write(i, to_line(task, task.make_sample(request, tokenizer), tokenizer));
    } catch (...) {
      writer.fail(i, std::current_exception());
    }
  });
  writer.rethrow();
}

// One failed cell does not stop the others; the last failure is thrown at the end, the earlier ones are said.
void generate_jsonl(const Options& options, const Tokenizer& tokenizer, const tasks::UserFiles& files) {
  Output output(options.out);
  for (const std::string& id : options.ids) {
    tasks::Sample sample = tasks::regenerate(id, tokenizer, files.corpora(), files.tasks());
    const tasks::Task& task = *tasks::find_task(sample.task, files.tasks());
    output.line(to_line(task, std::move(sample), tokenizer));
  }
  if (!options.ids.empty()) return output.keep();
  if (options.tasks.empty() || options.lengths.empty())
    throw Error(ErrorCode::kUsage, "generate needs --task and --len, or --id");
  const std::vector<const tasks::Task*> chosen = tasks::resolve_tasks(options.tasks, files.tasks());
  const std::vector<int64_t> lengths = tasks::parse_lengths(options.lengths);
  std::optional<Error> failure;
  for (const tasks::Task* task : chosen) {
    for (const int64_t length : lengths) {
      const tasks::SampleRequest first{
          length, options.seed, options.first, parse_split(options.split), options.user.mode(), files.corpora()};
      try {
        generate_cell(*task, first, options.samples, tokenizer, output);
      } catch (const Error& error) {
        if (error.code() == ErrorCode::kIo) throw;
        if (failure) streams::note("generate: {}\n", failure->what());
        failure = error;
      }
    }
  }
  output.keep();
  if (failure) throw *failure;
}

}  // namespace

void add_generate_command(Program& program, const std::function<std::string()>& models_folder) {
  auto options = std::make_shared<Options>();
  Command command = program.add_command("generate", "Write task samples as JSONL, or packed training tokens");
  command.footer(
      "Example:\n  sala_eval generate --task niah_multikey_1 --len 4k --samples 10 --out samples.jsonl\n"
      "  sala_eval generate --task ruler --len 128k --mode upstream --corpus essays.json --squad dev-v2.0.json --out "
      "samples.jsonl\n"
      "  sala_eval generate --tokens --split train --task niah --len 512 --samples 20000 --seed 1 --out rows.tok");
  command.add_option("--task", options->tasks, "Comma list of tasks and groups: ruler, niah, niah_single_1, ...")
      .type_name("LIST");
  command.add_option("--len", options->lengths, "Lengths in tokens: 4k,128k or 4k-2048k*2").type_name("LIST");
  command.add_option("--samples,--count", options->samples, "Samples of each task and length; with --tokens, rows in all")
      .check(whole_number(1, int64_t{1} << 40))
      .type_name("N")
      .show_default();
  command.add_option("--first", options->first, "Index of the first sample")
      .check(whole_number(0, int64_t{1} << 40))
      .show_default();
  command.add_option("--seed", options->seed, "Seed of the samples").check(whole_number(0)).type_name("S").show_default();
  command.add_option("--split", options->split, "Half of the key and value space: eval (samples) or train")
      .one_of({"eval", "train"})
      .show_default();
  command.add_option("--id", options->ids, "Ids of samples to make again; in place of --task and --len")
      .type_name("ID,...")
      .split_at(',');
  add_tokenizer_flag(command, options->tokenizer,
                     ": SentencePiece .model or tokenizer.json file, model directory, whitespace or byte")
      .show_default();
  add_out_flag(command, options->out, "a file; - is standard output", "FILE").show_default();
  command.add_option("--threads", options->threads, "Threads; 0 = all")
      .check(whole_number(0, 1024))
      .type_name("N")
      .show_default();
  command.add_flag("--tokens", options->tokens, "Write packed training rows (docs/file_formats.md) instead of JSONL");
  command.add_option("--weights", options->weights, "With --tokens: TASK=WEIGHT,... of the mix; default 1 each");
  command.add_flag("--len-jitter", options->jitter, "With --tokens: also shorter haystacks");
  command.add_flag("--as-evaluated", options->as_evaluated,
                   "With --tokens: rows like evaluation samples, one question each");
  add_user_flags(command, options->user);
  command.add_flag("--quiet", options->quiet, "No progress on stderr");
  command.callback([options, models_folder] {
    set_num_threads(options->threads);
    if (models_folder && options->tokenizer == kFamilyTokenizer && !std::ifstream(kFamilyTokenizer).good())
      options->tokenizer = models_folder() + "/tokenizer.model";
    const auto tokenizer = open_tokenizer(options->tokenizer);
    if (const std::string lossy = round_trip_difference(*tokenizer); !lossy.empty() && !options->quiet)
      streams::note(
          "generate: the {} tokenizer does not give texts back ({}): samples are exact, texts decoded with it are not\n",
          tokenizer->kind(), lossy);
    if (options->tokens) return generate_tokens(*options, *tokenizer);
    generate_jsonl(*options, *tokenizer, *open_user_files(options->user, "generate", options->quiet));
  });
}

}  // namespace sala::eval
