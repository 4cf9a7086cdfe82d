// How much memory a run may take, and a refusal before it starts.
#pragma once

#include <cstdint>
#include <string>

#include "sala/model/session.h"

namespace sala::eval {

// "16g", "512m", "1.5GiB", "4096": k, m, g, t are powers of 1024. Throws Error{kUsage}.
int64_t parse_bytes(const std::string& text);
std::string format_bytes(int64_t bytes);  // "1.23 GiB"

// What this process has in memory now: itself, its libraries, a tokenizer, texts.
int64_t resident_memory();
// The most that it had until now.
int64_t peak_memory();
// Of a run beside its sessions: the program, its libraries, samples.
inline constexpr int64_t kProcessBytes = int64_t{64} << 20;

// How much sessions and samples may take.
struct MemoryLimit {
  int64_t bytes = 0;
  std::string whose;  // "--mem 1g leaves", for messages
};
// What the machine and the control groups still have, or a device that has memory of its own, less a reserve for everything
// else (a tenth, at least 256 MiB).
MemoryLimit usable_memory(const Device& device = cpu_device());
// What --mem leaves: the limit, less what the process has now and what results take while they are written. Of a device that
// has memory of its own the limit is the session's alone, and at most what is free there.
MemoryLimit memory_within(int64_t bytes, const Device& device = cpu_device());

// "weights 9.1 MiB, kv cache ..., total 312.0 MiB, chunks of 8192 tokens"
std::string describe_plan(const MemoryPlan& plan);
// A session with this plan and `beside` bytes must fit. Throws Error{kMemory} with the plan's numbers and the way out.
void check_memory(const MemoryPlan& plan, int64_t beside, const MemoryLimit& limit, const ModelConfig& config,
                  const SessionOptions& options);

}  // namespace sala::eval
