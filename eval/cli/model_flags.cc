#include "eval/cli/model_flags.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <optional>

#include "eval/run/memory.h"
#include "eval/spec/select_by.h"
#include "sala/core/error.h"
#include "sala/core/parallel.h"
#include "sim/mixers/mixer.h"
#include "sim/ops/kernels.h"
#include "sim/text/printable.h"

namespace sala::eval {
namespace {

// Fields may only be valid together (window_size is a multiple of block_size), and the order of flags means nothing:
// whatever can be set is set, until all are or none can.
void apply(ModelConfig& config, std::vector<std::pair<std::string, std::string>> wanted) {
  while (!wanted.empty()) {
    std::optional<Error> problem;
    const std::size_t before = wanted.size();
    std::erase_if(wanted, [&](const auto& pair) {
      try {
        config.set(pair.first, pair.second);
        return true;
      } catch (const Error& error) {
        if (!problem) problem = error;
        return false;
      }
    });
    if (wanted.size() == before) throw *problem;
  }
}

// A flag that sets one field of layers of some mixer.
struct Switch {
  const char* flag;
  std::string field, value;  // not given: empty
  const char* missing;       // what a model lacks that has no such layer
};

std::vector<Switch> switches_of(const ModelFlags& flags) {
  constexpr const char* kSelects = "no layer that selects blocks";
  const std::string scaling = flags.logit_scaling == "none" ? "null" : flags.logit_scaling;
  return {{"--topk", "sparse_config.topk", flags.topk, kSelects},
          {"--block", "sparse_config.block_size", flags.block, kSelects},
          {"--window", "sparse_config.window_size", flags.window, kSelects},
          {"--init-blocks", "sparse_config.init_blocks", flags.init_blocks, kSelects},
          {"--dense-len", "sparse_config.dense_len", flags.dense_len, kSelects},
          {"--exact-lse", "sala_lab.exact_lse", flags.exact_lse ? "true" : "", kSelects},
          {"--select-per", "sala_lab.select_per", flags.select_per, kSelects},
          {"--logit-scaling", "sala_lab.attn_logits_scaling", scaling, "no softmax layer"},
          {"--decay-scale", "sala_lab.decay_scale", flags.decay_scale, "no Lightning layer"}};
}

// A switch of layers that the model has not would change nothing, and the result would carry its name.
void refuse_idle_switches(const ModelEntry& entry, const ModelFlags& flags) {
  const ModelConfig& config = entry.config;
  const auto refuse = [&](bool given, const char* flag, const char* what) {
    if (given)
      throw Error(ErrorCode::kUsage, "{}: {} has {} (layers {}); leave it out", flag, entry.name, what,
                  layer_map_string(config.mixer_types));
  };
  for (const Switch& item : switches_of(flags))
    refuse(!item.value.empty() && !uses_field(config, item.field), item.flag, item.missing);
  refuse(!has_layer(config, &MixerTraits::softmax) && !flags.yarn.empty(), "--yarn", "no softmax layer");
  refuse(!config.attn_use_rope && !flags.yarn.empty(), "--yarn", "no RoPE on its softmax layers");
  refuse(!config.sala_lab.position_encodings.empty() && !flags.yarn.empty(), "--yarn", "encodings of its own");
  bool positions = false;
  for (int64_t layer = 0; layer < config.num_hidden_layers; ++layer)
    positions = positions || (find_mixer(config.mixer_types[static_cast<std::size_t>(layer)]).traits.softmax &&
                              layer_encoding(config, layer) != no_encoding());
  if (positions && !flags.logit_scaling.empty())
    throw Error(ErrorCode::kUsage,
                "--logit-scaling: {} has RoPE on its softmax layers, and the rule is for layers without positions; --set "
                "sala_lab.attn_logits_scaling=... scales all the same",
                entry.name);
}

// rope_scaling for --yarn FACTOR.
std::string yarn_text(const ModelEntry& entry, const std::string& factor) {
  const ModelConfig& config = entry.config;
  const int64_t original =
      config.rope_scaling ? config.rope_scaling->original_max_position_embeddings : config.sala_lab.train_length;
  char* end = nullptr;
  const double value = std::strtod(factor.c_str(), &end);
  if (*end != 0 || !(value >= 1 && value <= 1e9))
    throw Error(ErrorCode::kUsage, "--yarn is '{}', expected a factor from 1 to 1e9", factor);
  if (original < 1)
    throw Error(ErrorCode::kUsage,
                "--yarn: {} does not say how long it was trained; give --set "
                "rope_scaling='{{\"rope_type\": \"yarn\", \"factor\": {}, \"original_max_position_embeddings\": N}}'",
                entry.name, factor);
  return fmt::format("{{\"rope_type\": \"yarn\", \"factor\": {}, \"original_max_position_embeddings\": {}}}", value,
                     original);
}

}  // namespace

void add_output_flag(Command& command, std::string& output, const char* group) {
  command.add_option("-o,--output", output, "Print as table, md, csv or json")
      .one_of({"table", "md", "csv", "json"})
      .show_default()
      .group(group);
}

void add_threads_flag(Command& command, int& threads, const char* group) {
  command.add_option("--threads", threads, "Threads; 0 = all")
      .check(whole_number(0, 4096))
      .type_name("N")
      .show_default()
      .group(group);
}

void add_model_flags(Command& command, ModelFlags& flags) {
  const char* model = "Model";
  command.add_option("--model", flags.choice.model, "Member of the family or a directory [sala-tiny]")
      .type_name("NAME|DIR")
      .group(model);
  command.add_option("--arch", flags.choice.arch, "Choose the member trained with: sala, sparse, full, linear, full-linear")
      .type_name("ARCH")
      .one_of({"sala", "sparse", "full", "linear", "full-linear", "mixed"})
      .group(model);
  command.add_option("--ratio", flags.choice.ratio, "... softmax:linear layers, for instance 3:5")
      .type_name("S:L")
      .group(model);
  command.add_option("--layers", flags.choice.layers, "... layer map: uniform, halo, or letters such as SLLSLLLS")
      .type_name("MAP")
      .group(model);
  command.add_option("--pe", flags.choice.pe, "... position policy: hype, rope, nope, reverse")
      .type_name("POLICY")
      .group(model);
  const char* switches = "Switches after training";
  command.add_option("--topk", flags.topk, "Blocks selected besides the window's").type_name("N").group(switches);
  command.add_option("--block", flags.block, "Tokens of a block").type_name("N").group(switches);
  command.add_option("--window", flags.window, "Tokens of the local window").type_name("N").group(switches);
  command.add_option("--init-blocks", flags.init_blocks, "Blocks at the start that are always read")
      .type_name("N")
      .group(switches);
  command.add_option("--dense-len", flags.dense_len, "Prompts shorter than this run dense").type_name("N").group(switches);
  command
      .add_flag("--exact-lse", flags.exact_lse,
                "Normalise block scores over the fine keys; the released model approximates that over coarse ones")
      .group(switches);
  command
      .add_option("--select-per", flags.select_per,
                  "token: every query selects; block: the first query of a block selects for the whole block")
      .type_name("token|block")
      .group(switches);
  command
      .add_option("--logit-scaling", flags.logit_scaling,
                  "Multiply the queries of softmax layers without positions by X, or by ln(t + A) / ln(A) at position t")
      .type_name("X|\"hype A\"|none")
      .group(switches);
  command
      .add_option("--yarn", flags.yarn,
                  "Stretch the RoPE of softmax layers from the training length to FACTOR times it (YaRN)")
      .type_name("FACTOR")
      .group(switches);
  command.add_option("--decay-scale", flags.decay_scale, "Multiply every decay slope of Lightning layers by X; 0 = no decay")
      .type_name("X")
      .group(switches);
  command.add_option("--set", flags.set, "Any field of config.json: sparse_config.topk=8 (repeatable)")
      .type_name("NAME=VALUE")
      .repeatable()
      .group(model);
}

void add_select_flag(Command& command, std::string& select, const char* group) {
  command
      .add_option(
          "--select", select,
          "Who fills the free slots: the model (learned), an oracle or an adversary that knows the evidence, or chance")
      .one_of(select_names())
      .show_default()
      .group(group);
}

ModelConfig configured(const ModelEntry& entry, const ModelFlags& flags) {
  std::vector<std::pair<std::string, std::string>> wanted;
  const auto add = [&](const std::string& name, const std::string& value) {
    if (value.empty()) return;
    std::erase_if(wanted, [&](const auto& pair) { return pair.first == name; });  // the last word counts
    wanted.emplace_back(name, value);
  };
  for (const std::string& text : flags.set) {
    const std::size_t equal = text.find('=');
    if (equal == std::string::npos || equal == 0 || equal + 1 == text.size())
      throw Error(ErrorCode::kUsage, "--set: '{}' is not NAME=VALUE, for instance sparse_config.topk=8", text);
    add(text.substr(0, equal), text.substr(equal + 1));
  }
  for (const Switch& item : switches_of(flags)) add(item.field, item.value);
  refuse_idle_switches(entry, flags);
  if (!flags.yarn.empty()) add("rope_scaling", yarn_text(entry, flags.yarn));
  ModelConfig config = entry.config;
  apply(config, std::move(wanted));
  return config;
}

std::string ignored_sentence(const ModelConfig& config) {
  constexpr std::size_t kShown = 5;
  const std::vector<std::string>& keys = config.unknown_keys;
  if (keys.empty()) return "";
  std::string names;
  for (std::size_t i = 0; i < std::min(kShown, keys.size()); ++i)
    names += fmt::format("{}'{}'", i == 0 ? "" : ", ", text::printable(keys[i], 60));
  if (keys.size() > kShown) names += fmt::format(" and {} more", keys.size() - kShown);
  return fmt::format("config.json: {} {} nothing here", names, keys.size() == 1 ? "means" : "mean");
}

std::vector<std::string> checkpoint_notes(const ModelConfig& config, const Model& model) {
  std::vector<std::string> notes = model.notes();
  if (const std::string ignored = ignored_sentence(config); !ignored.empty()) notes.insert(notes.begin(), ignored);
  return notes;
}

void add_engine_flags(Command& command, EngineFlags& flags) {
  const char* engine = "Engine (none of these changes a result but --dtype and --kernels ref)";
  command.add_option("--device", flags.device, "cpu is all that this build has")
      .one_of({"cpu", "cuda"})
      .show_default()
      .group(engine);
  command.add_option("--dtype", flags.dtype, "Numerics: fp32, or bf16 rounding as the released checkpoint computes")
      .one_of({"fp32", "bf16"})
      .show_default()
      .group(engine);
  add_threads_flag(command, flags.threads, engine);
  command.add_option("--mem", flags.mem, "Most memory to use, 16g or 512m [what is free, less a reserve]")
      .type_name("SIZE")
      .group(engine);
  command.add_option("--kernels", flags.kernels, "Kernel set, see `sala_eval list kernels`")
      .type_name("NAME")
      .show_default()
      .group(engine);
  command.add_option("--chunk", flags.chunk, "Tokens read at a time; 0 = automatic; less needs less memory")
      .check(whole_number(0, int64_t{1} << 40))
      .type_name("N")
      .show_default()
      .group(engine);
  command.add_flag("--no-prune", flags.no_prune, "Compute the last layer for every position, not only where it is needed")
      .group(engine);
}

SessionOptions session_options(const EngineFlags& flags) {
  if (flags.device != "cpu")
    throw Error(ErrorCode::kUnsupported, "--device {}: this build has CPU kernels only; leave --device out", flags.device);
  set_num_threads(flags.threads);
  ops::find_kernels(flags.kernels);  // refuses an unknown name before anything is loaded
  SessionOptions options;
  options.numerics = flags.dtype == "bf16" ? Numerics::kBf16 : Numerics::kFp32;
  options.kernels = flags.kernels;
  options.chunk_tokens = flags.chunk;
  options.prune = !flags.no_prune;
  return options;
}

int64_t memory_limit(const EngineFlags& flags) { return flags.mem.empty() ? usable_memory() : parse_bytes(flags.mem); }

MemoryPlan check_fits(const ModelConfig& config, const SessionOptions& options, const EngineFlags& flags) {
  MemoryPlan plan = Session::plan(config, options);
  check_memory(plan, memory_limit(flags), !flags.mem.empty(), config, options);
  return plan;
}

}  // namespace sala::eval
