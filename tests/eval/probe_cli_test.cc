// What the program records of attention and hidden states, with small random models.
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>

#include "eval/store/run_file.h"
#include "sala/model/safetensors.h"
#include "tests/eval/random_model.h"
#include "tests/eval/subprocess.h"

namespace sala::eval {
namespace {

class ProbeCli : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    models_ = new TemporaryFolder;
    write_random_family(models_->path());
  }
  static void TearDownTestSuite() { delete models_; }
  void SetUp() override { program_.environment["SALA_MODELS"] = models_->path(); }

  static const TemporaryFolder* models_;
  const TemporaryFolder folder_;
  Program program_{folder_.path()};
};
const TemporaryFolder* ProbeCli::models_ = nullptr;

// Attention adds up, evidence is part of what is read, and the layers are the model's.
TEST_F(ProbeCli, AttentionAndHiddenStatesOfTheAnswer) {
  ASSERT_EQ(
      program_
          .run({"run", "--task", "niah_single_1", "--len", "512", "--samples", "3", "--quiet", "--out", folder_.file("a")})
          .code,
      0);
  const h5::File file = open_run_file(folder_.file("a") + "/run.h5");
  const h5::Group cell = file.open("cells/niah_single_1/512"), attention = cell.open("attention");
  EXPECT_FALSE(attention.has("layer_01")) << "a linear layer has no attention";
  std::vector<int64_t> shape;
  const auto positions = attention.read_array<int64_t>("probe_position");
  EXPECT_EQ(positions, cell.open("select").read_array<int64_t>("probe_position"));
  for (const std::string layer : {"layer_00", "layer_02", "layer_03"}) {
    const auto array = [&](const char* name) { return attention.read_array<double>(layer + "/" + name, &shape); };
    const auto keys = array("keys"), start = array("start_mass"), sink = array("sink_mass"), mass = array("evidence_mass"),
               entropy = array("entropy"), logit = array("evidence_logit");
    int64_t seen = 0;
    for (size_t i = 0; i < keys.size(); ++i) {
      EXPECT_EQ(std::isnan(keys[i]), positions[i / static_cast<size_t>(shape[2])] < 0);
      if (std::isnan(keys[i])) continue;
      EXPECT_GT(keys[i], 0);
      EXPECT_LE(keys[i], 5 * 64);
      EXPECT_LE(0, sink[i]);
      EXPECT_LE(sink[i], start[i]);
      EXPECT_LE(start[i], 1 + 1e-9);
      EXPECT_LE(entropy[i], std::log(keys[i]) + 1e-9);
      EXPECT_EQ(mass[i] > 0, !std::isnan(logit[i]));
      ++seen;
    }
    EXPECT_GT(seen, 0);
  }
  const h5::Group hidden = cell.open("hidden");
  const auto layers = hidden.read_array<int64_t>("layer");
  EXPECT_EQ(layers.front(), -1);
  EXPECT_EQ(layers.back(), static_cast<int64_t>(layers.size()) - 2);
  const auto largest = hidden.read_array<double>("largest", &shape), median = hidden.read_array<double>("median");
  for (size_t i = 0; i < largest.size(); ++i) EXPECT_GT(largest[i], median[i]);
}

TEST_F(ProbeCli, ALinearModelHasHiddenStatesAndNoAttention) {
  write_random_model(models_->path() + "/linear-tiny", random_config("LLLL"), 3);
  ASSERT_EQ(program_
                .run({"run", "--task", "niah_single_1", "--len", "512", "--samples", "2", "--quiet", "--model",
                      "linear-tiny", "--out", folder_.file("linear")})
                .code,
            0);
  const h5::File file = open_run_file(folder_.file("linear") + "/run.h5");
  const h5::Group cell = file.open("cells/niah_single_1/512");
  EXPECT_FALSE(cell.has("attention"));
  EXPECT_FALSE(cell.has("select"));
  EXPECT_EQ(cell.open("hidden").read_array<double>("largest").size(), 10u) << "two samples, embedding and four layers";
}

// Two rows of seven tokens: the query before the last one does not see the last key.
TEST_F(ProbeCli, LogitsWritesAttentionOfTheLastRows) {
  write_bytes(folder_.file("ids.txt"), "1 17 250 9 4095 3 77");
  const std::string out = folder_.file("out.safetensors");
  ASSERT_EQ(program_.run({"logits", "--ids", folder_.file("ids.txt"), "--out", out, "--attention", "--rows", "2"}).code, 0);
  const auto file = SafetensorsFile::open(out);
  EXPECT_EQ(file.find("attention.1"), nullptr) << "layer 1 is linear";
  EXPECT_EQ(file.find("selected.3"), nullptr);
  const auto* entry = file.find("attention.3");
  ASSERT_NE(entry, nullptr);
  ASSERT_EQ(entry->shape[0], 2);
  ASSERT_EQ(entry->shape[2], 7);
  const std::vector<float> rows = file.floats("attention.3");
  for (size_t i = 0; i < rows.size(); ++i) EXPECT_EQ(std::isinf(rows[i]), i < rows.size() / 2 && i % 7 == 6) << i;
}

// Three softmax layers x 4 heads x 900 x 900 floats, and the writer's copy: 78 MB beside a session of some MiB.
TEST_F(ProbeCli, LogitsCountsWhatItWritesAgainstMem) {
  std::string ids;
  for (int i = 0; i < 900; ++i) ids += std::to_string(3 + i) + " ";
  write_bytes(folder_.file("ids.txt"), ids);
  const std::string out = folder_.file("out.safetensors");
  // What the program itself takes depends on the build; --mem leaves 42 MiB and some.
  const std::string beside = program_.run({"logits", "--ids", folder_.file("ids.txt"), "--out", out, "--mem", "1m"}).err;
  const size_t own_at = beside.find("leaves, beside ");
  ASSERT_NE(own_at, std::string::npos) << beside;
  const int64_t own = std::stoll(beside.substr(own_at + 15)) + 1;
  const Words words = {"logits", "--ids", folder_.file("ids.txt"),        "--out",
                       out,      "--mem", std::to_string(own + 42) + "m", "--rows"};
  expect_refused(program_, joined(words, {"0", "--attention"}), ErrorCode::kMemory, {"900 rows", "MiB leaves", "--rows"});
  EXPECT_FALSE(std::filesystem::exists(out));
  // What the refusal offers fits, some more do not.
  const std::string text = program_.run(joined(words, {"0", "--attention"})).err, before = "at most --rows ";
  const size_t at = text.find(before);
  ASSERT_NE(at, std::string::npos) << text;
  const int64_t most = std::stoll(text.substr(at + before.size()));
  ASSERT_GT(most, 1);
  ASSERT_LT(most + 100, 900);
  expect_refused(program_, joined(words, {std::to_string(most + 100), "--attention"}), ErrorCode::kMemory, {"--rows"});
  EXPECT_EQ(program_.run(joined(words, {std::to_string(most), "--attention"})).code, 0);
  EXPECT_EQ(SafetensorsFile::open(out).find("attention.0")->shape, (std::vector<int64_t>{most, 4, 900}));
  // Logits and hidden states of all rows are as large for a larger vocabulary.
  EXPECT_EQ(program_.run(joined(words, {"900"})).code, 0);
  expect_refused(program_, joined(joined(words, {"900"}), {"--mem", std::to_string(own + 20) + "m"}), ErrorCode::kMemory,
                 {"at most --rows "});
}

}  // namespace
}  // namespace sala::eval
