#include "eval/cli/generate.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>

#include "sala/core/error.h"
#include "sala/core/parallel.h"
#include "sala/tasks/training.h"

namespace sala::eval {
namespace {

constexpr const char* kFamilyTokenizer = "models/tokenizer.model";

struct Options {
  std::string tasks, lengths, out = "-", tokenizer = kFamilyTokenizer, split = "eval", weights;
  int64_t count = 20, first = 0;
  uint64_t seed = 42;
  int threads = 0;
  bool tokens = false, jitter = false, as_evaluated = false, quiet = false;
};

tasks::Split parse_split(const std::string& name) { return name == "train" ? tasks::Split::kTrain : tasks::Split::kEval; }

std::vector<std::pair<std::string, double>> task_mix(const Options& options) {
  std::vector<std::pair<std::string, double>> mix;
  for (const auto& info : tasks::resolve_tasks(options.tasks)) {
    if (info.planned)
      throw Error(ErrorCode::kUnsupported, "{} is planned but not built yet: it has no training rows", info.name);
    mix.emplace_back(info.name, 1.0);
  }
  for (size_t begin = 0; !options.weights.empty() && begin <= options.weights.size();) {
    const size_t end = std::min(options.weights.find(',', begin), options.weights.size());
    const std::string word = options.weights.substr(begin, end - begin);
    begin = end + 1;
    const size_t equal = word.find('=');
    bool found = false;
    for (auto& [name, weight] : mix) {
      if (equal == std::string::npos || name != word.substr(0, equal)) continue;
      char* rest = nullptr;
      weight = std::strtod(word.c_str() + equal + 1, &rest);
      found = rest != word.c_str() + equal + 1 && *rest == 0 && weight >= 0 && std::isfinite(weight);
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
  tasks::TrainingRequest request;
  request.mix = task_mix(options);
  request.row_tokens = lengths[0];
  request.rows = options.count;
  request.seed = options.seed;
  request.split = parse_split(options.split);
  request.length_jitter = options.jitter;
  request.as_evaluated = options.as_evaluated;
  const auto began = std::chrono::steady_clock::now();
  auto shown = began;
  tasks::write_training_file(options.out, request, tokenizer, [&](int64_t done) {
    const auto now = std::chrono::steady_clock::now();
    if (options.quiet || (done < request.rows && now - shown < std::chrono::seconds(2))) return;
    shown = now;
    const double seconds = std::chrono::duration<double>(now - began).count();
    fmt::print(stderr, "generate: {} of {} rows, {:.1f} M tokens/s\n", done, request.rows,
               static_cast<double>(done * request.row_tokens) / 1e6 / std::max(seconds, 1e-9));
  });
}

int64_t code_points(std::string_view text) {
  return std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xC0) != 0x80; });
}

// The fields of upstream's validation.jsonl (spec tasks 1.9), then ours. Upstream's niah overwrites `index` with the
// character offset of the answer; here `index` is the index and the offset has a name of its own.
nlohmann::ordered_json to_json(const tasks::Sample& sample, int64_t index) {
  nlohmann::ordered_json evidence = nlohmann::ordered_json::array();
  int64_t answer_token = -1;
  for (const auto& span : sample.evidence) {
    evidence.push_back({{"token_begin", span.token_begin},
                        {"token_end", span.token_end},
                        {"value_token", span.value_token},
                        {"depth", span.depth},
                        {"key", span.key},
                        {"value", span.value}});
    if (answer_token < 0 && !sample.outputs.empty() && span.value == sample.outputs[0]) answer_token = span.value_token;
  }
  const auto tokens = static_cast<int64_t>(sample.prompt_ids.size());
  nlohmann::ordered_json line = {{"index", index},
                                 {"input", sample.input},
                                 {"outputs", sample.outputs},
                                 {"length", tokens + sample.tokens_to_generate},
                                 {"length_w_model_temp", tokens + sample.tokens_to_generate},
                                 {"answer_prefix", sample.answer_prefix}};
  if (answer_token >= 0) {
    line["token_position_answer"] = answer_token;
    line["answer_char"] = code_points(std::string_view(sample.input).substr(0, sample.input.find(sample.outputs[0])));
  }
  line["id"] = sample.id;
  line["prompt_tokens"] = tokens;
  line["evidence"] = evidence;
  return line;
}

void generate_jsonl(const Options& options, const Tokenizer& tokenizer) {
  const std::vector<tasks::TaskInfo> chosen = tasks::resolve_tasks(options.tasks);
  const std::vector<int64_t> lengths = tasks::parse_lengths(options.lengths);
  if (std::all_of(chosen.begin(), chosen.end(), [](const tasks::TaskInfo& info) { return info.planned; }))
    throw Error(ErrorCode::kUnsupported, "{} is planned but not built yet", options.tasks);
  std::ofstream file;
  const auto write = [&](const std::vector<std::string>& lines) {
    const bool to_file = options.out != "-";
    if (to_file && !file.is_open()) file.open(options.out);  // not before there is something to write
    if (!file) throw Error(ErrorCode::kIo, "cannot write {}", options.out);
    std::ostream& out = to_file ? file : std::cout;
    for (const std::string& line : lines) out << line << '\n';
    if (!out.flush()) throw Error(ErrorCode::kIo, "cannot write {}: is the disk full?", options.out);
  };
  for (const auto& info : chosen) {
    if (info.planned) {
      fmt::print(stderr, "generate: {} is planned but not built yet; skipped\n", info.name);
      continue;
    }
    for (int64_t length : lengths) {
      const int64_t batch = 4 * num_threads();
      for (int64_t begin = options.first; begin < options.first + options.count; begin += batch) {
        std::vector<std::string> lines(static_cast<size_t>(std::min(batch, options.first + options.count - begin)));
        parallel_for(static_cast<int64_t>(lines.size()), [&](int64_t i, int) {
          tasks::SampleRequest request{length, options.seed, begin + i, parse_split(options.split), {}, nullptr};
          lines[static_cast<size_t>(i)] = to_json(info.task->make_sample(request, tokenizer), begin + i).dump(-1, ' ', true);
        });
        write(lines);
      }
    }
  }
}

}  // namespace

void add_generate_command(CLI::App& app, const std::function<std::string()>& models_folder) {
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("generate", "Write task samples as JSONL, or packed training tokens");
  command->footer(
      "Example:\n  sala_eval generate --task niah_multikey_1 --len 4k --count 10 --out samples.jsonl\n"
      "  sala_eval generate --tokens --split train --task niah --len 512 --count 20000 --seed 1 --out rows.tok");
  command->add_option("--task", options->tasks, "Comma list of tasks or groups")->required();
  command->add_option("--len", options->lengths, "Comma list of lengths in tokens (4k, 128k, 1000k, 4k-2048k*2)")
      ->required();
  command->add_option("--count", options->count, "Samples per task and length, or rows with --tokens")
      ->check(CLI::Range(int64_t{1}, int64_t{1} << 40))
      ->capture_default_str();
  command->add_option("--first", options->first, "Index of the first sample")
      ->check(CLI::Range(int64_t{0}, int64_t{1} << 40))
      ->capture_default_str();
  command->add_option("--seed", options->seed, "Seed")->capture_default_str();
  command->add_option("--split", options->split, "Half of the key and value space: eval (samples) or train")
      ->check(CLI::IsMember({"eval", "train"}))
      ->capture_default_str();
  command->add_option("--tokenizer", options->tokenizer, "SentencePiece .model file, model directory, whitespace or byte")
      ->capture_default_str();
  command->add_option("--out", options->out, "File to write; - is standard output")->capture_default_str();
  command->add_option("--threads", options->threads, "Threads; 0 = all")->check(CLI::Range(0, 1024))->capture_default_str();
  command->add_flag("--tokens", options->tokens, "Write packed training rows (docs/file_formats.md) instead of JSONL");
  command->add_option("--weights", options->weights, "With --tokens: TASK=WEIGHT,... of the mix; default 1 each");
  command->add_flag("--len-jitter", options->jitter, "With --tokens: also shorter haystacks");
  command->add_flag("--as-evaluated", options->as_evaluated,
                    "With --tokens: rows like evaluation samples, one question each");
  command->add_flag("--quiet", options->quiet, "No progress on stderr");
  command->callback([options, models_folder] {
    set_num_threads(options->threads);
    if (models_folder && options->tokenizer == kFamilyTokenizer && !std::ifstream(kFamilyTokenizer).good())
      options->tokenizer = models_folder() + "/tokenizer.model";
    const auto tokenizer = open_tokenizer(options->tokenizer);
    options->tokens ? generate_tokens(*options, *tokenizer) : generate_jsonl(*options, *tokenizer);
  });
}

}  // namespace sala::eval
