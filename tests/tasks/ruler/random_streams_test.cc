// tasks/text/py_random against what CPython and NumPy drew (tests/tools/make_random_vectors.py), and against facts of spec
// tasks.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>
#include <numeric>

#include "tasks/ruler/cwe.h"
#include "tasks/text/py_random.h"

namespace sala::tasks {
namespace {

nlohmann::json vectors() {
  std::ifstream file(SALA_SOURCE_DIR "/tests/data/ruler/random_streams.json");
  return nlohmann::json::parse(file);
}

std::string decimal(unsigned __int128 value) {
  std::string digits;
  do digits.insert(digits.begin(), static_cast<char>('0' + static_cast<int>(value % 10)));
  while ((value /= 10) != 0);
  return digits;
}

std::string uuid_text(std::pair<uint64_t, uint64_t> bits) {
  const uint64_t high = (bits.first & ~uint64_t{0xf000}) | 0x4000,
                 low = (bits.second & ~(uint64_t{3} << 62)) | (uint64_t{1} << 63);
  return fmt::format("{:08x}-{:04x}-{:04x}-{:04x}-{:012x}", high >> 32, high >> 16 & 0xffff, high & 0xffff, low >> 48,
                     low & 0xffffffffffff);
}

TEST(PyRandom, DrawsWhatCPythonDrew) {
  const nlohmann::json all = vectors();
  int streams = 0;
  for (const auto& row : all["python"]) {
    SCOPED_TRACE(row["seed"].dump());
    PyRandom draw(row["seed"].get<uint64_t>());
    for (const auto& value : row["random"]) EXPECT_EQ(draw.random(), std::strtod(value.get<std::string>().c_str(), nullptr));
    for (const auto& [bits, value] : row["getrandbits"].get<std::vector<std::pair<int, std::string>>>()) {
      unsigned __int128 drawn = 0;
      if (bits == 128) {
        const auto [high, low] = draw.getrandbits128();
        drawn = static_cast<unsigned __int128>(high) << 64 | low;
      } else {
        drawn = draw.getrandbits(bits);
      }
      EXPECT_EQ(decimal(drawn), value) << bits << " bits";
    }
    for (const auto& range : row["randint"].get<std::vector<std::vector<int64_t>>>())
      EXPECT_EQ(draw.randint(range[0], range[1]), range[2]);
    for (const auto& value : row["choice"]) EXPECT_EQ(draw.below(6171620), value.get<uint64_t>());
    for (const auto& value : row["choices"]) {
      const auto text = value.get<std::string>();
      EXPECT_EQ(draw.choices("ABCDEFGHIJKLMNOPQRSTUVWXYZ", static_cast<int>(text.size())), text);
    }
    std::vector<int> items(25);
    std::iota(items.begin(), items.end(), 0);
    draw.shuffle(items);
    EXPECT_EQ(items, row["shuffle25"].get<std::vector<int>>());
    for (const auto& sample : row["sample"])
      EXPECT_EQ(draw.sample(sample[0].get<int64_t>(), sample[1].get<int64_t>()), sample[2].get<std::vector<int64_t>>())
          << sample[0] << " choose " << sample[1];
    EXPECT_EQ(uuid_text(draw.getrandbits128()), row["uuid"].get<std::string>());
    for (int i = 0; i < 2000; ++i) draw.random();
    EXPECT_EQ(draw.getrandbits(32), row["after2000"].get<uint64_t>());
    ++streams;
  }
  EXPECT_EQ(streams, 7);
}

TEST(NumpyRandom, DrawsWhatNumpyDrew) {
  const nlohmann::json all = vectors();
  int streams = 0;
  for (const auto& row : all["numpy"]) {
    SCOPED_TRACE(row["seed"].dump());
    NumpyRandom draw(row["seed"].get<uint32_t>());
    for (const auto& range : row["randint"])
      for (const auto& value : range[2])
        EXPECT_EQ(draw.randint(range[0].get<int64_t>(), range[1].get<int64_t>()), value.get<int64_t>())
            << range[0] << " to " << range[1];
    for (const auto& name : row["choice5"])
      EXPECT_EQ(std::string(1, static_cast<char>('a' + draw.randint(0, 5))), name.get<std::string>());
    int64_t last = 0;
    for (int i = 0; i < 1000; ++i) last = draw.randint(10000, 99999);
    EXPECT_EQ(last, row["after1000"].get<int64_t>());
    ++streams;
  }
  EXPECT_EQ(streams, 5);
}

// Spec tasks 1.4: four needles are permuted to [2, 1, 3, 0] in every sample.
TEST(PyRandom, PermutesFourNeedlesAsUpstream) {
  std::vector<int> needles = {0, 1, 2, 3};
  PyRandom(42).shuffle(needles);
  EXPECT_EQ(needles, (std::vector<int>{2, 1, 3, 0}));
}

// Spec tasks 1.8: where the gold paragraph of qa_1, first of D documents, always lands.
TEST(PyRandom, PutsTheGoldParagraphWhereUpstreamDoes) {
  for (const auto& [documents, place] : std::vector<std::pair<int, int64_t>>{{20, 18}, {100, 70}, {1000, 782}}) {
    std::vector<int> ids(static_cast<size_t>(documents));
    std::iota(ids.begin(), ids.end(), 0);
    PyRandom(42).shuffle(ids);
    EXPECT_EQ(std::find(ids.begin(), ids.end(), 0) - ids.begin(), place) << documents;
  }
}

// Spec tasks 1.6: at 131072 (whitespace tokens: 65223 entries) the first answer word is entry 5114, 5286, 6381, 6540 and
// 7523.
TEST(PyRandom, PutsTheCommonWordsWhereUpstreamDoes) {
  std::vector<int> entries;
  for (int i = 0; i < 30; ++i)
    for (int word = 0; word < kCweCommon; ++word) entries.push_back(word);
  entries.resize(65223, -1);
  PyRandom(42).shuffle(entries);
  for (const size_t entry : {5114, 5286, 6381, 6540, 7523}) EXPECT_EQ(entries[entry - 1], 0) << entry;
}

}  // namespace
}  // namespace sala::tasks
