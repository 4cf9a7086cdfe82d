// Which model the flags --arch, --ratio, --layers and --pe choose.
#include <gtest/gtest.h>

#include <filesystem>

#include "tests/eval/random_model.h"
#include "tests/eval/subprocess.h"

namespace sala::eval {
namespace {

namespace fs = std::filesystem;
class ModelChoiceCli : public testing::Test {
 protected:
  void SetUp() override {
    write_random_family(models_.path());
    program_.environment["SALA_MODELS"] = models_.path();
  }
  void expect_failure(const Words& words, ErrorCode code, const std::vector<std::string>& parts) {
    expect_refused(program_, words, code, parts);
  }

  const TemporaryFolder models_, folder_;
  Program program_{folder_.path()};
};

TEST_F(ModelChoiceCli, TheFamilyMemberIsChosenByHowItWasTrained) {
  const Words base = {"explain", "--no-estimate", "--len", "4k"};
  EXPECT_EQ(program_.run(joined(base, {"--arch", "full"})).out.substr(0, 15), "full-tiny: full");
  EXPECT_EQ(program_.run(joined(base, {"--ratio", "3:1"})).out.substr(0, 15), "sala-tiny: sala");
  EXPECT_EQ(program_.run(joined(base, {"--layers", "SLSS", "--pe", "nope"})).code, 2);
  EXPECT_EQ(program_.run(joined(base, {"--layers", "SLSS", "--pe", "hype"})).code, 0);
}

TEST_F(ModelChoiceCli, AMemberWhoseWeightsAreNotHereComesWithTheCommandThatTrainsIt) {
  write_bytes(models_.file("family.toml"),
              "[members.sala-tiny]\nlayers = \"SLSS\"\npe = \"hype\"\nfamily = \"x\"\n[members.rope-tiny]\nbase = "
              "\"sala-tiny\"\npe = \"rope\"\n[members.keep-tiny]\nbase = \"sala-tiny\"\nlayers = "
              "\"LLLL\"\n[members.odd-tiny]\nbase = \"sala-tiny\"\nlayers = \"LLSL\"\n");
  const auto refused = [&](const Words& more, const std::vector<std::string>& parts) {
    expect_failure(joined({"explain", "--no-estimate"}, more), ErrorCode::kUsage, parts);
  };
  refused({"--pe", "rope"}, {"rope-tiny are not here; `train/train_members.py --members rope-tiny --recipe"});
  refused({"--arch", "linear"}, {"keep-tiny are not here", "--members keep-tiny ", "near it: sala-tiny"});
  refused({"--ratio", "1:3"}, {"odd-tiny are not here"});  // one softmax layer: no ratio's map, but described
  refused({"--model", "rope-tiny"}, {"rope-tiny are not here", "--members rope-tiny "});
  refused({"--pe", "nope"},
          {"nobody trained", "described but not here: rope-tiny, keep-tiny, odd-tiny", "layers = \"SLSS\", pe = \"nope\""});
  refused({"--ratio", "1:1", "--pe", "nope"}, {"layers = \"SLLS\", pe = \"nope\""});
  const std::string list = program_.run({"list", "models"}).out;
  EXPECT_NE(list.find("to be trained"), std::string::npos) << list;
  EXPECT_EQ(list.find("sala-tiny"), list.rfind("sala-tiny")) << "one row for a member that is here: " << list;
  // Wishes that contradict each other are no member that could be trained.
  const Finished impossible = program_.run({"explain", "--arch", "full", "--layers", "SLLS"});
  EXPECT_EQ(impossible.err.find("[members.mine]"), std::string::npos) << impossible.err;
}

// Of the family as train/family.toml describes it, six members being here: what the flags say is what is taken, or it is
// refused by its name.
TEST_F(ModelChoiceCli, FlagsNeverChooseAnotherMemberBecauseTheRightOneIsNotHere) {
  const TemporaryFolder six;
  const fs::path source = SALA_SOURCE_DIR;
  for (const char* name : {"sala-tiny", "nope-tiny", "rope-tiny", "linear-tiny", "dense-tiny", "full-tiny"})
    fs::create_directory_symlink(source / "models" / name, six.file(name));
  fs::copy(source / "models" / "tokenizer.model", six.file("tokenizer.model"));
  fs::copy(source / "train" / "family.toml", six.file("family.toml"));
  program_.environment["SALA_MODELS"] = six.path();
  const Words base = {"explain", "--no-estimate", "--len", "4k"};
  const std::vector<std::pair<Words, std::string>> absent = {
      {{"--layers", "uniform"}, "uniform-tiny"}, {{"--layers", "halo"}, "halo-tiny"},
      {{"--ratio", "1:0"}, "ratio-1-0-tiny"},    {{"--arch", "sparse"}, "ratio-1-0-tiny"},
      {{"--ratio", "1:3"}, "ratio-1-3-tiny"},    {{"--layers", "SLSLLSLS"}, "ratio-1-1-tiny"},
      {{"--pe", "reverse"}, "reverse-tiny"},     {{"--arch", "full", "--pe", "nope"}, "full-nope-tiny"}};
  for (const auto& [flags, name] : absent)
    expect_failure(joined(base, flags), ErrorCode::kUsage, {"the weights of " + name + " are not here", "near it: "});
  expect_failure(joined(base, {"--ratio", "1:0"}), ErrorCode::kUsage, {"near it: full-tiny (--arch full --ratio 1:0"});
  expect_failure(joined(base, {"--layers", "uniform", "--arch", "full"}), ErrorCode::kUsage, {"nobody trained"});
  expect_failure(joined(base, {"--ratio", "1:0", "--pe", "rope"}), ErrorCode::kUsage, {"nobody trained"});
  const std::vector<std::pair<Words, std::string>> present = {
      {{"--arch", "full"}, "full-tiny"},         {{"--arch", "linear"}, "linear-tiny"},
      {{"--arch", "full-linear"}, "dense-tiny"}, {{"--layers", "FFFFFFFF"}, "full-tiny"},
      {{"--ratio", "0:1"}, "linear-tiny"},       {{"--ratio", "3:5"}, "sala-tiny"},
      {{"--pe", "rope"}, "rope-tiny"},           {{"--pe", "nope"}, "nope-tiny"}};
  for (const auto& [flags, name] : present) {
    const Finished done = program_.run(joined(base, flags));
    EXPECT_EQ(done.out.substr(0, name.size() + 2), name + ": ") << done.err;
  }
}

TEST_F(ModelChoiceCli, ADescribedMemberThatIsBrokenIsRefusedAndOneOfSeveralOwnModelsIsNamed) {
  fs::copy(models_.file("full-tiny"), models_.file("mine-tiny"));
  expect_failure({"explain", "--no-estimate", "--arch", "full"}, ErrorCode::kUsage, {"several models fit", "mine-tiny"});
  write_bytes(models_.file("family.toml"), "[members.full-tiny]\nlayers = \"FFFF\"\npe = \"rope\"\nfamily = \"x\"\n");
  EXPECT_EQ(program_.run({"explain", "--no-estimate", "--len", "4k", "--arch", "full"}).out.substr(0, 10), "full-tiny:");
  write_bytes(models_.file("full-tiny/config.json"), "{");
  expect_failure({"explain", "--no-estimate", "--arch", "full"}, ErrorCode::kConfig, {"full-tiny", "config.json"});
}

}  // namespace
}  // namespace sala::eval
