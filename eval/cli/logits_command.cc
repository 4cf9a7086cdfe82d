#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <map>
#include <memory>

#include "eval/cli/commands.h"
#include "eval/cli/model_flags.h"
#include "eval/run/memory.h"
#include "eval/spec/plan.h"
#include "eval/util/files.h"
#include "eval/util/streams.h"
#include "sala/core/error.h"
#include "sala/model/safetensors.h"
#include "sim/mixers/mixer.h"
#include "sim/text/printable.h"

namespace sala::eval {
namespace {

struct LogitsFlags {
  std::string ids, out, config;
  int64_t rows = 1;
  bool hidden = false, selected = false, attention = false;
  ModelFlags model;
  EngineFlags engine;
};

bool ends_with(const std::string& text, const std::string& end) {
  return text.size() >= end.size() && text.compare(text.size() - end.size(), end.size(), end) == 0;
}

std::vector<int32_t> checked_ids(const std::vector<int64_t>& wide, const std::string& path, int64_t vocab) {
  std::vector<int32_t> ids;
  for (const int64_t id : wide) {
    if (id < 0 || id >= vocab)
      throw Error(ErrorCode::kShape, "{}: id {} at place {} lies outside the vocabulary of {}", path, id, ids.size(), vocab);
    ids.push_back(static_cast<int32_t>(id));
  }
  if (ids.empty()) throw Error(ErrorCode::kFormat, "{}: there are no ids", path);
  return ids;
}

// Whitespace-separated integers, or the tensor `ids` of a safetensors file.
std::vector<int32_t> read_ids(const std::string& path, int64_t vocab) {
  if (ends_with(path, ".safetensors")) return checked_ids(SafetensorsFile::open(path).ints("ids"), path, vocab);
  const std::string text = read_file(path);
  std::vector<int64_t> ids;
  const char *at = text.data(), *end = at + text.size();
  const auto space = [](char c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; };
  while ((at = std::find_if_not(at, end, space)) != end) {
    const char* word_end = std::find_if(at, end, space);
    int64_t id = 0;
    const auto [stop, error] = std::from_chars(at, word_end, id);
    if (error != std::errc() || stop != word_end)
      throw Error(ErrorCode::kFormat, "{}: '{}' is no token id", path, std::string(at, std::min(word_end, at + 20)));
    ids.push_back(id);
    at = word_end;
  }
  return checked_ids(ids, path, vocab);
}

// What is to be written beside the logits: the selection of every position, attention and hidden states of those from
// `first_row` on.
class Keep final : public Observer {
 public:
  struct Selected {
    int64_t heads = 0, slots = 0;
    std::map<int64_t, std::vector<int32_t>> rows;  // position: [Hkv, slots]
  };
  Keep(const LogitsFlags& flags, const ModelConfig& config, int64_t first_row, int64_t tokens)
      : config_(config), first_row_(first_row), tokens_(tokens) {
    for (const auto& [wanted, site] : {std::pair(flags.selected, site::kSelection),
                                       std::pair(flags.attention, site::kAttention), std::pair(flags.hidden, site::kHidden)})
      if (wanted) sites_.emplace_back(site);
  }
  std::vector<std::string> sites() const override { return sites_; }
  bool wants(std::string_view site, int, int64_t position) const override {
    return site == site::kSelection || position >= first_row_;
  }
  void on_tap(const Tap& tap) override {
    if (tap.site == site::kSelection) keep_selected(tap);
    if (tap.site == site::kAttention) keep_attention(tap);
    if (tap.site == site::kHidden) keep_hidden(tap);
  }
  std::map<int, Selected> selected;
  std::map<int, std::vector<float>> attention;  // [rows, H, T]
  std::map<int, std::vector<float>> hidden;     // [rows, E]

 private:
  void keep_selected(const Tap& tap) {
    const auto blocks = tap["blocks"].as<int32_t, 2>();
    Selected& into = selected[tap.layer];
    into.heads = blocks.extent[0];
    into.slots = blocks.extent[1];
    std::vector<int32_t>& row = into.rows[tap.position];
    for (int64_t g = 0; g < into.heads; ++g) row.insert(row.end(), blocks[g].data, blocks[g].data + into.slots);
  }
  void keep_attention(const Tap& tap) {
    const auto keys = tap["keys"].as<int64_t, 1>();
    const auto scaled = tap["logits"].as<float, 1>();
    const int64_t heads = config_.num_attention_heads;
    std::vector<float>& into = attention[tap.layer];
    // Once, with what check_output_fits counted: growing would need up to three times as much.
    if (into.empty()) into.assign(static_cast<std::size_t>((tokens_ - first_row_) * heads * tokens_), -INFINITY);
    float* row = into.data() + (heads * (tap.position - first_row_) + tap["head"].number()) * tokens_;
    for (int64_t i = 0; i < keys.extent[0]; ++i) row[keys[i]] = scaled[i];
  }
  void keep_hidden(const Tap& tap) {
    const auto rows = tap["hidden"].as<float, 2>();
    std::vector<float>& into = hidden[tap.layer];
    into.reserve(static_cast<std::size_t>((tokens_ - first_row_) * rows.extent[1]));
    for (int64_t t = 0; t < rows.extent[0]; ++t) into.insert(into.end(), rows[t].data, rows[t].data + rows.extent[1]);
  }
  const ModelConfig& config_;
  const int64_t first_row_, tokens_;
  std::vector<std::string> sites_;
};

void add_selected(SafetensorsWriter& writer, const Keep& kept, int64_t tokens) {
  for (const auto& [index, layer] : kept.selected) {
    std::vector<int32_t> values(static_cast<std::size_t>(layer.heads * tokens * layer.slots), -1);
    for (const auto& [position, row] : layer.rows)
      for (int64_t g = 0; g < layer.heads; ++g)
        std::copy_n(row.begin() + g * layer.slots, layer.slots, values.begin() + (g * tokens + position) * layer.slots);
    writer.add_ints(fmt::format("selected.{}", index), {layer.heads, tokens, layer.slots}, values);
  }
}

// What one of the `rows` costs beside the session, in bytes: logits [V], hidden states [E] and attention [H, T] of every
// layer that has them, kept until all are there and copied by the writer.
int64_t row_bytes(const LogitsFlags& flags, const ModelConfig& config, int64_t tokens) {
  int64_t softmax = 0;
  for (const std::string& mixer : config.mixer_types) softmax += find_mixer(mixer).traits.softmax;
  int64_t floats = config.vocab_size;
  if (flags.hidden) floats += (config.num_hidden_layers + 1) * config.hidden_size;
  if (flags.attention) floats += softmax * config.num_attention_heads * tokens;
  return 2 * floats * static_cast<int64_t>(sizeof(float));
}

void check_output_fits(const LogitsFlags& flags, const MemoryPlan& session, int64_t rows, int64_t bytes) {
  constexpr int64_t kSpare = int64_t{1} << 20;  // a process is never twice the same size: what is offered fits the next time
  const bool apart = memory_apart(flags.engine);
  const MemoryLimit limit = apart ? usable_memory() : memory_limit(flags.engine);
  const int64_t own = apart ? 0 : session.total_bytes();
  if (rows <= (limit.bytes - own) / bytes) return;
  const int64_t most = (limit.bytes - own - kSpare) / bytes;
  throw Error(
      ErrorCode::kMemory,
      "what is to be written of {} rows needs {} beside the session's {}, and {} {}; raise --mem where the machine has "
      "more, or {}",
      rows, format_bytes(rows * bytes), format_bytes(session.total_bytes()), limit.whose, format_bytes(limit.bytes),
      most > 0 ? fmt::format("ask for at most --rows {}", most) : "give fewer ids");
}

void write_logits(const LogitsFlags& flags) {
  SessionOptions options = session_options(flags.engine);
  const ModelEntry entry = choose_model(flags.model.choice);
  const ModelConfig config = configured(entry, flags.model);
  check_heads(entry, config, flags.engine);
  const std::vector<int32_t> ids = read_ids(flags.ids, config.vocab_size);
  const auto tokens = static_cast<int64_t>(ids.size());
  const int64_t rows = flags.rows == 0 ? tokens : std::min(flags.rows, tokens);
  options.max_tokens = tokens;
  check_output_fits(flags, check_fits(config, options, flags.engine), rows, row_bytes(flags, config, tokens));
  const Model model = load_model(entry, config);
  for (const std::string& note : checkpoint_notes(config, model)) streams::note("{}\n", text::printable(note, 4000));
  Session session(model, options);
  session.set_prompt_tokens(tokens);
  Keep kept(flags, config, tokens - rows, tokens);
  session.set_observer(&kept);
  // Logits exist after the last token fed: the wanted rows are fed one by one, which changes no byte of them.
  std::vector<float> logits;
  logits.reserve(static_cast<std::size_t>(rows * config.vocab_size));
  session.prefill(std::span(ids).first(static_cast<std::size_t>(tokens - rows + 1)));
  logits.insert(logits.end(), session.logits().begin(), session.logits().end());
  for (int64_t t = tokens - rows + 1; t < tokens; ++t) {
    session.decode(ids[static_cast<std::size_t>(t)]);
    logits.insert(logits.end(), session.logits().begin(), session.logits().end());
  }
  SafetensorsWriter writer;
  writer.add_metadata("model", entry.name);
  writer.add_metadata("numerics",
                      numerics_class(options.numerics, options.device) + " version " + std::to_string(kNumericsVersion));
  writer.add_ints("ids", {tokens}, ids);
  for (const auto& [layer, values] : kept.hidden)
    writer.add_floats(layer < 0 ? "hidden.embedding" : fmt::format("hidden.{}", layer), {rows, config.hidden_size}, values);
  writer.add_floats("logits", {rows, config.vocab_size}, logits);
  add_selected(writer, kept, tokens);
  for (const auto& [layer, values] : kept.attention)
    writer.add_floats(fmt::format("attention.{}", layer), {rows, config.num_attention_heads, tokens}, values);
  writer.write(flags.out);
}

}  // namespace

void add_logits_command(Program& program) {
  auto flags = std::make_shared<LogitsFlags>();
  Command command = program.add_command("logits", "Write logits, hidden states and selected blocks for given token ids");
  command.last_use_wins();
  command
      .add_option("--ids", flags->ids,
                  "Token ids, separated by white space, or a .safetensors file with a tensor `ids`; used as they are (no "
                  "BOS is added)")
      .required();
  add_out_flag(command, flags->out,
               "a safetensors file with ids [T], logits [rows, V], hidden.I [rows, E], selected.I [Hkv, T, slots], "
               "attention.I [rows, H, T]",
               "FILE")
      .required();
  command.add_option("--rows", flags->rows, "Last positions to write logits and hidden states of; 0 = all")
      .check(whole_number(0))
      .type_name("N")
      .show_default();
  command.add_flag("--hidden", flags->hidden, "Also the hidden states after the embedding and every layer");
  command.add_flag("--selected", flags->selected, "Also the blocks that every query of every sparse layer selected");
  command.add_flag("--attention", flags->attention,
                   "Also the scaled logits of the last rows' queries in every softmax layer; -inf where a key is not read");
  command.add_option("--config", flags->config, "TOML file with any of these flags").type_name("FILE");
  add_model_flags(command, flags->model);
  add_engine_flags(command, flags->engine);
  command.footer(
      "Example:\n  echo 1 17 250 9 > ids.txt\n  sala_eval logits --model sala-tiny --ids ids.txt --hidden --out "
      "out.safetensors");
  command.callback([flags] { write_logits(*flags); });
}

}  // namespace sala::eval
