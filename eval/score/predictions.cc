#include "eval/score/predictions.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <utility>

#include "eval/score/python_json.h"
#include "eval/spec/record.h"
#include "sala/core/error.h"
#include "sala/core/rng.h"
#include "sala/tasks/user_files.h"
#include "sim/text/json.h"
#include "sim/text/printable.h"
#include "tasks/mrcr/mrcr.h"
#include "tasks/mrcr/rows.h"

namespace sala::eval {
namespace {

using namespace fields;

constexpr std::array<std::string_view, 5> kFormatNames = {"ruler", "lm-eval", "sala", "nolima", "mrcr"};

// Null is as good as absent: tables that are written as JSON have it in empty cells.
bool has(const Json& object, const char* name) {
  return object.is_object() && object.contains(name) && !object[name].is_null();
}

bool has_response(const Json& line) { return line.is_object() && (line.contains("pred") || line.contains("response")); }

bool is_task(std::string_view name) {
  const auto& all = tasks::all_tasks();
  return std::any_of(all.begin(), all.end(), [&](const tasks::Task* task) { return task->name() == name; });
}

bool hides_answers(const std::string& name) {
  const tasks::Task* task = tasks::find_task(name);
  return task != nullptr && task->traits().hides_answers;
}

// Text, or a list whose first text counts (servers that return several answers; lm-eval's lists of lists).
std::string first_text(const Json& value, const char* name) {
  const Json* inner = &value;
  for (int depth = 0; inner->is_array() && depth < 3; ++depth) {
    if (inner->empty()) return "";  // as upstream: no answer is an empty one
    inner = &(*inner)[0];
  }
  if (!inner->is_string()) throw Error(ErrorCode::kFormat, "field '{}' is {}, expected text", name, shown(*inner));
  return inner->get<std::string>();
}

std::string response_of(const Json& line) {
  const bool answered = has(line, "response") || (line.contains("response") && !has(line, "pred"));
  const char* name = answered ? "response" : "pred";
  return first_text(field(line, name), name);
}

// An empty reference is in every answer, so that it would give full marks to all.
std::vector<std::string> checked(std::vector<std::string> references, const char* name) {
  if (references.empty()) throw Error(ErrorCode::kFormat, "field '{}' is empty, expected the reference answers", name);
  if (std::any_of(references.begin(), references.end(), text::is_blank))
    throw Error(ErrorCode::kFormat, "field '{}' holds an empty reference answer", name);
  return references;
}

// Upstream reads `outputs`, or else the one text in `output`.
std::vector<std::string> references_of(const Json& object) {
  if (has(object, "outputs")) return checked(texts(object, "outputs"), "outputs");
  if (has(object, "output")) return checked({text(object, "output")}, "output");
  return {};
}

// Evidence spans as `generate` writes them; else, in needle tasks, the places of the answers in the prompt, in bytes.
std::vector<tasks::Evidence> evidence_of(const Json& object, const std::string& task,
                                         const std::vector<std::string>& references) {
  std::vector<tasks::Evidence> evidence;
  if (has(object, "evidence")) {
    for (const Json& span : list(object, "evidence"))
      evidence.push_back({integer(span, "token_begin"), integer(span, "token_end"), number(span, "depth"), text(span, "key"),
                          text(span, "value")});
    return evidence;
  }
  if (!hides_answers(task) || !has(object, "input") || !object["input"].is_string()) return {};
  const std::string& input = object["input"].get_ref<const std::string&>();
  for (const std::string& reference : references) {
    const std::size_t at = input.find(reference);
    if (at != std::string::npos && !reference.empty())
      evidence.push_back({0, 0, static_cast<double>(at) / static_cast<double>(input.size()), "", reference});
  }
  return evidence;
}

// What an id says; the task that the file says must agree.
void read_id(const std::string& id, Prediction& made) {
  const tasks::SampleId parsed = tasks::parse_sample_id(id);
  if (!made.task.empty() && made.task != parsed.task)
    throw Error(ErrorCode::kFormat, "id '{}' belongs to {}, this file to {}", id, parsed.task, made.task);
  made.id = id;
  made.key = id;
  made.task = parsed.task;
  made.length = parsed.request.length;
  made.index = parsed.request.index;
}

int64_t optional_tokens(const Json& object, const char* name) {
  const std::optional<int64_t> tokens = has(object, name) ? text::whole_number(object[name]) : std::nullopt;
  return std::max<int64_t>(0, tokens.value_or(0));  // upstream writes -1 where it does not know
}

std::string hash_of_prompt(const Json& object, const std::vector<std::string>& references) {
  std::string all = has(object, "input") && object["input"].is_string() ? object["input"].get<std::string>() : "";
  for (const std::string& reference : references) all += '\n' + reference;
  return hash_hex(stable_hash(all));
}

Prediction parse_ruler(const Json& line, const LineContext& context) {
  Prediction made;
  made.task = has(line, "task") ? text(line, "task") : context.file_task;
  made.response = response_of(line);
  made.references = references_of(line);
  if (has(line, "id")) read_id(text(line, "id"), made);
  made.evidence = evidence_of(line, made.task, made.references);
  if (has(line, "max_length")) made.length = integer(line, "max_length", 1);
  made.tokens = optional_tokens(line, "length");
  if (!made.id.empty()) return made;
  const int64_t index = integer(line, "index");
  // Upstream's needle tasks write the character offset of the answer as the index, so that samples may share one.
  if (!hides_answers(made.task)) made.index = index;
  made.key = fmt::format("{}/{}", index, hash_of_prompt(line, made.references));
  return made;
}

Prediction parse_lm_eval(const Json& line, const LineContext& context) {
  const Json& doc = field(line, "doc");
  Prediction made;
  made.task = context.file_task;
  // filtered_resps: [text]; resps: [[text, ...]], the repeats of one prompt, of which the first counts.
  const char* name = has(line, "filtered_resps") ? "filtered_resps" : "resps";
  made.response = first_text(field(line, name), name);
  made.references = references_of(doc);
  if (made.references.empty() && has(line, "target"))
    made.references = checked(
        line["target"].is_array() ? texts(line, "target") : std::vector<std::string>{text(line, "target")}, "target");
  made.evidence = evidence_of(doc, made.task, made.references);
  made.length = has(doc, "max_length") ? integer(doc, "max_length", 1) : 0;
  made.tokens = optional_tokens(doc, "length");
  made.index = integer(line, "doc_id");
  made.key = fmt::format("{}", *made.index);
  if (has(line, "filter")) made.filter = text(line, "filter");
  return made;
}

// A line as a run wrote it has a checksum; one that somebody made of it need not.
Prediction parse_sala(const std::string& line, const Json& json) {
  if (has(json, "check")) unsealed(line.substr(0, line.find_last_not_of(" \t\r") + 1));
  SampleRecord record = parse_line(line);
  Prediction made;
  read_id(record.id, made);
  if (made.task != record.task || made.length != record.length || made.index != record.index)
    throw Error(ErrorCode::kFormat, "id '{}' is not sample {} of {}@{}", record.id, record.index, record.task,
                record.length);
  made.tokens = record.effective_tokens();
  made.response = std::move(record.answer);
  made.references = std::move(record.expected);
  made.evidence = std::move(record.evidence);
  made.stored_score = record.score;
  if (!record.select.empty())
    made.warnings.push_back(fmt::format("answered with --select {}: no score of the model alone", record.select));
  return made;
}

tasks::NolimaMetric metric_of(const Json& line) {
  const std::string name = has(line, "metric") ? text(line, "metric") : "contains";
  for (const auto metric : {tasks::NolimaMetric::kExact, tasks::NolimaMetric::kContains, tasks::NolimaMetric::kLastlineExact,
                            tasks::NolimaMetric::kLastlineContains})
    if (tasks::metric_name(metric) == name) return metric;
  throw Error(ErrorCode::kFormat, "field 'metric' is '{}', expected EM, contains, lastline_EM or lastline_contains",
              shown(line["metric"]));
}

// The record of spec tasks 2.9 with a `response`.
Prediction parse_nolima(const Json& line) {
  Prediction made;
  const std::string pair = text(line, "pair"), type = has(line, "question_type") ? text(line, "question_type") : "";
  made.response = response_of(line);
  made.references = checked(texts(line, "gold"), "gold");
  made.metric = metric_of(line);
  const double depth = has(line, "depth") ? number(line, "depth") : 0;
  if (has(line, "score")) made.stored_score = number(line, "score");
  made.evidence = {{0, 0, depth, pair, made.references[0]}};
  if (!type.empty()) made.kinds.push_back(type);
  if (has(line, "order")) made.kinds.push_back(text(line, "order") + "_order");
  if (has(line, "id")) {
    read_id(text(line, "id"), made);
    return made;
  }
  made.task = tasks::nolima_file_task(type);
  made.length = integer(line, "context_length", 1);
  made.key = fmt::format("{}/{}/{}", pair, has(line, "book") ? shown(line["book"]) : "", depth);
  return made;
}

Prediction parse_mrcr(const std::string& line, const Json& json, const LineContext& context) {
  tasks::MrcrRow row = tasks::parse_mrcr_row(line, context.bins);
  constexpr int64_t kMostNeedles = 64;
  if (row.n_needles < 1 || row.n_needles > kMostNeedles)
    throw Error(ErrorCode::kFormat, "field 'n_needles' is {}, expected 1 to {}", row.n_needles, kMostNeedles);
  Prediction made;
  made.warnings = tasks::check_mrcr_row(row);
  const bool built_in = has(json, "generator") && json["generator"] == tasks::kMrcrSynth;
  made.task = tasks::mrcr_task_name(row.n_needles, !built_in);
  made.response = response_of(json);
  made.tokens = std::max<int64_t>(0, row.tokens);
  if (built_in && has(json, "id")) {
    read_id(text(json, "id"), made);
  } else {
    made.length = tasks::mrcr_bin(row.tokens);
    if (row.tokens < 0 && has(json, "bin")) made.length = integer(json, "bin");
    made.key = fmt::format("{}/{}/{}", row.hash, row.desired_msg_index, hash_hex(stable_hash(row.answer)));
  }
  made.references = {std::move(row.answer)};
  made.chat = std::move(row.chat.text);
  made.turns = std::move(row.chat.turns);
  return made;
}

}  // namespace

std::string_view format_name(PredictionFormat format) { return kFormatNames[static_cast<std::size_t>(format)]; }

std::optional<PredictionFormat> format_of_name(std::string_view name) {
  for (const PredictionFormat format : kPredictionFormats)
    if (format_name(format) == name) return format;
  return std::nullopt;
}

std::optional<PredictionFormat> detect_format(const Json& line) {
  if (has(line, "doc") && (has(line, "resps") || has(line, "filtered_resps"))) return PredictionFormat::kLmEval;
  if (has(line, "random_string_to_prepend") && has_response(line)) return PredictionFormat::kMrcr;
  if (has(line, "pair") && has(line, "gold") && has_response(line)) return PredictionFormat::kNolima;
  if (has(line, "answer") && has(line, "expected") && has(line, "id")) return PredictionFormat::kSala;
  if (has_response(line)) return PredictionFormat::kRuler;
  return std::nullopt;
}

bool is_nolima_results(const Json& document) {
  return has(document, "results") && document["results"].is_array() && has(document, "needle") &&
         has(document, "context_length");
}

std::vector<Json> nolima_records(const Json& document) {
  const std::string pair = text(document, "test_name");
  const std::size_t id_end = pair.find('_'), type_at = pair.rfind('_');
  if (id_end == std::string::npos)
    throw Error(ErrorCode::kFormat, "field 'test_name' is '{}', expected TEMPLATE_TEST_QUESTION",
                shown(document["test_name"]));
  const bool named = text(document, "needle").find("{CHAR}") != std::string::npos;
  std::vector<Json> records;
  for (const Json& result : list(document, "results")) {
    Json gold = named ? Json::array({field(result, "selected_character")}) : field(document, "gold_answers");
    if (gold.is_string()) gold = Json::array({gold});
    Json record = {{"pair", pair},
                   {"question_type", pair.substr(type_at + 1)},
                   {"order", id_end > 4 ? "inverted" : "default"},
                   {"context_length", document["context_length"]},
                   {"gold", std::move(gold)}};
    if (has(document, "haystack_path"))
      record["book"] = std::filesystem::path(text(document, "haystack_path")).filename().string();
    if (has(document, "metric")) record["metric"] = document["metric"];
    if (has(result, "placement_metadata") && has(result["placement_metadata"], "depth"))
      record["depth"] = result["placement_metadata"]["depth"];
    if (has(result, "metric")) record["score"] = result["metric"];
    if (result.contains("response")) record["response"] = result["response"];
    records.push_back(std::move(record));
  }
  return records;
}

Json parse_json_line(std::string& line, std::vector<std::string>& notes) {
  const auto parse = [&] {
    try {
      return text::parse_json(line, "the line");
    } catch (const Error& as_written) {
      StandardJson standard = standard_json(line);
      if (standard.not_numbers + standard.surrogates == 0) throw;
      if (standard.surrogates > 0)
        notes.push_back(fmt::format("{} lone surrogate{} in its texts count{} as U+FFFD", standard.surrogates,
                                    standard.surrogates == 1 ? "" : "s", standard.surrogates == 1 ? "s" : ""));
      try {
        Json json = text::parse_json(standard.text, "the line");
        line = std::move(standard.text);
        return json;
      } catch (const Error&) {
        throw as_written;  // its position is one of the line in the file
      }
    }
  };
  Json json = parse();
  if (!json.is_object()) throw Error(ErrorCode::kFormat, "the line holds {}, expected a JSON object", json.type_name());
  return json;
}

Prediction parse_prediction(const std::string& line, const Json& json, const LineContext& context) {
  switch (context.format) {
    case PredictionFormat::kLmEval:
      return parse_lm_eval(json, context);
    case PredictionFormat::kSala:
      return parse_sala(line, json);
    case PredictionFormat::kNolima:
      return parse_nolima(json);
    case PredictionFormat::kMrcr:
      return parse_mrcr(line, json, context);
    case PredictionFormat::kRuler:
      break;
  }
  return parse_ruler(json, context);
}

std::string task_of_file(const std::string& path) {
  std::string stem = std::filesystem::path(path).stem().string();
  if (is_task(stem)) return stem;
  if (stem.starts_with("samples_")) {
    stem = stem.substr(std::string_view("samples_").size());
    // A time stamp follows: _2025-06-01T12-34-56.789
    const std::size_t stamp = stem.rfind("_2");
    if (stamp != std::string::npos && stem.find('T', stamp) != std::string::npos) stem.resize(stamp);
    for (const tasks::Task* task : tasks::all_tasks())
      if (stem == task->traits().lm_eval_name) return task->name();
  } else if (const std::size_t dash = stem.rfind('-');
             dash != std::string::npos && stem.find_first_not_of("0123456789", dash + 1) == std::string::npos) {
    stem.resize(dash);  // chunk 3 of a task
  }
  return is_task(stem) ? stem : "";
}

}  // namespace sala::eval
