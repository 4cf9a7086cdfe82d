#include "eval/study/answers.h"

#include <fmt/format.h>

#include <cctype>
#include <filesystem>
#include <set>

#include "eval/spec/record.h"
#include "eval/util/files.h"
#include "eval/util/json_fields.h"
#include "eval/util/process.h"
#include "sala/core/error.h"
#include "sim/text/json.h"
#include "sim/text/near.h"

namespace sala::eval {
namespace {

namespace fs = std::filesystem;

constexpr const char* kFamilyAnswers = "answers.jsonl.xz";
constexpr std::size_t kMostAnswers = std::size_t{1} << 30;  // bytes, unpacked: a small file may hold far more

struct Source {
  std::string file, run;  // run: empty where the file is of one
  std::string name;
  bool journal = false;  // of a run: every line has a checksum
};

bool is_folder(const std::string& path) {
  std::error_code ignored;
  return fs::is_directory(path, ignored);
}

Source find_source(const std::string& source) {
  Source found;
  std::string place = source;
  if (const std::size_t colon = source.rfind(':'); !fs::exists(source) && colon != std::string::npos) {
    place = source.substr(0, colon);
    found.run = source.substr(colon + 1);
  }
  if (!fs::exists(place)) throw Error(ErrorCode::kIo, "there is no {}", place);
  fs::path clean = fs::path(place).lexically_normal();
  if (!clean.has_filename()) clean = clean.parent_path();
  found.name = found.run.empty() ? clean.filename().string() : found.run;
  found.file = place;
  if (is_folder(place)) {
    found.file = place + (found.run.empty() ? "/samples.jsonl" : std::string("/") + kFamilyAnswers);
    if (!file_exists(found.file))
      throw Error(ErrorCode::kUsage,
                  "{} holds no {}; give the folder of a run, a file of samples, or FOLDER:RUN for a folder with {}", place,
                  fs::path(found.file).filename().string(), kFamilyAnswers);
  }
  found.journal = file_exists((fs::path(found.file).parent_path() / "run.json").string()) &&
                  fs::path(found.file).filename() == "samples.jsonl";
  return found;
}

// `sala-tiny` also means sala-tiny-4k and sala-tiny-1000k, but not sala-tiny-oracle-32k.
bool run_fits(const std::string& run, const std::string& wanted) {
  if (run == wanted) return true;
  if (run.rfind(wanted + "-", 0) != 0 || run.back() != 'k') return false;
  const std::string length = run.substr(wanted.size() + 1, run.size() - wanted.size() - 2);
  return !length.empty() && std::all_of(length.begin(), length.end(), [](unsigned char c) { return std::isdigit(c) != 0; });
}

}  // namespace

ScoredAnswers read_answers(const std::string& source) {
  const Source from = find_source(source);
  const bool packed = fs::path(from.file).extension() == ".xz";
  const std::string text = packed ? output_of({"xz", "-dc", "--", from.file}, kMostAnswers) : read_file(from.file);
  ScoredAnswers answers;
  answers.name = from.name;
  std::set<std::string> runs;
  int64_t number = 0;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    const std::string line = text.substr(begin, end - begin);
    begin = end + 1;
    ++number;
    if (line.empty()) continue;
    fields::Json json;
    if (text::read_json(line, json)) {
      if (end == text.size()) break;  // a kill tore the last line of a run
      throw Error(ErrorCode::kFormat, "{}: line {} is no JSON", from.file, number);
    }
    try {
      if (from.journal || json.contains("check")) (void)unsealed(line);
      if (json.is_object() && json.contains("run")) {
        const std::string run = fields::text(json, "run");
        runs.insert(run);
        if (!run_fits(run, from.run)) continue;
      }
      const SampleKey key{fields::text(json, "task"), fields::integer(json, "length"),
                          json.contains("id") ? fields::text(json, "id") : std::to_string(fields::integer(json, "index"))};
      const double score = fields::number(json, "score");
      if (!(score >= 0 && score <= 1)) throw Error(ErrorCode::kFormat, "field 'score' is {}, expected 0 to 1", score);
      answers.scores[key] = score;
    } catch (const Error& problem) {
      throw Error(problem.code(), "{}: line {}: {}", from.file, number, problem.what());
    }
  }
  if (answers.scores.empty() && !runs.empty())
    throw Error(ErrorCode::kUsage, "{} has no run '{}'{}; write FILE:RUN", from.file, from.run,
                text::near_it(from.run, {runs.begin(), runs.end()}));
  if (answers.scores.empty()) throw Error(ErrorCode::kUsage, "{} holds no samples", from.file);
  return answers;
}

}  // namespace sala::eval
