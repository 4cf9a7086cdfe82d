// Model files that lie. Each must end in Error{kFormat} (or be read), never in a crash; the sanitizer build runs this too.
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <iterator>
#include <limits>

#include "sim/tokenizer/tokenizers.h"
#include "tests/sim/tokenizer/model_bytes.h"

namespace sala {
namespace {

using tokenizer::PieceType;
using tokenizer::SpModel;

ModelText small_model() {
  ModelText model;
  model.pieces = {{"\xE2\x96\x81", -1},
                  {"a", -2},
                  {"b", -3},
                  {"ab", -0.5},
                  {"\xE2\x96\x81"
                   "ab",
                   -0.25}};
  return model;
}

std::string without_bytes() {  // small enough to cut at every byte
  ModelText model = small_model();
  model.byte_fallback = false;
  return model.bytes();
}

std::string refusal(const std::string& bytes) {
  try {
    SpModel::parse(bytes, "hostile.model");
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kFormat) << error.what();
    EXPECT_NE(std::string(error.what()).find("hostile.model"), std::string::npos) << error.what();
    return error.what();
  }
  return "";
}

// Parses; whatever is accepted must also encode and decode.
void use_if_accepted(const std::string& bytes) {
  try {
    const SpModel model = SpModel::parse(bytes, "hostile.model");
    const auto made = bpe_unsupported_reason(model).empty() ? make_bpe_tokenizer(model) : make_library_tokenizer(model);
    std::vector<int64_t> offsets;
    made->decode(made->encode_with_offsets("ab ab  ba \xC3\xA9\xFF", offsets));
  } catch (const Error& error) {
    EXPECT_TRUE(error.code() == ErrorCode::kFormat || error.code() == ErrorCode::kInternal) << error.what();
  }
}

TEST(HostileModel, TheSmallOnesAreFine) {
  EXPECT_EQ(refusal(small_model().bytes()), "");
  EXPECT_EQ(refusal(without_bytes()), "");
  EXPECT_EQ(make_bpe_tokenizer(SpModel::parse(small_model().bytes(), "small"))->encode("ab").size(), 1u);
}

TEST(HostileModel, CutAtEveryByte) {
  const std::string whole = without_bytes();
  int refused = 0;
  for (size_t size = 0; size < whole.size(); ++size) {
    refused += !refusal(whole.substr(0, size)).empty();
    use_if_accepted(whole.substr(0, size));
  }
  EXPECT_GT(refused, static_cast<int>(whole.size() / 2)) << "a cut inside a field is always seen";
}

TEST(HostileModel, EveryByteChanged) {
  const std::string whole = without_bytes();
  for (size_t at = 0; at < whole.size(); ++at)
    for (const int value : {0x00, 0x01, 0x7f, 0x80, 0xff}) {
      std::string changed = whole;
      changed[at] = static_cast<char>(value);
      use_if_accepted(changed);
    }
}

TEST(HostileModel, EveryByteOfABytePieceModelChanged) {
  const std::string whole = small_model().bytes();
  Rng rng(1, "hostile/changed");
  for (int trial = 0; trial < 1500; ++trial) {
    std::string changed = whole;
    for (uint64_t changes = 1 + rng.below(3); changes > 0; --changes)
      changed[rng.below(changed.size())] = static_cast<char>(rng.below(256));
    use_if_accepted(changed);
  }
}

TEST(HostileModel, RandomBytes) {
  for (uint64_t sample = 0; sample < 3000; ++sample) {
    Rng rng(2, "hostile/random", sample);
    std::string bytes(rng.below(200), '\0');
    for (char& c : bytes) c = static_cast<char>(rng.below(256));
    EXPECT_NE(refusal(bytes), "") << "random bytes have no unknown piece";
  }
}

TEST(HostileModel, SaysWhatIsWrong) {
  const std::string good = without_bytes();
  const auto piece = [](const std::string& text, float score, PieceType type) { return wire_piece(text, score, type); };
  const std::pair<std::string, std::string> cases[] = {
      {"", "holds no pieces"},
      {good + wire_varint(1 << 3 | 2) + wire_varint(1000000), "ends inside a field"},
      {good + wire_varint(1 << 3 | 2) + wire_varint(~uint64_t{0}), "ends inside a field"},
      {good + wire_varint(1 << 3 | 2) + std::string(11, '\xff'), "longer than 64 bits"},
      {good + std::string(20, '\x80'), "longer than 64 bits"},
      {good + wire_varint(9 << 3 | 3), "unknown wire type"},
      {good + wire_varint(9 << 3 | 7), "unknown wire type"},
      {good + std::string(1, '\x00') + "x", "number 0"},
      {good + wire_block(1, wire_block(1, "abc").substr(0, 3)), "ends inside a field"},
      {good + piece("", 0, PieceType::kNormal), "is empty"},
      {good + piece("ab", 0, PieceType::kNormal), "repeats `ab`"},
      {good + piece("x", std::numeric_limits<float>::quiet_NaN(), PieceType::kNormal), "not a number"},
      {good + piece("x", std::numeric_limits<float>::infinity(), PieceType::kNormal), "not a number"},
      {good + piece("<0x4>", 0, PieceType::kByte), "expected the form <0x0A>"},
      {good + piece("<0xag>", 0, PieceType::kByte), "expected the form <0x0A>"},
      {good + piece("<0x0a>", 0, PieceType::kByte), "expected the form <0x0A>"},
      {good + piece("x", 0, static_cast<PieceType>(99)), "unknown kind of piece"},
      {good + piece("<unk2>", 0, PieceType::kUnknown), "2 unknown pieces"},
      {piece("a", 0, PieceType::kNormal), "0 unknown pieces"},
  };
  for (const auto& [bytes, reason] : cases)
    EXPECT_NE(refusal(bytes).find(reason), std::string::npos) << reason << "; got: " << refusal(bytes);
}

TEST(HostileModel, UnknownFieldsAreSkipped) {
  const std::string extra =
      wire_number(50, 7) + wire_float(51, 1) + wire_block(52, "later") + wire_varint(53 << 3 | 1) + std::string(8, 'x');
  const std::string model = small_model().bytes();
  EXPECT_EQ(make_bpe_tokenizer(SpModel::parse(model + extra, "a"))->encode("ab ba"),
            make_bpe_tokenizer(SpModel::parse(model, "b"))->encode("ab ba"));
}

TEST(HostileModel, TheRealFileCutAndChanged) {
  std::ifstream file(std::string(SALA_SOURCE_DIR) + "/models/tokenizer.model", std::ios::binary);
  const std::string whole{std::istreambuf_iterator<char>(file), {}};
  ASSERT_GT(whole.size(), 50000u);
  Rng rng(3, "hostile/real");
  for (int trial = 0; trial < 60; ++trial) {
    use_if_accepted(whole.substr(0, rng.below(whole.size())));
    std::string changed = whole;
    changed[rng.below(changed.size())] ^= static_cast<char>(1 << rng.below(8));
    use_if_accepted(changed);
  }
}

}  // namespace
}  // namespace sala
