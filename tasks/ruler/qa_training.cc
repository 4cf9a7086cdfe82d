// Training rows of qa_1 and qa_2: documents, and every question that they answer. qa_2 also asks for its single steps.
#include <algorithm>
#include <set>

#include "tasks/ruler/qa.h"
#include "tasks/ruler/qa_synth.h"
#include "tasks/training_row.h"

namespace sala::tasks {
namespace {

constexpr double kOtherUnits = 0.3;  // documents from anywhere; the rest come from one article, where attributes repeat

// Documents that stand together, and the questions that they answer.
struct Unit {
  std::vector<std::string> documents;
  std::vector<SynthQuestion> questions;
};

int64_t units_of_article(int hops) { return hops == 1 ? 20 : QaSynth2::kPairs; }  // every article has as many

Unit make_unit(int hops, Split split, int64_t article, int64_t number) {
  if (hops == 1) {
    const int64_t id = article * QaSynth1::kSlots + number;
    return {{QaSynth1::document(split, id)}, QaSynth1::questions(split, id)};
  }
  const int64_t id = (article * QaSynth2::kPairs + number) * 2;
  return {{QaSynth2::document(split, id), QaSynth2::document(split, id + 1)}, QaSynth2::questions(split, article, number)};
}

}  // namespace

TrainingRow qa_training_row(const Task& task, int hops, const TrainingRequest& request, Rng& rng,
                            const Tokenizer& tokenizer) {
  if (auto row = row_as_evaluated(task, request, rng, tokenizer)) return *std::move(row);
  const int64_t articles =
      hops == 1 ? QaSynth1::num_documents(request.split) / QaSynth1::kSlots : QaSynth2::num_questions(request.split);
  const double turns = most_turns_share(request.row_tokens) * (0.3 + 0.7 * rng.uniform());
  const auto most = static_cast<int64_t>((1 - turns) * static_cast<double>(request.row_tokens));
  const auto any_article = [&] { return static_cast<int64_t>(rng.below(static_cast<uint64_t>(articles))); };
  const int64_t home = any_article();
  std::vector<std::string> documents;
  std::vector<SynthQuestion> questions;
  std::set<std::pair<int64_t, int64_t>> taken;
  for (int64_t tokens = 0;;) {
    const int64_t article = rng.uniform() < kOtherUnits ? any_article() : home;
    const auto number = static_cast<int64_t>(rng.below(static_cast<uint64_t>(units_of_article(hops))));
    if (!taken.emplace(article, number).second) {
      if (taken.size() > static_cast<size_t>(2 * units_of_article(hops))) break;
      continue;
    }
    Unit unit = make_unit(hops, request.split, article, number);
    for (const std::string& document : unit.documents) tokens += tokenizer.count(qa_document_label(10) + document) + 2;
    if (tokens > most) break;
    documents.insert(documents.end(), unit.documents.begin(), unit.documents.end());
    questions.insert(questions.end(), unit.questions.begin(), unit.questions.end());
  }
  rng.shuffle(documents);
  rng.shuffle(questions);
  std::string context;
  for (size_t i = 0; i < documents.size(); ++i)
    context += (i == 0 ? "" : "\n\n") + qa_document_label(static_cast<int64_t>(i) + 1) + documents[i];
  RowWriter row(request, tokenizer);
  for (const SynthQuestion& question : questions) {
    const QaText text = qa_text(question.question);
    if (!row.append((row.empty() ? text.header + context : std::string()) + text.question + text.answer_prefix,
                    question.answer))
      break;
  }
  return row.empty() ? sample_row(task, request, rng, tokenizer) : row.finish();
}

}  // namespace sala::tasks
