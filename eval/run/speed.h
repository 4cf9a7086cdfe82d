// How fast this machine is.
#pragma once

#include <cstdint>

#include "eval/spec/models.h"
#include "sala/model/session.h"

namespace sala::eval {

// Operations that a session does for a prefill of `tokens` tokens, the last layer pruned or not.
double done_flops(const ModelConfig& config, const SessionOptions& options, int64_t tokens);

// Floating-point operations a second of this model now, from prefills of `tokens` tokens. Throws Error{kIo} when it has no
// weights.
double measured_rate(const ModelEntry& entry, const ModelConfig& config, SessionOptions options, int64_t tokens);

}  // namespace sala::eval
