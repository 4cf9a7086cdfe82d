// A checkpoint as Hugging Face's tools write it, used as its own files say.
#include <gtest/gtest.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "sim/mixers/softmax_fields.h"
#include "tests/eval/random_model.h"
#include "tests/eval/subprocess.h"

namespace sala::eval {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;
const std::string kTokenizers = std::string(SALA_SOURCE_DIR) + "/tests/data/tokenizers/";

ModelConfig qwen3_config() {
  ModelConfig config;
  config.model_type = "qwen3";
  config.vocab_size = 1000;
  config.hidden_size = 32;
  config.intermediate_size = 48;
  config.num_hidden_layers = 2;
  config.num_attention_heads = 2;
  config.head_dim = 16;
  config.rope_theta = 1e6;
  config.bos_token_id = 1;
  config.eos_token_id = {5};
  config.own<SoftmaxFields>().attn_use_rope = config.own<SoftmaxFields>().attn_qk_norm = true;
  config.resolve();
  return config;
}

class Checkpoint : public testing::Test {
 protected:
  void SetUp() override {
    program_.environment["OMP_WAIT_POLICY"] = "passive";
    write_random_model(model_, qwen3_config(), 1);
    Json config = Json::parse(qwen3_config().to_json());
    config.erase("sala_lab");
    write("config.json", config);
    fs::copy_file(kTokenizers + "byte_level.json", model_ + "/tokenizer.json");
  }
  void write(const std::string& name, const Json& content) { write_bytes(model_ + "/" + name, content.dump()); }
  Json read(const std::string& name) const { return Json::parse(read_bytes(model_ + "/" + name)); }
  // The plan of a run that has to succeed.
  Json plan(const Words& more = {}) {
    const std::string out = folder_.file("run" + std::to_string(runs_++));
    result_ = program_.run(joined({"run", "--model", model_, "--task", "niah_single_1", "--len", "1k", "--samples", "1",
                                   "--probe", "none", "--out", out},
                                  more));
    EXPECT_EQ(result_.code, 0) << result_.err;
    return result_.code == 0 ? Json::parse(read_bytes(out + "/run.json"))["plan"] : Json();
  }
  void refused(ErrorCode code, const std::vector<std::string>& parts, const Words& more = {}) {
    expect_refused(program_,
                   joined({"run", "--model", model_, "--task", "niah_single_1", "--len", "1k", "--samples", "1"}, more),
                   code, parts);
  }
  // post_processor that puts `before` in front of a text and `after` behind it.
  void post_process(const std::vector<std::string>& before, const std::vector<std::string>& after) {
    Json tokenizer = read("tokenizer.json"), single = Json::array(), special = Json::object();
    const auto add = [&](const std::string& name) {
      single.push_back({{"SpecialToken", {{"id", name}, {"type_id", 0}}}});
      special[name] = {{"id", name}, {"ids", {name == "<|im_end|>" ? 702 : 701}}, {"tokens", {name}}};
    };
    for (const std::string& name : before) add(name);
    single.push_back({{"Sequence", {{"id", "A"}, {"type_id", 0}}}});
    for (const std::string& name : after) add(name);
    tokenizer["post_processor"] = {
        {"type", "TemplateProcessing"}, {"single", single}, {"pair", single}, {"special_tokens", special}};
    write("tokenizer.json", tokenizer);
  }

  const TemporaryFolder folder_;
  const std::string model_ = folder_.file("model");
  Program program_{folder_.path()};
  Finished result_;
  int runs_ = 0;
};

TEST_F(Checkpoint, TokenizerPrefixAndStopsAreItsOwn) {
  const Json own = plan();
  EXPECT_EQ(own["tokenizer"], "bpe");
  EXPECT_EQ(own["tokenizer_hash"], plan({"--tokenizer", model_})["tokenizer_hash"]);
  EXPECT_EQ(own["prefix_ids"], Json::array()) << "tokenizer.json adds none, whatever bos_token_id is";
  EXPECT_EQ(own["model_config"]["eos_token_id"], Json({5}));
  EXPECT_EQ(result_.out.find("family"), std::string::npos) << result_.out;
  EXPECT_EQ(plan({"--set", "bos_token_id=3"})["prefix_ids"], Json({3}));

  post_process({"<|im_start|>"}, {});
  EXPECT_EQ(plan()["prefix_ids"], Json({701}));
  write("tokenizer_config.json", {{"add_bos_token", false}, {"bos_token", nullptr}});
  EXPECT_EQ(plan()["prefix_ids"], Json({701}));
  EXPECT_NE(result_.err.find("add_bos_token false"), std::string::npos) << result_.err;
  post_process({}, {"<|im_end|>"});
  refused(ErrorCode::kUnsupported, {"<|im_end|>", "after every text"});
}

TEST_F(Checkpoint, StopsComeFromGenerationConfigThenConfigThenTokenizerConfig) {
  write("generation_config.json", {{"eos_token_id", {702, 700, 702}}, {"temperature", 0.6}});
  EXPECT_EQ(plan()["model_config"]["eos_token_id"], Json({702, 700}));
  EXPECT_EQ(plan({"--set", "eos_token_id=9"})["model_config"]["eos_token_id"], Json({9}));
  write("generation_config.json", {{"eos_token_id", 3}});
  EXPECT_EQ(plan()["model_config"]["eos_token_id"], Json({3}));
  write("generation_config.json", {{"eos_token_id", 3}, {"repetition_penalty", 1.3}, {"num_beams", 1}});
  plan();
  EXPECT_NE(result_.err.find("generation_config.json: repetition_penalty not used"), std::string::npos) << result_.err;
  write("generation_config.json", {{"eos_token_id", 1000}});
  refused(ErrorCode::kConfig, {"generation_config.json", "1000"});
  write("generation_config.json", {{"eos_token_id", "x"}});
  refused(ErrorCode::kConfig, {"generation_config.json", "eos_token_id"});
  write("generation_config.json", {{"eos_token_id", nullptr}});
  EXPECT_EQ(plan()["model_config"]["eos_token_id"], Json({5}));
  Json config = read("config.json");
  config.erase("eos_token_id");
  write("config.json", config);
  write("tokenizer_config.json", {{"eos_token", {{"content", "<|im_end|>"}, {"lstrip", false}}}});
  EXPECT_EQ(plan()["model_config"]["eos_token_id"], Json({702}));
  fs::remove(model_ + "/tokenizer_config.json");
  EXPECT_EQ(plan()["model_config"]["eos_token_id"], Json::array());
  EXPECT_NE(result_.err.find("no file names a stop id"), std::string::npos) << result_.err;
}

TEST_F(Checkpoint, ASentencePieceModelHasItsBosUnlessTheFolderSaysOtherwise) {
  Json config = Json::parse(random_config("F").to_json());
  config.erase("sala_lab");
  write_random_model(model_, random_config("F"), 2);
  config["sala_lab"] = {{"attn_qk_norm", true}};
  write("config.json", config);
  fs::remove(model_ + "/tokenizer.json");
  fs::copy_file(std::string(SALA_SOURCE_DIR) + "/models/tokenizer.model", model_ + "/tokenizer.model");
  EXPECT_EQ(plan()["prefix_ids"], Json({1}));
  write("tokenizer_config.json", {{"add_bos_token", false}});
  EXPECT_EQ(plan()["prefix_ids"], Json::array());
  write("tokenizer_config.json", {{"bos_token", "<nothing>"}});
  refused(ErrorCode::kConfig, {"<nothing>"});
  write("tokenizer_config.json", {{"add_eos_token", true}});
  refused(ErrorCode::kUnsupported, {"add_eos_token"});
  write("tokenizer_config.json", {{"added_tokens_decoder", {{"4096", {{"content", "<|im_end|>"}}}}}});
  refused(ErrorCode::kUnsupported, {"<|im_end|>", "4096"});
  write("tokenizer_config.json", {{"add_bos_token", "yes"}});
  refused(ErrorCode::kFormat, {"add_bos_token", "yes"});
  write_bytes(model_ + "/tokenizer_config.json", "[");
  refused(ErrorCode::kFormat, {"tokenizer_config.json", "JSON"});
}

TEST_F(Checkpoint, WithoutATokenizerItIsRefusedAndOnlyTheFamilyFallsBack) {
  fs::remove(model_ + "/tokenizer.json");
  refused(ErrorCode::kIo, {"has no tokenizer.json or tokenizer.model", "--tokenizer"});
  refused(ErrorCode::kIo, {"neither tokenizer.json nor tokenizer.model"}, {"--tokenizer", model_});
  fs::create_symlink("tokenizer.model", model_ + "/tokenizer.model");
  refused(ErrorCode::kIo, {"tokenizer.model"});
  fs::remove(model_ + "/tokenizer.model");
  write_random_model(model_, random_config("F"), 2);
  EXPECT_EQ(plan()["tokenizer"], "sentencepiece");
  EXPECT_NE(result_.out.find("this project's family"), std::string::npos) << result_.out;
}

TEST_F(Checkpoint, LogitsSaysWhatItIgnoresAndRopeSpellingsAgree) {
  write_bytes(folder_.file("ids"), "1 5 9 700 3 44 2 17");
  const auto logits = [&](const Json& config) {
    write("config.json", config);
    const Finished result =
        program_.run({"logits", "--model", model_, "--ids", folder_.file("ids"), "--out", folder_.file("logits")});
    EXPECT_EQ(result.code, 0) << result.err;
    result_ = result;
    return read_bytes(folder_.file("logits"));
  };
  Json flat = read("config.json"), nested = flat;
  nested.erase("rope_theta");
  nested.erase("rope_scaling");
  const std::string theta10000 = logits(nested);
  nested["rope_parameters"] = {{"rope_theta", 1e6}, {"rope_type", "default"}};
  EXPECT_EQ(logits(nested), logits(flat));
  EXPECT_NE(logits(flat), theta10000);
  EXPECT_EQ(result_.err, "");
  flat["wings"] = 2;
  flat["\x1b]0;owned\x07\n"] = 1;
  for (int i = 0; i < 2000; ++i) flat["k" + std::to_string(i)] = 1;
  logits(flat);
  EXPECT_NE(result_.err.find("config.json: '?]0;owned? ', 'k0', 'k1', 'k10', 'k100' and 1997 more mean nothing here\n"),
            std::string::npos)
      << result_.err;
}

}  // namespace
}  // namespace sala::eval
