// The program from end to end, with small random models.
#include <gtest/gtest.h>

#include <chrono>
#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <thread>

#include "eval/store/run_file.h"
#include "tests/eval/random_model.h"
#include "tests/eval/run_files.h"
#include "tests/eval/subprocess.h"

namespace sala::eval {
namespace {

namespace fs = std::filesystem;
class Cli : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    models_ = new TemporaryFolder;
    write_random_family(models_->path());
  }
  static void TearDownTestSuite() { delete models_; }
  void SetUp() override {
    program_.environment["SALA_MODELS"] = models_->path();
    program_.environment["OMP_WAIT_POLICY"] = "passive";
  }
  // A run of two tasks with three samples each, with selections.
  Words small_run(const std::string& out, const Words& more = {}) const {
    return joined({"run", "--task", "niah_single_1,niah_multikey_2", "--len", "512", "--samples", "3", "--probe", "answer",
                   "--out", folder_.file(out)},
                  more);
  }
  std::string h5(const std::string& out) const { return folder_.file(out) + "/run.h5"; }
  void expect_failure(const Words& words, ErrorCode code, const std::vector<std::string>& parts) {
    expect_refused(program_, words, code, parts);
  }

  static const TemporaryFolder* models_;
  const TemporaryFolder folder_;
  Program program_{folder_.path()};
};
const TemporaryFolder* Cli::models_ = nullptr;

TEST_F(Cli, ABareCallIsARunAndPrintsTheTable) {
  const Finished result =
      program_.run({"--task", "niah_single_1", "--len", "512", "--samples", "2", "--out", folder_.file("a")});
  EXPECT_EQ(result.code, 0) << result.err;
  EXPECT_NE(result.out.find("niah_single_1     512     512  2"), std::string::npos) << result.out;
  EXPECT_NE(result.out.find("not to MiniCPM-SALA 9B"), std::string::npos) << result.out;
  EXPECT_NE(result.err.find("512 = 512 tokens, 2 samples a task; seed 42"), std::string::npos) << result.err;
  EXPECT_NE(result.err.find("memory: weights"), std::string::npos) << result.err;
  for (const char* name : {"run.json", "run.h5", "samples.jsonl", "summary.json", "summary.md"})
    EXPECT_TRUE(fs::exists(folder_.path() + "/a/" + name)) << name;
  const auto summary = nlohmann::json::parse(read_bytes(folder_.file("a") + "/summary.json"));
  EXPECT_TRUE(summary["results"]["niah_single_1"].contains("512,none"));
  EXPECT_TRUE(summary["sala"]["provenance"]["command"].get<std::string>().starts_with("sala_eval --task")) << "no path";
}

// The three lines of docs/file_formats.md, as they stand there.
TEST_F(Cli, ResultsOpenInThreeLinesOfPython) {
  std::string python;
  for (const char* candidate : {"python3", "/usr/bin/python3"})
    if (python.empty() && std::system((std::string(candidate) + " -c 'import h5py' 2>/dev/null").c_str()) == 0)
      python = candidate;
  ASSERT_NE(python, "") << "no Python with h5py here: scripts/setup test installs it";
  ASSERT_EQ(program_.run({"--task", "niah_single_1", "--len", "4k", "--samples", "2", "--out", folder_.path() + "/r"}).code,
            0);
  const std::string page = read_bytes(std::string(SALA_SOURCE_DIR) + "/docs/file_formats.md"), fence = "```python\n";
  const size_t begin = page.find(fence) + fence.size();
  std::string lines = page.substr(begin, page.find("```", begin) - begin);
  ASSERT_EQ(std::count(lines.begin(), lines.end(), '\n'), 3);
  write_bytes(folder_.file("read.py"), lines);
  const std::string command = "cd '" + folder_.path() + "/r' && " + python + " ../read.py > ../printed";
  EXPECT_EQ(std::system(command.c_str()), 0);
  EXPECT_EQ(read_bytes(folder_.file("printed")).substr(0, 11), "0.0 [0. 0.]");
}

TEST_F(Cli, RunsWithoutAFolderAreNumberedAndNeverOverwrite) {
  const Words words = {"--task", "niah_single_1", "--len", "512,600", "--sample", "3", "--quiet"};
  EXPECT_EQ(program_.run(words).code, 0);
  const Finished second = program_.run(words);
  EXPECT_EQ(second.code, 0);
  EXPECT_EQ(second.err, "") << "--quiet is quiet";
  EXPECT_TRUE(fs::exists(folder_.path() + "/results/runs/niah_single_1-512+600-sala-tiny/run.h5"));
  EXPECT_TRUE(fs::exists(folder_.path() + "/results/runs/niah_single_1-512+600-sala-tiny-2/run.h5"));
}

TEST_F(Cli, TheNumberOfThreadsChangesNothing) {
  for (const char* threads : {"1", "2", "3"}) {
    const Finished result = program_.run(small_run(threads, {"--threads", threads, "--quiet"}));
    ASSERT_EQ(result.code, 0) << result.err;
  }
  expect_same_results(h5("1"), h5("2"));
  expect_same_results(h5("1"), h5("3"));
}

TEST_F(Cli, ChunksPruningAndKernelsChangeNothing) {
  ASSERT_EQ(program_.run(small_run("a", {"--quiet"})).code, 0);
  ASSERT_EQ(program_.run(small_run("b", {"--quiet", "--chunk", "200"})).code, 0);
  ASSERT_EQ(program_.run(small_run("c", {"--quiet", "--no-prune", "--kernels", "portable"})).code, 0);
  expect_same_results(h5("a"), h5("b"));
  expect_same_results(h5("a"), h5("c"));
}

TEST_F(Cli, TheProbeWatchesAndDoesNotTouch) {
  ASSERT_EQ(program_.run(small_run("with", {"--quiet"})).code, 0);
  Words words = small_run("without", {"--quiet"});
  words[8] = "none";
  ASSERT_EQ(program_.run(words).code, 0);
  const h5::File with = open_run_file(h5("with")), without = open_run_file(h5("without"));
  for (const char* task : {"niah_single_1", "niah_multikey_2"}) {
    const std::string path = std::string("cells/") + task + "/512/answer_ids";
    EXPECT_EQ(with.read_array<int32_t>(path), without.read_array<int32_t>(path));
  }
  EXPECT_FALSE(without.has("cells/niah_single_1/512/select"));
  // Selected blocks ascend, evidence_selected says what blocks says, and rank < slots exactly when selected.
  const h5::Group select = with.open("cells/niah_single_1/512/select");
  int64_t checked = 0, hits = 0;
  for (const char* layer : {"layer_00", "layer_02", "layer_03"}) {
    std::vector<int64_t> shape, other;
    const auto blocks = select.read_array<int32_t>(std::string(layer) + "/blocks", &shape);
    const auto selected = select.read_array<uint8_t>(std::string(layer) + "/evidence_selected", &other);
    const auto rank = select.read_array<int32_t>(std::string(layer) + "/evidence_rank");
    const auto evidence = select.read_array<int32_t>("evidence_block_id");
    const int64_t P = shape[1], H = shape[2], S = shape[3], B = other[3];
    EXPECT_EQ(S, 5);
    for (int64_t i = 0; i < static_cast<int64_t>(selected.size()); ++i) {
      if (selected[static_cast<size_t>(i)] == 255) continue;  // padding: fewer blocks or probes than another sample
      const int64_t row = i / B, sample = row / (P * H);
      const auto begin = blocks.begin() + row * S;
      const int32_t block = evidence[static_cast<size_t>(sample * B + i % B)];
      EXPECT_TRUE(std::is_sorted(begin, begin + S));
      const bool found = std::find(begin, begin + S, block) != begin + S;
      EXPECT_EQ(selected[static_cast<size_t>(i)] == 1, found);
      EXPECT_EQ(rank[static_cast<size_t>(i)] < S, found) << layer << " row " << row;
      ++checked;
      hits += found;
    }
  }
  EXPECT_GT(checked, 100);
  EXPECT_GT(hits, 0);
  EXPECT_LT(hits, checked);
}

TEST_F(Cli, AModelThatSelectsNothingHasNoSelection) {
  const Finished result = program_.run(small_run("a", {"--quiet", "--model", "full-tiny"}));
  ASSERT_EQ(result.code, 0) << result.err;
  EXPECT_EQ(result.out.find("recall"), std::string::npos) << result.out;
  EXPECT_FALSE(open_run_file(h5("a")).has("cells/niah_single_1/512/select"));
  EXPECT_TRUE(open_run_file(h5("a")).has("cells/niah_single_1/512/attention/layer_01/keys"));
}

// Killed at five moments: run.h5 can be opened, and resuming ends with the same results as a run that was left alone.
TEST_F(Cli, KilledAtAnyMomentAndResumedIsTheSame) {
  ASSERT_EQ(program_.run(small_run("whole", {"--quiet"})).code, 0);
  int killed = 0;
  for (int trial = 0; killed < 5 && trial < 50; ++trial) {  // on a slow machine some runs end before they are killed
    const std::string out = "killed" + std::to_string(trial), journal = folder_.file(out) + "/samples.jsonl";
    program_.start(small_run(out, {"--quiet"}));
    // Wait for the journal to reach a size, then a little, so that the moments differ also on a slow machine.
    const auto lines = [&] {
      const std::string text = fs::exists(journal) ? read_bytes(journal) : "";
      return std::count(text.begin(), text.end(), '\n');
    };
    while (!program_.ended() && lines() < trial % 6) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    std::this_thread::sleep_for(std::chrono::milliseconds(5 * (trial % 5)));
    program_.send(SIGKILL);
    killed += program_.wait().code == 128 + SIGKILL;
    if (fs::exists(h5(out))) open_run_file(h5(out));
    const Finished resumed = program_.run(small_run(out, {"--resume"}));
    ASSERT_EQ(resumed.code, 0) << resumed.err;
    expect_same_results(h5("whole"), h5(out));
  }
  EXPECT_EQ(killed, 5);
}

TEST_F(Cli, AnInterruptSavesAndPrintsTheCommandThatGoesOn) {
  Words words = small_run("a");
  words[6] = "400";  // more samples than are ever finished here
  program_.start(words);
  const std::string journal = folder_.file("a") + "/samples.jsonl";
  while (!program_.ended() && (!fs::exists(journal) || fs::file_size(journal) == 0))
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  program_.send(SIGINT);
  const Finished result = program_.wait();
  EXPECT_EQ(result.code, 130) << result.err;
  EXPECT_NE(result.err.find("interrupted; everything is saved. Go on with:\n  "), std::string::npos) << result.err;
  EXPECT_NE(result.err.find(" --resume\n"), std::string::npos) << result.err;
  EXPECT_NE(result.out.find("Incomplete: niah_single_1@512 ("), std::string::npos) << result.out;
  open_run_file(h5("a"));
}

TEST_F(Cli, AnInterruptThatCannotSaveSaysSo) {
  Words words = small_run("a");
  words[6] = "400";
  program_.start(words);
  const std::string journal = folder_.file("a") + "/samples.jsonl";
  while (!program_.ended() && (!fs::exists(journal) || fs::file_size(journal) == 0))
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  fs::rename(h5("a"), folder_.file("moved"));
  fs::create_directories(h5("a") + "/taken");
  program_.send(SIGINT);
  const Finished result = program_.wait();
  EXPECT_EQ(result.code, static_cast<int>(ErrorCode::kIo)) << result.err;
  EXPECT_EQ(result.err.find("everything is saved"), std::string::npos) << result.err;
  EXPECT_NE(result.err.find("run.h5"), std::string::npos) << result.err;
  EXPECT_NE(result.err.find(" --resume\n"), std::string::npos) << result.err;
}

TEST_F(Cli, AFinishedRunGrows) {
  Words words = small_run("grown", {"--quiet", "--resume"});
  ASSERT_EQ(program_.run(words).code, 0);
  words[6] = "4";  // samples
  words[4] = "512,600";
  const Finished grown = program_.run(words);
  ASSERT_EQ(grown.code, 0) << grown.err;
  words[10] = folder_.file("whole");
  ASSERT_EQ(program_.run(words).code, 0);
  expect_same_results(h5("whole"), h5("grown"));
  words[6] = "2";
  words[10] = folder_.file("grown");
  expect_failure(words, ErrorCode::kConfig, {"--resume", "niah_single_1@512", "\"0-3\"", "all samples that it has"});
}

TEST_F(Cli, TheScoreGate) {
  const Words words = {"--task", "niah_single_1", "--len", "512", "--samples", "1", "--quiet"};
  EXPECT_EQ(program_.run(joined(words, {"--min-score", "0"})).code, 0);
  const Finished missed = program_.run(joined(words, {"--min-score", "100"}));
  EXPECT_EQ(missed.code, 1);
  EXPECT_NE(missed.err.find("score gate missed: niah_single_1@512"), std::string::npos) << missed.err;
}

TEST_F(Cli, OutputFormats) {
  const Words words = {"--task", "niah_single_1", "--len", "512", "--samples", "1", "--quiet"};
  EXPECT_EQ(program_.run(joined(words, {"-o", "csv"})).out.substr(0, 11), "model,task,");
  EXPECT_EQ(program_.run(joined(words, {"-o", "md"})).out.substr(0, 7), "| task ");
  EXPECT_TRUE(nlohmann::json::parse(program_.run(joined(words, {"-o", "json"})).out)["results"].contains("niah_single_1"));
}

TEST_F(Cli, ASelectionSwitchChangesTheModelAndIsStored) {
  Words words = small_run("a", {"--quiet", "--topk", "5", "--set", "sparse_config.init_blocks=2"});
  ASSERT_EQ(program_.run(words).code, 0);
  const auto config = nlohmann::json::parse(open_run_file(h5("a")).text("config"));
  EXPECT_EQ(config["model_config"]["sparse_config"]["topk"], 5);
  EXPECT_EQ(config["model_config"]["sparse_config"]["init_blocks"], 2);
  std::vector<int64_t> shape;
  open_run_file(h5("a")).read_array<int32_t>("cells/niah_single_1/512/select/layer_00/blocks", &shape);
  EXPECT_EQ(shape[3], 7);
}

TEST_F(Cli, AConfigFileHoldsFlagsAndTheCommandLineWins) {
  write_bytes(folder_.file("run.toml"),
              "task = [\"niah_single_1\"]\nlen = 512\nsamples = 2\nseed = 7\nquiet = true\n[set.sparse_config]\ntopk = 4\n");
  ASSERT_EQ(program_.run({"--config", folder_.file("run.toml"), "--samples", "1", "--out", folder_.file("a")}).code, 0);
  const auto config = nlohmann::json::parse(open_run_file(h5("a")).text("config"));
  EXPECT_EQ(config["seed"], 7);
  EXPECT_EQ(config["cells"]["niah_single_1@512"], "0");
  EXPECT_EQ(config["model_config"]["sparse_config"]["topk"], 4);
  const auto refused = [&](const std::string& text, ErrorCode code, const std::vector<std::string>& parts) {
    write_bytes(folder_.file("bad.toml"), text);
    expect_failure({"run", "--config", folder_.file("bad.toml")}, code, parts);
  };
  refused("tsk = \"ruler\"", ErrorCode::kUsage, {"bad.toml: 'tsk' is no flag of run", "--task"});
  refused("task = ", ErrorCode::kFormat, {"bad.toml line 1"});
  refused("quiet = 3", ErrorCode::kFormat, {"'quiet' is a switch"});
  refused("[task]\na = 1", ErrorCode::kFormat, {"'task' is a table"});
  expect_failure({"run", "--config", folder_.file("none.toml")}, ErrorCode::kIo, {"none.toml"});
  expect_failure({"run", "--config"}, ErrorCode::kUsage, {"--config"});
}

TEST_F(Cli, MistypedWordsGetNearOnes) {
  expect_failure({"lst"}, ErrorCode::kUsage, {"no command 'lst'", "list"});
  EXPECT_EQ(program_.run({"frobnicate"}).err.find("near it"), std::string::npos);
  const std::string dots = "--set=" + std::string(100000, '.') + "=1";
  const Finished deep = program_.run({"explain", "--no-estimate", dots});
  EXPECT_NE(deep.err.find("is no field"), std::string::npos) << deep.err.substr(0, 300);
  EXPECT_LT(deep.err.size(), 300u);
  const Finished kernels = program_.run({"--task", "vt", "--len", "1k", "--kernels", "fast"});
  EXPECT_NE(kernels.err.find("no kernels 'fast'; there are best"), std::string::npos) << kernels.err;
  EXPECT_EQ(kernels.err.find("find_kernels"), std::string::npos) << kernels.err;
  expect_failure({"--tsk", "ruler"}, ErrorCode::kUsage, {"no flag '--tsk'", "--task"});
  expect_failure({"list", "model"}, ErrorCode::kUsage, {"model"});
  expect_failure({"run", "--task", "niah_single1", "--len", "4k"}, ErrorCode::kUsage, {"niah_single1", "niah_single_1"});
  expect_failure({"run", "--task", "ruler", "--len", "4q"}, ErrorCode::kUsage, {"'4q'"});
  expect_failure({"run", "--task", "ruler", "--len", "4k", "--model", "sala-tny"}, ErrorCode::kUsage,
                 {"no model 'sala-tny'", "sala-tiny"});
  expect_failure({"run", "--task", "ruler", "--len", "4k", "extra"}, ErrorCode::kUsage, {"extra"});
  expect_failure({"run", "--task", "ruler"}, ErrorCode::kUsage, {"--len"});
  EXPECT_EQ(program_.run({}).code, 2);
}

TEST_F(Cli, ImpossibleWishesAreRefusedBeforeAnythingIsWritten) {
  const Words base = {"run", "--task", "niah_single_1", "--len", "4k", "--out", folder_.file("never")};
  const auto refused = [&](const Words& more, ErrorCode code, const std::vector<std::string>& parts) {
    expect_failure(joined(base, more), code, parts);
  };
  refused({"--device", "cuda"}, ErrorCode::kUnsupported, {"device 'cuda'", "no CUDA", "cmake --preset cuda"});
  refused({"--kernels", "fastest"}, ErrorCode::kUsage, {"fastest", "portable"});
  refused({"--mem", "1m"}, ErrorCode::kMemory, {"kv cache", "--mem 1.00 MiB leaves", "--chunk"});
  refused({"--mem", "much"}, ErrorCode::kUsage, {"much"});
  refused({"--len", "100"}, ErrorCode::kUsage, {"100", "too small"});
  refused({"--samples", "nan"}, ErrorCode::kUsage, {"--samples"});
  refused({"--samples", "0"}, ErrorCode::kUsage, {"--samples"});
  refused({"--seed", "-1"}, ErrorCode::kUsage, {"--seed"});
  refused({"--seed", "nan"}, ErrorCode::kUsage, {"--seed"});
  refused({"--threads", "1e9"}, ErrorCode::kUsage, {"--threads"});
  refused({"--chunk", "-5"}, ErrorCode::kUsage, {"--chunk"});
  refused({"--sample", "3-1"}, ErrorCode::kUsage, {"'3-1'"});
  refused({"--sample", "1", "--samples", "1"}, ErrorCode::kUsage, {"either"});
  refused({"--topk", "nan"}, ErrorCode::kConfig, {"sparse_config.topk", "nan"});
  refused({"--block", "7"}, ErrorCode::kConfig, {"block_size"});
  refused({"--set", "sparse_config.tpk=3"}, ErrorCode::kConfig, {"sparse_config.tpk"});
  refused({"--set", "hidden_size=64"}, ErrorCode::kConfig, {"part of the weights"});
  refused({"--set", "topk"}, ErrorCode::kUsage, {"NAME=VALUE"});
  refused({"--dtype", "fp8"}, ErrorCode::kUsage, {"fp8"});
  refused({"--ratio", "2:7"}, ErrorCode::kConfig, {"2:7", "4 layers"});
  refused({"--ratio", "x"}, ErrorCode::kConfig, {"x"});
  refused({"--layers", "SLLSL"}, ErrorCode::kConfig, {"SLLSL has 5 layers", "have 4"});
  refused({"--layers", "SLXS"}, ErrorCode::kConfig, {"'X'"});
  refused({"--pe", "alibi"}, ErrorCode::kUsage, {"alibi", "hype"});
  refused({"--arch", "full", "--pe", "rope"}, ErrorCode::kUsage,
          {"nobody trained", "sala-tiny (--arch sala --ratio 3:1", "[members.mine]",
           "family = \"full, layers FFFF, pe rope\", layers = \"FFFF\", pe = \"rope\"",
           "train/train_members.py --members mine"});
  refused({"--arch", "full", "--model", "sala-tiny"}, ErrorCode::kUsage, {"either"});
  refused({"--model", "./nowhere"}, ErrorCode::kIo, {"./nowhere"});
  refused({"--tokenizer", "nowhere.model"}, ErrorCode::kUsage, {"nowhere.model"});
  EXPECT_FALSE(fs::exists(folder_.file("never")));
}

TEST_F(Cli, DamagedModelFilesAreRefused) {
  const std::string model = folder_.file("model"), weights = model + "/model.safetensors";
  write_random_model(model, random_config(), 3);
  const Words words = {"run", "--task", "niah_single_1", "--len", "512", "--samples", "1", "--model", model, "--quiet"};
  ASSERT_EQ(program_.run(words).code, 0);
  const std::string bytes = read_bytes(weights), config = read_bytes(model + "/config.json");
  write_bytes(weights, bytes.substr(0, bytes.size() / 2));
  expect_failure(words, ErrorCode::kFormat, {"model.safetensors"});
  fs::remove(weights);
  expect_failure(words, ErrorCode::kIo, {"no *.safetensors"});
  write_bytes(weights, bytes);
  write_bytes(model + "/config.json", config.substr(0, 100));
  expect_failure(words, ErrorCode::kFormat, {"config.json"});
  std::string wrong = config;
  wrong.replace(wrong.find("\"vocab_size\": 4096"), 18, "\"vocab_size\": \"xx\"");
  write_bytes(model + "/config.json", wrong);
  expect_failure(words, ErrorCode::kConfig, {"vocab_size"});
  fs::remove(model + "/config.json");
  expect_failure(words, ErrorCode::kIo, {"config.json"});
}

TEST_F(Cli, AFolderThatCannotBeWrittenOrHoldsARunIsRefused) {
  Words words = small_run("a", {"--quiet"});
  ASSERT_EQ(program_.run(words).code, 0);
  expect_failure(words, ErrorCode::kUsage, {"already holds a run", "--resume"});
  expect_failure(joined(words, {"--seed", "7", "--resume"}), ErrorCode::kConfig, {"'seed' is 7 now and was 42"});
  const Finished again = program_.run(joined(words, {"--resume"}));
  EXPECT_EQ(again.code, 0) << again.err;
  words[10] = "/proc/nowhere";
  expect_failure(words, ErrorCode::kIo, {"/proc/nowhere"});
  words[10] = "/dev/null";
  expect_failure(words, ErrorCode::kIo, {"/dev/null"});
}

TEST_F(Cli, AFullDiskIsSaidAndNothingIsLost) {
  ASSERT_EQ(program_.run(small_run("whole", {"--quiet"})).code, 0);
  program_.largest_file = 12000;
  expect_failure(small_run("a", {"--quiet"}), ErrorCode::kIo, {"cannot write", "--resume"});
  program_.largest_file = RLIM_INFINITY;
  ASSERT_EQ(program_.run(small_run("a", {"--quiet", "--resume"})).code, 0);
  expect_same_results(h5("whole"), h5("a"));
  program_.standard_output = "/dev/full";
  const Finished result = program_.run(small_run("b", {"--quiet"}));
  EXPECT_EQ(result.code, static_cast<int>(ErrorCode::kIo)) << result.err;
}

TEST_F(Cli, HelpOfEveryCommandShowsAnExample) {
  for (const char* command :
       {"run", "list", "explain", "score", "logits", "bench", "generate", "compare", "plot", "paper", "halo"}) {
    const Finished result = program_.run({command, "--help"});
    EXPECT_EQ(result.code, 0);
    EXPECT_NE(result.out.find("Example:"), std::string::npos) << command;
    EXPECT_NE(result.out.find(std::string("sala_eval ") + command), std::string::npos) << command;
  }
  EXPECT_NE(program_.run({"--help"}).out.find("explain"), std::string::npos);
  EXPECT_EQ(program_.run({"--version"}).out.substr(0, 10), "sala_eval ");
}

TEST_F(Cli, TheManualNamesEveryFlag) {
  const std::string page = read_bytes(std::string(SALA_SOURCE_DIR) + "/docs/cli.md");
  const std::map<std::string, int64_t> least = {{"run", 25}, {"score", 10}};
  for (const auto& [command, count] : least) {
    const std::string section = page.substr(page.find("\n## " + command + "\n"));
    const std::string help = program_.run({command, "--help"}).out;
    int64_t flags = 0;
    for (size_t at = help.find("  --"); at != std::string::npos; at = help.find("  --", at + 1)) {
      const std::string flag = help.substr(at + 2, help.find_first_of(" ,\n", at + 2) - at - 2);
      EXPECT_NE(section.find(flag), std::string::npos) << command << " " << flag;
      ++flags;
    }
    EXPECT_GT(flags, count);
  }
}

// Every dataset and attribute of a real file stands in docs/file_formats.md.
TEST_F(Cli, TheSchemaPageNamesEveryDataset) {
  ASSERT_EQ(program_.run(small_run("a", {"--quiet"})).code, 0);
  const std::string page = read_bytes(std::string(SALA_SOURCE_DIR) + "/docs/file_formats.md");
  const h5::File file = open_run_file(h5("a"));
  for (const char* path : {"cells/niah_single_1/512", "cells/niah_single_1/512/select",
                           "cells/niah_single_1/512/select/layer_00", "provenance/timing/niah_single_1/512"})
    for (const std::string& name : file.open(path).children()) {
      if (name.substr(0, 6) == "layer_") continue;
      EXPECT_TRUE(page.find("`" + name + "`") != std::string::npos || page.find("/" + name + "`") != std::string::npos)
          << path << " " << name;
    }
}

TEST_F(Cli, ListsComeFromTheRegistries) {
  const std::map<std::string, std::vector<std::string>> expected = {
      {"tasks", {"niah_multiquery", "mrcr_8"}},
      {"models", {"sala-tiny", "3:1", "9,477,203,968", "needle", "train_members.py"}},
      {"mixers", {"minicpm4", "lightning-attn", "full-attn"}},
      {"posencs", {"hype", "yarn"}},
      {"kernels", {"ref", "portable", "yes (best)"}},
      {"config", {"sparse_config.topk", "required"}}};
  for (const auto& [what, names] : expected) {
    const Finished result = program_.run({"list", what});
    EXPECT_EQ(result.code, 0);
    for (const std::string& name : names) EXPECT_NE(result.out.find(name), std::string::npos) << what << " " << name;
  }
  const Finished bare = program_.run({"list"});
  EXPECT_EQ(bare.code, 0);
  for (const auto& [what, names] : expected) EXPECT_NE(bare.out.find("\n" + what + " "), std::string::npos) << bare.out;
}

TEST_F(Cli, ExplainPlansAndEstimates) {
  const Finished result = program_.run({"explain", "--len", "4k,1000k"});
  EXPECT_EQ(result.code, 0) << result.err;
  EXPECT_NE(result.out.find("selection: 5 blocks of 16 tokens a query"), std::string::npos) << result.out;
  EXPECT_NE(result.out.find("normalised over the coarse (approximate) compressed keys, every query selects"),
            std::string::npos);
  EXPECT_NE(result.out.find("of one layer with its FFN, at 1,000,000 tokens"), std::string::npos) << result.out;
  EXPECT_NE(result.out.find("1000k   1,000,000"), std::string::npos) << result.out;
  EXPECT_NE(result.out.find("Times are estimates"), std::string::npos) << result.out;
  EXPECT_NE(result.out.find("Memory at 1000000 tokens: weights"), std::string::npos) << result.out;
  const Finished shape = program_.run({"explain", "--model", "9b-shape", "--len", "128k"});
  EXPECT_EQ(shape.code, 0) << shape.err;
  EXPECT_NE(shape.out.find("9,477,203,968 parameters"), std::string::npos) << shape.out;
  EXPECT_NE(shape.out.find("Measured 20"), std::string::npos) << shape.out;
  EXPECT_NE(shape.out.find("  ~ "), std::string::npos) << shape.out;
  EXPECT_NE(program_.run({"explain", "--len", "4k", "--no-estimate"}).out.find("No estimate of time: --no-estimate"),
            std::string::npos);
}

TEST_F(Cli, LogitsWritesWhatItIsAskedFor) {
  write_bytes(folder_.file("ids.txt"), "1 17 250\n9 4095\t3 77\n");
  const std::string out = folder_.file("out.safetensors");
  const Words words = {"logits", "--ids", folder_.file("ids.txt"), "--out", out, "--hidden", "--selected", "--rows", "0"};
  ASSERT_EQ(program_.run(words).code, 0);
  const auto file = SafetensorsFile::open(out);
  EXPECT_EQ(file.ints("ids"), (std::vector<int64_t>{1, 17, 250, 9, 4095, 3, 77}));
  EXPECT_EQ(file.find("logits")->shape, (std::vector<int64_t>{7, 4096}));
  EXPECT_EQ(file.find("hidden.embedding")->shape, (std::vector<int64_t>{7, 40}));
  EXPECT_EQ(file.find("hidden.3")->shape, (std::vector<int64_t>{7, 40}));
  EXPECT_EQ(file.find("selected.3")->shape, (std::vector<int64_t>{2, 7, 5}));
  EXPECT_EQ(file.find("selected.1"), nullptr) << "layer 1 is linear";
  const std::vector<float> all = file.floats("logits");
  ASSERT_EQ(program_.run({"logits", "--ids", out, "--out", folder_.file("last.safetensors")}).code, 0);
  const std::vector<float> last = SafetensorsFile::open(folder_.file("last.safetensors")).floats("logits");
  EXPECT_EQ(last, std::vector<float>(all.end() - 4096, all.end()));
}

TEST_F(Cli, LogitsRefusesWrongIds) {
  const auto refused = [&](const std::string& text, ErrorCode code, const std::vector<std::string>& parts) {
    write_bytes(folder_.file("ids.txt"), text);
    expect_failure({"logits", "--ids", folder_.file("ids.txt"), "--out", folder_.file("out")}, code, parts);
  };
  refused("1 2 4096", ErrorCode::kShape, {"4096", "place 2"});
  refused("1 -2", ErrorCode::kShape, {"-2"});
  refused("1 two", ErrorCode::kFormat, {"'two'"});
  refused("1 nan", ErrorCode::kFormat, {"'nan'"});
  refused("", ErrorCode::kFormat, {"no ids"});
  expect_failure({"logits", "--ids", "/nowhere", "--out", "x"}, ErrorCode::kIo, {"/nowhere"});
}

TEST_F(Cli, GenerateWorksInsideToo) {
  const Finished result = program_.run({"generate", "--task", "niah_single_1", "--len", "512", "--samples", "1",
                                        "--tokenizer", models_->path() + "/tokenizer.model"});
  EXPECT_EQ(result.code, 0) << result.err;
  EXPECT_EQ(nlohmann::json::parse(result.out)["length"],
            nlohmann::json::parse(result.out)["prompt_tokens"].get<int64_t>() + 128);
}

}  // namespace
}  // namespace sala::eval
