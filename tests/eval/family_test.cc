// What the program knows of train/family.toml and of training.json.
#include "eval/spec/family.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <map>

#include "eval/spec/training_record.h"
#include "tests/sim/model/small_model.h"

namespace sala::eval {
namespace {

const std::string kSource = SALA_SOURCE_DIR;

TEST(Family, MembersAreThoseThatWereTrained) {
  std::map<std::string, ModelEntry> planned;
  for (const ModelEntry& entry : planned_members(kSource + "/train/family.toml")) planned[entry.name] = entry;
  EXPECT_GE(planned.size(), 16u);
  int64_t compared = 0;
  for (const auto& folder : std::filesystem::directory_iterator(kSource + "/models")) {
    const auto found = planned.find(folder.path().filename().string());
    if (found == planned.end()) continue;
    const ModelConfig config = ModelConfig::load((folder.path() / "config.json").string());
    const ModelEntry& entry = found->second;
    EXPECT_EQ(entry.config.mixer_types, config.mixer_types) << entry.name;
    EXPECT_EQ(position_policy(entry.config), position_policy(config)) << entry.name;
    EXPECT_EQ(entry.config.sala_lab.family, config.sala_lab.family) << entry.name;
    EXPECT_TRUE(entry.planned && !entry.random() && !entry.has_weights);
    ++compared;
  }
  EXPECT_GE(compared, 3);
}

TEST(Family, FieldsComeFromTheBase) {
  const TemporaryFolder folder;
  write_bytes(
      folder.file("family.toml"),
      "[members.b]\nbase = \"a\"\npe = \"rope\"\nfamily = \"second\"\n[members.a]\nlayers = \"SLLF\"\npe = \"hype\"\nfamily "
      "= \"first\"\n[members.c]\nbase = \"b\"\nlayers = \"LLLL\"\n");
  const auto members = planned_members(folder.file("family.toml"));
  ASSERT_EQ(members.size(), 3u);
  EXPECT_EQ(members[0].name, "b");  // the order of the file
  EXPECT_EQ(layer_map_string(members[0].config.mixer_types), "SLLF");
  EXPECT_EQ(position_policy(members[0].config), "rope");
  EXPECT_EQ(members[0].config.sala_lab.family, "second");
  EXPECT_EQ(layer_map_string(members[2].config.mixer_types), "LLLL");
  EXPECT_EQ(position_policy(members[2].config), "rope");
  EXPECT_EQ(members[2].architecture(), "linear");
}

TEST(Family, WrongFilesNameTheMember) {
  const TemporaryFolder folder;
  const auto refused = [&](const std::string& text, ErrorCode code, const std::vector<std::string>& parts) {
    write_bytes(folder.file("family.toml"), text);
    expect_error(code, parts, [&] { planned_members(folder.file("family.toml")); });
  };
  refused("[members.a]\nlayers = ", ErrorCode::kFormat, {"family.toml line 2"});
  refused("members = 3", ErrorCode::kConfig, {"no table 'members'"});
  refused("[members.a]\npe = \"hype\"", ErrorCode::kConfig, {"'a'", "no 'layers'"});
  refused("[members.a]\nbase = \"z\"", ErrorCode::kConfig, {"'a'", "'z'"});
  refused("[members.a]\nbase = \"b\"\n[members.b]\nbase = \"a\"", ErrorCode::kConfig, {"its own base"});
  refused("[members.a]\nlayers = \"SX\"\npe = \"hype\"", ErrorCode::kConfig, {"'a'", "'X'"});
  refused("[members.a]\nlayers = \"SL\"\npe = \"alibi\"", ErrorCode::kConfig, {"'a'", "alibi"});
  expect_error(ErrorCode::kIo, {"nowhere"}, [] { planned_members("/nowhere/family.toml"); });
}

TEST(Training, TokensAddUpAndTheLongestRowsCount) {
  const TemporaryFolder folder;
  EXPECT_FALSE(read_training(folder.path()).has_value());
  EXPECT_FALSE(read_training("").has_value());
  const auto figures = [](double exact, double values, double tokens) {
    return "{\"exact\": " + std::to_string(exact) + ", \"values\": " + std::to_string(values) +
           ", \"tokens\": " + std::to_string(tokens) + "}";
  };
  write_bytes(
      folder.file("training.json"),
      "{\"tokens\": 30, \"before\": {\"tokens\": 500, \"before\": {\"tokens\": 7, \"before\": null}}, \"validation\": {"
      "\"niah_single_1_8192\": " +
          figures(0, 1, 0) + ", \"niah_multikey_3_8192\": " + figures(0, 0.5, 0) + ", \"niah_single_1_512\": " +
          figures(0, 0, 0) + ", \"vt_8192\": " + figures(0, 0, 0.25) + ", \"qa_1_8192\": " + figures(0.5, 0, 0) +
          ", \"qa_2_8192\": " + figures(0, 0, 0) + ", \"other_8192\": " + figures(1, 1, 1) + "}}");
  const auto record = read_training(folder.path());
  ASSERT_TRUE(record.has_value());
  EXPECT_EQ(record->problem, "");
  EXPECT_EQ(record->tokens, 537);
  EXPECT_EQ(record->length, 8192);
  EXPECT_EQ(record->scores, (std::vector<std::pair<std::string, double>>{{"needle", 0.75}, {"vt", 0.25}, {"qa", 0.25}}));
}

TEST(Training, DamagedFilesSayWhatIsWrong) {
  const TemporaryFolder folder;
  const std::map<std::string, std::string> cases = {{"", "training.json"},
                                                    {"[]", "no JSON object"},
                                                    {"{\"tokens\": \"x\"}", "tokens"},
                                                    {"{\"tokens\": 9000000000000000000}", "at most"},
                                                    {"{\"tokens\": 1, \"before\": {}}", "tokens"},
                                                    {"{\"tokens\": 1, \"validation\": 3}", "validation"},
                                                    {"{\"tokens\": 1, \"validation\": {\"vt_8192\": 3}}", "tokens"},
                                                    {std::string(100000, '{'), "training.json"}};
  for (const auto& [text, part] : cases) {
    write_bytes(folder.file("training.json"), text);
    const auto record = read_training(folder.path());
    ASSERT_TRUE(record.has_value());
    EXPECT_NE(record->problem.find(part), std::string::npos) << text.substr(0, 50) << ": " << record->problem;
    EXPECT_TRUE(record->scores.empty());
  }
}

}  // namespace
}  // namespace sala::eval
