#include "eval/store/array_writer.h"

#include <cstring>
#include <limits>
#include <map>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

namespace sala::eval {
namespace {

// What the samples of a cell have in common: every array without its bytes, and the widest extent of every axis.
struct Layout {
  std::vector<NamedArray> arrays;                    // in the order of first appearance; bytes only of axes
  std::map<std::string, std::size_t> place;          // path: index
  std::map<std::string, int64_t> extents;            // axis name: widest
  std::vector<std::string> axes;                     // names in the order of first appearance
  std::map<std::string, GroupAttribute> attributes;  // "group@name"

  void add(const SampleArrays& sample);
  std::vector<int64_t> shape(const NamedArray& array) const {
    std::vector<int64_t> shape;
    for (const Axis& axis : array.axes) shape.push_back(extents.at(axis.name));
    return shape;
  }
};

bool same_kind(const NamedArray& a, const NamedArray& b) {
  bool same = a.type == b.type && a.units == b.units && a.meaning == b.meaning && a.padding == b.padding &&
              a.axes.size() == b.axes.size();
  for (std::size_t i = 0; same && i < a.axes.size(); ++i) same = a.axes[i].name == b.axes[i].name;
  return same && (!a.is_axis() || a.bytes == b.bytes);
}

void Layout::add(const SampleArrays& sample) {
  for (const NamedArray& array : sample.arrays) {
    const auto [at, fresh] = place.emplace(array.path, arrays.size());
    if (fresh) {
      arrays.push_back(array);
      if (!array.is_axis()) arrays.back().bytes.clear();
    } else if (!same_kind(arrays[at->second], array)) {
      throw Error(ErrorCode::kFormat, "samples disagree about the array '{}'", array.path);
    }
    for (const Axis& axis : array.axes) {
      const auto [extent, unseen] = extents.emplace(axis.name, axis.extent);
      if (unseen) axes.push_back(axis.name);
      extent->second = std::max(extent->second, axis.extent);
    }
  }
  for (const GroupAttribute& attribute : sample.attributes) {
    const auto [at, fresh] = attributes.emplace(attribute.group + "@" + attribute.name, attribute);
    if (!fresh && at->second.value != attribute.value)
      throw Error(ErrorCode::kFormat, "samples disagree about the attribute '{}' of '{}'", attribute.name, attribute.group);
  }
}

template <class T>
T padding_of(const NamedArray& array) {
  if constexpr (std::is_floating_point_v<T>) return std::numeric_limits<T>::quiet_NaN();
  return static_cast<T>(array.padding.value_or(0));
}

// The elements of `array` in a row of `shape`. A null array is one without elements.
template <class T>
std::vector<T> padded_row(const NamedArray& kind, const NamedArray* array, const std::vector<int64_t>& shape) {
  const auto places = std::accumulate(shape.begin(), shape.end(), int64_t{1}, std::multiplies<>());
  std::vector<T> row(static_cast<std::size_t>(places), padding_of<T>(kind));
  if (array == nullptr || array->bytes.empty()) return row;
  const std::size_t rank = shape.size();
  const int64_t run = rank == 0 ? 1 : array->axes.back().extent;  // elements that stay side by side
  std::vector<int64_t> at(rank, 0);
  for (const char* from = array->bytes.data(); from < array->bytes.data() + array->bytes.size();
       from += static_cast<std::size_t>(run) * sizeof(T)) {
    int64_t place = 0;
    for (std::size_t i = 0; i < rank; ++i) place = place * shape[i] + at[i];
    std::memcpy(row.data() + place, from, static_cast<std::size_t>(run) * sizeof(T));
    for (std::size_t i = rank; i-- > 1;) {
      if (++at[i - 1] < array->axes[i - 1].extent) break;
      at[i - 1] = 0;
    }
  }
  return row;
}

class Writer {
 public:
  Writer(h5::Group& cell, const h5::Dataset& samples, int64_t count, const Layout& layout)
      : cell_(cell), samples_(samples), count_(count), layout_(layout) {}

  void make() {
    for (const std::string& axis : layout_.axes) make_scale(axis);
    for (const NamedArray& array : layout_.arrays)
      if (!array.is_axis()) make_array(array);
    for (const auto& [key, attribute] : layout_.attributes)
      std::visit([&, &at = attribute](const auto& value) { group(at.group).attribute(at.name, value); }, attribute.value);
  }

  void write(int64_t row, const SampleArrays& sample) {
    for (const NamedArray& kind : layout_.arrays) {
      if (kind.is_axis()) continue;
      const NamedArray* array = sample.find(kind.path);
      const std::vector<int64_t> shape = layout_.shape(kind);
      const bool integer = kind.type != ElementType::kFloat32 && kind.type != ElementType::kFloat64;
      if (integer && !kind.padding && (array == nullptr || !whole(*array, shape)))
        throw Error(ErrorCode::kFormat, "samples disagree about the extents of '{}'", kind.path);
      with_element_type(kind.type, [&]<class T>(T) {
        const std::vector<T> values = padded_row<T>(kind, array, shape);
        arrays_.at(kind.path).write_row(row, std::span<const T>(values));
      });
    }
  }

 private:
  static bool whole(const NamedArray& array, const std::vector<int64_t>& shape) {
    for (std::size_t i = 0; i < shape.size(); ++i)
      if (array.axes[i].extent != shape[i]) return false;
    return true;
  }

  h5::Group& group(const std::string& path) {
    if (path.empty()) return cell_;
    if (const auto found = groups_.find(path); found != groups_.end()) return found->second;
    const Place place = split(path);
    return groups_.emplace(path, group(place.parent).create(place.name)).first->second;
  }
  struct Place {
    std::string parent, name;
  };
  static Place split(const std::string& path) {
    const std::size_t slash = path.rfind('/');
    if (slash == std::string::npos) return {"", path};
    return {path.substr(0, slash), path.substr(slash + 1)};
  }
  static void describe(h5::Dataset& dataset, const NamedArray& array) {
    if (!array.units.empty()) dataset.attribute("units", array.units);
    if (!array.meaning.empty()) dataset.attribute("meaning", array.meaning);
    if (array.padding) dataset.attribute("padding", *array.padding);
  }

  void make_scale(const std::string& axis) {
    const Place place = split(axis);
    const int64_t extent = layout_.extents.at(axis);
    const auto given = layout_.place.find(axis);
    h5::Dataset* scale = nullptr;
    if (given == layout_.place.end()) {
      std::vector<int64_t> counting(static_cast<std::size_t>(extent));
      std::iota(counting.begin(), counting.end(), int64_t{0});
      scale = add(scales_, axis,
                  group(place.parent).write_array<int64_t>(place.name, {extent}, std::span<const int64_t>(counting)));
    } else {
      const NamedArray& array = layout_.arrays[given->second];
      if (!whole(array, {extent}))
        throw Error(ErrorCode::kFormat, "axis '{}' has values for {} of {} places", axis, array.axes[0].extent, extent);
      with_element_type(array.type, [&]<class T>(T) {
        const std::vector<T> values = array.values<T>();
        scale = add(scales_, axis, group(place.parent).write_array<T>(place.name, {extent}, std::span<const T>(values)));
      });
      describe(*scale, array);
    }
    scale->scale(place.name);
  }

  void make_array(const NamedArray& array) {
    const Place place = split(array.path);
    std::vector<int64_t> shape = layout_.shape(array);
    shape.insert(shape.begin(), count_);
    h5::Dataset* dataset = nullptr;
    with_element_type(array.type, [&]<class T>(T) {
      dataset = add(arrays_, array.path, group(place.parent).create_array<T>(place.name, shape));
    });
    dataset->attach(0, samples_);
    for (std::size_t i = 0; i < array.axes.size(); ++i)
      dataset->attach(static_cast<int>(i) + 1, scales_.at(array.axes[i].name));
    describe(*dataset, array);
  }

  static h5::Dataset* add(std::map<std::string, h5::Dataset>& to, const std::string& path, h5::Dataset dataset) {
    return &to.emplace(path, std::move(dataset)).first->second;
  }

  h5::Group& cell_;
  const h5::Dataset& samples_;
  const int64_t count_;
  const Layout& layout_;
  std::map<std::string, h5::Group> groups_;
  std::map<std::string, h5::Dataset> scales_, arrays_;
};

}  // namespace

void write_arrays(h5::Group& cell, const h5::Dataset& samples, int64_t count,
                  const std::function<SampleArrays(int64_t sample)>& read) {
  Layout layout;
  for (int64_t i = 0; i < count; ++i) layout.add(read(i));
  Writer writer(cell, samples, count, layout);
  writer.make();
  for (int64_t i = 0; i < count; ++i) writer.write(i, read(i));
}

}  // namespace sala::eval
