// Our own BPE encoder against libsentencepiece: the same ids, counts, offsets and decoded text, for the family's tokenizer
// and for random vocabularies, on random text.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <memory>
#include <set>

#include "sala/core/parallel.h"
#include "sim/tokenizer/tokenizers.h"
#include "tests/sim/tokenizer/model_bytes.h"

namespace sala {
namespace {

using tokenizer::SpModel;

std::string family_path() { return std::string(SALA_SOURCE_DIR) + "/models/tokenizer.model"; }

struct Both {
  explicit Both(const SpModel& model) : own(make_bpe_tokenizer(model)), library(make_library_tokenizer(model)) {}
  std::unique_ptr<Tokenizer> own, library;
};

const Both& family() {
  static const Both both(SpModel::load(family_path()));
  return both;
}

std::string shown(std::string_view text) {
  std::string out;
  for (unsigned char c : text.substr(0, 300))
    out += c >= 0x20 && c < 0x7f ? std::string(1, static_cast<char>(c)) : fmt::format("\\x{:02x}", c);
  return out;
}

void expect_equal(const Both& both, const std::string& text) {
  std::vector<int64_t> own_offsets, offsets;
  const std::vector<int32_t> ids = both.library->encode_with_offsets(text, offsets);
  ASSERT_EQ(both.own->encode(text), ids) << shown(text);
  ASSERT_EQ(both.own->encode_with_offsets(text, own_offsets), ids) << shown(text);
  ASSERT_EQ(own_offsets, offsets) << shown(text);
  ASSERT_EQ(both.own->count(text), static_cast<int64_t>(ids.size())) << shown(text);
  ASSERT_EQ(both.library->encode(text), ids) << shown(text);
  ASSERT_EQ(both.own->decode(ids), both.library->decode(ids)) << shown(text);
}

TEST(BpeEqualsLibrary, ChosenTexts) {
  const std::string texts[] = {
      "",
      " ",
      "  ",
      "\n",
      "a",
      " a",
      "a ",
      "  a  b  ",
      "\t\ttab",
      "a\nb\r\nc\n\n",
      std::string("nul\0nul", 7),
      "\xE2\x96\x81",
      "\xE2\x96\x81\xE2\x96\x81 x\xE2\x96\x81y \xE2\x96\x81",
      "One of the special magic numbers for old-harbour is: 1234567.",
      "0123456789 1,000.50 1e-9 007",
      "3f2a9c1e-77b0-4d12-9abc-0123456789ab",
      "The grass is green.\nThe sky is blue.",
      "Zürich naïve Ærø Łódź İstanbul ẞ",
      "Ελληνικά ΟΔΟΣ",
      "Русский текст",
      "עברית",
      "العربية",
      "हिन्दी",
      "ไทย",
      "ქართული",
      "አማርኛ",
      "日本語のテキスト",
      "中文没有空格",
      "한국어",
      "👩‍👩‍👧‍👦🏳️‍🌈🇩🇪😀",
      "e\xCC\x81 combining",
      "\xC2\xA0nbsp\xE2\x80\x83",
      "\xFF\xFE",
      "\xC3",
      "abc\xE2\x82",
      "\xED\xA0\x80surrogate",
      "\xC0\x80 overlong \xE0\x80\x80",
      "\xF4\x90\x80\x80",
      "<s> </s> <unk> <0x41>",
      std::string(1, '\0'),
      std::string(3000, ' '),
      std::string(3000, 'a'),
      std::string(700, '7'),
      std::string("x\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\ny"),
  };
  for (const std::string& text : texts) expect_equal(family(), text);
}

TEST(BpeEqualsLibrary, EveryPieceAloneAndBetweenWords) {
  const SpModel model = SpModel::load(family_path());
  std::string before = "a";
  for (const tokenizer::Piece& piece : model.pieces) {
    const std::string text = with_spaces_as(piece.text, ' ');
    expect_equal(family(), text);
    expect_equal(family(), before + text + " " + text + text);
    before = text;
    if (testing::Test::HasFatalFailure()) return;
  }
}

TEST(BpeEqualsLibrary, RandomText) {
  for (uint64_t sample = 0; sample < 3000; ++sample) {
    Rng rng(1, "tokenizer/random_text", sample);
    expect_equal(family(), random_text(rng, static_cast<int>(1 + rng.below(40)), sample % 3 != 0));
    if (testing::Test::HasFatalFailure()) return;
  }
}

// Words far beyond what the cache keeps, made of pieces so that merges run deep.
TEST(BpeEqualsLibrary, VeryLongWords) {
  const SpModel model = SpModel::load(family_path());
  for (uint64_t sample = 0; sample < 20; ++sample) {
    Rng rng(2, "tokenizer/long_words", sample);
    std::string text;
    while (text.size() < 4000) {
      const std::string& piece = model.pieces[rng.below(model.pieces.size())].text;
      if (piece.find(tokenizer::kSpace) == std::string::npos) text += piece;
    }
    expect_equal(family(), text);
    if (testing::Test::HasFatalFailure()) return;
  }
}

TEST(BpeEqualsLibrary, TextLongerThanTheCache) {
  std::string text;
  Rng rng(3, "tokenizer/many_words");
  for (int word = 0; word < 80000; ++word) {  // 80,000 distinct words: the cache starts again at least twice
    text += "w";
    for (int i = 0, n = word; i < 4; ++i, n /= 17) text.push_back(static_cast<char>('a' + n % 17));
    text += rng.below(4) == 0 ? ", " : " ";
  }
  const std::vector<int32_t> ids = family().library->encode(text);
  EXPECT_EQ(family().own->encode(text), ids);
  EXPECT_EQ(family().own->encode(text), ids) << "from a full cache";
}

// Few characters, many overlapping pieces and equal scores: every rule of the merge order matters. Some vocabularies hold
// runs of spaces, as Llama's does.
TEST(BpeEqualsLibrary, RandomVocabularies) {
  const std::string alphabet[] = {"a", "b", "c", "\xC3\xA9", "\xF0\x9F\x98\x80", "\n", "1"};
  for (uint64_t sample = 0; sample < 400; ++sample) {
    Rng rng(4, "tokenizer/random_vocabulary", sample);
    ModelText parts;
    parts.dummy_prefix = rng.below(4) != 0;
    std::set<std::string> used;
    const auto add = [&](const std::string& text) {
      if (used.insert(text).second) parts.pieces.emplace_back(text, -static_cast<float>(rng.below(6)));
    };
    for (const std::string& character : alphabet)
      if (rng.below(5) != 0) add(character);
    if (rng.below(8) != 0) add(std::string(tokenizer::kSpace));
    for (uint64_t i = 0, n = 5 + rng.below(40); i < n; ++i) {
      std::string text;
      for (uint64_t spaces = rng.below(2) * rng.below(sample % 2 ? 4 : 2); spaces > 0; --spaces) text += tokenizer::kSpace;
      for (uint64_t length = rng.below(5) + text.empty(); length > 0; --length)
        text += alphabet[rng.below(std::size(alphabet))];
      add(text);
    }
    const SpModel model = SpModel::parse(parts.bytes(), "random");
    ASSERT_EQ(bpe_unsupported_reason(model), "");
    const Both both(model);
    for (int trial = 0; trial < 12; ++trial) {
      std::string text;
      for (uint64_t length = rng.below(40); length > 0; --length) {
        const uint64_t kind = rng.below(12);
        text += kind < 3                      ? " "
                : kind == 3                   ? "z"
                : kind == 4 && trial % 3 == 0 ? "\xE2\x96\x81"
                                              : alphabet[rng.below(std::size(alphabet))];
      }
      expect_equal(both, text);
    }
    std::vector<int32_t> ids;
    for (int i = 0; i < 30; ++i)
      ids.push_back(static_cast<int32_t>(rng.below(static_cast<uint64_t>(both.own->vocab_size()))));
    EXPECT_EQ(shown(both.own->decode(ids)), shown(both.library->decode(ids)));
    if (testing::Test::HasFailure()) {
      FAIL() << "vocabulary " << sample;
    }
  }
}

TEST(BpeEqualsLibrary, DecodesAnyIds) {
  for (uint64_t sample = 0; sample < 2000; ++sample) {
    Rng rng(5, "tokenizer/ids", sample);
    std::vector<int32_t> ids;
    for (uint64_t length = rng.below(20); length > 0; --length)
      ids.push_back(static_cast<int32_t>(rng.below(rng.below(2) ? 259 : static_cast<uint64_t>(family().own->vocab_size()))));
    ASSERT_EQ(shown(family().own->decode(ids)), shown(family().library->decode(ids)))
        << fmt::format("{}", fmt::join(ids, " "));
  }
}

TEST(Tokenizer, ValidTextSurvivesARoundTrip) {
  for (uint64_t sample = 0; sample < 500; ++sample) {
    Rng rng(6, "tokenizer/round_trip", sample);
    const std::string text = with_spaces_as(random_text(rng, 20, true), '_');
    ASSERT_EQ(shown(family().own->decode(family().own->encode(text))), shown(text));
  }
}

// What evidence spans need: offsets rise, and the text between two of them decodes to the pieces between them.
TEST(Tokenizer, OffsetsCutTheTextWhereThePiecesBegin) {
  const std::string text =
      "One of the special magic numbers for old-harbour is: 1234567.\nThe sky is blue. na\xC3\xAFve \xF0\x9F\x98\x80!";
  std::vector<int64_t> offsets;
  const std::vector<int32_t> ids = family().own->encode_with_offsets(text, offsets);
  ASSERT_EQ(ids.size(), offsets.size());
  EXPECT_EQ(offsets[0], 0);
  EXPECT_TRUE(std::is_sorted(offsets.begin(), offsets.end()));
  for (size_t cut = 1; cut < ids.size(); ++cut) {
    if (offsets[cut] == offsets[cut - 1]) continue;  // inside a character that is written in bytes
    EXPECT_EQ(family().own->decode({ids.begin(), ids.begin() + static_cast<int64_t>(cut)}),
              text.substr(0, static_cast<size_t>(offsets[cut])))
        << cut;
  }
}

TEST(Tokenizer, ThreadsShareOneTokenizer) {
  set_num_threads(8);
  std::vector<std::string> texts;
  std::vector<std::vector<int32_t>> want, got(200);
  for (uint64_t i = 0; i < got.size(); ++i) {
    Rng rng(7, "tokenizer/threads", i % 20);
    texts.push_back(random_text(rng, 200, true));
    want.push_back(family().own->encode(texts.back()));
  }
  const auto fresh = open_tokenizer(family_path());
  parallel_for(static_cast<int64_t>(got.size()), [&](int64_t i, int) {
    const auto at = static_cast<size_t>(i);
    got[at] = i % 7 == 0 ? family().own->encode(texts[at]) : fresh->encode(texts[at]);  // threads also change tokenizers
  });
  set_num_threads(0);
  EXPECT_EQ(got, want);
}

}  // namespace
}  // namespace sala
