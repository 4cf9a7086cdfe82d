// The room eval/study: statistics, comparisons, HALO's choice, the paper's tables, the cost model.
#include <fmt/ranges.h>
#include <gtest/gtest.h>

#include <cmath>

#include "eval/spec/model_entry.h"
#include "eval/spec/record.h"
#include "eval/study/compare.h"
#include "eval/study/family_scores.h"
#include "eval/study/halo.h"
#include "eval/study/paper_figures.h"
#include "eval/study/paper_tables.h"
#include "eval/study/statistics.h"
#include "eval/util/csv.h"
#include "eval/util/files.h"
#include "eval/util/process.h"
#include "sala/core/rng.h"
#include "tests/sim/model/small_model.h"

namespace sala::eval {
namespace {

CsvTable published(const std::string& name) {
  return read_csv(std::string(SALA_SOURCE_DIR "/configs/paper/") + name + ".csv");
}

TEST(Csv, ReadsWhatRfc4180Writes) {
  const TemporaryFolder folder;
  const std::string path = folder.file("t.csv");
  write_atomically(path, "a,b\r\n1,\"x, \"\"y\"\"\n2\"\n\n3,\n");
  const CsvTable table = read_csv(path);
  ASSERT_EQ(table.rows.size(), 2u);
  EXPECT_EQ(table.of(table.rows[0], "b"), "x, \"y\"\n2");
  EXPECT_EQ(table.number(table.rows[1], "a"), 3);
  expect_error(ErrorCode::kFormat, {"no column 'c'"}, [&] { (void)table.of(table.rows[0], "c"); });
  expect_error(ErrorCode::kFormat, {"'' in column 'b' is no number"}, [&] { (void)table.number(table.rows[1], "b"); });
  for (const auto& [text, part] :
       {std::pair{"", "is empty"}, {"a,b\n1\n", "row 1 has 1 fields, the header 2"}, {"a\n\"x", "never closed"}}) {
    write_atomically(path, text);
    expect_error(ErrorCode::kFormat, {part}, [&] { (void)read_csv(path); });
  }
}

TEST(Process, ReadsWhatAProgramPrintsAndNamesOneThatIsMissing) {
  EXPECT_EQ(output_of({"printf", "%s", "a b"}, 3), "a b");
  expect_error(ErrorCode::kIo, {"printf prints more than"}, [] { (void)output_of({"printf", "%s", "a b"}, 2); });
  expect_error(ErrorCode::kUnsupported, {"no program no-such-program"}, [] { (void)output_of({"no-such-program"}, 1); });
  expect_error(ErrorCode::kIo, {"false failed"}, [] { (void)output_of({"false"}, 1); });
}

TEST(SignTest, HasTheBinomialValues) {
  EXPECT_EQ(sign_test(0, 0), 1);
  EXPECT_NEAR(sign_test(5, 0), 2.0 / 32, 1e-12);
  EXPECT_NEAR(sign_test(1, 7), 18.0 / 256, 1e-12);
  EXPECT_NEAR(sign_test(8, 2), sign_test(2, 8), 1e-15);
  EXPECT_EQ(sign_test(3, 3), 1);
}

// Newcombe (1998), table I, method 10 for 2x2 counts (e, f, g, h) of pairs.
std::pair<std::vector<double>, std::vector<double>> pairs(int both, int first, int second, int neither) {
  std::vector<double> a, b;
  for (int i = 0; i < both; ++i) a.push_back(1), b.push_back(1);
  for (int i = 0; i < first; ++i) a.push_back(1), b.push_back(0);
  for (int i = 0; i < second; ++i) a.push_back(0), b.push_back(1);
  for (int i = 0; i < neither; ++i) a.push_back(0), b.push_back(0);
  return {a, b};
}

TEST(PairedInterval, HasThePublishedValues) {
  const auto [a, b] = pairs(36, 12, 2, 0);
  const Interval known = paired_interval(a, b);
  EXPECT_NEAR(known.low, 0.0569, 5e-4);
  EXPECT_NEAR(known.high, 0.3404, 5e-4);
  const auto [c, d] = pairs(20, 0, 0, 0);  // it does not shrink to a point
  EXPECT_NEAR(paired_interval(c, d).low, -0.161, 1e-3);
  EXPECT_NEAR(paired_interval(c, d).high, 0.161, 1e-3);
  expect_error(ErrorCode::kInternal, {"1 and 0 scores"}, [] { (void)paired_interval(std::vector<double>{1}, {}); });
}

TEST(PairedInterval, CoversTheTruth) {
  Rng rng(3, "tests/paired");
  int inside = 0;
  constexpr int kTrials = 600;
  for (int trial = 0; trial < kTrials; ++trial) {
    std::vector<double> a, b;
    for (int i = 0; i < 20; ++i) {
      const bool shared = rng.uniform() < 0.6;
      a.push_back(shared || rng.uniform() < 0.75 ? 1 : 0);  // 0.9
      b.push_back(shared || rng.uniform() < 0.25 ? 1 : 0);  // 0.7
    }
    const Interval interval = paired_interval(a, b);
    inside += interval.low <= 0.2 && 0.2 <= interval.high ? 1 : 0;
  }
  EXPECT_GE(inside, 0.92 * kTrials);
}

TEST(RatioInterval, HoldsTheRatioAndRefusesADenominatorNearNothing) {
  const auto interval = ratio_interval(0.9, {0.85, 0.94}, 0.95, {0.9, 0.98});
  ASSERT_TRUE(interval);
  EXPECT_LT(interval->low, 0.9 / 0.95);
  EXPECT_GT(interval->high, 0.9 / 0.95);
  EXPECT_NEAR(interval->low, 0.89, 0.01);
  EXPECT_NEAR(interval->high, 1.015, 0.01);
  EXPECT_FALSE(ratio_interval(0.1, {0, 0.3}, 0.05, {0, 0.2}));
}

TEST(Bootstrap, DrawsTrainingsThenSamples) {
  EXPECT_FALSE(hierarchical_bootstrap({{{1.0}, {0.0}}}, {}));
  const Trainings same = {{{1, 1, 0, 1}, {0, 1, 0, 1}}};
  const auto alone = hierarchical_bootstrap(same, {});
  ASSERT_TRUE(alone);
  EXPECT_LT(alone->low, 0.625);
  EXPECT_GT(alone->high, 0.625);
  const Trainings apart = {{{1, 1}}, {{0, 0}}};  // no sample varies, trainings do
  const auto trainings = hierarchical_bootstrap(apart, {});
  EXPECT_EQ(trainings->low, 0);
  EXPECT_EQ(trainings->high, 1);
  EXPECT_EQ(hierarchical_bootstrap(same, {}, 42)->low, alone->low);
}

TEST(Bootstrap, NeverClaimsCertaintyWhereAllSamplesSaidTheSame) {
  const std::vector<double> ones(20, 1.0), zeros(20, 0.0);
  const auto right = hierarchical_bootstrap({{ones}}, {}), wrong = hierarchical_bootstrap({{zeros}}, {});
  const Interval wilson = wilson_interval(1, 20);
  EXPECT_NEAR(right->low, wilson.low, 0.02);  // 2,000 draws of the same bound
  EXPECT_EQ(right->high, 1);
  EXPECT_EQ(wrong->low, 0);
  EXPECT_NEAR(wrong->high, 1 - wilson.low, 0.02);
  const Trainings mixed = {{{1, 1, 0, 1}}};  // the same answers of both sides: no sample differs, the next one may
  for (const auto& paired : {hierarchical_bootstrap({{ones}}, {{ones}}), hierarchical_bootstrap(mixed, mixed)}) {
    EXPECT_LT(paired->low, -0.05);
    EXPECT_GT(paired->high, 0.05);
  }
  std::vector<double> one_wrong = ones;
  one_wrong[0] = 0;
  const auto joined = hierarchical_bootstrap({{ones, one_wrong}}, {}), alone = hierarchical_bootstrap({{one_wrong}}, {});
  EXPECT_LT(joined->low, (1 + alone->low) / 2);  // the task without a miss is no certainty either
}

TEST(RankAgreement, IsKendallsTau) {
  EXPECT_EQ(rank_agreement(std::vector<double>{1, 2, 3}, std::vector<double>{10, 20, 30}), 1);
  EXPECT_EQ(rank_agreement(std::vector<double>{1, 2, 3}, std::vector<double>{3, 2, 1}), -1);
  EXPECT_NEAR(rank_agreement(std::vector<double>{1, 2, 3, 4}, std::vector<double>{1, 3, 2, 4}), 4.0 / 6, 1e-12);
  EXPECT_TRUE(std::isnan(rank_agreement(std::vector<double>{1}, std::vector<double>{1})));
}

ScoredAnswers answers(const std::string& name, const std::vector<double>& scores, const std::string& task = "vt") {
  ScoredAnswers made;
  made.name = name;
  for (std::size_t i = 0; i < scores.size(); ++i) made.scores[{task, 4096, std::to_string(i)}] = scores[i];
  return made;
}

TEST(Compare, TakesTheSamplesThatBothHave) {
  ScoredAnswers a = answers("a", {1, 1, 0, 1}), b = answers("b", {0, 1, 0, 1});
  a.scores[{"vt", 8192, "0"}] = 1;
  b.scores[{"cwe", 4096, "0"}] = 1;
  const Comparison made = compare({a}, {b}, {});
  ASSERT_EQ(made.table.rows.size(), 1u);
  const nlohmann::ordered_json row = json_view(made.table)[0];
  EXPECT_EQ(row["n"], 4);
  EXPECT_EQ(row["A"], 75);
  EXPECT_EQ(row["A - B"], 25);
  EXPECT_EQ(row["better"], 1);
  EXPECT_EQ(row["worse"], 0);
  EXPECT_LT(row["95% interval"][0], 0);
  EXPECT_EQ(made.sentences.back(), "Left out: 2 samples that not all have.");
  expect_error(ErrorCode::kUsage, {"a and b share no sample"}, [&] { (void)compare({a}, {b}, {"qa_1"}); });
}

TEST(Compare, JoinsTasksAndTrainings) {
  ScoredAnswers a = answers("a", {1, 1}), b = answers("b", {0, 0});
  for (ScoredAnswers* side : {&a, &b}) side->scores.merge(answers("", {1, 1}, "cwe").scores);
  const Comparison made = compare({a, b}, {b}, {});
  const nlohmann::ordered_json mean = json_view(made.table)[2];
  EXPECT_EQ(mean["task"], "mean of 2 tasks");
  EXPECT_EQ(mean["A - B"], 25);            // half of the trainings, half of the tasks
  EXPECT_LT(mean["bootstrap 95%"][0], 0);  // both draws the second training, and two samples leave much open
  EXPECT_GT(mean["bootstrap 95%"][1], 50);
}

TEST(Compare, EqualScoresOfAnyNumberOfTrainingsAreTies) {
  const ScoredAnswers a = answers("a", {1, 1, 1});
  for (const std::size_t trainings : {2, 3, 6, 7, 9, 11, 13}) {
    const nlohmann::ordered_json row = json_view(compare(Side(trainings, a), {a}, {}).table)[0];
    EXPECT_EQ(row["better"], 0) << trainings;
    EXPECT_EQ(row["worse"], 0) << trainings;
  }
}

TEST(Compare, OneModelAloneHasItsIntervals) {
  ScoredAnswers a = answers("a", {1, 1}), b = answers("b", {0, 0});
  for (ScoredAnswers* side : {&a, &b}) side->scores.merge(answers("", {1, 1}, "cwe").scores);
  a.scores[{"vt", 8192, "0"}] = 1;
  const Comparison made = summarise({a, b}, {});
  ASSERT_EQ(made.table.rows.size(), 3u);
  const nlohmann::ordered_json mean = json_view(made.table)[2];
  EXPECT_EQ(mean["task"], "mean of 2 tasks");
  EXPECT_EQ(mean["score"], 75);
  EXPECT_LT(mean["bootstrap 95%"][0], 50);  // both draws the second training, and two samples leave much open
  EXPECT_EQ(mean["bootstrap 95%"][1], 100);
  EXPECT_EQ(made.sentences.back(), "Left out: 1 sample that not all have.");
}

TEST(Answers, OfARunOfAFileAndOfTheFamily) {
  const TemporaryFolder folder;
  const std::string line = R"({"id":"ruler/vt@4096#0!42","task":"vt","length":4096,"index":0,"score":0.5})";
  write_atomically(folder.file("samples.jsonl"), line + "\n{\"id\":\"tor");
  const std::string path = folder.file("");
  EXPECT_EQ(read_answers(path).scores.size(), 1u);
  EXPECT_EQ(read_answers(folder.file("samples.jsonl")).scores.begin()->second, 0.5);
  write_atomically(folder.file("samples.jsonl"), "no JSON\n" + line + "\n");
  expect_error(ErrorCode::kFormat, {"line 1 is no JSON"}, [&] { (void)read_answers(path); });
  write_atomically(folder.file("samples.jsonl"), R"({"task":"vt","length":4096,"index":0,"score":2})"
                                                 "\n");
  expect_error(ErrorCode::kFormat, {"line 1: field 'score' is 2, expected 0 to 1"}, [&] { (void)read_answers(path); });
  expect_error(ErrorCode::kIo, {"there is no nowhere"}, [] { (void)read_answers("nowhere"); });
  expect_error(ErrorCode::kUsage, {"holds no samples.jsonl"}, [] { (void)read_answers(SALA_SOURCE_DIR "/configs"); });

  write_atomically(folder.file("samples.jsonl"), sealed(line) + "\n");
  EXPECT_EQ(read_answers(path).scores.begin()->second, 0.5);
  std::string changed = sealed(line);
  changed.replace(changed.find("0.5"), 3, "0.7");
  write_atomically(folder.file("samples.jsonl"), changed + "\n");
  expect_error(ErrorCode::kFormat, {"line 1: the line is damaged"}, [&] { (void)read_answers(path); });
  write_atomically(folder.file("samples.jsonl"), line + "\n");
  write_atomically(folder.file("run.json"), "{}");  // a run's own journal has a checksum on every line
  expect_error(ErrorCode::kFormat, {"line 1: the line has no checksum"}, [&] { (void)read_answers(path); });

  write_atomically(folder.file("many.jsonl"), R"({"run":"sala-tiny-4k","id":"a","task":"vt","length":4096,"score":1})"
                                              "\n"
                                              R"({"run":"sala-tiny-8k","id":"b","task":"vt","length":8192,"score":0})"
                                              "\n"
                                              R"({"run":"sala-tiny-oracle-8k","id":"b","task":"vt","length":8192,"score":1})"
                                              "\n");
  const ScoredAnswers family = read_answers(folder.file("many.jsonl") + ":sala-tiny");
  EXPECT_EQ(family.name, "sala-tiny");
  EXPECT_EQ(family.scores.size(), 2u);
  EXPECT_EQ(family.scores.rbegin()->second, 0);  // not the oracle's
  expect_error(ErrorCode::kUsage, {"no run 'sala-tyni'", "near it: sala-tiny-4k"},
               [&] { (void)read_answers(folder.file("many.jsonl") + ":sala-tyni"); });
}

std::vector<int64_t> kept(const HaloModel& model) {
  std::vector<int64_t> layers;
  for (const HaloLayer& layer : model.layers)
    if (layer.kept) layers.push_back(layer.layer);
  return layers;
}

TEST(Halo, ThePublishedSweepsGiveThePublishedChoices) {
  using Layers = std::vector<int64_t>;
  const CsvTable table = published("halo_layer_sweep");
  const std::vector<std::pair<HaloRule, std::vector<Layers>>> known = {
      {HaloRule::kRatio, {{2, 3, 6, 8, 9, 21, 25}, {0, 1, 7, 14, 15, 22, 24, 33, 34}, {1, 2, 4, 6, 7, 10, 24, 33, 34}}},
      {HaloRule::kRecall,
       {{0, 6, 9, 11, 19, 21, 25}, {0, 7, 14, 15, 21, 22, 24, 33, 34}, {0, 2, 7, 13, 15, 22, 24, 26, 33}}}};
  for (const auto& [rule, choices] : known) {
    std::vector<HaloModel> models = read_halo_sweep(table);
    ASSERT_EQ(models.size(), 3u);
    for (std::size_t i = 0; i < models.size(); ++i) {
      select_layers(models[i], rule, 0);
      EXPECT_EQ(kept(models[i]), choices[i]) << models[i].name;
    }
  }
  HaloModel first = read_halo_sweep(table)[0];
  select_layers(first, HaloRule::kRatio, 0);
  for (const auto& row : table.rows)  // the released tool's own scores
    if (table.of(row, "model") == first.name && table.of(row, "metric") == "halo_score") {
      const HaloLayer& layer = first.layers[static_cast<std::size_t>(std::stoll(table.of(row, "layer")))];
      EXPECT_NEAR(layer.score, table.number(row, "value"), 1e-4) << layer.layer;
    }
}

TEST(Halo, DamagedSweepsAreRefused) {
  CsvTable table{"x.csv", {"model", "layer", "metric", "value"}, {{"m", "0", "retrieval_avg", "0.5"}}};
  expect_error(ErrorCode::kFormat, {"layer 0 of m has no commonsense"}, [&] { (void)read_halo_sweep(table); });
  table.rows = {{"m", "1", "retrieval_avg", "0.5"}, {"m", "1", "commonsense_avg", "0.5"}};
  expect_error(ErrorCode::kFormat, {"m has no layer 0"}, [&] { (void)read_halo_sweep(table); });
  table.rows[0][1] = table.rows[1][1] = "first";
  expect_error(ErrorCode::kFormat, {"layer 'first'"}, [&] { (void)read_halo_sweep(table); });
  table.rows[0][1] = table.rows[1][1] = "0";
  HaloModel model = read_halo_sweep(table)[0];
  expect_error(ErrorCode::kUsage, {"m has 1 layers, 2 of them"}, [&] { select_layers(model, HaloRule::kRatio, 2); });
  expect_error(ErrorCode::kUsage, {"the sweep of m has none"}, [&] { select_layers(model, HaloRule::kRecall, 1); });
}

TEST(Halo, AConvertedMemberHasASweepOfItsOwn) {
  const TemporaryFolder folder;
  const std::string path = folder.file("halo.json");
  write_atomically(path, R"({"original": [0.9, 0.8], "replaced": [[0.5, 0.7], [0.9, 0.1], [0.7, 0.6], [0.6, 0.65]],
                             "scores": [1, 2, 3, 4], "kept": [0, 1, 3]})");
  HaloModel model = read_halo_conversion(path);
  ASSERT_EQ(model.layers.size(), 4u);
  EXPECT_EQ(model.original_recall, 0.8);
  EXPECT_EQ(model.layers[1].commonsense, 0.9);
  EXPECT_EQ(model.layers[1].recall, 0.1);
  EXPECT_TRUE(model.layers[3].shipped);
  select_layers(model, HaloRule::kRatio, 1);
  EXPECT_EQ(kept(model), std::vector<int64_t>{1});
  select_layers(model, HaloRule::kRatio, 3, true);
  EXPECT_EQ(kept(model), (std::vector<int64_t>{0, 1, 3}));
  expect_error(ErrorCode::kUsage, {"the first and the last layer"},
               [&] { select_layers(model, HaloRule::kRatio, 1, true); });
  for (const auto& [text, part] : {std::pair{"[", "is no JSON"},
                                   {"{}", "'original'"},
                                   {R"({"original": [1, 1], "replaced": [[1]], "kept": []})", "no pair"},
                                   {R"({"original": [1, 1], "replaced": [[1, 1]], "kept": [1]})", "there are 1 layers"}}) {
    write_atomically(path, text);
    expect_error(ErrorCode::kFormat, {"halo.json", part}, [&] { (void)read_halo_conversion(path); });
  }
}

CsvTable family_table() {
  CsvTable table{
      "f.csv", {"member", "seed", "changes", "task", "length", "n", "score", "low", "high", "trained_length"}, {}};
  for (const tasks::Task* task : tasks::resolve_tasks("ruler"))
    for (const auto& [length, score] : {std::pair{"2048", "0.9"}, {"8192", "0.8"}, {"32768", "0.6"}})
      table.rows.push_back({"sala-tiny", "1", "", std::string(task->name()), length, "20", score, "0.5", "0.95", "8192"});
  table.rows.push_back({"sala-tiny", "2", "", "vt", "8192", "99", "0", "0", "0", "8192"});               // another training
  table.rows.push_back({"sala-tiny", "1", "select=oracle", "vt", "8192", "99", "0", "0", "0", "8192"});  // another policy
  table.rows.push_back({"full-tiny", "1", R"(rope_scaling={"rope_type":"yarn","factor":4.0} (was null))", "vt", "8192", "2",
                        "0.5", "0.1", "0.9", "8192"});
  return table;
}

TEST(FamilyScores, AreThoseOfTheModelsAsTrainedAndOfYarn) {
  const FamilyScores scores({family_table()}, "tiny");
  EXPECT_EQ(scores.members(), (std::vector<std::string>{"sala-tiny", "full-tiny, YaRN 4"}));
  EXPECT_NEAR(scores.measure("sala-tiny", {"vt"}, 8192)->score, 0.8, 1e-12);
  EXPECT_FALSE(scores.measure("sala-tiny", {"vt", "nolima"}, 8192));
  expect_error(ErrorCode::kUsage, {"no table has scores of sala-huge"},
               [] { (void)FamilyScores({family_table()}, "huge"); });
  CsvTable sweep = read_csv(SALA_SOURCE_DIR "/tests/data/sweep/cells.csv");
  const FamilyScores swept({sweep}, "tiny");
  EXPECT_EQ(swept.members().front(), "sala-tiny");
  EXPECT_EQ(swept.training_length("sala-tiny"), 8192);
}

TEST(FamilyScores, AddsSeedsOfSamplesUpAndRefusesRowsThatItCannotTellApart) {
  CsvTable sweep{"s.csv",
                 {"model", "training_length", "switches", "task", "length", "seed", "n", "score", "low", "high", "numerics"},
                 {{"sala-tiny", "8192", "", "vt", "4096", "42", "10", "1", "0.7", "1", "fp32"},
                  {"sala-tiny", "8192", "", "vt", "4096", "43", "30", "0", "0", "0.1", "fp32"}}};
  const Measure both = FamilyScores({sweep}, "tiny").measure("sala-tiny", {"vt"}, 4096).value();
  EXPECT_EQ(both.most, 40);
  EXPECT_NEAR(both.score, 0.25, 1e-12);
  EXPECT_NEAR(both.interval.low, wilson_interval(0.25, 40).low, 1e-12);
  sweep.rows[1].back() = "bf16";
  expect_error(ErrorCode::kUsage, {"s.csv has two rows of sala-tiny, vt at 4096: 'numerics fp32' and 'numerics bf16'"},
               [&] { (void)FamilyScores({sweep}, "tiny"); });
  sweep.rows[1] = sweep.rows[0];
  expect_error(ErrorCode::kUsage, {"nothing tells them apart"}, [&] { (void)FamilyScores({sweep}, "tiny"); });
}

TEST(PaperTables, SayWhoseANumberIsAndCompareRetention) {
  const PaperTable made = paper_scores(published("table4"), published("table4"), FamilyScores({family_table()}, "tiny"));
  bool paper = false, ours = false;
  for (const nlohmann::ordered_json& row : json_view(made.table)) {
    if (row["source"] == "paper" && row["model"] == "MiniCPM-SALA-9B" && row["length"] == "2048K") {
      paper = true;
      EXPECT_EQ(row["score"], 81.6);
      EXPECT_NEAR(row["% of trained"], 100 * 81.6 / 87.1, 1e-9);
    }
    if (row["source"] == "ours" && row["model"] == "sala-tiny" && row["length"] == "32k") {
      ours = true;
      EXPECT_EQ(row["alignment"], "same multiple");
      EXPECT_NEAR(row["score"], 60, 1e-9);
      EXPECT_NEAR(row["less the paper's %"], 100 * (0.75 - 81.6 / 87.1), 1e-9);
      EXPECT_LT(row["95% of that"][0], row["less the paper's %"]);
      EXPECT_GT(row["95% of that"][1], row["less the paper's %"]);
    }
    if (row["source"] == "ours") {
      EXPECT_EQ(row["model"].get<std::string>().find("MiniCPM"), std::string::npos);
    }
  }
  EXPECT_TRUE(paper && ours);
  const auto said = [&](const std::string& part) {
    return std::any_of(made.sentences.begin(), made.sentences.end(),
                       [&](const auto& each) { return each.find(part) != std::string::npos; });
  };
  EXPECT_TRUE(said("RULER, same multiple: 1.00 of 3 settings"));
  EXPECT_TRUE(said("Not there, since not all of their tasks were run: RULER at 1000k (2 of 2 members)"));
}

// One benchmark goes up with length where the paper's goes down; the other agrees.
TEST(PaperTables, RankAgreementIsThatOfOneBenchmarkAndOneAlignment) {
  CsvTable ours = family_table();
  for (const auto& [length, score] :
       {std::pair{"512", "0.9"}, {"1024", "0.8"}, {"2048", "0.7"}, {"32768", "0.1"}, {"65536", "0.2"}})
    ours.rows.push_back({"sala-tiny", "1", "", "nolima", length, "20", score, "0.05", "0.95", "8192"});
  const PaperTable made = paper_scores(published("table3"), published("table4"), FamilyScores({ours}, "tiny"));
  const std::string said = fmt::format("{}", fmt::join(made.sentences, " "));
  EXPECT_NE(said.find("NoLiMa, same multiple: 1.00 of 3 settings"), std::string::npos) << said;
  EXPECT_NE(said.find("NoLiMa, same length: -1.00 of 2 settings"), std::string::npos) << said;
}

TEST(PaperTables, OnlyRowsOfTheSameMultipleAreSetAgainstThePaper) {
  const PaperTable made = paper_scores(published("table4"), published("table4"),
                                       FamilyScores({read_csv(SALA_SOURCE_DIR "/results/family/headline.csv")}, "tiny"));
  int multiples = 0, lengths = 0;
  for (const nlohmann::ordered_json& row : json_view(made.table)) {
    multiples += row["alignment"] == "same multiple" && row["less the paper's %"].is_number() ? 1 : 0;
    if (row["alignment"] != "same length") continue;
    ++lengths;
    EXPECT_FALSE(row["less the paper's %"].is_number()) << row;
    EXPECT_TRUE(row["% of trained"].is_number()) << row;
  }
  EXPECT_GT(multiples, 1);
  EXPECT_GT(lengths, 0);
}

TEST(PaperTables, TheThirdHasItsBenchmarks) {
  const PaperTable made = paper_scores(published("table3"), published("table4"),
                                       FamilyScores({read_csv(SALA_SOURCE_DIR "/results/family/headline.csv")}, "tiny"));
  std::map<std::string, int> rows;
  for (const nlohmann::ordered_json& row : json_view(made.table))
    rows[row["source"].get<std::string>() + " " + row["benchmark"].get<std::string>()] += 1;
  EXPECT_EQ(rows["paper RULER"], 2 * 5);
  EXPECT_EQ(rows["paper MRCR"], 6 * 5);
  EXPECT_GT(rows["ours RULER"], 0);
  EXPECT_GT(rows["ours NoLiMa"], 0);
}

TEST(PaperTables, TheFirstTwoAreShownAsPublished) {
  for (const int number : {1, 2}) {
    const CsvTable table = published("table" + std::to_string(number));
    const PaperTable made = paper_as_published(table, number);
    EXPECT_EQ(made.table.rows.size(), table.rows.size());
    EXPECT_NE(made.sentences[1].find("Not simulated"), std::string::npos);
  }
}

TEST(CostModel, PredictsTheFiguresCellsThatItHasNotSeen) {
  for (const auto& [figure, device] : {std::pair{"fig2", "a6000d"}, {"fig3", "rtx5090"}}) {
    const DeviceRates shipped = read_device(std::string(SALA_SOURCE_DIR "/configs/devices/") + device + ".toml");
    const FigureFit fit = fit_figure(published(figure), shipped);
    EXPECT_LE(fit.median_held_out, 0.15) << figure;
    EXPECT_EQ(fit.memory_right, fit.cells) << figure;
    EXPECT_EQ(fit.cells, 40) << figure;
    EXPECT_GT(fit.ran_out, 5) << figure;
    for (const auto rate : {&DeviceRates::dense, &DeviceRates::selection, &DeviceRates::sparse, &DeviceRates::bandwidth})
      EXPECT_NEAR(shipped.*rate / (fit.device.*rate), 1, 0.02) << figure;
  }
}

TEST(CostModel, MemoryAndBytesAreThoseOfSpecNine) {
  const ModelConfig sala = released_config(), qwen3 = qwen3_8b_config();
  EXPECT_EQ(weight_bytes(sala, WeightFormat::kBf16), 18954407936.0);
  EXPECT_NEAR(weight_bytes(qwen3, WeightFormat::kBf16) / 16.38e9, 1, 1e-3);
  EXPECT_NEAR(weight_bytes(sala, WeightFormat::kInt4) / 6.6e9, 1, 0.01);
  EXPECT_NEAR(cache_bytes(qwen3, 65536), 147456.0 * 65536, 1);
  EXPECT_NEAR((weight_bytes(sala, WeightFormat::kBf16) + cache_bytes(sala, 1048576)) / 27.93e9, 1, 5e-3);
  EXPECT_NEAR(decode_bytes(sala, WeightFormat::kBf16, 131072) / 18.55e9, 1, 5e-3);
  EXPECT_NEAR(decode_bytes(qwen3, WeightFormat::kBf16, 131072) / 34.46e9, 1, 5e-3);
}

TEST(CostModel, DevicesThatMakeNoSenseAreRefused) {
  for (const char* name : {"a6000d", "rtx5090", "h100", "h200"})
    EXPECT_GT(read_device(std::string(SALA_SOURCE_DIR "/configs/devices/") + name + ".toml").bandwidth, 0) << name;
  const TemporaryFolder folder;
  write_atomically(folder.file("d.toml"), "name = \"x\"\nmemory_gb = 0\n");
  expect_error(ErrorCode::kFormat, {"'memory_gb' is missing or not above 0"},
               [&] { (void)read_device(folder.file("d.toml")); });
  DeviceRates device;
  expect_error(ErrorCode::kUsage, {"do not determine"}, [&] { calibrate(device, {}); });
}

}  // namespace
}  // namespace sala::eval
