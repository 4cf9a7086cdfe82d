#include "eval/score/score.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <set>
#include <utility>

#include "eval/score/line_scorer.h"
#include "eval/score/samples_check.h"
#include "eval/util/files.h"
#include "sala/core/error.h"
#include "sala/core/parallel.h"
#include "sim/text/files.h"
#include "sim/text/json.h"
#include "sim/text/utf8.h"

namespace sala::eval {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kBatchLines = 256, kBatchBytes = std::size_t{64} << 20;
constexpr std::size_t kMostNamed = 3;                      // problems in one sentence
constexpr int64_t kMostDocumentBytes = int64_t{64} << 20;  // NoLiMa's result files have some 10 kB

// Files as given; every *.jsonl below a folder, or every *.json where there is none, by name.
std::vector<std::string> files_of(const std::vector<std::string>& paths) {
  std::vector<std::string> files;
  for (const std::string& path : paths) {
    std::error_code error;
    if (!fs::is_directory(path, error)) {
      files.push_back(path);
      continue;
    }
    std::vector<std::string> found, documents;
    for (auto at = fs::recursive_directory_iterator(path, error); !error && at != fs::recursive_directory_iterator();
         at.increment(error))
      if (const fs::path ending = at->path().extension(); (ending == ".jsonl" || ending == ".json") && at->is_regular_file())
        (ending == ".json" ? documents : found).push_back(at->path().string());
    if (error) throw Error(ErrorCode::kIo, "cannot read the folder {}: {}", path, error.message());
    if (found.empty()) found.swap(documents);
    if (found.empty()) throw Error(ErrorCode::kUsage, "{} holds no *.jsonl and no *.json", path);
    std::sort(found.begin(), found.end());
    files.insert(files.end(), found.begin(), found.end());
  }
  return files;
}

struct Line {
  int64_t number = 0;
  std::string text;
};

struct Outcome {
  const tasks::Task* task = nullptr;
  PredictionFormat format = PredictionFormat::kRuler;
  std::optional<SampleRecord> record;
  std::optional<int64_t> index;
  std::string key, filter, problem;
  std::vector<std::string> warnings;
  bool skipped = false;
};

class Scoring {
 public:
  explicit Scoring(const ScoreRequest& request) : request_(request), scorer_(request) {}

  void add_file(const std::string& path) {
    LineReader in(path);
    made_.files.push_back({path, PredictionFormat::kRuler, 0, 0, 0});
    file_known_ = request_.format.has_value();
    context_ = {request_.format.value_or(PredictionFormat::kRuler), file_task(path), request_.bins};
    file_filter_.reset();
    check_.begin_file(path);
    std::vector<Line> batch;
    std::size_t bytes = 0;
    bool first = true;
    for (std::string text; in.next(text);) {
      if (in.number() == 1) text.erase(0, text.size() - text::without_byte_order_mark(text).size());
      if (text.find_first_not_of(" \t\r") == std::string::npos) continue;
      if (std::exchange(first, false) && add_document(path, text)) return;
      bytes += text.size();
      batch.push_back({in.number(), std::move(text)});
      if (batch.size() < kBatchLines && bytes < kBatchBytes) continue;
      add_batch(std::move(batch));
      batch.clear();
      bytes = 0;
    }
    add_batch(std::move(batch));
    if (made_.files.back().lines == 0) problem(path + ": the file is empty");
  }

  Scored finish() {
    check_.finish(made_.records, made_.problems, made_.warnings);
    if (made_.records.empty())
      throw Error(ErrorCode::kFormat, "no prediction could be scored{}",
                  made_.problems.empty() ? "; nothing there is of the tasks asked for" : ": " + first_problems());
    made_.own_tasks = scorer_.own_tasks();
    made_.cells = check_.cells(made_.records, tasks_);
    made_.sources = check_.sources();
    return std::move(made_);
  }

 private:
  std::string first_problems() const {
    const std::vector<std::string>& all = made_.problems;
    const std::size_t named = std::min(all.size(), kMostNamed);
    const std::string more = named < all.size() ? fmt::format("; and {} more", all.size() - named) : "";
    return fmt::format("{}{}", fmt::join(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(named), "; "), more);
  }

  // Whether the file is no JSON lines, by its first line: then it is one of NoLiMa's result files, or a problem.
  bool add_document(const std::string& path, std::string first_line) {
    const auto refuse = [&](const std::string& why) {
      problem(path + ": " + why);
      return true;
    };
    if (const std::string_view packing = text::packing(first_line); !packing.empty())
      return refuse(fmt::format("packed ({}); JSON lines are expected", packing));
    std::string why = text::why_no_json_lines(first_line);
    if (!why.empty() && first_line[first_line.find_first_not_of(" \t\r")] == '[') return refuse(why);
    fields::Json document;
    std::vector<std::string> notes;
    try {
      if (why.empty() && !is_nolima_results(parse_json_line(first_line, notes))) return false;
      if (why.empty()) why = "one of NoLiMa's result files, and something behind it";
      std::string text = text::read_file(path, kMostDocumentBytes);
      document = parse_json_line(text, notes);
    } catch (const Error&) {
      if (why.empty()) return false;  // a broken line, which is said as one
    }
    if (!is_nolima_results(document)) return refuse(why);
    std::vector<Line> batch;
    try {
      for (const fields::Json& record : nolima_records(document))
        batch.push_back({static_cast<int64_t>(batch.size()) + 1, text::write_json(record)});
    } catch (const Error& error) {
      return refuse(error.what());
    }
    if (batch.empty()) return refuse("'results' is empty");
    add_batch(std::move(batch));
    return true;
  }

  void problem(std::string sentence) { made_.problems.push_back(std::move(sentence)); }

  std::string file_task(const std::string& path) const {
    std::string named = task_of_file(path);
    if (named.empty() && request_.tasks.size() == 1) named = request_.tasks[0]->name();
    return named;
  }

  // The first line that is a JSON object decides. False when none does: then the file has a problem.
  bool recognise(const std::vector<Line>& batch) {
    std::vector<std::string> notes;  // said when the line is scored
    const std::string& path = made_.files.back().path;
    for (const Line& line : batch) {
      try {
        std::string text = line.text;
        const fields::Json json = parse_json_line(text, notes);
        const std::optional<PredictionFormat> format = detect_format(json);
        if (!format) {
          std::vector<std::string> names;
          for (const auto& [name, value] : json.items())
            if (names.size() < 8) names.push_back(fields::shown(name));
          problem(fmt::format("{}:{}: no known format of predictions; the fields are {}; --format names one", path,
                              line.number, fmt::join(names, ", ")));
          return false;
        }
        context_.format = *format;
        return true;
      } catch (const Error& error) {
        problem(fmt::format("{}:{}: {}", path, line.number, error.what()));
      }
    }
    return false;
  }

  void add_batch(std::vector<Line> batch) {
    if (batch.empty()) return;
    ScoredFile& file = made_.files.back();
    file.lines += static_cast<int64_t>(batch.size());
    if (!file_known_) {
      const std::size_t before = made_.problems.size();
      file_known_ = recognise(batch);
      if (!file_known_) return;
      batch.erase(batch.begin(), batch.begin() + static_cast<std::ptrdiff_t>(made_.problems.size() - before));
    }
    file.format = context_.format;
    std::vector<Outcome> outcomes(batch.size());
    parallel_for(static_cast<int64_t>(batch.size()), [&](int64_t i, int) {
      outcomes[static_cast<std::size_t>(i)] = score_line(batch[static_cast<std::size_t>(i)].text);
    });
    for (std::size_t i = 0; i < batch.size(); ++i) take(batch[i].number, std::move(outcomes[i]));
  }

  Outcome score_line(std::string& text) {
    Outcome outcome;
    try {
      std::vector<std::string> notes;
      const fields::Json json = parse_json_line(text, notes);
      LineContext context = context_;
      // A file may mix formats; a line of none is measured by the file's, whose fields it then lacks.
      if (!request_.format) context.format = detect_format(json).value_or(context_.format);
      Prediction prediction = parse_prediction(text, json, context);
      outcome.format = context.format;
      if (prediction.task.empty())
        throw Error(ErrorCode::kFormat, "nothing says which task this is; name the file TASK.jsonl or give one --task");
      const tasks::Task& task = scorer_.find_task(prediction.task, prediction.id);
      outcome.task = &task;
      outcome.skipped = !scorer_.wanted(task);
      if (outcome.skipped) return outcome;
      outcome.key = prediction.key;
      outcome.filter = prediction.filter;
      outcome.index = prediction.index;
      outcome.warnings = std::move(prediction.warnings);
      outcome.warnings.insert(outcome.warnings.end(), notes.begin(), notes.end());
      const std::optional<double> stored = prediction.stored_score;
      outcome.record = scorer_.score(task, std::move(prediction));
      if (stored && *stored != outcome.record->score)
        outcome.warnings.push_back(fmt::format("scores {}, the line says {}", outcome.record->score, *stored));
    } catch (const Error& error) {
      if (error.code() == ErrorCode::kIo) throw;
      outcome.problem = error.what();
    } catch (const std::bad_alloc&) {
      outcome.problem = "the sample does not fit into memory";
    }
    return outcome;
  }

  void take(int64_t number, Outcome outcome) {
    ScoredFile& file = made_.files.back();
    const std::string place = fmt::format("{}:{}", file.path, number);
    if (outcome.skipped) {
      ++file.skipped;
      return;
    }
    if (!outcome.problem.empty()) return problem(fmt::format("{}: {}", place, outcome.problem));
    if (!file_filter_) file_filter_ = outcome.filter;
    if (outcome.filter != *file_filter_) {
      ++file.skipped;
      return;
    }
    if (const std::string twin =
            check_.add(outcome.format, *outcome.task, *outcome.record, outcome.key, outcome.index, place);
        !twin.empty())
      return problem(fmt::format("{}: the sample of {} again; the first one counts", place, twin));
    for (const std::string& warning : outcome.warnings) made_.warnings.push_back(fmt::format("{}: {}", place, warning));
    ++file.scored;
    tasks_.emplace(outcome.record->task, outcome.task);
    made_.records.push_back(std::move(*outcome.record));
    made_.places.push_back(place);
  }

  const ScoreRequest& request_;
  LineScorer scorer_;
  SamplesCheck check_{request_};
  Scored made_;
  std::map<std::string, const tasks::Task*> tasks_;  // of the records, by name
  LineContext context_;
  bool file_known_ = false;
  std::optional<std::string> file_filter_;
};

}  // namespace

std::string sample_lines(const Scored& scored) {
  std::string lines;
  for (std::size_t i = 0; i < scored.records.size(); ++i) {
    const SampleRecord& record = scored.records[i];
    fields::Json line = {{"task", record.task}, {"length", record.length}, {"index", record.index}, {"score", record.score}};
    if (!record.id.empty()) line["id"] = record.id;
    line["place"] = scored.places[i];
    for (const auto& [name, value] : record.diagnostics) line["diagnostics"][name] = value;
    lines += text::write_json(line) + "\n";
  }
  return lines;
}

Scored score_predictions(const ScoreRequest& request) {
  Scoring scoring(request);
  for (const std::string& path : files_of(request.paths)) scoring.add_file(path);
  return scoring.finish();
}

}  // namespace sala::eval
