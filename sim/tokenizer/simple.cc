// Tokenizers that need no file: bytes and whitespace-separated words.
#include "sala/core/rng.h"
#include "sim/tokenizer/tokenizers.h"

namespace sala {
namespace {

bool is_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

class ByteTokenizer final : public Tokenizer {
 public:
  std::string kind() const override { return "byte"; }
  std::string hash() const override { return fmt::format("{:016x}", stable_hash("byte/1")); }
  int64_t vocab_size() const override { return 256; }
  std::vector<int32_t> encode(std::string_view text) const override {
    std::vector<int32_t> ids;
    ids.reserve(text.size());
    for (unsigned char c : text) ids.push_back(c);
    return ids;
  }
  int64_t count(std::string_view text) const override { return static_cast<int64_t>(text.size()); }
  std::vector<int32_t> encode_with_offsets(std::string_view text, std::vector<int64_t>& byte_offsets) const override {
    byte_offsets.resize(text.size());
    for (size_t i = 0; i < text.size(); ++i) byte_offsets[i] = static_cast<int64_t>(i);
    return encode(text);
  }
  void encode_into(std::string_view text, std::vector<int32_t>& ids, TokenOffsets& offsets) const override {
    ids.assign(text.size(), 0);
    offsets.clear();
    offsets.reserve(static_cast<int64_t>(text.size()));
    for (size_t i = 0; i < text.size(); ++i) {
      ids[i] = static_cast<unsigned char>(text[i]);
      offsets.push_back(static_cast<int64_t>(i));
    }
  }
  std::string decode(const std::vector<int32_t>& ids) const override {
    std::string text;
    for (int32_t id : ids) {
      tokenizer::check_id(id, vocab_size());
      text.push_back(static_cast<char>(id));
    }
    return text;
  }
};

class WhitespaceTokenizer final : public Tokenizer {
 public:
  std::string kind() const override { return "whitespace"; }
  std::string hash() const override { return fmt::format("{:016x}", stable_hash("whitespace/1")); }
  int64_t vocab_size() const override { return int64_t{1} << 31; }
  std::vector<int32_t> encode(std::string_view text) const override {
    std::vector<int32_t> ids;
    each_word(text, [&](int32_t id, size_t) { ids.push_back(id); });
    return ids;
  }
  int64_t count(std::string_view text) const override {
    int64_t words = 0;
    bool inside = false;
    for (const char c : text) {
      const bool space = is_space(c);
      words += !space && !inside;
      inside = !space;
    }
    return words;
  }
  std::vector<int32_t> encode_with_offsets(std::string_view text, std::vector<int64_t>& byte_offsets) const override {
    std::vector<int32_t> ids;
    byte_offsets.clear();
    each_word(text, [&](int32_t id, size_t begin) {
      ids.push_back(id);
      byte_offsets.push_back(static_cast<int64_t>(begin));
    });
    return ids;
  }
  void encode_into(std::string_view text, std::vector<int32_t>& ids, TokenOffsets& offsets) const override {
    ids.clear();
    offsets.clear();
    each_word(text, [&](int32_t id, size_t begin) {
      ids.push_back(id);
      offsets.push_back(static_cast<int64_t>(begin));
    });
  }
  std::string decode(const std::vector<int32_t>&) const override {
    throw Error(ErrorCode::kUnsupported,
                "whitespace tokenizer: ids are hashes of words and cannot be decoded; use it for lengths only");
  }

 private:
  // Calls use(id, first byte) for each word.
  template <class Use>
  static void each_word(std::string_view text, const Use& use) {
    for (size_t i = 0; i < text.size();) {
      if (is_space(text[i])) {
        ++i;
        continue;
      }
      const size_t begin = i;
      while (i < text.size() && !is_space(text[i])) ++i;
      use(static_cast<int32_t>(stable_hash(text.substr(begin, i - begin)) & 0x7fffffff), begin);
    }
  }
};

}  // namespace

std::unique_ptr<Tokenizer> make_byte_tokenizer() { return std::make_unique<ByteTokenizer>(); }
std::unique_ptr<Tokenizer> make_whitespace_tokenizer() { return std::make_unique<WhitespaceTokenizer>(); }

}  // namespace sala
