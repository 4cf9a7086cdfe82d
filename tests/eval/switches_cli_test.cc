// Switches at evaluation through the program: what they change, how results say so, what is refused.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <sstream>

#include "eval/store/run_file.h"
#include "sim/mixers/softmax_fields.h"
#include "tests/eval/random_model.h"
#include "tests/eval/run_files.h"
#include "tests/eval/subprocess.h"

namespace sala::eval {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

class Switches : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    models_ = new TemporaryFolder;
    write_random_family(models_->path());
    ModelConfig config = random_config("LLLL");
    write_random_model(models_->path() + "/linear-tiny", config, 3);
    config = random_config("FLLF");
    config.own<SoftmaxFields>().attn_use_rope = true;
    config.sala_lab.train_length = 256;
    write_random_model(models_->path() + "/rope-tiny", config, 4);
  }
  static void TearDownTestSuite() { delete models_; }
  void SetUp() override { program_.environment["SALA_MODELS"] = models_->path(); }
  Words words(const std::string& out, const Words& more = {}) const {
    return joined({"run", "--task", "niah_single_1,niah_multikey_2", "--len", "512", "--samples", "3", "--quiet", "--out",
                   folder_.file(out)},
                  more);
  }
  Finished run(const std::string& out, const Words& more = {}) {
    const Finished result = program_.run(words(out, more));
    EXPECT_EQ(result.code, 0) << result.err;
    return result;
  }
  std::string h5(const std::string& out) const { return folder_.file(out) + "/run.h5"; }
  Json summary(const std::string& out) const { return Json::parse(read_bytes(folder_.file(out) + "/summary.json")); }

  static const TemporaryFolder* models_;
  const TemporaryFolder folder_;
  Program program_{folder_.path()};
};
const TemporaryFolder* Switches::models_ = nullptr;

// Selected evidence blocks, and those of them that are read anyway: block 0 and the query's own three.
struct Counts {
  int64_t all = 0, selected = 0, forced = 0;
};
Counts count_evidence(const std::string& path) {
  Counts counts;
  const h5::Group cell = open_run_file(path).open("cells/niah_multikey_2/512/select");
  const auto position = cell.read_array<int64_t>("probe_position");
  const auto evidence = cell.read_array<int32_t>("evidence_block_id");
  for (const char* layer : {"layer_00", "layer_02", "layer_03"}) {
    std::vector<int64_t> shape;
    const auto selected = cell.read_array<uint8_t>(std::string(layer) + "/evidence_selected", &shape);
    const int64_t P = shape[1], H = shape[2], B = shape[3];
    for (int64_t i = 0; i < static_cast<int64_t>(selected.size()); ++i) {
      if (selected[static_cast<size_t>(i)] == 255) continue;  // padding
      const int64_t sample = i / (P * H * B), probe = i / (H * B) % P;
      const int64_t block = evidence[static_cast<size_t>(sample * B + i % B)];
      const int64_t own = position[static_cast<size_t>(sample * P + probe)] / 16;
      counts.all += 1;
      counts.selected += selected[static_cast<size_t>(i)];
      counts.forced += block == 0 || block >= own - 2;
    }
  }
  return counts;
}

TEST_F(Switches, TheOracleReadsMoreEvidenceAndTheAdversaryOnlyWhatIsForced) {
  std::map<std::string, Counts> counts;
  for (const char* select : {"learned", "oracle", "adversary", "random"}) {
    run(select, {"--select", select});
    counts[select] = count_evidence(h5(select));
    EXPECT_EQ(counts[select].all, counts["learned"].all);
  }
  EXPECT_EQ(counts["adversary"].selected, counts["adversary"].forced);
  EXPECT_LT(counts["adversary"].selected, counts["learned"].selected);
  EXPECT_GT(counts["oracle"].selected, counts["learned"].selected);
  EXPECT_GT(counts["random"].selected, counts["adversary"].selected);
  EXPECT_LT(counts["random"].selected, counts["oracle"].selected);
}

TEST_F(Switches, AScoreSaysWhoSelected) {
  const Finished plain = run("plain"), table = run("a", {"--select", "oracle"});
  EXPECT_EQ(plain.out.find("select"), plain.out.find("selected.\nreached")) << "a plain table has no heading";
  EXPECT_EQ(table.out.substr(0, 23), "Selection by an oracle:");
  EXPECT_NE(table.out.find("belong to sala-tiny[select=oracle]"), std::string::npos) << table.out;
  EXPECT_EQ(read_bytes(folder_.file("a") + "/summary.md").substr(0, 23), "Selection by an oracle:");
  const Json summary = this->summary("a");
  EXPECT_EQ(summary["sala"]["plan"]["select"], "oracle");
  EXPECT_EQ(summary["config"]["model_args"], "sala-tiny[select=oracle]");
  EXPECT_EQ(summary["results"]["niah_single_1"]["alias"], "niah_single_1 [select=oracle]");
  EXPECT_EQ(this->summary("plain")["results"]["niah_single_1"]["alias"], "niah_single_1");
  EXPECT_EQ(Json::parse(open_run_file(h5("a")).text("config"))["select"], "oracle");
  EXPECT_EQ(open_run_file(h5("a")).open("cells/niah_single_1/512").text("select"), "oracle");
  EXPECT_EQ(open_run_file(h5("plain")).open("cells/niah_single_1/512").text("select"), "learned");
  const Finished csv = run("b", {"--select", "random", "--topk", "4", "-o", "csv"});
  EXPECT_NE(csv.out.find("\nsala-tiny[select=random],niah_single_1,"), std::string::npos) << csv.out;
  EXPECT_NE(csv.out.find(",\"select=random; sparse_config.topk=4 (was 3)\"\n"), std::string::npos) << csv.out;
  const std::string journal = read_bytes(folder_.file("a") + "/samples.jsonl");
  EXPECT_NE(journal.find("\"select\":\"oracle\""), std::string::npos);
  EXPECT_EQ(read_bytes(folder_.file("plain") + "/samples.jsonl").find("\"select\":"), std::string::npos);
  const Finished scored = program_.run({"score", folder_.file("a") + "/samples.jsonl"});
  EXPECT_NE((scored.out + scored.err).find("answered with --select oracle"), std::string::npos) << scored.out << scored.err;
  const Finished explained = program_.run({"explain", "--no-estimate", "--len", "512", "--select", "adversary"});
  EXPECT_NE(explained.out.find("\nSelection by an adversary:"), std::string::npos) << explained.out << explained.err;
  program_.run({"--task", "niah_single_1", "--len", "512", "--sample", "3", "--quiet", "--select", "random"});
  EXPECT_TRUE(fs::exists(folder_.path() + "/results/runs/niah_single_1-512-sala-tiny-random/run.h5"));
}

TEST_F(Switches, PoliciesHaveTheSameBytesForThreadsChunksAndResuming) {
  for (const Words& policy : {Words{"--select", "oracle"},
                              {"--select", "adversary", "--select-per", "block"},
                              {"--select", "random", "--exact-lse"}}) {
    const std::string name = policy[1];
    run(name, joined(policy, {"--threads", "1"}));
    run(name + "3", joined(policy, {"--threads", "3", "--chunk", "100", "--no-prune"}));
    expect_same_results(h5(name), h5(name + "3"));
    const std::string journal = folder_.file(name + "3") + "/samples.jsonl", lines = read_bytes(journal);
    write_bytes(journal, lines.substr(0, lines.find('\n', lines.find('\n') + 1) + 9));  // two samples and a torn line
    run(name + "3", joined(policy, {"--resume"}));
    expect_same_results(h5(name), h5(name + "3"));
  }
  expect_refused(program_, words("oracle", {"--resume"}), ErrorCode::kConfig,
                 {"'select' is \"learned\" now and was \"oracle\""});
}

TEST_F(Switches, EachIsSetRecordedAndShown) {
  struct Item {
    std::string model;
    Words flags;
    std::string switched;  // as the heading shows it
  };
  const std::vector<Item> items = {
      {"sala-tiny", {"--exact-lse"}, "sala_lab.exact_lse=true (was false)"},
      {"sala-tiny", {"--select-per", "block"}, "sala_lab.select_per=\"block\" (was \"token\")"},
      {"sala-tiny", {"--logit-scaling", "hype 50"}, "sala_lab.attn_logits_scaling=\"hype 50\" (was null)"},
      {"full-tiny", {"--logit-scaling", "1.5"}, "sala_lab.attn_logits_scaling=1.5 (was null)"},
      {"linear-tiny", {"--decay-scale", "0"}, "sala_lab.decay_scale=0.0 (was 1.0)"},
      {"rope-tiny",
       {"--yarn", "4"},
       "rope_scaling={\"rope_type\":\"yarn\",\"factor\":4.0,\"original_max_position_embeddings\":256"}};
  int64_t at = 0;
  for (const Item& item : items) {
    const Words flags = joined({"--model", item.model, "--task", "niah_single_1"}, item.flags);
    const std::string plain = "plain" + std::to_string(at), out = "out" + std::to_string(at++);
    run(plain, {"--model", item.model, "--task", "niah_single_1"});
    const Finished table = run(out, flags);
    std::string words = table.out;  // lines may break at any space
    std::replace(words.begin(), words.end(), '\n', ' ');
    EXPECT_NE(words.find("Switched after training: " + item.switched), std::string::npos) << table.out;
    const auto answers = [&](const std::string& of) {
      return open_run_file(h5(of)).read_array<int32_t>("cells/niah_single_1/512/answer_ids");
    };
    EXPECT_NE(answers(out), answers(plain)) << item.switched << " changes something";
    const Json switches = summary(out)["sala"]["plan"]["switches"];
    ASSERT_EQ(switches.size(), 1u);
    EXPECT_EQ(switches[0].get<std::string>().find(item.switched), 0u);
    EXPECT_TRUE(summary(plain)["sala"]["plan"]["switches"].empty());
    const Finished explained = program_.run(joined({"explain", "--no-estimate", "--model", item.model}, item.flags));
    EXPECT_NE(explained.out.find("switched after training: " + item.switched), std::string::npos) << explained.out;
  }
  const Json config = summary("out" + std::to_string(at - 1))["sala"]["plan"]["model_config"];
  EXPECT_EQ(config["rope_scaling"]["original_max_position_embeddings"], 256);
}

// Prompts leave room for the answer: where dense_len lies between the longest prompt and the length, no policy changes
// anything, and where it lies between two prompts, one sample would stop the run.
TEST_F(Switches, PoliciesAreCheckedAgainstThePromptsBeforeTheFolderIsMade) {
  run("own", {"--task", "niah_multikey_2", "--threads", "1"});
  std::vector<int64_t> tokens;  // with BOS, in the order of the plan: one thread has no samples side by side
  std::istringstream journal(read_bytes(folder_.file("own") + "/samples.jsonl"));
  for (std::string line; std::getline(journal, line);)
    tokens.push_back(Json::parse(line)["prompt_tokens"].get<int64_t>() + 1);
  const auto [shortest, longest] = std::minmax_element(tokens.begin(), tokens.end());
  ASSERT_LT(*longest, 512);
  ASSERT_LT(*shortest, tokens[0]) << "a later sample is the shorter one";
  for (const char* select : {"oracle", "random"}) {
    for (const int64_t dense : {int64_t{513}, int64_t{512}, tokens[0] + 1, tokens[0]})
      expect_refused(
          program_, words("never", {"--task", "niah_multikey_2", "--select", select, "--dense-len", std::to_string(dense)}),
          ErrorCode::kUsage, {fmt::format("--select {}", select), fmt::format("shorter than {} tokens dense", dense)});
    EXPECT_FALSE(fs::exists(folder_.file("never")));
    run(select, {"--task", "niah_multikey_2", "--select", select, "--dense-len", std::to_string(*shortest)});
  }
}

TEST_F(Switches, WhatWouldChangeNothingIsRefused) {
  const auto refused = [&](const Words& more, ErrorCode code, const std::vector<std::string>& parts) {
    expect_refused(program_, words("never", more), code, parts);
  };
  for (const char* select : {"oracle", "adversary", "random"})
    refused({"--model", "full-tiny", "--select", select}, ErrorCode::kUsage,
            {std::string("--select ") + select, "full-tiny has no layer that selects blocks", "FFFF"});
  refused({"--select", "oracle", "--dense-len", "9999"}, ErrorCode::kUsage,
          {"shorter than 9999 tokens dense", "--dense-len 0"});
  refused({"--select", "clairvoyant"}, ErrorCode::kUsage, {"clairvoyant", "oracle"});
  refused({"--select-per", "row"}, ErrorCode::kConfig, {"select_per", "\"row\"", "token", "block"});
  for (const Words& flag : {Words{"--topk", "4"},
                            {"--block", "32"},
                            {"--window", "64"},
                            {"--init-blocks", "2"},
                            {"--dense-len", "0"},
                            {"--exact-lse"},
                            {"--select-per", "block"}})
    refused(joined({"--model", "linear-tiny"}, flag), ErrorCode::kUsage,
            {flag[0] + ": linear-tiny has no layer that selects blocks"});
  refused({"--model", "linear-tiny", "--logit-scaling", "2"}, ErrorCode::kUsage, {"--logit-scaling", "no softmax layer"});
  refused({"--model", "rope-tiny", "--logit-scaling", "2"}, ErrorCode::kUsage, {"RoPE on its softmax layers", "--set"});
  refused({"--logit-scaling", "hype 1"}, ErrorCode::kConfig, {"attn_logits_scaling", "hype 1"});
  refused({"--yarn", "4"}, ErrorCode::kUsage, {"--yarn", "sala-tiny has no RoPE on its softmax layers"});
  refused({"--model", "linear-tiny", "--yarn", "4"}, ErrorCode::kUsage, {"--yarn", "no softmax layer"});
  refused({"--model", "rope-tiny", "--yarn", "0.5"}, ErrorCode::kUsage, {"--yarn is '0.5'"});
  refused({"--model", "rope-tiny", "--yarn", "nan"}, ErrorCode::kUsage, {"--yarn is 'nan'"});
  refused({"--model", "full-tiny", "--decay-scale", "0.5"}, ErrorCode::kUsage, {"--decay-scale", "no linear layer"});
  refused({"--decay-scale", "-1"}, ErrorCode::kConfig, {"decay_scale", "-1"});
  EXPECT_FALSE(fs::exists(folder_.file("never")));
}

}  // namespace
}  // namespace sala::eval
