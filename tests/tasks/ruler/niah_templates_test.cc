// The needle tasks' words, byte by byte, against the specification (spec tasks 1.2), written out here once more.
#include <gtest/gtest.h>

#include "sala/core/error.h"
#include "tests/tasks/ruler/niah_check.h"

namespace sala::tasks {
namespace {

TEST(NiahTemplates, SingularWhenOneValueIsAsked) {
  const NiahText text = niah_text(ValueKind::kNumber, "old-harbour", true);
  EXPECT_EQ(text.header,
            "A special magic number is hidden within the following text. Make sure to memorize it. I will quiz you about "
            "the number afterwards.\n");
  EXPECT_EQ(text.question, "\nWhat is the special magic number for old-harbour mentioned in the provided text?");
  EXPECT_EQ(text.answer_prefix, " The special magic number for old-harbour mentioned in the provided text is");
}

TEST(NiahTemplates, PluralOtherwise) {
  const NiahText text = niah_text(ValueKind::kUuid, "a, b, c, and d", false);
  EXPECT_EQ(text.header,
            "Some special magic uuids are hidden within the following text. Make sure to memorize it. I will quiz you about "
            "the uuids afterwards.\n");
  EXPECT_EQ(text.question, "\nWhat are all the special magic uuids for a, b, c, and d mentioned in the provided text?");
  EXPECT_EQ(text.answer_prefix, " The special magic uuids for a, b, c, and d mentioned in the provided text are");
}

TEST(NiahTemplates, TheRewriteLeavesKeysAlone) {
  const std::string key = "Some-are all-answers";  // the rewrite acts on the template, not on what is put in
  EXPECT_NE(niah_text(ValueKind::kNumber, key, true).question.find(key), std::string::npos);
}

TEST(NiahTemplates, NeedlesKeepThePlural) {
  EXPECT_EQ(needle_sentence(ValueKind::kNumber, "old-harbour", "1234567"),
            "One of the special magic numbers for old-harbour is: 1234567.");
  EXPECT_EQ(needle_sentence(ValueKind::kUuid, "k", "v"), "One of the special magic uuids for k is: v.");
  EXPECT_EQ(needle_sentence(ValueKind::kWord, "k", "v"), "One of the special magic words for k is: v.");
}

TEST(NiahTemplates, KeysAreListedAsInEnglish) {
  EXPECT_EQ(join_keys({"a"}), "a");
  EXPECT_EQ(join_keys({"a", "b", "c", "d"}), "a, b, c, and d");
}

TEST(NiahTemplates, TheTableOfTasks) {
  using enum ValueKind;
  struct Row {
    const char* name;
    Haystack haystack;
    ValueKind key, value;
    int64_t keys, values, queries;
  };
  const Row rows[] = {
      {"niah_single_1", Haystack::kNoise, kWord, kNumber, 1, 1, 1},
      {"niah_single_2", Haystack::kEssay, kWord, kNumber, 1, 1, 1},
      {"niah_single_3", Haystack::kEssay, kWord, kUuid, 1, 1, 1},
      {"niah_multikey_1", Haystack::kEssay, kWord, kNumber, 4, 1, 1},
      {"niah_multikey_2", Haystack::kNeedle, kWord, kNumber, 1, 1, 1},
      {"niah_multikey_3", Haystack::kNeedle, kUuid, kUuid, 1, 1, 1},
      {"niah_multivalue", Haystack::kEssay, kWord, kNumber, 1, 4, 1},
      {"niah_multiquery", Haystack::kEssay, kWord, kNumber, 1, 1, 4},
  };
  ASSERT_EQ(niah_specs().size(), std::size(rows));
  for (size_t i = 0; i < std::size(rows); ++i) {
    const NiahSpec& spec = niah_specs()[i];
    EXPECT_EQ(spec.name, rows[i].name);
    EXPECT_EQ(spec.haystack, rows[i].haystack) << spec.name;
    EXPECT_EQ(spec.key_kind, rows[i].key) << spec.name;
    EXPECT_EQ(spec.value_kind, rows[i].value) << spec.name;
    EXPECT_EQ(spec.keys, rows[i].keys) << spec.name;
    EXPECT_EQ(spec.values, rows[i].values) << spec.name;
    EXPECT_EQ(spec.queries, rows[i].queries) << spec.name;
    EXPECT_EQ(resolve_tasks("niah")[i]->name(), spec.name);
    EXPECT_EQ(resolve_tasks("niah")[i]->traits().tokens_to_generate, 128);
  }
}

// Whole prompts of the smallest size, rebuilt from the needles that they hold.
TEST(NiahTemplates, SmallestPrompts) {
  const auto words = open_tokenizer("whitespace");
  for (const Task* task : resolve_tasks("niah")) {
    SampleRequest request;
    request.length = 128;
    for (int64_t length = 128;; ++length) {  // grows until the sample fits
      request.length = length;
      try {
        task->make_sample(request, *words);
        break;
      } catch (const Error&) {
        ASSERT_LT(length, 400);
      }
    }
    const Sample sample = task->make_sample(request, *words);
    const std::vector<FoundNeedle> needles = find_needles(sample.input);
    const bool uuids = std::string(task->name()) == "niah_single_3" || std::string(task->name()) == "niah_multikey_3";
    const bool plural = sample.outputs.size() > 1, essay = spec_of(task->name()).haystack == Haystack::kEssay;
    const std::string kinds = uuids ? "uuids" : "numbers", kind = plural ? kinds : kinds.substr(0, kinds.size() - 1);
    std::string context;
    for (const FoundNeedle& needle : needles)
      context += fmt::format("{}One of the special magic {} for {} is: {}.",
                             context.empty() ? ""
                             : essay         ? " "
                                             : "\n",
                             kinds, needle.key, needle.value);
    std::vector<std::string> keys;
    for (const std::string& output : sample.outputs)
      for (const FoundNeedle& needle : needles)
        if (needle.value == output && (keys.empty() || keys.back() != needle.key)) keys.push_back(needle.key);
    const std::string query = keys.size() == 1 ? keys[0] : keys[0] + ", " + keys[1] + ", " + keys[2] + ", and " + keys[3];
    EXPECT_EQ(sample.input,
              fmt::format("{} special magic {} {} hidden within the following text. Make sure to memorize it. I will quiz "
                          "you about the {} "
                          "afterwards.\n{}\nWhat {} the special magic {} for {} mentioned in the provided text?",
                          plural ? "Some" : "A", kind, plural ? "are" : "is", kind, context, plural ? "are all" : "is", kind,
                          query));
    EXPECT_EQ(sample.answer_prefix, fmt::format(" The special magic {} for {} mentioned in the provided text {}", kind,
                                                query, plural ? "are" : "is"));
  }
}

}  // namespace
}  // namespace sala::tasks
