// How fast this machine runs a model: no task, ids by chance.
#include <fmt/format.h>

#include <algorithm>
#include <memory>

#include "eval/cli/commands.h"
#include "eval/cli/model_flags.h"
#include "eval/report/table.h"
#include "eval/run/memory.h"
#include "eval/spec/plan.h"
#include "eval/spec/provenance.h"
#include "eval/util/clock.h"
#include "eval/util/files.h"
#include "eval/util/streams.h"
#include "sala/core/error.h"
#include "sala/core/rng.h"
#include "sim/core/device_parts.h"
#include "sim/ops/kernels.h"
#include "sim/text/json.h"

namespace sala::eval {
namespace {

struct BenchFlags {
  std::string lengths = "4k,128k,1000k", output = "table", out, config;
  int64_t repeats = 3, new_tokens = 32;
  ModelFlags model;
  EngineFlags engine;
};

struct Measured {
  int64_t length = 0, chunk = 0, bytes = 0;
  double first_token = 0, new_token = 0;  // seconds
  std::vector<DevicePart> parts = {};     // of the prompt and the new tokens, once more with a watch on every kernel
};

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

// A prompt of `ids`, then greedy tokens; the seconds of both.
std::pair<double, double> run_once(Session& session, std::span<const int32_t> ids, int64_t new_tokens) {
  session.reset();
  session.set_prompt_tokens(static_cast<int64_t>(ids.size()));
  const double began = seconds_now();
  session.prefill(ids);
  int32_t id = argmax(session.logits());
  const double first = seconds_now();
  for (int64_t i = 0; i < new_tokens; ++i) {
    session.decode(id);
    id = argmax(session.logits());
  }
  return {first - began, (seconds_now() - first) / static_cast<double>(std::max<int64_t>(1, new_tokens))};
}

Measured measure(const Model& model, const BenchFlags& flags, SessionOptions options, int64_t length) {
  options.max_tokens = length + flags.new_tokens;
  check_fits(model.config(), options, flags.engine);
  Session session(model, options);
  Rng rng(1, "bench", static_cast<uint64_t>(length));
  std::vector<int32_t> ids(static_cast<std::size_t>(length));
  for (int32_t& id : ids) id = static_cast<int32_t>(rng.below(static_cast<uint64_t>(model.config().vocab_size)));
  Measured measured{length, Session::plan(model.config(), options).chunk_tokens, 0};
  run_once(session, std::span(ids).first(static_cast<std::size_t>(std::min<int64_t>(length, 4096))), 1);  // nothing is cold
  std::vector<double> first, next;
  for (int64_t i = 0; i < flags.repeats; ++i) {
    const auto [prompt, token] = run_once(session, ids, flags.new_tokens);
    first.push_back(prompt);
    next.push_back(token);
  }
  measured.first_token = median(first);
  measured.new_token = median(next);
  measured.bytes = session.peak_bytes();
  if (options.device == "cpu") return measured;
  time_device_parts(true);
  run_once(session, ids, flags.new_tokens);
  measured.parts = device_parts();
  time_device_parts(false);
  return measured;
}

Table times_of(const std::vector<Measured>& all) {
  constexpr double kMilli = 1000;
  Table table{"", {"length", "tokens", "first token s", "tokens/s", "a new token ms", "memory MiB", "chunk"}, {}};
  for (const Measured& one : all)
    table.rows.push_back({text(tasks::format_length(one.length)), large(one.length), number(one.first_token, 4),
                          number(static_cast<double>(one.length) / one.first_token, 0), number(kMilli * one.new_token, 3),
                          number(static_cast<double>(one.bytes) / (1 << 20), 1), large(one.chunk)});
  return table;
}

Table parts_of(const std::vector<Measured>& all) {
  constexpr double kMilli = 1000, kPercent = 100;
  Table table{"Time of the device's kernels, prompt and new tokens", {"length", "part", "launches", "ms", "%"}, {}};
  for (const Measured& one : all) {
    double sum = 0;
    for (const DevicePart& part : one.parts) sum += part.seconds;
    for (const DevicePart& part : one.parts)
      table.rows.push_back({text(tasks::format_length(one.length)), text(part.name), large(part.launches),
                            number(kMilli * part.seconds, 3), number(kPercent * part.seconds / sum, 1)});
  }
  return table;
}

using Json = nlohmann::ordered_json;

Json json_of(const BenchFlags& flags, const ModelEntry& entry, const SessionOptions& options, const Provenance& provenance,
             const std::vector<Measured>& all) {
  Json json;
  json["model"] = entry.name;
  json["numerics"] = numerics_class(options.numerics, options.device);
  json["repeats"] = flags.repeats;
  json["new_tokens"] = flags.new_tokens;
  json["times"] = json_view(times_of(all));
  json["parts"] = json_view(parts_of(all));
  for (const auto& [name, words] : provenance) json["provenance"][name] = words;
  return json;
}

void print_measured(const std::string& output, const Json& json, const std::vector<Measured>& all) {
  if (output == "json") return streams::print_text(text::write_json(json, 1) + "\n");
  const auto view = output == "md"      ? markdown_view
                    : output == "latex" ? latex_view
                    : output == "csv"   ? csv_view
                                        : plain_view;
  streams::print_text(view(times_of(all)));
  if (const Table parts = parts_of(all); !parts.empty()) streams::print_text("\n" + view(parts));
}

void bench(const BenchFlags& flags, const CommandState& state) {
  SessionOptions options = session_options(flags.engine);
  const ModelEntry entry = choose_model(flags.model.choice);
  const ModelConfig config = configured(entry, flags.model);
  check_heads(entry, config, flags.engine);
  std::vector<int64_t> lengths = tasks::parse_lengths(flags.lengths);
  std::sort(lengths.begin(), lengths.end());
  options.max_tokens = lengths.back() + flags.new_tokens;
  check_fits(config, options, flags.engine);
  const Model model = load_model(entry, config);
  std::vector<Measured> all;
  for (const int64_t length : lengths) all.push_back(measure(model, flags, options, length));
  const Device& device = find_device(flags.engine.device);
  const std::string kernels = ops::find_kernels(flags.engine.kernels, device.kind()).name;
  const std::string place = device.description().empty() ? device.name() : device.description();
  const Json json = json_of(flags, entry, options, make_provenance(place, kernels, shell_quoted(state.words)), all);
  if (!flags.out.empty()) write_atomically(flags.out, text::write_json(json, 1) + "\n");
  print_measured(flags.output, json, all);
}

}  // namespace

void add_bench_command(Program& program, CommandState& state) {
  auto flags = std::make_shared<BenchFlags>();
  Command command = program.add_command("bench", "Measure how fast a model runs here: time to the first token, decoding");
  command.last_use_wins();
  command.add_option("--len", flags->lengths, "Lengths in tokens: 4k,128k or 4k-2048k*2").type_name("LIST").show_default();
  command.add_option("--repeats", flags->repeats, "Runs of each length; the median counts")
      .check(whole_number(1, 1000))
      .type_name("N")
      .show_default();
  command.add_option("--new-tokens", flags->new_tokens, "Tokens generated behind each prompt")
      .check(whole_number(0, 100000))
      .type_name("N")
      .show_default();
  add_out_flag(command, flags->out, "a JSON file with all numbers and where they come from", "FILE");
  add_output_flag(command, flags->output, "");
  command.add_option("--config", flags->config, "TOML file with any of these flags").type_name("FILE");
  add_model_flags(command, flags->model);
  add_engine_flags(command, flags->engine);
  command.footer("Example:\n  sala_eval bench --model sala-tiny --len 4k,128k --device cuda --out bench.json");
  command.callback([flags, &state] { bench(*flags, state); });
}

}  // namespace sala::eval
