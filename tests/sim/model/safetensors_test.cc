// safetensors: round trips and hostile files.
#include "sala/model/safetensors.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

#include "tests/sim/model/small_model.h"

namespace sala {
namespace {

namespace fs = std::filesystem;

std::string file_bytes(const std::string& header, const std::string& data, int64_t claimed = -1) {
  const uint64_t length = claimed < 0 ? header.size() : static_cast<uint64_t>(claimed);
  std::string bytes(8, '\0');
  std::memcpy(bytes.data(), &length, 8);
  return bytes + header + data;
}

void copy_through_writer(const std::string& from, const std::string& to) {
  const SafetensorsFile file = SafetensorsFile::open(from);
  SafetensorsWriter writer;
  for (const auto& [key, value] : file.metadata()) writer.add_metadata(key, value);
  for (const TensorInfo& info : file.tensors()) writer.add_raw(info.name, info.dtype, info.shape, file.raw(info.name));
  writer.write(to);
}

TEST(Safetensors, FilesOfThePythonLibraryKeepTheirBytes) {
  const TemporaryFolder folder;
  int64_t seen = 0;
  for (const auto& entry : fs::recursive_directory_iterator(fs::path(SALA_SOURCE_DIR) / "tests/data/fixtures")) {
    if (entry.path().extension() != ".safetensors") continue;
    ++seen;
    copy_through_writer(entry.path().string(), folder.file("copy.safetensors"));
    EXPECT_TRUE(read_bytes(entry.path().string()) == read_bytes(folder.file("copy.safetensors"))) << entry.path();
  }
  EXPECT_GT(seen, 10);
}

TEST(Safetensors, EveryKindOfTensorComesBack) {
  const TemporaryFolder folder;
  SafetensorsWriter writer;
  writer.add_metadata("format", "pt");
  const std::vector<float> values = {0, -0.0f, 1, -1.5f, 3.14159f, 65504, 1e-7f};
  writer.add_floats("f32", {7}, values);
  writer.add_floats("bf16", {7, 1}, values, DType::kBf16);
  writer.add_floats("f16", {1, 7}, values, DType::kF16);
  writer.add_ints("i32", {2}, std::vector<int32_t>{-5, 2147483647});
  writer.add_ints("i64", {1}, std::vector<int64_t>{int64_t{1} << 40});
  writer.add_floats("scalar", {}, std::vector<float>{7});
  writer.add_floats("empty", {3, 0}, std::vector<float>{});
  writer.add_raw("u8", DType::kU8, {3}, std::as_bytes(std::span("abc", 3)));
  writer.write(folder.file("all.safetensors"));
  const SafetensorsFile file = SafetensorsFile::open(folder.file("all.safetensors"));
  EXPECT_EQ(file.floats("f32"), values);
  for (std::size_t i = 0; i < values.size(); ++i) {
    EXPECT_EQ(file.floats("bf16")[i], bf16_to_float(float_to_bf16(values[i])));
    EXPECT_NEAR(file.floats("f16")[i], values[i], std::fabs(values[i]) / 1024 + 6e-8);
  }
  EXPECT_EQ(file.ints("i32"), (std::vector<int64_t>{-5, 2147483647}));
  EXPECT_EQ(file.ints("i64"), std::vector<int64_t>{int64_t{1} << 40});
  EXPECT_EQ(file.ints("u8"), (std::vector<int64_t>{'a', 'b', 'c'}));
  EXPECT_EQ(file.floats("scalar"), std::vector<float>{7});
  EXPECT_TRUE(file.floats("empty").empty());
  EXPECT_EQ(file.find("absent"), nullptr);
  expect_error(ErrorCode::kFormat, {"absent"}, [&] { file.floats("absent"); });
  expect_error(ErrorCode::kFormat, {"i32", "dtype I32"}, [&] { file.floats("i32"); });
  expect_error(ErrorCode::kFormat, {"f32", "dtype F32"}, [&] { file.ints("f32"); });
  copy_through_writer(folder.file("all.safetensors"), folder.file("again.safetensors"));
  EXPECT_TRUE(read_bytes(folder.file("all.safetensors")) == read_bytes(folder.file("again.safetensors")));
}

TEST(HalfFloats, EveryPatternComesBack) {
  for (uint32_t bits = 0; bits < 65536; ++bits) {
    const auto half = static_cast<uint16_t>(bits);
    if (!std::isnan(f16_to_float(half))) {
      ASSERT_EQ(float_to_f16(f16_to_float(half)), half);
    }
    if (!std::isnan(bf16_to_float(half))) {
      ASSERT_EQ(float_to_bf16(bf16_to_float(half)), half);
    }
  }
  EXPECT_TRUE(std::isnan(f16_to_float(float_to_f16(std::nanf("")))));
  EXPECT_TRUE(std::isnan(bf16_to_float(float_to_bf16(std::bit_cast<float>(0x7f800001u)))));
}

TEST(HalfFloats, RoundToNearestEven) {
  EXPECT_EQ(float_to_bf16(1.0f + 0x1p-8f), float_to_bf16(1.0f));                // a tie goes to the even neighbour
  EXPECT_EQ(bf16_to_float(float_to_bf16(1.0f + 3 * 0x1p-8f)), 1.0f + 0x1p-6f);  // up this time
  EXPECT_EQ(f16_to_float(float_to_f16(1.0f + 0x1p-11f)), 1.0f);
  EXPECT_EQ(f16_to_float(float_to_f16(1.0f + 3 * 0x1p-11f)), 1.0f + 0x1p-9f);
  EXPECT_EQ(f16_to_float(float_to_f16(0x1p-25f)), 0.0f);
  EXPECT_EQ(f16_to_float(float_to_f16(3 * 0x1p-25f)), 0x1p-23f);
  EXPECT_TRUE(std::isinf(f16_to_float(float_to_f16(65520.0f))));
  EXPECT_EQ(f16_to_float(float_to_f16(65519.0f)), 65504.0f);
}

struct Hostile {
  std::string what, bytes, part;
};

TEST(Safetensors, HostileFilesAreOneSentence) {
  const std::string four(4, 'x'), eight(8, 'x');
  const auto one = [&](const std::string& entry, const std::string& data) {
    return file_bytes("{\"a\":" + entry + "}", data);
  };
  const std::vector<Hostile> files = {
      {"empty", "", "0 bytes"},
      {"short", "abc", "3 bytes"},
      {"huge header", file_bytes("{}", "", int64_t{1} << 62), "claims a header"},
      {"header beyond the file", file_bytes("{}", "", 3), "claims a header of 3"},
      {"negative length", std::string(8, '\xff') + "{}", "claims a header"},
      {"no JSON", file_bytes("hello", ""), "JSON"},
      {"cut JSON", file_bytes("{\"a\":", ""), "JSON"},
      {"not UTF-8", file_bytes("{\"\xff\xfe\":1}", ""), "JSON"},
      {"list", file_bytes("[]", ""), "no JSON object"},
      {"deep", file_bytes(std::string(200000, '['), ""), "deeper"},
      {"deep inside", one(std::string(100000, '['), ""), "deeper"},
      {"entry is a number", one("3", ""), "must have just"},
      {"surplus key", one(R"({"dtype":"F32","shape":[1],"data_offsets":[0,4],"x":1})", four), "must have just"},
      {"missing key", one(R"({"dtype":"F32","shape":[1]})", four), "must have just"},
      {"unknown dtype", one(R"({"dtype":"F8","shape":[1],"data_offsets":[0,4]})", four), "dtype \"F8\""},
      {"dtype is a number", one(R"({"dtype":3,"shape":[1],"data_offsets":[0,4]})", four), "dtype 3"},
      {"negative extent", one(R"({"dtype":"F32","shape":[-1],"data_offsets":[0,4]})", four), "no count"},
      {"fractional extent", one(R"({"dtype":"F32","shape":[1.5],"data_offsets":[0,4]})", four), "no count"},
      {"huge extent", one(R"({"dtype":"F32","shape":[18446744073709551615],"data_offsets":[0,4]})", four), "no count"},
      {"overflowing shape", one(R"({"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,4]})", four), "2^63"},
      {"wrapping shape", one(R"({"dtype":"F32","shape":[9223372036854775807,2],"data_offsets":[0,4]})", four), "2^63"},
      {"nine axes", one(R"({"dtype":"F32","shape":[1,1,1,1,1,1,1,1,1],"data_offsets":[0,4]})", four), "8 axes"},
      {"size lies", one(R"({"dtype":"F32","shape":[2],"data_offsets":[0,4]})", four), "need 8"},
      {"beyond the end", one(R"({"dtype":"F32","shape":[2],"data_offsets":[0,8]})", four), "ends at byte 8"},
      {"reversed offsets", one(R"({"dtype":"F32","shape":[1],"data_offsets":[4,0]})", four), "data_offsets"},
      {"one offset", one(R"({"dtype":"F32","shape":[1],"data_offsets":[0]})", four), "data_offsets"},
      {"huge offset", one(R"({"dtype":"F32","shape":[1],"data_offsets":[0,18446744073709551615]})", four), "data_offsets"},
      {"gap at the start", one(R"({"dtype":"F32","shape":[1],"data_offsets":[4,8]})", eight), "belong to no tensor"},
      {"surplus data", one(R"({"dtype":"F32","shape":[1],"data_offsets":[0,4]})", eight), "the tensors end at byte 4"},
      {"data without tensors", file_bytes("{}", four), "the tensors end at byte 0"},
      {"overlap",
       file_bytes(
           R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"F32","shape":[1],"data_offsets":[2,6]}})",
           "xxxxxx"),
       "overlaps"},
      {"same bytes twice",
       file_bytes(
           R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})",
           four),
       "overlaps"},
      {"name twice",
       file_bytes(
           R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}})",
           eight),
       "twice"},
      {"metadata is a list", file_bytes(R"({"__metadata__":[]})", ""), "__metadata__"},
      {"metadata holds a number", file_bytes(R"({"__metadata__":{"a":1}})", ""), "__metadata__"},
  };
  const TemporaryFolder folder;
  const std::string path = folder.file("hostile.safetensors");
  for (const Hostile& hostile : files) {
    SCOPED_TRACE(hostile.what);
    write_bytes(path, hostile.bytes);
    expect_error(ErrorCode::kFormat, {hostile.part, path}, [&] { SafetensorsFile::open(path); });
  }
  expect_error(ErrorCode::kIo, {folder.path()}, [&] { SafetensorsFile::open(folder.path()); });
  expect_error(ErrorCode::kIo, {"absent"}, [&] { SafetensorsFile::open(folder.file("absent")); });
}

TEST(Safetensors, EveryTruncationAndFlippedHeaderByteIsHandled) {
  const TemporaryFolder folder;
  const std::string good =
      read_bytes((fs::path(SALA_SOURCE_DIR) / "tests/data/fixtures/tied/expected.safetensors").string());
  const std::string path = folder.file("broken.safetensors");
  uint64_t header = 0;
  std::memcpy(&header, good.data(), 8);
  for (std::size_t length = 0; length < good.size(); length += length < header + 16 ? 7 : 4099) {
    write_bytes(path, good.substr(0, length));
    EXPECT_THROW(SafetensorsFile::open(path), Error) << length;
  }
  for (std::size_t at = 0; at < header + 8; ++at) {
    std::string bytes = good;
    bytes[at] = static_cast<char>(bytes[at] ^ (1 << (at % 7)));
    write_bytes(path, bytes);
    try {  // a changed name is still a file; anything else must be an Error
      SafetensorsFile::open(path);
    } catch (const Error& problem) {
      EXPECT_EQ(problem.code(), ErrorCode::kFormat) << problem.what();
    }
  }
}

TEST(Safetensors, WriterRefusesWhatItCannotKeep) {
  SafetensorsWriter writer;
  const std::vector<float> two = {1, 2};
  writer.add_floats("a", {2}, two);
  expect_error(ErrorCode::kFormat, {"'a'", "twice"}, [&] { writer.add_floats("a", {2}, two); });
  expect_error(ErrorCode::kShape, {"'b'", "12 bytes, 8 are given"}, [&] { writer.add_floats("b", {3}, two); });
  expect_error(ErrorCode::kFormat, {"'b'", "I32"}, [&] { writer.add_floats("b", {2}, two, DType::kI32); });
  expect_error(ErrorCode::kIo, {"/nowhere/"}, [&] { writer.write("/nowhere/x.safetensors"); });
}

class Shards : public testing::Test {
 protected:
  void SetUp() override {
    for (const char* name : {"a", "b"}) {
      SafetensorsWriter writer;
      writer.add_floats(name, {1}, std::vector<float>{1});
      writer.write(folder_.file(std::string(name) + ".safetensors"));
    }
  }
  void index(const std::string& map) {
    write_bytes(folder_.file("model.safetensors.index.json"), "{\"weight_map\":" + map + "}");
  }
  void refused(ErrorCode code, const std::string& part) {
    expect_error(code, {part}, [&] { SafetensorsCheckpoint::open(folder_.path()); });
  }
  TemporaryFolder folder_;
};

TEST_F(Shards, AreReadThroughTheIndex) {
  index(R"({"a":"a.safetensors","b":"b.safetensors"})");
  const SafetensorsCheckpoint checkpoint = SafetensorsCheckpoint::open(folder_.path());
  EXPECT_EQ(checkpoint.names(), (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(checkpoint.find("b")->floats("b"), std::vector<float>{1});
  EXPECT_EQ(checkpoint.find("c"), nullptr);
}

TEST_F(Shards, WithoutIndexOneFileMustStandOut) {
  refused(ErrorCode::kIo, "2 other");
  fs::remove(folder_.file("b.safetensors"));
  EXPECT_EQ(SafetensorsCheckpoint::open(folder_.path()).names(), std::vector<std::string>{"a"});
}

TEST_F(Shards, LyingIndexesAreRefused) {
  index(R"({"a":"b.safetensors","b":"b.safetensors"})");
  refused(ErrorCode::kFormat, "which has no such tensor");
  index(R"({"a":"a.safetensors","b":"c.safetensors"})");
  refused(ErrorCode::kIo, "c.safetensors");
  for (const std::string& path : {std::string("../a.safetensors"), std::string("/etc/passwd"), std::string(),
                                  std::string("."), std::string("sub/a.safetensors"), std::string(256, 'a')}) {
    index(fmt::format(R"({{"a":"{}"}})", path));
    refused(ErrorCode::kFormat, "no plain file name");
  }
  index(R"({"a":3})");
  refused(ErrorCode::kFormat, "no plain file name");
  index("[]");
  refused(ErrorCode::kFormat, "weight_map");
  index("{}");
  refused(ErrorCode::kFormat, "empty");
  SafetensorsWriter writer;
  writer.add_floats("a", {1}, std::vector<float>{1});
  writer.add_floats("b", {1}, std::vector<float>{2});
  writer.write(folder_.file("a.safetensors"));
  index(R"({"a":"a.safetensors","b":"b.safetensors"})");
  refused(ErrorCode::kFormat, "tensor 'b', which the index places in another file");
}

TEST_F(Shards, ATensorThatTheIndexLeavesOutIsReadAndNoted) {
  SafetensorsWriter writer;
  writer.add_floats("a", {1}, std::vector<float>{1});
  writer.add_floats("c", {1}, std::vector<float>{3});
  writer.write(folder_.file("a.safetensors"));
  index(R"({"a":"a.safetensors","b":"b.safetensors"})");
  const SafetensorsCheckpoint checkpoint = SafetensorsCheckpoint::open(folder_.path());
  EXPECT_EQ(checkpoint.names(), (std::vector<std::string>{"a", "b", "c"}));
  EXPECT_EQ(checkpoint.find("c")->floats("c"), std::vector<float>{3});
  ASSERT_EQ(checkpoint.notes().size(), 1u);
  EXPECT_NE(checkpoint.notes()[0].find("leaves out 1 of its files' tensors, c;"), std::string::npos)
      << checkpoint.notes()[0];
}

TEST(SafetensorsFile, ThatHasBecomeShorterIsAnError) {
  const TemporaryFolder folder;
  const std::string path = folder.file("x.safetensors");
  SafetensorsWriter writer;
  writer.add_floats("a", {100000}, std::vector<float>(100000, 1));
  writer.write(path);
  const SafetensorsFile file = SafetensorsFile::open(path);
  fs::resize_file(path, 1000);
  expect_error(ErrorCode::kIo, {"x.safetensors", "shorter"}, [&] { file.floats("a"); });
  expect_error(ErrorCode::kIo, {"x.safetensors", "shorter"}, [&] { file.raw("a"); });
}

}  // namespace
}  // namespace sala
