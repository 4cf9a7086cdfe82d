// A flag means the same wherever it is.
#include "eval/cli/flags.h"

#include <gtest/gtest.h>

#include <map>

#include "eval/cli/commands.h"
#include "eval/cli/generate.h"
#include "eval/cli/model_flags.h"
#include "sala/core/error.h"
#include "tests/sim/model/small_model.h"

namespace sala::eval {
namespace {

class Flags : public testing::Test {
 protected:
  Flags() {
    add_run_command(program_, state_);
    add_verify_command(program_, state_);
    add_score_command(program_, state_);
    add_generate_command(program_);
    add_list_command(program_);
    add_explain_command(program_);
    add_logits_command(program_);
    add_compare_command(program_);
    add_plot_command(program_);
    add_paper_command(program_);
    add_halo_command(program_);
    add_bench_command(program_, state_);
  }
  Command command(const std::string& name) const {
    for (const Command& each : program_.commands())
      if (each.name() == name) return each;
    throw std::runtime_error(name);
  }
  Program program_{"sala_eval", ""};
  CommandState state_;
};

// What a flag is stands before what it is for in this command.
std::string definition(const std::string& description) { return description.substr(0, description.find_first_of(":;[.(")); }

TEST_F(Flags, OneWordMeansOneThingInEveryCommand) {
  struct Meaning {
    std::string command, value_type, definition;
  };
  std::map<std::string, Meaning> meanings;
  int shared = 0;
  for (const Command& each : program_.commands())
    for (const std::string& flag : each.long_flags()) {
      std::string what = definition(each.description(flag));
      while (what.ends_with(' ')) what.pop_back();
      const auto [known, is_new] = meanings.try_emplace(flag, Meaning{each.name(), each.value_type(flag), what});
      if (is_new) continue;
      ++shared;
      const Meaning& first = known->second;
      EXPECT_EQ(what, first.definition) << flag << " of " << each.name() << " and " << first.command;
      // What is written is a folder or a file; a model's name may be any where nothing is loaded.
      if (flag == "--out" || flag == "--model") continue;
      EXPECT_EQ(each.value_type(flag), first.value_type) << flag << " of " << each.name() << " and " << first.command;
    }
  EXPECT_GT(shared, 40);
}

TEST_F(Flags, SamplesIsTheWordAndCountItsOldName) {
  for (const char* name : {"run", "score", "generate"}) EXPECT_TRUE(command(name).has_flag("--samples")) << name;
  const Command generate = command("generate");
  EXPECT_EQ(generate.description("--count"), generate.description("--samples"));
  EXPECT_FALSE(generate.has_flag("--sample")) << "indexes in `run`, so not ids here";
}

TEST(CheckHeads, HeadsThatADeviceDoesNotTakeAreRefusedWithTheModelsName) {
  ModelEntry entry;
  entry.name = "wide-tiny";
  EngineFlags flags;
  ModelConfig config = small_config("SL");
  config.head_dim = 258;
  check_heads(entry, config, flags);
  flags.device = "cuda";
  try {
    check_heads(entry, config, flags);
    FAIL() << "heads of 258 dimensions";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kUnsupported);
    EXPECT_NE(std::string(error.what()).find("wide-tiny: heads of 258 dimensions; --device cuda takes at most 256"),
              std::string::npos)
        << error.what();
  }
  config.head_dim = 256;
  check_heads(entry, config, flags);
}

}  // namespace
}  // namespace sala::eval
