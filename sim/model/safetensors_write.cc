#include <cstring>

#include "sala/core/error.h"
#include "sala/model/safetensors.h"
#include "sim/text/json.h"
#include "sim/text/output_file.h"

namespace sala {
namespace {

using Json = nlohmann::ordered_json;

template <class T>
std::vector<std::byte> bytes_of(std::span<const T> values) {
  std::vector<std::byte> bytes(values.size_bytes());
  if (!bytes.empty()) std::memcpy(bytes.data(), values.data(), bytes.size());
  return bytes;
}

}  // namespace

void SafetensorsWriter::add_metadata(const std::string& key, const std::string& value) {
  metadata_.emplace_back(key, value);
}

void SafetensorsWriter::add_raw(const std::string& name, DType dtype, const std::vector<int64_t>& shape,
                                std::span<const std::byte> bytes) {
  for (const Item& item : items_)
    if (item.info.name == name) throw Error(ErrorCode::kFormat, "SafetensorsWriter: tensor '{}' is added twice", name);
  Item item{{name, dtype, shape}, {bytes.begin(), bytes.end()}};
  if (item.info.bytes() != static_cast<int64_t>(bytes.size()))
    throw Error(ErrorCode::kShape, "SafetensorsWriter: tensor '{}' needs {} bytes, {} are given", name, item.info.bytes(),
                bytes.size());
  items_.push_back(std::move(item));
}

void SafetensorsWriter::add_floats(const std::string& name, const std::vector<int64_t>& shape, std::span<const float> values,
                                   DType dtype) {
  if (dtype == DType::kF32) return add_raw(name, dtype, shape, std::as_bytes(values));
  if (dtype != DType::kBf16 && dtype != DType::kF16)
    throw Error(ErrorCode::kFormat, "SafetensorsWriter: tensor '{}' cannot be stored as {}; use F32, BF16 or F16", name,
                dtype_name(dtype));
  std::vector<uint16_t> half(values.size());
  for (std::size_t i = 0; i < half.size(); ++i)
    half[i] = dtype == DType::kBf16 ? float_to_bf16(values[i]) : float_to_f16(values[i]);
  add_raw(name, dtype, shape, bytes_of<uint16_t>(half));
}

void SafetensorsWriter::add_ints(const std::string& name, const std::vector<int64_t>& shape,
                                 std::span<const int32_t> values) {
  add_raw(name, DType::kI32, shape, std::as_bytes(values));
}

void SafetensorsWriter::add_ints(const std::string& name, const std::vector<int64_t>& shape,
                                 std::span<const int64_t> values) {
  add_raw(name, DType::kI64, shape, std::as_bytes(values));
}

void SafetensorsWriter::write(const std::string& path) const {
  Json header = Json::object();
  for (const auto& [key, value] : metadata_) header["__metadata__"][key] = value;
  int64_t offset = 0;
  for (const Item& item : items_) {
    const int64_t end = offset + item.info.bytes();
    header[item.info.name] =
        Json{{"dtype", dtype_name(item.info.dtype)}, {"shape", item.info.shape}, {"data_offsets", {offset, end}}};
    offset = end;
  }
  std::string text = text::write_json(header);
  text.resize((text.size() + 7) / 8 * 8, ' ');
  const uint64_t length = text.size();
  text::OutputFile file(path);
  file.write({reinterpret_cast<const char*>(&length), sizeof(length)});
  file.write(text);
  for (const Item& item : items_) file.write({reinterpret_cast<const char*>(item.bytes.data()), item.bytes.size()});
  file.keep();
}

}  // namespace sala
