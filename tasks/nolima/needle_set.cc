#include "tasks/nolima/needle_set.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <set>

#include "nolima_facts.h"  // generated from tasks/data/nolima/facts.json
#include "sala/core/error.h"
#include "sim/text/json.h"
#include "sim/text/printable.h"
#include "tasks/nolima/names.h"
#include "tasks/text/corpora_files.h"
#include "tasks/text/values.h"

namespace sala::tasks {
namespace {

using json = nlohmann::ordered_json;

constexpr size_t kOwnTests = 8;  // a template, in the evaluation split
constexpr std::string_view kCharacter = "{CHAR}";

std::string argument(size_t index) { return fmt::format("{{{}}}", index + 1); }

// The first word in braces of `text`, spaces beside it or not, that is none of `filled`, for messages; empty when there is
// none.
std::string unfilled(std::string_view text, std::initializer_list<std::string_view> filled, size_t arguments) {
  for (size_t open = text.find('{'); open != std::string_view::npos; open = text.find('{', open + 1)) {
    size_t begin = open + 1;
    while (begin < text.size() && text[begin] == ' ') ++begin;
    size_t end = begin;
    while (end < text.size() && (std::isalnum(static_cast<unsigned char>(text[end])) != 0 || text[end] == '_')) ++end;
    if (end == begin) continue;
    while (end < text.size() && text[end] == ' ') ++end;
    if (end == text.size() || text[end] != '}') continue;
    const std::string word(text.substr(open, end + 1 - open));
    const bool is_argument = word.size() == 3 && word[1] >= '1' && word[1] < static_cast<char>('1' + arguments);
    if (!is_argument && std::find(filled.begin(), filled.end(), word) == filled.end()) return word;
  }
  return "";
}

int count_arguments(std::string_view text) {
  int count = 0;
  for (size_t i = 0; i < 9; ++i) count += text.find(argument(i)) != std::string_view::npos;
  return count;
}

// Reads one template; `where` names it in messages.
class TemplateReader {
 public:
  TemplateReader(const json& object, std::string where) : object_(object), where_(std::move(where)) {}
  NeedleTemplate read();

 private:
  Error fail(const std::string& what) const {
    return Error(ErrorCode::kFormat, "{}: {}", where_, text::printable(what, 300));
  }
  const json& need(const char* name) const {
    const auto at = object_.find(name);
    if (at == object_.end()) throw fail(fmt::format("field '{}' is missing", name));
    return *at;
  }
  std::string text(const json& value, const std::string& name) const {
    if (!value.is_string()) throw fail(fmt::format("'{}' is no string", name));
    return value.get<std::string>();
  }
  std::string optional_text(const char* name) const {
    const auto at = object_.find(name);
    return at == object_.end() || at->is_null() ? std::string() : text(*at, name);
  }
  std::vector<std::string> texts(const json& value, const std::string& name) const {
    if (!value.is_array()) throw fail(fmt::format("'{}' is no list", name));
    std::vector<std::string> list;
    for (const json& item : value) list.push_back(text(item, name));
    return list;
  }
  std::vector<NamedText> named_texts(const json& value, const std::string& name) const {
    if (!value.is_object()) throw fail(fmt::format("'{}' is no object", name));
    std::vector<NamedText> list;
    for (const auto& [key, item] : value.items()) list.push_back({key, text(item, fmt::format("{}.{}", name, key))});
    return list;
  }
  NeedleTest test(const std::string& id, const json& value) const;
  // No placeholder may survive into a prompt.
  void check_placeholders(const NeedleTemplate& made) const;
  void check(const NeedleTemplate& made) const;

  const json& object_;
  std::string where_;
};

NeedleTest TemplateReader::test(const std::string& id, const json& value) const {
  if (!value.is_object() || !value.contains("input_args")) throw fail(fmt::format("test '{}' has no 'input_args'", id));
  NeedleTest made{id, texts(value["input_args"], fmt::format("tests.{}.input_args", id)), {}};
  if (made.input_args.empty() || made.input_args.size() > 9)
    throw fail(fmt::format("test '{}' has {} input_args", id, made.input_args.size()));
  if (value.contains("gold_answers") && !value["gold_answers"].is_null()) {
    const json& gold = value["gold_answers"];
    made.gold_answers = gold.is_string() ? std::vector<std::string>{gold.get<std::string>()}
                                         : texts(gold, fmt::format("tests.{}.gold_answers", id));
  }
  return made;
}

void TemplateReader::check_placeholders(const NeedleTemplate& made) const {
  const auto refuse = [&](const std::string& field, std::string_view text, std::initializer_list<std::string_view> filled,
                          size_t arguments) {
    const std::string word = unfilled(text, filled, arguments);
    if (word == kCharacter)
      throw fail(fmt::format("{} has {{CHAR}}, which is filled in the needle alone: the name is the answer", field));
    if (!word.empty()) throw fail(fmt::format("{} has the placeholder {}, which nothing fills", field, word));
  };
  refuse("'task_template'", made.task_template, {"{haystack}", "{question}"}, 0);
  for (const std::string& name : made.character_set) refuse("'character_set'", name, {}, 0);
  for (const NeedleTest& test : made.tests) {
    const size_t arguments = test.input_args.size();
    for (const std::string& each : test.input_args) refuse(fmt::format("test '{}'", test.id), each, {}, 0);
    for (const std::string& each : test.gold_answers) refuse(fmt::format("test '{}'", test.id), each, {}, 0);
    refuse("the needle", made.needle, {kCharacter}, arguments);
    for (const NamedText& each : made.questions) refuse(fmt::format("question '{}'", each.name), each.text, {}, arguments);
    for (const NamedText& each : made.distractors)
      refuse(fmt::format("distractor '{}'", each.name), each.text, {}, arguments);
  }
}

void TemplateReader::check(const NeedleTemplate& made) const {
  if (made.questions.empty()) throw fail("'questions' is empty");
  if (made.tests.empty()) throw fail("'tests' is empty");
  const bool named = made.needle.find(kCharacter) != std::string::npos;
  if (named && made.character_set.empty()) throw fail("the needle has {CHAR}, but 'character_set' is empty or missing");
  for (const NamedText& question : made.questions) {
    if (count_arguments(question.text) > 1)
      throw fail(fmt::format("question '{}' has several argument placeholders; one is the most that upstream fills",
                             question.name));
  }
  const auto some_blank = [](const std::vector<std::string>& names) {
    return std::any_of(names.begin(), names.end(), text::is_blank);
  };
  if (some_blank(made.character_set)) throw fail("'character_set' has an empty name, which every answer holds");
  for (const NeedleTest& test : made.tests) {
    if (some_blank(test.gold_answers))
      throw fail(fmt::format("test '{}' has an empty gold answer, which every answer holds", test.id));
    if (!named && test.gold_answers.empty())
      throw fail(fmt::format("the needle has no {{CHAR}}, so test '{}' needs 'gold_answers'", test.id));
    for (size_t i = test.input_args.size(); i < 9; ++i) {
      for (const NamedText& question : made.questions)
        if (question.text.find(argument(i)) != std::string::npos)
          throw fail(fmt::format("question '{}' wants {}, test '{}' has {} input_args", question.name, argument(i), test.id,
                                 test.input_args.size()));
      if (made.needle.find(argument(i)) != std::string::npos)
        throw fail(
            fmt::format("the needle wants {}, test '{}' has {} input_args", argument(i), test.id, test.input_args.size()));
    }
  }
}

NeedleTemplate TemplateReader::read() {
  if (!object_.is_object()) throw fail("this is no object");
  NeedleTemplate made;
  made.id = text(need("id"), "id");
  where_ += fmt::format(" ('{}')", text::printable(made.id, 60));
  const bool digits = made.id.size() >= 4 && std::all_of(made.id.begin(), made.id.begin() + 4,
                                                         [](unsigned char c) { return std::isdigit(c) != 0; });
  if (!digits) throw fail("'id' does not begin with four digits");
  made.needle = text(need("needle"), "needle");
  made.questions = named_texts(need("questions"), "questions");
  const json& tests = need("tests");
  if (!tests.is_object()) throw fail("'tests' is no object");
  for (const auto& [id, value] : tests.items()) made.tests.push_back(test(id, value));
  if (object_.contains("character_set") && !object_["character_set"].is_null())
    made.character_set = texts(object_["character_set"], "character_set");
  if (object_.contains("distractors") && !object_["distractors"].is_null())
    made.distractors = named_texts(object_["distractors"], "distractors");
  made.reasoning_type = optional_text("reasoning_type");
  made.system_prompt = optional_text("system_prompt");
  made.task_template = optional_text("task_template");
  made.group = optional_text("group");
  if (!made.task_template.empty() && (made.task_template.find("{haystack}") == std::string::npos ||
                                      made.task_template.find("{question}") == std::string::npos))
    throw fail("'task_template' lacks {haystack} or {question}");
  check(made);
  check_placeholders(made);
  return made;
}

json own_data() {
  json facts;
  text::read_json(data::kNolimaFacts, facts);
  return facts;
}

NeedleSet make_own_set(Split split) {
  const json facts = own_data();
  NeedleSet set;
  for (const json& group : facts["groups"]) {
    std::vector<NeedleTest> tests;
    for (size_t t = 0; t < group["tests"].size(); ++t) {
      const auto args = group["tests"][t].get<std::vector<std::string>>();
      if (split_of(args[0]) == split && (split == Split::kTrain || tests.size() < kOwnTests))
        tests.push_back({fmt::format("T{:02}", t + 1), args, {}});
    }
    for (const json& wording : group[split == Split::kEval ? "eval" : "train"]) {
      NeedleTemplate made;
      made.id = wording["id"].get<std::string>();
      made.needle = wording["needle"].get<std::string>();
      made.group = group["group"].get<std::string>();
      made.reasoning_type = group["reasoning_type"].get<std::string>();
      for (const auto& [name, question] : group["questions"].items())
        made.questions.push_back({name, question.get<std::string>()});
      made.character_set = needle_names(split);
      made.tests = tests;
      set.push_back(std::move(made));
    }
  }
  return set;
}

}  // namespace

int64_t NeedleTemplate::number() const { return std::stoll(id.substr(0, 4)); }

std::string replace_placeholder(std::string text, std::string_view placeholder, std::string_view value) {
  for (size_t at = text.find(placeholder); at != std::string::npos; at = text.find(placeholder, at + value.size()))
    text.replace(at, placeholder.size(), value);
  return text;
}

namespace {

// What filling a placeholder makes of a text is bounded: a short file can ask for any length.
std::string filled(const std::string& text, size_t index, const NeedleTest& test, const NeedleTemplate& from) {
  constexpr size_t kMostBytes = 64 << 10;
  const std::string placeholder = argument(index);
  size_t bytes = text.size();
  for (size_t at = text.find(placeholder); at != std::string::npos; at = text.find(placeholder, at + placeholder.size()))
    bytes += test.input_args[index].size();
  if (bytes > kMostBytes)
    throw Error(ErrorCode::kFormat, "needle set: template '{}' makes a text of more than {} bytes",
                text::printable(from.id, 60), kMostBytes);
  return replace_placeholder(text, placeholder, test.input_args[index]);
}

constexpr size_t kMostBytesOfPairs = 256 << 20;

}  // namespace

std::vector<NeedlePair> expand_needle_set(const NeedleSet& set) {
  std::vector<NeedlePair> pairs;
  size_t bytes = 0;
  for (size_t t = 0; t < set.size(); ++t) {
    const NeedleTemplate& from = set[t];
    for (const NamedText& question : from.questions) {
      const auto distractor = std::find_if(from.distractors.begin(), from.distractors.end(),
                                           [&](const NamedText& d) { return d.name == question.name; });
      for (const NeedleTest& test : from.tests) {
        NeedlePair pair;
        pair.id = fmt::format("{}_{}_{}", from.id, test.id, question.name);
        pair.template_index = t;
        pair.test_id = test.id;
        pair.question_name = question.name;
        pair.needle = from.needle;
        pair.question = question.text;
        if (distractor != from.distractors.end()) pair.distractor = distractor->text;
        pair.needle_word = test.input_args[0];
        for (size_t i = 0; i < test.input_args.size(); ++i) {
          pair.needle = filled(pair.needle, i, test, from);
          if (question.text.find(argument(i)) != std::string::npos) pair.question = filled(question.text, i, test, from);
          pair.distractor = filled(pair.distractor, i, test, from);
        }
        bytes += sizeof(NeedlePair) + pair.needle.size() + pair.question.size() + pair.distractor.size();
        if (bytes > kMostBytesOfPairs)
          throw Error(ErrorCode::kFormat, "needle set: its templates and tests make more than {} bytes of text",
                      kMostBytesOfPairs);
        if (from.needle.find(kCharacter) == std::string::npos) pair.gold = test.gold_answers;
        pairs.push_back(std::move(pair));
      }
    }
  }
  return pairs;
}

NeedleSet parse_needle_set(std::string_view text, const std::string& origin, std::vector<std::string>* problems) {
  json list;
  if (const auto problem = text::read_json(text, list)) throw Error(ErrorCode::kFormat, "{}: {}", origin, problem->what);
  if (!list.is_array() || list.empty())
    throw Error(ErrorCode::kFormat, "{}: a needle set is a JSON list of templates", origin);
  NeedleSet set;
  std::set<std::string> seen;
  for (size_t i = 0; i < list.size(); ++i) {
    try {
      NeedleTemplate made = TemplateReader(list[i], fmt::format("{}: template {}", origin, i + 1)).read();
      if (!seen.insert(made.id).second)
        throw Error(ErrorCode::kFormat, "{}: template {}: the id '{}' is there twice", origin, i + 1,
                    text::printable(made.id, 60));
      set.push_back(std::move(made));
    } catch (const Error& error) {
      if (problems == nullptr || (set.empty() && i + 1 == list.size())) throw;
      problems->push_back(error.what());
    }
  }
  return set;
}

NeedleSet load_needle_set(const std::string& path) { return parse_needle_set(read_text_file("needles", path).text(), path); }

std::string format_needle_set(const NeedleSet& set) {
  const auto object = [](const std::vector<NamedText>& list) {
    json made = json::object();
    for (const NamedText& item : list) made[item.name] = item.text;
    return made;
  };
  json list = json::array();
  for (const NeedleTemplate& from : set) {
    json made = {{"id", from.id}, {"reasoning_type", from.reasoning_type}, {"system_prompt", from.system_prompt}};
    if (!from.task_template.empty()) made["task_template"] = from.task_template;
    made["needle"] = from.needle;
    made["questions"] = object(from.questions);
    made["character_set"] = from.character_set;
    made["tests"] = json::object();
    for (const NeedleTest& test : from.tests) {
      made["tests"][test.id] = {{"input_args", test.input_args}};
      if (!test.gold_answers.empty()) made["tests"][test.id]["gold_answers"] = test.gold_answers;
    }
    if (!from.distractors.empty()) made["distractors"] = object(from.distractors);
    if (!from.group.empty()) made["group"] = from.group;
    list.push_back(std::move(made));
  }
  return text::write_json(list, 1) + "\n";
}

const NeedleSet& own_needle_set(Split split) {
  static const NeedleSet eval = make_own_set(Split::kEval), train = make_own_set(Split::kTrain);
  return split == Split::kEval ? eval : train;
}

const std::vector<std::string>& own_facts() {
  static const std::vector<std::string> sentences = [] {
    std::vector<std::string> made;
    std::set<std::string> seen;
    const json facts = own_data();
    for (const json& group : facts["groups"]) {
      for (const auto& [hop, wordings] : group["facts"].items()) {
        for (const json& test : group["tests"]) {
          for (const json& wording : wordings) {
            std::string sentence = wording.get<std::string>();
            for (size_t i = 0; i < test.size(); ++i)
              sentence = replace_placeholder(sentence, argument(i), test[i].get<std::string>());
            if (sentence[0] >= 'a' && sentence[0] <= 'z') sentence[0] = static_cast<char>(sentence[0] - 'a' + 'A');
            if (seen.insert(sentence).second) made.push_back(std::move(sentence));
          }
        }
      }
    }
    return made;
  }();
  return sentences;
}

}  // namespace sala::tasks
