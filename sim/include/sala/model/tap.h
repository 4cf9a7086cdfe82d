// Named sites inside a model at which a session shows its observer what layers do.
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "sala/core/error.h"
#include "sala/core/tensor.h"

namespace sala {

// The sites of the mixers and the session of this library. A mixer may publish others under names of its own.
namespace site {
// `hidden` [token, channel]: hidden states behind a layer; layer -1 is the embedding.
inline constexpr std::string_view kHidden = "hidden";
// `blocks` [kv_head, slot] int32: ids of the blocks that the query at this position reads, ascending, padded with -1;
// `block_size` in tokens. With one selection a block, the choice of the block's first query. Layers that run dense select
// nothing.
inline constexpr std::string_view kSelection = "selection";
// As kSelection, and `scores` [kv_head, block]: pooled block scores (spec 4.5); +inf = forced, -inf = empty.
inline constexpr std::string_view kBlockScores = "block_scores";
// Once a query head (`head`): `keys` [key] int64, positions of the keys that the query reads, ascending, and `logits` [key],
// its scaled logits, whose softmax is the attention. Computed once more for the observer, which costs what the attention of
// the query costs, and equal to the layer's own up to rounding.
inline constexpr std::string_view kAttention = "attention";
// `gate` [token, channel]: what the sigmoid of an output gate is taken of.
inline constexpr std::string_view kGate = "gate";
// Lightning layers, at positions that end a chunk of 64 tokens (63, 127, ...): `state` [head, key_dim, value_dim] after
// this position, and `decay` [head]: a token multiplies the state by exp(-decay).
inline constexpr std::string_view kState = "state";
}  // namespace site

// One value at a site: a strided view whose axes have names. Holds while Observer::on_tap runs.
class TapView {
 public:
  template <class T, int Rank>
  TapView(std::string_view name, const std::array<std::string_view, static_cast<std::size_t>(Rank)>& axes,
          TensorView<T, Rank> view)
      : name_(name), type_(type_of<std::remove_const_t<T>>()), data_(view.data) {
    axes_.assign(axes.begin(), axes.end());
    extent_.assign(view.extent.begin(), view.extent.end());
    stride_.assign(view.stride.begin(), view.stride.end());
  }
  // A single number; `value` must outlive the tap.
  TapView(std::string_view name, const int64_t& value) : name_(name), type_(Type::kInt64), data_(&value) {}
  TapView(std::string_view name, int64_t&& value) = delete;

  // The same value in memory that the host reads; `copy` holds it where it had to be copied. Strides stay as they are.
  TapView on_host(Device& device, std::vector<char>& copy) const;

  std::string_view name() const { return name_; }
  const std::vector<std::string_view>& axes() const { return axes_; }
  const std::vector<int64_t>& extent() const { return extent_; }
  // Throws Error{kInternal} when the elements or the rank are others.
  template <class T, int Rank>
  TensorView<const T, Rank> as() const {
    check(type_of<T>(), Rank);
    TensorView<const T, Rank> view;
    view.data = static_cast<const T*>(data_);
    for (int axis = 0; axis < Rank; ++axis) {
      view.extent[static_cast<std::size_t>(axis)] = extent_[static_cast<std::size_t>(axis)];
      view.stride[static_cast<std::size_t>(axis)] = stride_[static_cast<std::size_t>(axis)];
    }
    return view;
  }
  int64_t number() const {
    check(Type::kInt64, 0);
    return *static_cast<const int64_t*>(data_);
  }

 private:
  enum class Type { kFloat, kInt32, kInt64 };
  template <class T>
  static constexpr Type type_of() {
    static_assert(std::is_same_v<T, float> || std::is_same_v<T, int32_t> || std::is_same_v<T, int64_t>);
    return std::is_same_v<T, float> ? Type::kFloat : std::is_same_v<T, int32_t> ? Type::kInt32 : Type::kInt64;
  }
  void check(Type type, int rank) const {
    if (type != type_ || rank != static_cast<int>(extent_.size()))
      throw Error(ErrorCode::kInternal, "tap view '{}' has another type or {} axes, {} were expected", name_, extent_.size(),
                  rank);
  }
  std::string_view name_;
  Type type_;
  const void* data_;
  std::vector<std::string_view> axes_;
  std::vector<int64_t> extent_, stride_;
};

struct Tap {
  std::string_view site;
  int layer = 0;
  int64_t position = 0;  // of the query, or of row 0 of axis `token`; 0-based, BOS included
  std::span<const TapView> views;
  // Throws Error{kInternal} when there is none.
  const TapView& operator[](std::string_view name) const;
};

// Watches a session; never influences its results. Called from one thread, positions ascending within a site and layer.
class Observer {
 public:
  virtual ~Observer() = default;
  // Names of the sites that are of interest; asked when the session is told of the observer. Others cost nothing.
  virtual std::vector<std::string> sites() const = 0;
  // Whether the value of one of these at `position` is wanted. Asked before it is computed. In the last layer, rows that
  // only the observer wants are computed for it, with those behind them in the chunk.
  virtual bool wants(std::string_view site, int layer, int64_t position) const = 0;
  virtual void on_tap(const Tap& tap) = 0;
};

// An observer as one layer sees it.
class Taps {
 public:
  Taps() = default;  // nobody watches
  // `sites`: observer->sites(), kept by the caller. device: whose memory the values lie in; an observer gets copies of what
  // the host cannot read.
  Taps(Observer* observer, const std::vector<std::string>& sites, int layer, Device& device = cpu_device())
      : observer_(sites.empty() ? nullptr : observer), sites_(&sites), layer_(layer), device_(&device) {}
  int layer() const { return layer_; }
  // Whether anything at all at this position is wanted.
  bool wants(int64_t position) const { return observer_ != nullptr && asks_for(position); }
  bool wants(std::string_view site, int64_t position) const {
    return reads(site) && observer_->wants(site, layer_, position);
  }
  void tell(std::string_view site, int64_t position, std::initializer_list<TapView> views) const;
  // Tells the wanted rows of x: [T, N], whose row 0 stands at `first_position`, as views called `name`.
  void tell_rows(std::string_view site, std::string_view name, int64_t first_position, TensorView<const float, 2> x) const;

 private:
  bool reads(std::string_view site) const;
  bool asks_for(int64_t position) const;
  Observer* observer_ = nullptr;
  const std::vector<std::string>* sites_ = nullptr;
  int layer_ = 0;
  Device* device_ = nullptr;
};

}  // namespace sala
