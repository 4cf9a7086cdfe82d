// Arrays of a sample: their bytes, and a cell's worth of them in HDF5.
#include "eval/observe/array.h"

#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>

#include "eval/store/array_writer.h"
#include "sala/core/rng.h"
#include "tests/sim/model/small_model.h"

namespace sala::eval {
namespace {

// `probes` queries of two heads: ids counting from `first`, one score each.
SampleArrays example(int64_t probes, int32_t first = 0) {
  SampleArrays sample;
  std::vector<int32_t> ids;
  std::vector<double> scores;
  for (int32_t i = 0; i < 2 * probes; ++i) {
    ids.push_back(first + i);
    scores.push_back(first + 0.5 * i);
  }
  const Axis probe{"toy/probe", probes}, head{"toy/layer_03/head", 2};
  sample.arrays.push_back(named_array("toy/layer_03/ids", {probe, head}, ids, {.units = "block id", .padding = -1}));
  sample.arrays.push_back(named_array("toy/layer_03/score", {probe, head}, scores, {.meaning = "of a head"}));
  sample.arrays.push_back(named_array("toy/layer", {{"toy/layer", 2}}, std::vector<int64_t>{-1, 7}));
  sample.arrays.push_back(named_array("toy/of_layer", {{"toy/layer", 2}}, std::vector<float>{1.5f, 2.5f}));
  sample.arrays.push_back(named_array("toy/flag", {}, std::vector<uint8_t>{1}));
  sample.attributes = {{"toy/layer_03", "layer", int64_t{3}}, {"toy", "share", 0.25}, {"toy", "note", std::string("a b")}};
  return sample;
}

TEST(ArrayBytes, RoundTrip) {
  for (const SampleArrays& sample : {example(3), example(0), SampleArrays()}) {
    const std::string bytes = array_bytes(sample);
    const SampleArrays back = parse_arrays(bytes);
    EXPECT_EQ(array_bytes(back), bytes);
    EXPECT_EQ(back.arrays.size(), sample.arrays.size());
  }
  const SampleArrays back = parse_arrays(array_bytes(example(2, 5)));
  EXPECT_EQ(back.find("toy/layer_03/ids")->values<int32_t>(), (std::vector<int32_t>{5, 6, 7, 8}));
  EXPECT_EQ(back.find("toy/layer_03/ids")->padding, -1);
  EXPECT_EQ(back.find("toy/absent"), nullptr);
  EXPECT_EQ(std::get<double>(back.attributes[1].value), 0.25);
  expect_error(ErrorCode::kInternal, {"toy/flag"}, [&] { back.find("toy/flag")->values<double>(); });
}

TEST(ArrayBytes, EveryCutAndEveryLieIsRefused) {
  const std::string bytes = array_bytes(example(3));
  for (std::size_t size = 0; size < bytes.size(); ++size) EXPECT_THROW(parse_arrays(bytes.substr(0, size)), Error) << size;
  expect_error(ErrorCode::kFormat, {"damaged"}, [&] { parse_arrays(bytes + "x"); });
  Rng rng(1, "tests/arrays");
  for (int trial = 0; trial < 4000; ++trial) {  // a flipped byte may be harmless, never a crash
    std::string wrong = bytes;
    wrong[rng.below(wrong.size())] = static_cast<char>(rng.below(256));
    try {
      parse_arrays(wrong);
    } catch (const Error& problem) {
      EXPECT_EQ(problem.code(), ErrorCode::kFormat);
    }
  }
}

TEST(CheckArrays, NamesWhatIsWrong) {
  const auto refused = [](const std::function<void(SampleArrays&)>& spoil, const std::vector<std::string>& parts) {
    SampleArrays sample = example(3);
    spoil(sample);
    expect_error(ErrorCode::kInternal, parts, [&] { array_bytes(sample); });
  };
  for (const char* path : {"", "ids", "/ids", "toy/", "toy//ids", "toy/../ids", "toy/a b"})
    refused([&](SampleArrays& sample) { sample.arrays[0].path = path; }, {"expected a path"});
  refused([](SampleArrays& sample) { sample.arrays[0].axes[0].name = "probe"; }, {"toy/layer_03/ids", "'probe'"});
  refused([](SampleArrays& sample) { sample.arrays[0].axes[0].extent = 4; }, {"24 bytes", "32"});
  refused([](SampleArrays& sample) { sample.arrays[0].axes[0].extent = -3; }, {"extent -3"});
  refused([](SampleArrays& sample) { sample.arrays[1].path = sample.arrays[0].path; }, {"twice"});
  refused([](SampleArrays& sample) { sample.arrays[4].path = "toy/layer_03"; }, {"no group"});
  refused([](SampleArrays& sample) { sample.arrays[4].path = "toy/probe"; }, {"'toy/probe'", "other axes"});
  refused([](SampleArrays& sample) { sample.attributes[1].group = "toy/flag"; }, {"'toy/flag' is no group"});
  refused([](SampleArrays& sample) { sample.attributes[2].name = "share"; }, {"'share'", "twice"});
  refused([](SampleArrays& sample) { sample.attributes[2].name = ""; }, {"letters"});
}

class ArrayWriter : public testing::Test {
 protected:
  void write(const std::vector<SampleArrays>& samples) {
    std::filesystem::remove(path_);
    h5::File file = h5::File::make(path_);
    {
      h5::Group cell = file.create("cell");
      const std::vector<int64_t> index(samples.size(), 0);
      h5::Dataset scale =
          cell.write_array<int64_t>("sample_index", {static_cast<int64_t>(samples.size())}, std::span<const int64_t>(index));
      scale.scale("sample");
      write_arrays(cell, scale, static_cast<int64_t>(samples.size()),
                   [&](int64_t i) { return samples[static_cast<std::size_t>(i)]; });
    }
    file.close();
  }
  const TemporaryFolder folder_;
  const std::string path_ = folder_.file("a.h5");
};

TEST_F(ArrayWriter, StacksSamplesAndPadsWhatIsShort) {
  SampleArrays without = example(1);
  without.arrays.erase(without.arrays.begin(), without.arrays.begin() + 2);  // no layer ran
  write({example(1), without, example(2, 10)});
  const h5::File file = h5::File::load(path_);
  const h5::Group toy = file.open("cell/toy");
  std::vector<int64_t> shape;
  EXPECT_EQ(toy.read_array<int32_t>("layer_03/ids", &shape),
            (std::vector<int32_t>{0, 1, -1, -1, -1, -1, -1, -1, 10, 11, 12, 13}));
  EXPECT_EQ(shape, (std::vector<int64_t>{3, 2, 2}));
  const auto scores = toy.read_array<double>("layer_03/score");
  EXPECT_EQ(scores[1], 0.5);
  EXPECT_TRUE(std::isnan(scores[2]) && std::isnan(scores[4]));
  EXPECT_EQ(toy.read_array<int64_t>("layer", &shape), (std::vector<int64_t>{-1, 7}));
  EXPECT_EQ(toy.read_array<float>("of_layer", &shape), (std::vector<float>{1.5f, 2.5f, 1.5f, 2.5f, 1.5f, 2.5f}));
  EXPECT_EQ(shape, (std::vector<int64_t>{3, 2}));
  EXPECT_EQ(toy.read_array<uint8_t>("flag", &shape), (std::vector<uint8_t>{1, 1, 1}));
  EXPECT_EQ(shape, std::vector<int64_t>{3});
  EXPECT_EQ(toy.read_array<int64_t>("probe"), (std::vector<int64_t>{0, 1})) << "an axis counts";
  EXPECT_EQ(toy.read_array<int64_t>("layer_03/head"), (std::vector<int64_t>{0, 1}));
  EXPECT_EQ(toy.open("layer_03").integer("layer"), 3);
  EXPECT_EQ(toy.number("share"), 0.25);
  EXPECT_EQ(toy.text("note"), "a b");
}

TEST_F(ArrayWriter, NobodySaidAnything) {
  write({SampleArrays(), SampleArrays()});
  EXPECT_EQ(h5::File::load(path_).open("cell").children(), std::vector<std::string>{"sample_index"});
}

TEST_F(ArrayWriter, SamplesThatDisagreeAreRefused) {
  const auto refused = [&](const std::function<void(SampleArrays&)>& change, const std::vector<std::string>& parts) {
    SampleArrays other = example(2);
    change(other);
    expect_error(ErrorCode::kFormat, parts, [&] { write({example(2), other}); });
  };
  refused([](SampleArrays& other) { other.arrays[0].units = "tokens"; }, {"disagree", "'toy/layer_03/ids'"});
  refused([](SampleArrays& other) { other.arrays[1].axes[1].name = "toy/channel"; }, {"disagree", "score"});
  refused(
      [](SampleArrays& other) {
        other.arrays[2] = named_array("toy/layer", {{"toy/layer", 2}}, std::vector<int64_t>{-1, 8});
      },
      {"disagree", "'toy/layer'"});
  refused([](SampleArrays& other) { other.arrays[4] = named_array("toy/flag", {}, std::vector<int32_t>{1}); },
          {"disagree", "'toy/flag'"});
  refused([](SampleArrays& other) { other.arrays.pop_back(); }, {"extents of 'toy/flag'"});
  refused([](SampleArrays& other) { other.attributes[0].value = int64_t{4}; }, {"attribute 'layer'"});
  refused([](SampleArrays& other) { other.attributes[0].value = 3.0; }, {"attribute 'layer'"});
}

}  // namespace
}  // namespace sala::eval
