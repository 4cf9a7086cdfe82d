// The sentences of the built-in question collections.
#pragma once

#include <array>
#include <string>
#include <string_view>

#include "sala/core/rng.h"

namespace sala::tasks {

// How an answer is spelled around its invented name.
enum class AnswerForm { kPerson, kName, kSquare, kHouse, kGazette };

struct Attribute {
  std::array<std::string_view, 2> facts;  // {E} the entity, {V} the answer
  std::string_view question;              // {E}
  AnswerForm form;
};

struct EntityKind {
  std::array<std::string_view, 2> intros;  // {E}, {R} region, {A} adjective
  std::array<Attribute, 8> attributes;
};
const std::array<EntityKind, 4>& entity_kinds();  // town, river, company, person

struct BridgeKind {
  std::array<std::string_view, 2> intros;  // of the first document: {E}, {R}, {A}
  std::array<std::string_view, 2> links;   // {E}, {P} the person
  std::string_view person_phrase;          // as the question names the person: "the founder of the company {E}"
};
const std::array<BridgeKind, 6>& bridge_kinds();

struct PersonAttribute {
  std::array<std::string_view, 2> facts;  // {P}, {V}
  std::string_view question;              // {W} the person phrase
  AnswerForm form;
};
const std::array<PersonAttribute, 5>& person_attributes();

// A given name, shared by both splits: the family name makes a person.
std::string_view given_name(Rng& rng);
// "Corin Talverin", "Talverin", "Talverin Square", ...
std::string answer_string(AnswerForm form, Rng& rng, const std::string& name);
// Appends a sentence about `entity` that states no attribute; returns how many words it has. Its lexicon words hold no
// invented name.
int64_t append_filler(std::string& text, Rng& rng, std::string_view entity);
// An adjective for an introduction.
std::string_view plain_adjective(Rng& rng);
// `pattern` with {name}, a letter, replaced for each pair.
std::string fill_pattern(std::string_view pattern,
                         std::initializer_list<std::pair<std::string_view, std::string_view>> slots);

}  // namespace sala::tasks
