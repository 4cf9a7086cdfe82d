#include "sim/tokenizer/oniguruma.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <utf8proc.h>

#include <cctype>
#include <cstdint>
#include <map>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "sala/core/error.h"
#include "sim/text/printable.h"
#include "sim/text/utf8.h"

namespace sala::tokenizer {
namespace {

// Contents of classes. White_Space of Unicode: PCRE2's own \s has U+180E besides. Words as Oniguruma lists them; outside
// classes it takes the fractions and superscripts of Latin 1 for words as well.
constexpr std::string_view kSpaces =
    R"(\t-\r \x{85}\x{A0}\x{1680}\x{2000}-\x{200A}\x{2028}\x{2029}\x{202F}\x{205F}\x{3000})";
constexpr std::string_view kWordsInClass = R"(\p{Alphabetic}\p{M}\p{Nd}\p{Pc})";
constexpr std::string_view kWords = R"(\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\x{B2}\x{B3}\x{B9}\x{BC}-\x{BE})";
constexpr std::string_view kHexDigits = "0-9a-fA-F";
constexpr std::string_view kAnyCharacter = "(?s:.)";
constexpr int kDeepest = 32;
constexpr int64_t kMostRepeats = 1000;
constexpr size_t kLongestPattern = 1 << 16;

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 'a' - 'A') : c; }

// General categories by their names without case, spaces, '_' and '-'.
const std::map<std::string, std::string>& categories() {
  static const auto table = [] {
    std::map<std::string, std::string> names = {{"letter", "L"},
                                                {"uppercaseletter", "Lu"},
                                                {"lowercaseletter", "Ll"},
                                                {"titlecaseletter", "Lt"},
                                                {"modifierletter", "Lm"},
                                                {"otherletter", "Lo"},
                                                {"mark", "M"},
                                                {"nonspacingmark", "Mn"},
                                                {"spacingmark", "Mc"},
                                                {"enclosingmark", "Me"},
                                                {"number", "N"},
                                                {"decimalnumber", "Nd"},
                                                {"letternumber", "Nl"},
                                                {"othernumber", "No"},
                                                {"punctuation", "P"},
                                                {"connectorpunctuation", "Pc"},
                                                {"dashpunctuation", "Pd"},
                                                {"openpunctuation", "Ps"},
                                                {"closepunctuation", "Pe"},
                                                {"initialpunctuation", "Pi"},
                                                {"finalpunctuation", "Pf"},
                                                {"otherpunctuation", "Po"},
                                                {"symbol", "S"},
                                                {"mathsymbol", "Sm"},
                                                {"currencysymbol", "Sc"},
                                                {"modifiersymbol", "Sk"},
                                                {"othersymbol", "So"},
                                                {"separator", "Z"},
                                                {"spaceseparator", "Zs"},
                                                {"lineseparator", "Zl"},
                                                {"paragraphseparator", "Zp"},
                                                {"other", "C"},
                                                {"control", "Cc"},
                                                {"format", "Cf"},
                                                {"unassigned", "Cn"},
                                                {"privateuse", "Co"},
                                                {"any", "Any"}};
    std::map<std::string, std::string> all = names;
    for (const auto& [name, category] : names)
      if (category.size() <= 2)
        all[category.size() == 1 ? std::string(1, lower(category[0])) : std::string{lower(category[0]), category[1]}] =
            category;
    return all;
  }();
  return table;
}

bool compiles(const std::string& pattern) {
  int error = 0;
  PCRE2_SIZE place = 0;
  pcre2_code* code = pcre2_compile(reinterpret_cast<PCRE2_SPTR>(pattern.data()), pattern.size(), PCRE2_UTF | PCRE2_UCP,
                                   &error, &place, nullptr);
  pcre2_code_free(code);
  return code != nullptr;
}

// What matches one character: contents of one class, and whole patterns beside it.
struct Set {
  std::string items;
  std::vector<std::string> others;
  bool empty() const { return items.empty() && others.empty(); }
  std::string pattern() const {
    if (others.empty()) return "[" + items + "]";
    if (items.empty() && others.size() == 1) return others[0];
    std::string all = items.empty() ? "" : "[" + items + "]";
    for (const std::string& other : others) all += (all.empty() ? "" : "|") + other;
    return "(?:" + all + ")";
  }
};

class Translator {
 public:
  explicit Translator(const std::string& pattern) : in_(pattern) {}

  std::string translate() {
    if (in_.size() > kLongestPattern) refuse("more than 65,536 bytes");
    alternatives(false, 0);
    if (!done()) refuse("')' without '('");
    return std::move(out_);
  }

 private:
  [[noreturn]] void refuse(std::string_view what) const {
    throw Error(ErrorCode::kUnsupported, "tokenizer: pattern '{}' has {} at byte {}, which is not supported",
                text::printable(in_, 200), text::printable(what, 60), at_);
  }
  [[noreturn]] void broken(std::string_view what) const {
    throw Error(ErrorCode::kFormat, "tokenizer: pattern '{}' {}", text::printable(in_, 200), what);
  }
  bool done() const { return at_ == in_.size(); }
  char peek(size_t ahead = 0) const { return at_ + ahead < in_.size() ? in_[at_ + ahead] : '\0'; }
  bool next_is(std::string_view text) const { return std::string_view(in_).substr(at_).starts_with(text); }
  bool take(std::string_view text) {
    if (!next_is(text)) return false;
    at_ += text.size();
    return true;
  }
  // The character at the cursor, which moves on.
  std::string_view character() {
    if (done()) broken("ends too early");
    const std::string_view rest = std::string_view(in_).substr(at_);
    const size_t size = text::valid_char_length(rest);
    if (size == 0) broken("is no UTF-8");
    at_ += size;
    return rest.substr(0, size);
  }
  static std::string literal(std::string_view character) {
    const char c = character[0];
    if (character.size() > 1 || is_letter(c) || is_digit(c) || c == ' ' || c == '_') return std::string(character);
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f)
      return fmt::format("\\x{{{:02X}}}", static_cast<unsigned char>(c));
    return {'\\', c};
  }

  // Up to the ')' of the group or the end.
  void alternatives(bool caseless, int depth) {
    if (depth > kDeepest) refuse("groups inside groups beyond 32 levels");
    char before = '\0';  // the literal that stands just before the cursor
    while (!done() && peek() != ')') {
      if (take("|")) {
        out_ += '|';
        before = '\0';
        continue;
      }
      if (at_ == 0 && take("(?i)")) {
        caseless = true;
        out_ += "(?i)";
        continue;
      }
      const size_t begin = out_.size();
      const bool repeatable = atom(caseless, depth, before);
      quantifier(begin, repeatable, before);
    }
  }

  // One thing that may be repeated. `before` is the literal in front of it, then the one that it is.
  bool atom(bool caseless, int depth, char& before) {
    const char last = std::exchange(before, '\0');
    const char c = peek();
    if (c == '(') return group(caseless, depth);
    if (c == '[') {
      ++at_;
      out_ += char_class(caseless, 0);
      return true;
    }
    if (c == '\\') return escape(caseless);
    if (c == '^' || c == '$') refuse(fmt::format("'{}'", c));
    if (c == '*' || c == '+' || c == '?') refuse(fmt::format("'{}' with nothing to repeat", c));
    if (c == '.') {
      ++at_;
      out_ += '.';
      return true;
    }
    const std::string_view one = character();
    check_fold(caseless, last, one);
    before = one.size() == 1 ? one[0] : '\0';
    out_ += literal(one);
    return true;
  }

  // Oniguruma folds "ss" to U+00DF and the like; PCRE2 folds single characters only.
  void check_fold(bool caseless, char last, std::string_view one) const {
    if (!caseless) return;
    if (one.size() > 1) refuse("a letter beyond ASCII without case");
    const char pair[] = {lower(last), lower(one[0]), '\0'};
    for (const char* folded : {"ss", "ff", "fi", "fl", "st"})
      if (std::string_view(pair) == folded) refuse(fmt::format("'{}' without case", folded));
  }

  bool group(bool caseless, int depth) {
    ++at_;
    bool look = false;
    if (!next_is("?")) {
      out_ += "(?:";  // nothing refers to groups
    } else if (take("?:")) {
      out_ += "(?:";
    } else if (take("?>")) {
      out_ += "(?>";
    } else {
      for (const char* start : {"?=", "?!", "?<=", "?<!"})
        if (!look && take(start)) {
          look = true;
          out_ += std::string("(") + start;
        }
      if (!look) caseless = options(caseless);
    }
    alternatives(caseless, depth + 1);
    if (!take(")")) broken("has '(' without ')'");
    out_ += ')';
    return !look;
  }

  // (?i: and (?m:, where m means what PCRE2 calls s.
  bool options(bool caseless) {
    const size_t begin = at_;
    ++at_;
    bool on = true;
    out_ += "(?";
    for (; peek() != ':'; ++at_) {
      if (peek() == '-' && on) {
        on = false;
        out_ += '-';
      } else if (peek() == 'i') {
        caseless = on;
        out_ += 'i';
      } else if (peek() == 'm') {
        out_ += 's';
      } else {
        at_ = begin;
        refuse("'(" + in_.substr(begin, 4) + "'");
      }
    }
    ++at_;
    out_ += ':';
    return caseless;
  }

  void quantifier(size_t begin, bool repeatable, char& before) {
    const char c = peek();
    bool interval = false;
    if (c == '*' || c == '+' || c == '?') {
      ++at_;
      out_ += c;
    } else if (c == '{') {
      const auto [least, most, length] = repeats();
      if (length == 0) return;  // a literal brace
      at_ += length;
      out_ += most == least ? fmt::format("{{{}}}", least)
              : most < 0    ? fmt::format("{{{},}}", least)
                            : fmt::format("{{{},{}}}", least, most);
      interval = true;
      if (most == least && peek() == '?') refuse("{n}?");
    } else {
      return;
    }
    if (!repeatable) refuse("a repeated look-around or boundary");
    before = '\0';
    if (take("?")) {
      out_ += '?';
    } else if (take("+")) {
      if (interval) {  // Oniguruma repeats the interval, PCRE2 would make it possessive
        out_.insert(begin, "(?:");
        out_ += ")";
      }
      out_ += '+';
    }
    if (const char more = peek(); more == '*' || more == '+' || more == '?' || (more == '{' && repeats().length > 0))
      refuse("a repeated repetition");
  }

  struct Repeats {
    int64_t least = 0, most = -1;  // most: -1 = any number
    size_t length = 0;             // bytes; 0 = no interval
  };
  Repeats repeats() const {
    size_t at = at_ + 1;
    const auto number = [&](int64_t& value) {
      const size_t from = at;
      for (value = 0; at < in_.size() && is_digit(in_[at]); ++at) {
        value = value * 10 + (in_[at] - '0');
        if (value > kMostRepeats) refuse("more than 1,000 repetitions");
      }
      return at > from;
    };
    Repeats result;
    const bool low = number(result.least);
    bool high = false;
    if (at < in_.size() && in_[at] == ',') {
      ++at;
      high = number(result.most);
      if (!high) result.most = -1;
      if (!low && !high) return {};
    } else {
      result.most = result.least;
      if (!low) return {};
    }
    if (at >= in_.size() || in_[at] != '}') return {};
    if (high && result.most < result.least) refuse("an interval whose end is below its beginning");
    result.length = at + 1 - at_;
    return result;
  }

  bool escape(bool caseless) {
    ++at_;
    const char c = peek();
    if (c == 'b' || c == 'B') {
      ++at_;
      out_ +=
          fmt::format("(?:(?<=[{0}])(?{1}[{0}])|(?<![{0}])(?{2}[{0}]))", kWords, c == 'b' ? '!' : '=', c == 'b' ? '=' : '!');
      return false;
    }
    if (c == 'A' || c == 'z') {
      ++at_;
      out_ += {'\\', c};
      return false;
    }
    if (const auto one = single_escape()) {
      check_fold(caseless, '\0', *one);
      out_ += literal(*one);
    } else {
      Set set;
      set_escape(caseless, false, set);
      out_ += set.pattern();
    }
    return true;
  }

  // The character that the escape after '\' stands for; nothing, with the cursor where it was, when it is none.
  std::optional<std::string> single_escape() {
    static const std::map<char, char> controls = {{'t', '\t'}, {'n', '\n'}, {'r', '\r'},  {'f', '\f'},
                                                  {'v', '\v'}, {'a', '\a'}, {'e', '\x1b'}};
    const char c = peek();
    if (const auto found = controls.find(c); found != controls.end()) {
      ++at_;
      return std::string(1, found->second);
    }
    if (c == 'x' || c == 'u') return code_escape(c);
    if (is_letter(c)) return std::nullopt;
    if (is_digit(c)) refuse("a number after '\\'");
    return std::string(character());
  }

  // \xHH of ASCII, \x{H...}, \uHHHH.
  std::string code_escape(char kind) {
    ++at_;
    const bool braces = kind == 'x' && take("{");
    const size_t most = braces ? 8 : kind == 'x' ? 2 : 4;
    uint32_t code = 0;
    size_t digits = 0;
    for (; digits < most && std::isxdigit(static_cast<unsigned char>(peek())) != 0; ++digits, ++at_)
      code = code << 4 | static_cast<uint32_t>(is_digit(peek()) ? peek() - '0' : lower(peek()) - 'a' + 10);
    if (digits == 0 || (kind == 'u' && digits != 4) || (braces && !take("}"))) refuse(fmt::format("this \\{}", kind));
    if (code > 0x10FFFF || (code >= 0xD800 && code < 0xE000) || (kind == 'x' && !braces && code > 0x7f))
      refuse(fmt::format("\\{} of a code that is no character", kind));
    utf8proc_uint8_t bytes[4];
    const auto size = utf8proc_encode_char(static_cast<utf8proc_int32_t>(code), bytes);
    return {reinterpret_cast<const char*>(bytes), static_cast<size_t>(size)};
  }

  // \d, \p{...} and the like into `set`.
  void set_escape(bool caseless, bool in_class, Set& set) {
    const char c = peek();
    if (c == 'p' || c == 'P') {
      ++at_;
      if (caseless) refuse("a property without case");
      set.items += property(c == 'P');
      return;
    }
    const char kind = lower(c);
    if (done() || (kind != 'd' && kind != 's' && kind != 'w' && kind != 'h')) refuse(fmt::format("\\{}", c));
    if (kind == 'w' && caseless) refuse("\\w without case");
    ++at_;
    const std::string_view items = kind == 'd'   ? R"(\p{Nd})"
                                   : kind == 's' ? kSpaces
                                   : kind == 'h' ? kHexDigits
                                   : in_class    ? kWordsInClass
                                                 : kWords;
    if (c == kind)
      set.items += items;
    else
      set.others.push_back(fmt::format("[^{}]", items));
  }

  std::string property(bool negative) {
    if (!take("{")) refuse("\\p without '{'");
    if (take("^")) negative = !negative;
    const size_t end = in_.find('}', at_);
    if (end == std::string::npos) broken("has '{' without '}'");
    std::string name;
    for (const char c : in_.substr(at_, end - at_)) {
      if (c == ' ' || c == '_' || c == '-') continue;
      if (!is_letter(c)) refuse("a property of this name");
      name += lower(c);
    }
    std::string written;
    if (const auto found = categories().find(name); found != categories().end())
      written = found->second;
    else if (!name.empty() && name != "assigned" && compiles("\\p{sc:" + name + "}"))
      written = "sc:" + name;  // without sc: PCRE2 means Script_Extensions
    else
      refuse(fmt::format("\\p{{{}}}", in_.substr(at_, end - at_)));
    at_ = end + 1;
    return fmt::format("\\{}{{{}}}", negative ? 'P' : 'p', written);
  }

  // From behind '[' to behind its ']'.
  std::string char_class(bool caseless, int depth) {
    if (depth > kDeepest) refuse("classes inside classes beyond 32 levels");
    const bool negative = take("^");
    std::vector<Set> sets(1);
    if (peek() == ']') refuse("']' at the beginning of a class");
    while (!take("]")) {
      if (done()) broken("has '[' without ']'");
      if (take("&&")) {
        if (sets.back().empty()) refuse("'&&' with nothing before it");
        sets.emplace_back();
      } else if (next_is("[:")) {
        refuse("a POSIX bracket");
      } else if (take("[")) {
        sets.back().others.push_back(char_class(caseless, depth + 1));
      } else {
        member(caseless, sets.back());
      }
    }
    if (sets.back().empty()) refuse("'&&' with nothing behind it");
    if (sets.size() == 1 && sets[0].others.empty()) return (negative ? "[^" : "[") + sets[0].items + "]";
    std::string all;
    if (sets.size() == 1) {
      all = sets[0].pattern();
    } else {
      for (const Set& set : sets) all += "(?=" + set.pattern() + ")";
      all = "(?:" + all + std::string(kAnyCharacter) + ")";
    }
    return negative ? "(?:(?!" + all + ")" + std::string(kAnyCharacter) + ")" : all;
  }

  // A character, a range or a set of a class.
  void member(bool caseless, Set& set) {
    const bool first = set.empty(), dash = peek() == '-';
    if (dash && !first && peek(1) != ']') refuse("'-' inside a class");
    std::optional<std::string> one = class_character();
    if (!one) {
      set_escape(caseless, true, set);
      if (peek() == '-' && peek(1) != ']') refuse("'-' behind a set");
      return;
    }
    if (caseless && one->size() > 1) refuse("a letter beyond ASCII without case");
    set.items += literal(*one);
    if (peek() != '-' || peek(1) == ']') return;
    if (dash) refuse("'-' at the beginning of a range");
    ++at_;
    if (peek() == '[' || next_is("&&")) refuse("'-' inside a class");
    const std::optional<std::string> last = class_character();
    if (!last) refuse("a set at the end of a range");
    if (caseless && last->size() > 1) refuse("a letter beyond ASCII without case");
    if (text::code_point(*last, last->size()) < text::code_point(*one, one->size())) refuse("a range that runs backwards");
    set.items += "-" + literal(*last);
  }

  std::optional<std::string> class_character() {
    if (!take("\\")) return std::string(character());
    if (take("b")) return "\b";
    return single_escape();
  }

  const std::string& in_;
  size_t at_ = 0;
  std::string out_;
};

}  // namespace

std::string to_pcre2(const std::string& pattern) { return Translator(pattern).translate(); }

}  // namespace sala::tokenizer
