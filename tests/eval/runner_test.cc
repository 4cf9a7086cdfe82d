// The runner and the files of a run, with a fake task and a fake subjects.
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <cmath>
#include <csignal>
#include <nlohmann/json.hpp>
#include <set>

#include "sala/core/rng.h"
#include "sim/mixers/infllm_v2/fields.h"
#include "tests/eval/run_fixture.h"

namespace sala::eval {
namespace {

class Runner : public RunTest {};

TEST_F(Runner, TheSubjectGetsThePrefixThePromptAndTheBudgetAndNothingElse) {
  RunDirectory directory = RunDirectory::begin(folder_.file("run"), plan_, "now");
  FakeSubjects subjects(1);
  run(directory, plan_, subjects);
  ASSERT_EQ(subjects.prompts.size(), 9u);
  const std::vector<int32_t>& prompt = subjects.prompts[3];
  EXPECT_EQ(prompt.size(), 1u + 256 - 8);
  EXPECT_EQ(prompt[0], 1);
  EXPECT_EQ(prompt[1], '3');
  EXPECT_EQ(prompt[3], '.');
  EXPECT_EQ(subjects.budgets[3], 8);
  EXPECT_EQ(subjects.selections[3].by, SelectBy::kLearned);
  EXPECT_TRUE(subjects.selections[3].spans.empty()) << "no evidence unless the user asks for a policy";
}

TEST_F(Runner, APolicyIsMadeOfTheEvidenceBehindThePrefix) {
  const auto selections = [&](SelectBy by, uint64_t seed) {
    RunPlan plan = plan_;
    plan.select = by;
    plan.seed = seed;
    plan.model.own<InfLlmV2Fields>().sparse_config.dense_len = 0;
    const std::string name = select_name(by) + std::to_string(seed);
    RunDirectory directory = RunDirectory::begin(folder_.file(name), plan, "now");
    FakeSubjects subjects(1);
    run(directory, plan, subjects);
    EXPECT_EQ(directory.records()[0].select, select_name(by));
    EXPECT_EQ(parse_line(to_line(directory.records()[0])).select, directory.records()[0].select);
    return subjects.selections;
  };
  for (const SelectBy by : {SelectBy::kOracle, SelectBy::kAdversary}) {
    const SelectionPolicy policy = selections(by, 42)[0];
    EXPECT_EQ(policy.by, by);
    ASSERT_EQ(policy.spans.size(), 2u);
    EXPECT_EQ(policy.spans[0].begin, 1);
    EXPECT_EQ(policy.spans[1].begin, 21);
    EXPECT_EQ(policy.spans[1].end, 51);
  }
  const auto random = selections(SelectBy::kRandom, 42), other = selections(SelectBy::kRandom, 43);
  std::set<uint64_t> seeds;
  for (const auto& policy : random) seeds.insert(policy.seed);
  EXPECT_TRUE(random[0].spans.empty());
  for (const auto& policy : other) seeds.insert(policy.seed);
  EXPECT_EQ(seeds.size(), random.size() + other.size()) << "one for each sample and seed";
  RunPlan dense = plan_;
  dense.select = SelectBy::kOracle;
  dense.model.own<InfLlmV2Fields>().sparse_config.dense_len = 250;  // one prompt of 256 - 8 tokens and BOS is shorter
  RunDirectory directory = RunDirectory::begin(folder_.file("dense"), dense, "now");
  FakeSubjects subjects(1);
  expect_error(ErrorCode::kUsage, {"--select oracle", "shorter than 250 tokens dense"},
               [&] { run(directory, dense, subjects); });
  EXPECT_EQ(subjects.calls, 0);
  tasks::Sample bare;
  bare.id = "bare";
  expect_error(ErrorCode::kUnsupported, {"--select oracle", "'bare'"}, [&] { policy_for(SelectBy::kOracle, bare, 1, 42); });
}

TEST_F(Runner, ScoresAreThoseOfTheAnswers) {
  RunDirectory directory = RunDirectory::begin(folder_.file("run"), plan_, "now");
  FakeSubjects subjects(1);
  run(directory, plan_, subjects);
  const RunResults results = summarize(plan_, directory.records());
  EXPECT_EQ(results.cells[0].score, 0.5);  // 0, 2, 4 right and 1, 3, 5 wrong
  EXPECT_DOUBLE_EQ(results.cells[1].score, 2.0 / 3);
  EXPECT_EQ(directory.records()[2].answer, "2");
  EXPECT_EQ(directory.records()[1].answer, "?");
  EXPECT_EQ(directory.records()[0].diagnostics[0].second, 1);
  EXPECT_EQ(directory.records()[8].id, "fakes/fake@512#40!42");
  EXPECT_TRUE(results.cells[0].figure("recall").has_value());
}

TEST_F(Runner, RunFileHoldsEverySample) {
  const h5::File file = open_run_file(whole_run("run", plan_));
  EXPECT_EQ(nlohmann::ordered_json::parse(file.text("config")), plan_.to_json());
  const h5::Group cell = file.open("cells/fake/512");
  EXPECT_EQ(cell.read_array<int64_t>("sample_index"), (std::vector<int64_t>{2, 5, 40}));
  EXPECT_EQ(cell.read_array<double>("score"), (std::vector<double>{1, 0, 1}));
  EXPECT_EQ(cell.read_texts("answer"), (std::vector<std::string>{"2", "?", "40"}));
  EXPECT_EQ(cell.read_texts("expected"), (std::vector<std::string>{"2", "5", "40"}));
  EXPECT_EQ(cell.read_array<int32_t>("answer_ids"), (std::vector<int32_t>{'2', -1, '?', -1, '4', '0'}));
  EXPECT_EQ(cell.read_array<int64_t>("prompt_tokens"), (std::vector<int64_t>{504, 504, 504}));
  EXPECT_EQ(cell.read_array<int64_t>("effective_tokens"), (std::vector<int64_t>{512, 512, 512}));
  EXPECT_EQ(cell.read_array<uint8_t>("stopped"), (std::vector<uint8_t>{1, 1, 1}));
  std::vector<int64_t> shape;
  EXPECT_EQ(cell.read_array<int64_t>("evidence_tokens", &shape)[3], 50);
  EXPECT_EQ(shape, (std::vector<int64_t>{3, 2, 2}));
  EXPECT_EQ(cell.read_array<double>("diagnostics/answer_bytes"), (std::vector<double>{1, 1, 2}));
  EXPECT_EQ(cell.integer("samples_planned"), 3);
  EXPECT_DOUBLE_EQ(cell.number("score"), 2.0 / 3);
  EXPECT_EQ(file.open("provenance/timing/fake/512").read_array<double>("prefill_seconds"),
            (std::vector<double>{.5, .5, .5}));
}

TEST_F(Runner, SelectionIsPaddedToTheLongestAnswer) {
  const h5::File file = open_run_file(whole_run("run", plan_));
  const h5::Group select = file.open("cells/fake/512/select");
  std::vector<int64_t> shape;
  // "40" has two answer tokens, the others one; the prompt is 505 tokens with its prefix.
  EXPECT_EQ(select.read_array<int64_t>("probe_position"), (std::vector<int64_t>{504, 505, -1, 504, 505, -1, 504, 505, 506}));
  EXPECT_EQ(select.read_array<int32_t>("evidence_block_id", &shape),
            (std::vector<int32_t>{0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3}));
  const std::vector<int32_t> blocks = select.read_array<int32_t>("layer_04/blocks", &shape);
  EXPECT_EQ(shape, (std::vector<int64_t>{3, 3, 2, 3}));
  EXPECT_EQ((std::vector<int32_t>(blocks.begin(), blocks.begin() + 6)), (std::vector<int32_t>{29, 30, 31, 0, 30, 31}));
  EXPECT_EQ(blocks[12], -1) << "the third probe of the first sample is padding";
  const std::vector<uint8_t> selected = select.read_array<uint8_t>("layer_04/evidence_selected", &shape);
  EXPECT_EQ(shape, (std::vector<int64_t>{3, 3, 2, 4}));
  EXPECT_EQ(selected[4], 1);
  EXPECT_EQ(selected[0], 0);
  EXPECT_EQ(selected[16], 255);
  EXPECT_FALSE(file.has("cells/fake/512/select/layer_00"));
}

TEST_F(Runner, WithoutProbeNothingIsSelectedAndAnswersAreTheSame) {
  RunPlan plain = plan_;
  plain.probe_answers = false;
  const h5::File with = open_run_file(whole_run("with", plan_)), without = open_run_file(whole_run("without", plain));
  EXPECT_FALSE(without.has("cells/fake/256/select"));
  EXPECT_EQ(with.read_texts("cells/fake/256/answer"), without.read_texts("cells/fake/256/answer"));
}

TEST_F(Runner, TheComparisonSeesADifference) {
  RunPlan other = plan_;
  other.seed = 43;
  const std::string a = whole_run("a", plan_), b = whole_run("b", other);
  EXPECT_NE(std::system(("h5diff -q --exclude-path /provenance '" + a + "' '" + b + "'").c_str()), 0);
}

TEST_F(Runner, StoppedAnywhereAndResumedGivesTheSameFile) {
  const std::string whole = whole_run("whole", plan_);
  for (int stop = 1; stop <= 9; ++stop) {
    const std::string path = folder_.file("stopped" + std::to_string(stop));
    {
      RunDirectory directory = RunDirectory::begin(path, plan_, "now");
      FakeSubjects subjects(1);
      subjects.before_answer = [&](int call) {
        if (call == stop) throw Error(ErrorCode::kIo, "stopped");
      };
      EXPECT_THROW(run(directory, plan_, subjects), Error);
    }
    RunDirectory directory = RunDirectory::resume(path, plan_, "later");
    EXPECT_EQ(directory.records().size(), static_cast<size_t>(stop - 1));
    EXPECT_EQ(directory.started(), "now");
    FakeSubjects subjects(1);
    run(directory, plan_, subjects);
    EXPECT_EQ(subjects.calls, 10 - stop);
    expect_same_results(whole, directory.file("run.h5"));
  }
}

// A kill while a line or its arrays are being written leaves any beginning of it.
TEST_F(Runner, ATornJournalLosesOneSample) {
  const std::string whole = whole_run("whole", plan_);
  const std::string journal = read_bytes(folder_.file("whole/samples.jsonl"));
  const std::string sidecar = read_bytes(folder_.file("whole/samples.arrays"));
  const size_t last_line = journal.rfind('\n', journal.size() - 2) + 1;
  Rng rng(1, "tests/torn");
  for (int trial = 0; trial < 6; ++trial) {
    const std::string path = folder_.file("torn" + std::to_string(trial));
    whole_run("torn" + std::to_string(trial), plan_);
    const size_t keep = trial == 0 ? journal.size() - 1 : last_line + rng.below(journal.size() - last_line);
    write_bytes(path + "/samples.jsonl", journal.substr(0, keep) + (trial == 5 ? std::string(40, '\0') : ""));
    write_bytes(path + "/samples.arrays", sidecar + std::string(rng.below(100), 'x'));
    RunDirectory directory = RunDirectory::resume(path, plan_, "later");
    EXPECT_EQ(directory.records().size(), 8u);
    EXPECT_EQ(directory.notes().size(), keep == last_line && trial != 5 ? 0u : 1u);
    FakeSubjects subjects(1);
    run(directory, plan_, subjects);
    EXPECT_EQ(subjects.calls, 1);
    expect_same_results(whole, directory.file("run.h5"));
    EXPECT_EQ(read_bytes(path + "/samples.arrays"), sidecar);
  }
}

// Resuming reads the journal alone: what became of run.h5 does not matter.
TEST_F(Runner, ADamagedRunFileIsMadeAnew) {
  const std::string whole = whole_run("whole", plan_), damaged = whole_run("damaged", plan_);
  write_bytes(damaged, read_bytes(damaged).substr(0, 1000));
  RunDirectory directory = RunDirectory::resume(folder_.file("damaged"), plan_, "later");
  FakeSubjects subjects(1);
  run(directory, plan_, subjects);
  EXPECT_EQ(subjects.calls, 0);
  expect_same_results(whole, damaged);
}

TEST_F(Runner, AHostileJournalIsRefusedByLine) {
  whole_run("run", plan_);
  const std::string path = folder_.file("run/samples.jsonl"), journal = read_bytes(path);
  const std::string first = journal.substr(0, journal.find('\n') + 1);
  const std::string rest = journal.substr(first.size());
  const auto refused = [&](const std::string& text, const std::vector<std::string>& parts) {
    write_bytes(path, text);
    expect_error(ErrorCode::kFormat, parts, [&] { RunDirectory::resume(folder_.file("run"), plan_, "later"); });
  };
  refused("garbage\n" + journal, {"line 1", "no checksum", "remove the line"});
  refused("\n" + journal, {"line 1"});
  refused(sealed("garbage}") + "\n" + journal, {"line 1", "no JSON"});
  refused(journal + first, {"line 10", "twice"});
  refused(first.substr(0, first.rfind(",\"check\"")) + "}\n" + rest, {"line 1", "no checksum"});
  // Lines whose checksum fits, and which are none of this run all the same.
  const auto changed = [&](const std::string& from, const std::string& to) {
    std::string line = unsealed(first.substr(0, first.size() - 1));
    line.replace(line.find(from), from.size(), to);
    return sealed(line) + "\n";
  };
  refused(journal + changed("\"index\":0", "\"index\":9"), {"line 10", "does not belong"});
  refused(changed("#0!42", "#1!42") + rest, {"line 1", "does not belong"});
  refused(changed("\"hash\":\"", "\"hash\":\"z") + rest, {"line 1", "arrays"});
  refused(changed("\"offset\":0", "\"offset\":9223372036854775807") + rest, {"line 1"});
  refused(changed("\"answer_ids\":[", "\"answer_ids\":[260,") + rest, {"line 1", "260"});
  refused(changed("\"prefill_seconds\":", "\"prefill_seconds\":-") + rest, {"line 1", "timing"});
}

// Any bit of what resuming reads: the change is refused, or a torn end is said and its sample runs again.
TEST_F(Runner, ThreeHundredFlippedBitsChangeNoResult) {
  const std::string whole = whole_run("whole", plan_), folder = folder_.file("flipped");
  std::filesystem::copy(folder_.file("whole"), folder);
  Rng rng(1, "tests/flips");
  int taken = 0;
  for (int flip = 0; flip < 300; ++flip) {
    const std::string path =
        folder + "/" + std::vector<std::string>{"samples.jsonl", "run.json", "samples.arrays"}[rng.below(3)];
    const std::string before = read_bytes(path);
    const uint64_t bit = flip == 0 ? 8 * before.size() - 8 : rng.below(8 * before.size());
    std::string after = before;
    after[bit / 8] = static_cast<char>(after[bit / 8] ^ (1 << bit % 8));
    write_bytes(path, after);
    try {
      RunDirectory directory = RunDirectory::resume(folder, plan_, "later");
      EXPECT_FALSE(directory.notes().empty()) << path << " bit " << bit;
      EXPECT_EQ(directory.started(), "2026-01-01T00:00:00Z");
      FakeSubjects subjects(1);
      run(directory, plan_, subjects);
      expect_same_results(whole, directory.file("run.h5"));
      ++taken;
      std::filesystem::remove_all(folder);
      std::filesystem::copy(folder_.file("whole"), folder);
    } catch (const Error& problem) {
      EXPECT_TRUE(problem.code() == ErrorCode::kFormat || problem.code() == ErrorCode::kUnsupported ||
                  problem.code() == ErrorCode::kConfig)
          << problem.what();
      write_bytes(path, before);
    }
  }
  EXPECT_LT(taken, 10) << "only the end of a last line may look torn";
}

// Without its journal a folder keeps its results.
TEST_F(Runner, ALostJournalBesideResultsIsRefused) {
  const std::string results = whole_run("run", plan_), folder = folder_.file("run");
  const std::string h5 = read_bytes(results), arrays = read_bytes(folder + "/samples.arrays");
  const auto refused = [&](const std::vector<std::string>& parts) {
    expect_error(ErrorCode::kFormat, parts, [&] { RunDirectory::resume(folder, plan_, "later"); });
    EXPECT_EQ(read_bytes(folder + "/samples.arrays"), arrays);
  };
  for (const char* left : {"", "{\"id\":\"fakes"}) {
    write_bytes(folder + "/samples.jsonl", left);
    refused({"samples.jsonl holds no sample", "run.h5 has 9", "--out"});
    EXPECT_EQ(read_bytes(folder + "/samples.jsonl"), left);
  }
  std::filesystem::remove(folder + "/samples.jsonl");
  refused({"run.h5 has 9"});
  EXPECT_EQ(read_bytes(results), h5);
  write_bytes(results, h5.substr(0, 1000));
  refused({"cannot be read"});
  std::filesystem::remove(results);  // the way out that the message names
  RunDirectory directory = RunDirectory::resume(folder, plan_, "later");
  FakeSubjects subjects(1);
  run(directory, plan_, subjects);
  EXPECT_EQ(subjects.calls, 9);
}

// What is not on the disk is not done.
TEST_F(Runner, ASampleCountsWhenItIsWritten) {
  char* log = nullptr;
  size_t bytes = 0;
  std::FILE* out = open_memstream(&log, &bytes);
  signal(SIGXFSZ, SIG_IGN);
  rlimit before;
  getrlimit(RLIMIT_FSIZE, &before);
  RunDirectory directory = RunDirectory::begin(folder_.file("run"), plan_, "now");
  FakeSubjects subjects(1);
  subjects.before_answer = [&](int call) {
    rlimit small = before;
    small.rlim_cur = 10;
    if (call == 1) setrlimit(RLIMIT_FSIZE, &small);
  };
  {
    double now = 0;  // so late each time that every step is shown
    Progress progress(
        out, false, false, plan_, [](int64_t length) { return Work{static_cast<double>(length)}; },
        [&] { return now += 20; });
    SampleSource samples(plan_, *tokenizer_);
    expect_error(ErrorCode::kIo, {"File too large"}, [&] {
      run_job({plan_, *tokenizer_, samples, subjects, directory, progress});
    });
  }
  setrlimit(RLIMIT_FSIZE, &before);
  std::fclose(out);
  const std::string shown(log, bytes);
  std::free(log);
  EXPECT_NE(shown.find("answering, 1 tokens"), std::string::npos) << shown;
  EXPECT_EQ(shown.find("score"), std::string::npos) << shown;
}

TEST_F(Runner, AScoreOutsideTheScaleIsOurDefect) {
  class Broken final : public tasks::Task {
   public:
    Broken() : Task({.name = "broken", .group = "fakes", .tokens_to_generate = 8}) {}
    tasks::Sample make_sample(const tasks::SampleRequest& request, const Tokenizer& tokenizer) const override {
      return FakeTask().make_sample(request, tokenizer);
    }
    tasks::Score score(const tasks::Sample&, std::string_view) const override { return {NAN, {}}; }
  } broken;
  RunDirectory directory = RunDirectory::begin(folder_.file("run"), fake_plan(broken), "now");
  FakeSubjects subjects(1);
  expect_error(ErrorCode::kInternal, {"scored nan"}, [&] { run(directory, fake_plan(broken), subjects); });
}

// A disk that is full from some moment on: the error says so, run.h5 stays whole, and resuming completes the run.
TEST_F(Runner, AFullDiskLosesNothingThatWasDone) {
  const std::string whole = whole_run("whole", plan_);
  signal(SIGXFSZ, SIG_IGN);
  rlimit before;
  getrlimit(RLIMIT_FSIZE, &before);
  for (const rlim_t limit : {rlim_t{200}, rlim_t{1500}, rlim_t{4000}, rlim_t{20000}}) {
    const std::string path = folder_.file("full" + std::to_string(limit));
    rlimit small = before;
    RunDirectory directory = RunDirectory::begin(path, plan_, "now");
    write(directory, plan_);
    small.rlim_cur = limit;
    setrlimit(RLIMIT_FSIZE, &small);
    FakeSubjects subjects(1);
    try {
      run(directory, plan_, subjects);
      ADD_FAILURE() << "no error at " << limit;
    } catch (const Error& problem) {
      EXPECT_EQ(problem.code(), ErrorCode::kIo) << problem.what();
    }
    setrlimit(RLIMIT_FSIZE, &before);
    open_run_file(directory.file("run.h5"));
    EXPECT_FALSE(file_exists(directory.file("run.h5.tmp")));
  }
  for (const char* name : {"full200", "full1500", "full4000", "full20000"}) {
    RunDirectory directory = RunDirectory::resume(folder_.file(name), plan_, "later");
    FakeSubjects subjects(1);
    run(directory, plan_, subjects);
    expect_same_results(whole, directory.file("run.h5"));
  }
}

}  // namespace
}  // namespace sala::eval
