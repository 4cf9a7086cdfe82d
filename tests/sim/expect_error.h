// For tests of what users see when a call is refused.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "sala/core/error.h"

namespace sala {

// Runs `body`, expects an Error of this code whose one-line message holds every word of `parts`.
template <class Body>
void expect_error(ErrorCode code, const std::vector<std::string>& parts, const Body& body) {
  try {
    body();
    ADD_FAILURE() << "no error; expected one with '" << (parts.empty() ? "" : parts[0]) << "'";
  } catch (const Error& problem) {
    const std::string what = problem.what();
    EXPECT_EQ(error_code_name(problem.code()), std::string(error_code_name(code))) << what;
    EXPECT_EQ(what.find('\n'), std::string::npos) << what;
    for (const std::string& part : parts)
      EXPECT_NE(what.find(part), std::string::npos) << "'" << part << "' is not in: " << what;
  }
}

}  // namespace sala
