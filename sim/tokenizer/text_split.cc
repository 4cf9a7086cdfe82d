#include "sim/tokenizer/text_split.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <utf8proc.h>

#include <algorithm>
#include <cstdlib>

#include "sala/core/error.h"
#include "sim/text/utf8.h"

namespace sala::tokenizer {
namespace {

// White_Space of Unicode. PCRE2's own \s has U+180E besides, which left that property.
constexpr std::string_view kSpaces =
    R"(\t-\r \x{85}\x{A0}\x{1680}\x{2000}-\x{200A}\x{2028}\x{2029}\x{202F}\x{205F}\x{3000})";

std::string to_pcre2(const std::string& pattern) {
  std::string out;
  int depth = 0;  // of character classes
  for (size_t i = 0; i < pattern.size(); ++i) {
    const char c = pattern[i];
    if (c == '\\' && i + 1 < pattern.size()) {
      const char next = pattern[++i];
      if (next == 'S' && depth > 0)
        throw Error(ErrorCode::kUnsupported, "tokenizer: pattern '{}' has \\S inside a class", pattern);
      if (next == 's')
        out += depth > 0 ? std::string(kSpaces) : fmt::format("[{}]", kSpaces);
      else if (next == 'S')
        out += fmt::format("[^{}]", kSpaces);
      else
        out += {c, next};
      continue;
    }
    if (c == '[') ++depth;
    if (c == ']' && depth > 0) --depth;
    out += c;
  }
  return out;
}

bool is_ascii(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

// Appends `part`, whose bytes come from `from` on, one by one (`spread`) or all from there.
void append(MappedText& out, std::string_view part, int64_t from, bool spread) {
  for (size_t i = 0; i < part.size(); ++i) out.origin.push_back(from + (spread ? static_cast<int64_t>(i) : 0));
  out.text += part;
}

MappedText replace_invalid(std::string_view text) {
  MappedText out;
  bool changed = false;
  for (size_t at = 0; at < text.size();) {
    const size_t size = text::valid_char_length(text.substr(at));
    append(out, size ? text.substr(at, size) : text::kReplacement, static_cast<int64_t>(at), size > 0);
    changed |= size == 0;
    at += size ? size : 1;
  }
  if (!changed) out.origin.clear();
  return out;
}

std::string compose(std::string_view text) {
  utf8proc_uint8_t* result = nullptr;
  const auto size =
      utf8proc_map(reinterpret_cast<const utf8proc_uint8_t*>(text.data()), static_cast<utf8proc_ssize_t>(text.size()),
                   &result, static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_COMPOSE));
  if (size < 0) throw Error(ErrorCode::kInternal, "tokenizer: normalisation failed: {}", utf8proc_errmsg(size));
  std::string out(reinterpret_cast<char*>(result), static_cast<size_t>(size));
  std::free(result);
  return out;
}

// End of the grapheme cluster that begins at `at`.
size_t cluster_end(std::string_view text, size_t at) {
  utf8proc_int32_t state = 0, previous = -1;
  while (at < text.size()) {
    utf8proc_int32_t code = 0;
    const auto size = utf8proc_iterate(reinterpret_cast<const utf8proc_uint8_t*>(text.data() + at),
                                       static_cast<utf8proc_ssize_t>(text.size() - at), &code);
    if (size <= 0) return text.size();
    if (previous >= 0 && utf8proc_grapheme_break_stateful(previous, code, &state)) return at;
    previous = code;
    at += static_cast<size_t>(size);
  }
  return at;
}

}  // namespace

MappedText clean_text(std::string_view text, bool nfc) {
  if (is_ascii(text)) return {std::string(text), {}};
  MappedText clean = replace_invalid(text);
  if (!nfc) return clean;
  std::string composed = compose(clean.text);
  if (composed == clean.text) return clean;
  MappedText out;
  for (size_t at = 0; at < clean.text.size();) {
    const size_t end = cluster_end(clean.text, at);
    const std::string_view part = std::string_view(clean.text).substr(at, end - at);
    const std::string now = compose(part);
    for (size_t i = 0; i < now.size(); ++i) out.origin.push_back(clean.origin_of(now == part ? at + i : at));
    out.text += now;
    at = end;
  }
  if (out.text == composed) return out;
  // A composition across clusters: only the order of the offsets is kept.
  out.origin.resize(composed.size(), out.origin.empty() ? 0 : out.origin.back());
  out.text = std::move(composed);
  return out;
}

struct SplitPattern::Code {
  pcre2_code* code = nullptr;
  ~Code() { pcre2_code_free(code); }
};

SplitPattern::SplitPattern(const std::string& pattern) : code_(std::make_unique<Code>()) {
  const std::string text = to_pcre2(pattern);
  int error = 0;
  PCRE2_SIZE place = 0;
  code_->code =
      pcre2_compile(reinterpret_cast<PCRE2_SPTR>(text.data()), text.size(), PCRE2_UTF | PCRE2_UCP, &error, &place, nullptr);
  if (code_->code == nullptr) {
    PCRE2_UCHAR message[200];
    pcre2_get_error_message(error, message, sizeof(message));
    throw Error(ErrorCode::kFormat, "tokenizer: pattern '{}': {} at {}", pattern, reinterpret_cast<const char*>(message),
                place);
  }
  pcre2_jit_compile(code_->code, PCRE2_JIT_COMPLETE);  // without it the interpreter gives the same matches
}
SplitPattern::~SplitPattern() = default;
SplitPattern::SplitPattern(SplitPattern&&) noexcept = default;

SplitPattern::Matcher::Matcher(const SplitPattern& pattern)
    : code_(*pattern.code_), data_(pcre2_match_data_create_from_pattern(code_.code, nullptr)) {
  if (data_ == nullptr) throw Error(ErrorCode::kMemory, "tokenizer: no memory for matching");
}
SplitPattern::Matcher::~Matcher() { pcre2_match_data_free(static_cast<pcre2_match_data*>(data_)); }

std::pair<size_t, size_t> SplitPattern::Matcher::next(std::string_view text, size_t at) {
  auto* data = static_cast<pcre2_match_data*>(data_);
  while (at < text.size()) {
    const int found = pcre2_match(code_.code, reinterpret_cast<PCRE2_SPTR>(text.data()), text.size(), at, PCRE2_NO_UTF_CHECK,
                                  data, nullptr);
    if (found == PCRE2_ERROR_NOMATCH) break;
    if (found < 0)
      throw Error(ErrorCode::kUnsupported, "tokenizer: matching failed with PCRE2 error {} at byte {}", found, at);
    const PCRE2_SIZE* range = pcre2_get_ovector_pointer(data);
    if (range[1] > range[0]) return {range[0], range[1]};
    at = range[1] + std::max<size_t>(1, range[1] < text.size() ? text::valid_char_length(text.substr(range[1])) : 1);
  }
  return {text.size(), text.size()};
}

}  // namespace sala::tokenizer
