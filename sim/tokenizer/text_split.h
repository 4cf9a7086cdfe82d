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
  // Fills `origin` where it is the identity.
  void spell_out();
  MappedText part(size_t begin, size_t end) const;  // not empty
};

// The text with `prefix` before it, which points to where the text begins.
MappedText with_prefix(MappedText text, std::string_view prefix);
// The text with each `from` replaced by `to`, whose bytes point to where it began.
MappedText replaced(const MappedText& text, std::string_view from, std::string_view to);

// Invalid bytes become U+FFFD; with `nfc` the result is in normal form C (Unicode 15). A character that changes points to
// the start of its grapheme cluster.
MappedText clean_text(std::string_view text, bool nfc);

// Classes of characters as Rust's regular expressions have them: \s and \w.
bool is_space(char32_t c);
bool is_word(char32_t c);

// One pattern in Oniguruma's syntax, as tokenizer.json files write it (oniguruma.h).
class SplitPattern {
 public:
  // Throws Error{kFormat} for a pattern that does not compile, Error{kUnsupported} for one that would be read differently or
  // that can match nothing.
  explicit SplitPattern(const std::string& pattern);
  ~SplitPattern();
  SplitPattern(SplitPattern&&) noexcept;
  // Calls use(begin, end) for every match and every gap between matches, in order. `text` is valid UTF-8.
  template <class Use>
  void isolate(std::string_view text, const Use& use) const {
    Matcher(*this).isolate(text, use);
  }

  // The memory of matching, for one thread; the pattern has to stay.
  class Matcher {
   public:
    explicit Matcher(const SplitPattern& pattern);
    ~Matcher();
    Matcher(const Matcher&) = delete;
    Matcher& operator=(const Matcher&) = delete;
    template <class Use>
    void isolate(std::string_view text, const Use& use) {
      size_t at = 0;
      while (at < text.size()) {
        const auto [begin, end] = next(text, at);
        if (begin > at) use(at, begin);
        if (end > begin) use(begin, end);
        at = end;
      }
    }

   private:
    struct Scratch;
    // The next match that is not empty at or after `at`; {text.size(), text.size()} when there is none.
    std::pair<size_t, size_t> next(std::string_view text, size_t at);
    const SplitPattern& pattern_;
    std::unique_ptr<Scratch> scratch_;
  };

 private:
  struct Code;
  std::unique_ptr<Code> code_;
};

}  // namespace sala::tokenizer
