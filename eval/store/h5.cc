#include "eval/store/h5.h"

#include <hdf5_hl.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <mutex>

#include "sala/core/error.h"

namespace sala::eval::h5 {
namespace {

constexpr int kDeflateLevel = 4;
constexpr int64_t kSmallElements = 1024;   // smaller arrays stand as they are: the index of a chunk alone takes 2 KiB
constexpr int64_t kChunkElements = 16384;  // about 64 KiB of int32 before compression

void start_library() {
  static std::once_flag once;
  std::call_once(once, [] {
    H5dont_atexit();  // after a full disk the library would try to flush again while the process exits
    if (H5open() < 0 || H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr) < 0)
      throw Error(ErrorCode::kInternal, "the HDF5 library does not start");
  });
}

// Why HDF5 failed: the innermost entry of its error stack, or of that what the system said.
std::string reason() {
  std::string text;
  const auto visit = [](unsigned, const H5E_error2_t* entry, void* out) -> herr_t {
    if (entry->desc != nullptr) *static_cast<std::string*>(out) = entry->desc;
    return 0;
  };
  H5Ewalk2(H5E_DEFAULT, H5E_WALK_DOWNWARD, visit, &text);
  H5Eclear2(H5E_DEFAULT);
  constexpr std::string_view kSystem = "error message = '";
  if (const std::size_t at = text.find(kSystem); at != std::string::npos) {
    text.erase(0, at + kSystem.size());
    text.resize(std::min(text.size(), text.find('\'')));
  }
  std::replace(text.begin(), text.end(), '\n', ' ');
  return text.empty() ? "unknown reason" : text;
}

// `run.h5:` is the root of a file, `run.h5:/cells` a part of it.
std::string_view place(std::string_view where) { return where.ends_with(':') ? where.substr(0, where.size() - 1) : where; }

// Closes that failed, of any object: as global as the library's own state.
int64_t failed_closes = 0;
std::string last_failed_close;

// Passes a result of the C library through, or throws.
template <class Result>
Result written(Result result, const std::string& where) {
  if (result < 0) throw Error(ErrorCode::kIo, "cannot write {}: {}", place(where), reason());
  return result;
}
template <class Result>
Result found(Result result, const std::string& where) {
  if (result < 0) throw Error(ErrorCode::kFormat, "cannot read {}: {}", place(where), reason());
  return result;
}

Handle owned(hid_t id, Handle::Close close, const std::string& where) { return Handle(written(id, where), close); }

// The extents of a dataset or an attribute.
std::vector<hsize_t> extents_of(const Handle& space, const std::string& where) {
  std::vector<hsize_t> dims(static_cast<std::size_t>(found(H5Sget_simple_extent_ndims(space.id()), where)));
  found(H5Sget_simple_extent_dims(space.id(), dims.data(), nullptr), where);
  return dims;
}

template <class T>
hid_t native_type();
template <>
hid_t native_type<double>() {
  return H5T_NATIVE_DOUBLE;
}
template <>
hid_t native_type<float>() {
  return H5T_NATIVE_FLOAT;
}
template <>
hid_t native_type<int64_t>() {
  return H5T_NATIVE_INT64;
}
template <>
hid_t native_type<int32_t>() {
  return H5T_NATIVE_INT32;
}
template <>
hid_t native_type<uint8_t>() {
  return H5T_NATIVE_UINT8;
}

Handle text_type(const std::string& where) {
  Handle type = owned(H5Tcopy(H5T_C_S1), H5Tclose, where);
  written(H5Tset_size(type.id(), H5T_VARIABLE), where);
  written(H5Tset_cset(type.id(), H5T_CSET_UTF8), where);
  return type;
}

// Properties of what is created. No times: the same results are the same bytes.
Handle creation_properties(hid_t kind, const std::string& where) {
  Handle properties = owned(H5Pcreate(kind), H5Pclose, where);
  written(H5Pset_obj_track_times(properties.id(), false), where);
  return properties;
}

std::vector<hsize_t> extents(const std::vector<int64_t>& shape) { return {shape.begin(), shape.end()}; }

Handle make_space(const std::vector<int64_t>& shape, const std::string& where) {
  const std::vector<hsize_t> dims = extents(shape);
  return owned(shape.empty() ? H5Screate(H5S_SCALAR) : H5Screate_simple(static_cast<int>(dims.size()), dims.data(), nullptr),
               H5Sclose, where);
}

int64_t count_of(const std::vector<int64_t>& shape) {
  int64_t count = 1;
  for (const int64_t extent : shape) count *= extent;
  return count;
}

// One sample a chunk where rows are long, several where they are short: a reader of one sample unpacks little more than it.
std::vector<int64_t> chunk_shape(const std::vector<int64_t>& shape) {
  std::vector<int64_t> chunk = shape;
  const int64_t row = shape[0] > 0 ? count_of(shape) / shape[0] : 0;
  chunk[0] = std::clamp<int64_t>(row > 0 ? kChunkElements / row : shape[0], 1, shape[0]);
  return chunk;
}

template <class T>
Object& set_attribute(Object& object, const std::string& name, hid_t type, const T* value) {
  const std::string where = object.where() + "@" + name;
  const Handle space = make_space({}, where);
  const Handle attribute(written(H5Acreate2(object.id(), name.c_str(), type, space.id(), H5P_DEFAULT, H5P_DEFAULT), where),
                         H5Aclose);
  written(H5Awrite(attribute.id(), type, value), where);
  return object;
}

template <class T>
T get_attribute(const Object& object, const std::string& name, H5T_class_t wanted) {
  const std::string where = object.where() + "@" + name;
  const Handle attribute(found(H5Aopen(object.id(), name.c_str(), H5P_DEFAULT), where), H5Aclose);
  const Handle type(found(H5Aget_type(attribute.id()), where), H5Tclose);
  const Handle space(found(H5Aget_space(attribute.id()), where), H5Sclose);
  if (H5Tget_class(type.id()) != wanted || H5Sget_simple_extent_npoints(space.id()) != 1)
    throw Error(ErrorCode::kFormat, "{} is not a single {}", where, wanted == H5T_INTEGER ? "integer" : "number");
  T value{};
  found(H5Aread(attribute.id(), native_type<T>(), &value), where);
  return value;
}

// No locks of HDF5's: a file is made beside its place and renamed, and not every file system has locks.
Handle file_access(const std::string& path) {
  Handle access = owned(H5Pcreate(H5P_FILE_ACCESS), H5Pclose, path);
  written(H5Pset_file_locking(access.id(), false, true), path);
  return access;
}

}  // namespace

Handle::~Handle() {
  if (id_ < 0 || close_(id_) >= 0) return;
  ++failed_closes;
  last_failed_close = reason();
}

Object& Object::attribute(const std::string& name, const std::string& text) {
  const char* value = text.c_str();
  return set_attribute(*this, name, text_type(where_).id(), &value);
}
Object& Object::attribute(const std::string& name, int64_t value) {
  return set_attribute(*this, name, H5T_NATIVE_INT64, &value);
}
Object& Object::attribute(const std::string& name, double value) {
  return set_attribute(*this, name, H5T_NATIVE_DOUBLE, &value);
}

bool Object::has_attribute(const std::string& name) const { return found(H5Aexists(id(), name.c_str()), where_) > 0; }

std::string Object::text(const std::string& name) const {
  const std::string where = where_ + "@" + name;
  const Handle attribute(found(H5Aopen(id(), name.c_str(), H5P_DEFAULT), where), H5Aclose);
  const Handle type(found(H5Aget_type(attribute.id()), where), H5Tclose);
  const Handle space(found(H5Aget_space(attribute.id()), where), H5Sclose);
  if (H5Tget_class(type.id()) != H5T_STRING || H5Tis_variable_str(type.id()) <= 0 ||
      H5Sget_simple_extent_npoints(space.id()) != 1)
    throw Error(ErrorCode::kFormat, "{} is not a single text", where);
  char* raw = nullptr;
  found(H5Aread(attribute.id(), text_type(where).id(), &raw), where);
  const std::string value = raw == nullptr ? "" : raw;
  if (raw != nullptr) H5free_memory(raw);
  return value;
}
int64_t Object::integer(const std::string& name) const { return get_attribute<int64_t>(*this, name, H5T_INTEGER); }
double Object::number(const std::string& name) const { return get_attribute<double>(*this, name, H5T_FLOAT); }

Dataset& Dataset::scale(const std::string& name) {
  written(H5DSset_scale(id(), name.c_str()), where_);
  return *this;
}

Dataset& Dataset::attach(int axis, const Dataset& with) {
  char name[64] = "";
  written(H5DSget_scale_name(with.id(), name, sizeof name), with.where());
  written(H5DSattach_scale(id(), with.id(), static_cast<unsigned>(axis)), where_);
  written(H5DSset_label(id(), static_cast<unsigned>(axis), name), where_);
  return *this;
}

template <class T>
void Dataset::write(std::span<const T> values) {
  if (values.empty()) return;
  written(H5Dwrite(id(), native_type<T>(), H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data()), where_);
}

template <class T>
void Dataset::write_row(int64_t row, std::span<const T> values) {
  if (values.empty()) return;
  const Handle space = owned(H5Dget_space(id()), H5Sclose, where_);
  std::vector<hsize_t> size = extents_of(space, where_);
  std::vector<hsize_t> start(size.size(), 0);
  start[0] = static_cast<hsize_t>(row);
  size[0] = 1;
  written(H5Sselect_hyperslab(space.id(), H5S_SELECT_SET, start.data(), nullptr, size.data(), nullptr), where_);
  const Handle memory = owned(H5Screate_simple(static_cast<int>(size.size()), size.data(), nullptr), H5Sclose, where_);
  if (H5Sget_simple_extent_npoints(memory.id()) != static_cast<hssize_t>(values.size()))
    throw Error(ErrorCode::kInternal, "{}: a row has {} elements, {} were given", where_,
                H5Sget_simple_extent_npoints(memory.id()), values.size());
  written(H5Dwrite(id(), native_type<T>(), memory.id(), space.id(), H5P_DEFAULT, values.data()), where_);
}

Group Group::create(const std::string& name) {
  const std::string where = where_ + "/" + name;
  const Handle properties = creation_properties(H5P_GROUP_CREATE, where);
  return Group(Handle(written(H5Gcreate2(id(), name.c_str(), H5P_DEFAULT, properties.id(), H5P_DEFAULT), where), H5Gclose),
               where);
}

void Group::link(const std::string& name, const std::string& file, const std::string& path) {
  written(H5Lcreate_external(file.c_str(), path.c_str(), id(), name.c_str(), H5P_DEFAULT, H5P_DEFAULT), where_ + "/" + name);
}

Dataset Group::make_dataset(const std::string& name, const std::vector<int64_t>& shape, hid_t type, bool compress) {
  const std::string where = where_ + "/" + name;
  const Handle space = make_space(shape, where);
  const Handle properties = creation_properties(H5P_DATASET_CREATE, where);
  if (compress && !shape.empty() && count_of(shape) >= kSmallElements) {
    const std::vector<hsize_t> chunk = extents(chunk_shape(shape));
    written(H5Pset_chunk(properties.id(), static_cast<int>(chunk.size()), chunk.data()), where);
    written(H5Pset_shuffle(properties.id()), where);
    written(H5Pset_deflate(properties.id(), kDeflateLevel), where);
  }
  return Dataset(
      Handle(written(H5Dcreate2(id(), name.c_str(), type, space.id(), H5P_DEFAULT, properties.id(), H5P_DEFAULT), where),
             H5Dclose),
      where);
}

template <class T>
Dataset Group::create_array(const std::string& name, const std::vector<int64_t>& shape) {
  return make_dataset(name, shape, native_type<T>(), true);
}

template <class T>
Dataset Group::write_array(const std::string& name, const std::vector<int64_t>& shape, std::span<const T> values) {
  if (count_of(shape) != static_cast<int64_t>(values.size()))
    throw Error(ErrorCode::kInternal, "{}/{}: {} values for {} places", where_, name, values.size(), count_of(shape));
  Dataset dataset = create_array<T>(name, shape);
  dataset.write(values);
  return dataset;
}

Dataset Group::write_texts(const std::string& name, const std::vector<int64_t>& shape,
                           const std::vector<std::string>& values) {
  if (count_of(shape) != static_cast<int64_t>(values.size()))
    throw Error(ErrorCode::kInternal, "{}/{}: {} texts for {} places", where_, name, values.size(), count_of(shape));
  const Handle type = text_type(where_);
  Dataset dataset = make_dataset(name, shape, type.id(), false);
  std::vector<const char*> pointers;
  for (const std::string& value : values) pointers.push_back(value.c_str());
  if (!pointers.empty())
    written(H5Dwrite(dataset.id(), type.id(), H5S_ALL, H5S_ALL, H5P_DEFAULT, pointers.data()), dataset.where());
  return dataset;
}

bool Group::has(const std::string& path) const {
  // H5Lexists wants every step of the path to exist.
  for (std::size_t end = path.find('/'); end != std::string::npos; end = path.find('/', end + 1))
    if (end > 0 && H5Lexists(id(), path.substr(0, end).c_str(), H5P_DEFAULT) <= 0) return false;
  return H5Lexists(id(), path.c_str(), H5P_DEFAULT) > 0;
}

Group Group::open(const std::string& path) const {
  const std::string where = where_ + "/" + path;
  return Group(Handle(found(H5Gopen2(id(), path.c_str(), H5P_DEFAULT), where), H5Gclose), where);
}

std::vector<std::string> Group::children() const {
  std::vector<std::string> names;
  const auto visit = [](hid_t, const char* name, const H5L_info_t*, void* out) -> herr_t {
    static_cast<std::vector<std::string>*>(out)->push_back(name);
    return 0;
  };
  found(H5Literate(id(), H5_INDEX_NAME, H5_ITER_INC, nullptr, visit, &names), where_);
  return names;
}

Handle Group::open_dataset(const std::string& path, std::vector<int64_t>* shape) const {
  Handle dataset(found(H5Dopen2(id(), path.c_str(), H5P_DEFAULT), where_ + "/" + path), H5Dclose);
  const Handle space(found(H5Dget_space(dataset.id()), where_ + "/" + path), H5Sclose);
  const std::vector<hsize_t> dims = extents_of(space, where_ + "/" + path);
  shape->assign(dims.begin(), dims.end());
  return dataset;
}

template <class T>
std::vector<T> Group::read_array(const std::string& path, std::vector<int64_t>* shape) const {
  std::vector<int64_t> own;
  if (shape == nullptr) shape = &own;
  const Handle dataset = open_dataset(path, shape);
  const Handle type(found(H5Dget_type(dataset.id()), where_ + "/" + path), H5Tclose);
  if (H5Tequal(type.id(), native_type<T>()) <= 0)
    throw Error(ErrorCode::kFormat, "{}/{} has another element type than expected", where_, path);
  std::vector<T> values(static_cast<std::size_t>(count_of(*shape)));
  if (!values.empty())
    found(H5Dread(dataset.id(), native_type<T>(), H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data()), where_ + "/" + path);
  return values;
}

std::vector<std::string> Group::read_texts(const std::string& path, std::vector<int64_t>* shape) const {
  std::vector<int64_t> own;
  if (shape == nullptr) shape = &own;
  const Handle dataset = open_dataset(path, shape);
  const Handle type(found(H5Dget_type(dataset.id()), where_ + "/" + path), H5Tclose);
  if (H5Tget_class(type.id()) != H5T_STRING || H5Tis_variable_str(type.id()) <= 0)
    throw Error(ErrorCode::kFormat, "{}/{} is not text", where_, path);
  std::vector<char*> raw(static_cast<std::size_t>(count_of(*shape)), nullptr);
  if (!raw.empty())
    found(H5Dread(dataset.id(), text_type(where_).id(), H5S_ALL, H5S_ALL, H5P_DEFAULT, raw.data()), where_ + "/" + path);
  std::vector<std::string> values;
  for (char* text : raw) {
    values.emplace_back(text == nullptr ? "" : text);
    if (text != nullptr) H5free_memory(text);
  }
  return values;
}

File File::make(const std::string& path) {
  start_library();
  const Handle creation = creation_properties(H5P_FILE_CREATE, path);
  const int64_t failed_before = failed_closes;
  errno = 0;
  const Handle access = file_access(path);
  written(H5Pset_fclose_degree(access.id(), H5F_CLOSE_SEMI),
          path);  // close() must not leave the file half written behind an open handle
  const hid_t id = H5Fcreate(path.c_str(), H5F_ACC_EXCL, creation.id(), access.id());
  if (id < 0) throw Error(ErrorCode::kIo, "cannot write {}: {}", path, errno != 0 ? std::strerror(errno) : reason());
  Handle file(id, H5Fclose);
  Handle root(written(H5Gopen2(id, "/", H5P_DEFAULT), path), H5Gclose);
  File made(std::move(root), path + ":", std::move(file));
  made.failed_closes_ = failed_before;
  return made;
}

File File::load(const std::string& path) {
  start_library();
  if (H5Fis_hdf5(path.c_str()) <= 0) throw Error(ErrorCode::kFormat, "{} is not an HDF5 file, or it is cut off", path);
  Handle file(found(H5Fopen(path.c_str(), H5F_ACC_RDONLY, file_access(path).id()), path), H5Fclose);
  Handle root(found(H5Gopen2(file.id(), "/", H5P_DEFAULT), path), H5Gclose);
  return File(std::move(root), path + ":", std::move(file));
}

void File::close() {
  written(H5Fflush(file_.id(), H5F_SCOPE_LOCAL), where_);
  handle_ = Handle();
  written(H5Fclose(file_.release()), where_);
  if (failed_closes != failed_closes_) throw Error(ErrorCode::kIo, "cannot write {}: {}", where_, last_failed_close);
}

template Dataset Group::create_array<float>(const std::string&, const std::vector<int64_t>&);
template Dataset Group::create_array<uint8_t>(const std::string&, const std::vector<int64_t>&);
template Dataset Group::create_array<int32_t>(const std::string&, const std::vector<int64_t>&);
template Dataset Group::create_array<int64_t>(const std::string&, const std::vector<int64_t>&);
template Dataset Group::write_array<float>(const std::string&, const std::vector<int64_t>&, std::span<const float>);
template Dataset Group::write_array<double>(const std::string&, const std::vector<int64_t>&, std::span<const double>);
template Dataset Group::write_array<int64_t>(const std::string&, const std::vector<int64_t>&, std::span<const int64_t>);
template Dataset Group::write_array<int32_t>(const std::string&, const std::vector<int64_t>&, std::span<const int32_t>);
template Dataset Group::write_array<uint8_t>(const std::string&, const std::vector<int64_t>&, std::span<const uint8_t>);
template Dataset Group::create_array<double>(const std::string&, const std::vector<int64_t>&);
template void Dataset::write_row<float>(int64_t, std::span<const float>);
template void Dataset::write_row<double>(int64_t, std::span<const double>);
template void Dataset::write_row<int64_t>(int64_t, std::span<const int64_t>);
template void Dataset::write_row<int32_t>(int64_t, std::span<const int32_t>);
template void Dataset::write_row<uint8_t>(int64_t, std::span<const uint8_t>);
template std::vector<float> Group::read_array<float>(const std::string&, std::vector<int64_t>*) const;
template std::vector<double> Group::read_array<double>(const std::string&, std::vector<int64_t>*) const;
template std::vector<int64_t> Group::read_array<int64_t>(const std::string&, std::vector<int64_t>*) const;
template std::vector<int32_t> Group::read_array<int32_t>(const std::string&, std::vector<int64_t>*) const;
template std::vector<uint8_t> Group::read_array<uint8_t>(const std::string&, std::vector<int64_t>*) const;

}  // namespace sala::eval::h5
