// One line of a benchmark's own JSONL format, independent of any JSON library: fields in order.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace sala::tasks {

using RecordValue = std::variant<std::string, int64_t, double, std::vector<std::string>>;
using Record = std::vector<std::pair<std::string, RecordValue>>;

}  // namespace sala::tasks
