#include <fmt/format.h>

#include <algorithm>

#include "sala/core/error.h"
#include "tasks/ruler/qa.h"
#include "tasks/ruler/qa_synth.h"
#include "tasks/ruler/upstream_source.h"

namespace sala::tasks {
namespace {

// A finite part of a built-in collection, about as large as the official file of its task is for the samples that upstream
// takes.
QaCollection built_in_collection(int hops) {
  constexpr int64_t kArticles = 40, kBridges = 600;
  QaCollection collection;
  std::vector<std::pair<std::string, int64_t>> documents;  // text, number in the endless collection
  const int64_t count = hops == 1 ? kArticles * QaSynth1::kSlots : kBridges * 2 * QaSynth2::kPairs;
  for (int64_t id = 0; id < count; ++id) {
    if (hops == 2)
      documents.emplace_back(QaSynth2::document(Split::kEval, id), id);
    else if (QaSynth1::has_document(Split::kEval, id))
      documents.emplace_back(QaSynth1::document(Split::kEval, id), id);
  }
  std::sort(documents.begin(), documents.end());
  std::vector<int64_t> place(static_cast<size_t>(count), -1);
  for (auto& [text, id] : documents) {
    place[static_cast<size_t>(id)] = static_cast<int64_t>(collection.documents.size());
    collection.documents.push_back(std::move(text));
  }
  const int64_t questions = hops == 1 ? kArticles * 20 : kBridges;
  for (int64_t number = 0; number < questions; ++number) {
    QaQuestion question = hops == 1 ? QaSynth1::question(Split::kEval, number) : QaSynth2::question(Split::kEval, number);
    for (auto* list : {&question.gold, &question.support, &question.more})
      for (int64_t& id : *list) id = place[static_cast<size_t>(id)];
    collection.questions.push_back(std::move(question));
  }
  return collection;
}

class UpstreamQa final : public UpstreamSource {
 public:
  UpstreamQa(int hops, const SampleRequest& request) : hops_(hops), seed_(request.seed), random_(request.seed) {
    const QaCollection* given = request.corpora == nullptr ? nullptr
                                : hops == 1                ? &request.corpora->squad
                                                           : &request.corpora->hotpotqa;
    if (given == nullptr || given->empty()) built_in_ = built_in_collection(hops);
    collection_ = given == nullptr || given->empty() ? &built_in_ : given;
  }
  Sizing sizing() const override { return {10, 10}; }
  RulerText generate(int64_t size, int64_t index) override;

 private:
  std::vector<int64_t> choose(const QaQuestion& question, int64_t size);
  int hops_;
  uint64_t seed_;
  PyRandom random_;
  QaCollection built_in_;
  const QaCollection* collection_;
};

// The documents of a prompt before they are shuffled.
std::vector<int64_t> UpstreamQa::choose(const QaQuestion& question, int64_t size) {
  const auto total = static_cast<int64_t>(collection_->documents.size());
  const auto gold = static_cast<int64_t>(question.gold.size()), more = static_cast<int64_t>(question.more.size());
  std::vector<int64_t> chosen;
  if (size >= total) {  // the list again and again, gold paragraphs included
    for (int64_t i = 0; i < size; ++i) chosen.push_back(i % total);
    return chosen;
  }
  chosen = question.gold;
  if (size - gold <= more) {
    if (size < gold) throw PythonError("Sample larger than population or is negative");
    for (const int64_t i : random_.sample(more, size - gold)) chosen.push_back(question.more[static_cast<size_t>(i)]);
    return chosen;
  }
  chosen.insert(chosen.end(), question.more.begin(), question.more.end());
  std::vector<bool> taken(static_cast<size_t>(total), false);
  for (const int64_t id : chosen) taken[static_cast<size_t>(id)] = true;
  std::vector<int64_t> others;
  for (int64_t id = 0; id < total; ++id)
    if (!taken[static_cast<size_t>(id)]) others.push_back(id);
  const int64_t wanted = std::max<int64_t>(0, size - gold - more);
  if (wanted > static_cast<int64_t>(others.size())) throw PythonError("Sample larger than population or is negative");
  for (const int64_t i : random_.sample(static_cast<int64_t>(others.size()), wanted))
    chosen.push_back(others[static_cast<size_t>(i)]);
  return chosen;
}

RulerText UpstreamQa::generate(int64_t size, int64_t index) {
  if (index >= static_cast<int64_t>(collection_->questions.size()))
    throw Error(ErrorCode::kUsage, "qa_{}: upstream mode asks question {} of {}; sample {} has none", hops_, index,
                collection_->questions.size(), index);
  const QaQuestion& question = collection_->questions[static_cast<size_t>(index)];
  std::vector<int64_t> documents = choose(question, size);
  PyRandom(seed_).shuffle(documents);
  const QaText frame = qa_text(question.question);
  const auto& support = question.support.empty() ? question.gold : question.support;
  RulerText text;
  text.prompt = frame.header;
  text.haystack_begin = static_cast<int64_t>(text.prompt.size());
  for (size_t i = 0; i < documents.size(); ++i) {
    if (i > 0) text.prompt += "\n\n";
    const auto begin = static_cast<int64_t>(text.prompt.size());
    text.prompt +=
        qa_document_label(static_cast<int64_t>(i) + 1) + collection_->documents[static_cast<size_t>(documents[i])];
    if (std::find(support.begin(), support.end(), documents[i]) != support.end())
      text.evidence.push_back({begin, static_cast<int64_t>(text.prompt.size()), question.question, question.answers[0]});
  }
  text.haystack_end = static_cast<int64_t>(text.prompt.size());
  text.prompt += frame.question + frame.answer_prefix;
  text.prefix_at = find_answer_prefix(text.prompt, frame.answer_prefix);
  text.outputs = question.answers;
  return text;
}

}  // namespace

std::unique_ptr<UpstreamSource> make_upstream_qa(int hops, const SampleRequest& request) {
  return std::make_unique<UpstreamQa>(hops, request);
}

}  // namespace sala::tasks
