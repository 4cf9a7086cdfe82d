// Runs with a fake task and fake subjects in a folder that vanishes.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "eval/run/run_job.h"
#include "eval/store/run_file.h"
#include "tests/eval/fakes.h"
#include "tests/eval/run_files.h"
#include "tests/sim/model/small_model.h"

namespace sala::eval {

class RunTest : public testing::Test {
 protected:
  // Runs what `directory` lacks and writes run.h5 as the command does.
  RunResults run(RunDirectory& directory, const RunPlan& plan, FakeSubjects& subjects) {
    Progress progress(stderr, true, false, plan, [](int64_t length) { return Work{static_cast<double>(length)}; });
    SampleSource samples(plan, *tokenizer_);
    return run_job({plan, *tokenizer_, samples, subjects, directory, progress, {{"threads", std::to_string(++writes_)}}});
  }
  void write(const RunDirectory& directory, const RunPlan& plan) {
    write_run_file(directory, plan, summarize(plan, directory.records()).cells, {{"threads", std::to_string(++writes_)}});
  }
  // A whole run in a folder called `name`; returns the path of its run.h5.
  std::string whole_run(const std::string& name, const RunPlan& plan) {
    RunDirectory directory = RunDirectory::begin(folder_.file(name), plan, "2026-01-01T00:00:00Z");
    FakeSubjects subjects(1);
    run(directory, plan, subjects);
    return directory.file("run.h5");
  }

  const TemporaryFolder folder_;
  const std::unique_ptr<Tokenizer> tokenizer_ = open_tokenizer("byte");
  const FakeTask task_;
  const RunPlan plan_ = fake_plan(task_);
  int writes_ = 0;
};

}  // namespace sala::eval
