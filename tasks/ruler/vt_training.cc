// Training rows of vt: several chains in one haystack, and a question for each.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "sala/core/error.h"
#include "tasks/ruler/niah.h"  // kNoiseSentence
#include "tasks/ruler/vt.h"
#include "tasks/training_row.h"

namespace sala::tasks {
namespace {

constexpr double kChainShare = 0.6;     // most of the haystack that chains take
constexpr double kEvaluatedHops = 0.6;  // chains with the evaluation's number of hops
constexpr int64_t kMostHops = 6;
constexpr int kAttempts = 20;
constexpr double kShortNames = 0.15;  // three letters, as in the solved example; else five

VtChain draw_chain(Rng& rng, Split split, std::set<std::string>& used) {
  const int64_t hops = rng.uniform() < kEvaluatedHops ? kVtHops : rng.between(1, kMostHops);
  const int letters = rng.uniform() < kShortNames ? 3 : 5;
  std::string value = draw_vt_value(rng, split, used);
  return make_vt_chain(std::move(value), draw_vt_names(rng, split, letters, hops + 1, used));
}

std::string question_of(const VtChain& chain) {
  const VtText text = vt_text(chain.value, static_cast<int64_t>(chain.names.size()));
  return text.question + text.answer_prefix;
}

std::string answer_of(const VtChain& chain) {
  std::string answer;
  for (const std::string& name : chain.names) answer += (answer.empty() ? "" : " ") + name;
  return answer;
}

// The chains' lines among `units` noise lines. Which chain has the next line is drawn, so that chains interleave; a chain's
// own order stays.
std::string haystack(Rng& rng, const std::vector<VtChain>& chains, int64_t units) {
  std::vector<size_t> owner;
  for (size_t chain = 0; chain < chains.size(); ++chain) owner.insert(owner.end(), chains[chain].lines.size(), chain);
  rng.shuffle(owner);
  std::vector<int64_t> before;  // noise lines
  for (size_t i = 0; i < owner.size(); ++i) before.push_back(rng.between(0, units));
  std::sort(before.begin(), before.end());
  std::vector<size_t> next(chains.size(), 0);
  std::string text;
  const auto line = [&](std::string_view content) { text.append(text.empty() ? "" : "\n").append(content); };
  size_t at = 0;
  for (int64_t unit = 0; unit <= units; ++unit) {
    for (; at < owner.size() && before[at] == unit; ++at) line(chains[owner[at]].lines[next[owner[at]]++]);
    if (unit < units) line(kNoiseSentence);
  }
  return text;
}

// `spare`: tokens of the row to leave empty, because estimates were too low before. Empty when nothing fitted.
std::optional<TrainingRow> many_chains(const TrainingRequest& request, Rng& rng, const Tokenizer& tokenizer, int64_t spare) {
  std::set<std::string> used;
  const std::string header = vt_text("0", 1).header;
  const auto tokens = [&](const std::string& text) { return tokenizer.count(text); };
  const VtChain probe = draw_chain(rng, request.split, used);
  const int64_t question = tokens(question_of(probe)) + tokens(answer_of(probe)) + 2;
  const double share = most_turns_share(request.row_tokens) * (0.3 + 0.7 * rng.uniform());
  const auto turns = std::max<int64_t>(1, static_cast<int64_t>(share * static_cast<double>(request.row_tokens)) / question);
  const int64_t space = request.row_tokens - 1 - spare - tokens(header) - turns * question;
  std::vector<VtChain> chains;
  const auto most = static_cast<int64_t>(kChainShare * static_cast<double>(space));
  const auto wanted = static_cast<size_t>(static_cast<double>(turns) * std::pow(3.0, rng.uniform()));
  int64_t taken = 0;
  while (chains.size() < wanted) {
    VtChain chain = draw_chain(rng, request.split, used);
    int64_t size = 0;
    for (const std::string& line : chain.lines) size += tokens(line + "\n");
    if (!chains.empty() && taken + size > most) break;
    taken += size;
    chains.push_back(std::move(chain));
  }
  const int64_t noise = tokens(std::string(kNoiseSentence) + "\n");
  std::string text = header + haystack(rng, chains, std::max<int64_t>(0, (space - taken) / noise));
  RowWriter row(request, tokenizer);
  rng.shuffle(chains);
  for (const VtChain& chain : chains) {
    if (!row.append(text + question_of(chain), answer_of(chain))) break;
    text.clear();
  }
  if (row.empty()) return std::nullopt;
  return row.finish();
}

class VtRows final : public TrainingRows {
 public:
  std::string answer(const Task&, const Sample& sample) const override {
    return fmt::format("{}", fmt::join(sample.outputs, " "));
  }
  TrainingRow row(const Task& task, const TrainingRequest& request, Rng& rng, const Tokenizer& tokenizer) const override;
};

TrainingRow VtRows::row(const Task& task, const TrainingRequest& request, Rng& rng, const Tokenizer& tokenizer) const {
  if (auto row = row_as_evaluated(*this, task, request, rng, tokenizer)) return *std::move(row);
  for (int attempt = 0; attempt < kAttempts; ++attempt)
    if (auto row = many_chains(request, rng, tokenizer, attempt * request.row_tokens / 64)) return *std::move(row);
  throw Error(ErrorCode::kUsage,
              "training row: {} tokens cannot hold one chain of {}; use longer rows or leave the task out",
              request.row_tokens, task.name());
}

}  // namespace

std::unique_ptr<const TrainingRows> make_vt_rows() { return std::make_unique<VtRows>(); }

}  // namespace sala::tasks
