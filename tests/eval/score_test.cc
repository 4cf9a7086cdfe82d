// Golden files made by hand (tests/data/predictions), their scores worked out by hand, and files that nobody should trust.
#include "eval/score/score.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "eval/report/report.h"
#include "tests/sim/expect_error.h"
#include "tests/sim/model/small_model.h"

namespace sala::eval {
namespace {

using Texts = std::vector<std::string>;

std::string golden(const std::string& name) { return std::string(SALA_SOURCE_DIR) + "/tests/data/predictions/" + name; }

class Score : public testing::Test {
 protected:
  Scored scored(const Texts& paths) {
    request_.paths = paths;
    return score_predictions(request_);
  }
  Scored scored_text(const std::string& name, const std::string& text) {
    write_bytes(folder_.file(name), text);
    return scored({folder_.file(name)});
  }
  static double percent(const Scored& scored, const std::string& task, int64_t length) {
    const RunResults results = summarize(scored.cells, scored.records);
    for (const CellResult& cell : results.cells)
      if (cell.cell.task->name() == task && cell.cell.length == length) return 100 * cell.score;
    ADD_FAILURE() << "no cell " << task << "@" << length;
    return -1;
  }
  // "FILE:" is cut off.
  Texts problems(const Scored& scored) const {
    Texts cut;
    for (std::string problem : scored.problems) {
      if (problem.starts_with(folder_.path())) problem = problem.substr(folder_.path().size() + 1);
      cut.push_back(problem.substr(0, problem.find(" at line 1")));
    }
    return cut;
  }

  const TemporaryFolder folder_;
  ScoreRequest request_;
};

std::string line(int64_t index, const std::string& pred) {
  return fmt::format(R"({{"index": {}, "pred": "{}", "input": "", "outputs": ["one"], "others": {{}}, "length": 4000}})",
                     index, pred) +
         "\n";
}

TEST_F(Score, JsonOfPythonIsRead) {
  const std::string unused =
      R"({"index": 0, "pred": "one", "input": "NaN", "outputs": ["one"], "p": NaN, "q": [-Infinity, Infinity]})";
  const std::string half = R"({"index": 1, "pred": "one \ud83d! \\ud83d \ud83d\ude00", "input": "b", "outputs": ["one"]})";
  const std::string needed = R"({"index": NaN, "pred": "one", "input": "c", "outputs": ["one"]})";
  const std::string missing = R"({"index": 2, "pred": NaN, "input": "d", "outputs": ["one"]})";
  const Scored made = scored_text("vt.jsonl", unused + "\n" + half + "\n" + needed + "\n" + missing + "\n");
  ASSERT_EQ(made.records.size(), 2u);
  EXPECT_EQ(made.records[0].score, 1);
  EXPECT_EQ(made.records[1].answer, "one \xEF\xBF\xBD! \\ud83d \xF0\x9F\x98\x80") << "only what has no other half";
  EXPECT_EQ(problems(made), (Texts{"vt.jsonl:3: field 'index' is null, expected an integer from 0 up",
                                   "vt.jsonl:4: field 'pred' is null, expected text"}));
  ASSERT_FALSE(made.warnings.empty());
  EXPECT_TRUE(made.warnings[0].ends_with("vt.jsonl:2: 1 lone surrogate in its texts counts as U+FFFD")) << made.warnings[0];
  EXPECT_EQ(problems(scored_text("vt.jsonl", unused + "\n{\"index\": 1, \"pred\": NaN\n")).size(), 1u)
      << "broken all the same";
}

TEST_F(Score, CsvLeavesUnknownTimesEmpty) {
  const Scored made = scored_text("vt.jsonl", line(0, "one"));
  ReportSubject subject;
  subject.model = "m";
  subject.timed = false;
  const RunResults results = summarize(made.cells, made.records);
  const std::string csv = format_results(subject, results, "csv");
  EXPECT_TRUE(csv.ends_with(",,,\n")) << csv;
  EXPECT_EQ(csv.find(",0.000,"), std::string::npos) << csv;
  const auto json = summary_json(subject, results, {});
  EXPECT_TRUE(json["sala"]["cells"][0]["seconds"].is_null());
  EXPECT_TRUE(json["sala"]["cells"][0]["tokens_per_second"].is_null());
}

TEST_F(Score, UpstreamRulerHasUpstreamsNumbers) {
  const Scored made = scored({golden("ruler")});
  EXPECT_EQ(made.problems, Texts{});
  EXPECT_EQ(made.records.size(), 9u);
  // 2 of 4, 4 of 4 (control characters are newlines), none, nothing. Two samples share the index 812, as upstream's may.
  EXPECT_EQ(percent(made, "niah_multivalue", 4096), 37.5);
  EXPECT_NEAR(percent(made, "vt", 4096), 100 / 6.0, 1e-12);    // 1 of 3, case folded; 0 of 3
  EXPECT_NEAR(percent(made, "qa_1", 4096), 200 / 3.0, 1e-12);  // any answer: "paris", "no" in "NOT", none; two chunk files
  ReportSubject subject;
  subject.timed = false;
  const std::string table = format_results(subject, summarize(made.cells, made.records), "table");
  EXPECT_NE(table.find("niah_multivalue            4k   4,096  4  37.50    9.2 - 78.1    1/4\n"), std::string::npos)
      << table;
  EXPECT_NE(table.find("vt                         4k   4,096  2  16.67"), std::string::npos) << table;
  EXPECT_NE(table.find("mean of 3 of 13   4,096  40.28"), std::string::npos) << table;  // (37.50 + 16.67 + 66.67) / 3
}

TEST_F(Score, NeedlesOfUpstreamFilesHaveADepth) {
  const Scored made = scored({golden("ruler/4096/pred/niah_multivalue.jsonl")});
  const auto json = summarize(made.cells, made.records).aggregates[0].json;
  // The first two prompts hold needles in their first tenth: 1111111 given, 2222222, 3333333 (given), 4444444; 1111111
  // given.
  EXPECT_EQ(json["depth"]["lengths"][0]["tenths"][0]["places"], 5);
  EXPECT_EQ(json["depth"]["lengths"][0]["tenths"][0]["score"], 60);
}

TEST_F(Score, LmEvalSamplesAreScoredByRulersMetricAndTheirs) {
  const Scored made = scored({golden("lm_eval")});
  EXPECT_EQ(made.problems, Texts{});
  EXPECT_EQ(percent(made, "niah_single_1", 4096), 50);
  EXPECT_EQ(percent(made, "qa_1", 4096), 50);  // any answer will do: 1, 0
  EXPECT_EQ(percent(made, "qa_1", 8192), 100);
  ASSERT_EQ(made.files[1].skipped, 3) << "the same answers under a second filter";
  const SampleRecord& first = made.records[2];
  EXPECT_EQ(first.task, "qa_1");
  EXPECT_EQ(first.diagnostics.back(), (std::pair<std::string, double>("lm_eval_score", 0.5)));  // 1 of its 2 answers
}

TEST_F(Score, OfficialMrcrRowsHaveThePublishedRatios) {
  const Scored made = scored({golden("mrcr")});
  EXPECT_EQ(made.problems, Texts{});
  EXPECT_EQ(made.warnings, Texts{});
  EXPECT_EQ(made.sources, Texts{"rows of openai/mrcr"});
  Texts figures;
  for (const SampleRecord& record : made.records) {
    std::map<std::string, double> diagnostics(record.diagnostics.begin(), record.diagnostics.end());
    figures.push_back(
        fmt::format("{} {} {} {}", record.length, record.score, diagnostics["prefix_hit"], diagnostics["confused"]));
  }
  EXPECT_EQ(figures, (Texts{"8192 1 1 0", "8192 0.25 1 1", "16384 0.5 1 1", "16384 0 0 0"}));
}

TEST_F(Score, NolimaRecordsUseTheirMetricAndLeaveDirectQuestionsOut) {
  request_.tasks = tasks::resolve_tasks("nolima");
  const Scored made = scored({golden("nolima")});
  EXPECT_EQ(made.problems, Texts{});
  ASSERT_EQ(made.records.size(), 4u);
  std::vector<double> scores;
  for (const SampleRecord& record : made.records) scores.push_back(record.score);
  EXPECT_EQ(scores, (std::vector<double>{1, 0, 1, 0}));
  EXPECT_EQ(made.records[2].evidence[0].key, "0401Inv_T01_twohop");
  EXPECT_EQ(made.records[2].diagnostics,
            (std::vector<std::pair<std::string, double>>{{"twohop", 1}, {"inverted_order", 1}}));
  EXPECT_EQ(made.files[0].skipped, 1);
  EXPECT_EQ(made.cells[0].task->group(), "nolima_user") << "never a mean with nolima-own";
  request_.tasks.clear();
  EXPECT_EQ(percent(scored({golden("nolima")}), "nolima_direct", 1000), 100);
}

// A test of NoLiMa's own runner, as its run_tests.py writes it: one file with the depths of one pair in one book.
TEST_F(Score, NolimasOwnResultFilesAreRead) {
  fields::Json document = fields::Json::parse(R"({"eval_name": "m_book_0401_T01_onehop_1", "test_name": "0401_T01_onehop",
    "retrieval_question": "Who was in Lisbon?", "needle": "Then {CHAR} had a flat beside the tower.", "gold_answers": "",
    "haystack_path": "../data/rand_book_1.txt", "context_length": 4000, "metric": "contains", "results": [
    {"selected_character": "Odile", "placement_metadata": {"depth": 0.0}, "metric": 1, "response": "It was Odile."},
    {"selected_character": "Marek", "placement_metadata": {"depth": 0.04}, "metric": 0, "response": "I do not know"},
    {"selected_character": "Marek", "placement_metadata": {"depth": 0.08}, "metric": 0, "response": "Marek"},
    {"selected_character": "Marek", "placement_metadata": {"depth": 0.12}, "metric": 0, "response": null}]})");
  const std::string folder = folder_.file("results/CL4K/0401_T01_onehop");
  std::filesystem::create_directories(folder);
  write_bytes(folder + "/one.json", document.dump(4));
  const Scored made = scored({folder_.file("results")});
  ASSERT_EQ(made.records.size(), 3u);
  EXPECT_EQ(made.cells[0].task->name(), "nolima_user");
  EXPECT_NEAR(percent(made, "nolima_user", 4000), 200.0 / 3, 1e-9);
  EXPECT_EQ(made.records[1].evidence[0].key, "0401_T01_onehop");
  EXPECT_EQ(made.records[1].diagnostics, (std::vector<std::pair<std::string, double>>{{"onehop", 0}, {"default_order", 0}}));
  ASSERT_EQ(made.warnings.size(), 1u);
  EXPECT_TRUE(made.warnings[0].ends_with("one.json:3: scores 1, the line says 0")) << made.warnings[0];
  ASSERT_EQ(made.problems.size(), 1u);
  EXPECT_TRUE(made.problems[0].ends_with("one.json:4: field 'response' is null, expected text")) << made.problems[0];

  document["needle"] = "The flat is beside the tower.";
  document["gold_answers"] = {"yes", "Odile"};
  document["test_name"] = "0401Inv_T01_twohop";
  write_bytes(folder_.file("gold.json"), document.dump());  // in one line
  const Scored gold = scored({folder_.file("gold.json")});
  EXPECT_EQ(gold.records[0].expected, (Texts{"yes", "Odile"}));
  EXPECT_EQ(gold.records[0].diagnostics[1].first, "inverted_order");
  document.erase("test_name");
  write_bytes(folder_.file("bad.json"), document.dump(4));
  expect_error(ErrorCode::kFormat, {"bad.json: field 'test_name' is missing"}, [&] { scored({folder_.file("bad.json")}); });
}

// However long the file is: one sentence.
TEST_F(Score, WhatIsNoJsonLinesIsRefusedInOneSentence) {
  const auto refusal = [&](const std::string& text) {
    try {
      scored_text("vt.jsonl", text);
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kFormat);
      const std::string what = error.what();
      EXPECT_LT(what.size(), 600 + 3 * folder_.path().size()) << what;
      return what.substr(std::min(what.size(), what.find("vt.jsonl")));
    }
    return std::string("no error");
  };
  std::string array = "[\n", objects, broken;
  for (int i = 0; i < 500; ++i) {
    const std::string pretty = fields::Json::parse(line(i, "one")).dump(2);
    array += pretty + (i == 499 ? "\n]\n" : ",\n");
    objects += pretty + "\n";
    broken += "{\"index\": ]\n";
  }
  EXPECT_EQ(refusal(array), "vt.jsonl: a JSON array, not JSON lines; `jq -c '.[]' FILE` writes its elements so");
  EXPECT_EQ(refusal(objects), "vt.jsonl: JSON over several lines, not JSON lines; `jq -c . FILE` writes it so");
  EXPECT_EQ(refusal("\xEF\xBB\xBF\r\n[\r\n"),
            "vt.jsonl: a JSON array, not JSON lines; `jq -c '.[]' FILE` writes its elements so");
  EXPECT_EQ(refusal("\x1F\x8B\x08"), "vt.jsonl: packed (gzip); JSON lines are expected");
  EXPECT_TRUE(refusal(broken).ends_with("; and 497 more")) << refusal(broken);
}

// pandas writes 3.0 for 3 in a column with gaps, and null in the gaps; Windows adds carriage returns and a byte order mark.
TEST_F(Score, TablesOfPandasAreRead) {
  const std::string
      first =
          R"({"index": 0.0, "pred": "one", "outputs": ["one"], "length": null, "max_length": 4096, "id": null, "task": null})",
      second = R"({"index": 1.0, "pred": "one", "outputs": ["one"], "length": 4000.0, "max_length": 4096.0})";
  const Scored made = scored_text("vt.jsonl", "\xEF\xBB\xBF" + first + "\r\n" + second + "\r\n");
  EXPECT_EQ(made.problems, Texts{});
  ASSERT_EQ(made.records.size(), 2u);
  EXPECT_EQ(made.records[1].index, 1);
  EXPECT_EQ(made.records[1].length, 4096);
}

TEST_F(Score, SamplesAreMadeAgainFromTheirIds) {
  request_.open_tokenizer = [] { return open_tokenizer("whitespace"); };
  const auto tokenizer = open_tokenizer("whitespace");
  std::string text;
  for (const char* id : {"ruler/niah_multivalue@700#0!42", "ruler/vt@700#0!42", "mrcr_2"}) {
    const tasks::Sample sample = std::string(id) == "mrcr_2" ? tasks::regenerate("mrcr/mrcr_2@2500#0!7", *tokenizer)
                                                             : tasks::regenerate(id, *tokenizer);
    text += fields::Json({{"id", sample.id}, {"response", sample.outputs[0]}}).dump() + "\n";
  }
  const Scored made = scored_text("answers.jsonl", text);
  EXPECT_EQ(made.problems, Texts{});
  EXPECT_EQ(percent(made, "niah_multivalue", 700), 25);
  EXPECT_EQ(percent(made, "vt", 700), 20);
  EXPECT_EQ(percent(made, "mrcr_2", 2500), 100);
  EXPECT_EQ(made.records[0].evidence.size(), 4u);
  EXPECT_EQ(made.sources, (Texts{"mrcr-synth", "ruler-synth"}));
}

TEST_F(Score, ReferencesOfAnotherTokenizersSampleAreRefused) {
  request_.open_tokenizer = [] { return open_tokenizer("whitespace"); };
  write_bytes(
      folder_.file("samples.jsonl"),
      R"({"id":"mrcr/mrcr_2@2500#0!7","task":"mrcr_2","length":2500,"index":0,"score":0,"answer":"","expected":["x"],)"
      R"("stopped":true,"prompt_tokens":1,"tokens_to_generate":1,"diagnostics":{},"answer_ids":[],"evidence":[],)"
      R"("timing":{"make_seconds":0,"prefill_seconds":0,"decode_seconds":0}})"
      "\n");
  expect_error(ErrorCode::kFormat, {"samples.jsonl:1", "--tokenizer"}, [&] { scored({folder_.file("samples.jsonl")}); });
}

TEST_F(Score, BrokenLinesAreNamedAndTheRestIsScored) {
  std::string nul = line(4, "one");
  nul[5] = '\0';
  const std::string good = line(0, "one"), cut = line(1, "one").substr(0, 40) + "\n";
  const Scored made = scored_text("vt.jsonl", good + cut + R"({"index": 2, "pred": 7, "outputs": ["one"]})" + "\n\n" +
                                                  R"({"index": 3, "pred": "one", "outputs": "one"})" + "\n" + nul + "[1]\n" +
                                                  R"({"index": -1, "pred": "", "outputs": ["one"]})" + "\n" +
                                                  R"({"pred": "", "outputs": []})" + "\n" +
                                                  R"({"index": 4, "pred": "x", "outputs": ["one", ""]})" + "\n" +
                                                  R"({"index": 1, "outputs": ["one"]})" + "\n" + line(1, "two"));
  EXPECT_EQ(made.records.size(), 2u);
  EXPECT_EQ(percent(made, "vt", 4096), 50);
  EXPECT_EQ(problems(made),
            (Texts{"vt.jsonl:2: the line: not valid JSON", "vt.jsonl:3: field 'pred' is 7, expected text",
                   "vt.jsonl:5: field 'outputs' is no list", "vt.jsonl:6: the line: not valid JSON",
                   "vt.jsonl:7: the line holds array, expected a JSON object",
                   "vt.jsonl:8: field 'index' is -1, expected an integer from 0 up",
                   "vt.jsonl:9: field 'outputs' is empty, expected the reference answers",
                   "vt.jsonl:10: field 'outputs' holds an empty reference answer", "vt.jsonl:11: field 'pred' is missing"}));
}

TEST_F(Score, AnAnswerOfTenMegabytesIsScored) {
  const Scored made = scored_text("vt.jsonl", line(0, std::string(10'000'000, 'x') + " ONE") + line(1, ""));
  EXPECT_EQ(percent(made, "vt", 4096), 50);
}

TEST_F(Score, DeepNestingIsNoTrouble) {
  const std::string deep = std::string(1'000'000, '[') + std::string(1'000'000, ']');
  const Scored made =
      scored_text("vt.jsonl", R"({"index": 0, "pred": )" + deep + R"(, "outputs": ["one"]})" + "\n" + line(1, "one"));
  EXPECT_EQ(problems(made)[0], "vt.jsonl:1: the line: JSON is nested deeper than 32 levels");
  const fields::Json row = {{"prompt", deep}, {"answer", ""}, {"random_string_to_prepend", ""}, {"response", ""}};
  expect_error(ErrorCode::kFormat, {"rows.jsonl:1", "nested deeper than 32"},
               [&] { scored_text("rows.jsonl", row.dump()); });
}

TEST_F(Score, AnIndexOfTwoPromptsIsNamedAndBothCount) {
  const auto row = [](const char* input, const char* pred) {
    return fields::Json{{"index", 0}, {"pred", pred}, {"input", input}, {"outputs", {"one"}}, {"length", 4096}}.dump() +
           "\n";
  };
  const std::string text = row("a", "one") + row("b", "two");
  const Scored made = scored_text("vt.jsonl", text);
  ASSERT_EQ(made.problems.size(), 1u);
  EXPECT_NE(made.problems[0].find("vt.jsonl:2: index 0 with another prompt"), std::string::npos) << made.problems[0];
  EXPECT_EQ(made.records.size(), 2u);
  EXPECT_TRUE(scored_text("niah_single_1.jsonl", text).problems.empty()) << "there it is a character offset";
}

TEST_F(Score, AnIdThatNoSampleCanHaveIsOneBrokenLine) {
  request_.open_tokenizer = [] { return open_tokenizer("whitespace"); };
  const auto row = [](const char* id) { return fields::Json{{"id", id}, {"pred", "x"}}.dump() + "\n"; };
  const Scored made = scored_text("ids.jsonl", row("nolima/nolima@9223372036854775807#0!42") +
                                                   row("ruler/fwe@4611686018427387904#0!42") + row("ruler/vt@1024#0!42"));
  EXPECT_EQ(made.records.size(), 1u);
  ASSERT_EQ(made.problems.size(), 2u);
  for (const std::string& problem : made.problems)
    EXPECT_NE(problem.find("is beyond the 4294967296 tokens"), std::string::npos) << problem;
}

TEST_F(Score, DuplicatesCountOnceAndGapsAreNamed) {
  const Scored made = scored_text("vt.jsonl", line(0, "one") + line(0, "two") + line(3, "one"));
  EXPECT_EQ(percent(made, "vt", 4096), 100);
  EXPECT_EQ(made.problems.size(), 2u);
  EXPECT_EQ(problems(made)[0], "vt.jsonl:2: the sample of " + folder_.file("vt.jsonl") + ":1 again; the first one counts");
  EXPECT_EQ(problems(made)[1], "vt: 2 of 4 samples are missing: 1-2; --partial allows that");
  request_.partial = true;
  EXPECT_EQ(scored({folder_.file("vt.jsonl")}).problems.size(), 1u);
}

TEST_F(Score, CountsAreThoseAskedFor) {
  request_.samples = 3;
  EXPECT_EQ(problems(scored_text("vt.jsonl", line(0, "one") + line(1, "one"))),
            Texts{"vt@4096: 2 predictions, --samples says 3"});
}

TEST_F(Score, TheLengthIsTheLinesThenTheFlagsThenTheFoldersThenInferred) {
  namespace fs = std::filesystem;
  fs::create_directories(folder_.file("m/65536/pred"));
  write_bytes(folder_.file("m/65536/pred/vt.jsonl"), line(0, "one"));
  EXPECT_EQ(scored({folder_.file("m")}).cells[0].length, 65536);
  const Scored inferred = scored_text("vt.jsonl", line(0, "one"));
  EXPECT_EQ(inferred.cells[0].length, 4096);
  EXPECT_NE(inferred.warnings[0].find("length 4,096 is inferred from the longest sample (4,000 tokens)"), std::string::npos)
      << inferred.warnings[0];
  request_.length = 8000;
  EXPECT_EQ(scored({folder_.file("m")}).cells[0].length, 8000);
  const std::string said = R"({"index": 0, "pred": "", "outputs": ["one"], "max_length": 32768})";
  EXPECT_EQ(scored_text("vt.jsonl", said).cells[0].length, 32768);
  request_.length = 0;
  const Scored unknown = scored_text("vt.jsonl", R"({"index": 0, "pred": "", "outputs": ["one"], "length": -1})");
  EXPECT_EQ(unknown.cells[0].length, 0);
  EXPECT_NE(format_results({}, summarize(unknown.cells, unknown.records), "md").find("| vt | - | - | 1 | 0.0 |"),
            std::string::npos);
}

// ROOT/MODEL/synthetic/LENGTH/pred, as RULER lays it out: one mean is of one model.
TEST_F(Score, TwoModelsAreNeverOneMean) {
  namespace fs = std::filesystem;
  for (const char* model : {"llama", "qwen"})
    for (const char* length : {"4096", "8192"}) {
      const std::string pred = folder_.file(fmt::format("{}/synthetic/{}/pred", model, length));
      fs::create_directories(pred);
      write_bytes(pred + "/vt.jsonl", fmt::format(R"({{"index":0,"input":"{}","outputs":["X"],"pred":"X"}})", model));
    }
  EXPECT_EQ(scored({folder_.file("llama")}).cells.size(), 2u);
  EXPECT_EQ(
      scored({folder_.file("llama"), folder_.file("./llama/synthetic/../synthetic/4096/pred/vt.jsonl")}).records.size(), 2u)
      << "the same folder in other words";
  expect_error(ErrorCode::kUsage, {"vt@4096", "llama/synthetic/4096/pred", "qwen/synthetic/4096/pred", "one by one"},
               [&] { scored({folder_.path()}); });
  // The same samples, and lengths that are inferred.
  for (const char* name : {"one", "two"}) {
    fs::create_directories(folder_.file(name));
    write_bytes(folder_.file(name) + "/vt.jsonl", R"({"index":0,"length":4000,"input":"a","outputs":["X"],"pred":"X"})");
  }
  expect_error(ErrorCode::kUsage, {"vt@4096", "/one", "/two"}, [&] { scored({folder_.file("one"), folder_.file("two")}); });
}

// Nor do they share a table where their lengths differ: one would look like the other at a greater length.
TEST_F(Score, TwoModelsAreNeverOneTable) {
  namespace fs = std::filesystem;
  const auto write_lines = [&](const std::string& folder, int length) {
    fs::create_directories(folder_.file(folder));
    write_bytes(folder_.file(folder) + "/vt.jsonl",
                fmt::format(R"({{"index":0,"max_length":{},"input":"a","outputs":["X"],"pred":"X"}})", length));
    return folder_.file(folder);
  };
  const std::string a = write_lines("a", 4096), b = write_lines("b", 8192);
  expect_error(ErrorCode::kUsage, {"/a", "/b", "two models", "--model"}, [&] { scored({a, b}); });
  request_.one_model = true;
  EXPECT_EQ(scored({a, b}).cells.size(), 2u);
  request_.one_model = false;
  const Texts llama = {write_lines("llama/4096/pred", 4096), write_lines("llama/8192/pred", 8192)};
  EXPECT_EQ(scored(llama).cells.size(), 2u);
  const std::string qwen = write_lines("qwen/8192/pred", 8192);
  expect_error(ErrorCode::kUsage, {"llama", "qwen", "two models"}, [&] { scored({llama[0], qwen}); });
}

TEST_F(Score, AShortLineMakesNoHugeSample) {
  write_bytes(folder_.file("a.jsonl"),
              R"({"id":"ruler/vt@268435456#0!42","pred":"x"})"
              "\n"
              R"({"id":"ruler/vt@4096#0!42","max_length":9000000000000000000,"outputs":["X"],"pred":"X"})"
              "\n"
              R"({"id":"ruler/vt@4096#0!42","outputs":["X"],"pred":"X"})");
  const Scored made = scored({folder_.file("a.jsonl")});
  ASSERT_EQ(made.records.size(), 1u);
  ASSERT_EQ(made.problems.size(), 2u);
  EXPECT_NE(made.problems[0].find("too long to be made again"), std::string::npos) << made.problems[0];
  EXPECT_NE(made.problems[1].find("9000000000000000000"), std::string::npos) << made.problems[1];
}

TEST_F(Score, FilesOfNoTaskOrFormatAreNamed) {
  expect_error(ErrorCode::kFormat, {"other.jsonl:1", "one --task"}, [&] { scored_text("other.jsonl", line(0, "one")); });
  request_.tasks = tasks::resolve_tasks("vt");
  EXPECT_EQ(scored({folder_.file("other.jsonl")}).records.size(), 1u) << "the one task is meant";
  request_.tasks.clear();
  expect_error(ErrorCode::kFormat, {"no task 'vtt'", "vt"},
               [&] { scored_text("a.jsonl", R"({"task": "vtt", "index": 0, "pred": "", "outputs": ["one"]})"); });
  expect_error(ErrorCode::kFormat, {"vt.jsonl:1", "no known format", "\"question\""},
               [&] { scored_text("vt.jsonl", R"({"question": 1, "reply": 2})"); });
  expect_error(ErrorCode::kFormat, {"vt.jsonl: the file is empty"}, [&] { scored_text("vt.jsonl", "\n"); });
  expect_error(ErrorCode::kFormat, {"'outputs'", "'id'"}, [&] { scored_text("vt.jsonl", R"({"index": 0, "pred": ""})"); });
  expect_error(ErrorCode::kFormat, {"no sample id"}, [&] { scored_text("a.jsonl", R"({"id": "x", "pred": ""})"); });
  expect_error(ErrorCode::kIo, {"nowhere.jsonl"}, [&] { scored({folder_.file("nowhere.jsonl")}); });
  std::filesystem::create_directory(folder_.file("empty"));
  expect_error(ErrorCode::kUsage, {"holds no *.jsonl"}, [&] { scored({folder_.file("empty")}); });
}

TEST_F(Score, UnsoundMrcrRowsAreScoredWithANote) {
  std::string text = read_bytes(golden("mrcr/rows.jsonl"));
  text = text.substr(0, text.find('\n'));
  const std::string needles = "\"n_needles\": 2";
  std::string lie = text;
  lie.replace(lie.find(needles), needles.size(), "\"n_needles\": 4");
  const Scored made = scored_text("rows.jsonl", lie);
  EXPECT_EQ(made.records[0].task, "mrcr_official_4");
  ASSERT_EQ(made.warnings.size(), 1u);
  EXPECT_NE(made.warnings[0].find("rows.jsonl:1: 2 requests equal the wanted one, n_needles says 4"), std::string::npos);
  const std::string index = "\"desired_msg_index\": 5";
  for (const char* value : {"9223372036854775807", "-1", "18446744073709551615", "1e9"}) {
    lie = text;
    lie.replace(lie.find(index), index.size(), std::string("\"desired_msg_index\": ") + value);
    expect_error(ErrorCode::kFormat, {"rows.jsonl:1: ", "desired_msg_index"}, [&] { scored_text("rows.jsonl", lie); });
  }
}

}  // namespace
}  // namespace sala::eval
