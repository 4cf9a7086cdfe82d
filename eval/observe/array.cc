#include "eval/observe/array.h"

#include <algorithm>
#include <cstring>
#include <set>

namespace sala::eval {
namespace {

constexpr std::string_view kMagic = "SALAARR1";
constexpr int64_t kMostAxes = 16, kMostExtent = int64_t{1} << 40;
constexpr std::size_t kMostName = 60;  // of one word of a path

class ByteWriter {
 public:
  void number(int64_t value) { raw(&value, sizeof value); }
  void real(double value) { raw(&value, sizeof value); }
  void text(std::string_view value) {
    number(static_cast<int64_t>(value.size()));
    bytes_.append(value);
  }
  void raw(const void* data, std::size_t count) { bytes_.append(static_cast<const char*>(data), count); }
  std::string take() { return std::move(bytes_); }

 private:
  std::string bytes_;
};

[[noreturn]] void damaged() { throw Error(ErrorCode::kFormat, "the arrays of a sample are damaged"); }

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
  // A count of things that take at least one byte each.
  std::size_t count() {
    const int64_t value = number();
    if (value < 0 || value > static_cast<int64_t>(bytes_.size())) damaged();
    return static_cast<std::size_t>(value);
  }
  std::string text() {
    std::string value(count(), '\0');
    copy(value.data(), value.size());
    return value;
  }
  bool empty() const { return bytes_.empty(); }

 private:
  void copy(void* out, std::size_t count) {
    if (count > bytes_.size()) damaged();
    if (count > 0) std::memcpy(out, bytes_.data(), count);
    bytes_.remove_prefix(count);
  }
  std::string_view bytes_;
};

bool is_path(std::string_view path, bool in_a_group) {
  bool nested = false;
  for (std::size_t slash; (slash = path.find('/')) != std::string_view::npos; path.remove_prefix(slash + 1), nested = true)
    if (!is_word(path.substr(0, slash))) return false;
  return is_word(path) && (nested || !in_a_group);
}

// Whether some array or axis stands where another one needs a group.
void check_tree(const std::set<std::string>& leaves, ErrorCode code) {
  for (const std::string& leaf : leaves)
    for (std::size_t slash = leaf.find('/'); slash != std::string::npos; slash = leaf.find('/', slash + 1))
      if (leaves.count(leaf.substr(0, slash)) != 0)
        throw Error(code, "array '{}' lies below '{}', which is no group", leaf, leaf.substr(0, slash));
}

void check_array(const NamedArray& array, ErrorCode code) {
  if (!is_path(array.path, true))
    throw Error(code, "array '{}': expected a path of letters, digits and _, such as group/name", array.path);
  int64_t count = 1;
  if (static_cast<int64_t>(array.axes.size()) > kMostAxes)
    throw Error(code, "array '{}' has {} axes, at most {} are allowed", array.path, array.axes.size(), kMostAxes);
  for (const Axis& axis : array.axes) {
    if (!is_path(axis.name, true))
      throw Error(code, "array '{}': axis '{}' is no path such as group/name", array.path, axis.name);
    if (axis.name == array.path && array.axes.size() != 1)
      throw Error(code, "array '{}' is an axis and has {} of them", array.path, array.axes.size());
    if (axis.extent < 0 || axis.extent > kMostExtent || __builtin_mul_overflow(count, axis.extent, &count))
      throw Error(code, "array '{}': axis '{}' has extent {}", array.path, axis.name, axis.extent);
  }
  const auto size = with_element_type(array.type, [](auto zero) { return static_cast<int64_t>(sizeof zero); });
  if (__builtin_mul_overflow(count, size, &count) || count != static_cast<int64_t>(array.bytes.size()))
    throw Error(code, "array '{}' has {} bytes, its axes hold {}", array.path, array.bytes.size(), count);
}

void write_attribute(ByteWriter& out, const GroupAttribute& attribute) {
  out.text(attribute.group);
  out.text(attribute.name);
  out.number(static_cast<int64_t>(attribute.value.index()));
  if (const auto* integer = std::get_if<int64_t>(&attribute.value)) out.number(*integer);
  if (const auto* real = std::get_if<double>(&attribute.value)) out.real(*real);
  if (const auto* text = std::get_if<std::string>(&attribute.value)) out.text(*text);
}

GroupAttribute read_attribute(ByteReader& in) {
  GroupAttribute attribute{in.text(), in.text(), {}};
  switch (in.number()) {
    case 0:
      attribute.value = in.number();
      break;
    case 1:
      attribute.value = in.real();
      break;
    case 2:
      attribute.value = in.text();
      break;
    default:
      damaged();
  }
  return attribute;
}

NamedArray read_array(ByteReader& in) {
  NamedArray array;
  array.path = in.text();
  const int64_t axes = in.number();
  if (axes < 0 || axes > kMostAxes) damaged();
  for (int64_t i = 0; i < axes; ++i) array.axes.push_back({in.text(), in.number()});
  array.units = in.text();
  array.meaning = in.text();
  if (const int64_t padded = in.number(); padded == 1)
    array.padding = in.number();
  else if (padded != 0)
    damaged();
  const int64_t type = in.number();
  if (type < 0 || type > static_cast<int64_t>(ElementType::kFloat64)) damaged();
  array.type = static_cast<ElementType>(type);
  array.bytes = in.text();
  return array;
}

}  // namespace

bool is_word(std::string_view name) {
  return !name.empty() && name.size() <= kMostName && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
  });
}

template <class T>
std::vector<T> NamedArray::values() const {
  if (type != element_type<T>())
    throw Error(ErrorCode::kInternal, "array '{}' has elements of type {}, not {}", path, static_cast<int>(type),
                static_cast<int>(element_type<T>()));
  std::vector<T> all(bytes.size() / sizeof(T));
  if (!all.empty()) std::memcpy(all.data(), bytes.data(), bytes.size());
  return all;
}
template std::vector<uint8_t> NamedArray::values() const;
template std::vector<int32_t> NamedArray::values() const;
template std::vector<int64_t> NamedArray::values() const;
template std::vector<float> NamedArray::values() const;
template std::vector<double> NamedArray::values() const;

const NamedArray* SampleArrays::find(std::string_view path) const {
  for (const NamedArray& array : arrays)
    if (array.path == path) return &array;
  return nullptr;
}

void check_arrays(const SampleArrays& sample, ErrorCode code) {
  std::set<std::string> leaves;
  for (const NamedArray& array : sample.arrays) {
    check_array(array, code);
    if (!leaves.insert(array.path).second) throw Error(code, "array '{}' stands there twice", array.path);
  }
  for (const NamedArray& array : sample.arrays)
    for (const Axis& axis : array.axes) {
      const NamedArray* values = sample.find(axis.name);
      if (values != nullptr && !values->is_axis())
        throw Error(code, "array '{}': axis '{}' is an array of other axes", array.path, axis.name);
      leaves.insert(axis.name);
    }
  check_tree(leaves, code);
  std::set<std::string> names;
  for (const GroupAttribute& attribute : sample.attributes) {
    if (!is_path(attribute.group, false) || !is_word(attribute.name))
      throw Error(code, "attribute '{}' of group '{}': expected letters, digits and _", attribute.name, attribute.group);
    if (leaves.count(attribute.group) != 0)
      throw Error(code, "attribute '{}': '{}' is no group", attribute.name, attribute.group);
    if (!names.insert(attribute.group + "@" + attribute.name).second)
      throw Error(code, "attribute '{}' of group '{}' stands there twice", attribute.name, attribute.group);
  }
}

std::string array_bytes(const SampleArrays& sample) {
  check_arrays(sample, ErrorCode::kInternal);
  ByteWriter out;
  out.raw(kMagic.data(), kMagic.size());
  out.number(static_cast<int64_t>(sample.attributes.size()));
  for (const GroupAttribute& attribute : sample.attributes) write_attribute(out, attribute);
  out.number(static_cast<int64_t>(sample.arrays.size()));
  for (const NamedArray& array : sample.arrays) {
    out.text(array.path);
    out.number(static_cast<int64_t>(array.axes.size()));
    for (const Axis& axis : array.axes) {
      out.text(axis.name);
      out.number(axis.extent);
    }
    out.text(array.units);
    out.text(array.meaning);
    out.number(array.padding ? 1 : 0);
    if (array.padding) out.number(*array.padding);
    out.number(static_cast<int64_t>(array.type));
    out.text(array.bytes);
  }
  return out.take();
}

SampleArrays parse_arrays(std::string_view bytes) {
  if (bytes.substr(0, kMagic.size()) != kMagic) damaged();
  ByteReader in(bytes.substr(kMagic.size()));
  SampleArrays sample;
  for (std::size_t left = in.count(); left > 0; --left) sample.attributes.push_back(read_attribute(in));
  for (std::size_t left = in.count(); left > 0; --left) sample.arrays.push_back(read_array(in));
  if (!in.empty()) damaged();
  check_arrays(sample, ErrorCode::kFormat);
  return sample;
}

}  // namespace sala::eval
