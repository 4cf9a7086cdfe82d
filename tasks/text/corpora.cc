#include "sala/tasks/corpora.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "sala/core/error.h"
#include "sala/core/rng.h"
#include "sala/core/sha256.h"
#include "sim/text/files.h"
#include "sim/text/json.h"
#include "sim/text/utf8.h"
#include "tasks/text/corpora_files.h"
#include "tasks/text/sentences.h"
#include "tasks/text/unicode.h"

namespace sala::tasks {
namespace {

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
constexpr size_t kLongestWord = 256;  // bytes

int64_t line_of(std::string_view text, size_t byte) {
  return 1 + std::count(text.begin(), text.begin() + static_cast<int64_t>(std::min(byte, text.size())), '\n');
}

void check_utf8(const TextFile& file) {
  const std::string_view text = file.text();
  const size_t valid = text::valid_prefix(text), nul = text.find('\0'), at = std::min(valid, nul);
  if (at < text.size())
    throw Error(ErrorCode::kFormat, "{} file {}: line {} (byte {}) {}", file.role, file.path, line_of(text, at), at,
                at == nul ? "holds a NUL byte: this is no text file" : "is not UTF-8");
}

bool looks_like_json(std::string_view text) {
  const std::string_view body = strip_whitespace(text);
  return body.starts_with('{') || body.starts_with('[');
}

template <class Json>
Json parse_as(const TextFile& file) {
  const std::string_view text = file.text();
  Json value;
  const auto problem = text::read_json(text, value);
  if (problem && problem->syntax)
    throw Error(ErrorCode::kFormat, "{} file {}: no valid JSON at line {} (byte {} of {})", file.role, file.path,
                line_of(text, problem->byte), problem->byte, text.size());
  if (problem) throw Error(ErrorCode::kFormat, "{} file {}: {}", file.role, file.path, problem->what);
  return value;
}

std::string text_of(const nlohmann::json& value, const TextFile& file, const std::string& where) {
  if (!value.is_object() || !value.contains("text") || !value["text"].is_string())
    throw Error(ErrorCode::kFormat, "essay file {}: {} is not an object with a string \"text\"", file.path, where);
  return value["text"].get<std::string>();
}

}  // namespace

std::string_view TextFile::text() const {
  std::string_view view = bytes;
  if (view.starts_with(kByteOrderMark)) view.remove_prefix(kByteOrderMark.size());
  return view;
}

TextFile read_text_file(const std::string& role, const std::string& path) {
  TextFile file{role, path, {}};
  try {
    file.bytes = text::read_file(path);
  } catch (const Error& error) {
    throw Error(error.code(), "{} file: {}", role, error.what());
  }
  if (file.text().starts_with("version https://git-lfs"))
    throw Error(ErrorCode::kFormat, "{} file {} is a Git LFS pointer, not the data; fetch it with `git lfs pull`", role,
                path);
  check_utf8(file);
  return file;
}

nlohmann::json parse_json(const TextFile& file) { return parse_as<nlohmann::json>(file); }

std::vector<std::string> parse_word_lines(const TextFile& file) {
  std::vector<std::string> words;
  const std::string_view text = file.text();
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = std::min(text.find('\n', begin), text.size());
    const std::string_view word = strip_whitespace(text.substr(begin, end - begin));
    if (word.size() > kLongestWord)
      throw Error(ErrorCode::kFormat, "{} file {}: line {} has {} bytes; one word a line is expected", file.role, file.path,
                  line_of(text, begin), word.size());
    if (!word.empty()) words.emplace_back(word);
    begin = end + 1;
  }
  if (words.empty()) throw Error(ErrorCode::kFormat, "{} file {} holds no words", file.role, file.path);
  return words;
}

std::vector<std::string> parse_english_words(const TextFile& file) {
  if (!looks_like_json(file.text())) return parse_word_lines(file);
  const auto json = parse_as<nlohmann::ordered_json>(file);  // the file's order is the list's order
  if (!json.is_object())
    throw Error(ErrorCode::kFormat, "english file {} is JSON, but no object whose values are the words", file.path);
  std::vector<std::string> words;
  for (const auto& [key, value] : json.items()) {
    if (!value.is_string() || value.get_ref<const std::string&>().empty() ||
        value.get_ref<const std::string&>().size() > kLongestWord)
      throw Error(ErrorCode::kFormat, "english file {}: the value of \"{}\" is no word of 1 to {} bytes", file.path,
                  key.substr(0, kLongestWord), kLongestWord);
    words.push_back(value.get<std::string>());
  }
  if (words.empty()) throw Error(ErrorCode::kFormat, "english file {} holds no words", file.path);
  return words;
}

std::string parse_essay(const TextFile& file) {
  if (!looks_like_json(file.text())) return std::string(file.text());
  const std::string_view text = file.text();
  std::vector<std::string_view> lines;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = std::min(text.find('\n', begin), text.size());
    if (!strip_whitespace(text.substr(begin, end - begin)).empty()) lines.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  nlohmann::json json;
  const bool first_line_is_json = !text::read_json(lines.front(), json);
  if (lines.size() == 1 || !first_line_is_json) return text_of(parse_json(file), file, "the file");
  std::string joined;
  for (size_t i = 0; i < lines.size(); ++i) {
    const auto line = static_cast<size_t>(lines[i].data() - text.data());
    if (const auto problem = text::read_json(lines[i], json))
      throw Error(ErrorCode::kFormat, "essay file {}: line {} {}", file.path, line_of(text, line),
                  problem->syntax ? "is no valid JSON" : ": " + problem->what);
    joined += (i ? " " : "") + text_of(json, file, fmt::format("line {}", line_of(text, line)));
  }
  return joined;
}

std::unique_ptr<const Corpora> load_corpora(const CorporaPaths& paths, const std::vector<CorpusFile>& others) {
  auto corpora = std::make_unique<Corpora>();
  std::string identity;
  const auto read = [&](const std::string& role, const std::string& path) {
    TextFile file = read_text_file(role, path);
    corpora->files.push_back({role, path, sha256_hex(file.bytes), static_cast<int64_t>(file.bytes.size())});
    identity += role + "=" + corpora->files.back().sha256 + ";";
    return file;
  };
  if (!paths.essay.empty()) {
    corpora->essay_text = collapse_whitespace(parse_essay(read("essay", paths.essay)));
    const std::string_view text = corpora->essay_text;
    if (strip_whitespace(text).empty()) throw Error(ErrorCode::kFormat, "essay file {} holds no text", paths.essay);
    for (size_t begin = 0; begin <= text.size();) {
      const size_t end = std::min(text.find(' ', begin), text.size());
      corpora->essay_words.push_back(text.substr(begin, end - begin));
      begin = end + 1;
    }
    corpora->essay_sentences = split_sentences(strip_whitespace(text));
  }
  const auto list = [&](const std::string& role, const std::string& path, const char* name,
                        std::vector<std::string>& words) {
    const std::string chosen = !path.empty()         ? path
                               : paths.words.empty() ? ""
                                                     : (std::filesystem::path(paths.words) / name).string();
    if (chosen.empty() || (path.empty() && !std::filesystem::exists(chosen))) return false;
    words = parse_word_lines(read(role, chosen));
    return true;
  };
  const bool nouns = list("nouns", paths.nouns, "nounlist.txt", corpora->nouns);
  const bool adjectives = list("adjectives", paths.adjectives, "adjectivelist.txt", corpora->adjectives);
  const bool verbs = list("verbs", paths.verbs, "verblist.txt", corpora->verbs);
  if (!paths.words.empty() && !nouns && !adjectives && !verbs)
    throw Error(ErrorCode::kIo, "{} holds none of nounlist.txt, adjectivelist.txt, verblist.txt", paths.words);
  if (!paths.english.empty()) corpora->english = parse_english_words(read("english", paths.english));
  if (!paths.squad.empty()) corpora->squad = parse_squad(read("squad", paths.squad));
  if (!paths.hotpotqa.empty()) corpora->hotpotqa = parse_hotpotqa(read("hotpotqa", paths.hotpotqa));
  for (const CorpusFile& file : others) {
    corpora->files.push_back(file);
    identity += file.role + "=" + file.sha256 + ";";
  }
  if (!identity.empty()) corpora->hash = fmt::format("{:016x}", stable_hash(identity));
  return corpora;
}

}  // namespace sala::tasks
