// What a sweep's file means, how cells are named, divided and read.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <numeric>

#include "eval/spec/cell_result.h"
#include "eval/spec/plan.h"
#include "eval/spec/plan_file.h"
#include "eval/store/directory.h"
#include "eval/store/h5.h"
#include "eval/sweep/claim.h"
#include "eval/sweep/folder.h"
#include "eval/sweep/sweep_file.h"
#include "eval/sweep/table.h"
#include "eval/util/files.h"
#include "sala/core/error.h"
#include "tests/sim/model/small_model.h"

namespace sala::eval {
namespace {

const std::vector<AxisFlag> kFlags = {{"len"}, {"topk"}, {"task"}, {"model"}, {"exact-lse", false}, {"set"}};

SweepFile parse(const std::string& text) {
  const TemporaryFolder folder;
  write_bytes(folder.file("grid.toml"), text);
  return read_sweep_file(folder.file("grid.toml"), kFlags);
}

std::string refusal(const std::string& text) {
  try {
    parse(text);
  } catch (const Error& problem) {
    return problem.what();
  }
  return "";
}

TEST(SweepFile, IsTheProductOfItsListsOnTopOfFixed) {
  const SweepFile file = parse(
      "[fixed]\ntask = ['a', 'b']\n[grid]\ntopk = [8, 12]\nlen = ['4k', 8192]\n"
      "[[include]]\nmodel = 'm'\nset.sparse_config.topk = [1, 2]\nexact-lse = true\n");
  EXPECT_EQ(file.name, "grid");
  const std::vector<Settings> wanted = {
      {{"task", "a,b"}, {"len", "4k"}, {"topk", "8"}},
      {{"task", "a,b"}, {"len", "4k"}, {"topk", "12"}},
      {{"task", "a,b"}, {"len", "8192"}, {"topk", "8"}},
      {{"task", "a,b"}, {"len", "8192"}, {"topk", "12"}},
      {{"task", "a,b"}, {"model", "m"}, {"set.sparse_config.topk", "1"}, {"exact-lse", "true"}},
      {{"task", "a,b"}, {"model", "m"}, {"set.sparse_config.topk", "2"}, {"exact-lse", "true"}}};
  EXPECT_EQ(file.combinations, wanted);
  const std::vector<std::string> words = {"--exact-lse", "--model=m", "--set=sparse_config.topk=2", "--task=a,b"};
  EXPECT_EQ(words_of(file.combinations.back(), kFlags), words);
}

TEST(SweepFile, ASwitchThatIsFalseIsNoWord) {
  EXPECT_TRUE(words_of(parse("[grid]\nexact-lse = [true, false]\n").combinations[1], kFlags).empty());
}

TEST(SweepFile, NamesWhatIsWrong) {
  EXPECT_NE(refusal("[grid]\ntopkk = [1]\n").find("near it: topk"), std::string::npos);
  EXPECT_NE(refusal("[grit]\ntopk = [1]\n").find("near it: grid"), std::string::npos);
  EXPECT_NE(refusal("[grid]\ntopk = []\n").find("has no values"), std::string::npos);
  EXPECT_NE(refusal("[grid]\n").find("the sweep is empty"), std::string::npos);
  EXPECT_NE(refusal("grid = 3\n").find("is no table"), std::string::npos);
  EXPECT_NE(refusal("[grid]\ntopk = [[1]]\n").find("neither text"), std::string::npos);
  EXPECT_NE(refusal("[grid]\nexact-lse = ['yes']\n").find("is a switch"), std::string::npos);
  EXPECT_NE(refusal("[grid]\ntopk = 1\n[include]\ntopk = 2\n").find("no list of tables"), std::string::npos);
  EXPECT_NE(refusal("[grid]\ntopk = 1\n[[exclude]]\nlen = '4k'\n").find("no cell of the sweep says"), std::string::npos);
  EXPECT_NE(refusal("[grid]\ntopk = 1\n[[exclude]]\n").find("would exclude all"), std::string::npos);
  EXPECT_NE(refusal("[grid]\ntopk = 1\n[slurm]\npartitoin = 'x'\n").find("near it: partition"), std::string::npos);
  EXPECT_NE(refusal("[grid]\ntopk = 1\n[slurm]\ntime = \"1\\n2\"\n").find("more than one line"), std::string::npos);
  EXPECT_NE(refusal("[grid]\ntopk = 1\n[slurm]\ncpus = 0\n").find("no whole number from 1"), std::string::npos);
  EXPECT_NE(refusal("[grid\n").find("this is no TOML"), std::string::npos);
}

TEST(SweepFile, ProductsThatAreTooLargeAreRefusedBeforeTheyAreMade) {
  std::string values = "0";
  for (int i = 1; i < 1000; ++i) values += fmt::format(",{}", i);
  EXPECT_NE(refusal(fmt::format("[grid]\ntopk=[{0}]\nlen=[{0}]\ntask=[{0}]\n", values)).find("more than"),
            std::string::npos);
}

SweepCell cell_of(const nlohmann::ordered_json& plan) {
  SweepCell cell;
  cell.name = cell_name(plan);
  cell.words = {"--model=m", "--task=niah_single_1", "--len=4096"};
  cell.task = "niah_single_1";
  cell.group = "ruler";
  cell.length = 4096;
  cell.samples = {0, 1, 2};
  cell.seed = "18446744073709551615";
  cell.model = {{"model", "m"}, {"topk", "8"}};
  cell.asked = {{"mode", "fixed"}};
  cell.versions = {{"weights", "0123"}};
  cell.memory_bytes = 5;
  cell.flops_a_sample = 1.5e9;
  return cell;
}

nlohmann::ordered_json plan_of(const std::string& samples) {
  return {{"schema", kRunSchema}, {"model", "m"}, {"cells", {{"niah_single_1@4096", samples}}}};
}

TEST(SweepCell, NameIsOfAllButTheSamples) {
  EXPECT_EQ(cell_name(plan_of("0-2")), cell_name(plan_of("0-9")));
  nlohmann::ordered_json other = plan_of("0-2");
  other["model"] = "n";
  EXPECT_NE(cell_name(other), cell_name(plan_of("0-2")));
  EXPECT_EQ(cell_name(other).size(), 16u);
}

TEST(SweepCell, SurvivesItsFile) {
  const TemporaryFolder path;
  const SweepFolder folder(path.path());
  const SweepCell cell = cell_of(plan_of("0"));
  folder.write({"one", "[grid]\n", {cell}});
  const std::vector<Sweep> sweeps = folder.read();
  ASSERT_EQ(sweeps.size(), 1u);
  EXPECT_EQ(sweeps[0].text, "[grid]\n");
  EXPECT_EQ(to_json(sweeps[0].cells.at(0)), to_json(cell));
  const std::string file = folder.file("sweeps/one.json");
  std::string text = read_file(file);
  text.replace(text.find("4096"), 4, "4097");
  write_bytes(file, text);
  EXPECT_THROW(folder.read(), Error);
}

TEST(SweepCell, TwoSweepsAskForItOnce) {
  SweepCell a = cell_of(plan_of("0")), b = a, refused = a;
  b.samples = {2, 7};
  refused.name = "";
  refused.refusal = "[usage] no weights";
  const std::vector<SweepCell> cells = all_cells({{"x", "", {refused}}, {"y", "", {a}}, {"z", "", {b}}});
  ASSERT_EQ(cells.size(), 1u);
  EXPECT_EQ(cells[0].samples, (std::vector<int64_t>{0, 1, 2, 7}));
  EXPECT_TRUE(cells[0].refusal.empty());
}

TEST(SweepCell, TheHashOfAListIsOfItsCellsAndSamples) {
  const SweepCell a = cell_of(plan_of("0")), same = a;
  SweepCell more = a, costly = a, refused = a;
  more.samples.push_back(9);
  costly.memory_bytes *= 2;  // of another machine
  refused.name = "";
  EXPECT_EQ(cells_hash({a}), cells_hash({costly}));
  for (const auto& other : std::vector<std::vector<SweepCell>>{{}, {more}, {refused}, {a, refused}, {refused, a}})
    EXPECT_NE(cells_hash({a}), cells_hash(other));
  EXPECT_NE(cells_hash({a, refused}), cells_hash({refused, a}));
}

TEST(Pack, PartsAreAboutEqualAndHoldAll) {
  std::vector<double> costs;
  for (int i = 0; i < 100; ++i) costs.push_back(1 + i * i % 37);
  const auto packs = pack(costs, 7);
  ASSERT_EQ(packs.size(), 7u);
  std::vector<std::size_t> all;
  double most = 0, least = 1e9;
  for (const auto& part : packs) {
    double sum = 0;
    for (const std::size_t item : part) sum += costs[item];
    most = std::max(most, sum);
    least = std::min(least, sum);
    EXPECT_TRUE(std::is_sorted(part.begin(), part.end(), [&](auto x, auto y) { return costs[x] > costs[y]; }));
    all.insert(all.end(), part.begin(), part.end());
  }
  EXPECT_LE(most - least, *std::max_element(costs.begin(), costs.end()));
  std::sort(all.begin(), all.end());
  std::vector<std::size_t> wanted(costs.size());
  std::iota(wanted.begin(), wanted.end(), std::size_t{0});
  EXPECT_EQ(all, wanted);
  EXPECT_EQ(pack({1, 2}, 4).size(), 4u);  // some are empty
}

TEST(ShardText, IsOneOfN) {
  EXPECT_EQ(parse_shard("2/8").index, 2);
  EXPECT_EQ(parse_shard("8/8").count, 8);
  for (const char* wrong : {"", "0/8", "9/8", "2", "2/", "/2", "2/8x", "-1/2", "1/0", "99999999999999999999/2"})
    EXPECT_THROW(parse_shard(wrong), Error) << wrong;
}

std::string line_of(int64_t index, double score, double reached) {
  SampleRecord record;
  record.task = "niah_single_1";
  record.length = 4096;
  record.index = index;
  record.id = fmt::format("ruler/niah_single_1@4096#{}!42", index);
  record.score = score;
  record.answer = "x";
  record.expected = {"x"};
  record.figures = {{"recall", 0.5}, {"reached", reached}};
  record.timing = {1, 2, 3};
  return sealed(to_line(record)) + "\n";
}

// The run of a cell with what is in its journal.
class State : public testing::Test {
 protected:
  CellState read(const std::string& journal, bool whole = true) {
    std::filesystem::create_directories(run());
    write_plan_file(run() + "/run.json", {"2026-01-01T00:00:00Z", plan_of("0-2")});
    write_bytes(run() + "/samples.jsonl", journal);
    if (whole) write_bytes(run() + "/run.h5", "");
    return folder_.state(cell_);
  }
  std::string run() const { return folder_.cell_folder(cell_); }

  TemporaryFolder path_;
  SweepFolder folder_{path_.path()};
  SweepCell cell_ = cell_of(plan_of("0-2"));
};

TEST_F(State, FollowsTheJournal) {
  EXPECT_EQ(folder_.state(cell_).status, CellStatus::kPending);
  EXPECT_EQ(read(line_of(1, 1, 1) + line_of(9, 1, 1) + "{\"torn").status, CellStatus::kPartial);
  EXPECT_EQ(folder_.state(cell_).records.size(), 1u);
  EXPECT_EQ(folder_.state(cell_).others, std::vector<int64_t>{9});
  const std::string all = line_of(0, 1, 1) + line_of(1, 0, 0.5) + line_of(2, 0, 1);
  EXPECT_EQ(read(all).status, CellStatus::kDone);
  std::filesystem::remove(run() + "/run.h5");
  EXPECT_EQ(folder_.state(cell_).status, CellStatus::kPartial) << "run.h5 is still to be made";
}

TEST_F(State, DamageIsNamed) {
  std::string changed = line_of(0, 1, 1);
  changed[changed.find("4096")] = '5';
  EXPECT_EQ(read(line_of(1, 1, 1) + changed).status, CellStatus::kDamaged);
  EXPECT_NE(folder_.state(cell_).error.find("samples.jsonl line 2"), std::string::npos) << folder_.state(cell_).error;
  EXPECT_EQ(read(line_of(1, 1, 1) + line_of(1, 1, 1)).status, CellStatus::kDamaged);
  read(line_of(1, 1, 1));
  nlohmann::ordered_json other = plan_of("0-2");
  other["model"] = "n";
  write_plan_file(run() + "/run.json", {"2026-01-01T00:00:00Z", other});
  EXPECT_NE(folder_.state(cell_).error.find("another run"), std::string::npos);
  write_bytes(run() + "/run.json", "{");
  EXPECT_EQ(folder_.state(cell_).status, CellStatus::kDamaged);
}

TEST_F(State, AFailureStaysUntilTheCellIsDone) {
  read(line_of(0, 1, 1));
  folder_.set_error(cell_, "[memory] too large");
  EXPECT_EQ(folder_.state(cell_).status, CellStatus::kFailed);
  EXPECT_EQ(folder_.state(cell_).error, "[memory] too large");
  EXPECT_EQ(read(line_of(0, 1, 1) + line_of(1, 0, 1) + line_of(2, 0, 1)).status, CellStatus::kDone);
}

// A sweep that was killed may leave a run that ends a little later.
TEST_F(State, ARunThatIsStillWrittenMayBeTriedAgain) {
  const RunPlan plan;
  folder_.write({"one", "", {cell_}});
  const RunDirectory holder = RunDirectory::begin(path_.file("run"), plan, "now");
  try {
    RunDirectory::resume(path_.file("run"), plan, "now");
    FAIL() << "it is in use";
  } catch (const Error& problem) {
    folder_.set_error(cell_, error_sentence(problem));
  }
  EXPECT_EQ(folder_.state(cell_).status, CellStatus::kFailed);
  EXPECT_TRUE(may_pass(folder_.state(cell_))) << folder_.state(cell_).error;
  folder_.set_error(cell_, "[usage] topk is 0");
  EXPECT_FALSE(may_pass(folder_.state(cell_)));
}

TEST_F(State, TheTableHasARowForEachCell) {
  std::filesystem::create_directories(run());
  write_bytes(
      run() + "/summary.json",
      R"({"sala": {"provenance": {"expected_prefill_seconds": "1.5", "planned_bytes": "700", "peak_bytes": "650"}}})");
  const CellState done = read(line_of(0, 1, 1) + line_of(1, 0, 0.5) + line_of(2, 0.5, 1));
  SweepCell refused = cell_;
  refused.name = "";
  refused.refusal = "[usage] no weights, or \"none\"";
  const Interval interval = wilson_interval(0.5, 3);
  const Table table = cells_table({cell_, refused}, {done, folder_.state(refused)});
  EXPECT_EQ(csv_view(table),
            "cell,status,error,model,topk,mode,task,group,length,seed,samples,n,score,low,high,recall,reached,empty,unread,"
            "unused,weights,prefill_seconds,decode_seconds,expected_prefill_seconds,planned_bytes,peak_bytes\n" +
                cell_.name + ",done,,m,8,fixed,niah_single_1,ruler,4096,18446744073709551615,3,3,0.5," +
                fmt::format("{},{}", interval.low, interval.high) +
                ",0.5,0.8333333333333334,0,0.3333333333333333,0.3333333333333333,0123,6,9,1.5,700,650\n"
                ",refused,\"[usage] no weights, or \"\"none\"\"\",m,8,fixed,niah_single_1,ruler,4096,18446744073709551615,"
                "3,0,,,,,,,,,0123,,,,,\n");
  write_cells_h5(table, path_.file("cells.h5"));
  const h5::File file = h5::File::load(path_.file("cells.h5"));
  std::vector<std::string> names = table.head;
  names.emplace_back("row");
  std::sort(names.begin(), names.end());
  EXPECT_EQ(file.children(), names);
  EXPECT_EQ(file.read_texts("cell"), (std::vector<std::string>{cell_.name, ""}));
  EXPECT_EQ(file.read_texts("error").at(1), refused.refusal);
  EXPECT_EQ(file.read_texts("seed").at(0), "18446744073709551615");
  EXPECT_EQ(file.read_array<double>("topk"), (std::vector<double>{8, 8}));
  EXPECT_EQ(file.read_array<double>("low").at(0), interval.low);
  EXPECT_TRUE(std::isnan(file.read_array<double>("score").at(1)));
  EXPECT_EQ(file.read_array<double>("n"), (std::vector<double>{3, 0}));
}

}  // namespace
}  // namespace sala::eval
