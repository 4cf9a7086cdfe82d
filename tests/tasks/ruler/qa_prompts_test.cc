// What the prompts and training rows of qa must not give away: which document or chain is asked for, or an answer without
// reading.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <regex>
#include <set>
#include <string>

#include "sala/tasks/training.h"
#include "tests/tasks/ruler/ruler_check.h"

namespace sala::tasks {
namespace {

const Tokenizer& family() {
  static const auto tokenizer = open_tokenizer(std::string(SALA_SOURCE_DIR) + "/models/tokenizer.model");
  return *tokenizer;
}

// The documents of a prompt: "title\nsentences" (qa_2) or sentences (qa_1), the last one perhaps cut.
std::vector<std::string> documents_of(std::string_view prompt) {
  take(prompt, "Document 1:\n");
  std::vector<std::string> documents;
  for (const std::string_view part : split(take(prompt, "\n\nAnswer the question"), "\n\nDocument ")) {
    const bool first = documents.empty();
    documents.emplace_back(first ? part : part.substr(part.find(":\n") + 2));
  }
  return documents;
}

// The two documents of each chain by the province that all of an article's documents name: (thing, person), "" for a missing
// one.
using Chains = std::map<std::string, std::pair<std::string, std::string>>;  // by person
Chains chains_of(const std::vector<std::string>& documents, const std::string& province) {
  Chains chains;
  std::map<std::string, std::string> things;
  for (const std::string& document : documents) {
    if (!std::regex_search(document, std::regex("\\b" + province + "\\b"))) continue;
    const std::string title = document.substr(0, document.find('\n'));
    if (document.find("figure in the " + province) != std::string::npos) {
      chains[title].second = document;
    } else {
      things[title] = document;
    }
  }
  for (const auto& [title, document] : things) {
    const auto of = std::find_if(chains.begin(), chains.end(), [&, &text = document](const auto& chain) {
      return text.find(chain.first) != std::string::npos;
    });
    if (of != chains.end())
      of->second.first = document;
    else
      chains[title].first = document;
  }
  return chains;
}

TEST(QaPrompts, AllFiveChainsStandInTheirPromptWholeOrNotAtAll) {
  for (const auto& [length, fewest] : {std::pair<int64_t, size_t>{1024, 2}, {2048, 4}, {4096, 5}}) {
    for (int64_t index = 0; index < 60; ++index) {
      SampleRequest request;
      request.length = length;
      request.index = index;
      const Sample sample = task_of("qa_2").make_sample(request, family());
      const std::vector<std::string> documents = documents_of(sample.input);
      std::smatch found;
      const auto answers = std::find_if(documents.begin(), documents.end(), [&](const std::string& document) {
        return document.find(sample.outputs[0]) != std::string::npos;
      });
      ASSERT_NE(answers, documents.end());
      ASSERT_TRUE(std::regex_search(*answers, found, std::regex("figure in the (\\w+) province"))) << *answers;
      const Chains chains = chains_of(documents, found[1]);
      EXPECT_GE(chains.size(), fewest) << sample.id;
      for (const auto& [person, chain] : chains)
        EXPECT_TRUE(!chain.first.empty() && !chain.second.empty()) << sample.id << ": half a chain, " << person;
    }
  }
}

TEST(QaPrompts, TheDocumentAskedForIsNeitherShortNorLong) {
  for (const int64_t length : {2048, 4096}) {
    double shortest = 0, longest = 0, chance = 0;
    constexpr int64_t kSamples = 400;
    for (int64_t index = 0; index < kSamples; ++index) {
      SampleRequest request;
      request.length = length;
      request.index = index;
      const Sample sample = task_of("qa_1").make_sample(request, family());
      std::vector<std::string> documents = documents_of(sample.input);
      const auto holds = [&](const std::string& document) { return document.find(sample.outputs[0]) != std::string::npos; };
      if (!holds(documents.back())) documents.pop_back();  // it may be cut
      const auto asked = std::find_if(documents.begin(), documents.end(), holds);
      ASSERT_NE(asked, documents.end());
      const auto [low, high] = std::minmax_element(documents.begin(), documents.end(),
                                                   [](const auto& a, const auto& b) { return a.size() < b.size(); });
      shortest += asked->size() == low->size();
      longest += asked->size() == high->size();
      chance += 1 / static_cast<double>(documents.size());
    }
    // Twice the chance before, when documents were exchanged for longer ones until a prompt was full.
    for (const double picked : {shortest, longest}) {
      EXPECT_LT(picked, 1.5 * chance) << length;
      EXPECT_GT(picked, 0.5 * chance) << length;
    }
  }
}

TEST(QaRows, NoQuestionOfTwoHopsIsAnsweredByOthers) {
  TrainingRequest request;
  request.mix = {{"qa_2", 1.0}};
  request.row_tokens = 4096;
  request.rows = 60;
  int64_t bridges = 0, steps = 0, alone = 0;
  for (int64_t index = 0; index < request.rows; ++index) {
    const TrainingRow row = make_training_row(request, index, family());
    std::vector<int32_t> ids(row.ids.begin() + 1, row.ids.end());
    while (!ids.empty() && ids.back() == request.eos_id) ids.pop_back();
    const std::string text = family().decode(ids);
    const std::vector<std::string> documents = documents_of(text);
    // Questions by province, with the person in place of "the founder of the company A".
    std::map<std::string, std::set<std::string>> bridged, stepped, all;
    for (const std::string& document : documents) {
      std::smatch found;
      if (std::regex_search(document, found, std::regex("^(.+)\\n.*figure in the (\\w+) province")))
        all[found[2]].insert(found[1]);
    }
    std::string_view rest = text;
    for (size_t at = rest.find("Question: "); at != std::string_view::npos; at = rest.find("Question: ")) {
      rest.remove_prefix(at + 10);
      const std::string question(rest.substr(0, rest.find('?')));
      const bool who = question.starts_with("Who was ");
      for (const auto& [province, persons] : all) {
        for (const std::string& person : persons) {
          const auto thing = std::find_if(documents.begin(), documents.end(), [&](const std::string& document) {
            return !document.starts_with(person) && document.find(person) != std::string::npos;
          });
          if (question.find(person) != std::string::npos) stepped[province].insert(person), ++steps;
          if (thing == documents.end()) continue;
          const std::string title = thing->substr(0, thing->find('\n'));
          if (!std::regex_search(question, std::regex("\\b" + title + "\\b"))) continue;
          (who ? stepped : bridged)[province].insert(person);
          ++(who ? steps : bridges);
        }
      }
    }
    for (const auto& [province, persons] : bridged) {
      EXPECT_FALSE(stepped.contains(province)) << "row " << index << ": a bridge question and its steps";
      EXPECT_LE(persons.size(), std::max<size_t>(1, all[province].size() - 2))
          << "row " << index << ": the last ones are what is left";
      alone += all[province].size() == 1;
    }
  }
  EXPECT_GT(bridges, 60);
  EXPECT_LE(alone, 2) << "nothing competes, as in the shortest samples of the evaluation";
  EXPECT_GT(steps, 60);
}

}  // namespace
}  // namespace sala::tasks
