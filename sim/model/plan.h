// Sizes of what a session allocates.
#pragma once

#include "sala/model/session.h"
#include "sim/mixers/mixer.h"

namespace sala {

// Rows of the FFN computed at a time: bounds its activations, changes no byte. A device takes a whole chunk.
int64_t ffn_rows(const SessionShape& shape);

// One mixer a layer; `weights` may be null (sizes only).
std::vector<std::unique_ptr<Mixer>> make_mixers(const ModelConfig& config, const ModelWeights* weights);

SessionShape session_shape(const SessionOptions& options, int64_t chunk);
// Throws Error{kConfig} for options that cannot be.
void check_options(const SessionOptions& options);
int64_t choose_chunk(const ModelConfig& config, const SessionOptions& options);
// Hidden states and logits for chunks of `chunk` tokens / the scratch stack.
int64_t activation_bytes(const ModelConfig& config, int64_t chunk);
int64_t workspace_bytes(const ModelConfig& config, const SessionShape& shape);

}  // namespace sala
