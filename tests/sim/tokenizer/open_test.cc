#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "sim/tokenizer/tokenizers.h"
#include "tests/sim/tokenizer/model_bytes.h"

namespace sala {
namespace {

namespace fs = std::filesystem;
using tokenizer::SpModel;

class OpenTokenizer : public testing::Test {
 protected:
  void SetUp() override { fs::create_directories(folder_); }
  void TearDown() override { fs::remove_all(folder_); }
  std::string write(const std::string& name, const std::string& bytes) const {
    std::ofstream(folder_ / name, std::ios::binary) << bytes;
    return (folder_ / name).string();
  }
  fs::path folder_ = fs::temp_directory_path() / fmt::format("sala_open_tokenizer_{}", ::getpid());
};

ErrorCode code_of(const std::string& name) {
  try {
    open_tokenizer(name);
  } catch (const Error& error) {
    return error.code();
  }
  ADD_FAILURE() << name << " was opened";
  return ErrorCode::kInternal;
}

ModelText small(int model_type) {
  ModelText model;
  model.model_type = model_type;
  model.pieces = {{"\xE2\x96\x81", -3},
                  {"a", -3},
                  {"b", -3},
                  {"ab", -2},
                  {"\xE2\x96\x81"
                   "ab",
                   -1}};
  return model;
}

TEST_F(OpenTokenizer, ByNameFileAndModelDirectory) {
  EXPECT_EQ(open_tokenizer("whitespace")->kind(), "whitespace");
  EXPECT_EQ(open_tokenizer("byte")->kind(), "byte");
  const std::string path = write("tokenizer.model", small(2).bytes());
  EXPECT_EQ(open_tokenizer(path)->kind(), "sentencepiece");
  EXPECT_EQ(open_tokenizer(folder_.string())->encode("ab ab").size(), 2u);
}

TEST_F(OpenTokenizer, RoundTripsAreProbed) {
  EXPECT_EQ(round_trip_difference(*open_tokenizer("byte")), "");
  EXPECT_EQ(round_trip_difference(*open_tokenizer(SALA_SOURCE_DIR "/models/tokenizer.model")), "");
  EXPECT_EQ(round_trip_difference(*open_tokenizer("whitespace")), "it cannot decode");
  ModelText model = small(2);
  EXPECT_EQ(round_trip_difference(*open_tokenizer(write("exact.model", model.bytes()))), "");
  model.remove_extra = true;  // a run of spaces becomes one
  EXPECT_EQ(round_trip_difference(*open_tokenizer(write("squeezing.model", model.bytes()))),
            "' \"x\".\\nEnd' comes back as '\"x\".\\nEnd'");
}

TEST_F(OpenTokenizer, RefusesWhatIsNotThere) {
  EXPECT_EQ(code_of("no-such-tokenizer"), ErrorCode::kUsage);
  EXPECT_EQ(code_of(""), ErrorCode::kUsage);
  EXPECT_EQ(code_of(folder_.string()), ErrorCode::kIo);  // a directory without tokenizer.model
  EXPECT_EQ(code_of(write("empty.model", "")), ErrorCode::kFormat);
  EXPECT_EQ(code_of(write("text.model", "this is not a model")), ErrorCode::kFormat);
}

TEST_F(OpenTokenizer, TheFamilysModelIsTheOneTheMembersWereTrainedWith) {
  const auto family = open_tokenizer(std::string(SALA_SOURCE_DIR) + "/models/tokenizer.model");
  EXPECT_EQ(family->vocab_size(), 4096);
  EXPECT_EQ(family->hash(), "543cd39cfb822cf4");
}

TEST_F(OpenTokenizer, TheHashIsThatOfTheFile) {
  const auto a = open_tokenizer(write("a.model", small(2).bytes())),
             b = open_tokenizer(write("b.model", small(2).bytes() + wire_number(99, 1)));
  EXPECT_EQ(a->hash(), fmt::format("{:016x}", stable_hash(small(2).bytes())));
  EXPECT_NE(a->hash(), b->hash());
  for (const auto* name : {"byte", "whitespace"}) {
    EXPECT_EQ(open_tokenizer(name)->hash().size(), 16u);
    EXPECT_EQ(open_tokenizer(name)->hash().find_first_not_of("0123456789abcdef"), std::string::npos);
  }
}

// Models that our own encoder would get wrong go to the library, whole.
TEST_F(OpenTokenizer, OtherModelsAreServedByTheLibrary) {
  ModelText no_bytes = small(2), crossing = small(2), trimming = small(2);
  no_bytes.byte_fallback = false;
  crossing.pieces.insert(crossing.pieces.end(), {{"a\xE2\x96\x81", -0.6},
                                                 {"a\xE2\x96\x81"
                                                  "b",
                                                  -0.5}});
  trimming.remove_extra = true;
  const std::pair<ModelText, std::string> cases[] = {{small(1), "not a BPE model"},
                                                     {no_bytes, "no byte fallback"},
                                                     {crossing, "crosses a word boundary"},
                                                     {trimming, "removes extra spaces"}};
  for (const auto& [model, reason] : cases) {
    const SpModel parsed = SpModel::parse(model.bytes(), "other.model");
    EXPECT_NE(bpe_unsupported_reason(parsed).find(reason), std::string::npos) << bpe_unsupported_reason(parsed);
    try {
      make_bpe_tokenizer(parsed);
      ADD_FAILURE() << reason;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kUnsupported);
      EXPECT_NE(std::string(error.what()).find(reason), std::string::npos);
    }
    const auto opened = open_tokenizer(write("other.model", model.bytes()));
    const auto library = make_library_tokenizer(parsed);
    for (const char* text : {"ab ab", " ab  ba ", "xyz \xC3\xA9", "a b"})
      EXPECT_EQ(opened->encode(text), library->encode(text)) << text;
  }
  const auto opened = open_tokenizer(write("crossing.model", crossing.bytes()));
  EXPECT_EQ(opened->encode("a b").back(), opened->vocab_size() - 1) << "the piece across the space is used";
}

TEST_F(OpenTokenizer, AModelThatNormalisesGoesToTheLibrary) {
  ModelText model = small(2);
  model.charsmap = "not empty";
  EXPECT_EQ(bpe_unsupported_reason(SpModel::parse(model.bytes(), "m")), "it normalises characters");
}

TEST_F(OpenTokenizer, DecodeRefusesIdsOutsideTheVocabulary) {
  const SpModel model = SpModel::parse(small(2).bytes(), "small");
  for (const auto& made : {make_bpe_tokenizer(model), make_library_tokenizer(model), make_byte_tokenizer()})
    for (const int64_t id : {int64_t{-1}, made->vocab_size()}) {
      try {
        made->decode({static_cast<int32_t>(id)});
        ADD_FAILURE() << made->kind() << " decoded " << id;
      } catch (const Error& error) {
        EXPECT_EQ(error.code(), ErrorCode::kShape);
      }
    }
}

}  // namespace
}  // namespace sala
