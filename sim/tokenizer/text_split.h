// Unicode work before the merges: canonical composition, and cutting text by a regular expression.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sala::tokenizer {

// Text and, unless it is the input itself, the input offset of each of its bytes.
struct MappedText {
  std::string text;
  std::vector<int64_t> origin;  // empty = identity
  int64_t origin_of(size_t byte) const { return origin.empty() ? static_cast<int64_t>(byte) : origin[byte]; }
};

// Invalid bytes become U+FFFD; with `nfc` the result is in normal form C (Unicode 15). A character that changes points to
// the start of its grapheme cluster.
MappedText clean_text(std::string_view text, bool nfc);

// One pattern in Oniguruma's syntax, as tokenizer.json files write it. \s is Unicode White_Space.
class SplitPattern {
 public:
  // Throws Error{kFormat} for a pattern that does not compile, Error{kUnsupported} for \S inside a class.
  explicit SplitPattern(const std::string& pattern);
  ~SplitPattern();
  SplitPattern(SplitPattern&&) noexcept;
  // Calls use(begin, end) for every match and every gap between matches, in order. `text` is valid UTF-8.
  template <class Use>
  void isolate(std::string_view text, const Use& use) const {
    Matcher matcher(*this);
    size_t at = 0;
    while (at < text.size()) {
      const auto [begin, end] = matcher.next(text, at);
      if (begin > at) use(at, begin);
      if (end > begin) use(begin, end);
      at = end;
    }
  }

 private:
  struct Code;
  class Matcher {  // scratch of one scan
   public:
    explicit Matcher(const SplitPattern& pattern);
    ~Matcher();
    Matcher(const Matcher&) = delete;
    Matcher& operator=(const Matcher&) = delete;
    // The next match that is not empty at or after `at`; {text.size(), text.size()} when there is none.
    std::pair<size_t, size_t> next(std::string_view text, size_t at);

   private:
    const Code& code_;
    void* data_;
  };
  std::unique_ptr<Code> code_;
};

}  // namespace sala::tokenizer
