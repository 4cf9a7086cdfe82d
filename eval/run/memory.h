// How much memory a run may take, and a refusal before it starts.
#pragma once

#include <cstdint>
#include <string>

#include "sala/model/session.h"

namespace sala::eval {

// "16g", "512m", "1.5GiB", "4096": k, m, g, t are powers of 1024. Throws Error{kUsage}.
int64_t parse_bytes(const std::string& text);
std::string format_bytes(int64_t bytes);  // "1.23 GiB"

// What the machine and the control group still have, less a reserve for everything else (a tenth, at least 256 MiB).
int64_t usable_memory();

// "weights 9.1 MiB, kv cache ..., total 312.0 MiB, chunks of 8192 tokens"
std::string describe_plan(const MemoryPlan& plan);
// Throws Error{kMemory} with the plan's numbers and the way out. `from_flag`: the limit was given by --mem.
void check_memory(const MemoryPlan& plan, int64_t limit, bool from_flag, const ModelConfig& config,
                  const SessionOptions& options);

}  // namespace sala::eval
