#include "sala/tasks/corpora.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <utility>

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

// By its name, or because it begins as JSON does: prose may begin with a bracket too.
bool is_json(const TextFile& file) {
  for (const std::string_view ending : {".json", ".jsonl", ".ndjson"})
    if (file.path.ends_with(ending)) return true;
  const auto behind = [](std::string_view text, char open) {
    return text.starts_with(open) ? strip_whitespace(text.substr(1)) : std::string_view();
  };
  const std::string_view body = strip_whitespace(file.text());
  if (behind(body, '{').starts_with('"') || behind(behind(body, '['), '{').starts_with('"')) return true;
  return behind(body, '[').starts_with('"') && body.ends_with(']');
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

}  // namespace

std::string_view TextFile::text() const { return text::without_byte_order_mark(bytes); }

TextFile read_text_file(const std::string& role, const std::string& path, int64_t most_bytes) {
  TextFile file{role, path, {}};
  try {
    file.bytes = text::read_file(path, most_bytes);
  } catch (const Error& error) {
    throw Error(error.code(), "{} file: {}", role, error.what());
  }
  if (const std::string_view packing = text::packing(file.bytes); !packing.empty())
    throw Error(ErrorCode::kFormat, "{} file {} is packed ({}); unpack it first", role, path, packing);
  if (file.text().starts_with("version https://git-lfs"))
    throw Error(ErrorCode::kFormat, "{} file {} is a Git LFS pointer, not the data; fetch it with `git lfs pull`", role,
                path);
  check_utf8(file);
  return file;
}

nlohmann::json parse_json(const TextFile& file) { return parse_as<nlohmann::json>(file); }

std::vector<text::JsonRow> parse_json_rows(const TextFile& file) {
  std::vector<text::JsonRow> rows;
  text::read_json_rows(
      file.text(), [&](int64_t, text::JsonRow row) { rows.push_back(std::move(row)); },
      [&](int64_t number, std::string_view, const text::JsonProblem& problem) {
        if (rows.empty()) parse_json(file);  // says where in the document the mistake is
        throw Error(ErrorCode::kFormat, "{} file {}: line {}{}", file.role, file.path, number,
                    problem.syntax ? " is no valid JSON" : ": " + problem.what);
      });
  if (rows.empty()) parse_json(file);  // an empty list, or no JSON at all
  return rows;
}

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
  if (!is_json(file)) return parse_word_lines(file);
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
  if (!is_json(file)) return std::string(file.text());
  std::string joined;
  const std::vector<text::JsonRow> rows = parse_json_rows(file);
  for (const auto& [where, value] : rows) {
    if (!value.is_object() || !value.contains("text") || !value["text"].is_string())
      throw Error(ErrorCode::kFormat, "essay file {}: {} is not an object with a string \"text\"", file.path, where);
    joined += (&value == &rows[0].value ? "" : " ") + value["text"].get<std::string>();
  }
  return joined;
}

std::vector<std::string_view> parse_sentences(const TextFile& file, std::string_view essay) {
  std::vector<std::string> given;
  if (is_json(file)) {
    for (const auto& [where, value] : parse_json_rows(file)) {
      if (!value.is_string()) throw Error(ErrorCode::kFormat, "sentences file {}: {} is no text", file.path, where);
      given.push_back(value.get<std::string>());
    }
  } else {
    const std::string_view text = file.text();
    for (size_t begin = 0; begin < text.size();) {
      const size_t end = std::min(text.find('\n', begin), text.size());
      given.emplace_back(text.substr(begin, end - begin));
      begin = end + 1;
    }
  }
  constexpr size_t kShown = 40;
  std::vector<std::string_view> sentences;
  size_t at = 0;
  for (size_t i = 0; i < given.size(); ++i) {
    const std::string whole = collapse_whitespace(given[i]);
    const std::string_view sentence = strip_whitespace(whole);
    if (sentence.empty()) continue;
    if (at < essay.size() && essay[at] == ' ') ++at;
    if (essay.substr(at, sentence.size()) != sentence)
      throw Error(ErrorCode::kFormat, "sentences file {}: sentence {} is '{}', but the essay goes on with '{}'", file.path,
                  i + 1, text::with_replacements(sentence.substr(0, kShown)),
                  text::with_replacements(essay.substr(std::min(at, essay.size()), kShown)));
    sentences.push_back(essay.substr(at, sentence.size()));
    at += sentence.size();
  }
  if (at < essay.size())
    throw Error(ErrorCode::kFormat, "sentences file {} ends where the essay goes on with '{}' (byte {} of {})", file.path,
                text::with_replacements(essay.substr(at, kShown)), at, essay.size());
  return sentences;
}

std::unique_ptr<const Corpora> load_corpora(const CorporaPaths& paths, const std::vector<CorpusFile>& others) {
  auto corpora = std::make_unique<Corpora>();
  std::string identity;
  const auto read = [&](const std::string& role, const std::string& path, int64_t most_bytes = text::kMostFileBytes) {
    TextFile file = read_text_file(role, path, most_bytes);
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
    if (paths.sentences.empty()) corpora->essay_sentences = split_sentences(strip_whitespace(text));
  }
  if (!paths.sentences.empty()) {
    if (paths.essay.empty()) throw Error(ErrorCode::kUsage, "--sentences splits the text of --corpus; give both");
    corpora->essay_sentences = parse_sentences(read("sentences", paths.sentences), strip_whitespace(corpora->essay_text));
    corpora->own_sentences = true;
  }
  const auto list = [&](const std::string& role, const std::string& path, const char* name,
                        std::vector<std::string>& words) {
    std::error_code ignored;
    const std::string chosen = !path.empty()         ? path
                               : paths.words.empty() ? ""
                                                     : (std::filesystem::path(paths.words) / name).string();
    if (chosen.empty() || (path.empty() && !std::filesystem::exists(chosen, ignored))) return false;
    words = parse_word_lines(read(role, chosen, kMostWordListBytes));
    return true;
  };
  const bool nouns = list("nouns", paths.nouns, "nounlist.txt", corpora->nouns);
  const bool adjectives = list("adjectives", paths.adjectives, "adjectivelist.txt", corpora->adjectives);
  const bool verbs = list("verbs", paths.verbs, "verblist.txt", corpora->verbs);
  if (!paths.words.empty() && !nouns && !adjectives && !verbs)
    throw Error(ErrorCode::kIo, "{} holds none of nounlist.txt, adjectivelist.txt, verblist.txt", paths.words);
  if (!paths.english.empty()) corpora->english = parse_english_words(read("english", paths.english, kMostWordListBytes));
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
