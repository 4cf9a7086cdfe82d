// Which blocks the sparse layers read for the answer, and how the evidence fared among them.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <set>

#include "eval/observe/statistic.h"

namespace sala::eval {
namespace {

constexpr double kUnknown = std::numeric_limits<double>::quiet_NaN();
constexpr int64_t kNoBlock = 255;  // padding of evidence_selected

// Blocks with a larger score, or the same and a lower id. NaN counts as the smallest score.
int32_t rank_of(TensorView<const float, 1> scores, int32_t block) {
  int32_t rank = 0;
  const float own = scores[block];
  for (int64_t b = 0; b < scores.extent[0]; ++b)
    if (scores[b] > own || (scores[b] == own && b < block)) ++rank;
  return rank;
}

// One layer. P probed queries, Hkv KV heads, S slots, B evidence blocks.
struct SelectionLayer {
  int64_t heads = 0, slots = 0;
  std::vector<int32_t> blocks;             // [P, Hkv, S] block ids, ascending, padded with -1
  std::vector<uint8_t> evidence_selected;  // [P, Hkv, B] 1 = the evidence block is among `blocks`
  std::vector<int32_t> evidence_rank;      // [P, Hkv, B] 0 = best score; forced blocks first, ties to the lower id
  // ln of pooled block scores (spec 4.5), up to the normaliser. NaN: forced, or no such block.
  std::vector<double> evidence_score;  // [P, Hkv, B]
  std::vector<double> cut_score;       // [P, Hkv] of the worst selected block that is not forced
  std::vector<double> score_mean;      // [P, Hkv] over blocks that are neither forced nor evidence, and have a score
  std::vector<double> score_std;

  void add(TensorView<const int32_t, 2> blocks, TensorView<const float, 2> scores, const std::vector<int32_t>& evidence);

 private:
  void add_scores(TensorView<const int32_t, 1> chosen, TensorView<const float, 1> scores,
                  const std::vector<int32_t>& evidence);
};

void SelectionLayer::add(TensorView<const int32_t, 2> chosen, TensorView<const float, 2> scores,
                         const std::vector<int32_t>& evidence) {
  heads = chosen.extent[0];
  slots = chosen.extent[1];
  for (int64_t head = 0; head < heads; ++head) {
    const auto row = chosen[head];
    const std::set<int32_t> ids(row.data, row.data + slots);
    blocks.insert(blocks.end(), row.data, row.data + slots);
    for (const int32_t block : evidence) {
      const bool visible = block < scores.extent[1];
      evidence_selected.push_back(ids.count(block) != 0 ? 1 : 0);
      evidence_rank.push_back(visible ? rank_of(scores[head], block) : -1);
    }
    add_scores(row, scores[head], evidence);
  }
}

// A score is a sum of exp(); +inf marks what is forced, and 0 or -inf what has none.
void SelectionLayer::add_scores(TensorView<const int32_t, 1> chosen, TensorView<const float, 1> scores,
                                const std::vector<int32_t>& evidence) {
  const auto score = [&](int64_t block) {
    const float value = block >= 0 && block < scores.extent[0] ? scores[block] : 0;
    return std::isfinite(value) && value > 0 ? std::log(static_cast<double>(value)) : kUnknown;
  };
  for (const int32_t block : evidence) evidence_score.push_back(score(block));
  double cut = kUnknown, sum = 0, squares = 0, count = 0;
  for (int64_t slot = 0; slot < chosen.extent[0]; ++slot)
    if (const double value = score(chosen[slot]); !std::isnan(value) && !(cut <= value)) cut = value;
  for (int64_t block = 0; block < scores.extent[0]; ++block) {
    const double value = score(block);
    if (std::isnan(value) || std::binary_search(evidence.begin(), evidence.end(), block)) continue;
    sum += value;
    squares += value * value;
    ++count;
  }
  const double mean = count > 0 ? sum / count : kUnknown;
  cut_score.push_back(cut);
  score_mean.push_back(mean);
  score_std.push_back(count > 0 ? std::sqrt(std::max(0.0, squares / count - mean * mean)) : kUnknown);
}

class Selection final : public Statistic {
 public:
  explicit Selection(const Watch& watch) : watch_(watch) {}
  std::vector<std::string> sites() const override { return {std::string(site::kBlockScores)}; }
  bool wants(std::string_view, int, int64_t position) const override { return watch_.probed(position); }
  void on_tap(const Tap& tap) override {
    if (!watch_.probed(tap.position)) return;
    set_block_size(tap["block_size"].number());
    positions_[tap.layer].push_back(tap.position);
    layers_[tap.layer].add(tap["blocks"].as<int32_t, 2>(), tap["scores"].as<float, 2>(), evidence_blocks_);
  }
  Findings take() override;

 private:
  void set_block_size(int64_t block_size);
  void add_arrays(int index, const SelectionLayer& layer, const Axis& probe, const Axis& evidence, SampleArrays& into) const;
  std::vector<Figure> figures() const;

  const Watch watch_;
  int64_t block_size_ = 0;
  std::vector<int32_t> evidence_blocks_;  // [B] ascending
  std::vector<int32_t> evidence_span_;    // [B] the first evidence span that the block overlaps
  std::map<int, SelectionLayer> layers_;
  std::map<int, std::vector<int64_t>> positions_;  // [P] of each layer
};

void Selection::set_block_size(int64_t block_size) {
  if (block_size_ == block_size) return;
  if (block_size_ != 0)
    throw Error(ErrorCode::kInternal, "statistic 'select': layers have blocks of {} and {} tokens", block_size_, block_size);
  block_size_ = block_size;
  std::map<int32_t, int32_t> span_of;
  for (std::size_t i = 0; i < watch_.evidence.size(); ++i) {
    const auto [begin, end] = watch_.evidence[i];
    for (int64_t block = begin / block_size; block * block_size < end; ++block)
      span_of.emplace(static_cast<int32_t>(block), static_cast<int32_t>(i));
  }
  for (const auto& [block, span] : span_of) {
    evidence_blocks_.push_back(block);
    evidence_span_.push_back(span);
  }
}

void Selection::add_arrays(int index, const SelectionLayer& layer, const Axis& probe, const Axis& evidence,
                           SampleArrays& into) const {
  const std::string group = fmt::format("select/layer_{:02}", index);
  into.attributes.push_back({group, "layer", int64_t{index}});
  into.attributes.push_back({group, "block_size", block_size_});
  const Axis head{group + "/kv_head", layer.heads}, slot{group + "/slot", layer.slots};
  const auto add = [&](const char* name, const std::vector<Axis>& axes, const auto& values, const Labels& words) {
    into.arrays.push_back(named_array(fmt::format("{}/{}", group, name), axes, values, words));
  };
  add("blocks", {probe, head, slot}, layer.blocks, {.units = "block id", .padding = -1});
  add("cut_score", {probe, head}, layer.cut_score, {.units = "nats"});
  add("score_mean", {probe, head}, layer.score_mean, {.units = "nats"});
  add("score_std", {probe, head}, layer.score_std, {.units = "nats"});
  add("evidence_selected", {probe, head, evidence}, layer.evidence_selected,
      {.meaning = "1 = the evidence block is among blocks", .padding = kNoBlock});
  add("evidence_rank", {probe, head, evidence}, layer.evidence_rank,
      {.meaning = "0 = best block score, forced blocks first", .padding = -1});
  add("evidence_score", {probe, head, evidence}, layer.evidence_score, {.units = "nats"});
}

// recall: mean of evidence_selected over layers, queries, KV heads and evidence blocks. reached: share of the evidence
// blocks that some head of some layer read for some probed query.
std::vector<Figure> Selection::figures() const {
  int64_t selected = 0, count = 0;
  std::vector<bool> hit(evidence_blocks_.size());
  for (const auto& [index, layer] : layers_) {
    count += static_cast<int64_t>(layer.evidence_selected.size());
    for (std::size_t i = 0; i < layer.evidence_selected.size(); ++i) {
      selected += layer.evidence_selected[i];
      if (layer.evidence_selected[i] != 0) hit[i % hit.size()] = true;
    }
  }
  if (count == 0) return {};
  return {{"recall", static_cast<double>(selected) / static_cast<double>(count)},
          {"reached", static_cast<double>(std::count(hit.begin(), hit.end(), true)) / static_cast<double>(hit.size())}};
}

Findings Selection::take() {
  Findings found;
  if (layers_.empty()) return found;
  const Axis probe = probe_axis("select", positions_, found.arrays);
  const Axis evidence{"select/evidence_block", static_cast<int64_t>(evidence_blocks_.size())};
  found.arrays.arrays.push_back(
      named_array("select/evidence_block_id", {evidence}, evidence_blocks_, {.units = "block id", .padding = -1}));
  found.arrays.arrays.push_back(
      named_array("select/evidence_span", {evidence}, evidence_span_, {.meaning = "index on axis evidence", .padding = -1}));
  for (const auto& [index, layer] : layers_) add_arrays(index, layer, probe, evidence, found.arrays);
  found.figures = figures();
  return found;
}

}  // namespace

StatisticKind selection_statistic() {
  return {
      "select",
      "blocks that sparse layers read for the answer's queries, and how the evidence fared",
      [](const Watch& watch) -> std::unique_ptr<Statistic> { return std::make_unique<Selection>(watch); },
      {{"recall", "evidence_recall",
        "mean over sparse layers, KV heads and answer queries of the evidence blocks that were selected"},
       {"reached", "evidence_reached",
        "evidence blocks that some head read for some query, so 1.00 beside a low recall means that few heads saw them and "
        "the answer may lack them"}}};
}

}  // namespace sala::eval
