#include "tasks/nolima/names.h"

#include <algorithm>
#include <array>
#include <set>

#include "nolima_facts.h"  // generated from tasks/data/nolima/facts.json
#include "sim/text/json.h"
#include "tasks/nolima/checks.h"
#include "tasks/text/pseudo_words.h"
#include "tasks/text/values.h"

namespace sala::tasks {
namespace {

using json = nlohmann::ordered_json;

constexpr int64_t kInventedNames = 150, kShortNames = 450;  // in the training split, besides real ones
constexpr size_t kShortName[] = {4, 6};                     // letters, from and to
constexpr int64_t kSpread = 1000003;                        // neighbouring numbers give similar words

bool apart(std::string_view a, std::string_view b) {
  return a.find(b) == std::string_view::npos && b.find(a) == std::string_view::npos;
}

struct Person {
  std::string name;
  bool woman, man;  // whom it may be a name of
};

// The real names of `split` in the list `key` of an object.
void add_real(const json& object, const char* key, Split split, bool woman, bool man, std::vector<Person>& people) {
  for (const json& name : object[key])
    if (split_of(name.get<std::string>()) == split) people.push_back({name.get<std::string>(), woman, man});
}

// What needles, questions and keywords are made of: no invented name may read like it ("Lima").
HaystackWords words_of_needles(const json& facts) {
  HaystackWords words;
  words.add(text::write_json(facts["groups"]));
  return words;
}

void add_invented(const json& facts, std::vector<Person>& people) {
  const HaystackWords needles = words_of_needles(facts);
  std::vector<std::string> proper;  // a keyword stands once in a prompt, not in a name either
  for (const std::string& word : needles.words)
    if (word[0] >= 'A' && word[0] <= 'Z' && word.size() > 2) proper.push_back(word);
  const auto add = [&](std::string name) {
    if (split_of(name) != Split::kTrain) return false;
    for (const std::string& stem : content_stems(name))
      if (needles.stems.contains(stem)) return false;
    const bool fits = std::all_of(people.begin(), people.end(), [&](const Person& p) { return apart(p.name, name); }) &&
                      std::all_of(proper.begin(), proper.end(), [&](const std::string& word) { return apart(word, name); });
    if (fits) people.push_back({std::move(name), true, true});
    return fits;
  };
  for (int64_t i = 0, made = 0; made < kInventedNames; ++i) made += add(invented_name(Split::kTrain, i));
  for (int64_t i = 0, made = 0; made < kShortNames; ++i) {
    std::string word = pseudo_word(i * kSpread % kPseudoWords);
    if (word.size() < kShortName[0] || word.size() > kShortName[1]) continue;
    word[0] = static_cast<char>(word[0] - 'a' + 'A');
    made += add(std::move(word));
  }
}

struct Names {
  std::vector<std::string> needles;
  std::vector<Person> bystanders;
};

Names make_names(Split split) {
  json facts;
  text::read_json(data::kNolimaFacts, facts);
  Names made;
  std::vector<Person> people;
  add_real(facts, "names", split, true, true, people);
  if (split == Split::kTrain) {
    add_real(facts["bystanders"], "she", split, true, false, people);
    add_real(facts["bystanders"], "he", split, false, true, people);
    add_invented(facts, people);
  }
  for (const Person& person : people) made.needles.push_back(person.name);
  if (split == Split::kTrain) {
    made.bystanders = std::move(people);
  } else {
    add_real(facts["bystanders"], "she", split, true, false, made.bystanders);
    add_real(facts["bystanders"], "he", split, false, true, made.bystanders);
  }
  return made;
}

const Names& names_of(Split split) {
  static const Names eval = make_names(Split::kEval), train = make_names(Split::kTrain);
  return split == Split::kEval ? eval : train;
}

// By class of the book (one for all books in kEval), women's and men's.
using Lists = std::array<std::array<std::vector<std::string_view>, 2>, kNameClasses>;

Lists make_lists(Split split) {
  Lists lists;
  for (const Person& person : names_of(split).bystanders) {
    // The lowest two bits of the hash decide the split.
    const auto own = static_cast<int64_t>((value_hash(person.name) >> 2) % static_cast<uint64_t>(kNameClasses));
    for (int64_t book = 0; book < kNameClasses; ++book) {
      if (split == Split::kTrain && own == book) continue;
      auto& [men, women] = lists[static_cast<size_t>(book)];
      if (person.woman) women.push_back(person.name);
      if (person.man) men.push_back(person.name);
    }
  }
  return lists;
}

}  // namespace

const std::vector<std::string>& needle_names(Split split) { return names_of(split).needles; }

const std::vector<std::string_view>& bystander_names(Split split, int64_t book, bool woman) {
  static const Lists eval = make_lists(Split::kEval), train = make_lists(Split::kTrain);
  const Lists& lists = split == Split::kEval ? eval : train;
  return lists[static_cast<size_t>(book % kNameClasses)][woman ? 1 : 0];
}

}  // namespace sala::tasks
