#include "tasks/nolima/placement.h"

#include <gtest/gtest.h>

#include "sala/core/error.h"
#include "tests/tasks/nolima/own_task.h"

namespace sala::tasks {
namespace {

// One token a character: the book's bytes are its tokens. Newlines at 3, 8, 14, 21 and 29.
const std::string kBook = "aaa\nbbbb\nccccc\ndddddd\neeeeeee\n";

const Tokenizer& characters() {
  static const auto tokenizer = open_tokenizer("byte");
  return *tokenizer;
}

Placement place(Mode mode, int64_t context_length, double depth, int64_t shift = 0) {
  return place_needle(tokenize_book(kBook, characters(), mode), "toy", characters(), mode, context_length, depth, shift);
}

// Gives every text back in small letters.
class Lowercasing final : public Tokenizer {
 public:
  std::string kind() const override { return "lowercasing"; }
  std::string hash() const override { return "0123456789abcdef"; }
  int64_t vocab_size() const override { return characters().vocab_size(); }
  std::vector<int32_t> encode(std::string_view text) const override {
    std::vector<int32_t> ids = characters().encode(text);
    for (int32_t& id : ids) id += id >= 'A' && id <= 'Z' ? 'a' - 'A' : 0;
    return ids;
  }
  std::vector<int32_t> encode_with_offsets(std::string_view text, std::vector<int64_t>& offsets) const override {
    characters().encode_with_offsets(text, offsets);
    return encode(text);
  }
  std::string decode(const std::vector<int32_t>& ids) const override { return characters().decode(ids); }
};

TEST(NolimaPlacement, UpstreamRefusesATokenizerThatDoesNotRoundTrip) {
  const Lowercasing lossy;
  SampleRequest request;
  request.length = 4096;
  const Sample fixed = nolima_task().make_sample(request, lossy);
  EXPECT_NE(fixed.prompt().find("Use the information"), std::string::npos) << "fixed mode cuts the text itself";
  EXPECT_EQ(fixed.prompt_ids, lossy.encode(fixed.prompt()));
  request.mode = Mode::kUpstream;
  try {
    nolima_task().make_sample(request, lossy);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kUsage);
    EXPECT_NE(std::string(error.what())
                  .find("the lowercasing tokenizer does not give texts back: 'The Quick fo' comes back "
                        "as 'the quick fo'; use mode fixed"),
              std::string::npos)
        << error.what();
  }
}

TEST(NolimaPlacement, NewlinesBeginWithZero) {
  const std::vector<int64_t> expected = {0, 3, 8, 14, 21, 29};
  EXPECT_EQ(tokenize_book(kBook, characters(), Mode::kUpstream).newlines, expected);
  EXPECT_EQ(tokenize_book(kBook, characters(), Mode::kFixed).newlines, expected);
}

// p = 0, the window is [0, 10); upstream loses the first token of the book.
TEST(NolimaPlacement, DepthZero) {
  const Placement upstream = place(Mode::kUpstream, 10, 0);
  EXPECT_EQ(upstream.newline, 0);
  EXPECT_EQ(upstream.start, 0);
  EXPECT_EQ(upstream.end, 10);
  EXPECT_EQ(upstream.pre, "");
  EXPECT_EQ(upstream.post, "aa\nbbbb\nc");
  EXPECT_EQ(upstream.with("NEEDLE"), " NEEDLE\naa\nbbbb\nc");
  const Placement fixed = place(Mode::kFixed, 10, 0);
  EXPECT_EQ(fixed.start, 0);
  EXPECT_EQ(fixed.pre, "");
  EXPECT_EQ(fixed.post, "aaa\nbbbb\nc");
}

// p / 11 >= 0.5 first at p = 8; start = 8 - 5 = 3, end = 13.
TEST(NolimaPlacement, DepthHalf) {
  for (Mode mode : {Mode::kUpstream, Mode::kFixed}) {
    const Placement placed = place(mode, 10, 0.5);
    EXPECT_EQ(placed.newline, 8);
    EXPECT_EQ(placed.start, 3);
    EXPECT_EQ(placed.end, 13);
    EXPECT_EQ(placed.token_depth, 5);
    EXPECT_EQ(placed.pre, "\nbbbb");
    EXPECT_EQ(placed.post, "cccc");
    EXPECT_EQ(placed.with("NEEDLE"), "\nbbbb NEEDLE\ncccc");
  }
}

// p / 11 >= 1 first at p = 14; start = 4, end = 14, nothing behind the needle.
TEST(NolimaPlacement, DepthOne) {
  for (Mode mode : {Mode::kUpstream, Mode::kFixed}) {
    const Placement placed = place(mode, 10, 1);
    EXPECT_EQ(placed.newline, 14);
    EXPECT_EQ(placed.start, 4);
    EXPECT_EQ(placed.end, 14);
    EXPECT_EQ(placed.pre, "bbbb\nccccc");
    EXPECT_EQ(placed.post, "");
  }
}

TEST(NolimaPlacement, TiesTakeTheNewlineAndRoundToEven) {
  const Placement tie = place(Mode::kUpstream, 15, 0.5);  // 8 / 16 = 0.5 exactly
  EXPECT_EQ(tie.newline, 8);
  EXPECT_EQ(tie.token_depth, 8);  // of 7.5
  EXPECT_EQ(tie.start, 0);
  EXPECT_EQ(place(Mode::kUpstream, 13, 0.5).token_depth, 6);  // of 6.5
}

TEST(NolimaPlacement, ShiftMovesTheChoiceOfTheNewline) { EXPECT_EQ(place(Mode::kUpstream, 10, 0.5, 3).newline, 14); }

TEST(NolimaPlacement, ABookTooShortIsNamed) {
  for (double depth : {0.0, 0.5, 1.0}) {
    try {
      place(Mode::kFixed, 40, depth);
      FAIL();
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kUsage);
      EXPECT_NE(std::string(error.what()).find("book 'toy' has 30 tokens"), std::string::npos) << error.what();
    }
  }
}

TEST(NolimaPlacement, DepthsAreFourPercentApart) {
  for (int i = 0; i < kNolimaDepths; ++i) EXPECT_DOUBLE_EQ(nolima_depth(i), 0.04 * i);
  EXPECT_EQ(nolima_depth(25), 1.0);
}

// A token is three bytes: newlines stand inside tokens, characters are cut.
class Triples final : public Tokenizer {
 public:
  std::string kind() const override { return "triples"; }
  std::string hash() const override { return "0000000000000003"; }
  int64_t vocab_size() const override { return 1 << 24; }
  std::vector<int32_t> encode(std::string_view text) const override {
    std::vector<int64_t> offsets;
    return encode_with_offsets(text, offsets);
  }
  std::vector<int32_t> encode_with_offsets(std::string_view text, std::vector<int64_t>& offsets) const override {
    std::vector<int32_t> ids;
    offsets.clear();
    for (size_t at = 0; at < text.size(); at += 3) {
      int32_t id = 0;
      for (size_t i = at; i < std::min(at + 3, text.size()); ++i) id = id << 8 | static_cast<unsigned char>(text[i]);
      ids.push_back(id);
      offsets.push_back(static_cast<int64_t>(at));
    }
    return ids;
  }
  std::string decode(const std::vector<int32_t>& ids) const override {
    std::string text;
    for (int32_t id : ids) {
      for (int shift : {16, 8, 0})
        if ((id >> shift) != 0) text.push_back(static_cast<char>(id >> shift));
    }
    return text;
  }
};

TEST(NolimaPlacement, FixedModeCutsAtTheNewlineInsideAToken) {
  const Triples triples;
  // |aaa|a.\n|bbb|b.\n|\ncc|ccc|ccc|ccc|c\nd|dd|
  const BookTokens book = tokenize_book("aaaa.\nbbbb.\n\ncccccccccccc\nddd", triples, Mode::kFixed);
  EXPECT_EQ(book.newlines, (std::vector<int64_t>{0, 1, 3, 4, 8}));
  const Placement placed = place_needle(book, "toy", triples, Mode::kFixed, 4, 0.8);  // p / 5 >= 0.8 first at 4
  EXPECT_EQ(placed.newline, 4);
  EXPECT_EQ(placed.start, 1);
  EXPECT_EQ(placed.pre, "a.\nbbbb.\n");  // up to the newline at byte 12
  EXPECT_EQ(placed.post, "cc");          // behind it, to the end of token 4
}

TEST(NolimaPlacement, FixedModeNeverCutsACharacter) {
  const Triples triples;
  const std::string text = "\u00e9\u00e9\u00e9\u00e9\n\u00e9\u00e9\u00e9\u00e9";  // two bytes each, the newline is byte 8
  const BookTokens book = tokenize_book(text, triples, Mode::kFixed);
  const Placement placed = place_needle(book, "toy", triples, Mode::kFixed, 3, 0.34);  // p = 2, window [1, 4): bytes [3, 12)
  EXPECT_EQ(placed.newline, 2);
  EXPECT_EQ(placed.start, 1);
  EXPECT_EQ(placed.pre, "\u00e9\u00e9");  // from byte 4
  EXPECT_EQ(placed.post, "\u00e9");       // to byte 11: byte 12 is inside a character
}

TEST(NolimaPlacement, DistractorsKeepTheirDistance) {
  EXPECT_EQ(distractor_depth(250, 0.3, 0), 0.7);
  EXPECT_EQ(distractor_depth(250, 0.8, 0), 0.6);
  EXPECT_EQ(distractor_depth(250, 0.7, 0), 0.5);
  for (int d = 0; d < kNolimaDepths; ++d) {
    for (double uniform : {0.0, 0.25, 0.5, 0.75, 0.999}) {
      const double depth = nolima_depth(d), at = distractor_depth(1000, depth, uniform);
      EXPECT_GE(at, 0.2 - 1e-9);
      EXPECT_LE(at, 0.8 + 1e-9);
      EXPECT_GE(std::abs(at - depth), 0.2 - 1e-9) << depth << " " << uniform;
    }
  }
}

}  // namespace
}  // namespace sala::tasks
