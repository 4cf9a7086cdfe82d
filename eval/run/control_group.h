// What control groups leave to this process: containers and batch systems limit memory with them.
#pragma once

#include <cstdint>
#include <string>

namespace sala::eval {

// The least that the group of this process and the groups around it leave, in bytes: limit less use, files in memory that
// can be dropped not counted as use. Both versions of control groups; INT64_MAX where nothing limits. `root` stands before
// every path that is read.
int64_t control_group_memory(const std::string& root = "");

}  // namespace sala::eval
