#include "eval/store/h5.h"

#include <dlfcn.h>
#include <gtest/gtest.h>

#include "eval/store/run_file.h"
#include "sala/core/rng.h"
#include "tests/sim/model/small_model.h"

namespace {

std::string failing;  // the function of the library whose next call fails

}  // namespace

#define SALA_MAY_FAIL(type, name, parameters, arguments)                                 \
  extern "C" type name parameters {                                                      \
    static const auto real = reinterpret_cast<decltype(&name)>(dlsym(RTLD_NEXT, #name)); \
    if (failing != #name) return real arguments;                                         \
    failing.clear();                                                                     \
    return -1;                                                                           \
  }
SALA_MAY_FAIL(herr_t, H5Pset_obj_track_times, (hid_t a, hbool_t b), (a, b))
SALA_MAY_FAIL(herr_t, H5Pset_file_locking, (hid_t a, hbool_t b, hbool_t c), (a, b, c))
SALA_MAY_FAIL(herr_t, H5Pset_chunk, (hid_t a, int b, const hsize_t* c), (a, b, c))
SALA_MAY_FAIL(herr_t, H5Pset_shuffle, (hid_t a), (a))
SALA_MAY_FAIL(herr_t, H5Pset_deflate, (hid_t a, unsigned b), (a, b))
SALA_MAY_FAIL(herr_t, H5Tset_size, (hid_t a, size_t b), (a, b))
SALA_MAY_FAIL(herr_t, H5Tset_cset, (hid_t a, H5T_cset_t b), (a, b))
SALA_MAY_FAIL(hid_t, H5Dget_space, (hid_t a), (a))
SALA_MAY_FAIL(hid_t, H5Dget_type, (hid_t a), (a))
SALA_MAY_FAIL(hid_t, H5Aget_type, (hid_t a), (a))
SALA_MAY_FAIL(hid_t, H5Aget_space, (hid_t a), (a))
SALA_MAY_FAIL(int, H5Sget_simple_extent_ndims, (hid_t a), (a))
SALA_MAY_FAIL(int, H5Sget_simple_extent_dims, (hid_t a, hsize_t* b, hsize_t* c), (a, b, c))

namespace sala::eval {
namespace {

void write_example(const std::string& path) {
  h5::File file = h5::File::make(path);
  file.attribute("schema", "sala.run/1").attribute("count", int64_t{7}).attribute("ratio", 0.5);
  {
    h5::Group group = file.create("group");
    const std::vector<int64_t> axis = {3, 5};
    h5::Dataset scale = group.write_array<int64_t>("axis", {2}, std::span<const int64_t>(axis));
    scale.scale("axis");
    h5::Dataset array = group.create_array<int32_t>("array", {2, 3});
    array.attach(0, scale).attribute("units", "blocks");
    const std::vector<int32_t> row = {4, 5, 6};
    array.write_row(1, std::span<const int32_t>(row));
    group.write_texts("texts", {2}, {"grün", ""});
    group.write_array<double>("empty", {0, 4}, {});
    group.create_array<float>("large", {4, 2000});
  }
  file.close();
}

TEST(H5, WhatIsWrittenComesBack) {
  const TemporaryFolder folder;
  const std::string path = folder.file("a.h5");
  write_example(path);
  const h5::File file = h5::File::load(path);
  EXPECT_EQ(file.text("schema"), "sala.run/1");
  EXPECT_EQ(file.integer("count"), 7);
  EXPECT_EQ(file.number("ratio"), 0.5);
  EXPECT_EQ(file.children(), std::vector<std::string>{"group"});
  std::vector<int64_t> shape;
  EXPECT_EQ(file.read_array<int32_t>("group/array", &shape), (std::vector<int32_t>{0, 0, 0, 4, 5, 6}));
  EXPECT_EQ(shape, (std::vector<int64_t>{2, 3}));
  EXPECT_EQ(file.read_texts("group/texts"), (std::vector<std::string>{"grün", ""}));
  EXPECT_TRUE(file.read_array<double>("group/empty", &shape).empty());
  EXPECT_EQ(shape, (std::vector<int64_t>{0, 4}));
  EXPECT_TRUE(file.has("group/array"));
  EXPECT_FALSE(file.has("nothing/array"));
}

TEST(H5, TheSameContentsAreTheSameBytes) {
  const TemporaryFolder folder;
  write_example(folder.file("a.h5"));
  write_example(folder.file("b.h5"));
  EXPECT_EQ(read_bytes(folder.file("a.h5")), read_bytes(folder.file("b.h5")));
}

TEST(H5, WrongExpectationsAreNamed) {
  const TemporaryFolder folder;
  const std::string path = folder.file("a.h5");
  write_example(path);
  const h5::File file = h5::File::load(path);
  expect_error(ErrorCode::kFormat, {"a.h5", "nothing"}, [&] { file.read_array<double>("nothing"); });
  expect_error(ErrorCode::kFormat, {"array", "element type"}, [&] { file.read_array<double>("group/array"); });
  expect_error(ErrorCode::kFormat, {"array", "not text"}, [&] { file.read_texts("group/array"); });
  expect_error(ErrorCode::kFormat, {"count", "not a single text"}, [&] { file.text("count"); });
  expect_error(ErrorCode::kFormat, {"schema", "not a single integer"}, [&] { file.integer("schema"); });
  expect_error(ErrorCode::kFormat, {"absent"}, [&] { file.text("absent"); });
  expect_error(ErrorCode::kFormat, {"group/none"}, [&] { file.open("group/none"); });
  expect_error(ErrorCode::kIo, {"/nowhere/a.h5", "No such file"}, [] { h5::File::make("/nowhere/a.h5"); });
}

// A result of the library that nobody looks at is a file that is not what it should be.
TEST(H5, EveryCallThatFailsIsAnError) {
  const TemporaryFolder folder;
  for (const char* name :
       {"H5Pset_obj_track_times", "H5Pset_file_locking", "H5Pset_chunk", "H5Pset_shuffle", "H5Pset_deflate", "H5Tset_size",
        "H5Tset_cset", "H5Dget_space", "H5Sget_simple_extent_ndims", "H5Sget_simple_extent_dims"}) {
    failing = name;
    try {
      write_example(folder.file(name));
      ADD_FAILURE() << name << (failing.empty() ? " failed without an error" : " was not called");
    } catch (const Error&) {
      EXPECT_EQ(failing, "");
    }
  }
  write_example(folder.file("a.h5"));
  const h5::File file = h5::File::load(folder.file("a.h5"));
  for (const char* name : {"H5Dget_space", "H5Dget_type", "H5Sget_simple_extent_ndims", "H5Sget_simple_extent_dims"}) {
    failing = name;
    expect_error(ErrorCode::kFormat, {"cannot read", "group/array"}, [&] { file.read_array<int32_t>("group/array"); });
  }
  for (const char* name : {"H5Aget_type", "H5Aget_space"}) {
    failing = name;
    expect_error(ErrorCode::kFormat, {"cannot read", "@count"}, [&] { file.integer("count"); });
  }
}

TEST(H5, HostileFilesAreRefused) {
  const TemporaryFolder folder;
  const std::string path = folder.file("a.h5"), wrong = folder.file("wrong.h5");
  write_example(path);
  const std::string bytes = read_bytes(path);
  expect_error(ErrorCode::kFormat, {"not an HDF5 file"}, [&] { open_run_file(folder.file("absent.h5")); });
  for (const std::string& text :
       {std::string(), std::string("hello"), std::string(4096, '\0'), std::string("\x89HDF\r\n\x1a\n")}) {
    write_bytes(wrong, text);
    EXPECT_THROW(open_run_file(wrong), Error) << text.size();
  }
  for (std::size_t size = 0; size < bytes.size(); size += 97) {
    write_bytes(wrong, bytes.substr(0, size));
    EXPECT_THROW(open_run_file(wrong), Error) << size;
  }
  // A flipped byte in the superblock or the root's header is refused or harmless; never a crash.
  Rng rng(1, "tests/h5");
  for (int trial = 0; trial < 200; ++trial) {
    std::string changed = bytes;
    changed[rng.below(600)] = static_cast<char>(rng.below(256));
    write_bytes(wrong, changed);
    try {
      const h5::File file = open_run_file(wrong);
      file.children();
    } catch (const Error&) {
      continue;
    }
  }
}

TEST(H5, AnotherSchemaIsNamed) {
  const TemporaryFolder folder;
  h5::File file = h5::File::make(folder.file("a.h5"));
  file.attribute("schema", "sala.run/9");
  file.close();
  expect_error(ErrorCode::kUnsupported, {"sala.run/9", kRunSchema}, [&] { open_run_file(folder.file("a.h5")); });
  h5::File::make(folder.file("b.h5")).close();
  expect_error(ErrorCode::kUnsupported, {"absent"}, [&] { open_run_file(folder.file("b.h5")); });
}

}  // namespace
}  // namespace sala::eval
