// libFuzzer's entry into one parser, SALA_FUZZ_PARSER.
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "sala/core/error.h"
#include "tests/fuzz/parsers.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const sala::Parser& parser = []() -> const sala::Parser& {
    for (const sala::Parser& each : sala::parsers())
      if (each.name == SALA_FUZZ_PARSER) return each;
    std::abort();
  }();
  try {
    parser.parse({reinterpret_cast<const char*>(data), size});
  } catch (const sala::Error& problem) {
    if (problem.code() == sala::ErrorCode::kInternal) std::abort();
  }
  return 0;
}
