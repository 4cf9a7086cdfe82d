#include "eval/spec/record.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/sim/model/small_model.h"

namespace sala::eval {
namespace {

SampleRecord example() {
  SampleRecord record;
  record.task = "niah_single_1";
  record.length = 131072;
  record.index = 37;
  record.id = "ruler/niah_single_1@131072#37!42";
  record.score = 0.1 + 0.2;
  record.diagnostics = {{"words", 2.5}, {"nothing", 0}};
  record.answer = "one \"two\"\nthree \xE2\x82\xAC";
  record.answer_ids = {5, 0, 4095};
  record.stopped = true;
  record.expected = {"1234567", "x"};
  record.evidence = {{10, 20, 1.0 / 3, "key", "1234567"}};
  record.prompt_tokens = 130900;
  record.tokens_to_generate = 128;
  record.figures = {{"recall", 1.0 / 7}, {"figure of mine", -3}};
  record.arrays = ArraysRef{96, 1200, "0123456789abcdef"};
  record.timing = {0.25, 100.125, 3};
  return record;
}

TEST(Record, ALineComesBackExactly) {
  const std::string line = to_line(example());
  EXPECT_EQ(line.find('\n'), std::string::npos);
  const SampleRecord back = parse_line(line);
  EXPECT_EQ(to_line(back), line);
  EXPECT_EQ(back.score, 0.1 + 0.2);
  EXPECT_EQ(back.evidence[0].depth, 1.0 / 3);
  EXPECT_EQ(back.answer, example().answer);
  EXPECT_EQ(back.answer_ids, example().answer_ids);
  EXPECT_EQ(back.figures, example().figures);
  EXPECT_EQ(back.arrays->bytes, 1200);
  EXPECT_EQ(back.effective_tokens(), 131028);
}

TEST(Record, AnAnswerThatIsNoTextBecomesText) {
  SampleRecord record = example();
  record.answer = std::string("a\xFF\0b\xC0\xAF\xED\xA0\x80", 9);
  const std::string clean = parse_line(to_line(record)).answer;
  EXPECT_EQ(clean.substr(0, 4), "a\xEF\xBF\xBD");
  EXPECT_EQ(clean.find('\0'), std::string::npos);
  EXPECT_EQ(printable_utf8("grün €  𝄞"), "grün €  𝄞");
  EXPECT_EQ(printable_utf8("\xF0\x9D\x84"), "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD");
}

// Every field of the line, taken away or replaced by something of the wrong kind, is refused by name.
TEST(Record, EveryDamagedFieldIsNamed) {
  const auto whole = nlohmann::ordered_json::parse(to_line(example()));
  for (const auto& [name, value] : whole.items()) {
    auto without = whole;
    without.erase(name);
    if (name != "arrays" && name != "figures") expect_error(ErrorCode::kFormat, {name}, [&] { parse_line(without.dump()); });
    auto wrong = whole;
    wrong[name] = value.is_object() ? nlohmann::ordered_json(7) : nlohmann::ordered_json{{"a", 1}};
    EXPECT_THROW(parse_line(wrong.dump()), Error) << name;
  }
}

TEST(Record, ASealedLineThatChangedInAnyBitIsRefused) {
  const std::string line = to_line(example()), whole = sealed(line);
  EXPECT_EQ(unsealed(whole), line);
  EXPECT_EQ(nlohmann::json::parse(whole)["id"], example().id) << "it is JSON still";
  for (size_t bit = 0; bit < 8 * whole.size(); ++bit) {
    std::string flipped = whole;
    flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << bit % 8));
    EXPECT_THROW(unsealed(flipped), Error) << bit;
  }
  for (size_t bytes = 0; bytes < whole.size(); ++bytes) EXPECT_THROW(unsealed(whole.substr(0, bytes)), Error);
  expect_error(ErrorCode::kFormat, {"no checksum"}, [&] { unsealed(line); });
}

TEST(Record, HostileLinesAreRefused) {
  for (const std::string& line :
       {std::string(""), std::string("null"), std::string("[]"), std::string("{"), std::string("{}"),
        std::string(100000, '['), std::string("\xFF\xFE"), std::string(64, '\0')})
    EXPECT_THROW(parse_line(line), Error);
  auto json = nlohmann::ordered_json::parse(to_line(example()));
  json["score"] = 1.5;
  expect_error(ErrorCode::kFormat, {"score", "1.5"}, [&] { parse_line(json.dump()); });
  json["score"] = 1;
  json["length"] = -1;
  expect_error(ErrorCode::kFormat, {"length"}, [&] { parse_line(json.dump()); });
  json["length"] = 18446744073709551615ull;
  expect_error(ErrorCode::kFormat, {"length"}, [&] { parse_line(json.dump()); });
  json["length"] = 4096;
  json["answer_ids"] = {1, 1e300};
  expect_error(ErrorCode::kFormat, {"answer_ids"}, [&] { parse_line(json.dump()); });
  json["answer_ids"] = {4294967296};
  expect_error(ErrorCode::kFormat, {"answer_ids"}, [&] { parse_line(json.dump()); });
  json["answer_ids"] = {1};
  json["evidence"][0]["end"] = 3;
  expect_error(ErrorCode::kFormat, {"evidence", "10 to 3"}, [&] { parse_line(json.dump()); });
  json["evidence"][0]["end"] = 130901;
  expect_error(ErrorCode::kFormat, {"evidence", "130900 prompt tokens"}, [&] { parse_line(json.dump()); });
}

}  // namespace
}  // namespace sala::eval
