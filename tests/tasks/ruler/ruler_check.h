// What must hold for every `fixed` sample of vt, cwe, fwe, qa_1 and qa_2, at any length (spec tasks 1.2, 1.5 to 1.8,
// appendix B).
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "sala/tasks/task.h"
#include "tasks/ruler/fwe.h"
#include "tasks/ruler/niah.h"
#include "tasks/text/match.h"

namespace sala::tasks {

inline const Task& task_of(const std::string& name) { return *resolve_tasks(name).at(0); }

inline size_t occurrences(std::string_view text, std::string_view part) {
  size_t count = 0;
  for (size_t at = text.find(part); at != std::string_view::npos; at = text.find(part, at + 1)) ++count;
  return count;
}

// Takes `text` up to `mark` (which must be there) and drops both from it.
inline std::string_view take(std::string_view& text, std::string_view mark) {
  const size_t at = text.find(mark);
  EXPECT_NE(at, std::string_view::npos) << "no '" << mark << "'";
  const std::string_view part = text.substr(0, at);
  text.remove_prefix(std::min(text.size(), part.size() + mark.size()));
  return part;
}

inline std::vector<std::string_view> split(std::string_view text, std::string_view mark) {
  std::vector<std::string_view> parts;
  while (true) {
    const size_t at = text.find(mark);
    parts.push_back(text.substr(0, at));
    if (at == std::string_view::npos) return parts;
    text.remove_prefix(at + mark.size());
  }
}

// Ids, length, fill, evidence in range: what all tasks share. `decodes`: whether the tokenizer can.
inline void check_frame(const Sample& sample, const Tokenizer& tokenizer, bool decodes, double fill = 0.995) {
  const auto tokens = static_cast<int64_t>(sample.prompt_ids.size());
  ASSERT_EQ(sample.prompt_ids, tokenizer.encode(sample.prompt()));
  const int64_t target = sample.request.length - sample.tokens_to_generate;
  ASSERT_LE(tokens, target);
  EXPECT_GE(static_cast<double>(tokens), fill * static_cast<double>(target))
      << "fill " << static_cast<double>(tokens) / static_cast<double>(target);
  ASSERT_FALSE(sample.outputs.empty());
  ASSERT_FALSE(sample.evidence.empty());
  const std::string folded = lower(sample.input);
  for (const std::string& output : sample.outputs) EXPECT_NE(folded.find(lower(output)), std::string::npos) << output;
  for (const Evidence& span : sample.evidence) {
    ASSERT_TRUE(0 <= span.token_begin && span.token_begin < span.token_end && span.token_end <= tokens);
    EXPECT_EQ(span.depth, static_cast<double>(span.token_begin) / static_cast<double>(tokens));
    if (!decodes) continue;
    const std::string text =
        tokenizer.decode({sample.prompt_ids.begin() + span.token_begin, sample.prompt_ids.begin() + span.token_end});
    if (span.value_token < 0) continue;
    EXPECT_NE(text.find(span.value), std::string::npos) << text;
    ASSERT_TRUE(span.token_begin <= span.value_token && span.value_token < span.token_end);
  }
}

struct VtPart {
  std::string value;
  std::vector<std::string> names;
};

// Reads "VAR X = 123" lines among noise lines; the last line may hold only some of the noise sentences.
inline VtPart read_vt_context(std::string_view context) {
  VtPart part;
  const std::vector<std::string_view> lines = split(context, "\n");
  for (size_t i = 0; i < lines.size(); ++i) {
    if (!lines[i].starts_with("VAR ")) {
      const bool last = i + 1 == lines.size() && kNoiseSentence.starts_with(lines[i]) && lines[i].ends_with(".");
      EXPECT_TRUE(lines[i] == kNoiseSentence || last) << lines[i];
      continue;
    }
    const std::vector<std::string_view> words = split(lines[i], " ");
    if (part.names.empty()) {
      EXPECT_EQ(words.size(), 4u) << lines[i];
      part.value = words.at(3);
    } else {  // every hop line ends with a space
      EXPECT_EQ(words.size(), 6u) << lines[i];
      EXPECT_EQ(words.at(3), "VAR");
      EXPECT_EQ(words.at(4), part.names.back()) << "the chain is out of order";
      EXPECT_EQ(words.at(5), "");
    }
    part.names.emplace_back(words.at(1));
  }
  return part;
}

inline void check_vt(const Sample& sample) {
  const std::string prompt = sample.prompt();
  std::string_view rest = prompt;
  const std::string_view header = "Memorize and track the chain(s) of variable assignment hidden in the following text.\n\n";
  const auto read = [&] {
    EXPECT_EQ(take(rest, header), "");
    const VtPart part = read_vt_context(take(rest, "\nQuestion: "));
    EXPECT_EQ(take(rest, " Answer: "),
              "Find all variables that are assigned the value " + part.value + " in the text above.");
    EXPECT_EQ(take(rest, ", they are: "),
              "According to the chain(s) of variable assignment in the text above, 5 variables are assigned the value " +
                  part.value);
    return part;
  };
  const VtPart example = read();
  std::string answer;
  for (const std::string& name : example.names) answer += " " + name;
  EXPECT_EQ(take(rest, "\n"), answer);
  EXPECT_EQ(take(rest, "\n"), "") << "an empty line separates the example";
  const VtPart part = read();
  EXPECT_EQ(rest, "");
  EXPECT_EQ(part.names, sample.outputs);
  EXPECT_NE(part.value, example.value);
  std::set<std::string> names(part.names.begin(), part.names.end());
  names.insert(example.names.begin(), example.names.end());
  EXPECT_EQ(names.size(), 10u) << "names of example and task are distinct";
  EXPECT_FALSE(names.contains("VAR"));
  for (const std::string& name : part.names) EXPECT_EQ(name.size(), 5u);
  for (const std::string& name : example.names) EXPECT_EQ(name.size(), 3u);
  ASSERT_EQ(sample.evidence.size(), 5u);
  for (size_t i = 0; i < 5; ++i) EXPECT_EQ(sample.evidence[i].value, part.names[i]);
}

// Words of "1. word 2. word ..." with their counts.
inline std::map<std::string, int64_t, std::less<>> read_cwe_list(std::string_view list) {
  std::map<std::string, int64_t, std::less<>> counts;
  const std::vector<std::string_view> words = split(list, " ");
  EXPECT_EQ(words.size() % 2, 0u);
  for (size_t i = 0; i + 1 < words.size(); i += 2) {
    EXPECT_EQ(words[i], std::to_string(i / 2 + 1) + ".");
    ++counts[std::string(words[i + 1])];
  }
  return counts;
}

// `common`, `uncommon`: how often the words of the list occur.
inline void check_cwe(const Sample& sample, int64_t common, int64_t uncommon) {
  const std::string prompt = sample.prompt();
  std::string_view rest = prompt;
  const std::string_view header =
      "Below is a numbered list of words. In these words, some appear more often than others. Memorize the ones that appear "
      "most often.\n";
  const std::string_view question = "\nQuestion: What are the 10 most common words in the above list?";
  const std::string_view prefix = " Answer: The top 10 words that appear most often in the list are:";
  EXPECT_EQ(take(rest, header), "");
  const auto example = read_cwe_list(take(rest, question));
  EXPECT_EQ(take(rest, prefix), "");
  const auto shown = read_cwe_list(take(rest, "\n").substr(1));
  EXPECT_EQ(shown.size(), 10u);
  int64_t least = INT64_MAX;
  for (const auto& [word, count] : example)
    if (shown.contains(word)) least = std::min(least, count);
  for (const auto& [word, count] : example)
    if (!shown.contains(word)) {
      EXPECT_LT(count, least) << word;
    }
  EXPECT_EQ(take(rest, header), "");
  const auto counts = read_cwe_list(take(rest, question));
  EXPECT_EQ(rest, prefix);
  ASSERT_EQ(sample.outputs.size(), 10u);
  for (const std::string& answer : sample.outputs) {
    ASSERT_TRUE(counts.contains(answer)) << answer;
    EXPECT_EQ(counts.find(answer)->second, common) << answer;
  }
  int64_t uncommon_words = 0;
  for (const auto& [word, count] : counts) {
    EXPECT_FALSE(example.contains(word)) << word;
    if (std::find(sample.outputs.begin(), sample.outputs.end(), word) != sample.outputs.end()) continue;
    ++uncommon_words;
    EXPECT_EQ(count, uncommon) << word;
    for (const std::string& answer : sample.outputs)
      EXPECT_EQ(word.find(answer), std::string::npos) << answer << " in " << word;
  }
  EXPECT_GE(uncommon_words, 1);
  EXPECT_EQ(static_cast<int64_t>(sample.evidence.size()), 10 * common);
}

inline void check_fwe(const Sample& sample) {
  const std::string prompt = sample.prompt();
  std::string_view rest = prompt;
  EXPECT_EQ(
      take(rest, "coded words. "),
      "Read the following coded text and track the frequency of each coded word. Find the three most frequently appeared ");
  std::map<std::string_view, int64_t> counts;
  int64_t total = 0;
  for (const std::string_view word : split(take(rest, "\nQuestion: "), " ")) ++counts[word], ++total;
  EXPECT_EQ(rest,
            "Do not provide any explanation. Please ignore the dots '....'. What are the three most frequently appeared "
            "words in the above "
            "coded text? Answer: According to the coded text above, the three most frequently appeared words are:");
  std::vector<std::pair<int64_t, std::string_view>> ranked;
  for (const auto& [word, count] : counts) ranked.emplace_back(count, word);
  std::sort(ranked.rbegin(), ranked.rend());
  ASSERT_GE(ranked.size(), 4u);
  EXPECT_EQ(ranked[0].second, "...");
  std::set<std::string_view> wanted(sample.outputs.begin(), sample.outputs.end()),
      found = {ranked[1].second, ranked[2].second, ranked[3].second};
  EXPECT_EQ(wanted, found);
  if (ranked.size() > 4) {
    EXPECT_GT(ranked[3].first, ranked[4].first) << "the answers are not decidable";
  }
  // The counts are those of some number of words; further dots may fill the length.
  constexpr int64_t kMostDots = 100;
  const int64_t vocabulary = (sample.request.length - 50) / 50;
  bool matches = false;
  for (int64_t n = total; n <= total * 2 && !matches; ++n) {
    const std::vector<int64_t> expected = fwe_counts(n, vocabulary);
    if (expected[0] > ranked[0].first) break;
    matches = expected.size() == ranked.size();
    for (size_t i = 1; i < expected.size() && matches; ++i) matches = expected[i] == ranked[i].first;
    matches = matches && (ranked[0].first == expected[0] || ranked[0].first - expected[0] < kMostDots);
  }
  EXPECT_TRUE(matches) << total << " words";
  for (const auto& [word, count] : counts) EXPECT_EQ(word.size(), word == "..." ? 3u : 6u);
  for (const Evidence& span : sample.evidence) EXPECT_TRUE(wanted.contains(span.value));
  EXPECT_LE(sample.evidence.size(), 3u * 64);
  EXPECT_EQ(static_cast<int64_t>(sample.evidence.size()), std::min<int64_t>(64, ranked[1].first) +
                                                              std::min<int64_t>(64, ranked[2].first) +
                                                              std::min<int64_t>(64, ranked[3].first));
}

// hops 1: the answer stands in one document; 2: in one of the two supporting ones.
// The last document may be the beginning of one.
inline void check_qa(const Sample& sample, int hops) {
  const std::string prompt = sample.prompt();
  std::string_view rest = prompt;
  const std::string_view task =
      "Answer the question based on the given documents. Only give me the answer and do not output any other words.\n\n";
  EXPECT_EQ(take(rest, task), "");
  EXPECT_EQ(take(rest, "Document 1:\n"), "The following are given documents.\n\n");
  const size_t end = rest.find("\n\n" + std::string(task));
  ASSERT_NE(end, std::string_view::npos);
  const std::string_view question = rest.substr(end + 2 + task.size());
  EXPECT_TRUE(question.starts_with("Question: ") && question.ends_with("? Answer:")) << question;
  std::string_view context = rest.substr(0, end);
  std::set<std::string_view> documents;
  size_t with_answer = 0;
  for (size_t number = 2; !context.empty(); ++number) {
    const std::string next = "\n\nDocument " + std::to_string(number) + ":\n";
    const size_t at = context.find(next);
    const std::string_view document = context.substr(0, at);
    EXPECT_TRUE(documents.insert(document).second) << "a document stands twice";
    EXPECT_EQ(document.find("\n\n"), std::string_view::npos);
    with_answer += lower(document).find(lower(sample.outputs[0])) != std::string::npos;
    context.remove_prefix(at == std::string_view::npos ? context.size() : at + next.size());
  }
  EXPECT_EQ(with_answer, 1u) << sample.outputs[0];
  EXPECT_EQ(question.find(sample.outputs[0]), std::string_view::npos) << "the question gives its answer away";
  EXPECT_EQ(sample.outputs.size(), 1u);
  EXPECT_EQ(sample.evidence.size(), static_cast<size_t>(hops));
}

}  // namespace sala::tasks
