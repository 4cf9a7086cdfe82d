#include <fmt/format.h>
#include <fmt/ranges.h>

#include <map>
#include <memory>
#include <set>

#include "eval/cli/commands.h"
#include "eval/cli/machine_rates.h"
#include "eval/cli/model_flags.h"
#include "eval/run/memory.h"
#include "eval/run/progress.h"
#include "eval/spec/plan.h"
#include "eval/spec/training_record.h"
#include "eval/study/serving_cost.h"
#include "eval/util/columns.h"
#include "eval/util/streams.h"
#include "sala/core/error.h"
#include "sala/core/parallel.h"
#include "sala/model/cost.h"
#include "sim/mixers/mixer.h"

namespace sala::eval {
namespace {

struct ExplainFlags {
  std::string lengths = "4k,128k,1000k", select = "learned", config, device;
  bool no_estimate = false;
  ModelFlags model;
  EngineFlags engine;
};

std::string flops_text(double flops) {
  const char* units[] = {"", "k", "M", "G", "T", "P", "E"};
  std::size_t unit = 0;
  for (; flops >= 1000 && unit + 1 < std::size(units); ++unit) flops /= 1000;
  return fmt::format("{:.3g} {}FLOP", flops, units[unit]);
}

// Costs are those of `tokens` tokens.
void print_layers(const ModelConfig& config, int64_t tokens) {
  const std::vector<LayerCost> costs = layer_costs(config, tokens);
  std::set<std::string> notes;
  std::vector<Row> rows = {{"layer", "mixer", "position", "query heads", "KV heads", "head dim", "prefill", "a new token",
                            "cache", "norms and gates"}};
  for (std::size_t i = 0; i < config.mixer_types.size(); ++i) {
    const MixerKind& kind = find_mixer(config.mixer_types[i]);
    const EncodingChoice encoding = layer_encoding(config, static_cast<int64_t>(i));
    const PositionEncodingKind& encoding_kind = find_position_encoding(encoding.type);
    if (encoding_kind.note != nullptr) notes.insert(encoding_kind.note(encoding.params));
    const LayerShape shape = kind.shape(config);
    rows.push_back({std::to_string(i), config.mixer_types[i], encoding_kind.title, std::to_string(shape.heads),
                    std::to_string(shape.kv_heads), std::to_string(shape.head_dim), flops_text(costs[i].prefill_flops),
                    flops_text(costs[i].decode_flops), format_bytes(costs[i].state_bytes),
                    shape.extras.empty() ? "-" : fmt::format("{}", fmt::join(shape.extras, ", "))});
  }
  streams::print("{}prefill, a new token and cache: of one layer with its FFN, at {} tokens\n", plain_table(rows, 3),
                 with_commas(tokens));
  for (const std::string& note : notes) streams::print("{}\n", note);
  for (const MixerKind& kind : mixer_kinds())
    if (kind.notes != nullptr && config.uses(kind.name))
      for (const std::string& note : kind.notes(config)) streams::print("{}\n", note);
}

void print_training(const ModelEntry& entry) {
  const std::optional<TrainingRecord> training = read_training(entry.directory);
  if (!training) return;
  if (!training->problem.empty()) return streams::print("training.json cannot be read: {}\n", training->problem);
  std::vector<std::string> scores;
  for (const auto& [name, score] : training->scores) scores.push_back(fmt::format("{} {:.0f}", name, 100 * score));
  streams::print("trained on {:.0f} M tokens; held-out rows of {} tokens, percent: {}\n",
                 static_cast<double>(training->tokens) / 1e6, with_commas(training->length), fmt::join(scores, ", "));
}

void print_costs(const ModelConfig& config, const SessionOptions& options, const ExplainFlags& flags) {
  const std::optional<DeviceRates> machine = flags.no_estimate ? std::nullopt : machine_rates(options);
  std::vector<Row> rows;
  for (const int64_t length : tasks::parse_lengths(flags.lengths)) {
    SessionOptions sized = options;
    sized.max_tokens = length + 1;
    const Flops prefill = prefill_cost(config, length);
    Row names = {"length", "tokens"}, row = {tasks::format_length(length), with_commas(length)};
    for (const Flops::Item& item : prefill.items()) {
      if (item.name == "head") continue;  // of one token: nothing beside the rest
      names.push_back(item.name);
      row.push_back(flops_text(item.amount));
    }
    for (const char* name : {"prefill", "done", "a new token", "memory", "one sample"}) names.push_back(name);
    row.push_back(flops_text(prefill.total()));
    row.push_back(flops_text(prefill_work(config, length, options.prune).total()));
    row.push_back(flops_text(decode_cost(config, length).total()));
    row.push_back(format_bytes(Session::plan(config, sized).total_bytes()));
    row.push_back(machine ? "~ " + format_seconds(seconds_of(prefill_work(config, length, options.prune), *machine)) : "?");
    if (rows.empty()) rows.push_back(names);
    rows.push_back(row);
  }
  streams::print("\n{}", plain_table(rows));
  streams::print(
      "prefill: of every layer for every token. done: without what the last layer leaves out, whose output is read for the "
      "last "
      "token alone{}.\n",
      options.prune ? "" : "; nothing with --no-prune");
  if (machine)
    streams::print("Times are estimates for reading the prompt on {}. {} Expect a factor of two.\n", machine->name,
                   machine->source);
  else
    streams::print("No estimate of time: {}.\n",
                   flags.no_estimate ? "--no-estimate" : "there is no model here to measure with");
}

// `cpu` is the one of this machine; others are files.
DeviceRates served_on(const std::string& device, const SessionOptions& options) {
  if (device == "cpu") {
    SessionOptions here = options;
    here.device = device;
    if (const auto machine = machine_rates(here)) return *machine;
    throw Error(ErrorCode::kUnsupported, "--on cpu: there is no model here to measure with");
  }
  const bool file = device.find('/') != std::string::npos || device.find(".toml") != std::string::npos;
  return read_device(file ? device : shared_path("configs/devices/" + device + ".toml"));
}

// What a device would need that serves the model, by the cost model (docs/paper.md).
void print_served(const ModelConfig& config, const SessionOptions& options, const ExplainFlags& flags) {
  const DeviceRates device = served_on(flags.device, options);
  std::vector<Row> rows = {{"length", "weights", "memory", "fits", "first token", "a new token"}};
  for (const int64_t length : tasks::parse_lengths(flags.lengths))
    for (const WeightFormat format : {WeightFormat::kBf16, WeightFormat::kInt4}) {
      const double memory = weight_bytes(config, format) + cache_bytes(config, length);
      rows.push_back({tasks::format_length(length), format == WeightFormat::kBf16 ? "bf16" : "INT4",
                      format_bytes(static_cast<int64_t>(memory)), fits(config, format, length, device) ? "yes" : "no",
                      "~ " + format_seconds(prefill_seconds(config, format, length, device)),
                      fmt::format("~ {:.1f} ms", 1000 * decode_seconds(config, format, length, device))});
    }
  streams::print("\nServed by a {}, one sequence:\n{}{}\n", device.name, plain_table(rows, 2), device.source);
}

void explain(const ExplainFlags& flags) {
  SessionOptions options = session_options(flags.engine);
  const ModelEntry entry = choose_model(flags.model.choice);
  const ModelConfig config = configured(entry, flags.model);
  const SelectBy select = select_of_name(flags.select);
  check_select(select, entry.name, config, tasks::parse_lengths(flags.lengths).front());
  streams::print("{}: {}, {} layers {}, {} softmax to linear, position policy {}, {} parameters, vocabulary {}\n",
                 entry.name, entry.architecture(), config.num_hidden_layers, layer_map_string(config.mixer_types),
                 entry.ratio(), position_policy(config), with_commas(parameter_count(config)), config.vocab_size);
  if (!config.sala_lab.family.empty())
    streams::print("{}, trained to {} tokens\n", config.sala_lab.family,
                   config.sala_lab.train_length > 0 ? with_commas(config.sala_lab.train_length) : "an unknown number of");
  const std::vector<std::string> switches = config_switches(entry.config, config);
  if (!switches.empty()) streams::print("switched after training: {}\n", fmt::join(switches, "; "));
  if (const std::string ignored = ignored_sentence(config); !ignored.empty()) streams::print("{}\n", ignored);
  print_training(entry);
  print_layers(config, tasks::parse_lengths(flags.lengths).back());
  if (select != SelectBy::kLearned) streams::print("{}\n", select_sentence(select));
  print_costs(config, options, flags);
  if (!flags.device.empty()) print_served(config, options, flags);
  options.max_tokens = tasks::parse_lengths(flags.lengths).back() + 1;
  streams::print("Memory at {} tokens: {}\n", options.max_tokens - 1, describe_plan(Session::plan(config, options)));
}

}  // namespace

void add_explain_command(Program& program) {
  auto flags = std::make_shared<ExplainFlags>();
  Command command = program.add_command("explain", "Layers, encodings, operations, memory and time of a model");
  command.last_use_wins();
  command.add_option("--len", flags->lengths, "Lengths in tokens; to plan for").type_name("LIST").show_default();
  command.add_flag("--no-estimate", flags->no_estimate, "No times, for which this machine is measured once");
  command.add_option("--config", flags->config, "TOML file with any of these flags").type_name("FILE");
  command
      .add_option("--on", flags->device,
                  "Also a device that serves the model: cpu, a6000d, rtx5090, h100, h200 or a TOML file")
      .type_name("DEVICE");
  add_select_flag(command, flags->select, "Switches after training");
  add_model_flags(command, flags->model);
  add_engine_flags(command, flags->engine);
  command.footer(
      "Example:\n  sala_eval explain --model sala-tiny --len 4k,128k,1000k\n"
      "  sala_eval explain --model 9b-shape --len 128k,1000k --on h200 --no-estimate");
  command.callback([flags] { explain(*flags); });
}

}  // namespace sala::eval
