// The folder of a run: whose it is, what stands in it, how it grows.
#include <gtest/gtest.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <functional>
#include <nlohmann/json.hpp>
#include <utility>

#include "tests/eval/run_fixture.h"

namespace {

std::function<void()> before_the_next_lock;

}  // namespace

extern "C" int flock(int descriptor, int operation) noexcept {
  if (const auto act = std::exchange(before_the_next_lock, nullptr)) act();
  return static_cast<int>(syscall(SYS_flock, descriptor, operation));
}

namespace sala::eval {
namespace {

class Folder : public RunTest {};

TEST_F(Folder, ASecondRunInTheSameFolderIsRefused) {
  whole_run("run", plan_);
  expect_error(ErrorCode::kUsage, {"already holds a run", "--resume", "--out"},
               [&] { RunDirectory::begin(folder_.file("run"), plan_, "later"); });
  RunPlan other = plan_;
  other.seed = 7;
  expect_error(ErrorCode::kConfig, {"'seed' is 7 now and was 42"},
               [&] { RunDirectory::resume(folder_.file("run"), other, "later"); });
  const RunDirectory open = RunDirectory::resume(folder_.file("run"), plan_, "later");
  expect_error(ErrorCode::kUsage, {"another process"}, [&] { RunDirectory::resume(folder_.file("run"), plan_, "later"); });
}

TEST_F(Folder, ResumingNothingBeginsAndADamagedPlanIsRefused) {
  RunDirectory::resume(folder_.file("new"), plan_, "now");
  EXPECT_TRUE(file_exists(folder_.file("new/run.json")));
  std::string changed = read_bytes(folder_.file("new/run.json"));
  changed.replace(changed.find("\"now\""), 5, "\"nov\"");
  for (const std::string& text :
       {std::string(), std::string("{}"), std::string("[1]"), std::string("{\"started\":1,\"plan\":{}}"), changed}) {
    write_bytes(folder_.file("new/run.json"), text);
    expect_error(ErrorCode::kFormat, {"run.json"}, [&] { RunDirectory::resume(folder_.file("new"), plan_, "now"); });
  }
  write_bytes(folder_.file("new/run.json"), "{\"started\":\"a\",\"plan\":{\"schema\":\"sala.run/1\"}}");
  expect_error(ErrorCode::kUnsupported, {"sala.run/1"}, [&] { RunDirectory::resume(folder_.file("new"), plan_, "now"); });
  std::filesystem::remove(folder_.file("new/run.json"));
  RunDirectory::resume(folder_.file("new"), plan_, "now");  // killed before the plan was written: nothing is lost
  EXPECT_TRUE(file_exists(folder_.file("new/run.json")));
  std::filesystem::remove(folder_.file("new/run.json"));
  write_bytes(folder_.file("new/samples.jsonl"), "{}\n");
  expect_error(ErrorCode::kFormat, {"run.json"}, [&] { RunDirectory::resume(folder_.file("new"), plan_, "now"); });
}

// A stranger may have prepared the folder: every name that a run writes leads elsewhere.
TEST_F(Folder, NothingOutsideTheFolderIsWritten) {
  namespace fs = std::filesystem;
  const std::string whole = whole_run("whole", plan_), precious = folder_.file("precious");
  fs::create_directory(folder_.file("elsewhere"));
  write_bytes(folder_.file("elsewhere/fake@256.h5"), "theirs");
  write_bytes(precious, "precious");
  for (const char* name : {"run.json.tmp", "run.h5.tmp", "summary.json.tmp", "summary.md.tmp", "summary.json", "cells",
                           "samples.jsonl", "samples.arrays"}) {
    const std::string path = folder_.file(std::string("links-") + name), word = name;
    const std::string target = word == "cells"               ? folder_.file("elsewhere")
                               : word.starts_with("samples") ? folder_.file("nowhere")
                                                             : precious;
    fs::create_directory(path);
    fs::create_symlink(target, path + "/" + word);
    expect_error(ErrorCode::kUsage, {path, word, "--out"}, [&] { RunDirectory::begin(path, plan_, "now"); });
    EXPECT_FALSE(file_exists(path + "/run.json"));
    fs::remove(path + "/" + word);
    FakeSubjects subjects(1);
    if (word.starts_with("samples")) {  // the files that a run opens and keeps
      whole_run(std::string("links-") + name, plan_);
      fs::remove(path + "/" + word);
      fs::create_symlink(target, path + "/" + word);
      expect_error(ErrorCode::kIo, {word}, [&] { RunDirectory::resume(path, plan_, "now"); });
    } else {
      RunDirectory directory = RunDirectory::begin(path, plan_, "now");
      fs::create_symlink(target, path + "/" + word);
      if (word == "cells" || word == "summary.json") {
        expect_error(ErrorCode::kIo, {word}, [&] { run(directory, plan_, subjects); });
      } else {
        run(directory, plan_, subjects);
        expect_same_results(whole, directory.file("run.h5"));
      }
    }
    EXPECT_EQ(read_bytes(precious), "precious") << name;
    EXPECT_FALSE(fs::exists(folder_.file("nowhere"))) << name;
    EXPECT_EQ(read_bytes(folder_.file("elsewhere/fake@256.h5")), "theirs") << name;
    EXPECT_EQ(std::distance(fs::directory_iterator(folder_.file("elsewhere")), fs::directory_iterator()), 1) << name;
  }
}

// A run removes and replaces what it wrote, and nothing else.
TEST_F(Folder, WhatIsNoneOfItsOwnStays) {
  namespace fs = std::filesystem;
  for (const char* name : {"cells/notes.txt", "cells/fake@256.h5", "summary.md", "summary.json", "run.h5.tmp"}) {
    const std::string path = folder_.file("taken"), file = path + "/" + name;
    fs::create_directories(fs::path(file).parent_path());
    write_bytes(file, "mine");
    expect_error(ErrorCode::kUsage, {path, "already holds", "--out"}, [&] { RunDirectory::begin(path, plan_, "now"); });
    expect_error(ErrorCode::kUsage, {path, "already holds", "--out"}, [&] { RunDirectory::resume(path, plan_, "now"); });
    EXPECT_EQ(read_bytes(file), "mine");
    EXPECT_FALSE(file_exists(path + "/samples.jsonl")) << "refused before anything is made";
    fs::remove_all(path);
  }
  whole_run("run", plan_);
  fs::create_directory(folder_.file("run/cells"));
  write_bytes(folder_.file("run/cells/notes.txt"), "mine");
  RunDirectory directory = RunDirectory::resume(folder_.file("run"), plan_, "later");
  FakeSubjects subjects(1);
  run(directory, plan_, subjects);
  EXPECT_EQ(read_bytes(folder_.file("run/cells/notes.txt")), "mine");
}

// A line may be taken out of the journal, so that its sample runs again: its cell then has a file that says more.
TEST_F(Folder, AStaleFileOfACellIsNotLinked) {
  const std::string path = folder_.file("run"), journal = path + "/samples.jsonl";
  const auto stop_at = [&](int stop) {
    RunDirectory directory = RunDirectory::resume(path, plan_, "now");
    FakeSubjects subjects(1);
    subjects.before_answer = [&](int call) {
      if (call == stop) throw Error(ErrorCode::kIo, "stopped");
    };
    EXPECT_THROW(run(directory, plan_, subjects), Error);
  };
  stop_at(8);  // one sample of the second cell is done
  EXPECT_TRUE(open_run_file(path + "/run.h5").has("cells/fake/512"));
  const std::string text = read_bytes(journal);
  write_bytes(journal, text.substr(0, text.rfind('\n', text.size() - 2) + 1));
  stop_at(1);
  EXPECT_TRUE(open_run_file(path + "/run.h5").has("cells/fake/256"));
  EXPECT_FALSE(open_run_file(path + "/run.h5").has("cells/fake/512"));
}

// Between the look at a folder and its lock another process may do a whole run.
TEST_F(Folder, WhatHappensBeforeTheLockIsSeen) {
  const auto run_elsewhere = [&](const std::string& path) {
    before_the_next_lock = [&, path] {
      RunDirectory directory = RunDirectory::resume(path, plan_, "first");
      FakeSubjects subjects(1);
      run(directory, plan_, subjects);
    };
  };
  run_elsewhere(folder_.file("a"));
  expect_error(ErrorCode::kUsage, {"already holds a run"}, [&] { RunDirectory::begin(folder_.file("a"), plan_, "second"); });
  const std::string journal = read_bytes(folder_.file("a/samples.jsonl"));
  RunDirectory::begin(folder_.file("b"), plan_, "zeroth");
  run_elsewhere(folder_.file("b"));
  const RunDirectory directory = RunDirectory::resume(folder_.file("b"), plan_, "second");
  EXPECT_EQ(directory.records().size(), 9u);
  EXPECT_EQ(directory.started(), "zeroth");
}

// Lines of a journal without what may differ: times and places in the side file.
std::vector<std::string> lines_without_times(const std::string& path, bool with_places) {
  std::vector<std::string> lines;
  const std::string text = read_bytes(path);
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = text.find('\n', begin);
    auto json = nlohmann::ordered_json::parse(text.substr(begin, end - begin));
    json.erase("check");
    json.erase("timing");
    if (!with_places) json["arrays"].erase("offset");
    lines.push_back(json.dump());
    begin = end + 1;
  }
  return lines;
}

// A run of more samples, lengths and tasks that was begun as a smaller one is that of the larger plan.
TEST_F(Folder, AFinishedOrStoppedRunGrows) {
  const FakeTask other("other");
  RunPlan small = fake_plan(task_, 3), large = plan_;
  small.cells.pop_back();
  large.cells.insert(large.cells.begin(), {&other, 128, {0, 3}});
  const std::string whole = whole_run("whole", large);
  for (int stop = 1; stop <= 4; ++stop) {
    const std::string name = "grown" + std::to_string(stop), path = folder_.file(name);
    {
      RunDirectory directory = RunDirectory::begin(path, small, "2026-01-01T00:00:00Z");
      FakeSubjects subjects(1);
      subjects.before_answer = [&](int call) {
        if (call == stop) throw Error(ErrorCode::kIo, "stopped");
      };
      if (stop == 4)
        run(directory, small, subjects);
      else
        EXPECT_THROW(run(directory, small, subjects), Error);
    }
    for (int stop_again : {2, 100}) {
      RunDirectory directory = RunDirectory::resume(path, large, "later");
      EXPECT_EQ(directory.notes().size(), stop_again == 2 ? 1u : 0u) << "growing is said once";
      FakeSubjects subjects(1);
      subjects.before_answer = [&](int call) {
        if (call == stop_again) throw Error(ErrorCode::kIo, "stopped");
      };
      if (stop_again == 2)
        EXPECT_THROW(run(directory, large, subjects), Error);
      else
        run(directory, large, subjects);
    }
    expect_same_results(whole, path + "/run.h5");
    EXPECT_EQ(read_bytes(folder_.file("whole/run.json")), read_bytes(path + "/run.json"));
    EXPECT_EQ(read_bytes(folder_.file("whole/summary.md")), read_bytes(path + "/summary.md"));
    std::vector<std::string> lines = lines_without_times(path + "/samples.jsonl", false),
                             expected = lines_without_times(folder_.file("whole/samples.jsonl"), false);
    std::sort(lines.begin(), lines.end());
    std::sort(expected.begin(), expected.end());
    EXPECT_EQ(lines, expected) << "they stand in the order in which they ended";
    expect_error(ErrorCode::kConfig, {"'cells.fake@256' is \"0-2\"", "all samples"},
                 [&] { RunDirectory::resume(path, small, "later"); });
  }
}

// With one task and length the order is the same, and so is every byte.
TEST_F(Folder, AGrownCellIsTheSameByteForByte) {
  RunPlan small = fake_plan(task_, 20), large = fake_plan(task_, 40);
  small.cells.pop_back();
  large.cells.pop_back();
  whole_run("whole", large);
  whole_run("grown", small);
  RunDirectory directory = RunDirectory::resume(folder_.file("grown"), large, "later");
  FakeSubjects subjects(1);
  run(directory, large, subjects);
  EXPECT_EQ(subjects.calls, 20);
  expect_same_results(folder_.file("whole/run.h5"), folder_.file("grown/run.h5"));
  for (const char* name : {"/run.json", "/samples.arrays", "/summary.md"})
    EXPECT_EQ(read_bytes(folder_.file("whole") + name), read_bytes(folder_.file("grown") + name)) << name;
  EXPECT_EQ(lines_without_times(folder_.file("whole/samples.jsonl"), true),
            lines_without_times(folder_.file("grown/samples.jsonl"), true));
}

}  // namespace
}  // namespace sala::eval
