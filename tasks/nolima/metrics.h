// NoLiMa's metrics (spec tasks 2.5): four ways to match an answer, base score, effective length.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sala::tasks {

// All case-sensitive. kContains is the standard; kLastlineContains belongs to prompts that ask for reasoning first.
enum class NolimaMetric { kExact, kContains, kLastlineExact, kLastlineContains };
std::string_view metric_name(NolimaMetric metric);  // `EM`, `contains`, `lastline_EM`, `lastline_contains`
// 0 or 1. Exact: strip(response) is one of gold. Contains: one of gold is a substring. Lastline: of the last line of
// strip(response).
double nolima_match(NolimaMetric metric, std::string_view response, const std::vector<std::string>& gold);

// One test of a run.
struct NolimaTest {
  std::string pair;  // `9001_T01_onehop`
  int64_t length = 0;
  double score = 0;
};

struct NolimaLength {
  int64_t length = 0, pairs = 0, tests = 0;
  double score = 0;       // mean over pairs of the mean over the pair's tests
  double normalised = 0;  // score / base
  bool below_half = false;
};

struct NolimaSummary {
  double base = 0;       // mean over pairs of the best score at a base length: max per pair, then mean
  double threshold = 0;  // 0.85 base
  // The largest tested length, from the last base length on, whose score exceeds the threshold; none = below that ("<1K").
  std::optional<int64_t> effective_length;
  std::vector<NolimaLength> lengths;  // ascending
};

// Base lengths: upstream's 250, 500 and 1000 (of the book window) in upstream mode; where a length counts the whole prompt
// and the answer budget, the shortest that hold about such windows.
inline constexpr int64_t kUpstreamBaseLengths[] = {250, 500, 1000};
inline constexpr int64_t kFixedBaseLengths[] = {512, 1024, 2048};

// `direct` questions must not be among the tests. Throws Error{kUsage} when no test has a base length.
NolimaSummary summarize_nolima(const std::vector<NolimaTest>& tests, const std::vector<int64_t>& base_lengths);

}  // namespace sala::tasks
