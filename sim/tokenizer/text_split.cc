#include "sim/tokenizer/text_split.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <utf8proc.h>

#include <algorithm>
#include <cstdlib>
#include <numeric>

#include "sala/core/error.h"
#include "sim/text/printable.h"
#include "sim/text/utf8.h"
#include "sim/tokenizer/oniguruma.h"

namespace sala::tokenizer {
namespace {

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

void MappedText::spell_out() {
  if (!origin.empty()) return;
  origin.resize(text.size());
  std::iota(origin.begin(), origin.end(), int64_t{0});
}

MappedText MappedText::part(size_t begin, size_t end) const {
  MappedText out{text.substr(begin, end - begin), {}};
  for (size_t at = begin; at < end; ++at) out.origin.push_back(origin_of(at));
  return out;
}

MappedText with_prefix(MappedText text, std::string_view prefix) {
  text.spell_out();
  text.origin.insert(text.origin.begin(), prefix.size(), text.origin_of(0));
  text.text.insert(0, prefix);
  return text;
}

MappedText replaced(const MappedText& text, std::string_view from, std::string_view to) {
  MappedText out;
  size_t done = 0;
  const auto copy = [&](size_t end) {
    out.text.append(text.text, done, end - done);
    for (size_t at = done; at < end; ++at) out.origin.push_back(text.origin_of(at));
  };
  for (size_t at = text.text.find(from); at != std::string::npos; at = text.text.find(from, done)) {
    copy(at);
    out.text += to;
    out.origin.insert(out.origin.end(), to.size(), text.origin_of(at));
    done = at + from.size();
  }
  if (done == 0) return text;
  copy(text.text.size());
  return out;
}

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

bool is_space(char32_t c) {
  return (c >= 0x09 && c <= 0x0d) || c == 0x20 || c == 0x85 || c == 0xa0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200a) ||
         c == 0x2028 || c == 0x2029 || c == 0x202f || c == 0x205f || c == 0x3000;
}

bool is_word(char32_t c) {
  const bool circled = (c >= 0x24b6 && c <= 0x24e9) || (c >= 0x1f130 && c <= 0x1f149) || (c >= 0x1f150 && c <= 0x1f169) ||
                       (c >= 0x1f170 && c <= 0x1f189);
  if (circled || c == 0x200c || c == 0x200d) return true;  // Other_Alphabetic beside marks, Join_Control
  switch (utf8proc_category(static_cast<utf8proc_int32_t>(c))) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_MC:
    case UTF8PROC_CATEGORY_ME:
    case UTF8PROC_CATEGORY_ND:
    case UTF8PROC_CATEGORY_NL:
    case UTF8PROC_CATEGORY_PC:
      return true;
    default:
      return false;
  }
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
    throw Error(ErrorCode::kFormat, "tokenizer: pattern '{}': {}", text::printable(pattern, 200),
                reinterpret_cast<const char*>(message));
  }
  uint32_t matches_nothing = 0;
  pcre2_pattern_info(code_->code, PCRE2_INFO_MATCHEMPTY, &matches_nothing);
  if (matches_nothing != 0)  // the reference cuts the text at every such place
    throw Error(ErrorCode::kUnsupported, "tokenizer: pattern '{}' can match nothing, which is not supported",
                text::printable(pattern, 200));
  pcre2_jit_compile(code_->code, PCRE2_JIT_COMPLETE);  // without it the interpreter gives the same matches
}
SplitPattern::~SplitPattern() = default;
SplitPattern::SplitPattern(SplitPattern&&) noexcept = default;

// Compiled patterns match on a stack of their own, which long runs of one word can need.
struct SplitPattern::Matcher::Scratch {
  pcre2_match_data* data = nullptr;
  pcre2_match_context* context = nullptr;
  pcre2_jit_stack* stack = nullptr;
  ~Scratch() {
    pcre2_match_data_free(data);
    pcre2_match_context_free(context);
    pcre2_jit_stack_free(stack);
  }
};

SplitPattern::Matcher::Matcher(const SplitPattern& pattern) : pattern_(pattern), scratch_(std::make_unique<Scratch>()) {
  constexpr size_t kStack = 32 << 10, kMostStack = 64 << 20;
  scratch_->data = pcre2_match_data_create_from_pattern(pattern_.code_->code, nullptr);
  scratch_->context = pcre2_match_context_create(nullptr);
  scratch_->stack = pcre2_jit_stack_create(kStack, kMostStack, nullptr);
  if (scratch_->data == nullptr || scratch_->context == nullptr || scratch_->stack == nullptr)
    throw Error(ErrorCode::kMemory, "tokenizer: no memory for matching");
  pcre2_jit_stack_assign(scratch_->context, nullptr, scratch_->stack);
}
SplitPattern::Matcher::~Matcher() = default;

std::pair<size_t, size_t> SplitPattern::Matcher::next(std::string_view text, size_t at) {
  pcre2_match_data* data = scratch_->data;
  while (at < text.size()) {
    const int found = pcre2_match(pattern_.code_->code, reinterpret_cast<PCRE2_SPTR>(text.data()), text.size(), at,
                                  PCRE2_NO_UTF_CHECK, data, scratch_->context);
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
