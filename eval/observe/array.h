// What a statistic says about one sample: named arrays with axes, units and meaning, and their bytes in the side file.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <variant>
#include <vector>

#include "sala/core/error.h"

namespace sala::eval {

enum class ElementType : uint8_t { kUint8, kInt32, kInt64, kFloat32, kFloat64 };

template <class T>
constexpr ElementType element_type() {
  if constexpr (std::is_same_v<T, uint8_t>) return ElementType::kUint8;
  if constexpr (std::is_same_v<T, int32_t>) return ElementType::kInt32;
  if constexpr (std::is_same_v<T, int64_t>) return ElementType::kInt64;
  if constexpr (std::is_same_v<T, float>) return ElementType::kFloat32;
  if constexpr (std::is_same_v<T, double>) return ElementType::kFloat64;
}
// Calls f(T{}) for the C++ type of the elements.
template <class F>
decltype(auto) with_element_type(ElementType type, const F& f) {
  switch (type) {
    case ElementType::kUint8:
      return f(uint8_t{});
    case ElementType::kInt32:
      return f(int32_t{});
    case ElementType::kInt64:
      return f(int64_t{});
    case ElementType::kFloat32:
      return f(float{});
    case ElementType::kFloat64:
      break;
  }
  return f(double{});
}

// `name` is the path of the axis's scale, as an array's path: arrays that name the same one share the axis. Samples may
// differ in its extent; what is short is padded to the longest.
struct Axis {
  std::string name;  // "select/layer_03/slot"
  int64_t extent = 0;
};

struct NamedArray {
  std::string path;            // below the group of the cell, with a group of its own: "select/layer_03/blocks"
  std::vector<Axis> axes;      // of one sample. An array whose only axis has the array's path is the axis's values: the same
                               // for every sample. Other axes count from 0
  std::string units, meaning;  // "" = not said
  std::optional<int64_t> padding;  // of integers; without one every sample must have the whole array. Floats: NaN
  ElementType type = ElementType::kFloat64;
  std::string bytes;  // row-major

  // Throws Error{kInternal} when the elements are of another type.
  template <class T>
  std::vector<T> values() const;
  bool is_axis() const { return axes.size() == 1 && axes[0].name == path; }
};

// What a reader is told of an array.
struct Labels {
  std::string units = "", meaning = "";
  std::optional<int64_t> padding = {};
};
template <class T>
NamedArray named_array(const std::string& path, const std::vector<Axis>& axes, const std::vector<T>& values,
                       const Labels& labels = {}) {
  NamedArray array{path, axes, labels.units, labels.meaning, labels.padding, element_type<T>(), ""};
  array.bytes.assign(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T));
  return array;
}

// What holds for a whole group, in every sample the same.
struct GroupAttribute {
  std::string group;  // "select/layer_03"
  std::string name;
  std::variant<int64_t, double, std::string> value;
};

struct SampleArrays {
  std::vector<NamedArray> arrays;
  std::vector<GroupAttribute> attributes;

  bool empty() const { return arrays.empty() && attributes.empty(); }
  // Null when there is none.
  const NamedArray* find(std::string_view path) const;
};

// Letters, digits and _: one step of a path.
bool is_word(std::string_view name);
// Throws Error{code} naming the array when a path or name is no word characters separated by '/', one stands there twice,
// or extents and bytes disagree.
void check_arrays(const SampleArrays& sample, ErrorCode code);

// The bytes of the side file. parse_arrays treats its input as hostile and throws Error{kFormat}.
std::string array_bytes(const SampleArrays& sample);
SampleArrays parse_arrays(std::string_view bytes);

}  // namespace sala::eval
