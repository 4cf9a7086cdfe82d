// safetensors files: reading, sharded checkpoints, writing. Every file is treated as hostile.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace sala {

enum class DType { kF64, kF32, kF16, kBf16, kI64, kI32, kI16, kI8, kU8, kBool };
const char* dtype_name(DType dtype);  // as in the file: "F32", "BF16", ...
int64_t dtype_bytes(DType dtype);

float bf16_to_float(uint16_t bits);
float f16_to_float(uint16_t bits);
uint16_t float_to_bf16(float value);  // nearest, ties to even; NaN stays NaN
uint16_t float_to_f16(float value);   // nearest, ties to even; too large becomes infinity

struct TensorInfo {
  std::string name;
  DType dtype = DType::kF32;
  std::vector<int64_t> shape;
  int64_t elements() const;
  int64_t bytes() const { return elements() * dtype_bytes(dtype); }
};

// One file. Tensors are listed in the order of their bytes.
class SafetensorsFile {
 public:
  // Throws Error{kIo} when the file cannot be opened, Error{kFormat} with what is wrong: header length, JSON, dtype, shape,
  // offsets that overlap, leave a gap or lie outside the file, duplicate names.
  static SafetensorsFile open(const std::string& path);
  SafetensorsFile(SafetensorsFile&&) noexcept;
  SafetensorsFile& operator=(SafetensorsFile&&) noexcept;
  ~SafetensorsFile();

  const std::string& path() const;
  const std::vector<TensorInfo>& tensors() const;
  const std::vector<std::pair<std::string, std::string>>& metadata() const;
  const TensorInfo* find(const std::string& name) const;  // null when absent
  // Bytes as stored (little endian). Throws Error{kFormat} when absent; like all that read, Error{kIo} when the file has
  // become shorter.
  std::vector<std::byte> raw(const std::string& name) const;
  // Elements in row-major order. floats: F64, F32, F16, BF16; ints: I64, I32, I16, I8, U8, BOOL. Throws Error{kFormat}
  // otherwise.
  std::vector<float> floats(const std::string& name) const;
  std::vector<int64_t> ints(const std::string& name) const;
  // As floats(), into out [elements], with no other memory in proportion to it.
  void read_floats(const std::string& name, std::span<float> out) const;
  // The bytes of a tensor from `begin` on, as many as `out` has.
  void read_bytes(const std::string& name, int64_t begin, std::span<std::byte> out) const;

 private:
  struct Impl;
  explicit SafetensorsFile(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

// A checkpoint folder: model.safetensors.index.json and its shards, or model.safetensors, or the only *.safetensors in it.
class SafetensorsCheckpoint {
 public:
  // Throws as SafetensorsFile::open; also when the index names a missing tensor or a path, or places a tensor in another
  // file than one that holds it. A tensor that it leaves out belongs to the checkpoint all the same, and is noted.
  static SafetensorsCheckpoint open(const std::string& directory);
  const std::vector<std::string>& notes() const { return notes_; }  // sentences for the user
  std::vector<std::string> names() const;                           // ascending
  const SafetensorsFile* find(const std::string& name) const;       // the file that holds it, or null

 private:
  std::vector<SafetensorsFile> files_;
  std::map<std::string, std::size_t> file_of_;
  std::vector<std::string> notes_;
};

// Collects tensors and writes them in the order of adding; the header is laid out as the Python library does it, so that a
// file read and written again has the same bytes.
class SafetensorsWriter {
 public:
  void add_metadata(const std::string& key, const std::string& value);
  // Copies the bytes. Throws Error{kShape} when sizes disagree, Error{kFormat} for a name used twice.
  void add_raw(const std::string& name, DType dtype, const std::vector<int64_t>& shape, std::span<const std::byte> bytes);
  void add_floats(const std::string& name, const std::vector<int64_t>& shape, std::span<const float> values,
                  DType dtype = DType::kF32);
  void add_ints(const std::string& name, const std::vector<int64_t>& shape, std::span<const int32_t> values);
  void add_ints(const std::string& name, const std::vector<int64_t>& shape, std::span<const int64_t> values);
  // Writes to `path` through a temporary file beside it and a rename. Throws Error{kIo}.
  void write(const std::string& path) const;

 private:
  struct Item {
    TensorInfo info;
    std::vector<std::byte> bytes;
  };
  std::vector<std::pair<std::string, std::string>> metadata_;
  std::vector<Item> items_;
};

}  // namespace sala
