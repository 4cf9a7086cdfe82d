#include "eval/observe/selection.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <set>

#include "sala/core/error.h"

namespace sala::eval {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr int64_t kMagic = 0x32304c4553414c53;  // "SLASEL02"

class ByteWriter {
 public:
  void number(int64_t value) { bytes_.append(reinterpret_cast<const char*>(&value), sizeof value); }
  void real(double value) { bytes_.append(reinterpret_cast<const char*>(&value), sizeof value); }
  template <class T>
  void array(const std::vector<T>& values) {
    number(static_cast<int64_t>(values.size()));
    bytes_.append(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T));
  }
  std::string take() { return std::move(bytes_); }

 private:
  std::string bytes_;
};

class ByteReader {
 public:
  explicit ByteReader(std::string_view bytes) : bytes_(bytes) {}
  int64_t number() {
    int64_t value = 0;
    copy(&value, sizeof value);
    return value;
  }
  double real() {
    double value = 0;
    copy(&value, sizeof value);
    return value;
  }
  // A number of layers or heads.
  int64_t extent() {
    constexpr int64_t kMost = int64_t{1} << 20;
    const int64_t value = number();
    if (value < 0 || value > kMost) fail();
    return value;
  }
  template <class T>
  std::vector<T> array(int64_t expected = -1) {
    const int64_t count = number();
    if (count < 0 || count > static_cast<int64_t>(bytes_.size() / sizeof(T)) || (expected >= 0 && count != expected)) fail();
    std::vector<T> values(static_cast<std::size_t>(count));
    copy(values.data(), values.size() * sizeof(T));
    return values;
  }
  bool empty() const { return bytes_.empty(); }
  [[noreturn]] static void fail() { throw Error(ErrorCode::kFormat, "a selection record is damaged"); }

 private:
  void copy(void* out, std::size_t count) {
    if (count > bytes_.size()) fail();
    if (count > 0) std::memcpy(out, bytes_.data(), count);
    bytes_.remove_prefix(count);
  }
  std::string_view bytes_;
};

// Blocks with a larger score, or the same and a lower id. NaN counts as the smallest score.
int32_t rank_of(TensorView<const float, 1> scores, int32_t block) {
  int32_t rank = 0;
  const float own = scores[block];
  for (int64_t b = 0; b < scores.extent[0]; ++b)
    if (scores[b] > own || (scores[b] == own && b < block)) ++rank;
  return rank;
}

}  // namespace

double Selection::recall() const {
  int64_t selected = 0, count = 0;
  for (const LayerSelection& layer : layers) {
    for (const uint8_t hit : layer.evidence_selected) selected += hit;
    count += static_cast<int64_t>(layer.evidence_selected.size());
  }
  return count > 0 ? static_cast<double>(selected) / static_cast<double>(count) : std::numeric_limits<double>::quiet_NaN();
}

double Selection::reached() const {
  if (layers.empty() || evidence_blocks.empty()) return std::numeric_limits<double>::quiet_NaN();
  std::vector<bool> hit(evidence_blocks.size());
  for (const LayerSelection& layer : layers)
    for (std::size_t i = 0; i < layer.evidence_selected.size(); ++i)
      if (layer.evidence_selected[i] != 0) hit[i % hit.size()] = true;
  return static_cast<double>(std::count(hit.begin(), hit.end(), true)) / static_cast<double>(hit.size());
}

std::string selection_bytes(const Selection& selection) {
  ByteWriter out;
  out.number(kMagic);
  out.number(selection.block_size);
  out.array(selection.positions);
  out.array(selection.evidence_blocks);
  out.array(selection.evidence_span);
  out.number(static_cast<int64_t>(selection.layers.size()));
  for (const LayerSelection& layer : selection.layers) {
    out.number(layer.layer);
    out.number(layer.heads);
    out.number(layer.slots);
    out.array(layer.blocks);
    out.array(layer.evidence_selected);
    out.array(layer.evidence_rank);
    out.array(layer.evidence_score);
    out.array(layer.cut_score);
    out.array(layer.score_mean);
    out.array(layer.score_std);
  }
  out.number(static_cast<int64_t>(selection.attention.size()));
  for (const LayerAttention& layer : selection.attention) {
    out.number(layer.layer);
    out.number(layer.heads);
    LayerAttention::visit(layer, [&](const char*, const char*, const std::vector<double>& values) { out.array(values); });
  }
  out.number(static_cast<int64_t>(selection.hidden.size()));
  for (const LayerHidden& layer : selection.hidden) {
    out.number(layer.layer);
    out.real(layer.largest);
    out.number(layer.position);
    out.number(layer.channel);
    out.real(layer.median);
  }
  return out.take();
}

Selection parse_selection(std::string_view bytes) {
  constexpr int64_t kMostLayers = 100000, kMostExtent = int64_t{1} << 20;
  ByteReader in(bytes);
  if (in.number() != kMagic) ByteReader::fail();
  Selection selection;
  selection.block_size = in.number();
  selection.positions = in.array<int64_t>();
  selection.evidence_blocks = in.array<int32_t>();
  const auto probes = static_cast<int64_t>(selection.positions.size());
  const auto blocks = static_cast<int64_t>(selection.evidence_blocks.size());
  selection.evidence_span = in.array<int32_t>(blocks);
  const int64_t layers = in.number();
  if (layers < 0 || layers > kMostLayers || selection.block_size < 0) ByteReader::fail();
  for (int64_t i = 0; i < layers; ++i) {
    LayerSelection layer;
    layer.layer = in.number();
    layer.heads = in.number();
    layer.slots = in.number();
    if (layer.layer < 0 || layer.layer > kMostLayers || layer.heads < 0 || layer.heads > kMostExtent || layer.slots < 0 ||
        layer.slots > kMostExtent || probes > kMostExtent || blocks > kMostExtent)
      ByteReader::fail();
    layer.blocks = in.array<int32_t>(probes * layer.heads * layer.slots);
    layer.evidence_selected = in.array<uint8_t>(probes * layer.heads * blocks);
    layer.evidence_rank = in.array<int32_t>(probes * layer.heads * blocks);
    layer.evidence_score = in.array<double>(probes * layer.heads * blocks);
    for (auto* values : {&layer.cut_score, &layer.score_mean, &layer.score_std})
      *values = in.array<double>(probes * layer.heads);
    selection.layers.push_back(std::move(layer));
  }
  const int64_t attending = in.extent();
  for (int64_t i = 0; i < attending; ++i) {
    LayerAttention layer;
    layer.layer = in.extent();
    layer.heads = in.extent();
    LayerAttention::visit(layer, [&](const char*, const char*, std::vector<double>& values) {
      values = in.array<double>(probes * layer.heads);
    });
    selection.attention.push_back(std::move(layer));
  }
  const int64_t states = in.extent();
  for (int64_t i = 0; i < states; ++i) {
    LayerHidden& layer = selection.hidden.emplace_back();
    layer.layer = in.number();
    layer.largest = in.real();
    layer.position = in.number();
    layer.channel = in.number();
    layer.median = in.real();
  }
  if (!in.empty()) ByteReader::fail();
  return selection;
}

AnswerProbe::AnswerProbe(const std::vector<tasks::Evidence>& evidence, int64_t shift, int64_t prompt_tokens)
    : evidence_(evidence), shift_(shift), first_(prompt_tokens - 1) {
  Ranges all;
  for (const tasks::Evidence& span : evidence) all.emplace_back(span.token_begin + shift, span.token_end + shift);
  std::sort(all.begin(), all.end());
  for (const auto& [begin, end] : all)
    if (!ranges_.empty() && begin <= ranges_.back().second)
      ranges_.back().second = std::max(ranges_.back().second, end);
    else
      ranges_.emplace_back(begin, end);
}

void AnswerProbe::set_block_size(int64_t block_size) {
  if (selection_.block_size == block_size) return;
  if (selection_.block_size != 0)
    throw Error(ErrorCode::kInternal, "AnswerProbe: layers have blocks of {} and {} tokens", selection_.block_size,
                block_size);
  selection_.block_size = block_size;
  std::map<int32_t, int32_t> span_of;
  for (std::size_t i = 0; i < evidence_.size(); ++i) {
    const int64_t begin = evidence_[i].token_begin + shift_, end = evidence_[i].token_end + shift_;
    for (int64_t block = begin / block_size; block * block_size < end; ++block)
      span_of.emplace(static_cast<int32_t>(block), static_cast<int32_t>(i));
  }
  for (const auto& [block, span] : span_of) {
    selection_.evidence_blocks.push_back(block);
    selection_.evidence_span.push_back(span);
  }
}

void AnswerProbe::on_selection(int layer, int64_t position, int64_t block_size, TensorView<const int32_t, 2> blocks,
                               TensorView<const float, 2> scores) {
  set_block_size(block_size);
  LayerSelection& into = layers_[layer];
  into.layer = layer;
  into.heads = blocks.extent[0];
  into.slots = blocks.extent[1];
  positions_[layer].push_back(position);
  for (int64_t head = 0; head < into.heads; ++head) {
    const auto row = blocks[head];
    std::set<int32_t> chosen;
    for (int64_t slot = 0; slot < into.slots; ++slot) {
      into.blocks.push_back(row[slot]);
      chosen.insert(row[slot]);
    }
    for (const int32_t block : selection_.evidence_blocks) {
      const bool visible = block < scores.extent[1];
      into.evidence_selected.push_back(chosen.count(block) != 0 ? 1 : 0);
      into.evidence_rank.push_back(visible ? rank_of(scores[head], block) : -1);
    }
    add_scores(into, scores[head], row);
  }
}

// A score is a sum of exp(); +inf marks what is forced, and 0 or -inf what has none.
void AnswerProbe::add_scores(LayerSelection& into, TensorView<const float, 1> scores,
                             TensorView<const int32_t, 1> chosen) const {
  const auto score = [&](int64_t block) {
    const float value = block >= 0 && block < scores.extent[0] ? scores[block] : 0;
    return std::isfinite(value) && value > 0 ? std::log(static_cast<double>(value)) : kNaN;
  };
  const std::vector<int32_t>& evidence = selection_.evidence_blocks;
  for (const int32_t block : evidence) into.evidence_score.push_back(score(block));
  double cut = kNaN, sum = 0, squares = 0, count = 0;
  for (int64_t slot = 0; slot < chosen.extent[0]; ++slot)
    if (const double value = score(chosen[slot]); !std::isnan(value) && !(cut <= value)) cut = value;
  for (int64_t block = 0; block < scores.extent[0]; ++block) {
    const double value = score(block);
    if (std::isnan(value) || std::binary_search(evidence.begin(), evidence.end(), block)) continue;
    sum += value;
    squares += value * value;
    ++count;
  }
  const double mean = count > 0 ? sum / count : kNaN;
  into.cut_score.push_back(cut);
  into.score_mean.push_back(mean);
  into.score_std.push_back(count > 0 ? std::sqrt(std::max(0.0, squares / count - mean * mean)) : kNaN);
}

void AnswerProbe::on_attention(int layer, int64_t position, int64_t head, std::span<const int64_t> keys,
                               std::span<const float> logits) {
  LayerAttention& into = attention_[layer];
  into.layer = layer;
  into.heads = std::max(into.heads, head + 1);
  if (head == 0) attention_positions_[layer].push_back(position);
  into.add(attention_figures(keys, logits, ranges_));
}

void AnswerProbe::on_hidden(int layer, int64_t first_position, TensorView<const float, 2> hidden) {
  hidden_[layer].add(first_position, hidden, [this](int64_t position) { return wants(position); });
}

Selection AnswerProbe::take() {
  for (auto* positions : {&positions_, &attention_positions_})
    for (const auto& [index, seen] : *positions) {
      if (selection_.positions.empty()) selection_.positions = seen;
      if (selection_.positions != seen)
        throw Error(ErrorCode::kInternal, "AnswerProbe: layer {} reported other queries than the layers before it", index);
    }
  for (auto& [index, layer] : layers_) selection_.layers.push_back(std::move(layer));
  for (auto& [index, layer] : attention_) selection_.attention.push_back(std::move(layer));
  for (auto& [index, layer] : hidden_) selection_.hidden.push_back(layer.take(index));
  return std::move(selection_);
}

}  // namespace sala::eval
