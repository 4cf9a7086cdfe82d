// A job: several samples at once, each made once, each cell a file of its own while the run goes on.
#include <gtest/gtest.h>
#include <hdf5_hl.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <thread>

#include "eval/run/checks.h"
#include "eval/run/lanes.h"
#include "eval/run/run_job.h"
#include "eval/store/run_file.h"
#include "eval/util/interrupt.h"
#include "sim/mixers/infllm_v2/fields.h"
#include "tests/eval/fakes.h"
#include "tests/eval/run_files.h"
#include "tests/sim/model/small_model.h"

namespace sala::eval {
namespace {

class JobTest : public testing::Test {
 protected:
  RunResults run(RunDirectory& directory, const RunPlan& plan, FakeSubjects& subjects,
                 const std::function<void(const Cell&)>& on_cell = {}) {
    Progress progress(stderr, true, false, plan, [](int64_t length) { return Work{static_cast<double>(length)}; });
    SampleSource samples(plan, *tokenizer_);
    Job job{plan, *tokenizer_, samples, subjects, directory, progress};
    job.on_cell = on_cell;
    return run_job(job);
  }
  RunDirectory begin(const std::string& name, const RunPlan& plan) {
    return RunDirectory::begin(folder_.file(name), plan, "2026-01-01T00:00:00Z");
  }

  const TemporaryFolder folder_;
  const std::unique_ptr<Tokenizer> tokenizer_ = open_tokenizer("byte");
  const FakeTask task_;
  const RunPlan plan_ = fake_plan(task_);
};

// So that xarray, which knows no dimension without a name, opens the file as it is.
TEST_F(JobTest, EveryDimensionOfARunFileIsAScale) {
  RunDirectory directory = begin("scales", plan_);
  FakeSubjects subjects(1);
  run(directory, plan_, subjects);
  const h5::File file = open_run_file(directory.file("run.h5"));
  int64_t datasets = 0;
  const auto look = [](hid_t root, const char* name, const H5O_info_t* info, void* seen) -> herr_t {
    if (info->type != H5O_TYPE_DATASET) return 0;
    ++*static_cast<int64_t*>(seen);
    const h5::Handle dataset(H5Dopen2(root, name, H5P_DEFAULT), H5Dclose);
    const h5::Handle space(H5Dget_space(dataset.id()), H5Sclose);
    const int rank = H5Sget_simple_extent_ndims(space.id());
    EXPECT_GT(rank, 0) << name;
    if (H5DSis_scale(dataset.id()) > 0) return 0;
    for (int axis = 0; axis < rank; ++axis)
      EXPECT_EQ(H5DSget_num_scales(dataset.id(), static_cast<unsigned>(axis)), 1) << name << " axis " << axis;
    return 0;
  };
  ASSERT_GE(H5Ovisit2(file.id(), H5_INDEX_NAME, H5_ITER_NATIVE, look, &datasets, H5O_INFO_BASIC), 0);
  EXPECT_GT(datasets, 20);
}

// Samples that end in another order than they began stand in the order of the plan, whoever answered them.
TEST_F(JobTest, AnyNumberOfSamplesAtOnceGivesTheSameFile) {
  for (const int64_t at_once : {1, 2, 3}) {
    RunDirectory directory = begin(std::to_string(at_once), plan_);
    FakeSubjects subjects(1, at_once);
    subjects.before_answer = [&](int call) {
      if (call % 2 == 1) std::this_thread::sleep_for(std::chrono::milliseconds(2));
    };
    const RunResults results = run(directory, plan_, subjects);
    EXPECT_EQ(subjects.calls, 9);
    EXPECT_EQ(results.cells.size(), 2u);
    EXPECT_FALSE(file_exists(directory.file("cells")));
    expect_same_results(folder_.file("1/run.h5"), directory.file("run.h5"));
  }
}

// What a SIGKILL would leave: the samples behind the first one are in the journal while the first is being answered.
TEST_F(JobTest, AFinishedSampleIsWrittenWhileAnEarlierOneIsAnswered) {
  RunDirectory directory = begin("run", plan_);
  FakeSubjects subjects(1, 3);
  const auto lines = [&] {
    const std::string journal = read_bytes(directory.file("samples.jsonl"));
    return std::count(journal.begin(), journal.end(), '\n');
  };
  std::ptrdiff_t before_the_first = 0;
  subjects.before_answer = [&](int call) {
    if (call != 1) return;
    for (int i = 0; i < 5000 && lines() < 8; ++i) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    before_the_first = lines();
  };
  run(directory, plan_, subjects);
  EXPECT_EQ(before_the_first, 8);
  RunDirectory whole = begin("whole", plan_);
  FakeSubjects alone(1);
  run(whole, plan_, alone);
  expect_same_results(whole.file("run.h5"), directory.file("run.h5"));
  EXPECT_NE(read_bytes(whole.file("samples.arrays")), read_bytes(directory.file("samples.arrays"))) << "another order";
}

TEST_F(JobTest, StoppedWithSeveralAtOnceAndResumedIsTheSame) {
  RunDirectory whole = begin("whole", plan_);
  FakeSubjects alone(1);
  run(whole, plan_, alone);
  for (int stop = 1; stop <= 9; ++stop) {
    const std::string path = folder_.file("stopped" + std::to_string(stop));
    size_t kept = 0;
    {
      RunDirectory directory = RunDirectory::begin(path, plan_, "now");
      FakeSubjects subjects(1, 3);
      subjects.before_answer = [&](int call) {
        if (call == stop) throw Error(ErrorCode::kIo, "stopped");
      };
      expect_error(ErrorCode::kIo, {"stopped"}, [&] { run(directory, plan_, subjects); });
      kept = directory.records().size();
      EXPECT_LE(kept, 8u);
      const h5::File file = open_run_file(directory.file("run.h5"));  // what was begun can be read
      size_t readable = 0;
      for (const Cell& cell : plan_.cells)
        if (const std::string group = "cells/fake/" + std::to_string(cell.length); file.has(group))
          readable += file.open(group).read_array<double>("score").size();
      EXPECT_EQ(readable, kept);
    }
    RunDirectory directory = RunDirectory::resume(path, plan_, "later");
    EXPECT_EQ(directory.records().size(), kept);
    FakeSubjects subjects(1, 2);
    run(directory, plan_, subjects);
    EXPECT_EQ(subjects.calls, static_cast<int>(9 - kept)) << "no finished sample is asked twice";
    expect_same_results(whole.file("run.h5"), directory.file("run.h5"));
  }
}

// Files that cannot be written are said also where something else stopped the run.
TEST_F(JobTest, WhatIsNotSavedWhenItStopsIsSaid) {
  const auto stopped = [&](const std::string& name, const std::function<void()>& stop, ErrorCode code, const char* why) {
    RunDirectory directory = begin(name, plan_);
    FakeSubjects subjects(1);
    subjects.before_answer = [&](int call) {
      if (call != 3) return;
      std::filesystem::remove(directory.file("run.h5"));
      std::filesystem::create_directories(directory.file("run.h5/taken"));
      stop();
    };
    expect_error(
        code,
        {why, "samples.jsonl has every finished sample", "run.h5 and the summaries are not up to date", "cannot replace"},
        [&] { run(directory, plan_, subjects); });
    EXPECT_EQ(directory.records().size(), 2u);
  };
  stopped(
      "interrupt", [] { throw Interrupted(); }, ErrorCode::kIo, "interrupted; ");
  stopped(
      "error", [] { throw Error(ErrorCode::kMemory, "no room"); }, ErrorCode::kMemory, "no room; ");
}

TEST_F(JobTest, WhileTheRunGoesOnEachFinishedCellIsAFileOfItsOwn) {
  RunDirectory directory = begin("run", plan_);
  FakeSubjects subjects(1);
  int cells = 0;
  run(directory, plan_, subjects, [&](const Cell& cell) {
    ++cells;
    const h5::File file = h5::File::load(directory.file("cells/" + cell.name() + ".h5"));
    EXPECT_EQ(file.open("cell").read_array<double>("score").size(), cell.samples.size());
    EXPECT_EQ(file.open("timing").read_array<double>("make_seconds").size(), cell.samples.size());
    open_run_file(directory.file("run.h5"));
  });
  EXPECT_EQ(cells, 2);
  EXPECT_FALSE(file_exists(directory.file("cells"))) << "run.h5 holds all";
  // A kill before the end: run.h5 links the cells under the paths that they have at the end.
  write_cell_file(directory, plan_, summarize_cell(plan_.cells[1], directory.records_of(plan_.cells[1])));
  link_cell_files(directory, plan_, {});
  const h5::File linked = open_run_file(directory.file("run.h5"));
  EXPECT_FALSE(linked.has("cells/fake/256"));
  EXPECT_EQ(linked.open("cells/fake/512").read_texts("answer"), (std::vector<std::string>{"2", "?", "40"}));
  EXPECT_EQ(linked.read_array<double>("provenance/timing/fake/512/prefill_seconds").size(), 3u);
}

TEST_F(JobTest, EachSampleIsMadeOnce) {
  RunPlan plan = plan_;
  plan.select = SelectBy::kOracle;
  plan.model.own<InfLlmV2Fields>().sparse_config.dense_len = 200;  // near the lengths: every sample is asked
  RunDirectory directory = begin("run", plan);
  FakeSubjects subjects(1, 2);
  Progress progress(stderr, true, false, plan, [](int64_t length) { return Work{static_cast<double>(length)}; });
  SampleSource samples(plan, *tokenizer_);
  measure_samples(plan, samples);
  check_samples(plan, samples);
  EXPECT_EQ(samples.made(), 9);
  EXPECT_GT(samples.kept_bytes(), 6 * 256);
  run_job({plan, *tokenizer_, samples, subjects, directory, progress});
  EXPECT_EQ(samples.made(), 9);
  EXPECT_EQ(samples.kept_bytes(), 0);
}

// Beyond their share of the memory samples wait on the disk. Where the disk takes none, they are made again.
TEST_F(JobTest, SamplesBeyondTheMemoryWaitOnTheDisk) {
  constexpr int64_t kRest = 1000;  // what a sample leaves in memory, at most
  RunPlan plan = plan_;
  plan.select = SelectBy::kOracle;
  plan.model.own<InfLlmV2Fields>().sparse_config.dense_len = 200;  // near the lengths: every sample is asked
  const auto expect_made = [&](const std::string& name, int64_t most_bytes, int64_t later, bool once) {
    RunDirectory directory = begin(name, plan);
    FakeSubjects subjects(1, 2);
    Progress progress(stderr, true, false, plan, [](int64_t length) { return Work{static_cast<double>(length)}; });
    SampleSource samples(plan, *tokenizer_, most_bytes);
    measure_samples(plan, samples);
    check_samples(plan, samples);
    EXPECT_LE(samples.kept_bytes(), most_bytes + 9 * kRest) << name;
    samples.keep_at_most(later);
    EXPECT_LE(samples.kept_bytes(), later + 9 * kRest) << name;
    samples.look(plan.cells[1], 2, [](const tasks::Sample& sample) { EXPECT_EQ(sample.input.substr(0, 3), "2 ."); });
    run_job({plan, *tokenizer_, samples, subjects, directory, progress});
    EXPECT_EQ(samples.made() == 9, once) << name;
    EXPECT_EQ(samples.kept_bytes(), 0) << name;
    expect_same_results(folder_.file("all/run.h5"), folder_.file(name + "/run.h5"));
  };
  expect_made("all", 1 << 20, 1 << 20, true);
  expect_made("some", 4000, 4000, true);
  expect_made("fewer", 1 << 20, 4000, true);
  const char* before = std::getenv("TMPDIR");
  const std::string kept = before == nullptr ? "" : before;
  ::setenv("TMPDIR", folder_.file("missing").c_str(), 1);
  expect_made("full", 4000, 4000, false);
  before == nullptr ? ::unsetenv("TMPDIR") : ::setenv("TMPDIR", kept.c_str(), 1);
}

// Upstream mode draws a task's samples from one stream, which every lane goes on with.
TEST_F(JobTest, AStreamOfSamplesIsOpenedOnceForEachRunOfIndexes) {
  class Streamed final : public FakeTask {
   public:
    std::unique_ptr<tasks::SampleStream> open_stream(const tasks::SampleRequest& first,
                                                     const Tokenizer& tokenizer) const override {
      ++opened;
      return FakeTask::open_stream(first, tokenizer);
    }
    mutable std::atomic<int> opened{0};
  } task;
  RunPlan plan = fake_plan(task);
  plan.mode = tasks::Mode::kUpstream;
  plan.cells[1].samples = {2, 3, 4, 5, 6};
  const auto expect_made = [&](const std::string& name, int64_t at_once, int opened) {
    task.opened = 0;
    RunDirectory directory = begin(name, plan);
    FakeSubjects subjects(1, at_once);
    Progress progress(stderr, true, false, plan, [](int64_t length) { return Work{static_cast<double>(length)}; });
    SampleSource samples(plan, *tokenizer_);
    check_samples(plan, samples);  // looks at the first of each cell
    run_job({plan, *tokenizer_, samples, subjects, directory, progress});
    EXPECT_EQ(task.opened, opened) << name;
    EXPECT_EQ(samples.made(), 11) << name;
    EXPECT_EQ(samples.kept_bytes(), 0) << name;
  };
  expect_made("one", 1, 2);
  expect_made("three", 3, 2);
  expect_same_results(folder_.file("one/run.h5"), folder_.file("three/run.h5"));
  plan.cells[1].samples = {2, 3, 40, 41, 42};
  expect_made("gap", 1, 3);
}

// A stream that failed may stand at any sample.
TEST_F(JobTest, AStreamThatFailedIsOpenedAnew) {
  class Failing final : public FakeTask {
   public:
    class Stream final : public tasks::SampleStream {
     public:
      Stream(const Failing& task, tasks::SampleRequest first, const Tokenizer& tokenizer)
          : task_(task), next_(first), tokenizer_(tokenizer) {}
      tasks::Sample next() override {
        const tasks::SampleRequest now = next_;
        ++next_.index;
        if (task_.fails == now.index) {
          task_.fails = -1;
          throw Error(ErrorCode::kIo, "a stumble");
        }
        return task_.make_sample(now, tokenizer_);
      }

     private:
      const Failing& task_;
      tasks::SampleRequest next_;
      const Tokenizer& tokenizer_;
    };
    std::unique_ptr<tasks::SampleStream> open_stream(const tasks::SampleRequest& first,
                                                     const Tokenizer& tokenizer) const override {
      return std::make_unique<Stream>(*this, first, tokenizer);
    }
    mutable int64_t fails = 2;
  } task;
  RunPlan plan = fake_plan(task);
  plan.mode = tasks::Mode::kUpstream;
  plan.cells[0].samples = {0, 1, 2, 3, 4};
  SampleSource samples(plan, *tokenizer_);
  const auto first = [&](int64_t index) { return samples.take(plan.cells[0], index).sample.input.substr(0, 2); };
  EXPECT_EQ(first(0), "0 ");
  EXPECT_EQ(first(1), "1 ");
  expect_error(ErrorCode::kIo, {"a stumble"}, [&] { first(2); });
  EXPECT_EQ(first(2), "2 ");
  EXPECT_EQ(first(4), "4 ");
  EXPECT_EQ(first(3), "3 ");
}

TEST_F(JobTest, WhatASubjectCannotDoIsRefusedByName) {
  RunDirectory directory = begin("run", plan_);
  FakeSubjects subjects(1);
  subjects.can.probe = false;
  expect_error(ErrorCode::kUnsupported, {"--probe answer", "fake", "--probe none"},
               [&] { run(directory, plan_, subjects); });
  RunPlan plan = plan_;
  plan.probe_answers = false;
  plan.select = SelectBy::kOracle;
  subjects.can.selection = false;
  expect_error(ErrorCode::kUnsupported, {"--select oracle", "fake"}, [&] { run(directory, plan, subjects); });
  plan.select = SelectBy::kLearned;
  subjects.can = {};
  expect_error(ErrorCode::kUnsupported, {"fake takes neither ids nor text"}, [&] { run(directory, plan, subjects); });
  subjects.can.messages = true;
  expect_error(ErrorCode::kUnsupported, {"the task is no chat"}, [&] { run(directory, plan, subjects); });
  EXPECT_EQ(subjects.calls, 0);
  EXPECT_FALSE(file_exists(directory.file("run.h5"))) << "nothing was written";
}

// A subject behind a server: text in, text out.
TEST_F(JobTest, ASubjectMayAnswerInText) {
  class Echo final : public Subject {
   public:
    Answer answer(const Question& question) override {
      Answer answer;
      answer.text = std::string(question.text.substr(0, question.text.find(' ')));
      return answer;
    }
  };
  class Echoes final : public Subjects {
   public:
    std::string name() const override { return "echo"; }
    Capabilities capabilities() const override { return {false, true, false, false, false}; }
    int64_t at_once(int64_t, int64_t wanted) const override { return wanted; }
    std::unique_ptr<Subject> open(int64_t, int64_t, int64_t) override { return std::make_unique<Echo>(); }
  } subjects;
  RunPlan plan = plan_;
  plan.probe_answers = false;
  RunDirectory directory = begin("run", plan);
  Progress progress(stderr, true, false, plan, [](int64_t length) { return Work{static_cast<double>(length)}; });
  SampleSource samples(plan, *tokenizer_);
  const RunResults results = run_job({plan, *tokenizer_, samples, subjects, directory, progress});
  EXPECT_EQ(results.cells[0].score, 1);
  EXPECT_EQ(open_run_file(directory.file("run.h5")).read_texts("cells/fake/512/answer"),
            (std::vector<std::string>{"2", "5", "40"}));
}

TEST(Lanes, ResultsAreTakenOnceEachInTheThreadOfTheCaller) {
  for (const int64_t lanes : {1, 3}) {
    const std::thread::id caller = std::this_thread::get_id();
    std::vector<int64_t> order, expected;
    std::atomic<int64_t> begun{0}, delivered{0};
    for (int64_t item = 0; item < 40; ++item) expected.push_back(item);
    run_lanes(lanes, 40, [&](int lane, int64_t item, const std::function<void()>&) -> Delivery {
      EXPECT_LT(lane, lanes);
      EXPECT_LE(++begun - delivered, 3 * lanes) << "a lane runs a few items ahead at most";
      if (item % 4 == 0) std::this_thread::sleep_for(std::chrono::milliseconds(2));
      return [&, item] {
        EXPECT_EQ(std::this_thread::get_id(), caller);
        order.push_back(item);
        ++delivered;
      };
    });
    std::sort(order.begin(), order.end());
    EXPECT_EQ(order, expected);
  }
}

TEST(Lanes, AResultIsTakenWhileAnEarlierItemIsAtWork) {
  std::atomic<bool> second_is_taken{false};
  run_lanes(2, 2, [&](int, int64_t item, const std::function<void()>&) -> Delivery {
    while (item == 0 && !second_is_taken) std::this_thread::yield();
    return [&, item] { second_is_taken = second_is_taken || item == 1; };
  });
  EXPECT_TRUE(second_is_taken);
}

TEST(Lanes, TheFirstFailureEndsAll) {
  for (const bool in_lane : {true, false}) {
    std::atomic<int> begun{0};
    std::vector<int64_t> order;
    expect_error(ErrorCode::kIo, {"full"}, [&] {
      run_lanes(3, 1000, [&](int, int64_t item, const std::function<void()>& check) -> Delivery {
        ++begun;
        if (in_lane && item == 5) throw Error(ErrorCode::kIo, "full");
        for (int i = 0; i < 3; ++i) {
          std::this_thread::sleep_for(std::chrono::milliseconds(1));
          check();
        }
        return [&, item] {
          if (!in_lane && item == 5) throw Error(ErrorCode::kIo, "full");
          order.push_back(item);
        };
      });
    });
    EXPECT_LT(begun, 30);
    EXPECT_EQ(std::count(order.begin(), order.end(), 5), 0);
  }
}

TEST(Lanes, WhatIsFinishedBehindAFailureIsNotLost) {
  std::atomic<bool> second_is_begun{false};
  std::vector<int64_t> order;
  expect_error(ErrorCode::kIo, {"full"}, [&] {
    run_lanes(2, 2, [&](int, int64_t item, const std::function<void()>&) -> Delivery {
      if (item == 0) {
        while (!second_is_begun) std::this_thread::yield();
        throw Error(ErrorCode::kIo, "full");
      }
      second_is_begun = true;  // and it never asks whether another one failed, so it is finished
      return [&, item] { order.push_back(item); };
    });
  });
  EXPECT_EQ(order, (std::vector<int64_t>{1}));
}

}  // namespace
}  // namespace sala::eval
