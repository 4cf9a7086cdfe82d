// config.json as transformers writes and reads it, made into the fields of ModelConfig.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace sala::internal {

// Rewrites `object` (a whole config.json) in place, as transformers 5 reads it: RoPE of every spelling becomes `rope_theta`
// and `rope_scaling`, `layer_types` and fields with a neutral value disappear, defaults of Qwen3 that differ from ours are
// filled in. Returns the keys that transformers does not look at either, as dotted paths. Throws Error{kUnsupported} naming
// the field for quantised weights and for whatever else would change numbers and is not served, Error{kConfig} for a field
// of a wrong type.
std::vector<std::string> read_spellings(nlohmann::ordered_json& object, const std::string& source);

}  // namespace sala::internal
