#include "tasks/mrcr/rows.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "sala/core/error.h"
#include "tasks/mrcr/mrcr.h"

namespace sala::tasks {
namespace {

using nlohmann::ordered_json;

ordered_json good_row() {
  const auto turn = [](const char* role, const std::string& content) {
    return ordered_json{{"role", role}, {"content", content}};
  };
  const ordered_json messages = {
      turn("user", "examples"),
      turn("user", "write a poem about owls"),
      turn("assistant", "first owl \u00e9"),
      turn("user", "write a song about owls"),
      turn("assistant", "a song"),
      turn("user", "write a poem about owls"),
      turn("assistant", "second owl"),
      turn("user",
           "Prepend 0123456789 to the 2nd (1 indexed) poem about owls. Do not include any other text in your response.")};
  return {{"prompt", messages.dump()},
          {"answer", "0123456789second owl"},
          {"random_string_to_prepend", "0123456789"},
          {"n_needles", 2},
          {"desired_msg_index", 5},
          {"total_messages", 8},
          {"n_chars", 0},
          {"date_added", "04-12-2025"}};
}

MrcrRows read(const std::string& text, const Tokenizer* bins = nullptr) { return read_mrcr_rows(text, "rows.jsonl", bins); }

TEST(MrcrRows, ReadsAPromptThatIsAStringAndOneThatIsAList) {
  ordered_json list = good_row();
  list["prompt"] = ordered_json::parse(list["prompt"].get<std::string>());
  const MrcrRows rows = read(good_row().dump() + "\n\n" + list.dump() + "\r\n");
  ASSERT_EQ(rows.rows.size(), 2u);
  EXPECT_TRUE(rows.problems.empty()) << rows.problems[0];
  for (const MrcrRow& row : rows.rows) {
    EXPECT_EQ(row.chat.turns.size(), 8u);
    EXPECT_EQ(row.hash, "0123456789");
    EXPECT_EQ(row.n_needles, 2);
    EXPECT_EQ(row.date_added, "04-12-2025");
    EXPECT_EQ(row.tokens, -1);
  }
  EXPECT_EQ(rows.rows[1].line, 3);
}

// What pandas makes of whole columns and of empty cells.
TEST(MrcrRows, NullIsAbsentAndAWholeFloatIsAnInteger) {
  ordered_json row = good_row();
  row["n_needles"] = 2.0;
  row["desired_msg_index"] = 5.0;
  row["tokens"] = row["total_messages"] = row["date_added"] = nullptr;
  const MrcrRows rows = read("\xEF\xBB\xBF" + row.dump());
  EXPECT_EQ(rows.problems, std::vector<std::string>{});
  EXPECT_EQ(rows.rows[0].n_needles, 2);
  EXPECT_EQ(rows.rows[0].tokens, -1);
  row["n_needles"] = 2.5;
  EXPECT_EQ(read(good_row().dump() + "\n" + row.dump()).problems,
            std::vector<std::string>{"rows.jsonl:2: field 'n_needles' is no integer"});
}

TEST(MrcrRows, AnArrayIsAsGoodAsLines) {
  ordered_json broken = good_row();
  broken.erase("answer");
  const MrcrRows rows = read(ordered_json::array({good_row(), broken, good_row()}).dump(2));
  ASSERT_EQ(rows.rows.size(), 2u);
  EXPECT_EQ(rows.rows[1].line, 3);
  EXPECT_EQ(rows.problems, std::vector<std::string>{"rows.jsonl:2: field 'answer' is missing"});
  EXPECT_EQ(read(good_row().dump(2)).rows.size(), 1u) << "one row over several lines";
}

TEST(MrcrRows, FilesOfAnotherKindAreRefusedInOneSentence) {
  const auto refusal = [](const std::string& text) {
    try {
      read(text);
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kFormat);
      return std::string(error.what());
    }
    return std::string("no error");
  };
  EXPECT_EQ(refusal("\x1F\x8B\x08"), "rows.jsonl is packed (gzip); JSON lines are expected");
  EXPECT_EQ(refusal("PAR1\x15"), "rows.jsonl is packed (Parquet); JSON lines are expected");
  EXPECT_EQ(refusal(good_row().dump(1) + "\n" + good_row().dump(1)),
            "rows.jsonl: JSON over several lines, not JSON lines; `jq -c . FILE` writes it so");
  EXPECT_EQ(refusal("[" + good_row().dump(1) + "\n,]"), "rows.jsonl: not valid JSON at line 11, byte 2");
  EXPECT_EQ(refusal(good_row().dump() + ",\n" + good_row().dump()),
            "rows.jsonl: lines that end in a comma, as in a JSON array; JSON lines end without");
}

TEST(MrcrRows, CountsTokensWithTheTokenizerOfTheBins) {
  const auto bytes = open_tokenizer("byte");
  const MrcrRows rows = read(good_row().dump(), bytes.get());
  int64_t expected = 20;  // the answer
  for (const Message& message : rows.rows[0].chat.messages()) expected += static_cast<int64_t>(message.content.size());
  EXPECT_EQ(rows.rows[0].tokens, expected);
  EXPECT_EQ(rows.rows[0].n_chars, expected - 20 - 1);  // one character of two bytes
}

TEST(MrcrRows, OneBrokenLineIsNamedAndTheRestKept) {
  ordered_json no_answer = good_row();
  no_answer.erase("answer");
  ordered_json outside = good_row();
  outside["desired_msg_index"] = 7;
  ordered_json bad_type = good_row();
  bad_type["n_needles"] = "2";
  const MrcrRows rows = read("{not json\n" + good_row().dump() + "\n" + no_answer.dump() + "\n" + outside.dump() + "\n" +
                             bad_type.dump() + "\n[1]\n");
  EXPECT_EQ(rows.rows.size(), 1u);
  ASSERT_EQ(rows.problems.size(), 5u);
  EXPECT_EQ(rows.problems[0], "rows.jsonl:1: this is no JSON");
  EXPECT_EQ(rows.problems[1], "rows.jsonl:3: field 'answer' is missing");
  EXPECT_EQ(rows.problems[2], "rows.jsonl:4: desired_msg_index 7 points outside the 8 messages");
  EXPECT_EQ(rows.problems[3], "rows.jsonl:5: field 'n_needles' is no integer");
  EXPECT_EQ(rows.problems[4], "rows.jsonl:6: this is no JSON object");
  EXPECT_EQ(rows.unsound, 0);
}

TEST(MrcrRows, DeepNestingIsOneBrokenLine) {
  const std::string nested = std::string(1 << 20, '[') + std::string(1 << 20, ']');
  const MrcrRows rows = read("{\"prompt\": " + nested + "}\n" + good_row().dump() + "\n");
  EXPECT_EQ(rows.rows.size(), 1u);
  ASSERT_EQ(rows.problems.size(), 1u);
  EXPECT_EQ(rows.problems[0], "rows.jsonl:1: JSON is nested deeper than 32 levels");
}

// The generation bug of 2025: too many equal requests in some rows, a wrong reference in others.
TEST(MrcrRows, WarnsOfTooManyNeedlesAndOfAWrongReference) {
  ordered_json needles = good_row();
  needles["n_needles"] = 4;
  ordered_json reference = good_row();
  reference["answer"] = "0123456789first owl";
  ordered_json ordinal = good_row();
  ordinal["desired_msg_index"] = 1;
  ordinal["answer"] = "0123456789first owl \u00e9";
  const MrcrRows rows = read(needles.dump() + "\n" + reference.dump() + "\n" + ordinal.dump());
  EXPECT_EQ(rows.rows.size(), 3u);
  EXPECT_EQ(rows.unsound, 3);
  ASSERT_EQ(rows.problems.size(), 3u);
  EXPECT_EQ(rows.problems[0], "rows.jsonl:1: 2 requests equal the wanted one, n_needles says 4");
  EXPECT_EQ(rows.problems[1], "rows.jsonl:2: answer is not the hash followed by the wanted reply");
  EXPECT_EQ(rows.problems[2], "rows.jsonl:3: the 2nd such request is not message 1");
}

TEST(MrcrRows, AFileWithoutRowsIsRefused) {
  EXPECT_THROW(read(""), Error);
  try {
    read("{}\n");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kFormat);
    EXPECT_STREQ(error.what(),
                 "rows.jsonl: no line holds an MRCR row; the first problem: rows.jsonl:1: field 'prompt' is missing");
  }
  try {
    load_mrcr_rows("/nonexistent/rows.jsonl");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kIo);
  }
}

TEST(MrcrRows, RowsMakeATask) {
  ordered_json row = good_row();
  row["tokens"] = 10000;
  auto rows = std::make_shared<std::vector<MrcrRow>>(read(row.dump()).rows);
  const auto task = make_official_mrcr_task(rows, 2);
  const auto bytes = open_tokenizer("byte");
  SampleRequest request;
  request.length = 16384;
  const Sample sample = task->make_sample(request, *bytes);
  EXPECT_EQ(sample.outputs, std::vector<std::string>{"0123456789second owl"});
  EXPECT_EQ(sample.tokens_to_generate, 10 + 12 + 64);  // the longer instance: "first owl " and a character of two bytes
  EXPECT_EQ(task->score(sample, "0123456789second owl").value, 1.0);
  EXPECT_EQ(task->score(sample, "second owl").value, 0.0);
  ASSERT_EQ(sample.evidence.size(), 1u);
  const Evidence& evidence = sample.evidence[0];
  EXPECT_EQ(sample.prompt().substr(static_cast<size_t>(evidence.token_begin),
                                   static_cast<size_t>(evidence.token_end - evidence.token_begin)),
            "second owl");
  request.length = 8192;
  EXPECT_THROW(task->make_sample(request, *bytes), Error);
}

// The family's tokenizer spells an owl in four byte pieces, all of which begin at one byte.
TEST(MrcrRows, EvidenceBeginsWithTheFirstPieceOfACharacter) {
  const std::string reply = "\xF0\x9F\xA6\x89 second owl";
  ordered_json row = good_row();
  ordered_json messages = ordered_json::parse(row["prompt"].get<std::string>());
  messages[6]["content"] = reply;
  row["prompt"] = messages.dump();
  row["answer"] = "0123456789" + reply;
  row["tokens"] = 10000;
  const auto task = make_official_mrcr_task(std::make_shared<std::vector<MrcrRow>>(read(row.dump()).rows), 2);
  const auto family = open_tokenizer(std::string(SALA_SOURCE_DIR) + "/models/tokenizer.model");
  SampleRequest request;
  request.length = 16384;
  const Sample sample = task->make_sample(request, *family);
  ASSERT_EQ(sample.evidence.size(), 1u);
  const Evidence& evidence = sample.evidence[0];
  const std::string before = family->decode({sample.prompt_ids.begin(), sample.prompt_ids.begin() + evidence.token_begin});
  EXPECT_EQ(before, sample.prompt().substr(0, sample.prompt().find(reply)));
}

}  // namespace
}  // namespace sala::tasks
