#include "eval/report/results.h"

#include <gtest/gtest.h>

#include <cmath>

#include "eval/report/report.h"
#include "sala/core/rng.h"
#include "sala/tasks/corpora.h"
#include "tests/eval/fakes.h"

namespace sala::eval {
namespace {

SampleRecord record_of(const std::string& task, int64_t length, int64_t index, double score) {
  SampleRecord record;
  record.task = task;
  record.length = length;
  record.index = index;
  record.score = score;
  record.answer = score > 0 ? "yes" : " \n";
  record.answer_ids = {1, 2};
  record.prompt_tokens = length - 10;
  record.tokens_to_generate = 8;
  record.timing = {0, 1.5, 0.5};
  return record;
}

TEST(Intervals, WilsonHasTheTextbookValues) {
  EXPECT_NEAR(wilson_interval(0.5, 10).low, 0.2366, 5e-5);
  EXPECT_NEAR(wilson_interval(0.5, 10).high, 0.7634, 5e-5);
  EXPECT_NEAR(wilson_interval(1, 20).low, 0.8389, 5e-5);
  EXPECT_EQ(wilson_interval(1, 20).high, 1);
  EXPECT_EQ(wilson_interval(0, 1).low, 0);
  EXPECT_NEAR(wilson_interval(0, 1).high, 0.7935, 5e-5);
}

// 2,000 experiments of 20 samples each: the interval holds the true mean at least 92 times in 100.
TEST(Intervals, WilsonCoversTheTruthAlsoWithPartialCredit) {
  for (const bool partial : {false, true}) {
    Rng rng(1, "tests/wilson", partial ? 1 : 0);
    int covered = 0;
    const double truth = 0.85;
    for (int trial = 0; trial < 2000; ++trial) {
      double sum = 0;
      for (int i = 0; i < 20; ++i) {
        int hits = 0;
        for (int part = 0; part < 4; ++part) hits += rng.uniform() < truth ? 1 : 0;
        sum += partial ? hits / 4.0 : (rng.uniform() < truth ? 1.0 : 0.0);
      }
      const Interval interval = wilson_interval(sum / 20, 20);
      covered += interval.low <= truth && truth <= interval.high;
    }
    EXPECT_GE(covered, 1840) << "partial credit: " << partial;
  }
}

TEST(Intervals, TheMeanOfOneTaskKeepsItsIntervalAndManyNarrowIt) {
  const Interval one = wilson_interval(0.9, 20);
  const Interval same = mean_interval({0.9}, {one});
  EXPECT_NEAR(same.low, one.low, 1e-12);
  EXPECT_NEAR(same.high, one.high, 1e-12);
  const Interval four = mean_interval({0.9, 0.9, 0.9, 0.9}, {one, one, one, one});
  EXPECT_NEAR(0.9 - four.low, (0.9 - one.low) / 2, 1e-12);
}

TEST(Results, CellsAndGroupsAreMeans) {
  const FakeTask a("a"), b("b"), alone("c", "others");
  RunPlan plan;
  plan.model_name = "fake";
  plan.model = fake_config();
  plan.cells = {{&a, 512, {0, 1, 2}}, {&b, 512, {0, 1}}, {&alone, 512, {0}}, {&a, 1024, {0}}};
  const std::vector<SampleRecord> records = {record_of("a", 512, 1, 0.5), record_of("a", 512, 0, 1),
                                             record_of("b", 512, 0, 0), record_of("c", 512, 0, 1)};
  const RunResults results = summarize(plan, records);
  ASSERT_EQ(results.cells.size(), 3u);
  const CellResult& cell = results.cells[0];
  EXPECT_EQ(cell.score, 0.75);
  EXPECT_DOUBLE_EQ(*cell.standard_error, std::sqrt(0.125 / 2));
  EXPECT_EQ(cell.records[0]->index, 0);
  EXPECT_FALSE(cell.complete());
  EXPECT_EQ(cell.seconds, 4);
  EXPECT_EQ(cell.tokens_per_second, 2 * (502 + 2) / 4.0);
  EXPECT_DOUBLE_EQ(cell.mean_fill, 510.0 / 512);
  EXPECT_FALSE(results.cells[1].standard_error.has_value());
  EXPECT_EQ(results.cells[1].nulls, 1);
  ASSERT_EQ(results.groups.size(), 1u);  // "others" has one task, 1024 has no sample
  EXPECT_EQ(results.groups[0].score, 0.375);
  EXPECT_EQ(results.groups[0].tasks_run, 2);
  ASSERT_EQ(results.remarks.size(), 1u);
  EXPECT_EQ(results.remarks[0], "Incomplete: a@512 (2 of 3), b@512 (1 of 2), a@1024 (0 of 1).");
}

TEST(Report, TheTableHasResolvedLengthsAndSaysWhoseScoresTheseAre) {
  const FakeTask a("a"), b("b");
  RunPlan plan;
  plan.model_name = "fake";
  plan.model = fake_config();
  plan.cells = {{&a, 131072, {0, 1}}, {&b, 131072, {0, 1}}};
  std::vector<SampleRecord> records;
  for (const char* task : {"a", "b"})
    for (int64_t i = 0; i < 2; ++i) records.push_back(record_of(task, 131072, i, task[0] == 'a' ? 1 : 0.25));
  const std::string table = format_results(plan, summarize(plan, records), "table");
  EXPECT_NE(table.find("a                  128k  131,072  2  100.0  34.2 - 100.0    65,532      4.0\n"), std::string::npos)
      << table;
  EXPECT_NE(table.find("fakes (2 tasks)    128k  131,072      62.5"), std::string::npos) << table;
  EXPECT_EQ(table.find("of this project's family"), std::string::npos) << "a model of the user's: " << table;
  EXPECT_EQ(table.find("recall"), std::string::npos) << table;
  plan.model.sala_lab.family = "SALA";
  const std::string ours = format_results(plan, summarize(plan, records), "table");
  EXPECT_NE(ours.find("not to MiniCPM-SALA 9B"), std::string::npos) << ours;
  const std::string markdown = format_results(plan, summarize(plan, records), "md");
  EXPECT_EQ(markdown.substr(0, 9), "| task | ");
  EXPECT_NE(markdown.find("\n| --- | ---: |"), std::string::npos);
  const std::string latex = format_results(plan, summarize(plan, records), "latex");
  EXPECT_EQ(latex.substr(0, 16), "\\begin{tabular}{");
  EXPECT_NE(latex.find("\\end{tabular}\n\n% "), std::string::npos) << latex;  // remarks are comments
  const std::string csv = format_results(plan, summarize(plan, records), "csv");
  EXPECT_NE(csv.find("fake,a,fakes,131072,2,100.0000,34.2380,100.0000,0.000000,0,,,0.999985,65532.000,4.000,\n"),
            std::string::npos)
      << csv;
}

TEST(Report, ModeAndFilesAreRemarksAndPartOfThePlan) {
  const FakeTask a("a");
  RunPlan plan;
  plan.model_name = "fake";
  plan.model = fake_config();
  plan.cells = {{&a, 512, {0}}};
  EXPECT_EQ(plan.to_json()["mode"], "fixed");
  EXPECT_EQ(plan.to_json()["samples_version"], tasks::kSamplesVersion);
  EXPECT_EQ(plan.to_json()["files_hash"], "");
  EXPECT_TRUE(plan.to_json()["files"].empty());
  EXPECT_TRUE(summarize(plan, {record_of("a", 512, 0, 1)}).remarks.empty());

  tasks::Corpora corpora;
  corpora.files = {{"squad", "/some/where/dev.json", std::string(64, 'f'), 7}};
  corpora.hash = "0123456789abcdef";
  plan.mode = tasks::Mode::kUpstream;
  plan.corpora = &corpora;
  const auto json = plan.to_json();
  EXPECT_EQ(json["mode"], "upstream");
  EXPECT_EQ(json["files_hash"], corpora.hash);
  EXPECT_EQ(json["files"].dump(), "[{\"role\":\"squad\",\"sha256\":\"" + std::string(64, 'f') + "\"}]")
      << "where a file lies changes nothing";
  EXPECT_EQ(summarize(plan, {record_of("a", 512, 0, 1)}).remarks,
            (std::vector<std::string>{"Samples in mode upstream.",
                                      "Made from the user's files: squad (sha256 ffffffffffffffff)."}));
  const tasks::SampleRequest request = plan.request(plan.cells[0], 3);
  EXPECT_EQ(request.length, 512);
  EXPECT_EQ(request.index, 3);
  EXPECT_EQ(request.mode, tasks::Mode::kUpstream);
  EXPECT_EQ(request.corpora, &corpora);
  EXPECT_EQ(plan.longest(), 512);
  plan.cells[0].most_tokens = 700;
  EXPECT_EQ(plan.longest(), 700) << "a benchmark's lengths may count something else than the prompt";
}

// The keys that lm-eval's make_table reads: results[task]["metric,filter"], "metric_stderr,filter", versions, n-shot, alias.
TEST(Report, SummaryHasTheKeysOfLmEval) {
  const FakeTask a("a"), b("b");
  RunPlan plan;
  plan.model_name = "fake";
  plan.model = fake_config();
  plan.cells = {{&a, 512, {0, 1}}, {&b, 512, {0}}};
  const std::vector<SampleRecord> records = {record_of("a", 512, 0, 1), record_of("a", 512, 1, 0),
                                             record_of("b", 512, 0, 1)};
  const auto json = summary_json(plan, summarize(plan, records), {{"cpu", "some"}});
  EXPECT_EQ(json["results"]["a"]["512,none"], 0.5);
  EXPECT_EQ(json["results"]["a"]["512_stderr,none"], 0.5);
  EXPECT_EQ(json["results"]["b"]["512_stderr,none"], "N/A");
  EXPECT_EQ(json["results"]["a"]["alias"], "a");
  EXPECT_EQ(json["groups"]["fakes"]["512,none"], 0.75);
  EXPECT_EQ(json["group_subtasks"]["fakes"], (nlohmann::ordered_json{"a", "b"}));
  EXPECT_EQ(json["n-shot"]["a"], 0);
  EXPECT_EQ(json["versions"]["a"], tasks::kSamplesVersion);
  EXPECT_EQ(json["higher_is_better"]["a"]["512"], true);
  EXPECT_EQ(json["n-samples"]["a"]["512"]["effective"], 2);
  EXPECT_EQ(json["sala"]["provenance"]["cpu"], "some");
  EXPECT_EQ(json["sala"]["cells"][0]["interval"].size(), 2u);
}

}  // namespace
}  // namespace sala::eval
