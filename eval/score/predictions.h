// Answers that some program wrote down, one JSON object a line, in the formats of the benchmarks and of evaluation harnesses
// (docs/file_formats.md, "Predictions").
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "eval/util/json_fields.h"
#include "sala/tasks/task.h"
#include "tasks/nolima/metrics.h"

namespace sala::eval {

enum class PredictionFormat { kRuler, kLmEval, kSala, kNolima, kMrcr };
inline constexpr PredictionFormat kPredictionFormats[] = {PredictionFormat::kRuler, PredictionFormat::kLmEval,
                                                          PredictionFormat::kSala, PredictionFormat::kNolima,
                                                          PredictionFormat::kMrcr};
std::string_view format_name(PredictionFormat format);  // `ruler`, `lm-eval`, `sala`, `nolima`, `mrcr`
std::optional<PredictionFormat> format_of_name(std::string_view name);
// By the fields of a line; empty when it is none of them.
std::optional<PredictionFormat> detect_format(const fields::Json& line);

struct Prediction {
  std::string task;    // as the registry names it, or one of files only (line_scorer.h); empty = the line does not say
  int64_t length = 0;  // that the task was asked for; 0 = the line does not say
  int64_t tokens = 0;  // prompt and answer budget of this sample; 0 = the line does not say
  std::string id;      // of a sample of ours; empty when the line has none
  std::string key;     // the same for lines about the same sample; unique within task and length
  std::optional<int64_t> index;  // counts the samples of a task and length (lm-eval: of a file) from 0
  std::string filter;            // of lm-eval, which writes a line for each: only the first one of a file is scored
  std::string response;
  std::vector<std::string> references;        // empty = the sample has to be made again from its id
  std::vector<tasks::Evidence> evidence;      // depth, key and value; token places only where the line has them
  std::string chat;                           // in its plain rendering, without which MRCR's figures cannot be had
  std::vector<tasks::Turn> turns;             // of it
  std::optional<tasks::NolimaMetric> metric;  // that a NoLiMa record asks for
  std::vector<std::string> kinds;             // of sample (`onehop`, `inverted_order`), whose means are shown too
  std::optional<double> stored_score;         // 0..1, that the line says it has
  std::vector<std::string> warnings;          // sentences; the line is scored all the same
};

struct LineContext {
  PredictionFormat format = PredictionFormat::kRuler;
  std::string file_task;            // that the name of the file says, or --task; may be empty
  const Tokenizer* bins = nullptr;  // counts the tokens of MRCR rows; null = what the rows say
};

// Parses one line. What only Python's json module reads is made standard in `line` (python_json.h), and said in `notes`
// where it changes a text. Throws Error{kFormat} with one sentence.
fields::Json parse_json_line(std::string& line, std::vector<std::string>& notes);
Prediction parse_prediction(const std::string& line, const fields::Json& json, const LineContext& context);

// One of NoLiMa's own result files: a document with the depths of one test. Its records have the fields of a NoLiMa line.
// Throws Error{kFormat}.
bool is_nolima_results(const fields::Json& document);
std::vector<fields::Json> nolima_records(const fields::Json& document);

// Task that a file is named after: `vt.jsonl`, `vt-3.jsonl` (a chunk), `samples_ruler_qa_squad_2025-06-01T....jsonl`; empty
// when it is no task's name.
std::string task_of_file(const std::string& path);

}  // namespace sala::eval
