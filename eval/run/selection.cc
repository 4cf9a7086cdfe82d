#include "eval/run/selection.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <set>

#include "sala/core/error.h"

namespace sala::eval {
namespace {

constexpr int64_t kMagic = 0x31304c4553414c53;  // "SLASEL01"

class ByteWriter {
 public:
  void number(int64_t value) { bytes_.append(reinterpret_cast<const char*>(&value), sizeof value); }
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
    selection.layers.push_back(std::move(layer));
  }
  if (!in.empty()) ByteReader::fail();
  return selection;
}

AnswerProbe::AnswerProbe(const std::vector<tasks::Evidence>& evidence, int64_t shift, int64_t prompt_tokens)
    : evidence_(evidence), shift_(shift), first_(prompt_tokens - 1) {}

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
  }
}

Selection AnswerProbe::take() {
  for (auto& [index, layer] : layers_) {
    if (positions_[index] != positions_.begin()->second)
      throw Error(ErrorCode::kInternal, "AnswerProbe: layer {} reported other queries than layer {}", index,
                  positions_.begin()->first);
    selection_.layers.push_back(std::move(layer));
  }
  if (!positions_.empty()) selection_.positions = positions_.begin()->second;
  return std::move(selection_);
}

}  // namespace sala::eval
