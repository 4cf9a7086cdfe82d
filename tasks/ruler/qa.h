// RULER's question answering over documents (spec tasks 1.2 and 1.8), shared by evaluation samples and training rows.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "sala/tasks/corpora.h"
#include "sala/tasks/training.h"

namespace sala::tasks {

// Documents and questions by number: the user's SQuAD or HotpotQA file, or a built-in collection.
class QaSource {
 public:
  virtual ~QaSource() = default;
  virtual int64_t num_documents() const = 0;
  virtual bool has_document(int64_t) const { return true; }
  virtual std::string document(int64_t id) const = 0;
  virtual int64_t num_questions() const = 0;
  virtual QaQuestion question(int64_t number) const = 0;
  virtual std::string_view title() const = 0;  // for messages
};
// `hops` 1: qa_1, 2: qa_2. Throws Error{kUsage} for training rows from the user's files.
std::unique_ptr<QaSource> open_qa_source(int hops, const SampleRequest& request);

struct QaText {
  std::string header;         // "Answer the question ... given documents.\n\n"
  std::string question;       // "\n\nAnswer the question ... Question: ..."
  std::string answer_prefix;  // " Answer:"
};
QaText qa_text(std::string_view question);
// "Document 3:\n" before a document; documents are joined by an empty line.
std::string qa_document_label(int64_t number);

// `hops` as above: qa_1 or qa_2.
std::unique_ptr<const Task> make_qa_task(int hops);
// Documents of the built-in collection and the questions that they answer; some rows as the evaluation has them.
std::unique_ptr<const TrainingRows> make_qa_rows(int hops);

}  // namespace sala::tasks
