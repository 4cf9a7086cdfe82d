// Training rows of NoLiMa. What connects needle and question stands nowhere in a sample, so that some rows state it.
#include "tasks/nolima/needle_set.h"
#include "tasks/nolima/nolima.h"
#include "tasks/training_row.h"

namespace sala::tasks {
namespace {

constexpr double kFactRows = 0.04;  // a row of facts is nearly all answer

class NolimaRows final : public TrainingRows {
 public:
  TrainingRow row(const Task& task, const TrainingRequest& request, Rng& rng, const Tokenizer& tokenizer) const override;
};

TrainingRow NolimaRows::row(const Task& task, const TrainingRequest& request, Rng& rng, const Tokenizer& tokenizer) const {
  if (request.as_evaluated || rng.uniform() >= kFactRows) return sample_row(*this, task, request, rng, tokenizer);
  std::vector<std::string> facts = own_facts();
  rng.shuffle(facts);
  RowWriter row(request, tokenizer);
  for (const std::string& fact : facts)
    if (!row.append("", fact)) break;
  return row.finish();
}

}  // namespace

std::unique_ptr<const TrainingRows> make_nolima_rows() { return std::make_unique<NolimaRows>(); }

}  // namespace sala::tasks
