#include "tasks/text/essay.h"

#include <algorithm>
#include <array>
#include <vector>

#include "sala/core/rng.h"
#include "sala/tasks/corpora.h"
#include "tasks/text/values.h"
#include "tasks/text/words.h"

namespace sala::tasks {
namespace {

constexpr int64_t kSentencesPerTopic = 8;
constexpr uint64_t kCorpusVersion = 2;
constexpr size_t kCommonNouns = 1100, kCommonAdjectives = 320, kCommonVerbs = 380;  // the rest appear in keys only

// N noun, M the same in the plural, T topic noun, A adjective, V verb (base form), C connective, P place or time phrase,
// Q quantity word. Every pattern has a T: the topic nouns are what keeps the splits apart.
constexpr std::array<std::string_view, 40> kPatterns = {"the A T can V the N before the N",
                                                        "C the T and the N would V a A N",
                                                        "it is hard to V a A T without the A N",
                                                        "people who V the A T often V the N P",
                                                        "Q M of the T did not V the A N",
                                                        "a A T may V more than the A N",
                                                        "C nobody could V the N that the T had to V",
                                                        "the N of a A T will V the N P",
                                                        "to V the T is to V the N and the A N",
                                                        "there was a A N near the A T P",
                                                        "if you V the T you should V the A N as well",
                                                        "C a T seems A when the N is A",
                                                        "the A T that we V P is not the A N",
                                                        "Q people V the N because the A T can V it",
                                                        "one should never V a A N for the A T",
                                                        "what the A T does to the N is A and A",
                                                        "C it took a A N to V the A T",
                                                        "the A N and the A T V each other P",
                                                        "they want to V the N but the A T would V them",
                                                        "a A N without a T is only a A N",
                                                        "P the A T began to V Q M",
                                                        "we learn to V the A T by trying to V the N",
                                                        "the reason to V a T is the A N that comes with it",
                                                        "C the A N did V the A T for a long time",
                                                        "most of the M in a A T will V the N",
                                                        "a good T tends to V the A N P",
                                                        "you can V the A N and still V the T",
                                                        "the T looked A while the N looked A",
                                                        "C there are Q M in every A T that the N can V",
                                                        "when the N is A the A T must V it",
                                                        "the A N did V P and the A T did not",
                                                        "someone had to V the A N for the A T",
                                                        "C the hardest N to V is the A T of the N",
                                                        "in a T the N will V and the A N will V",
                                                        "it helps to V the A N while you V the T",
                                                        "the T and its A N could V the whole N",
                                                        "P Q M would V the A T again",
                                                        "no N is so A that a A T cannot V it",
                                                        "C if the T were A the A N would V",
                                                        "the story of the A T is the story of a A N"};
constexpr std::array<std::string_view, 24> kConnectives = {
    "however",   "therefore", "in fact",      "besides",     "on the whole", "in the end", "still",        "after all",
    "of course", "meanwhile", "for instance", "by contrast", "as a rule",    "at first",   "later",        "now and then",
    "even so",   "instead",   "in general",   "by then",     "for once",     "in short",   "all the same", "to be fair"};
constexpr std::array<std::string_view, 20> kPlaces = {
    "in the morning",  "near the river",    "every year",     "at the market",    "on the way home",
    "by the window",   "after the rain",    "in the valley",  "for a while",      "at night",
    "in early spring", "along the coast",   "on most days",   "behind the house", "in the end",
    "under the hill",  "before the winter", "at the harbour", "over the summer",  "beside the road"};
constexpr std::array<std::string_view, 10> kQuantities = {"some", "many",   "few",      "several",  "most",
                                                          "all",  "enough", "too many", "a lot of", "so many"};

// Rank in [0, n) with P(rank) like rank^-1/2: low ranks are frequent, and any one word is still rare. Integers only.
size_t skewed(Rng& rng, size_t n) {
  const uint64_t u = rng.below(uint64_t{1} << 24);
  return static_cast<size_t>((u * u >> 24) * n >> 24);
}

// The common nouns that may be a topic in this split.
const std::vector<std::string_view>& topic_nouns(Split split) {
  static const auto lists = [] {
    std::array<std::vector<std::string_view>, 2> made;
    for (size_t i = 0; i < kCommonNouns; ++i) made[split_of(nouns()[i]) == Split::kEval ? 0 : 1].push_back(nouns()[i]);
    return made;
  }();
  return lists[split == Split::kEval ? 0 : 1];
}

// "a" becomes "an" where a vowel sound follows.
void append_word(std::string& text, std::string_view word) {
  constexpr std::array<std::string_view, 8> kConsonantSound = {"uni", "use", "usu", "eu", "one", "once", "ute", "ubi"};
  constexpr std::array<std::string_view, 4> kSilentH = {"hour", "honest", "honour", "heir"};
  const auto begins = [&](std::string_view start) { return word.starts_with(start); };
  const bool vowel = std::string_view("aeiou").find(word[0]) != std::string_view::npos
                         ? std::none_of(kConsonantSound.begin(), kConsonantSound.end(), begins)
                         : std::any_of(kSilentH.begin(), kSilentH.end(), begins);
  if (vowel && (text.ends_with(" a ") || text == "a ")) text.insert(text.size() - 1, "n");
  text += word;
}

std::string plural(std::string_view noun) {
  const auto ends = [&](std::string_view end) { return noun.ends_with(end); };
  if (ends("s") || ends("x") || ends("z") || ends("ch") || ends("sh")) return std::string(noun) + "es";
  const bool consonant_y =
      ends("y") && noun.size() > 1 && std::string_view("aeiou").find(noun[noun.size() - 2]) == std::string_view::npos;
  return consonant_y ? std::string(noun.substr(0, noun.size() - 1)) + "ies" : std::string(noun) + "s";
}

std::string_view corpus_name(Split split) { return split == Split::kEval ? "essay/eval" : "essay/train"; }

}  // namespace

std::string essay_sentence(Split split, int64_t index) {
  Rng topic(kCorpusVersion, corpus_name(split), static_cast<uint64_t>(index / kSentencesPerTopic), 1);
  std::array<std::string_view, 4> topics;
  const auto& choice = topic_nouns(split);
  for (auto& word : topics) word = choice[topic.below(choice.size())];
  Rng rng(kCorpusVersion, corpus_name(split), static_cast<uint64_t>(index), 0);
  const std::string_view pattern = kPatterns[rng.below(kPatterns.size())];
  std::string text;
  text.reserve(120);
  for (size_t i = 0; i < pattern.size(); ++i) {
    const bool slot = pattern[i] >= 'A' && pattern[i] <= 'Z';
    if (!slot) {
      text.push_back(pattern[i]);
      continue;
    }
    switch (pattern[i]) {
      case 'N':
        append_word(text, nouns()[skewed(rng, kCommonNouns)]);
        break;
      case 'M':
        text += plural(nouns()[skewed(rng, kCommonNouns)]);
        break;
      case 'T':
        append_word(text, topics[rng.below(topics.size())]);
        break;
      case 'A':
        append_word(text, prose_adjectives()[skewed(rng, kCommonAdjectives)]);
        break;
      case 'V':
        text += verbs()[skewed(rng, kCommonVerbs)];
        break;
      case 'C':
        text += kConnectives[rng.below(kConnectives.size())];
        break;
      case 'P':
        text += kPlaces[rng.below(kPlaces.size())];
        break;
      case 'Q':
        text += kQuantities[rng.below(kQuantities.size())];
        break;
      default:
        break;
    }
  }
  text[0] = static_cast<char>(text[0] - 'a' + 'A');
  text.push_back('.');
  return text;
}

std::string essay_sentence(const SampleRequest& request, int64_t index) {
  if (request.corpora == nullptr || request.corpora->essay_sentences.empty()) return essay_sentence(request.split, index);
  const auto& sentences = request.corpora->essay_sentences;
  return std::string(sentences[static_cast<size_t>(index) % sentences.size()]);
}

}  // namespace sala::tasks
