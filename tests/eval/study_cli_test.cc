// `sala_eval compare`, `paper`, `halo`, `plot` and `explain --on` as a user meets them.
#include <gtest/gtest.h>

#include <algorithm>

#include "sala/core/error.h"
#include "tests/eval/random_model.h"
#include "tests/eval/subprocess.h"

namespace sala::eval {
namespace {

class StudyCli : public testing::Test {
 protected:
  void refused(const std::vector<std::string>& words, ErrorCode code, const std::vector<std::string>& parts) {
    const Finished result = program_.run(words);
    EXPECT_EQ(result.code, static_cast<int>(code)) << result.err;
    EXPECT_EQ(std::count(result.err.begin(), result.err.end(), '\n'), 1) << result.err;
    for (const std::string& part : parts) EXPECT_NE(result.err.find(part), std::string::npos) << result.err;
  }
  const TemporaryFolder folder_;
  Program program_{folder_.path()};
};

TEST_F(StudyCli, ResultsAreCompared) {
  const std::string before = R"({"id":"ruler/vt@4096#0!42","task":"vt","length":4096,"index":0,"score":)";
  write_bytes(folder_.file("a.jsonl"), before + "1}\n");
  write_bytes(folder_.file("b.jsonl"), before + "0.5}\n");
  const Finished result = program_.run({"compare", folder_.file("a.jsonl"), folder_.file("b.jsonl"), "-o", "csv"});
  EXPECT_EQ(result.code, 0) << result.err;
  EXPECT_EQ(result.out.substr(0, result.out.find('\n')),
            "task,length,n,A,B,A - B,95% interval,bootstrap 95%,better,worse,sign test p");
  EXPECT_NE(result.out.find("\nvt,4096,1,100.0,50.0,50.0,"), std::string::npos) << result.out;
  refused({"compare", folder_.file("a.jsonl"), "nowhere"}, ErrorCode::kIo, {"there is no nowhere"});
  refused({"compare", folder_.file("a.jsonl"), folder_.file("b.jsonl"), "--task", "qa_1"}, ErrorCode::kUsage,
          {"share no sample"});
}

TEST_F(StudyCli, ThePaperIsShown) {
  for (const char* what : {"table1", "table2", "table3", "table4", "fig2", "fig3"})
    EXPECT_EQ(program_.run({"paper", what}).code, 0) << what;
  refused({"paper", "table4", "--family", "huge"}, ErrorCode::kUsage, {"no table has scores of sala-huge"});
  refused({"paper", "table4", "nowhere.csv"}, ErrorCode::kIo, {"nowhere.csv"});
}

TEST_F(StudyCli, LayersAreChosen) {
  EXPECT_NE(program_.run({"halo", "--model", "hypenet-2b"}).out.find("The published configuration has the same."),
            std::string::npos);
  refused({"halo", "--model", "hypenet-3b"}, ErrorCode::kUsage, {"no model 'hypenet-3b'", "near it: hypenet-2b"});
  refused({"halo", "--model", "sala-tiny"}, ErrorCode::kUsage, {"a layer becomes linear by training", "train/convert.py"});
  refused({"halo", folder_.path()}, ErrorCode::kIo, {"halo.json is missing"});
  write_bytes(folder_.file("halo.json"), R"({"original": [1, 1], "replaced": [[1, 0], [0.5, 1]], "kept": [0]})");
  const Finished member = program_.run({"halo", folder_.path(), "--keep", "1"});
  EXPECT_NE(member.out.find("softmax attention stays in 1 of 2 layers: 0. The conversion kept the same."), std::string::npos)
      << member.out << member.err;
}

TEST_F(StudyCli, ExplainServesAModel) {
  std::vector<std::string> words = {"explain", "--model", "9b-shape", "--len", "128k", "--no-estimate", "--on", "rtx5090"};
  const Finished served = program_.run(words);
  EXPECT_NE(served.out.find("Served by a RTX5090, one sequence:"), std::string::npos) << served.out << served.err;
  words.back() = "abacus";
  const Finished unknown = program_.run(words);
  EXPECT_EQ(unknown.code, static_cast<int>(ErrorCode::kIo));
  EXPECT_NE(unknown.err.find("configs/devices/abacus.toml is missing"), std::string::npos) << unknown.err;
}

TEST_F(StudyCli, PlotHandsItsErrorsOn) {
  const Finished result = program_.run({"plot", "curves", "nowhere", "--out", folder_.file("figure")});
  EXPECT_NE(result.code, 0);
  EXPECT_NE(result.err.find("plot: error [usage] there is no nowhere"), std::string::npos) << result.err;
}

}  // namespace
}  // namespace sala::eval
