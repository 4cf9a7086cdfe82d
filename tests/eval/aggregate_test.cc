// What the benchmarks add to the means; all expectations are worked out by hand from spec tasks 1.10 and 3.4.
#include "eval/report/aggregate.h"

#include <gtest/gtest.h>

#include "eval/report/report.h"
#include "tests/eval/fakes.h"
#include "tests/sim/expect_error.h"

namespace sala::eval {
namespace {

SampleRecord scored(const tasks::Task& task, int64_t length, int64_t index, double score) {
  SampleRecord record;
  record.task = task.name();
  record.length = length;
  record.index = index;
  record.score = score;
  record.answer = score > 0 ? "yes" : "\x01 \n";
  return record;
}

// The cells of the scores: task, length -> scores of its samples.
struct Scores {
  std::vector<Cell> cells;
  std::vector<SampleRecord> records;
  void add(const tasks::Task& task, int64_t length, const std::vector<double>& scores) {
    Cell cell{&task, length, {}};
    for (const double score : scores) {
      cell.samples.push_back(static_cast<int64_t>(cell.samples.size()));
      records.push_back(scored(task, length, cell.samples.back(), score));
    }
    cells.push_back(cell);
  }
  RunResults results() const { return summarize(cells, records); }
};

TEST(AggregateRuler, MeansEffectiveLengthAndAveragesAreThePublishedOnes) {
  const FakeTask vt("vt", "ruler", "ruler"), qa("qa_1", "ruler", "ruler");
  Scores scores;
  scores.add(vt, 4096, {1, 1});
  scores.add(qa, 4096, {1, 1});
  scores.add(vt, 8192, {1, 0.5});  // 75
  scores.add(qa, 8192, {1, 0});    // 50
  const RunResults results = scores.results();
  ASSERT_EQ(results.aggregates.size(), 1u);
  const auto& json = results.aggregates[0].json;
  EXPECT_EQ(json["means"][0]["label"], "mean of 2 of 13");
  EXPECT_EQ(json["means"][0]["score"], 100);
  EXPECT_EQ(json["means"][0]["bootstrap"], (nlohmann::ordered_json{100.0, 100.0}));
  EXPECT_EQ(json["means"][1]["score"], 62.5);
  EXPECT_LT(json["means"][1]["bootstrap"][0], 62.5);
  EXPECT_GT(json["means"][1]["bootstrap"][1], 62.5);
  EXPECT_EQ(json["effective_length"], 4096);
  EXPECT_EQ(json["averages"]["mean"], 81.25);
  EXPECT_DOUBLE_EQ(json["averages"]["weighted_increasing"], 75);    // (100 + 2 * 62.5) / 3
  EXPECT_DOUBLE_EQ(json["averages"]["weighted_decreasing"], 87.5);  // (2 * 100 + 62.5) / 3
  EXPECT_EQ(json["tasks"][3]["score"], 50);
  EXPECT_EQ(json["tasks"][3]["nulls"], "1/2");  // a control character and spaces are nothing after post-processing
  ReportSubject subject;
  subject.model = "m";
  subject.legend = "End.";
  const std::string table = format_results(subject, results, "table");
  EXPECT_NE(table.find("mean of 2 of 13   8,192   62.50"), std::string::npos) << table;
  EXPECT_NE(table.find("Effective length: 4,096 (the longest of 2 with a mean of 2 of 13 above 85.6). Over 2 lengths: Avg\n"
                       "81.25, wAvg (inc) 75.00, wAvg (dec) 87.50.\n"),
            std::string::npos)
      << table;
  EXPECT_EQ(table.find("bootstrap 95%  nulls"), std::string::npos) << "single tasks with bootstrap are for Markdown";
  EXPECT_NE(format_results(subject, results, "md").find("| qa_1 | 8,192 | 50.00 | "), std::string::npos);
  EXPECT_EQ(summary_json(subject, results, {})["sala"]["aggregates"]["ruler"]["threshold"], 85.6);
}

TEST(AggregateRuler, OnlyAllTasksTogetherAreTheMeanOf13) {
  Scores scores;
  int64_t tasks = 0;
  for (const tasks::Task* task : tasks::all_tasks()) {
    if (task->group() != "ruler") continue;
    scores.add(*task, 4096, {1});
    ++tasks;
  }
  ASSERT_EQ(tasks, 13);
  EXPECT_EQ(scores.results().aggregates[0].json["means"][0]["label"], "mean of 13");
}

TEST(AggregateRuler, LengthsThatLackATaskAreNotPutOnTheCurve) {
  const FakeTask vt("vt", "ruler", "ruler"), qa("qa_1", "ruler", "ruler");
  Scores scores;
  scores.add(vt, 4096, {1});
  scores.add(qa, 4096, {1});
  scores.add(vt, 8192, {1});
  const auto json = scores.results().aggregates[0].json;
  EXPECT_EQ(json["effective_length"], 4096);
  EXPECT_FALSE(json.contains("averages"));
  EXPECT_EQ(json["means"][1]["label"], "mean of 1 of 13");
}

TEST(AggregateRuler, DepthAsksWhichOfTheAnswersWereGiven) {
  const FakeTask niah("niah_multivalue", "ruler", "ruler"), cwe("cwe", "ruler", "ruler");
  Scores scores;
  scores.add(niah, 4096, {0.5});
  scores.add(cwe, 4096, {1});
  SampleRecord& record = scores.records[0];
  record.expected = {"1111111", "2222222"};
  record.answer = "1111111";
  record.evidence = {{10, 20, 0.05, "key", "1111111"}, {4000, 4010, 1.0, "key", "2222222"}};
  scores.records[1].evidence.resize(300);  // all over the text
  const auto depth = scores.results().aggregates[0].json["depth"];
  ASSERT_EQ(depth["lengths"].size(), 1u);
  const auto& tenths = depth["lengths"][0]["tenths"];
  EXPECT_EQ(tenths[0]["places"], 1);
  EXPECT_EQ(tenths[0]["score"], 100);
  EXPECT_TRUE(tenths[5]["score"].is_null());
  EXPECT_EQ(tenths[9]["score"], 0);
  EXPECT_EQ(depth["tasks"].size(), 1u);
}

// Pair p is answered at 512 and 2,048, pair q at 1,024; both at 4,096, neither at 8,192.
Scores nolima_scores(const tasks::Task& task, const std::vector<int64_t>& lengths, const std::string& suffix = "") {
  Scores scores;
  for (const int64_t length : lengths) {
    const bool p = length == 512 || length == 2048 || length == 4096, q = length == 1024 || length == 4096;
    scores.add(task, length, {p ? 1.0 : 0.0, q ? 1.0 : 0.0});
    for (const size_t i : {0, 1}) {
      SampleRecord& record = scores.records[scores.records.size() - 2 + i];
      record.evidence = {{0, 1, 0.0, i == 0 ? "p" : "q", "Ann"}};
      record.diagnostics = {{i == 0 ? "onehop" : "twohop", record.score}, {"many_names", 0}};
      record.id = fmt::format("nolima/nolima@{}#{}!42{}", length, i, suffix);
    }
  }
  return scores;
}

TEST(AggregateNolima, BaseIsTheMeanOfTheBestOfEachPair) {
  const FakeTask nolima("nolima", "nolima", "nolima");
  const RunResults results = nolima_scores(nolima, {512, 1024, 2048, 4096, 8192}).results();
  const Aggregate& made = results.aggregates.at(0);
  EXPECT_EQ(made.json["base"], 100) << "each pair is answered at some base length";
  EXPECT_EQ(made.json["threshold"], 85);
  EXPECT_EQ(made.json["effective_length"], 4096);
  EXPECT_EQ(made.json["lengths"][0]["score"], 50);
  EXPECT_EQ(made.json["lengths"][3]["normalised"], 100);
  EXPECT_EQ(made.json["lengths"][4]["below_half_of_base"], true);
  EXPECT_EQ(made.json["splits"][1]["onehop"], 0);
  EXPECT_EQ(made.json["splits"][1]["twohop"], 100);
  EXPECT_TRUE(made.json["splits"][1]["default_order"].is_null());
  EXPECT_EQ(made.remarks,
            (std::vector<std::string>{"Base score: 100.00 (mean over pairs of the best of 512, 1k, 2k). Effective length: "
                                      "4,096 (the longest of 5 with more than 0.85 of it, 85.00)."}));
}

TEST(AggregateNolima, WithoutTheBaseLengthsTheRemarkSaysWhatToAdd) {
  const FakeTask nolima("nolima", "nolima", "nolima");
  RunResults results = nolima_scores(nolima, {1024, 4096}).results();
  EXPECT_TRUE(results.aggregates.at(0).json["base"].is_null());
  EXPECT_TRUE(results.aggregates[0].json["lengths"][0]["normalised"].is_null());
  EXPECT_EQ(results.aggregates[0].json["lengths"][1]["score"], 100);
  EXPECT_TRUE(results.aggregates[0].remarks.at(0).ends_with("add --len 512,2k.")) << results.aggregates[0].remarks[0];
  results = nolima_scores(nolima, {1024}, "~upstream").results();
  EXPECT_TRUE(results.aggregates.at(0).remarks.at(0).ends_with("add --len 250,500,1000."))
      << "windows of upstream's lengths";
}

TEST(AggregateNolima, LengthsWithFewerPairsAreNamed) {
  const FakeTask nolima("nolima", "nolima", "nolima");
  Scores scores = nolima_scores(nolima, {512, 1024, 2048, 4096});
  scores.records.pop_back();
  const std::vector<std::string> remarks = scores.results().aggregates.at(0).remarks;
  ASSERT_EQ(remarks.size(), 2u);
  EXPECT_TRUE(remarks[1].starts_with("Only 1 of 2 pairs were asked at 4,096: ")) << remarks[1];
}

TEST(AggregateMrcr, BinsHitsConfusionAndBothTotals) {
  const FakeTask two("mrcr_2", "mrcr", "mrcr");
  Scores scores;
  scores.add(two, 8192, {1, 0.5, 0});
  scores.add(two, 16384, {0.25});
  const std::vector<std::vector<double>> figures = {{1, 0}, {1, 1}, {0, 0}, {1, 1}};
  for (size_t i = 0; i < figures.size(); ++i)
    scores.records[i].diagnostics = {{"prefix_hit", figures[i][0]}, {"confused", figures[i][1]}, {"grader_capped", 0}};
  const RunResults results = scores.results();
  const auto& json = results.aggregates[0].json;
  EXPECT_EQ(json["bins"][0]["score"], 50);
  EXPECT_NEAR(json["bins"][0]["hit_rate"], 200 / 3.0, 1e-9);
  EXPECT_NEAR(json["bins"][0]["confusion_rate"], 100 / 3.0, 1e-9);
  EXPECT_TRUE(json["bins"][0]["score_stripped"].is_null());
  EXPECT_EQ(json["totals"][0]["score_all_bins"], 43.75);  // (1 + .5 + 0 + .25) / 4
  EXPECT_EQ(json["totals"][0]["score_last_bin"], 25);
  EXPECT_EQ(results.aggregates[0].remarks,
            (std::vector<std::string>{"mrcr_2: 43.75 over all 4 samples of 2 bins, 25.00 in the last bin (16,384)."}));
}

TEST(Aggregate, ATaskSaysHowItsGroupIsSummedUp) {
  const FakeTask mine("mine_2", "mine", "mrcr"), plain("plain", "others"), odd("odd", "odd", "median");
  Scores scores;
  scores.add(mine, 4096, {1, 0});
  scores.add(plain, 4096, {1, 0});
  const RunResults results = scores.results();
  ASSERT_EQ(results.aggregates.size(), 1u);
  EXPECT_EQ(results.aggregates[0].group, "mine");
  EXPECT_EQ(results.aggregates[0].json["totals"][0]["score_all_bins"], 50);
  scores.add(odd, 4096, {1});
  expect_error(ErrorCode::kInternal, {"odd", "median"}, [&] { scores.results(); });
}

}  // namespace
}  // namespace sala::eval
