#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <map>

#include "sala/core/error.h"
#include "sala/model/safetensors.h"
#include "sim/model/safetensors_internal.h"
#include "sim/text/files.h"
#include "sim/text/json.h"
#include "sim/text/printable.h"

namespace sala {
namespace {

using Json = nlohmann::ordered_json;
constexpr int64_t kMaxHeaderBytes = 100'000'000;  // the limit of the format's own library
constexpr int64_t kMaxIndexBytes = 256 << 20;
constexpr const char* kIndexName = "model.safetensors.index.json";

// A regular file open for reading at any place. Mapping it would end the process when someone else makes it shorter.
class OpenFile {
 public:
  explicit OpenFile(const std::string& path) : path_(path) {
    fd_ = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd_ < 0) throw Error(ErrorCode::kIo, "{}: cannot be opened: {}", path, std::strerror(errno));
    struct stat status {};
    if (::fstat(fd_, &status) == 0 && S_ISREG(status.st_mode)) {
      size_ = status.st_size;
      return;
    }
    ::close(fd_);
    throw Error(ErrorCode::kIo, "{}: is not a regular file", path);
  }
  ~OpenFile() { ::close(fd_); }
  OpenFile(const OpenFile&) = delete;
  OpenFile& operator=(const OpenFile&) = delete;
  int64_t size() const { return size_; }
  void read(int64_t offset, std::span<std::byte> out) const {
    while (!out.empty()) {
      const ssize_t count = ::pread(fd_, out.data(), out.size(), offset);
      if (count < 0 && errno == EINTR) continue;
      if (count < 0) throw Error(ErrorCode::kIo, "{}: cannot be read: {}", path_, std::strerror(errno));
      if (count == 0)
        throw Error(ErrorCode::kIo, "{}: has become shorter than its {} bytes while it was read", path_, size_);
      out = out.subspan(static_cast<std::size_t>(count));
      offset += count;
    }
  }

 private:
  std::string path_;
  int fd_ = -1;
  int64_t size_ = 0;
};

template <class T>
T load(const std::byte* at) {
  T value;
  std::memcpy(&value, at, sizeof(T));
  return value;
}

bool read_count(const Json& value, int64_t& out) {
  if (!value.is_number_integer()) return false;
  if (value.is_number_unsigned() && value.get<uint64_t>() > static_cast<uint64_t>(INT64_MAX)) return false;
  out = value.get<int64_t>();
  return out >= 0;
}

}  // namespace

struct SafetensorsFile::Impl {
  explicit Impl(const std::string& file_path) : path(file_path), file(file_path) {}
  std::string path;
  OpenFile file;
  int64_t data_begin = 0;
  std::vector<TensorInfo> tensors;
  std::vector<int64_t> begins;  // of each tensor, from data_begin
  std::map<std::string, std::size_t> index;
  std::vector<std::pair<std::string, std::string>> metadata;

  template <class... Args>
  [[noreturn]] void fail(fmt::format_string<Args...> format, Args&&... args) const {
    throw Error(ErrorCode::kFormat, "{}: {}", path, fmt::format(format, std::forward<Args>(args)...));
  }
  void read_header();
  void read_metadata(const Json& object);
  void read_entry(const std::string& name, const Json& entry);
  void check_layout();
  std::size_t at(const std::string& name) const {
    const auto found = index.find(name);
    if (found == index.end()) fail("has no tensor '{}'", name);
    return found->second;
  }
};

void SafetensorsFile::Impl::read_header() {
  if (file.size() < 8) fail("{} bytes long, a safetensors file has at least 8", file.size());
  std::byte prefix[8];
  file.read(0, prefix);
  const auto length = load<uint64_t>(prefix);
  if (length > static_cast<uint64_t>(kMaxHeaderBytes))
    fail("claims a header of {} bytes, at most {} are allowed", length, kMaxHeaderBytes);
  if (static_cast<int64_t>(length) > file.size() - 8)
    fail("claims a header of {} bytes, the file has {} after the length", length, file.size() - 8);
  data_begin = 8 + static_cast<int64_t>(length);
  std::string text(length, '\0');
  file.read(8, std::as_writable_bytes(std::span(text)));
  const Json header = text::parse_json(text, path);
  if (!header.is_object()) fail("the header is no JSON object");
  for (const auto& [name, entry] : header.items()) {
    if (name == "__metadata__")
      read_metadata(entry);
    else
      read_entry(name, entry);
  }
  check_layout();
}

void SafetensorsFile::Impl::read_metadata(const Json& object) {
  if (!object.is_object()) fail("__metadata__ is no object");
  for (const auto& [key, value] : object.items()) {
    if (!value.is_string()) fail("__metadata__ entry '{}' is no text", key);
    metadata.emplace_back(key, value.get<std::string>());
  }
}

void SafetensorsFile::Impl::read_entry(const std::string& name, const Json& entry) {
  if (!entry.is_object() || entry.size() != 3 || !entry.contains("dtype") || !entry.contains("shape") ||
      !entry.contains("data_offsets"))
    fail("tensor '{}' must have just dtype, shape and data_offsets", name);
  TensorInfo info;
  info.name = name;
  const auto& rows = internal::dtype_rows();
  const Json& dtype = entry["dtype"];
  const auto row = std::find_if(rows.begin(), rows.end(), [&](const internal::DTypeRow& r) { return dtype == r.name; });
  if (row == rows.end())
    fail("tensor '{}' has unknown dtype {}; 8-bit floats and other quantised weights are not supported", name,
         dtype.is_structured() ? "of a structure" : text::write_json(dtype, -1, true).substr(0, 40));
  info.dtype = row->dtype;
  const Json& shape = entry["shape"];
  if (!shape.is_array() || shape.size() > 8) fail("tensor '{}' has no shape of at most 8 axes", name);
  int64_t bytes = row->bytes;
  bool empty = false;
  for (const Json& axis : shape) {
    int64_t extent = 0;
    if (!read_count(axis, extent)) fail("tensor '{}' has a shape with an entry that is no count", name);
    info.shape.push_back(extent);
    empty = empty || extent == 0;
    if (!empty && __builtin_mul_overflow(bytes, extent, &bytes))
      fail("tensor '{}' has a shape of more than 2^63 bytes", name);
  }
  if (empty) bytes = 0;
  const Json& offsets = entry["data_offsets"];
  int64_t begin = 0, end = 0;
  if (!offsets.is_array() || offsets.size() != 2 || !read_count(offsets[0], begin) || !read_count(offsets[1], end) ||
      begin > end)
    fail("tensor '{}' has data_offsets that are no [begin, end]", name);
  const int64_t available = file.size() - data_begin;
  if (end > available) fail("tensor '{}' ends at byte {}, the file has {} bytes of data", name, end, available);
  if (end - begin != bytes) fail("tensor '{}' has {} bytes of data, dtype and shape need {}", name, end - begin, bytes);
  tensors.push_back(std::move(info));
  begins.push_back(begin);
}

void SafetensorsFile::Impl::check_layout() {
  std::vector<std::size_t> order(tensors.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return std::make_pair(begins[a], begins[a] + tensors[a].bytes()) <
           std::make_pair(begins[b], begins[b] + tensors[b].bytes());
  });
  std::vector<TensorInfo> sorted;
  std::vector<int64_t> sorted_begins;
  int64_t next = 0;
  for (const std::size_t i : order) {
    if (begins[i] < next)
      fail("tensor '{}' begins at byte {} and overlaps the one that ends at {}", tensors[i].name, begins[i], next);
    if (begins[i] > next) fail("bytes {} to {} before tensor '{}' belong to no tensor", next, begins[i], tensors[i].name);
    next = begins[i] + tensors[i].bytes();
    index[tensors[i].name] = sorted.size();
    sorted.push_back(std::move(tensors[i]));
    sorted_begins.push_back(begins[i]);
  }
  const int64_t available = file.size() - data_begin;
  if (next != available) fail("the tensors end at byte {}, the file has {} bytes of data", next, available);
  tensors = std::move(sorted);
  begins = std::move(sorted_begins);
}

SafetensorsFile::SafetensorsFile(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
SafetensorsFile::SafetensorsFile(SafetensorsFile&&) noexcept = default;
SafetensorsFile& SafetensorsFile::operator=(SafetensorsFile&&) noexcept = default;
SafetensorsFile::~SafetensorsFile() = default;

SafetensorsFile SafetensorsFile::open(const std::string& path) {
  auto impl = std::make_unique<Impl>(path);
  impl->read_header();
  return SafetensorsFile(std::move(impl));
}

const std::string& SafetensorsFile::path() const { return impl_->path; }
const std::vector<TensorInfo>& SafetensorsFile::tensors() const { return impl_->tensors; }
const std::vector<std::pair<std::string, std::string>>& SafetensorsFile::metadata() const { return impl_->metadata; }

const TensorInfo* SafetensorsFile::find(const std::string& name) const {
  const auto found = impl_->index.find(name);
  return found == impl_->index.end() ? nullptr : &impl_->tensors[found->second];
}

void SafetensorsFile::read_bytes(const std::string& name, int64_t begin, std::span<std::byte> out) const {
  const std::size_t at = impl_->at(name);
  const int64_t bytes = impl_->tensors[at].bytes(), wanted = static_cast<int64_t>(out.size());
  if (begin < 0 || wanted > bytes || begin > bytes - wanted)
    throw Error(ErrorCode::kShape, "read_bytes: bytes {} to {} of tensor '{}', which has {}", begin, begin + wanted, name,
                bytes);
  impl_->file.read(impl_->data_begin + impl_->begins[at] + begin, out);
}

std::vector<std::byte> SafetensorsFile::raw(const std::string& name) const {
  std::vector<std::byte> bytes(static_cast<std::size_t>(impl_->tensors[impl_->at(name)].bytes()));
  read_bytes(name, 0, bytes);
  return bytes;
}

void SafetensorsFile::read_floats(const std::string& name, std::span<float> out) const {
  const TensorInfo& info = impl_->tensors[impl_->at(name)];
  if (static_cast<int64_t>(out.size()) != info.elements())
    throw Error(ErrorCode::kShape, "read_floats: tensor '{}' has {} elements, out has {}", name, info.elements(),
                out.size());
  if (info.dtype == DType::kF32) return read_bytes(name, 0, std::as_writable_bytes(out));
  const auto convert = [&]<class T>(float (*to_float)(T)) {
    constexpr std::size_t kBlock = 1 << 16;
    std::vector<T> block(std::min(kBlock, out.size()));
    for (std::size_t done = 0; done < out.size(); done += block.size()) {
      const auto part = std::span(block).first(std::min(block.size(), out.size() - done));
      read_bytes(name, static_cast<int64_t>(done * sizeof(T)), std::as_writable_bytes(part));
      std::transform(part.begin(), part.end(), out.begin() + static_cast<std::ptrdiff_t>(done), to_float);
    }
  };
  switch (info.dtype) {
    case DType::kBf16:
      return convert(bf16_to_float);
    case DType::kF16:
      return convert(f16_to_float);
    case DType::kF64:
      return convert(+[](double value) { return static_cast<float>(value); });
    default:
      impl_->fail("tensor '{}' has dtype {}, expected F32, BF16 or F16", name, dtype_name(info.dtype));
  }
}

std::vector<float> SafetensorsFile::floats(const std::string& name) const {
  std::vector<float> out(static_cast<std::size_t>(impl_->tensors[impl_->at(name)].elements()));
  read_floats(name, out);
  return out;
}

std::vector<int64_t> SafetensorsFile::ints(const std::string& name) const {
  const std::vector<std::byte> bytes = raw(name);
  const std::byte* at = bytes.data();
  const TensorInfo& info = *find(name);
  const int64_t width = dtype_bytes(info.dtype);
  std::vector<int64_t> out(static_cast<std::size_t>(info.elements()));
  for (int64_t& value : out) {
    switch (info.dtype) {
      case DType::kI64:
        value = load<int64_t>(at);
        break;
      case DType::kI32:
        value = load<int32_t>(at);
        break;
      case DType::kI16:
        value = load<int16_t>(at);
        break;
      case DType::kI8:
        value = load<int8_t>(at);
        break;
      case DType::kU8:
      case DType::kBool:
        value = load<uint8_t>(at);
        break;
      default:
        impl_->fail("tensor '{}' has dtype {}, expected whole numbers", name, dtype_name(info.dtype));
    }
    at += width;
  }
  return out;
}

namespace {

// File of each tensor, as the index says; plain file names only.
std::map<std::string, std::string> read_index(const std::string& path) {
  constexpr std::size_t kLongestFileName = 255;
  const Json index = text::parse_json(text::read_file(path, kMaxIndexBytes), path);
  if (!index.is_object() || !index.contains("weight_map") || !index["weight_map"].is_object())
    throw Error(ErrorCode::kFormat, "{}: has no object 'weight_map'", path);
  std::map<std::string, std::string> map;
  for (const auto& [tensor, file] : index["weight_map"].items()) {
    const std::string name = file.is_string() ? file.get<std::string>() : "";
    if (name.empty() || name.size() > kLongestFileName || name[0] == '.' ||
        name.find_first_of(std::string_view("/\\\0", 3)) != std::string::npos)
      throw Error(ErrorCode::kFormat, "{}: tensor '{}' is mapped to something that is no plain file name", path,
                  text::printable(tensor, 200));
    map[tensor] = name;
  }
  if (map.empty()) throw Error(ErrorCode::kFormat, "{}: 'weight_map' is empty", path);
  return map;
}

std::string only_file(const std::string& directory) {
  namespace fs = std::filesystem;
  const fs::path folder(directory);
  std::error_code problem;
  if (fs::exists(folder / "model.safetensors", problem)) return (folder / "model.safetensors").string();
  std::vector<std::string> found;
  for (const auto& entry : fs::directory_iterator(folder, problem))
    if (entry.path().extension() == ".safetensors") found.push_back(entry.path().string());
  if (problem) throw Error(ErrorCode::kIo, "{}: cannot be listed: {}", directory, problem.message());
  if (found.size() == 1) return found[0];
  for (const char* other : {"pytorch_model.bin", "pytorch_model.bin.index.json"})
    if (found.empty() && fs::exists(folder / other, problem))
      throw Error(ErrorCode::kUnsupported, "{}: has {}, only weights in *.safetensors can be read", directory, other);
  throw Error(ErrorCode::kIo, "{}: has neither {} nor model.safetensors, and {} other *.safetensors files", directory,
              kIndexName, found.size());
}

}  // namespace

SafetensorsCheckpoint SafetensorsCheckpoint::open(const std::string& directory) {
  const std::string index_path = (std::filesystem::path(directory) / kIndexName).string();
  std::error_code problem;
  SafetensorsCheckpoint checkpoint;
  if (!std::filesystem::exists(index_path, problem)) {
    checkpoint.files_.push_back(SafetensorsFile::open(only_file(directory)));
    for (const TensorInfo& info : checkpoint.files_[0].tensors()) checkpoint.file_of_[info.name] = 0;
    return checkpoint;
  }
  const std::map<std::string, std::string> map = read_index(index_path);
  std::map<std::string, std::size_t> opened;
  for (const auto& [tensor, file] : map) {
    if (!opened.count(file)) {
      opened[file] = checkpoint.files_.size();
      checkpoint.files_.push_back(SafetensorsFile::open((std::filesystem::path(directory) / file).string()));
    }
    if (checkpoint.files_[opened[file]].find(tensor) == nullptr)
      throw Error(ErrorCode::kFormat, "{}: tensor '{}' is said to be in {}, which has no such tensor", index_path, tensor,
                  file);
    checkpoint.file_of_[tensor] = opened[file];
  }
  std::vector<std::string> left_out;
  for (const auto& [name, number] : opened)
    for (const TensorInfo& info : checkpoint.files_[number].tensors()) {
      const auto [placed, is_new] = checkpoint.file_of_.emplace(info.name, number);
      if (placed->second != number)
        throw Error(ErrorCode::kFormat, "{}: {} holds tensor '{}', which the index places in another file", index_path, name,
                    info.name);
      if (is_new) left_out.push_back(info.name);
    }
  if (!left_out.empty())
    checkpoint.notes_.push_back(fmt::format("{} leaves out {} of its files' tensors, {}{}; they are read all the same",
                                            kIndexName, left_out.size(), left_out[0], left_out.size() > 1 ? " first" : ""));
  return checkpoint;
}

std::vector<std::string> SafetensorsCheckpoint::names() const {
  std::vector<std::string> names;
  for (const auto& [name, file] : file_of_) names.push_back(name);
  return names;
}

const SafetensorsFile* SafetensorsCheckpoint::find(const std::string& name) const {
  const auto found = file_of_.find(name);
  return found == file_of_.end() ? nullptr : &files_[found->second];
}

}  // namespace sala
