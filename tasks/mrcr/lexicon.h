// Words and sentence patterns of the built-in conversations (spec tasks 3.6). Ours, made for this task.
#pragma once

#include <span>
#include <string_view>
#include <vector>

namespace sala::tasks {

// 900 and more concrete plural nouns.
const std::vector<std::string_view>& mrcr_topics();

// Slots of a clause pattern, capital letters: T topic; the words of one reply's plot: N, M names, P place, W weather, C
// colour, O tool, D noun, J adjective, V verb (base form); words drawn anew each time: X noun, Y adjective, Z verb (base
// form).
std::span<const std::string_view> mrcr_topic_clauses();  // each with one T
std::span<const std::string_view> mrcr_plain_clauses();  // none with T
std::span<const std::string_view> mrcr_links();          // between two clauses of a sentence

std::span<const std::string_view> mrcr_places();      // after "in", "by", "to": with an article
std::span<const std::string_view> mrcr_weathers();    // nouns without an article
std::span<const std::string_view> mrcr_colours();     // adjectives
std::span<const std::string_view> mrcr_tools();       // singular nouns
std::span<const std::string_view> mrcr_nouns();       // singular nouns
std::span<const std::string_view> mrcr_adjectives();  // before a noun and after "was"
std::span<const std::string_view> mrcr_verbs();       // transitive, base form
std::span<const std::string_view> mrcr_onsets();      // of an invented name
std::span<const std::string_view> mrcr_endings();     // of an invented name

}  // namespace sala::tasks
