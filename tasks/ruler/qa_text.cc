#include "tasks/ruler/qa_text.h"

#include <algorithm>
#include <vector>

#include "tasks/text/pseudo_words.h"
#include "tasks/text/words.h"

namespace sala::tasks {
namespace {

using enum AnswerForm;

constexpr std::array<std::string_view, 48> kGivenNames = {
    "Alban",  "Berta",  "Corin",  "Dagny",  "Edvin",  "Flora",  "Gerd",   "Hanne",  "Isak",   "Jorun",  "Kaspar", "Livia",
    "Mattis", "Nadine", "Orla",   "Paulin", "Quirin", "Rosa",   "Stefan", "Thea",   "Ulrik",  "Vera",   "Walter", "Yvonne",
    "Anton",  "Birgit", "Conrad", "Dora",   "Egon",   "Frieda", "Gustav", "Helene", "Ivar",   "Judith", "Klaus",  "Lotte",
    "Magnus", "Nelly",  "Oskar",  "Petra",  "Roland", "Sigrid", "Tobias", "Ursula", "Victor", "Wilma",  "Arthur", "Clara"};

constexpr std::array<std::string_view, 12> kPlainAdjectives = {"small",  "quiet",    "busy",      "modest",
                                                               "remote", "pleasant", "proud",     "plain",
                                                               "lively", "sturdy",   "well kept", "much visited"};

// E entity, N noun, A adjective, V verb: about the entity, but no fact that a question asks for.
constexpr std::array<std::string_view, 28> kFillers = {"Guests of E often speak of the N and the A N.",
                                                       "In most years the N matters more here than the N.",
                                                       "The older people say that the A N would V the N.",
                                                       "Nobody there would V a N without a A N.",
                                                       "A A N near E is said to V the N.",
                                                       "Over time the N came to V the A N.",
                                                       "There is a A N, and many V it every week.",
                                                       "The story of E is also the story of a A N.",
                                                       "Some would rather V the N than keep the N.",
                                                       "In winter the A N and the N are hard to V.",
                                                       "Those who know E well always V the N first.",
                                                       "It took a A N to V what the N had left.",
                                                       "The N is A, but the N is more A still.",
                                                       "For a long time E had no N of its own.",
                                                       "Letters from that time V a N and a A N.",
                                                       "The people near E like to V the A N.",
                                                       "Every spring the N and the N V each other.",
                                                       "What others V with a N, they V with a A N.",
                                                       "A book on E has much to say of the A N.",
                                                       "The N has changed little, and so has the A N.",
                                                       "Few of the neighbours V the N so often.",
                                                       "When the N was A, they began to V the N.",
                                                       "The A N of E is known far away.",
                                                       "It is easy to V the N and to forget the A N.",
                                                       "No other N is thought to be so A.",
                                                       "The N was kept for a A N and a N.",
                                                       "On market days one can V the N and the A N.",
                                                       "Without E the N would V another N."};

EntityKind town() {
  return {{"{E} is a {A} town in the {R} valley.", "Among the towns of the {R} valley, {E} is a {A} one."},
          {{{{"{E} was founded by {V}.", "Its founder was {V}."}, "Who founded the town of {E}?", kPerson},
            {{"The mayor of {E} is {V}.", "{V} serves as its mayor."}, "Who is the mayor of the town of {E}?", kPerson},
            {{"The town hall was built by {V}.", "It was {V} who built the town hall of {E}."},
             "Who built the town hall of {E}?",
             kPerson},
            {{"Markets are held on {V}.", "The largest square of {E} is {V}."},
             "What is the largest square of the town of {E} called?",
             kSquare},
            {{"A stream called {V} runs through {E}.", "The stream that runs through it is called {V}."},
             "Which stream runs through the town of {E}?",
             kName},
            {{"{E} is twinned with {V}.", "Its twin town is {V}."}, "Which town is {E} twinned with?", kName},
            {{"The local newspaper is the {V}.", "People in {E} read the {V}."},
             "What is the newspaper of the town of {E} called?",
             kGazette},
            {{"The oldest building of {E} is {V}.", "Its oldest building, {V}, still stands."},
             "What is the oldest building of the town of {E}?",
             kHouse}}}};
}

EntityKind river() {
  return {
      {"{E} is a {A} river in the {R} highlands.", "Of the rivers in the {R} highlands, {E} is a {A} one."},
      {{{{"{E} was first mapped by {V}.", "The first to map it was {V}."}, "Who first mapped the river {E}?", kPerson},
        {{"It rises from Lake {V}.", "The source of {E} is Lake {V}."}, "From which lake does the river {E} rise?", kName},
        {{"{E} meets the sea at {V}.", "It reaches the sea near {V}."}, "Where does the river {E} reach the sea?", kName},
        {{"Its longest branch is {V}.", "The longest branch of {E} is called {V}."},
         "What is the longest branch of the river {E}?",
         kName},
        {{"The ferry across {E} is run by {V}.", "{V} runs the only ferry."},
         "Who runs the ferry across the river {E}?",
         kPerson},
        {{"The stone bridge was the work of {V}.", "{V} built the stone bridge over {E}."},
         "Who built the stone bridge over the river {E}?",
         kPerson},
        {{"The keeper of the weir lives at {V}.", "By the weir of {E} stands {V}."},
         "Which house stands by the weir of the river {E}?",
         kHouse},
        {{"Its largest island is {V}.", "The largest island in {E} is called {V}."},
         "What is the largest island in the river {E}?",
         kName}}}};
}

EntityKind company() {
  return {{"{E} is a {A} company from the {R} district.", "In the {R} district {E} is known as a {A} company."},
          {{{{"{E} was started by {V}.", "The company was started by {V}."}, "Who started the company {E}?", kPerson},
            {{"The head of {E} is {V}.", "{V} leads the company today."}, "Who leads the company {E}?", kPerson},
            {{"Its chief engineer is {V}.", "{V} is the chief engineer of {E}."},
             "Who is the chief engineer of the company {E}?",
             kPerson},
            {{"Its best known product is sold as {V}.", "{E} sells most of its goods under the name {V}."},
             "Under which name does the company {E} sell its best known product?",
             kName},
            {{"The first workshop stood in {V}.", "{E} opened its first workshop in {V}."},
             "Where was the first workshop of the company {E}?",
             kName},
            {{"Its oldest rival is {V}.", "The oldest rival of {E} is called {V}."},
             "Which company is the oldest rival of {E}?",
             kName},
            {{"The offices are in {V}.", "{E} has its offices in {V}."},
             "In which building are the offices of the company {E}?",
             kHouse},
            {{"Its shop faces {V}.", "The shop of {E} faces {V}."},
             "Which square does the shop of the company {E} face?",
             kSquare}}}};
}

EntityKind person() {
  return {
      {"{E} was a {A} figure in the {R} province.", "In the {R} province {E} is remembered as a {A} figure."},
      {{{{"The teacher of {E} was {V}.", "{V} was the one teacher who mattered."}, "Who was the teacher of {E}?", kPerson},
        {{"{E} was born in {V}.", "The place of birth was {V}."}, "Where was {E} born?", kName},
        {{"{E} married {V}.", "The marriage with {V} lasted for many years."}, "Whom did {E} marry?", kPerson},
        {{"The family home was {V}.", "{E} lived at {V}."}, "In which house did {E} live?", kHouse},
        {{"{E} wrote for the {V}.", "Most of the letters went to the {V}."}, "Which newspaper did {E} write for?", kGazette},
        {{"{E} owned a horse called {V}.", "The horse of the family was called {V}."},
         "What was the horse of {E} called?",
         kName},
        {{"The closest friend of {E} was {V}.", "There was one close friend, {V}."},
         "Who was the closest friend of {E}?",
         kPerson},
        {{"A statue of {E} stands on {V}.", "The statue was put up on {V}."},
         "On which square does the statue of {E} stand?",
         kSquare}}}};
}

// Common words that hold no invented name, so that an answer never stands in them.
std::vector<std::string_view> plain(const std::vector<std::string_view>& words, size_t count) {
  std::vector<std::string_view> kept;
  for (size_t i = 0; i < count && i < words.size(); ++i)
    if (!holds_name(words[i])) kept.push_back(words[i]);
  return kept;
}

// A filler cut at its slots: each piece is text, then the slot behind it (none behind the last).
struct Filler {
  struct Piece {
    std::string_view before;
    char slot;
  };
  explicit Filler(std::string_view pattern) : spaces(std::count(pattern.begin(), pattern.end(), ' ')) {
    size_t begin = 0;
    for (size_t i = 0; i < pattern.size(); ++i) {
      const bool alone = (i == 0 || pattern[i - 1] == ' ') && (i + 1 == pattern.size() || pattern[i + 1] < 'A');
      const bool article = i == 0 && pattern[i] == 'A';
      if (!alone || article || std::string_view("ENVA").find(pattern[i]) == std::string_view::npos) continue;
      pieces.push_back({pattern.substr(begin, i - begin), pattern[i]});
      begin = i + 1;
    }
    end = pattern.substr(begin);
  }
  std::vector<Piece> pieces;
  std::string_view end;
  int64_t spaces;
};

// Appends `word` to a sentence that begins at `begin`; "a" and "A" before a vowel letter become "an" and "An".
void append_word(std::string& text, size_t begin, std::string_view word) {
  const size_t size = text.size() - begin;
  const auto back = [&](size_t i) { return text[text.size() - i]; };
  const bool article = size >= 2 && back(1) == ' ' && (back(2) == 'a' || back(2) == 'A') && (size == 2 || back(3) == ' ');
  if (article && std::string_view("aeiou").find(word[0]) != std::string_view::npos) text.insert(text.size() - 1, 1, 'n');
  text += word;
}

}  // namespace

const std::array<EntityKind, 4>& entity_kinds() {
  static const std::array<EntityKind, 4> kinds = {town(), river(), company(), person()};
  return kinds;
}

const std::array<BridgeKind, 6>& bridge_kinds() {
  static const std::array<BridgeKind, 6> kinds = {{
      {{"{E} is a {A} company from the {R} district.", "The {A} company {E} belongs to the {R} district."},
       {"{E} was founded by {P}.", "Its founder was {P}."},
       "the founder of the company {E}"},
      {{"The {E} bridge is a {A} bridge in the {R} valley.", "In the {R} valley stands the {E} bridge, a {A} work."},
       {"The {E} bridge was designed by {P}.", "Its designer was {P}."},
       "the designer of the {E} bridge"},
      {{"{E} is a {A} novel set in the {R} province.", "The {R} province is the scene of the {A} novel {E}."},
       {"{E} was written by {P}.", "Its author was {P}."},
       "the author of the novel {E}"},
      {{"The {E} was a {A} ship of the {R} fleet.", "Of all ships of the {R} fleet, the {E} was a {A} one."},
       {"The captain of the {E} was {P}.", "On every voyage its captain was {P}."},
       "the captain of the ship {E}"},
      {{"The {E} school is a {A} school in the {R} valley.", "In the {R} valley the {E} school is known as a {A} school."},
       {"The first head of the {E} school was {P}.", "Its first head was {P}."},
       "the first head of the {E} school"},
      {{"The {E} theatre is a {A} theatre in the {R} district.",
        "Among the theatres of the {R} district, the {E} theatre is a {A} one."},
       {"The {E} theatre belongs to {P}.", "Its owner is {P}."},
       "the owner of the {E} theatre"},
  }};
  return kinds;
}

const std::array<PersonAttribute, 5>& person_attributes() {
  static const std::array<PersonAttribute, 5> attributes = {{
      {{"{P} was born in the village of {V}.", "The village of {V} was the place of birth."},
       "In which village was {W} born?",
       kName},
      {{"{P} was taught by {V}.", "The only teacher was {V}."}, "Who taught {W}?", kPerson},
      {{"{P} lived at {V}.", "The family home was {V}."}, "In which house did {W} live?", kHouse},
      {{"{P} was married to {V}.", "A long marriage joined {P} and {V}."}, "To whom was {W} married?", kPerson},
      {{"{P} was buried on the island of {V}.", "The grave is on the island of {V}."},
       "On which island was {W} buried?",
       kName},
  }};
  return attributes;
}

std::string_view given_name(Rng& rng) { return kGivenNames[rng.below(kGivenNames.size())]; }

std::string answer_string(AnswerForm form, Rng& rng, const std::string& name) {
  switch (form) {
    case kPerson:
      return std::string(given_name(rng)) + " " + name;
    case kName:
      return name;
    case kSquare:
      return name + " Square";
    case kHouse:
      return name + " House";
    case kGazette:
      return name + " Gazette";
  }
  return name;
}

int64_t append_filler(std::string& text, Rng& rng, std::string_view entity) {
  static const std::vector<std::string_view> kNouns = plain(nouns(), 900), kAdjectives = plain(prose_adjectives(), 300),
                                             kVerbs = plain(verbs(), 320);
  static const std::vector<Filler> fillers(kFillers.begin(), kFillers.end());
  const auto word = [&](const std::vector<std::string_view>& list) { return list[rng.below(list.size())]; };
  const Filler& filler = fillers[rng.below(fillers.size())];
  const size_t begin = text.size();
  int64_t spaces = filler.spaces;
  for (const auto& [before, slot] : filler.pieces) {
    text += before;
    if (slot == 'E') {
      append_word(text, begin, entity);
      spaces += std::count(entity.begin(), entity.end(), ' ');
    } else {
      append_word(text, begin, word(slot == 'N' ? kNouns : slot == 'V' ? kVerbs : kAdjectives));
    }
  }
  text += filler.end;
  return spaces + 1;
}

std::string_view plain_adjective(Rng& rng) { return kPlainAdjectives[rng.below(kPlainAdjectives.size())]; }

std::string fill_pattern(std::string_view pattern,
                         std::initializer_list<std::pair<std::string_view, std::string_view>> slots) {
  std::string text;
  text.reserve(pattern.size() + 32);
  while (true) {
    const size_t open = pattern.find('{');
    text += pattern.substr(0, open);
    if (open == std::string_view::npos) return text;
    for (const auto& [name, value] : slots)
      if (name[0] == pattern[open + 1]) text += value;
    pattern.remove_prefix(open + 3);
  }
}

}  // namespace sala::tasks
