#include <gtest/gtest.h>

#include "sim/tokenizer/tokenizers.h"
#include "tests/sim/tokenizer/model_bytes.h"

namespace sala {
namespace {

TEST(ByteTokenizer, OneIdPerByteBothWays) {
  const auto byte = make_byte_tokenizer();
  for (uint64_t sample = 0; sample < 50; ++sample) {
    Rng rng(1, "byte", sample);
    const std::string text = random_text(rng, 10, false);
    std::vector<int64_t> offsets;
    const auto ids = byte->encode_with_offsets(text, offsets);
    ASSERT_EQ(ids.size(), text.size());
    EXPECT_EQ(byte->encode(text), ids);
    EXPECT_EQ(byte->count(text), static_cast<int64_t>(text.size()));
    EXPECT_EQ(byte->decode(ids), text);
    for (size_t i = 0; i < text.size(); ++i) {
      EXPECT_EQ(ids[i], static_cast<unsigned char>(text[i]));
      EXPECT_EQ(offsets[i], static_cast<int64_t>(i));
    }
  }
  EXPECT_EQ(byte->vocab_size(), 256);
}

TEST(WhitespaceTokenizer, OneIdPerWord) {
  const auto words = make_whitespace_tokenizer();
  std::vector<int64_t> offsets;
  const auto ids = words->encode_with_offsets("  the sky\tthe\n\r\v\fsky  ", offsets);
  ASSERT_EQ(ids.size(), 4u);
  EXPECT_EQ(offsets, (std::vector<int64_t>{2, 6, 10, 17}));
  EXPECT_EQ(ids[0], ids[2]);
  EXPECT_EQ(ids[1], ids[3]);
  EXPECT_NE(ids[0], ids[1]);
  EXPECT_EQ(words->count(" a b  c "), 3);
  EXPECT_EQ(words->count(""), 0);
  EXPECT_EQ(words->count(" \n\t"), 0);
  for (int32_t id : ids) EXPECT_GE(id, 0);
}

TEST(WhitespaceTokenizer, SaysThatItCannotDecode) {
  try {
    make_whitespace_tokenizer()->decode({1});
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kUnsupported);
  }
}

}  // namespace
}  // namespace sala
