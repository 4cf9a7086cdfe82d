// Training rows of qa_1 and qa_2: documents, and questions that they answer.
#include <algorithm>
#include <array>
#include <numeric>
#include <set>

#include "tasks/ruler/qa.h"
#include "tasks/ruler/qa_synth.h"
#include "tasks/training_row.h"

namespace sala::tasks {
namespace {

constexpr double kOtherDocuments = 0.3;  // qa_1: from anywhere; the rest come from one article, where attributes repeat
constexpr double kTurns = 0.25;          // qa_2: what its questions need of a row
constexpr double kBridges = 0.6;         // qa_2: of the articles, the share that is asked in two hops

// Documents that stand together in a row, and the questions asked of them.
struct Documents {
  std::vector<std::string> texts;
  std::vector<SynthQuestion> questions;
};

class Collector {
 public:
  // `turns`: the share of the row that is left to questions.
  Collector(const TrainingRequest& request, double turns, Rng& rng, const Tokenizer& tokenizer)
      : split_(request.split),
        rng_(rng),
        tokenizer_(tokenizer),
        room_(static_cast<int64_t>((1 - turns) * static_cast<double>(request.row_tokens))) {}
  Documents one_hop();
  Documents two_hops();

 private:
  // False when the row is full.
  bool add(const std::vector<std::string>& texts) {
    for (const std::string& text : texts) room_ -= tokenizer_.count(qa_document_label(10) + text) + 2;
    if (room_ < 0) return false;
    made_.texts.insert(made_.texts.end(), texts.begin(), texts.end());
    return true;
  }
  int64_t any(int64_t n) { return static_cast<int64_t>(rng_.below(static_cast<uint64_t>(n))); }
  void ask(const SynthQuestion& question) { made_.questions.push_back(question); }

  Split split_;
  Rng& rng_;
  const Tokenizer& tokenizer_;
  int64_t room_;
  Documents made_;
};

// Every question of every paragraph, most of them of one article.
Documents Collector::one_hop() {
  constexpr int64_t kUnits = 20;  // every article has as many
  const int64_t articles = QaSynth1::num_documents(split_) / QaSynth1::kSlots, home = any(articles);
  std::set<int64_t> taken;
  while (taken.size() <= 2 * kUnits) {
    const int64_t article = rng_.uniform() < kOtherDocuments ? any(articles) : home;
    const int64_t id = article * QaSynth1::kSlots + any(kUnits);
    if (taken.contains(id)) continue;
    if (!add({QaSynth1::document(split_, id)})) break;
    taken.insert(id);
    for (const SynthQuestion& question : QaSynth1::questions(split_, id)) ask(question);
  }
  return std::move(made_);
}

// Whole articles: their chains compete as in the evaluation. An article is asked either for its bridge questions or for
// their single steps, since one would answer the other; and two chains are not asked for, or the last ones would be what is
// left.
Documents Collector::two_hops() {
  const int64_t articles = QaSynth2::num_questions(split_);
  std::set<int64_t> taken;
  for (bool full = false; !full && static_cast<int64_t>(taken.size()) < articles;) {
    const int64_t article = any(articles);
    if (!taken.insert(article).second) continue;
    std::array<int64_t, QaSynth2::kPairs> pairs;
    std::iota(pairs.begin(), pairs.end(), 0);
    rng_.shuffle(pairs);
    size_t held = 0;
    for (; held < pairs.size(); ++held) {
      const int64_t id = (article * QaSynth2::kPairs + pairs[held]) * 2;
      full = !add({QaSynth2::document(split_, id), QaSynth2::document(split_, id + 1)});
      if (full) break;
    }
    const bool bridges = held >= 2 && rng_.uniform() < kBridges;
    const size_t asked = bridges ? std::max<size_t>(1, held - std::min<size_t>(held, 2)) : held;
    for (size_t i = 0; i < asked; ++i) {
      const auto questions = QaSynth2::questions(split_, article, pairs[i]);
      if (bridges) {
        ask(questions[0]);
      } else {
        std::for_each(questions.begin() + 1, questions.end(), [&](const SynthQuestion& step) { ask(step); });
      }
    }
  }
  return std::move(made_);
}

class QaRows final : public TrainingRows {
 public:
  explicit QaRows(int hops) : hops_(hops) {}
  TrainingRow row(const Task& task, const TrainingRequest& request, Rng& rng, const Tokenizer& tokenizer) const override;

 private:
  int hops_;
};

TrainingRow QaRows::row(const Task& task, const TrainingRequest& request, Rng& rng, const Tokenizer& tokenizer) const {
  if (auto row = row_as_evaluated(*this, task, request, rng, tokenizer)) return *std::move(row);
  const double turns = hops_ == 1 ? most_turns_share(request.row_tokens) * (0.3 + 0.7 * rng.uniform()) : kTurns;
  Collector collector(request, turns, rng, tokenizer);
  auto [documents, questions] = hops_ == 1 ? collector.one_hop() : collector.two_hops();
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
  return row.empty() ? sample_row(*this, task, request, rng, tokenizer) : row.finish();
}

}  // namespace

std::unique_ptr<const TrainingRows> make_qa_rows(int hops) { return std::make_unique<QaRows>(hops); }

}  // namespace sala::tasks
