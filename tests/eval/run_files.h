// Comparing result files of two runs.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <string>

namespace sala::eval {

// The command that the documentation gives: everything but /provenance must be equal.
inline void expect_same_results(const std::string& a, const std::string& b) {
  const std::string command = "h5diff --exclude-path /provenance '" + a + "' '" + b + "'";
  EXPECT_EQ(std::system(command.c_str()), 0) << command;
}

}  // namespace sala::eval
