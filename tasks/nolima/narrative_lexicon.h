// Words and patterns of the built-in prose. Ours; chosen to have nothing to do with what needles are about.
#pragma once

#include <span>
#include <string_view>

namespace sala::tasks {

struct NarrativePerson {
  std::string_view name, pronoun, possessive, object;  // "the widow", "she", "her", "her"
};

// Slots, capital letters: A, B the paragraph's two people; H, R, O pronouns of A; K its place ("in the long passage"); G one
// of its two things; and drawn anew each time: N thing, E scenery, J adjective, V participle of what one does to anything
// ("noticed"), U past form of what one does to a thing ("lifted"), W past motion ("came down the stairs"), D adverb, M
// abstract noun, T time phrase.
std::span<const std::string_view> narrative_patterns();
std::span<const std::string_view> narrative_quotes();  // what is said; no full stop
std::span<const std::string_view> narrative_tags();    // who says it
std::span<const NarrativePerson> narrative_people();
std::span<const std::string_view> narrative_places();
std::span<const std::string_view> narrative_nouns();
std::span<const std::string_view> narrative_scenery();
std::span<const std::string_view> narrative_adjectives();
std::span<const std::string_view> narrative_verbs();
std::span<const std::string_view> narrative_handlings();
std::span<const std::string_view> narrative_motions();
std::span<const std::string_view> narrative_adverbs();
std::span<const std::string_view> narrative_abstracts();
std::span<const std::string_view> narrative_times();

}  // namespace sala::tasks
