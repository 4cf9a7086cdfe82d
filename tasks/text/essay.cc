#include "tasks/text/essay.h"

#include <array>
#include <cmath>

#include "sala/core/rng.h"
#include "sala/tasks/corpora.h"
#include "tasks/text/words.h"

namespace sala::tasks {
namespace {

constexpr int64_t kSentencesPerTopic = 8;
constexpr uint64_t kCorpusVersion = 1;
constexpr size_t kCommonNouns = 1100, kCommonAdjectives = 320, kCommonVerbs = 380;  // the rest appear in keys only

// N noun, T topic noun, A adjective, V verb (base form), C connective, P place or time phrase, Q quantity word.
constexpr std::array<std::string_view, 40> kPatterns = {"the A T can V the N before the N",
                                                        "C the T and the N would V a A N",
                                                        "it is hard to V a T without the A N",
                                                        "people who V the T often V the N P",
                                                        "Q N of the T did not V the A N",
                                                        "a A T may V more than the N",
                                                        "C nobody could V the N that the T had to V",
                                                        "the N of a A T will V P",
                                                        "to V the T is to V the N and the A N",
                                                        "there was a A N near the T P",
                                                        "if you V the T you should V the N as well",
                                                        "C a T seems A when the N is A",
                                                        "the T that we V P is not the A N",
                                                        "Q people V the N because the T can V it",
                                                        "one should never V a N for the T",
                                                        "what the T does to the N is A and A",
                                                        "C it took a A N to V the T",
                                                        "the A N and the A T V each other P",
                                                        "they want to V the N but the T would V them",
                                                        "a N without a T is only a A N",
                                                        "P the T began to V Q N",
                                                        "we learn to V the A T by trying to V the N",
                                                        "the reason to V a T is the N that comes with it",
                                                        "C the A N did V the T for a long time",
                                                        "most of the N in a T will V the N",
                                                        "a good T tends to V the A N P",
                                                        "you can V the N and still V the T",
                                                        "the T looked A while the N looked A",
                                                        "C there is Q N in every T",
                                                        "when the N is A the T must V it",
                                                        "the N did V P and the T did not",
                                                        "someone had to V the A N for the T",
                                                        "C the hardest N to V is the A T",
                                                        "in a T the N will V and the N will V",
                                                        "it helps to V the A N while you V the T",
                                                        "the T and its A N could V the whole N",
                                                        "P Q N would V the T again",
                                                        "no N is so A that a T cannot V it",
                                                        "C if the T were A the N would V",
                                                        "the story of the T is the story of a A N"};
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
                                                          "all",  "enough", "too much", "a lot of", "so much"};

// Zipf-like rank in [0, n): log-uniform, so that low ranks are frequent. Integer arithmetic only after the first line.
size_t zipf(Rng& rng, size_t n) {
  // A uniform bit length, then a uniform number of that length: P(rank) falls like 1/rank in octaves.
  int bits = 1;
  while ((size_t{1} << bits) < n) ++bits;
  while (true) {
    const int length = 2 + static_cast<int>(rng.below(static_cast<uint64_t>(bits - 1)));  // 2..bits
    const size_t low = length == 2 ? 0 : size_t{1} << (length - 1);
    const size_t rank = low + rng.below((size_t{1} << length) - low);
    if (rank < n) return rank;
  }
}

std::string_view corpus_name(Split split) { return split == Split::kEval ? "essay/eval" : "essay/train"; }

}  // namespace

std::string essay_sentence(Split split, int64_t index) {
  Rng topic(kCorpusVersion, corpus_name(split), static_cast<uint64_t>(index / kSentencesPerTopic), 1);
  std::array<std::string_view, 4> topics;
  for (auto& word : topics) word = nouns()[topic.below(kCommonNouns)];
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
        text += nouns()[zipf(rng, kCommonNouns)];
        break;
      case 'T':
        text += topics[rng.below(topics.size())];
        break;
      case 'A':
        text += adjectives()[zipf(rng, kCommonAdjectives)];
        break;
      case 'V':
        text += verbs()[zipf(rng, kCommonVerbs)];
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
