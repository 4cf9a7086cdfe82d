#include "tasks/text/match.h"

#include <cstdint>

namespace sala::tasks {
namespace {

// str.strip() of Python for the code points that occur: ASCII whitespace and the separators 0x1c-0x1f.
std::string_view strip(std::string_view text) {
  const auto space = [](unsigned char c) { return c == ' ' || (c >= 0x09 && c <= 0x0d) || (c >= 0x1c && c <= 0x1f); };
  while (!text.empty() && space(static_cast<unsigned char>(text.front()))) text.remove_prefix(1);
  while (!text.empty() && space(static_cast<unsigned char>(text.back()))) text.remove_suffix(1);
  return text;
}

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return out;
}

int64_t matches(std::string_view prediction, const std::vector<std::string>& references) {
  const std::string folded = lower(prediction);
  int64_t found = 0;
  for (const std::string& reference : references) found += folded.find(lower(reference)) != std::string::npos;
  return found;
}

}  // namespace

std::string postprocess_prediction(std::string_view prediction) {
  std::string text(strip(prediction));
  for (char& c : text)
    if (static_cast<unsigned char>(c) < 0x20) c = '\n';
  return std::string(strip(text));
}

double string_match_all(std::string_view prediction, const std::vector<std::string>& references) {
  if (references.empty()) return 0;
  return static_cast<double>(matches(postprocess_prediction(prediction), references)) / static_cast<double>(references.size());
}

double string_match_part(std::string_view prediction, const std::vector<std::string>& references) {
  return matches(postprocess_prediction(prediction), references) > 0 ? 1 : 0;
}

}  // namespace sala::tasks
