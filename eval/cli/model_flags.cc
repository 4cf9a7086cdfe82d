#include "eval/cli/model_flags.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <optional>

#include "eval/spec/select_by.h"
#include "sala/core/error.h"
#include "sala/core/parallel.h"
#include "sim/mixers/mixer.h"
#include "sim/ops/cuda_limits.h"
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

// What a model lacks that has no layer with the field.
std::string lacking(const std::string& field) {
  bool selects = true, softmax = true, linear = true;
  for (const MixerKind& kind : mixer_kinds()) {
    ModelConfig alone;
    alone.mixer_types = {kind.name};
    if (!uses_field(alone, field)) continue;
    selects = selects && kind.traits.selects;
    softmax = softmax && kind.traits.softmax;
    linear = linear && kind.traits.linear;
  }
  if (selects) return "no layer that selects blocks";
  return softmax ? "no softmax layer" : linear ? "no linear layer" : "no layer with " + field;
}

// A switch of layers that the model has not would change nothing, and the result would carry its name.
void refuse_idle_switches(const ModelEntry& entry, const ModelFlags& flags) {
  const ModelConfig& config = entry.config;
  const auto refuse = [&](bool wrong, const char* flag, const std::string& what) {
    if (wrong)
      throw Error(ErrorCode::kUsage, "{}: {} has {} (layers {}); leave it out", flag, entry.name, what,
                  layer_map_string(config.mixer_types));
  };
  for (const Switch& item : flags.switches) {
    if (item.given().empty()) continue;
    const SwitchFlag& flag = item.field.flag;
    refuse(!uses_field(config, item.field.path), flag.name, lacking(item.field.path));
    const std::string refusal = flag.refusal != nullptr ? flag.refusal(config) : "";
    if (!refusal.empty()) throw Error(ErrorCode::kUsage, "{}: {} {}", flag.name, entry.name, refusal);
  }
  if (flags.yarn.empty()) return;
  refuse(!has_layer(config, &MixerTraits::softmax), "--yarn", "no softmax layer");
  refuse(!config.sala_lab.position_encodings.empty(), "--yarn", "encodings of its own");
  refuse(!softmax_has_positions(config), "--yarn", "no RoPE on its softmax layers");
}

// rope_scaling for --yarn FACTOR.
std::string yarn_text(const ModelEntry& entry, const std::string& factor) {
  const ModelConfig& config = entry.config;
  const int64_t original =
      config.rope_scaling ? config.rope_scaling->original_max_position_embeddings : config.sala_lab.train_length;
  const std::optional<double> value = decimal_number(factor);
  if (!value || *value < 1 || *value > 1e9)
    throw Error(ErrorCode::kUsage, "--yarn is '{}', expected a factor from 1 to 1e9", factor);
  if (original < 1)
    throw Error(ErrorCode::kUsage,
                "--yarn: {} does not say how long it was trained; give --set "
                "rope_scaling='{{\"rope_type\": \"yarn\", \"factor\": {}, \"original_max_position_embeddings\": N}}'",
                entry.name, factor);
  return fmt::format("{{\"rope_type\": \"yarn\", \"factor\": {}, \"original_max_position_embeddings\": {}}}", *value,
                     original);
}

}  // namespace

void add_model_flags(Command& command, ModelFlags& flags) {
  const char* model = "Model";
  command.add_option("--model", flags.choice.model, "The model: member of the family or a directory [sala-tiny]")
      .type_name("NAME|DIR")
      .group(model);
  command.add_option("--arch", flags.choice.arch, "Choose the member by the sorts of its layers (docs/cli.md)")
      .type_name("ARCH")
      .one_of(architecture_names())
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
  for (ConfigField& field : config_fields()) {
    if (field.flag.name == nullptr) continue;
    Switch& item = flags.switches.emplace_back(Switch{std::move(field)});
    const SwitchFlag& flag = item.field.flag;
    if (item.field.is_bool())
      command.add_flag(flag.name, item.on, flag.help).group(switches);
    else
      command.add_option(flag.name, item.value, flag.help).type_name(flag.value).group(switches);
  }
  command
      .add_option("--yarn", flags.yarn,
                  "Stretch the RoPE of softmax layers from the training length to FACTOR times it (YaRN)")
      .type_name("FACTOR")
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
  for (const Switch& item : flags.switches) add(item.field.path, item.given());
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
  const char* engine = "Engine (none of these changes a result but --device, --dtype and --kernels ref)";
  command.add_option("--device", flags.device, "Where the model runs; cuda needs a build with CUDA and a GPU (docs/cuda.md)")
      .one_of({"cpu", "cuda"})
      .show_default()
      .group(engine);
  command.add_option("--dtype", flags.dtype, "Numerics: fp32, or bf16 rounding as the released checkpoint computes")
      .one_of({"fp32", "bf16"})
      .show_default()
      .group(engine);
  add_effort_flags(command, flags, engine);
}

void add_effort_flags(Command& command, EngineFlags& flags, const char* engine) {
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
  set_num_threads(flags.threads);
  ops::find_kernels(flags.kernels, find_device(flags.device).kind());  // refuses an unknown name before anything is loaded
  SessionOptions options;
  options.device = flags.device;
  options.numerics = flags.dtype == "bf16" ? Numerics::kBf16 : Numerics::kFp32;
  options.kernels = flags.kernels;
  options.chunk_tokens = flags.chunk;
  options.prune = !flags.no_prune;
  return options;
}

void check_heads(const ModelEntry& entry, const ModelConfig& config, const EngineFlags& flags) {
  if (flags.device != "cuda") return;
  for (const MixerKind& kind : mixer_kinds())
    if (config.uses(kind.name) && kind.shape(config).head_dim > ops::kMostHeadDims)
      throw Error(ErrorCode::kUnsupported, "{}: heads of {} dimensions; --device cuda takes at most {}, leave it out",
                  entry.name, kind.shape(config).head_dim, ops::kMostHeadDims);
}

MemoryLimit memory_limit(const EngineFlags& flags) {
  const Device& device = find_device(flags.device);
  return flags.mem.empty() ? usable_memory(device) : memory_within(parse_bytes(flags.mem), device);
}

bool memory_apart(const EngineFlags& flags) { return find_device(flags.device).free_bytes() >= 0; }

MemoryPlan check_fits(const ModelConfig& config, const SessionOptions& options, const EngineFlags& flags, int64_t beside) {
  MemoryPlan plan = Session::plan(config, options);
  check_memory(plan, beside, memory_limit(flags), config, options);
  return plan;
}

}  // namespace sala::eval
