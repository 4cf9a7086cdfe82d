#include <algorithm>
#include <charconv>
#include <string>

#include "sala/core/error.h"
#include "sala/tasks/task.h"

namespace sala::tasks {
namespace {

constexpr int64_t kLongest = int64_t{1} << 40;

int64_t parse_one(std::string_view word) {
  const auto fail = [&] {
    return Error(ErrorCode::kUsage,
                 "length '{}' is not understood; write 4096, 4k, 1000k or 2m, lists 4k,128k, ranges 4k-2048k*2", word);
  };
  std::string_view digits = word;
  char unit = 0;
  if (!digits.empty() && (digits.back() < '0' || digits.back() > '9')) {
    unit = digits.back();
    digits.remove_suffix(1);
  }
  int64_t count = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), count);
  if (digits.empty() || error != std::errc() || end != digits.data() + digits.size() || count <= 0 || count > kLongest)
    throw fail();
  int64_t scale = 1;
  if (unit == 'k' || unit == 'K') {
    scale = count % 1000 == 0 ? 1000 : 1024;  // published columns: 1000k is decimal, 2048k is not
  } else if (unit == 'm' || unit == 'M') {
    scale = 1048576;
  } else if (unit != 0) {
    throw fail();
  }
  if (count > kLongest / scale) throw fail();
  return count * scale;
}

// The beginning of a list that is one number with its digits grouped, as in 131,072; empty where its first word is a length
// of its own. No length begins with 0, and no two lengths below 1,000 tokens are meant where they make a multiple of 1,024.
std::string_view grouped_number(std::string_view list) {
  const auto digits_at = [&](size_t at) {
    const std::string_view word = list.substr(at, list.find(',', at) - at);
    return word.size() <= 3 && word.find_first_not_of("0123456789") == std::string_view::npos ? word : std::string_view();
  };
  const std::string_view first = digits_at(0);
  if (first.empty() || first.size() == list.size()) return {};
  size_t end = first.size();
  while (end < list.size() && digits_at(end + 1).size() == 3) end += 4;
  if (end == first.size()) return {};
  const int64_t pair = 1000 * std::stoll(std::string(first)) + std::stoll(std::string(list.substr(first.size() + 1, 3)));
  return list[first.size() + 1] == '0' || pair % 1024 == 0 ? list.substr(0, end) : std::string_view();
}

}  // namespace

std::vector<int64_t> parse_lengths(const std::string& list) {
  std::vector<int64_t> lengths;
  const auto add = [&](int64_t length) {
    if (std::find(lengths.begin(), lengths.end(), length) == lengths.end()) lengths.push_back(length);
  };
  for (size_t begin = 0; begin <= list.size();) {
    const size_t end = std::min(list.find(',', begin), list.size());
    const std::string word = list.substr(begin, end - begin);
    begin = end + 1;
    if (const std::string_view grouped = grouped_number(std::string_view(list).substr(begin - word.size() - 1));
        !grouped.empty()) {
      std::string plain(grouped);
      std::erase(plain, ',');
      constexpr size_t kMostDigits = 12;
      const std::string named = plain.size() > kMostDigits ? plain : format_length(std::stoll(plain));
      throw Error(ErrorCode::kUsage, "length '{}' is not understood: commas stand between lengths; write {}{}", grouped,
                  plain, named == plain ? "" : " or " + named);
    }
    const size_t dash = word.find('-'), star = word.find('*');
    if (dash == std::string::npos) {
      add(parse_one(word));
      continue;
    }
    const int64_t first = parse_one(word.substr(0, dash));
    const int64_t last = parse_one(word.substr(dash + 1, star == std::string::npos ? std::string::npos : star - dash - 1));
    const int64_t factor = star == std::string::npos ? 2 : parse_one(word.substr(star + 1));
    if (factor < 2 || last < first ||
        word.find_first_of("kKmM", star == std::string::npos ? word.size() : star) != std::string::npos)
      throw Error(ErrorCode::kUsage,
                  "length range '{}' goes nowhere; write first-last*factor with a plain factor of at least 2", word);
    for (int64_t length = first;; length *= factor) {
      add(length);
      if (length > last / factor) break;
    }
  }
  return lengths;
}

std::string format_length(int64_t tokens) {
  if (tokens % 1024 == 0 && (tokens / 1024) % 1000 != 0) return std::to_string(tokens / 1024) + "k";
  if (tokens % 1000000 == 0) return std::to_string(tokens / 1000) + "k";
  return std::to_string(tokens);
}

}  // namespace sala::tasks
