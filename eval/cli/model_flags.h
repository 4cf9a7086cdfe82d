// The flags that say which model runs and with which switches; shared by run, explain and logits.
#pragma once

#include <deque>
#include <string>
#include <utility>
#include <vector>

#include "eval/cli/common_flags.h"
#include "eval/run/memory.h"
#include "eval/spec/models.h"
#include "sala/model/session.h"

namespace sala::eval {

// --select learned|oracle|adversary|random (select_by.h).
void add_select_flag(Command& command, std::string& select, const char* group);

// The flag of a field of config.json.
struct Switch {
  ConfigField field;
  std::string value = {};
  bool on = false;
  // What the field is to be, empty when nothing was said.
  std::string given() const { return on ? "true" : value == "none" ? "null" : value; }
};

struct ModelFlags {
  ModelChoice choice;
  std::deque<Switch> switches;   // which fields have a flag is the registry's to say
  std::string yarn;              // a factor
  std::vector<std::string> set;  // NAME=VALUE
};
void add_model_flags(Command& command, ModelFlags& flags);

// The entry's config with every switch applied. Throws Error{kUsage} for a malformed --set and for a switch of layers that
// the model has not, Error{kConfig} from the config.
ModelConfig configured(const ModelEntry& entry, const ModelFlags& flags);

// Sentences on what of a model's files is not used, or is used in spite of what they say.
std::string ignored_sentence(const ModelConfig& config);  // empty when there is nothing
std::vector<std::string> checkpoint_notes(const ModelConfig& config, const Model& model);

struct EngineFlags {
  std::string device = "cpu", dtype = "fp32", kernels = "best", mem;
  int threads = 0;
  int64_t chunk = 0;
  bool no_prune = false;
};
void add_engine_flags(Command& command, EngineFlags& flags);
// Those of them that say how it is done, not what: all but --device and --dtype.
void add_effort_flags(Command& command, EngineFlags& flags, const char* group);
// Sets the number of threads, checks device and kernels; max_tokens is left to the caller.
// Throws Error{kUnsupported} for a device that this build lacks.
SessionOptions session_options(const EngineFlags& flags);
// Throws Error{kUnsupported} with the model's name when its heads are too large for the kernels of such a device.
void check_heads(const ModelEntry& entry, const ModelConfig& config, const EngineFlags& flags);
// What --mem leaves of the device's memory, or what is there.
MemoryLimit memory_limit(const EngineFlags& flags);
// Whether sessions have memory of their own, so that --mem is theirs alone.
bool memory_apart(const EngineFlags& flags);
// Throws Error{kMemory} when the session and `beside` bytes do not fit in --mem, or in what the machine has. Returns the
// plan.
MemoryPlan check_fits(const ModelConfig& config, const SessionOptions& options, const EngineFlags& flags,
                      int64_t beside = 0);

}  // namespace sala::eval
