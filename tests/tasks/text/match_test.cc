#include "tasks/text/match.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <set>
#include <sstream>

#include "tests/sim/tokenizer/model_bytes.h"

namespace sala::tasks {
namespace {

std::string utf8(uint32_t code) {
  std::string text;
  append_utf8(text, code);
  return text;
}

// Spec tasks, appendix B.2, per sample and in 0..1.
TEST(StringMatch, AppendixB2) {
  EXPECT_EQ(string_match_all("1234567 and 7654321", {"1234567", "9999999"}), 0.5);
  EXPECT_EQ(string_match_part("Paris.", {"paris", "London"}), 1.0);
  EXPECT_EQ(postprocess_prediction(std::string("a\0b\tc\x1f", 6)), "a\nb\nc");
  EXPECT_EQ(postprocess_prediction(" \n\t "), "");
}

TEST(StringMatch, AllIsTheShareOfReferencesAndPartIsAny) {
  const std::vector<std::string> four = {"1111111", "2222222", "3333333", "4444444"};
  EXPECT_EQ(string_match_all("1111111, 2222222, 3333333, and 4444444", four), 1.0);
  EXPECT_EQ(string_match_all("4444444 1111111 2222222", four), 0.75);
  EXPECT_EQ(string_match_all("", four), 0.0);
  EXPECT_EQ(string_match_all("11111112222222", four), 0.5) << "substrings count, as upstream has it";
  EXPECT_EQ(string_match_all("anything", {}), 0.0);
  EXPECT_EQ(string_match_part("none of them", four), 0.0);
  EXPECT_EQ(string_match_part("x4444444", four), 1.0);
  EXPECT_EQ(string_match_part("anything", {}), 0.0);
  EXPECT_EQ(string_match_all("anything", {""}), 1.0) << "the empty string is in every string";
}

TEST(StringMatch, FoldsCaseOnBothSides) {
  EXPECT_EQ(string_match_all("THE ANSWER IS OLD-HARBOUR", {"old-harbour"}), 1.0);
  EXPECT_EQ(string_match_all("3f2a9c1e", {"3F2A9C1E"}), 1.0);
  EXPECT_EQ(string_match_part("BEYONC\xC3\x89", {"Beyonc\xC3\xA9"}), 1.0);
  EXPECT_EQ(string_match_part("Beyonce", {"Beyonc\xC3\xA9"}), 0.0) << "accents are not folded";
  EXPECT_EQ(string_match_part("STRASSE", {"stra\xC3\x9F"
                                          "e"}),
            0.0)
      << "lower(), not casefold()";
}

TEST(StringMatch, ALineBreakSplitsAReference) {
  EXPECT_EQ(string_match_all("New\tYork", {"New York"}), 0.0) << "the tab becomes a newline";
  EXPECT_EQ(string_match_all("New York", {"New York"}), 1.0);
}

TEST(Lower, EqualsPythonOnEveryCharacterThatItChanges) {
  std::ifstream file(std::string(SALA_SOURCE_DIR) + "/tests/data/tasks/python_lower.txt");
  std::set<uint32_t> changed;
  std::string line;
  while (std::getline(file, line)) {
    if (line.starts_with("#")) continue;
    std::istringstream words(line);
    uint32_t code = 0, to = 0;
    words >> std::hex >> code;
    std::string want;
    while (words >> std::hex >> to) want += utf8(to);
    EXPECT_EQ(lower(utf8(code)), want) << std::hex << code;
    changed.insert(code);
  }
  EXPECT_EQ(changed.size(), 1433u);
  for (uint32_t code = 0; code < 0x2c00; ++code)  // scripts above may still grow cased letters
    EXPECT_TRUE(changed.contains(code) || lower(utf8(code)) == utf8(code)) << std::hex << code;
}

// Expected values are CPython's.
TEST(Lower, FinalSigma) {
  const std::pair<const char*, const char*> cases[] = {
      {"ΟΔΟΣ", "οδος"},       {"ΟΔΟΣ Σ", "οδος σ"}, {"ΑΣ.", "ας."}, {"ΑΣ.Β", "ασ.β"},
      {"Α'Σ", "α'ς"},         {"Σ", "σ"},           {"ΣΑΣ", "σας"}, {"ΑΣ\u0301", "ας\u0301"},
      {"\u00adΣ", "\u00adσ"}, {"AΣ1", "aς1"},       {"1Σ", "1σ"},   {"ΑΣ\u2019Α", "ασ\u2019α"},
      {"ⅣΣ", "ⅳς"},           {"ªΣ", "ªς"},         {"ʰΣ", "ʰσ"},   {"ΑΣʰ", "αςʰ"},
      {"İI", "i\u0307i"},     {"ẞ", "ß"},           {"Ⓐ", "ⓐ"},
  };
  for (const auto& [text, want] : cases) EXPECT_EQ(lower(text), want) << text;
}

TEST(Lower, LeavesBytesThatAreNoTextAlone) {
  EXPECT_EQ(lower("A\xFF"
                  "B\xC3"),
            "a\xFF"
            "b\xC3");
  EXPECT_EQ(lower("\xED\xA0\x80"), "\xED\xA0\x80");
  EXPECT_EQ(lower(std::string("A\0B", 3)), std::string("a\0b", 3));
  for (uint64_t sample = 0; sample < 300; ++sample) {
    Rng rng(1, "lower", sample);
    const std::string text = lower(random_text(rng, 20, false));
    EXPECT_EQ(lower(text), text) << "lower-case text stays as it is";
  }
}

TEST(Postprocess, StripsWhatPythonStrips) {
  const uint32_t spaces[] = {0x9,    0xa,    0xb,    0xc,    0xd,    0x1c,   0x1d,   0x1e,   0x1f,   0x20,
                             0x85,   0xa0,   0x1680, 0x2000, 0x2001, 0x2002, 0x2003, 0x2004, 0x2005, 0x2006,
                             0x2007, 0x2008, 0x2009, 0x200a, 0x2028, 0x2029, 0x202f, 0x205f, 0x3000};
  for (uint32_t code = 1; code < 0x3100; ++code) {
    const bool space = std::find(std::begin(spaces), std::end(spaces), code) != std::end(spaces);
    const std::string text = utf8(code) + utf8(code) + "x" + utf8(code);
    if (!space && code < 0x20) continue;  // becomes a newline
    EXPECT_EQ(postprocess_prediction(text), space ? "x" : text) << std::hex << code;
  }
  EXPECT_EQ(postprocess_prediction(std::string("\0x\0", 3)), "x") << "NUL becomes a newline, which the second strip takes";
  EXPECT_EQ(postprocess_prediction("\x80 x \xff"), "\x80 x \xff");
}

}  // namespace
}  // namespace sala::tasks
