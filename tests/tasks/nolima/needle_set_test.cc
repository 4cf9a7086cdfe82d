#include "tasks/nolima/needle_set.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <tuple>

#include "sala/core/error.h"
#include "tasks/nolima/books.h"
#include "tasks/nolima/checks.h"
#include "tasks/nolima/names.h"
#include "tasks/nolima/narrative.h"
#include "tasks/nolima/narrative_lexicon.h"
#include "tasks/nolima/nolima.h"
#include "tasks/text/values.h"

namespace sala::tasks {
namespace {

using json = nlohmann::ordered_json;

json good_template() {
  return json::parse(R"({
    "id": "0401Inv", "reasoning_type": "world_knowledge", "system_prompt": "",
    "needle": "Actually, a flat near the {1} belongs to {CHAR}.",
    "questions": {"onehop": "Who was in {2}?", "twohop": "Who was in {3}?"},
    "character_set": ["Ann", "Bob"],
    "tests": {"T01": {"input_args": ["Dom", "Town", "Land"]}, "T02": {"input_args": ["Hut", "Village", "Isle"]}}})");
}

NeedleSet parse_one(const json& made) { return parse_needle_set(json::array({made}).dump(), "set.json"); }

TEST(NolimaNeedleSet, ExpandsTemplateByQuestionByTest) {
  const NeedleSet set = parse_one(good_template());
  const auto pairs = expand_needle_set(set);
  ASSERT_EQ(pairs.size(), 4u);
  EXPECT_EQ(pairs[0].id, "0401Inv_T01_onehop");
  EXPECT_EQ(pairs[1].id, "0401Inv_T02_onehop");
  EXPECT_EQ(pairs[2].id, "0401Inv_T01_twohop");
  EXPECT_EQ(pairs[3].needle, "Actually, a flat near the Hut belongs to {CHAR}.");
  EXPECT_EQ(pairs[3].question, "Who was in Isle?");
  EXPECT_EQ(pairs[3].needle_word, "Hut");
  EXPECT_TRUE(pairs[3].gold.empty());
  EXPECT_EQ(set[0].number(), 401);
  EXPECT_TRUE(set[0].inverted());
}

TEST(NolimaNeedleSet, GoldAnswersServeNeedlesWithoutAName) {
  json made = good_template();
  made["needle"] = "Actually, the flat is near the {1}.";
  made["tests"] = json::parse(R"({"T01": {"input_args": ["Dom", "Town", "Land"], "gold_answers": ["yes", "Yes"]}})");
  EXPECT_EQ(expand_needle_set(parse_one(made))[0].gold, (std::vector<std::string>{"yes", "Yes"}));
}

TEST(NolimaNeedleSet, DistractorsGoByQuestion) {
  json made = good_template();
  made["distractors"] = json::parse(R"({"twohop": "Nobody mentioned {3} again."})");
  const auto pairs = expand_needle_set(parse_one(made));
  EXPECT_EQ(pairs[0].distractor, "");
  EXPECT_EQ(pairs[2].distractor, "Nobody mentioned Land again.");
}

// What the message says when `field` of the second template is `value` (JSON text; empty = the field is missing).
std::string complaint(const char* field, const std::string& value) {
  json made = good_template(), first = good_template();
  first["id"] = "0400";
  if (value.empty()) {
    made.erase(field);
  } else {
    made[field] = json::parse(value);
  }
  try {
    parse_needle_set(json::array({first, made}).dump(), "set.json");
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kFormat);
    return error.what();
  }
  return "no error";
}

TEST(NolimaNeedleSet, NoPlaceholderSurvives) {
  const std::string second = "set.json: template 2 ('0401Inv'): ";
  EXPECT_EQ(complaint("questions", R"({"onehop": "Was {CHAR} in {2}?"})"),
            second + "question 'onehop' has {CHAR}, which is filled in the needle alone: the name is the answer");
  EXPECT_EQ(complaint("needle", R"("{CHAR} met {NAME} at the {1}.")"),
            second + "the needle has the placeholder {NAME}, which nothing fills");
  EXPECT_EQ(complaint("needle", R"("{CHAR} met { NAME } at the {1}.")"),
            second + "the needle has the placeholder { NAME }, which nothing fills");
  EXPECT_EQ(complaint("distractors", R"({"onehop": "{CHAR} forgot {2}."})"),
            second + "distractor 'onehop' has {CHAR}, which is filled in the needle alone: the name is the answer");
  EXPECT_EQ(complaint("distractors", R"({"onehop": "Nobody was in {7}."})"),
            second + "distractor 'onehop' has the placeholder {7}, which nothing fills");
  EXPECT_EQ(complaint("task_template", R"("{haystack} {question} {answer}")"),
            second + "'task_template' has the placeholder {answer}, which nothing fills");
  EXPECT_EQ(complaint("tests", R"({"T01": {"input_args": ["Dom", "{1}", "Land"]}})"),
            second + "test 'T01' has the placeholder {1}, which nothing fills");
  EXPECT_EQ(complaint("character_set", R"(["{CHAR}"])"),
            second + "'character_set' has {CHAR}, which is filled in the needle alone: the name is the answer");
  EXPECT_EQ(complaint("needle", R"("{CHAR} wrote {} and {a b} at the {1}.")"), "no error") << "braces are no placeholders";
}

TEST(NolimaNeedleSet, NullIsAbsent) {
  for (const char* field : {"distractors", "task_template", "group", "reasoning_type", "system_prompt"})
    EXPECT_EQ(complaint(field, "null"), "no error") << field;
  EXPECT_NE(complaint("character_set", "null").find("'character_set' is empty or missing"), std::string::npos);
  EXPECT_EQ(complaint("tests", R"({"T01": {"input_args": ["Dom", "Town", "Land"], "gold_answers": null}})"), "no error");
}

TEST(NolimaNeedleSet, BadFilesAreNamedWithTemplateAndField) {
  EXPECT_THROW(parse_needle_set("not json", "set.json"), Error);
  EXPECT_THROW(parse_needle_set("{}", "set.json"), Error);
  EXPECT_THROW(parse_needle_set("[]", "set.json"), Error);
  EXPECT_THROW(load_needle_set("/nonexistent/set.json"), Error);
  EXPECT_EQ(complaint("system_prompt", ""), "no error");
  EXPECT_EQ(complaint("id", ""), "set.json: template 2: field 'id' is missing");
  EXPECT_EQ(complaint("id", R"("40x1")"), "set.json: template 2 ('40x1'): 'id' does not begin with four digits");
  EXPECT_EQ(complaint("id", R"("0400")"), "set.json: template 2: the id '0400' is there twice");
  const std::string second = "set.json: template 2 ('0401Inv'): ";
  EXPECT_EQ(complaint("needle", ""), second + "field 'needle' is missing");
  EXPECT_EQ(complaint("needle", "3"), second + "'needle' is no string");
  EXPECT_EQ(complaint("questions", "{}"), second + "'questions' is empty");
  EXPECT_EQ(complaint("questions", "[]"), second + "'questions' is no object");
  EXPECT_EQ(complaint("questions", R"({"onehop": "Who was in {2} of {3}?"})"),
            second + "question 'onehop' has several argument placeholders; one is the most that upstream fills");
  EXPECT_EQ(complaint("questions", R"({"onehop": "Who was in {4}?"})"),
            second + "question 'onehop' wants {4}, test 'T01' has 3 input_args");
  EXPECT_EQ(complaint("character_set", ""), second + "the needle has {CHAR}, but 'character_set' is empty or missing");
  EXPECT_EQ(complaint("character_set", R"(["Ann", ""])"),
            second + "'character_set' has an empty name, which every answer holds");
  EXPECT_EQ(complaint("tests", "{}"), second + "'tests' is empty");
  EXPECT_EQ(complaint("tests", R"({"T01": {"input_args": ["Dom", "Town", "Land"], "gold_answers": [" "]}})"),
            second + "test 'T01' has an empty gold answer, which every answer holds");
  EXPECT_EQ(complaint("tests", R"({"T01": {}})"), second + "test 'T01' has no 'input_args'");
  EXPECT_EQ(complaint("tests", R"({"T01": {"input_args": []}})"), second + "test 'T01' has 0 input_args");
  EXPECT_EQ(complaint("needle", R"("The flat is near the {1}.")"),
            second + "the needle has no {CHAR}, so test 'T01' needs 'gold_answers'");
  EXPECT_EQ(complaint("task_template", R"("only {question}")"), second + "'task_template' lacks {haystack} or {question}");
}

TEST(NolimaNeedleSet, AWrongTemplateIsLeftOutAndSaid) {
  json wrong = good_template(), good = good_template();
  wrong["id"] = "0400";
  wrong.erase("needle");
  std::vector<std::string> problems;
  const NeedleSet set = parse_needle_set(json::array({wrong, good}).dump(), "set.json", &problems);
  ASSERT_EQ(set.size(), 1u);
  EXPECT_EQ(set[0].id, "0401Inv");
  EXPECT_EQ(problems, std::vector<std::string>{"set.json: template 1 ('0400'): field 'needle' is missing"});
  EXPECT_THROW(parse_needle_set(json::array({wrong}).dump(), "set.json", &problems), Error);
}

// A set of the official shape: 5 groups in two orders whose 58 question-needle pairs make 58 * 5 * 26 tests a length.
TEST(NolimaNeedleSet, OfficialShapeHas7540Tests) {
  const int tests_of_group[5] = {6, 6, 6, 6, 5};
  json list = json::array();
  for (int group = 0; group < 5; ++group) {
    for (const char* suffix : {"", "Inv"}) {
      json made = good_template();
      made["id"] = std::to_string(4000 + group) + suffix;
      made["tests"] = json::object();
      made["questions"] = json::parse(R"({"onehop": "Who was in {2}?", "direct": "Who has the {1}?"})");
      for (int t = 0; t < tests_of_group[group]; ++t) made["tests"][std::to_string(t)]["input_args"] = {"w", "q", "r"};
      list.push_back(made);
    }
  }
  const NeedleSet set = parse_needle_set(list.dump(), "set.json");
  const auto task = make_nolima_task("nolima_user", set, nullptr);
  const int64_t pairs = task->pairs(Split::kEval);  // without those asked directly
  ASSERT_EQ(pairs, 58);
  constexpr int64_t kBooks = 5;
  std::set<std::tuple<int64_t, int64_t, int64_t>> cells;
  for (int64_t index = 0; index < pairs * kBooks * kNolimaDepths; ++index) {
    const NolimaCell cell = nolima_cell(index, pairs, kBooks);
    EXPECT_TRUE(cell.pair < pairs && cell.book < kBooks && cell.depth < kNolimaDepths);
    cells.insert({cell.pair, cell.book, cell.depth});
  }
  EXPECT_EQ(cells.size(), 7540u);
}

TEST(NolimaNeedleSet, FormattingAndParsingGiveTheSetBack) {
  for (Split split : {Split::kEval, Split::kTrain}) {
    const std::string text = format_needle_set(own_needle_set(split));
    EXPECT_EQ(format_needle_set(parse_needle_set(text, "own")), text);
    EXPECT_EQ(expand_needle_set(parse_needle_set(text, "own")).size(), expand_needle_set(own_needle_set(split)).size());
  }
}

TEST(NolimaOwn, SevenGroupsTwoOrdersAndBothHops) {
  const NeedleSet& set = own_needle_set(Split::kEval);
  EXPECT_GE(expand_needle_set(set).size(), 80u);
  std::map<std::string, std::set<bool>> orders;
  std::map<std::string, std::set<std::string>> hops;
  for (const NeedleTemplate& from : set) {
    EXPECT_GE(from.tests.size(), 6u) << from.id;
    EXPECT_GE(from.character_set.size(), 12u);
    orders[from.group].insert(from.inverted());
    for (const NamedText& question : from.questions) hops[from.group].insert(question.name);
  }
  EXPECT_EQ(orders.size(), 7u);
  for (const auto& [group, both] : orders) EXPECT_EQ(both.size(), 2u) << group;
  for (const char* group : {"landmark", "residence", "artwork", "sport"})
    EXPECT_EQ(hops[group], (std::set<std::string>{"onehop", "twohop"})) << group;
}

TEST(NolimaOwn, InvertedNeedlesNameThePersonLast) {
  for (Split split : {Split::kEval, Split::kTrain}) {
    for (const NeedleTemplate& from : own_needle_set(split))
      EXPECT_EQ(from.inverted(), from.needle.find("{1}") < from.needle.find("{CHAR}")) << from.needle;
  }
}

TEST(NolimaOwn, SplitsShareNoKeywordNameOrWording) {
  std::set<std::string> seen[2];
  for (Split split : {Split::kEval, Split::kTrain}) {
    auto& mine = seen[split == Split::kEval ? 0 : 1];
    for (const NeedleTemplate& from : own_needle_set(split)) {
      mine.insert(from.needle);
      for (const std::string& name : from.character_set) {
        EXPECT_EQ(split_of(name), split) << name;
        mine.insert(name);
      }
      for (const NeedleTest& test : from.tests) {
        EXPECT_EQ(split_of(test.input_args[0]), split) << test.input_args[0];
        mine.insert(test.input_args[0]);
      }
    }
  }
  for (const std::string& item : seen[0]) EXPECT_FALSE(seen[1].contains(item)) << item;
}

TEST(NolimaOwn, BystandersOfEvaluationAreNobodysAnswerOfEitherSplit) {
  const std::set<std::string_view> eval = own_books(Split::kEval).people(), train = own_books(Split::kTrain).people();
  EXPECT_GE(eval.size(), 40u);
  std::vector<std::string> all = needle_names(Split::kTrain);
  for (const std::string& name : needle_names(Split::kEval)) all.push_back(name);
  for (std::string_view name : eval) {
    EXPECT_EQ(split_of(name), Split::kEval) << name;
    EXPECT_FALSE(train.contains(name)) << name;
    all.emplace_back(name);
  }
  for (size_t i = 0; i < all.size(); ++i)  // nor a part of one
    for (size_t j = 0; j < all.size(); ++j)
      EXPECT_EQ(all[i].find(all[j]), i == j ? 0 : std::string::npos) << all[i] << " " << all[j];
}

// Neither a list of bystanders nor one of answers can be learned: they are one list, of which each book lacks some.
TEST(NolimaOwn, BystandersOfTrainingAreItsAnswers) {
  const std::vector<std::string>& answers = needle_names(Split::kTrain);
  const std::set<std::string_view> train = own_books(Split::kTrain).people();
  EXPECT_EQ(train, std::set<std::string_view>(answers.begin(), answers.end()));
  EXPECT_GE(train.size(), 750u);
  for (std::string_view name : train) EXPECT_EQ(split_of(name), Split::kTrain) << name;
  std::set<std::string_view> lacking;
  for (int64_t book = 0; book < kNameClasses; ++book) {
    std::set<std::string_view> there;
    for (bool woman : {false, true})
      for (std::string_view name : bystander_names(Split::kTrain, book, woman)) there.insert(name);
    EXPECT_GE(train.size() - there.size(), 20u) << book;
    for (std::string_view name : train)
      if (!there.contains(name) && !lacking.insert(name).second) ADD_FAILURE() << name << " lacks in two classes of books";
  }
  EXPECT_EQ(lacking, train);
}

// A bystander's name, lower case, is no word of the prose, and has no stem of needles, questions or keywords.
TEST(NolimaOwn, BystandersReadLikeNothingElse) {
  HaystackWords prose, needles;
  for (auto list : {narrative_patterns, narrative_quotes, narrative_tags, narrative_places, narrative_nouns,
                    narrative_scenery, narrative_adjectives, narrative_verbs, narrative_handlings, narrative_motions,
                    narrative_adverbs, narrative_abstracts, narrative_times})
    for (std::string_view text : list()) prose.add(text);
  for (const NarrativePerson& person : narrative_people()) prose.add(person.name);
  for (Split split : {Split::kEval, Split::kTrain})
    for (const NeedlePair& pair : expand_needle_set(own_needle_set(split))) {
      needles.add(replace_placeholder(pair.needle, "{CHAR}", ""));
      needles.add(pair.question);
    }
  for (Split split : {Split::kEval, Split::kTrain})
    for (std::string_view name : own_books(split).people())
      for (const std::string& stem : content_stems(name)) {
        EXPECT_FALSE(needles.stems.contains(stem)) << name;
        std::string small(name);
        small[0] = static_cast<char>(small[0] - 'A' + 'a');
        EXPECT_FALSE(prose.words.contains(small)) << name;
      }
}

// The build-time checks of spec 2.7 against all prose that the books are made of.
TEST(NolimaOwn, PassesItsChecks) {
  HaystackWords haystack;
  for (Split split : {Split::kEval, Split::kTrain}) {
    for (int book = 0; book < kNarrativeBooks; ++book) haystack.add(narrative_book(split, book, 300000));
  }
  for (const std::string& name : needle_names(Split::kTrain)) haystack.words.erase(name);  // bystanders there, by design
  EXPECT_GT(haystack.stems.size(), 500u);
  for (Split split : {Split::kEval, Split::kTrain}) {
    for (const std::string& problem : check_needle_set(own_needle_set(split), haystack)) ADD_FAILURE() << problem;
    for (const std::string& problem : check_orders(own_needle_set(split))) ADD_FAILURE() << problem;
  }
}

TEST(NolimaOwn, FactsStateEveryAssociation) {
  const auto& facts = own_facts();
  EXPECT_EQ(std::set<std::string>(facts.begin(), facts.end()).size(), facts.size());
  for (Split split : {Split::kEval, Split::kTrain}) {
    for (const NeedleTemplate& from : own_needle_set(split)) {
      if (from.inverted()) continue;
      for (const NeedleTest& test : from.tests) {
        const auto states = [&](const std::string& fact) {  // the first letter may be a capital
          return fact.find(test.input_args[0].substr(1)) != std::string::npos &&
                 fact.find(test.input_args[1].substr(1)) != std::string::npos;
        };
        EXPECT_TRUE(std::any_of(facts.begin(), facts.end(), states)) << test.input_args[0];
      }
    }
  }
}

TEST(NolimaChecks, FindWhatTheyAreFor) {
  HaystackWords haystack;
  haystack.add("The widow lived in the village with Ann.");
  json made = good_template();
  made["questions"] = json::parse(R"({"onehop": "Which flats are in {2}?"})");
  made["character_set"] = {"Ann", "Annabel", "Bob"};
  made["needle"] = "{CHAR} has a flat near the {1}.";
  auto problems = check_needle_set(parse_one(made), haystack);
  for (std::string& problem : check_orders(parse_one(made))) problems.push_back(std::move(problem));
  const auto has = [&](const std::string& text) {
    return std::any_of(problems.begin(), problems.end(),
                       [&](const std::string& problem) { return problem.find(text) != std::string::npos; });
  };
  EXPECT_TRUE(has("share 'flat'"));
  EXPECT_TRUE(has("'Village' occurs in the haystack"));
  EXPECT_TRUE(has("the name Ann is a word of the haystack"));
  EXPECT_TRUE(has("the name Ann is part of Annabel"));
  EXPECT_TRUE(has("no phrase separates the needle"));
  EXPECT_TRUE(has("there is no template in the other order"));
}

TEST(NolimaChecks, StemsMeetAcrossEndings) {
  for (const auto& [a, b] : {std::pair{"city", "cities"},
                             {"travelled", "travel"},
                             {"stops", "stopping"},
                             {"quickly", "quick"},
                             {"hoped", "hope"}})
    EXPECT_EQ(content_stems(a), content_stems(b)) << a;
  EXPECT_TRUE(content_stems("the of and with").empty());
}

}  // namespace
}  // namespace sala::tasks
