// Malformed files, made of good ones by a fixed sequence of changes, through every parser: each is read, or refused in one
// sentence. SALA_MUTATIONS asks for more than the usual number.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>

#include "sala/core/error.h"
#include "sala/core/rng.h"
#include "tests/fuzz/parsers.h"

namespace sala {
namespace {

constexpr int kUsualMutations = 4000;
constexpr std::size_t kLongestSentence = 1000;

// One to four changes: bits, bytes, parts dropped, doubled or moved, words that parsers have been known to trip over.
std::string mutated(std::string bytes, Rng& rng) {
  static const std::vector<std::string> words = {"-1",
                                                 "0",
                                                 "1e999",
                                                 "18446744073709551616",
                                                 "9223372036854775807",
                                                 "4294967296",
                                                 "null",
                                                 "true",
                                                 "\"\"",
                                                 "[]",
                                                 "{}",
                                                 "NaN",
                                                 std::string(200, '['),
                                                 std::string(200, '{'),
                                                 std::string("\0", 1),
                                                 "\xff\xfe",
                                                 "\x1b]0;x\x07",
                                                 "\"a\":",
                                                 "\n",
                                                 "\\",
                                                 "'''",
                                                 "=",
                                                 "{1}",
                                                 "\\u0000",
                                                 "\xed\xa0\x80",
                                                 std::string(70000, 'a'),
                                                 ".a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a"};
  const auto place = [&](std::size_t size) { return static_cast<std::size_t>(rng.below(size + 1)); };
  const uint64_t changes = 1 + rng.below(4);
  for (uint64_t i = 0; i < changes; ++i) {
    const std::size_t at = place(bytes.size()), length = std::min(place(40), bytes.size() - at);
    switch (rng.below(7)) {
      case 0:
        if (at < bytes.size()) bytes[at] = static_cast<char>(bytes[at] ^ (1 << rng.below(8)));
        break;
      case 1:
        if (at < bytes.size()) bytes[at] = static_cast<char>(rng.below(256));
        break;
      case 2:
        bytes.erase(at, length);
        break;
      case 3:
        bytes.insert(place(bytes.size()), bytes.substr(at, length));
        break;
      case 4:
        bytes.resize(at);
        break;
      case 5:
        bytes.insert(at, words[rng.below(words.size())]);
        break;
      default:
        bytes.replace(at, length, words[rng.below(words.size())]);
    }
  }
  return bytes;
}

class Mutations : public testing::TestWithParam<Parser> {};

TEST_P(Mutations, AreReadOrRefusedInOneSentence) {
  const Parser& parser = GetParam();
  const std::vector<std::string> seeds = corpus(parser.name);
  ASSERT_FALSE(seeds.empty());
  for (const std::string& seed : seeds)
    EXPECT_NO_THROW(parser.parse(seed)) << "a seed has to be a good file: " << seed.substr(0, 200);
  const char* wanted = std::getenv("SALA_MUTATIONS");
  const int count = (wanted == nullptr ? kUsualMutations : std::atoi(wanted)) / static_cast<int>(parsers().size());
  ASSERT_GE(count, kUsualMutations / static_cast<int>(parsers().size()));
  int refused = 0;
  for (int i = 0; i < count; ++i) {
    Rng rng(20261201, "tests/mutation/" + parser.name, static_cast<uint64_t>(i));
    const std::string bytes = mutated(seeds[static_cast<std::size_t>(i) % seeds.size()], rng);
    try {
      parser.parse(bytes);
    } catch (const Error& problem) {
      ++refused;
      const std::string what = problem.what();
      EXPECT_NE(problem.code(), ErrorCode::kInternal) << i << ": " << what;
      EXPECT_LE(what.size(), kLongestSentence) << i << ": " << what.substr(0, 400);
      EXPECT_EQ(what.find("json.exception"), std::string::npos) << i << ": " << what;
    } catch (const std::exception& problem) {
      ADD_FAILURE() << parser.name << " " << i << ": " << problem.what();
    }
  }
  if (parser.name != "essay") {
    EXPECT_GT(refused, 0) << "no change did any harm";
  }
}
INSTANTIATE_TEST_SUITE_P(Parsers, Mutations, testing::ValuesIn(parsers()), [](const auto& made) { return made.param.name; });

}  // namespace
}  // namespace sala
