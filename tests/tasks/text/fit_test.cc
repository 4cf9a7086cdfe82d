#include "tasks/text/fit.h"

#include <gtest/gtest.h>

#include "sala/core/error.h"
#include "sala/core/rng.h"

namespace sala::tasks {
namespace {

// A prompt "head u0 u1 ... tail" over byte tokens, and a count of how often it was built and tokenized.
struct Counting {
  explicit Counting(std::vector<std::string> parts) : units(std::move(parts)), bytes(open_tokenizer("byte")) {
    prompt.task = "test";
    prompt.tokens_to_generate = 10;
    prompt.units = static_cast<int64_t>(units.size());
    prompt.unit_tokens = [this](int64_t i) {
      EXPECT_LT(i, prompt.units);
      return static_cast<int64_t>(static_cast<double>(units[static_cast<size_t>(i)].size()) * error);
    };
    prompt.build = [this](int64_t count) {
      ++built;
      last = count;
      std::string text = "head";
      for (int64_t i = 0; i < count; ++i) text += units[static_cast<size_t>(i)];
      return text + "tail";
    };
  }
  FittedPrompt fit(int64_t target) { return fit_prompt(prompt, target, *bytes); }
  std::vector<std::string> units;
  std::unique_ptr<Tokenizer> bytes;
  UnitPrompt prompt;
  double error = 1;
  int built = 0;
  int64_t last = -1;
};

std::vector<std::string> random_units(uint64_t seed, int64_t count) {
  Rng rng(seed, "fit");
  std::vector<std::string> units;
  for (int64_t i = 0; i < count; ++i) units.emplace_back(1 + rng.below(20), 'x');
  return units;
}

int64_t most(const std::vector<std::string>& units, int64_t target) {
  int64_t tokens = 8, count = 0;
  for (; count < static_cast<int64_t>(units.size()) &&
         tokens + static_cast<int64_t>(units[static_cast<size_t>(count)].size()) <= target;
       ++count)
    tokens += static_cast<int64_t>(units[static_cast<size_t>(count)].size());
  return count;
}

TEST(FitPrompt, ExactCountsFitAtTheFirstTry) {
  for (const int64_t target : {8, 9, 30, 200, 5000}) {
    Counting counting(random_units(1, 1000));
    const FittedPrompt fitted = counting.fit(target);
    EXPECT_EQ(fitted.units, most(counting.units, target)) << target;
    EXPECT_EQ(fitted.text, counting.prompt.build(fitted.units));
    EXPECT_EQ(fitted.ids, counting.bytes->encode(fitted.text));
    EXPECT_EQ(fitted.offsets.size(), static_cast<int64_t>(fitted.ids.size()));
    EXPECT_EQ(counting.built, fitted.units > 0 ? 3 : 5)
        << "empty, full, this test's own; when none fits also one too many, and empty again";
  }
}

TEST(FitPrompt, WrongEstimatesAreCorrected) {
  for (const double error : {0.3, 0.8, 1.3, 4.0})
    for (const int64_t target : {60, 700, 5000}) {
      Counting counting(random_units(2, 1000));
      counting.error = error;
      const FittedPrompt fitted = counting.fit(target);
      const auto tokens = static_cast<int64_t>(fitted.ids.size());
      EXPECT_LE(tokens, target);
      EXPECT_TRUE(fitted.units == most(counting.units, target) ||
                  static_cast<double>(tokens) >= 0.995 * static_cast<double>(target))
          << "error " << error << " target " << target << ": " << tokens << " tokens, " << fitted.units << " units";
      EXPECT_EQ(counting.last, fitted.units) << "the last prompt built is the one returned";
      EXPECT_LT(counting.built, 20);
    }
}

TEST(FitPrompt, EndsWhenTheUnitsEnd) {
  Counting counting(random_units(3, 10));
  const FittedPrompt fitted = counting.fit(100000);
  EXPECT_EQ(fitted.units, 10);
  Counting none({});
  EXPECT_EQ(none.fit(8).units, 0);
}

TEST(FitPrompt, NamesTheSmallestLength) {
  Counting counting(random_units(4, 10));
  try {
    counting.fit(7);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kUsage);
    EXPECT_NE(std::string(error.what()).find("test: length 17 is too small; this sample needs at least 18"),
              std::string::npos)
        << error.what();
  }
  EXPECT_THROW(counting.fit(-100), Error);
}

TEST(FitPrompt, SpansAreThoseOfTheBytes) {
  FittedPrompt fitted;
  for (const int64_t byte : {0, 3, 7, 7, 7, 10})
    fitted.offsets.push_back(byte);  // the character at byte 7 is written as three tokens
  const auto span = [&](size_t begin, size_t end) {
    return std::pair(fitted.tokens_of(begin, end).begin, fitted.tokens_of(begin, end).end);
  };
  EXPECT_EQ(span(0, 3), (std::pair<int64_t, int64_t>{0, 1}));
  EXPECT_EQ(span(2, 4), (std::pair<int64_t, int64_t>{0, 2}));
  EXPECT_EQ(span(3, 7), (std::pair<int64_t, int64_t>{1, 2}));
  EXPECT_EQ(span(7, 8), (std::pair<int64_t, int64_t>{2, 5}));
  EXPECT_EQ(span(8, 100), (std::pair<int64_t, int64_t>{2, 6}));
}

TEST(FitPrompt, TokensAfterAStop) {
  const auto bytes = open_tokenizer("byte"), words = open_tokenizer("whitespace");
  EXPECT_EQ(TokensAfterStop("\n", *bytes)("The sky."), 9);
  EXPECT_EQ(TokensAfterStop(" ", *words)("The sky."), 2);
}

}  // namespace
}  // namespace sala::tasks
