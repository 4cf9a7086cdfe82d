#include "tasks/ruler/qa_synth.h"

#include <algorithm>
#include <vector>

#include "sala/core/error.h"
#include "sala/core/rng.h"
#include "tasks/ruler/qa_text.h"
#include "tasks/text/pseudo_words.h"

namespace sala::tasks {
namespace {

constexpr uint64_t kCollectionVersion = 1;
constexpr int64_t kCoreAttributes = 6;    // of an article's kind: the ones that its paragraphs draw from
constexpr int64_t kNamesPerDocument = 8;  // name numbers reserved for a document: its entity, its facts, its region

int64_t count_words(std::string_view text) { return 1 + std::count(text.begin(), text.end(), ' '); }

std::string_view domain(int collection, Split split) {
  if (collection == 1) return split == Split::kEval ? "qa-synth-1/eval" : "qa-synth-1/train";
  return split == Split::kEval ? "qa-synth-2/eval" : "qa-synth-2/train";
}

// The introduction, then facts and filler in random order, until the text has about `words` words.
std::string compose(Rng& rng, std::string text, const std::vector<std::string>& facts, const std::string& subject,
                    int64_t words) {
  std::string sentences;
  std::vector<std::pair<size_t, size_t>> places;  // begin and size of each
  int64_t have = count_words(text);
  for (const std::string& fact : facts) {
    places.emplace_back(sentences.size(), fact.size());
    sentences += fact;
    have += count_words(fact);
  }
  while (have < words) {
    const size_t begin = sentences.size();
    have += append_filler(sentences, rng, subject);
    places.emplace_back(begin, sentences.size() - begin);
  }
  rng.shuffle(places);
  text.reserve(text.size() + sentences.size() + places.size());
  for (const auto& [begin, size] : places) text.append(1, ' ').append(sentences, begin, size);
  return text;
}

// What an article of qa-synth-1 shares among its paragraphs.
struct Article {
  Article(Split split, int64_t number) {
    Rng rng(kCollectionVersion, domain(1, split), static_cast<uint64_t>(number), 1);
    paragraphs = 20 + static_cast<int64_t>(rng.below(QaSynth1::kSlots - 20 + 1));
    kind = &entity_kinds()[rng.below(entity_kinds().size())];
    for (size_t i = 0; i < kind->attributes.size(); ++i) attributes.push_back(i);
    rng.shuffle(attributes);
    attributes.resize(kCoreAttributes);
    region = invented_name(split, number * QaSynth1::kSlots * kNamesPerDocument + kNamesPerDocument - 1);
  }
  int64_t paragraphs = 0;
  const EntityKind* kind = nullptr;
  std::vector<size_t> attributes;
  std::string region;
};

// A paragraph's entity and facts; facts[0] is the one that its question asks.
struct Paragraph {
  Paragraph(Split split, const Article& article, int64_t id)
      : rng(kCollectionVersion, domain(1, split), static_cast<uint64_t>(id), 0) {
    const int64_t names = id * kNamesPerDocument;
    entity = invented_name(split, names);
    if (article.kind == &entity_kinds()[3]) entity = std::string(given_name(rng)) + " " + entity;
    std::vector<size_t> chosen = article.attributes;
    rng.shuffle(chosen);
    chosen.resize(3 + rng.below(3));
    for (size_t i = 0; i < chosen.size(); ++i) {
      const Attribute& attribute = article.kind->attributes[chosen[i]];
      facts.emplace_back(&attribute,
                         answer_string(attribute.form, rng, invented_name(split, names + 1 + static_cast<int64_t>(i))));
    }
  }
  Rng rng;
  std::string entity;
  std::vector<std::pair<const Attribute*, std::string>> facts;
};

// One of the five chains thing -> person -> answer of a question of qa-synth-2.
struct Chain {
  Chain(Split split, int64_t question, int64_t pair) {
    Rng shared(kCollectionVersion, domain(2, split), static_cast<uint64_t>(question), 0);
    bridge = &bridge_kinds()[shared.below(bridge_kinds().size())];
    attribute = &person_attributes()[shared.below(person_attributes().size())];
    const int64_t names = (question * QaSynth2::kPairs + pair) * kNamesPerDocument;
    Rng rng(kCollectionVersion, domain(2, split), static_cast<uint64_t>(question), static_cast<uint32_t>(1 + pair));
    thing = invented_name(split, names);
    person = std::string(given_name(rng)) + " " + invented_name(split, names + 1);
    answer = answer_string(attribute->form, rng, invented_name(split, names + 2));
    region = invented_name(split, question * QaSynth2::kPairs * kNamesPerDocument + kNamesPerDocument - 1);
  }
  const BridgeKind* bridge;
  const PersonAttribute* attribute;
  std::string thing, person, answer, region;
};

}  // namespace

int64_t QaSynth1::num_documents(Split split) { return num_names(split) / kNamesPerDocument / kSlots * kSlots; }
int64_t QaSynth1::num_questions(Split split) { return num_documents(split) / kSlots * 20; }
bool QaSynth1::has_document(Split split, int64_t id) {
  return id % kSlots < 20 || id % kSlots < Article(split, id / kSlots).paragraphs;
}

std::string QaSynth1::document(Split split, int64_t id) {
  const Article article(split, id / kSlots);
  SALA_DCHECK(id % kSlots < article.paragraphs);
  Paragraph paragraph(split, article, id);
  Rng& rng = paragraph.rng;
  const int64_t words = rng.between(92, 148);
  std::string intro = fill_pattern(article.kind->intros[rng.below(2)],
                                   {{"E", paragraph.entity}, {"R", article.region}, {"A", plain_adjective(rng)}});
  std::vector<std::string> sentences;
  for (const auto& [attribute, answer] : paragraph.facts)
    sentences.push_back(fill_pattern(attribute->facts[rng.below(2)], {{"E", paragraph.entity}, {"V", answer}}));
  return compose(rng, std::move(intro), std::move(sentences), paragraph.entity, words);
}

QaQuestion QaSynth1::question(Split split, int64_t number) {
  const int64_t article_number = number / 20, id = article_number * kSlots + number % 20;
  const Article article(split, article_number);
  const Paragraph paragraph(split, article, id);
  QaQuestion question;
  question.question = fill_pattern(paragraph.facts[0].first->question, {{"E", paragraph.entity}});
  question.answers = {paragraph.facts[0].second};
  question.gold = question.support = {id};
  for (int64_t i = 0; i < article.paragraphs; ++i)
    if (article_number * kSlots + i != id) question.more.push_back(article_number * kSlots + i);
  return question;
}

std::vector<SynthQuestion> QaSynth1::questions(Split split, int64_t document) {
  const Paragraph paragraph(split, Article(split, document / kSlots), document);
  std::vector<SynthQuestion> questions;
  for (const auto& [attribute, answer] : paragraph.facts)
    questions.push_back({fill_pattern(attribute->question, {{"E", paragraph.entity}}), answer});
  return questions;
}

int64_t QaSynth2::num_questions(Split split) { return num_names(split) / kNamesPerDocument / kPairs; }
int64_t QaSynth2::num_documents(Split split) { return num_questions(split) * kPairs * 2; }

std::string QaSynth2::document(Split split, int64_t id) {
  const int64_t question = id / (2 * kPairs), pair = id / 2 % kPairs;
  const Chain chain(split, question, pair);
  Rng rng(kCollectionVersion, domain(2, split), static_cast<uint64_t>(question),
          static_cast<uint32_t>(100 + id % (2 * kPairs)));
  const int64_t words = rng.between(55, 105);
  if (id % 2 == 0) {
    std::string intro = fill_pattern(chain.bridge->intros[rng.below(2)],
                                     {{"E", chain.thing}, {"R", chain.region}, {"A", plain_adjective(rng)}});
    std::string link = fill_pattern(chain.bridge->links[rng.below(2)], {{"E", chain.thing}, {"P", chain.person}});
    return chain.thing + "\n" + compose(rng, std::move(intro), {std::move(link)}, chain.thing, words);
  }
  std::string intro = fill_pattern("{P} was a {A} figure in the {R} province.",
                                   {{"P", chain.person}, {"R", chain.region}, {"A", plain_adjective(rng)}});
  std::string fact = fill_pattern(chain.attribute->facts[rng.below(2)], {{"P", chain.person}, {"V", chain.answer}});
  return chain.person + "\n" + compose(rng, std::move(intro), {std::move(fact)}, chain.person, words);
}

QaQuestion QaSynth2::question(Split split, int64_t number) {
  const Chain chain(split, number, 0);
  QaQuestion question;
  question.question =
      fill_pattern(chain.attribute->question, {{"W", fill_pattern(chain.bridge->person_phrase, {{"E", chain.thing}})}});
  question.answers = {chain.answer};
  for (int64_t i = 0; i < 2 * kPairs; ++i) question.gold.push_back(number * 2 * kPairs + i);
  question.support = {question.gold[0], question.gold[1]};
  question.group = 2;
  return question;
}

std::vector<SynthQuestion> QaSynth2::questions(Split split, int64_t number, int64_t pair) {
  const Chain chain(split, number, pair);
  const std::string person = fill_pattern(chain.bridge->person_phrase, {{"E", chain.thing}});
  return {{fill_pattern(chain.attribute->question, {{"W", person}}), chain.answer},
          {fill_pattern(chain.attribute->question, {{"W", chain.person}}), chain.answer},
          {"Who was " + person + "?", chain.person}};
}

}  // namespace sala::tasks
