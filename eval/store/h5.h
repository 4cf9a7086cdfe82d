// A thin owner of HDF5 handles: what the result files need and nothing more. Not thread-safe, like the library itself.
#pragma once

#include <hdf5.h>

#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace sala::eval::h5 {

// Owns one HDF5 id. HDF5 writes much of a dataset when it is closed, so a close that fails is noted: File::close() throws.
class Handle {
 public:
  using Close = herr_t (*)(hid_t);
  Handle() = default;
  Handle(hid_t id, Close close) : id_(id), close_(close) {}
  ~Handle();
  Handle(Handle&& other) noexcept { *this = std::move(other); }
  Handle& operator=(Handle&& other) noexcept {
    std::swap(id_, other.id_);
    std::swap(close_, other.close_);
    return *this;
  }
  hid_t id() const { return id_; }
  hid_t release() { return std::exchange(id_, -1); }

 private:
  hid_t id_ = -1;
  Close close_ = nullptr;
};

// Any object that carries attributes. Every call throws Error{kIo} with the file and HDF5's reason when writing fails and
// Error{kFormat} when something expected is absent or of another type.
class Object {
 public:
  Object(Handle handle, std::string where) : handle_(std::move(handle)), where_(std::move(where)) {}
  Object& attribute(const std::string& name, const std::string& text);
  Object& attribute(const std::string& name, const char* text) { return attribute(name, std::string(text)); }
  Object& attribute(const std::string& name, int64_t value);
  Object& attribute(const std::string& name, double value);
  std::string text(const std::string& name) const;
  int64_t integer(const std::string& name) const;
  double number(const std::string& name) const;
  bool has_attribute(const std::string& name) const;
  const std::string& where() const { return where_; }
  hid_t id() const { return handle_.id(); }

 protected:
  Handle handle_;
  std::string where_;  // "FILE:/path", for messages
};

class Dataset : public Object {
 public:
  using Object::Object;
  // Makes this dataset the scale of an axis called `name`.
  Dataset& scale(const std::string& name);
  // Names axis `axis` after `with` and points to it.
  Dataset& attach(int axis, const Dataset& with);
  // Row `row` of the first axis.
  template <class T>
  void write_row(int64_t row, std::span<const T> values);
  template <class T>
  void write(std::span<const T> values);
};

class Group : public Object {
 public:
  using Object::Object;
  Group create(const std::string& name);
  // A link to `path` in another file; a relative name of the file is looked up beside this one.
  void link(const std::string& name, const std::string& file, const std::string& path);
  // A numeric array; from 1,024 elements on chunked, shuffled and deflated. T: double, float, int64_t, int32_t,
  // uint8_t.
  template <class T>
  Dataset create_array(const std::string& name, const std::vector<int64_t>& shape);
  template <class T>
  Dataset write_array(const std::string& name, const std::vector<int64_t>& shape, std::span<const T> values);
  // UTF-8 text of any length.
  Dataset write_texts(const std::string& name, const std::vector<int64_t>& shape, const std::vector<std::string>& values);

  bool has(const std::string& path) const;
  Group open(const std::string& path) const;
  std::vector<std::string> children() const;  // ascending
  template <class T>
  std::vector<T> read_array(const std::string& path, std::vector<int64_t>* shape = nullptr) const;
  std::vector<std::string> read_texts(const std::string& path, std::vector<int64_t>* shape = nullptr) const;

 private:
  Dataset make_dataset(const std::string& name, const std::vector<int64_t>& shape, hid_t type, bool compress);
  Handle open_dataset(const std::string& path, std::vector<int64_t>* shape) const;
};

// A new file, or an old one for reading.
class File : public Group {
 public:
  // Throws Error{kIo} also when something stands at `path`.
  static File make(const std::string& path);
  // Throws Error{kFormat} for what is no readable HDF5 file.
  static File load(const std::string& path);
  File(File&&) noexcept = default;
  File& operator=(File&&) noexcept = default;
  ~File() { handle_ = Handle(); }  // before the file, which cannot be closed while its root is open
  // Writes everything out. Throws Error{kIo} when that fails, or closing any object did since make(): the file is not whole.
  void close();

 private:
  File(Handle root, std::string where, Handle file) : Group(std::move(root), std::move(where)), file_(std::move(file)) {}
  Handle file_;
  int64_t failed_closes_ = 0;  // before it was made
};

}  // namespace sala::eval::h5
