#include "sim/text/json.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <chrono>

#include "tests/sim/expect_error.h"

namespace sala::text {
namespace {

using nlohmann::json;
using nlohmann::ordered_json;

std::string nested(int depth) {
  return std::string(static_cast<size_t>(depth), '[') + std::string(static_cast<size_t>(depth), ']');
}

TEST(Json, ReadsWhatTheLibraryReads) {
  for (const char* text : {R"({"b": [1, -2, 3.5, true, null, "x\u00e9\n"], "a": {"c": {}, "d": []}})", "[]", "{}", "7",
                           "\"\"", "\xEF\xBB\xBF[18446744073709551615]"}) {
    json value;
    EXPECT_FALSE(read_json(text, value));
    EXPECT_EQ(value, json::parse(text));
    EXPECT_EQ(parse_json(text, "x").dump(), ordered_json::parse(text).dump());
  }
}

TEST(Json, WholeNumbersAreIntegersHoweverTheyAreWritten) {
  for (const char* text : {"3", "3.0", "3e0"}) EXPECT_EQ(whole_number(json::parse(text)), 3) << text;
  EXPECT_EQ(whole_number(json::parse("-7.0")), -7);
  EXPECT_EQ(whole_number(json::parse("9223372036854775807")), INT64_MAX);
  for (const char* text : {"3.5", "\"3\"", "true", "null", "[3]", "9223372036854775808", "1e300", "9007199254740994.0"})
    EXPECT_EQ(whole_number(json::parse(text)), std::nullopt) << text;
}

TEST(Json, TellsByTheFirstLineWhatHoldsNoJsonLines) {
  for (const char* line : {"", "{\"a\": 1}", "{\"a\": 1}\r", "broken", "{\"a\": ", "{\"a\": [1, 2}"})
    EXPECT_EQ(why_no_json_lines(line), "") << line;
  for (const char* line : {"[", "[{\"a\": 1}]", " [ {"})
    EXPECT_TRUE(why_no_json_lines(line).starts_with("a JSON array")) << line;
  for (const char* line : {"{", "{\"a\": 1,"})
    EXPECT_TRUE(why_no_json_lines(line).starts_with("JSON over several lines")) << line;
  EXPECT_TRUE(why_no_json_lines("{\"a\": 1},\r").starts_with("lines that end in a comma"));
}

TEST(Json, SaysWhereTheSyntaxIsWrong) {
  json value;
  const auto problem = read_json("{\"a\": 1,\n x}", value);
  ASSERT_TRUE(problem && problem->syntax);
  EXPECT_EQ(problem->byte, 10u);
  EXPECT_TRUE(value.is_null());
  for (const char* text : {"", "{", "[1,]", "1 2", "nul", "1e999", "\"\xFF\"", "[\"\x01\"]"}) {
    const auto wrong = read_json(text, value);
    ASSERT_TRUE(wrong && wrong->syntax) << text;
    for (const char c : wrong->what) EXPECT_GE(static_cast<unsigned char>(c), 0x20) << "one line";
    EXPECT_LT(wrong->what.size(), 300u);
  }
  expect_error(ErrorCode::kFormat, {"f.json", "not valid JSON"}, [] { parse_json("{", "f.json"); });
}

TEST(Json, NestingHasALimit) {
  json value;
  EXPECT_FALSE(read_json(nested(kMostNesting), value));
  const auto problem = read_json(nested(kMostNesting + 1), value);
  ASSERT_TRUE(problem);
  EXPECT_FALSE(problem->syntax);
  EXPECT_EQ(problem->what, "JSON is nested deeper than 32 levels");
  EXPECT_TRUE(read_json(std::string(10'000'000, '['), value));
  std::string objects;
  for (int i = 0; i < 100'000; ++i) objects += R"({"a":)";
  EXPECT_TRUE(read_json(objects, value));
}

TEST(Json, AKeyStandsOnceInAnObject) {
  json value;
  EXPECT_FALSE(read_json(R"([{"a": {"a": 1}}, {"a": 2}])", value));
  const auto problem = read_json(R"({"a": 1, "b": {}, "a": 2})", value);
  ASSERT_TRUE(problem);
  EXPECT_FALSE(problem->syntax);
  EXPECT_EQ(problem->what, "key 'a' appears twice in one object");
}

TEST(Json, AnObjectOfManyKeysTakesNoSquare) {
  std::string text = "{";
  for (int i = 0; i < 400'000; ++i) text += fmt::format("{}\"{}\": \"word{}\"", i == 0 ? "" : ",", i, i);
  text += "}";
  const auto begin = std::chrono::steady_clock::now();
  ordered_json value;
  EXPECT_FALSE(read_json(text, value));
  EXPECT_EQ(value.size(), 400'000u);
  EXPECT_EQ(value.begin().key(), "0");
  EXPECT_EQ(std::prev(value.end()).value(), "word399999");
  constexpr double kMostSeconds = 20;  // under one here; the square took minutes
  EXPECT_LT(std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count(), kMostSeconds);
}

}  // namespace
}  // namespace sala::text
