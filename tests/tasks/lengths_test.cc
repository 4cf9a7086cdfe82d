#include <gtest/gtest.h>

#include "sala/core/error.h"
#include "sala/tasks/task.h"

namespace sala::tasks {
namespace {

std::vector<int64_t> lengths(const std::string& list) { return parse_lengths(list); }

TEST(Lengths, KIs1024UnlessTheCountIsAThousand) {
  EXPECT_EQ(lengths("4k"), (std::vector<int64_t>{4096}));
  EXPECT_EQ(lengths("128K"), (std::vector<int64_t>{131072}));
  EXPECT_EQ(lengths("1000k"), (std::vector<int64_t>{1000000}));
  EXPECT_EQ(lengths("2000k"), (std::vector<int64_t>{2000000}));
  EXPECT_EQ(lengths("2048k"), (std::vector<int64_t>{2097152}));
  EXPECT_EQ(lengths("1024k"), (std::vector<int64_t>{1048576}));
  EXPECT_EQ(lengths("1m"), (std::vector<int64_t>{1048576}));
  EXPECT_EQ(lengths("2M"), (std::vector<int64_t>{2097152}));
  EXPECT_EQ(lengths("4096"), (std::vector<int64_t>{4096}));
  EXPECT_EQ(lengths("1000"), (std::vector<int64_t>{1000}));
}

TEST(Lengths, ListsAndRanges) {
  EXPECT_EQ(lengths("4k,128k,1000k"), (std::vector<int64_t>{4096, 131072, 1000000}));
  EXPECT_EQ(lengths("4k-64k*4"), (std::vector<int64_t>{4096, 16384, 65536}));
  EXPECT_EQ(lengths("4k-2048k*2").size(), 10u);
  EXPECT_EQ(lengths("4k-2048k*2").back(), 2097152);
  EXPECT_EQ(lengths("4k-33k"), (std::vector<int64_t>{4096, 8192, 16384, 32768}));
  EXPECT_EQ(lengths("4k-4k"), (std::vector<int64_t>{4096}));
  EXPECT_EQ(lengths("1k,4k-16k*2,512"), (std::vector<int64_t>{1024, 4096, 8192, 16384, 512}));
  EXPECT_EQ(lengths("4k,4096,4k-8k"), (std::vector<int64_t>{4096, 8192})) << "a length named twice counts once";
  EXPECT_EQ(lengths("1000000000-1099511627776*1099511627776"), (std::vector<int64_t>{1000000000})) << "no overflow";
}

TEST(Lengths, CommasWithinANumberGetAHint) {
  const auto refusal = [](const std::string& list) {
    try {
      lengths(list);
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kUsage);
      return std::string(error.what());
    }
    return std::string("no error");
  };
  EXPECT_EQ(refusal("131,072"), "length '131,072' is not understood: commas stand between lengths; write 131072 or 128k");
  EXPECT_EQ(refusal("4k,32,768"), "length '32,768' is not understood: commas stand between lengths; write 32768 or 32k");
  EXPECT_EQ(refusal("1,048,576"),
            "length '1,048,576' is not understood: commas stand between lengths; write 1048576 or 1024k");
  EXPECT_EQ(refusal("100,000"), "length '100,000' is not understood: commas stand between lengths; write 100000");
  EXPECT_EQ(lengths("250,500,1000"), (std::vector<int64_t>{250, 500, 1000})) << "NoLiMa's short lengths";
  EXPECT_EQ(lengths("128,256,512"), (std::vector<int64_t>{128, 256, 512}));
}

TEST(Lengths, RefusesWithTheWord) {
  for (const char* word : {"",
                           "k",
                           "4kb",
                           "4 k",
                           "-4k",
                           "4.5k",
                           "0",
                           "0k",
                           "4g",
                           "four",
                           "4k,",
                           ",4k",
                           "4k,x",
                           "99999999999999999999",
                           "2199023255553k",
                           "8k-4k",
                           "4k-8k*1",
                           "4k-8k*0",
                           "4k-8k*x",
                           "4k-8k*2k",
                           "4k-",
                           "4k-*2",
                           "4k*2",
                           "1-2-3",
                           "0x10",
                           "+4k"}) {
    try {
      parse_lengths(word);
      ADD_FAILURE() << "'" << word << "' was accepted";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kUsage) << word;
      EXPECT_NE(std::string(error.what()).find("length"), std::string::npos) << error.what();
    }
  }
}

TEST(Lengths, FormatIsTheInverse) {
  EXPECT_EQ(format_length(131072), "128k");
  EXPECT_EQ(format_length(1000000), "1000k");
  EXPECT_EQ(format_length(5000), "5000");
  EXPECT_EQ(format_length(1024000), "1024000");
  EXPECT_EQ(format_length(2097152), "2048k");
  for (int64_t length = 1; length < 3000; ++length)
    for (const int64_t scale : {int64_t{1}, int64_t{512}, int64_t{1000}, int64_t{1024}, int64_t{1000000}, int64_t{1048576}})
      ASSERT_EQ(lengths(format_length(length * scale)), (std::vector<int64_t>{length * scale})) << length << " * " << scale;
}

}  // namespace
}  // namespace sala::tasks
