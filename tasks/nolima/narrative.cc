#include "tasks/nolima/narrative.h"

#include <fmt/format.h>

#include <array>
#include <span>

#include "sala/core/error.h"
#include "sala/core/rng.h"
#include "tasks/nolima/names.h"
#include "tasks/nolima/narrative_lexicon.h"

namespace sala::tasks {
namespace {

constexpr uint64_t kVersion = 1;
constexpr int64_t kShortest = 200, kLongest = 600;  // characters of a paragraph
constexpr int64_t kSnippetChars = 1000;
constexpr int64_t kParagraphsPerSnippet = 8;  // at least kSnippetChars / kShortest + 1: snippets never overlap
constexpr int64_t kSnippetsPerBook = int64_t{1} << 40;

std::string_view domain(Split split) { return split == Split::kEval ? "narrative/eval" : "narrative/train"; }

class Paragraph {
 public:
  Paragraph(Rng& rng, Split split, int64_t book) : rng_(rng) {
    for (NarrativePerson& person : people_) person = narrative_people()[rng_.below(narrative_people().size())];
    while (people_[1].name == people_[0].name) people_[1] = narrative_people()[rng_.below(narrative_people().size())];
    for (std::string_view& noun : things_) noun = pick(narrative_nouns());
    place_ = pick(narrative_places());
    for (size_t i = 0; i < people_.size(); ++i) names_[i] = pick(bystander_names(split, book, people_[i].pronoun == "she"));
    while (names_[1] == names_[0]) names_[1] = pick(bystander_names(split, book, people_[1].pronoun == "she"));
  }
  std::string write();

 private:
  std::string_view pick(std::span<const std::string_view> words) { return words[rng_.below(words.size())]; }
  // Two times in five by name: most names then stand in a paragraph once, as the needle's does.
  std::string_view person(size_t i) { return rng_.below(5) < 2 ? names_[i] : people_[i].name; }
  void expand(std::string_view pattern, std::string& text);
  std::string speech();
  void word(std::string& text, std::string_view w) {
    const bool article = text.ends_with(" a ") || text == "a ";
    if (article && std::string_view("aeiou").find(w[0]) != std::string_view::npos) text.back() = 'n', text.push_back(' ');
    text += w;
  }

  Rng& rng_;
  std::array<NarrativePerson, 2> people_;
  std::array<std::string_view, 2> names_;
  std::array<std::string_view, 2> things_;
  std::string_view place_;
};

void Paragraph::expand(std::string_view pattern, std::string& text) {
  for (char c : pattern) {
    switch (c) {
      case 'A':
        word(text, person(0));
        break;
      case 'B':
        word(text, person(1));
        break;
      case 'H':
        word(text, people_[0].pronoun);
        break;
      case 'R':
        word(text, people_[0].possessive);
        break;
      case 'O':
        word(text, people_[0].object);
        break;
      case 'K':
        word(text, place_);
        break;
      case 'G':
        word(text, things_[rng_.below(2)]);
        break;
      case 'N':
        word(text, pick(narrative_nouns()));
        break;
      case 'E':
        word(text, pick(narrative_scenery()));
        break;
      case 'U':
        word(text, pick(narrative_handlings()));
        break;
      case 'J':
        word(text, pick(narrative_adjectives()));
        break;
      case 'V':
        word(text, pick(narrative_verbs()));
        break;
      case 'W':
        word(text, pick(narrative_motions()));
        break;
      case 'D':
        word(text, pick(narrative_adverbs()));
        break;
      case 'M':
        word(text, pick(narrative_abstracts()));
        break;
      case 'T':
        word(text, pick(narrative_times()));
        break;
      default:
        text.push_back(c);
    }
  }
}

std::string capitalised(std::string text) {
  if (text[0] >= 'a' && text[0] <= 'z') text[0] = static_cast<char>(text[0] - 'a' + 'A');
  return text;
}

// "It is only the wind," said the widow.
std::string Paragraph::speech() {
  std::string said;
  expand(pick(narrative_quotes()), said);
  std::string tag;
  const bool question = said.ends_with("?");
  expand(question ? std::string_view(rng_.below(2) == 0 ? "asked A" : "asked B D") : pick(narrative_tags()), tag);
  return fmt::format("\"{}{}\" {}.", capitalised(std::move(said)), question ? "" : ",", tag);
}

std::string Paragraph::write() {
  // Most paragraphs are of middling length: the mean of two uniform draws.
  const int64_t wanted = (rng_.between(kShortest + 20, kLongest - 40) + rng_.between(kShortest + 20, kLongest - 40)) / 2;
  const bool dialogue = rng_.below(3) == 0;
  std::string text;
  text.reserve(static_cast<size_t>(kLongest));
  for (int tries = 0;
       static_cast<int64_t>(text.size()) < kShortest || (tries < 20 && static_cast<int64_t>(text.size()) < wanted);
       ++tries) {
    std::string sentence;
    if (dialogue && rng_.below(2) == 0) {
      sentence = speech();
    } else {
      expand(pick(narrative_patterns()), sentence);
      sentence = capitalised(std::move(sentence));
      sentence.push_back('.');
    }
    if (static_cast<int64_t>(text.size() + sentence.size()) + 1 > kLongest) continue;
    if (!text.empty()) text.push_back(' ');
    text += sentence;
  }
  return text;
}

}  // namespace

std::string narrative_paragraph(Split split, int source, int64_t index) {
  // One domain a source; the index fills the sample number of the stream.
  Rng rng(kVersion, fmt::format("{}/{}", domain(split), source), static_cast<uint64_t>(index));
  return Paragraph(rng, split, narrative_book_of(index)).write();
}

int64_t narrative_book_of(int64_t index) { return index / kParagraphsPerSnippet / kSnippetsPerBook; }

std::string narrative_book(Split split, int book, int64_t chars) {
  if (book < 0 || book >= narrative_books(split))
    throw Error(ErrorCode::kInternal, "narrative_book: book {} of {}", book, narrative_books(split));
  Rng rng(kVersion, domain(split), static_cast<uint64_t>(book));
  std::string text;
  text.reserve(static_cast<size_t>(chars + kLongest));
  for (int64_t snippet = 0; static_cast<int64_t>(text.size()) < chars; ++snippet) {
    const auto source = static_cast<int>(rng.below(kNarrativeSources));
    const int64_t first = (book * kSnippetsPerBook + snippet) * kParagraphsPerSnippet;
    int64_t taken = 0;
    for (int64_t paragraph = 0; taken < kSnippetChars && static_cast<int64_t>(text.size()) < chars; ++paragraph) {
      const std::string line = narrative_paragraph(split, source, first + paragraph);
      taken += static_cast<int64_t>(line.size());
      text += line;
      text.push_back('\n');
    }
  }
  return text;
}

}  // namespace sala::tasks
