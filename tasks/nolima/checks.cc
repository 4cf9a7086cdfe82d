#include "tasks/nolima/checks.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace sala::tasks {
namespace {

// Words without content, and those of number and order.
constexpr auto kStopWords = std::to_array<std::string_view>({
    "a",     "about",   "above", "after",   "again",  "all",   "also",  "an",      "and",   "any",   "are",   "as",
    "at",    "back",    "be",    "been",    "before", "being", "below", "between", "both",  "but",   "by",    "called",
    "can",   "could",   "did",   "do",      "does",   "down",  "each",  "else",    "ever",  "every", "few",   "for",
    "from",  "had",     "has",   "have",    "having", "he",    "her",   "hers",    "him",   "his",   "how",   "i",
    "if",    "in",      "into",  "is",      "it",     "its",   "just",  "last",    "less",  "let",   "like",  "long",
    "many",  "may",     "me",    "might",   "more",   "most",  "much",  "must",    "my",    "never", "next",  "no",
    "nor",   "not",     "now",   "of",      "off",    "on",    "once",  "one",     "only",  "or",    "other", "our",
    "out",   "over",    "own",   "part",    "quite",  "same",  "she",   "should",  "since", "so",    "some",  "still",
    "such",  "surely",  "than",  "that",    "the",    "their", "them",  "then",    "there", "these", "they",  "this",
    "those", "through", "to",    "too",     "two",    "four",  "under", "until",   "up",    "upon",  "us",    "very",
    "was",   "we",      "well",  "were",    "what",   "when",  "where", "which",   "while", "who",   "whom",  "whose",
    "why",   "will",    "with",  "without", "would",  "you",   "your",
});

bool letter(unsigned char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c >= 0x80;
}

// Runs of letters, digits and bytes of other scripts, as written.
std::vector<std::string> words_of(std::string_view text) {
  std::vector<std::string> words;
  for (size_t at = 0; at < text.size();) {
    size_t end = at;
    while (end < text.size() && letter(static_cast<unsigned char>(text[end]))) ++end;
    if (end > at) words.emplace_back(text.substr(at, end - at));
    at = end + 1;
  }
  return words;
}

std::string lower_ascii(std::string word) {
  for (char& c : word)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return word;
}

std::string stem(std::string word) {
  const auto cut = [&](std::string_view suffix, size_t keep) {
    if (!word.ends_with(suffix) || word.size() < suffix.size() + keep) return false;
    word.resize(word.size() - suffix.size());
    return true;
  };
  if (cut("ies", 2) || cut("ied", 2)) {
    word += "y";
  } else if (!word.ends_with("ss") && !word.ends_with("us")) {
    cut("s", 3);
  }
  if (!cut("ingly", 3) && !cut("edly", 3) && !cut("ing", 3)) {
    if (!cut("ed", 3)) cut("ly", 3);
  }
  if (word.size() > 3 && word[word.size() - 1] == word[word.size() - 2]) word.pop_back();  // stopp(ed)
  cut("e", 3);
  return word;
}

// The first of `a` that `b` holds too; empty when there is none.
std::string shared(const std::set<std::string>& a, const std::set<std::string>& b) {
  for (const std::string& item : a)
    if (b.contains(item)) return item;
  return {};
}

size_t words_before(const std::string& needle) {
  const size_t placeholder = needle.find('{');
  return words_of(std::string_view(needle).substr(0, placeholder)).size();
}

void check_names(const NeedleTemplate& from, const HaystackWords& haystack, std::vector<std::string>& wrong) {
  for (const std::string& name : from.character_set) {
    for (const std::string& word : words_of(name))
      if (haystack.words.contains(word))
        wrong.push_back(fmt::format("{}: the name {} is a word of the haystack", from.id, name));
    for (const std::string& other : from.character_set)
      if (&other != &name && other.find(name) != std::string::npos)
        wrong.push_back(fmt::format("{}: the name {} is part of {}", from.id, name, other));
  }
}

}  // namespace

std::set<std::string> content_stems(std::string_view text) {
  std::set<std::string> stems;
  for (const std::string& word : words_of(text)) {
    const std::string small = lower_ascii(word);
    if (small.size() > 1 && std::find(kStopWords.begin(), kStopWords.end(), small) == kStopWords.end())
      stems.insert(stem(small));
  }
  return stems;
}

void HaystackWords::add(std::string_view text) {
  for (std::string& word : words_of(text)) words.insert(std::move(word));
  stems.merge(content_stems(text));
}

std::vector<std::string> check_needle_set(const NeedleSet& set, const HaystackWords& haystack) {
  std::vector<std::string> wrong;
  for (const NeedlePair& pair : expand_needle_set(set)) {
    const std::string both =
        shared(content_stems(replace_placeholder(pair.needle, "{CHAR}", "")), content_stems(pair.question));
    if (!both.empty() && pair.question_name != "direct")
      wrong.push_back(fmt::format("{}: needle and question share '{}'", pair.id, both));
  }
  for (const NeedleTemplate& from : set) {
    for (const NeedleTest& test : from.tests) {
      for (const std::string& argument : test.input_args) {
        const std::string found = shared(content_stems(argument), haystack.stems);
        if (!found.empty())
          wrong.push_back(fmt::format("{}_{}: '{}' of '{}' occurs in the haystack", from.id, test.id, found, argument));
      }
    }
    check_names(from, haystack, wrong);
    if (words_before(from.needle) < 2)
      wrong.push_back(fmt::format("{}: no phrase separates the needle from what stands before it", from.id));
  }
  return wrong;
}

std::vector<std::string> check_orders(const NeedleSet& set) {
  std::vector<std::string> wrong;
  for (const NeedleTemplate& from : set) {
    const std::string number = from.id.substr(0, 4);
    const auto twin = [&](const NeedleTemplate& other) {
      return other.id.substr(0, 4) == number && other.inverted() != from.inverted();
    };
    if (std::none_of(set.begin(), set.end(), twin))
      wrong.push_back(fmt::format("{}: there is no template in the other order", from.id));
  }
  return wrong;
}

}  // namespace sala::tasks
