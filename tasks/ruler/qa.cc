#include "tasks/ruler/qa.h"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_set>

#include "sala/core/error.h"
#include "tasks/ruler/qa_synth.h"
#include "tasks/ruler/ruler_task.h"
#include "tasks/ruler/upstream_source.h"
#include "tasks/text/budget.h"
#include "tasks/text/permutation.h"

namespace sala::tasks {
namespace {

constexpr int64_t kQaTokens = 32;

class CollectionSource final : public QaSource {
 public:
  CollectionSource(const QaCollection& collection, std::string_view title) : collection_(collection), title_(title) {}
  int64_t num_documents() const override { return static_cast<int64_t>(collection_.documents.size()); }
  std::string document(int64_t id) const override { return collection_.documents[static_cast<size_t>(id)]; }
  int64_t num_questions() const override { return static_cast<int64_t>(collection_.questions.size()); }
  QaQuestion question(int64_t number) const override { return collection_.questions[static_cast<size_t>(number)]; }
  std::string_view title() const override { return title_; }

 private:
  const QaCollection& collection_;
  std::string_view title_;
};

class Synth1Source final : public QaSource {
 public:
  explicit Synth1Source(Split split) : split_(split) {}
  int64_t num_documents() const override { return QaSynth1::num_documents(split_); }
  bool has_document(int64_t id) const override { return QaSynth1::has_document(split_, id); }
  std::string document(int64_t id) const override { return QaSynth1::document(split_, id); }
  int64_t num_questions() const override { return QaSynth1::num_questions(split_); }
  QaQuestion question(int64_t number) const override { return QaSynth1::question(split_, number); }
  std::string_view title() const override { return "qa-synth-1"; }

 private:
  Split split_;
};

class Synth2Source final : public QaSource {
 public:
  explicit Synth2Source(Split split) : split_(split) {}
  int64_t num_documents() const override { return QaSynth2::num_documents(split_); }
  std::string document(int64_t id) const override { return QaSynth2::document(split_, id); }
  int64_t num_questions() const override { return QaSynth2::num_questions(split_); }
  QaQuestion question(int64_t number) const override { return QaSynth2::question(split_, number); }
  std::string_view title() const override { return "qa-synth-2"; }

 private:
  Split split_;
};

// The documents of one sample in the order in which they are taken: supporting ones, other gold ones, the same article's in
// random order, all others in random order; each once, with its token count. Only the first required() must stand in the
// prompt; the other gold ones, up to gold(), stand there as groups of group(), whole or not at all.
class DocumentQueue {
 public:
  DocumentQueue(const QaSource& source, const QaQuestion& question, Rng& rng, const Tokenizer& tokenizer)
      : source_(source),
        tokenizer_(tokenizer),
        order_(static_cast<uint64_t>(source.num_documents()), rng),
        group_(question.group) {
    std::vector<int64_t> more = question.more;
    const auto groups = question.gold.size() / static_cast<size_t>(group_);
    std::vector<size_t> order(groups);
    for (size_t i = 0; i < groups; ++i) order[i] = i;
    rng.shuffle(order);
    rng.shuffle(more);
    add(question.support);
    for (const size_t group : order)
      for (int64_t i = 0; i < group_; ++i)
        add({question.gold[group * static_cast<size_t>(group_) + static_cast<size_t>(i)]});
    gold_ = static_cast<int64_t>(ids_.size());
    add(more);
    required_ = question.support.empty() ? gold_ : static_cast<int64_t>(question.support.size());
  }
  // False when the collection ends before document `i` of the queue.
  bool reach(int64_t i) {
    while (static_cast<int64_t>(ids_.size()) <= i && at_ < order_.size()) {
      const auto id = static_cast<int64_t>(order_(at_++));
      if (source_.has_document(id)) add({id});
    }
    return i < static_cast<int64_t>(ids_.size());
  }
  int64_t required() const { return required_; }
  int64_t gold() const { return gold_; }
  int64_t group() const { return group_; }
  bool ended() const { return at_ == order_.size(); }
  size_t size() const { return ids_.size(); }
  std::string text(int64_t i) const {
    const auto at = static_cast<size_t>(i);
    return at < texts_.size() ? texts_[at] : source_.document(ids_[at]);
  }
  // Texts stay from when their tokens were counted until here; asked for later, they are made again.
  void drop_texts() { texts_ = {}; }
  // Bytes of document `i`, once its tokens have been counted.
  int64_t bytes(int64_t i) const { return bytes_[static_cast<size_t>(i)]; }
  // Tokens that document `i` adds with "Document 1:" before it and the empty line behind it.
  int64_t tokens(int64_t i) {
    for (auto next = static_cast<int64_t>(tokens_.size()); next <= i; ++next) {
      std::string document = source_.document(ids_[static_cast<size_t>(next)]);
      bytes_.push_back(static_cast<int64_t>(document.size()));
      tokens_.push_back(tokenizer_.count(fmt::format("{}{}{}{}", kStop, kLabel, document, kLabel)) - before_);
      if (static_cast<int64_t>(texts_.size()) == next) texts_.push_back(std::move(document));
    }
    return tokens_[static_cast<size_t>(i)];
  }

 private:
  static constexpr std::string_view kStop = "it.", kLabel = "\n\nDocument 1:\n";
  void add(const std::vector<int64_t>& ids) {
    for (const int64_t id : ids)
      if (taken_.insert(id).second) ids_.push_back(id);
  }
  const QaSource& source_;
  const Tokenizer& tokenizer_;
  Permutation order_;
  uint64_t at_ = 0;
  int64_t group_ = 1, gold_ = 0, required_ = 0, before_ = tokenizer_.count(std::string(kStop).append(kLabel));
  std::unordered_set<int64_t> taken_;
  std::vector<int64_t> ids_, tokens_, bytes_;
  std::vector<std::string> texts_;  // of the first documents, or none
};

// What "Document 10:", "Document 100:", ... cost more than "Document 1:", summed over documents 1 to n.
class LabelCosts {
 public:
  explicit LabelCosts(const Tokenizer& tokenizer) {
    const int64_t one = tokenizer.count(kLabelBefore + qa_document_label(1));
    for (const int64_t number : {5, 45, 456, 4567, 45678, 456789, 4567890})
      extra_.push_back(tokenizer.count(kLabelBefore + qa_document_label(number)) - one);
  }
  int64_t upto(int64_t n) const {
    int64_t tokens = 0, first = 1;
    for (size_t digits = 0; digits < extra_.size() && first <= n; ++digits, first *= 10)
      tokens += extra_[digits] * (std::min(n, 10 * first - 1) - first + 1);
    return tokens;
  }

 private:
  const std::string kLabelBefore = "it.\n\n";
  std::vector<int64_t> extra_;
};

// Which documents of the queue a prompt holds, and their tokens with labels.
struct Selection {
  int64_t size() const { return static_cast<int64_t>(documents.size()); }
  std::vector<int64_t> documents;
  int64_t tokens = 0;
};

// As many documents as `budget` holds. None is exchanged for one that fills it better: the others would get longer than
// those that answer, and these could be told by it.
Selection select_documents(DocumentQueue& queue, const LabelCosts& labels, int64_t budget) {
  Selection held;
  int64_t tokens = 0, next = 0;
  const auto take = [&](int64_t count, bool whatever) {
    int64_t more = 0;
    for (int64_t i = next; i < next + count; ++i) more += queue.tokens(i);
    if (!whatever && tokens + more + labels.upto(held.size() + count) > budget) return false;
    tokens += more;
    for (int64_t i = 0; i < count; ++i) held.documents.push_back(next++);
    return true;
  };
  take(queue.required(), true);
  while (next < queue.gold() && take(queue.group(), false)) continue;
  next = queue.gold();
  while (queue.reach(next) && take(1, false)) continue;
  held.tokens = tokens + labels.upto(held.size());
  return held;
}

class QaTask final : public RulerTask {
 public:
  explicit QaTask(int hops)
      : RulerTask({.name = fmt::format("qa_{}", hops),
                   .description = hops == 1 ? "a question that one of the documents answers"
                                            : "a question that two of the documents answer together",
                   .tokens_to_generate = kQaTokens,
                   .lm_eval_name = hops == 1 ? "ruler_qa_squad" : "ruler_qa_hotpot",
                   .training = {.name = "qa"},
                   .any_answer_counts = true}),
        hops_(hops) {}
  std::unique_ptr<UpstreamSamples> upstream_samples(const SampleRequest& request,
                                                    const Tokenizer& tokenizer) const override {
    return size_upstream(*this, make_upstream_qa(hops_, request), request, tokenizer);
  }

 protected:
  Sample fixed_sample(const SampleRequest& request, const Tokenizer& tokenizer) const override;

 private:
  // The prompt; marks: for each supporting document begin and end.
  Built prompt(const SampleRequest& request, const QaText& text, DocumentQueue& queue, const Selection& selection) const;
  // Where no documents fill the target: the beginning of one more, behind the others.
  void add_part(const SampleRequest& request, const QaText& text, DocumentQueue& queue, const Selection& selection,
                int64_t target, const Tokenizer& tokenizer, Tokenized& tokens) const;
  int hops_;
};

Built QaTask::prompt(const SampleRequest& request, const QaText& text, DocumentQueue& queue,
                     const Selection& selection) const {
  std::vector<int64_t> order = selection.documents;
  Rng rng = stream(request, 1);
  rng.shuffle(order);
  int64_t bytes = 0;
  for (const int64_t document : order) bytes += queue.bytes(document);
  for (int64_t i = 1; i <= static_cast<int64_t>(order.size()); ++i)
    bytes += static_cast<int64_t>(qa_document_label(i).size()) + 2;
  Built built;
  built.text.reserve(text.header.size() + static_cast<size_t>(bytes) + text.question.size() + text.answer_prefix.size());
  built.text += text.header;
  for (size_t i = 0; i < order.size(); ++i) {
    if (i > 0) built.text += "\n\n";
    const auto begin = static_cast<int64_t>(built.text.size());
    built.text += qa_document_label(static_cast<int64_t>(i) + 1);
    built.text += queue.text(order[i]);
    if (order[i] < queue.required()) built.marks.insert(built.marks.end(), {begin, static_cast<int64_t>(built.text.size())});
  }
  built.text += text.question;
  built.text += text.answer_prefix;
  queue.drop_texts();  // the prompt has them, and its tokens need the room
  return built;
}

void QaTask::add_part(const SampleRequest& request, const QaText& text, DocumentQueue& queue, const Selection& selection,
                      int64_t target, const Tokenizer& tokenizer, Tokenized& tokens) const {
  if (static_cast<double>(tokens.tokens()) >= kMinimumFill * static_cast<double>(target)) return;
  const std::vector<int64_t>& held = selection.documents;
  int64_t next = queue.gold();
  while (std::find(held.begin(), held.end(), next) != held.end()) ++next;
  if (!queue.reach(next)) return;
  TokensAfterStop tokens_of("\n\n", tokenizer);
  const LastUnit last = {qa_document_label(static_cast<int64_t>(held.size()) + 1) + queue.text(next),
                         [&](std::string_view part) { return tokens_of(part); },
                         [&](std::string_view part) {
                           std::string built = prompt(request, text, queue, selection).text;
                           if (part.empty()) return built;
                           const size_t end = built.size() - text.question.size() - text.answer_prefix.size();
                           return built.insert(end, std::string("\n\n").append(part));
                         }};
  static_cast<FittedPrompt&>(tokens) = fill_with_part(std::move(tokens), last, target, tokenizer);
}

Sample QaTask::fixed_sample(const SampleRequest& request, const Tokenizer& tokenizer) const {
  const auto source = open_qa_source(hops_, request);
  Rng questions(request.seed, std::string("ruler/").append(name()).append("/questions"));
  const Permutation order(static_cast<uint64_t>(source->num_questions()), questions);
  const QaQuestion question =
      source->question(static_cast<int64_t>(order(static_cast<uint64_t>(request.index % source->num_questions()))));
  const QaText text = qa_text(question.question);
  Rng rng = stream(request, 0);
  DocumentQueue queue(*source, question, rng, tokenizer);
  const LabelCosts labels(tokenizer);
  const int64_t target = request.length - kQaTokens;
  const std::string label = qa_document_label(1);
  const int64_t empty_line = tokenizer.count("it.\n\n" + label) - tokenizer.count("it." + label);
  // No empty line follows the last document.
  const int64_t base = tokenizer.count(text.header + text.question + text.answer_prefix) - empty_line;
  Selection selection;
  Tokenized tokens = fit_budget(name(), target, tokenizer, [&](int64_t budget) {
    selection = select_documents(queue, labels, budget - base);
    Built built = prompt(request, text, queue, selection);
    built.expected_tokens = base + selection.tokens;
    if (static_cast<int64_t>(selection.documents.size()) == queue.required()) {
      const int64_t smallest = tokenizer.count(built.text);
      if (smallest > target) throw_too_short(name(), request.length, smallest, kQaTokens);
    }
    return built;
  });
  if (static_cast<double>(tokens.tokens()) < kMinimumFill * static_cast<double>(target) && queue.ended() &&
      selection.documents.size() == queue.size())
    throw Error(ErrorCode::kUsage,
                "{}: {} holds too few documents ({}; with this question a prompt of {} tokens); length {} would repeat "
                "them (mode upstream does)",
                name(), source->title(), queue.size(), tokens.tokens(), request.length);
  add_part(request, text, queue, selection, target, tokenizer, tokens);
  RulerText made;
  for (size_t i = 0; i < tokens.marks.size(); i += 2)
    made.evidence.push_back({tokens.marks[i], tokens.marks[i + 1], question.question, question.answers[0]});
  made.outputs = question.answers;
  made.prefix_at = static_cast<int64_t>(tokens.text.size() - text.answer_prefix.size());
  made.haystack_begin = static_cast<int64_t>(text.header.size());
  made.haystack_end = made.prefix_at - static_cast<int64_t>(text.question.size());
  return finish_sample(*this, request, std::move(tokens), std::move(made));
}

}  // namespace

std::unique_ptr<QaSource> open_qa_source(int hops, const SampleRequest& request) {
  const QaCollection* given = request.corpora == nullptr ? nullptr
                              : hops == 1                ? &request.corpora->squad
                                                         : &request.corpora->hotpotqa;
  if (given == nullptr || given->empty()) {
    if (hops == 1) return std::make_unique<Synth1Source>(request.split);
    return std::make_unique<Synth2Source>(request.split);
  }
  if (request.split == Split::kTrain)
    throw Error(ErrorCode::kUsage,
                "qa_{}: the user's {} file is for evaluation; training rows come from the built-in collection", hops,
                hops == 1 ? "SQuAD" : "HotpotQA");
  return std::make_unique<CollectionSource>(*given, hops == 1 ? "the SQuAD file" : "the HotpotQA file");
}

QaText qa_text(std::string_view question) {
  constexpr std::string_view kTask =
      "Answer the question based on the given documents. Only give me the answer and do not output any other words.\n\n";
  return {fmt::format("{}The following are given documents.\n\n", kTask), fmt::format("\n\n{}Question: {}", kTask, question),
          " Answer:"};
}

std::string qa_document_label(int64_t number) { return fmt::format("Document {}:\n", number); }

std::unique_ptr<const Task> make_qa_task(int hops) { return std::make_unique<QaTask>(hops); }

}  // namespace sala::tasks
