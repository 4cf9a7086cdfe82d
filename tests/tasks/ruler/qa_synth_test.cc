// The built-in question collections (spec tasks 1.11): one place for each answer, distractors that state the same attribute.
#include "tasks/ruler/qa_synth.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <map>
#include <set>
#include <unordered_map>

#include "tasks/ruler/qa_text.h"
#include "tasks/text/match.h"
#include "tasks/text/pseudo_words.h"
#include "tasks/text/values.h"

namespace sala::tasks {
namespace {

constexpr Split kSplits[] = {Split::kEval, Split::kTrain};

int64_t count_words(std::string_view text) { return 1 + std::count(text.begin(), text.end(), ' '); }

TEST(QaSynth1, ParagraphsAreOf90To160WordsAndArticlesOf20To40Paragraphs) {
  for (const Split split : kSplits) {
    for (int64_t article = 0; article < 20; ++article) {
      int64_t paragraphs = 0;
      bool gap = false;
      for (int64_t i = 0; i < QaSynth1::kSlots; ++i) {
        const int64_t id = article * QaSynth1::kSlots + i;
        if (!QaSynth1::has_document(split, id)) {
          gap = true;
          continue;
        }
        EXPECT_FALSE(gap) << "paragraphs come first";
        ++paragraphs;
        const std::string text = QaSynth1::document(split, id);
        EXPECT_GE(count_words(text), 90) << text;
        EXPECT_LE(count_words(text), 160) << text;
        EXPECT_EQ(text, QaSynth1::document(split, id));
        EXPECT_EQ(text.find_first_of("{}\n"), std::string::npos) << text;
      }
      EXPECT_GE(paragraphs, 20);
      EXPECT_LE(paragraphs, 40);
    }
  }
}

TEST(QaSynth1, AnAnswerStandsInOneParagraphOfTheCollection) {
  // Every answer of 40 articles, searched in 80 others besides: by its name, which is a word of its own.
  std::map<std::string, int64_t> where;  // lower-case answer -> document
  std::vector<std::string> documents;
  for (int64_t id = 0; id < 120 * QaSynth1::kSlots; ++id)
    documents.push_back(QaSynth1::has_document(Split::kEval, id) ? lower(QaSynth1::document(Split::kEval, id)) : "");
  for (int64_t number = 0; number < 40 * 20; ++number) {
    const QaQuestion question = QaSynth1::question(Split::kEval, number);
    ASSERT_EQ(question.answers.size(), 1u);
    ASSERT_EQ(question.gold.size(), 1u);
    EXPECT_TRUE(where.emplace(lower(question.answers[0]), question.gold[0]).second)
        << question.answers[0] << " answers twice";
    EXPECT_NE(documents[static_cast<size_t>(question.gold[0])].find(lower(question.answers[0])), std::string::npos);
    EXPECT_EQ(lower(question.question).find(lower(question.answers[0])), std::string::npos);
  }
  // The invented name of an answer is what could collide: look each word of each document up.
  std::unordered_map<std::string, int64_t> names;
  for (const auto& [answer, document] : where) {
    std::string name;
    for (size_t begin = 0; begin < answer.size();) {
      const size_t end = std::min(answer.find(' ', begin), answer.size());
      if (holds_name(answer.substr(begin, end - begin))) name = answer.substr(begin, end - begin);
      begin = end + 1;
    }
    ASSERT_FALSE(name.empty()) << answer;
    EXPECT_TRUE(names.emplace(name, document).second) << name;
  }
  for (size_t id = 0; id < documents.size(); ++id) {
    const std::string& text = documents[id];
    for (size_t at = 0; at < text.size(); ++at) {
      for (const size_t length : {size_t{7}, size_t{8}}) {  // names have seven or eight letters
        const auto found = at + length <= text.size() ? names.find(text.substr(at, length)) : names.end();
        if (found == names.end()) continue;
        ASSERT_EQ(found->second, static_cast<int64_t>(id)) << found->first << " is a part of another text";
      }
    }
  }
}

TEST(QaSynth1, OtherParagraphsOfTheArticleStateTheSameAttribute) {
  for (const Split split : kSplits) {
    for (int64_t number = 0; number < 200; ++number) {
      const QaQuestion question = QaSynth1::question(split, number);
      // Which attribute is asked, by its question pattern; then its fact patterns without the slots.
      int64_t same = 0;
      for (const EntityKind& kind : entity_kinds()) {
        for (const Attribute& attribute : kind.attributes) {
          const std::string start(attribute.question.substr(0, attribute.question.find('{')));
          const std::string end(attribute.question.substr(attribute.question.find('}') + 1));
          if (!question.question.starts_with(start) || !question.question.ends_with(end)) continue;
          for (const int64_t id : question.more) {
            const std::string text = QaSynth1::document(split, id);
            const bool states = std::any_of(attribute.facts.begin(), attribute.facts.end(), [&](std::string_view fact) {
              for (size_t begin = 0, part = 0; begin < fact.size(); ++part) {  // its longest fixed part
                const size_t open = std::min(fact.find('{', begin), fact.size());
                if (open - begin >= 8 && text.find(fact.substr(begin, open - begin)) != std::string::npos) return true;
                begin = open + 3;
              }
              return false;
            });
            same += states;
          }
        }
      }
      EXPECT_GE(same, 3) << question.question;
      EXPECT_GE(question.more.size(), 19u);
    }
  }
}

TEST(QaSynth2, TwoDocumentsAnswerAndEightDistract) {
  for (const Split split : kSplits) {
    std::set<std::string> answers;
    for (int64_t number = 0; number < 300; ++number) {
      const QaQuestion question = QaSynth2::question(split, number);
      ASSERT_EQ(question.gold.size(), 10u);
      ASSERT_EQ(question.support, (std::vector<int64_t>{question.gold[0], question.gold[1]}));
      EXPECT_TRUE(answers.insert(question.answers[0]).second);
      const std::string first = QaSynth2::document(split, question.support[0]),
                        second = QaSynth2::document(split, question.support[1]);
      const std::string thing = first.substr(0, first.find('\n')), person = second.substr(0, second.find('\n'));
      EXPECT_NE(question.question.find(thing), std::string::npos) << question.question;
      EXPECT_EQ(question.question.find(person), std::string::npos) << "the bridge is given away";
      EXPECT_NE(first.find(person, first.find('\n')), std::string::npos);
      EXPECT_NE(second.find(question.answers[0]), std::string::npos);
      size_t with_answer = 0;
      for (const int64_t id : question.gold) {
        const std::string text = QaSynth2::document(split, id);
        with_answer += text.find(question.answers[0]) != std::string::npos;
        EXPECT_GE(count_words(text), 50) << text;
        EXPECT_LE(count_words(text), 120) << text;
      }
      EXPECT_EQ(with_answer, 1u) << question.answers[0];
    }
  }
}

TEST(QaSynth, FillerHoldsNoInventedName) {
  Rng rng(1, "test");
  for (int i = 0; i < 20000; ++i) {
    std::string sentence;
    const int64_t words = append_filler(sentence, rng, "E F");
    ASSERT_EQ(words, 1 + std::count(sentence.begin(), sentence.end(), ' ')) << sentence;
    sentence = lower(sentence);
    for (size_t begin = 0; begin < sentence.size();) {
      const size_t end = std::min(sentence.find(' ', begin), sentence.size());
      ASSERT_FALSE(holds_name(sentence.substr(begin, end - begin))) << sentence;
      begin = end + 1;
    }
  }
}

TEST(QaSynth, FixedWordsOfTheTextsHoldNoInventedName) {
  const auto check = [](std::string_view pattern) {
    std::string word;
    for (const char c : std::string(pattern) + " ") {
      if (std::isalpha(static_cast<unsigned char>(c))) {
        word.push_back(static_cast<char>(std::tolower(static_cast<unsigned char>(c))));
      } else {
        EXPECT_FALSE(holds_name(word)) << word << " in " << pattern;
        word.clear();
      }
    }
  };
  for (const EntityKind& kind : entity_kinds()) {
    for (const auto intro : kind.intros) check(intro);
    for (const Attribute& attribute : kind.attributes) {
      for (const auto fact : attribute.facts) check(fact);
      check(attribute.question);
    }
  }
  for (const BridgeKind& kind : bridge_kinds()) {
    for (const auto intro : kind.intros) check(intro);
    for (const auto link : kind.links) check(link);
  }
  for (const PersonAttribute& attribute : person_attributes())
    for (const auto fact : attribute.facts) check(fact);
  check("Square House Gazette");
}

// The last invented name of `text`, lower case.
std::string name_in(std::string_view text) {
  std::string name, word;
  for (const char c : std::string(text) + " ") {
    if (std::isalpha(static_cast<unsigned char>(c))) {
      word.push_back(static_cast<char>(std::tolower(static_cast<unsigned char>(c))));
    } else {
      if (holds_name(word)) name = word;
      word.clear();
    }
  }
  return name;
}

// How often `count` letters from `at` of the answer's name are those that most often went with the same letters of the
// question's name before. Half of the pairs teach, half are asked.
double foretold(const std::vector<std::pair<std::string, std::string>>& pairs, size_t at, size_t count) {
  std::map<std::string, std::map<std::string, int64_t>> seen;
  int64_t right = 0;
  for (size_t i = 0; i < pairs.size(); ++i) {
    const std::string from = pairs[i].first.substr(at, count), to = pairs[i].second.substr(at, count);
    if (i < pairs.size() / 2) {
      ++seen[from][to];
      continue;
    }
    const auto& followed = seen[from];
    const auto most =
        std::max_element(followed.begin(), followed.end(), [](const auto& a, const auto& b) { return a.second < b.second; });
    right += most != followed.end() && most->first == to;
  }
  return static_cast<double>(right) / (static_cast<double>(pairs.size()) / 2);
}

// A model would learn that in training instead of reading, and fail with the names of the evaluation.
TEST(QaSynth, NoAnswerFollowsFromTheLettersOfTheQuestion) {
  for (const Split split : kSplits) {
    for (const int hops : {1, 2}) {
      SCOPED_TRACE(std::string(split == Split::kEval ? "evaluation, " : "training, ") + std::to_string(hops) + " hops");
      std::vector<std::pair<std::string, std::string>> pairs, reversed;  // ends below one another: names have 7 or 8 letters
      for (int64_t number = 0; number < 8000; ++number) {
        const QaQuestion question = hops == 1 ? QaSynth1::question(split, number) : QaSynth2::question(split, number);
        auto& [from, to] = pairs.emplace_back(name_in(question.question), name_in(question.answers[0]));
        ASSERT_GE(std::min(from.size(), to.size()), 7u) << question.question;
        reversed.emplace_back(std::string(from.rbegin(), from.rend()), std::string(to.rbegin(), to.rend()));
      }
      EXPECT_LT(foretold(pairs, 0, 1), 0.12) << "onset, one of 16";
      EXPECT_LT(foretold(pairs, 1, 1), 0.30) << "vowel, one of 5";
      EXPECT_LT(foretold(pairs, 0, 2), 0.05) << "both";
      EXPECT_LT(foretold(reversed, 3, 1), 0.30) << "second vowel, one of 5";
      EXPECT_LT(foretold(reversed, 2, 1), 0.12) << "onset of the ending, one of 16";
      EXPECT_LT(foretold(reversed, 1, 1), 0.30) << "its vowel, one of 5";
      EXPECT_LT(foretold(reversed, 0, 1), 0.25) << "its final, one of 6";
      EXPECT_LT(foretold(reversed, 0, 3), 0.04) << "ending, one of 130 or of 350";
    }
  }
}

TEST(PseudoWords, AreDistinctAndPronounceable) {
  std::set<std::string> words;
  for (int64_t i = 0; i < 50000; ++i) {
    const std::string word = pseudo_word(i * 80 + 7);
    EXPECT_TRUE(words.insert(word).second) << word;
    EXPECT_GE(word.size(), 4u);
    for (const char c : word) ASSERT_TRUE(c >= 'a' && c <= 'z') << word;
  }
  EXPECT_EQ(pseudo_word(kPseudoWords - 1), pseudo_word(kPseudoWords - 1));
}

// No coda and onset can be read as another pair: the words of different numbers differ for that reason.
TEST(PseudoWords, SyllablesCanBeReadInOneWay) {
  std::set<std::string> joints;
  for (const std::string coda : {"", "l", "m", "n", "r", "s", "x", "k"})
    for (const std::string onset :
         {"b", "d", "f", "g", "h", "j", "k", "l", "m", "n", "p", "r", "s", "t", "v", "w", "z", "br", "dr", "tr"})
      EXPECT_TRUE(joints.insert(coda + onset).second) << coda + onset;
}

TEST(InventedNames, AreDistinctAndOfOneSplit) {
  std::set<std::string> eval, train;
  for (int64_t i = 0; i < 30000; ++i) {
    EXPECT_TRUE(eval.insert(invented_name(Split::kEval, i)).second);
    EXPECT_TRUE(train.insert(invented_name(Split::kTrain, i)).second);
  }
  for (const std::string& name : eval) {
    EXPECT_FALSE(train.contains(name)) << name;
    EXPECT_TRUE(name.size() == 7 || name.size() == 8) << name;
    EXPECT_TRUE(holds_name(lower(name))) << name;
    EXPECT_EQ(split_of(lower(name).substr(name.size() - 3)), Split::kEval);
  }
  EXPECT_GT(num_names(Split::kEval), 900000);
  EXPECT_GT(num_names(Split::kTrain), 2700000);
}

}  // namespace
}  // namespace sala::tasks
