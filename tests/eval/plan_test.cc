#include "eval/spec/plan.h"

#include <gtest/gtest.h>

#include "eval/run/memory.h"
#include "eval/run/progress.h"
#include "eval/run/time_left.h"
#include "eval/spec/plan_file.h"
#include "eval/spec/provenance.h"
#include "eval/util/columns.h"
#include "eval/util/terminal.h"
#include "sim/mixers/infllm_v2/fields.h"
#include "sim/text/near.h"
#include "tests/eval/fakes.h"
#include "tests/sim/model/small_model.h"

namespace sala::eval {
namespace {

TEST(Plan, IndexListsComeBack) {
  EXPECT_EQ(parse_indexes("7,0-3,2"), (std::vector<int64_t>{0, 1, 2, 3, 7}));
  EXPECT_EQ(format_indexes({0, 1, 2, 3, 7}), "0-3,7");
  EXPECT_EQ(format_indexes({}), "");
  EXPECT_EQ(format_indexes(parse_indexes("5")), "5");
  for (const char* wrong : {"", "a", "3-1", "-1", "1,", "1-", "nan", "0-99999999999", "1 2", "99999999999999999999"})
    expect_error(ErrorCode::kUsage, {"--sample"}, [&] { parse_indexes(wrong); });
}

TEST(Plan, FewerSamplesForLongerPrompts) {
  EXPECT_EQ(default_samples(8192), 20);
  EXPECT_EQ(default_samples(8193), 10);
  EXPECT_EQ(default_samples(131072), 5);
  EXPECT_EQ(default_samples(524288), 2);
  EXPECT_EQ(default_samples(2097152), 1);
}

TEST(Plan, ASessionHoldsTheLongestCellAndThePrefix) {
  const FakeTask task;
  EXPECT_EQ(fake_plan(task).longest(), 513);
  EXPECT_EQ(fake_plan(task).sample_count(), 9);
}

TEST(Plan, WhatChangedIsNamedOnResume) {
  const FakeTask task;
  const RunPlan saved = fake_plan(task);
  check_goes_on(saved.to_json(), saved.to_json(), "DIR");
  const auto refused = [&](const std::string& field, const auto& change) {
    RunPlan now = fake_plan(task);
    change(now);
    expect_error(ErrorCode::kConfig, {"'" + field, "DIR"}, [&] { check_goes_on(now.to_json(), saved.to_json(), "DIR"); });
  };
  refused("seed' is 43 now and was 42", [](RunPlan& plan) { plan.seed = 43; });
  refused("model'", [](RunPlan& plan) { plan.model_name = "other"; });
  refused("weights_hash'", [](RunPlan& plan) { plan.weights_hash = "1"; });
  refused("numerics' is \"bf16\" now", [](RunPlan& plan) { plan.numerics = Numerics::kBf16; });
  refused("probe'", [](RunPlan& plan) { plan.probe_answers = false; });
  refused("cells.fake@256' is \"0-4\"", [](RunPlan& plan) { plan.cells[0].samples.pop_back(); });
  refused("cells.fake@256' is \"1-7\"", [](RunPlan& plan) { plan.cells[0].samples = {1, 2, 3, 4, 5, 6, 7}; });
  refused("cells.fake@512' is absent", [](RunPlan& plan) { plan.cells.pop_back(); });
  refused("model_config.sparse_config.topk' is 8",
          [](RunPlan& plan) { plan.model.own<InfLlmV2Fields>().sparse_config.topk = 8; });
  refused("tokenizer_hash'", [](RunPlan& plan) { plan.tokenizer_hash = "x"; });
}

TEST(Plan, ARunGoesOnInAnotherNumericsClassOnlyWhenThatWasAskedFor) {
  const FakeTask task;
  const RunPlan saved = fake_plan(task);
  RunPlan now = saved;
  now.device = "cuda";
  expect_error(ErrorCode::kConfig, {"'numerics' is \"cuda-fp32\" now and was \"fp32\"", "--other-numerics"},
               [&] { check_goes_on(now.to_json(), saved.to_json(), "DIR"); });
  now.numerics_before = "fp32";
  EXPECT_EQ(now.numerics_text(), "fp32, then cuda-fp32");
  check_goes_on(now.to_json(), saved.to_json(), "DIR");
  RunPlan again = now;
  again.numerics_before = now.numerics_text();
  EXPECT_EQ(again.to_json(), now.to_json()) << "the same class once more";
  again.device = "cpu";
  EXPECT_EQ(again.numerics_text(), "fp32, then cuda-fp32, then fp32");
  check_goes_on(again.to_json(), now.to_json(), "DIR");
  again.seed = 43;
  expect_error(ErrorCode::kConfig, {"'seed'"}, [&] { check_goes_on(again.to_json(), now.to_json(), "DIR"); });
}

TEST(Plan, ARunMayGrow) {
  const FakeTask task;
  const RunPlan saved = fake_plan(task);
  RunPlan more = saved;
  more.cells[0].samples.push_back(6);
  more.cells[1].samples = {0, 2, 3, 5, 40};
  more.cells.insert(more.cells.begin(), {&task, 128, {0, 1}});
  check_goes_on(more.to_json(), saved.to_json(), "DIR");
  EXPECT_EQ(planned_samples(more.to_json()), 14);
  more.seed = 43;
  expect_error(ErrorCode::kConfig, {"'seed'", "the same"}, [&] { check_goes_on(more.to_json(), saved.to_json(), "DIR"); });
}

TEST(Memory, SizesAreRead) {
  EXPECT_EQ(parse_bytes("4096"), 4096);
  EXPECT_EQ(parse_bytes("16g"), int64_t{16} << 30);
  EXPECT_EQ(parse_bytes("1.5GiB"), int64_t{3} << 29);
  EXPECT_EQ(parse_bytes("512MB"), int64_t{512} << 20);
  for (const char* wrong : {"", "g", "nan", "inf", "-1g", "0", "1x", "1gg", "1e300g"})
    expect_error(ErrorCode::kUsage, {"size"}, [&] { parse_bytes(wrong); });
  EXPECT_EQ(format_bytes(999), "999 B");
  EXPECT_EQ(format_bytes(int64_t{3} << 29), "1.50 GiB");
  EXPECT_GT(usable_memory().bytes, int64_t{64} << 20);
}

TEST(Memory, WhatDoesNotFitIsRefusedWithTheNumbersAndTheWayOut) {
  const ModelConfig config = fake_config();
  SessionOptions options;
  options.max_tokens = 1 << 20;
  const MemoryPlan plan = Session::plan(config, options);
  const int64_t needed = plan.total_bytes() + 1000;
  check_memory(plan, 1000, {needed, "--mem leaves"}, config, options);
  expect_error(ErrorCode::kMemory, {"kv cache", "--mem leaves", "at most --len"}, [&] {
    check_memory(plan, 1000, {needed - 1, "--mem leaves"}, config, options);
  });
  expect_error(ErrorCode::kMemory, {"this machine has 1.00 KiB", "smaller model"}, [&] {
    check_memory(plan, 1000, {1024, "this machine has"}, config, options);
  });
  EXPECT_LT(memory_within(int64_t{1} << 30).bytes, (int64_t{1} << 30) - (int64_t{20} << 20)) << "less the program itself";
  EXPECT_EQ(memory_within(1).bytes, 0);
}

TEST(Near, WhatIsFarIsNotOffered) {
  EXPECT_TRUE(text::near_matches("frobnicate", {"list", "run", "explain", "generate"}).empty());
  EXPECT_TRUE(text::near_matches("x", {"b", "a"}).empty());
  EXPECT_TRUE(text::near_matches("--foo", {"--len", "--out"}).empty()) << "dashes are in every flag";
  EXPECT_TRUE(text::near_matches(std::string(1000000, 'r'), {"run"}).empty());
  EXPECT_EQ(text::near_it("frobnicate", {"run"}), "");
  EXPECT_EQ(text::near_it("--smaples", {"--sample", "--samples", "--len"}), "; near it: --samples");
}

TEST(Near, BeginningsComeFirst) {
  EXPECT_EQ(text::near_matches("sla", {"full-tiny", "sala-tiny", "9b-shape"})[0], "sala-tiny");
  EXPECT_EQ(text::near_matches("rnu", {"list", "run", "explain"})[0], "run");
  EXPECT_EQ(text::near_matches("rin", {"run", "ran"}, 1), std::vector<std::string>{"ran"});
}

TEST(Provenance, CommandLinesAreQuoted) {
  EXPECT_EQ(shell_quoted({"sala_eval", "--len", "4k,8k", "--out", "my results", "it's", ""}),
            "sala_eval --len 4k,8k --out 'my results' 'it'\\''s' ''");
}

TEST(Progress, PlainLinesComeEveryTenSecondsAndAtTheEndOfACell) {
  const FakeTask task;
  const RunPlan plan = fake_plan(task, 2);
  const TemporaryFolder folder;
  double now = 100;
  std::FILE* out = std::fopen(folder.file("log").c_str(), "w");
  {
    Progress progress(
        out, false, false, plan, [](int64_t length) { return Work{static_cast<double>(length)}; }, [&] { return now; });
    progress.begin_sample(0, plan.cells[0], 1, 2);
    for (int second = 1; second <= 25; ++second) {
      now += 1;
      progress.prompt(0, 10 * second, 250);
    }
    progress.end_sample(0, 1, 256, 25);
    progress.begin_sample(0, plan.cells[0], 2, 2);
    now += 1;
    progress.end_sample(0, 0, 256, 1);
    progress.end_cell(plan.cells[0]);
  }
  std::fclose(out);
  // 2 x 256 and 3 x 512 tokens to do: after 100 of 250 tokens of the first sample, 1945.6 of 2048 units are left.
  EXPECT_EQ(read_bytes(folder.file("log")),
            "fake 256  sample 1/2  3 min left  reading  40%  10 tokens/s\n"
            "fake 256  sample 1/2  3 min left  reading  80%  10 tokens/s\n"
            "fake 256: 2 samples, score 50.0, 256 tokens/s, 78 s left\n");
}

// Scores are those of the cell, also where a part of it was done before.
TEST(Progress, ScoresCountWhatWasDoneBefore) {
  const FakeTask task;
  const RunPlan plan = fake_plan(task, 4);
  const TemporaryFolder folder;
  double now = 100;
  std::FILE* out = std::fopen(folder.file("log").c_str(), "w");
  {
    Progress progress(
        out, false, false, plan, [](int64_t length) { return Work{static_cast<double>(length)}; }, [&] { return now; });
    progress.skip(plan.cells[0], 1);
    progress.skip(plan.cells[0], 0.5);
    progress.begin_sample(0, plan.cells[0], 3, 4);
    now += 11;
    progress.prompt(0, 125, 250);
    progress.end_sample(0, 0, 256, 22);
    progress.begin_sample(0, plan.cells[0], 4, 4);
    progress.end_sample(0, 0, 256, 1);
    progress.end_cell(plan.cells[0]);
  }
  std::fclose(out);
  const std::string log = read_bytes(folder.file("log"));
  EXPECT_NE(log.find("sample 3/4"), std::string::npos) << log;
  EXPECT_NE(log.find("score 75.0\n"), std::string::npos) << log;
  EXPECT_NE(log.find("fake 256: 4 samples, score 37.5,"), std::string::npos) << log;
}

TEST(Progress, OnATerminalOneLineIsRewrittenAndQuietSaysNothing) {
  const FakeTask task;
  const RunPlan plan = fake_plan(task, 2);
  const TemporaryFolder folder;
  for (const bool quiet : {false, true}) {
    double now = 0;
    std::FILE* out = std::fopen(folder.file("log").c_str(), "w");
    {
      Progress progress(
          out, quiet, true, plan, [](int64_t length) { return Work{static_cast<double>(length)}; }, [&] { return now; });
      progress.begin_sample(0, plan.cells[0], 1, 2);
      now = 1;
      progress.prompt(0, 125, 250);
      progress.say("a note");
    }
    std::fclose(out);
    const std::string log = read_bytes(folder.file("log"));
    if (quiet) {
      EXPECT_EQ(log, "");
      continue;
    }
    EXPECT_NE(log.find("\r\033[Kfake 256  sample 1/2  15 s left  reading  50%  125 tokens/s"), std::string::npos) << log;
    EXPECT_NE(log.find("\r\033[Ka note\n"), std::string::npos) << log;
    EXPECT_EQ(log.back(), '\n') << "the live line is gone at the end";
  }
}

TEST(Progress, SamplesThatAreAnsweredAtOnceShareTheLine) {
  const FakeTask task;
  const RunPlan plan = fake_plan(task, 2);
  const TemporaryFolder folder;
  double now = 0;
  std::FILE* out = std::fopen(folder.file("log").c_str(), "w");
  {
    Progress progress(
        out, false, true, plan, [](int64_t length) { return Work{static_cast<double>(length)}; }, [&] { return now; });
    progress.begin_sample(0, plan.cells[0], 1, 2);
    progress.begin_sample(1, plan.cells[1], 1, 3);
    now = 0.1;
    progress.prompt(0, 50, 250);
    now = 2;
    progress.prompt(1, 250, 500);
    progress.end_sample(0, 1, 250, 2);
    now = 3;
    progress.token(1, 2);
  }
  std::fclose(out);
  const std::string log = read_bytes(folder.file("log"));
  EXPECT_NE(log.find("left  2 at once  reading  20%  150 tokens/s"), std::string::npos) << log;
  EXPECT_NE(log.find("left  answering, 2 tokens  84 tokens/s"), std::string::npos) << log;
}

TEST(Progress, SecondsAreReadable) {
  EXPECT_EQ(format_seconds(3.4), "3 s");
  EXPECT_EQ(format_seconds(600), "10 min");
  EXPECT_EQ(format_seconds(2.5 * 3600), "2 h 30 min");
  EXPECT_EQ(format_seconds(47 * 3600), "47 h 00 min");
  EXPECT_EQ(format_seconds(84 * 3600), "3.5 days");
}

// A million tokens: most operations grow with the length, those of selection with its square, and these are five times as
// slow.
TEST(TimeLeft, KindsOfWorkThatGrowWithTheSquareAreForeseen) {
  constexpr double kLinear = 0.8, kSquare = 0.2, kSlow = 5;
  const auto work = [](double share) { return Work{kLinear * share, kSquare * share * share}; };
  const auto seconds = [](double share) { return 1000 * (kLinear * share + kSlow * kSquare * share * share); };
  TimeLeft left(work(1));
  double most = 0;
  for (int step = 1; step <= 100; ++step) {
    left.observe(seconds(step / 100.0), work(step / 100.0));
    const double whole = seconds(step / 100.0) + left.seconds().value();
    most = std::max(most, whole);
    if (step < 10) continue;
    EXPECT_NEAR(whole, seconds(1), 0.1 * seconds(1)) << "after " << step << " %";
  }
  EXPECT_LT(most, 1.1 * seconds(1));
}

TEST(TimeLeft, OneSpeedNeedsNoLearning) {
  TimeLeft left({100, 50});
  EXPECT_FALSE(left.seconds().has_value());
  left.skip({50, 25});
  left.observe(10, {10, 5});
  EXPECT_DOUBLE_EQ(left.seconds().value(), 40);
  left.observe(50, {50, 25});
  EXPECT_EQ(left.seconds().value(), 0);
}

TEST(LiveLine, IsCutToTheTerminalAsItIsNow) {
  const TemporaryFolder folder;
  std::FILE* out = std::fopen(folder.file("log").c_str(), "w");
  int columns = 10;
  LiveLine line(out, [&] { return columns; });
  line.draw("0123456789abcdef");
  columns = 4;  // the terminal broke the nine columns into three lines
  line.draw("\u00e4\u00f6\u00fc\u00df");
  line.clear();
  line.clear();
  std::fclose(out);
  EXPECT_EQ(read_bytes(folder.file("log")),
            "\r\033[K012345678"
            "\r\033[K\033[A\r\033[K\033[A\r\033[K\u00e4\u00f6\u00fc"
            "\r\033[K");
}

TEST(LiveLine, WideCharactersTakeTwoColumns) {
  const TemporaryFolder folder;
  std::FILE* out = std::fopen(folder.file("log").c_str(), "w");
  int columns = 8;
  LiveLine line(out, [&] { return columns; });
  line.draw("\u6a21\u578b\u6a21\u578b");  // eight columns: one too many
  columns = 4;                            // the terminal broke its six columns into two lines
  line.draw("a\u0301\U0001F600b");        // a letter with an accent, a face, a letter
  line.clear();
  std::fclose(out);
  EXPECT_EQ(read_bytes(folder.file("log")),
            "\r\033[K\u6a21\u578b\u6a21"
            "\r\033[K\033[A\r\033[Ka\u0301\U0001F600"
            "\r\033[K");
  EXPECT_EQ(plain_table({{"\u6a21\u578b", "x"}, {"abcde", "y"}}), "\u6a21\u578b   x\nabcde  y\n");
}

}  // namespace
}  // namespace sala::eval
