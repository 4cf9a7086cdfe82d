#include "eval/spec/record.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string_view>

#include "eval/util/json_fields.h"
#include "sala/core/error.h"
#include "sala/core/rng.h"
#include "sim/text/json.h"
#include "sim/text/utf8.h"

namespace sala::eval {
namespace {

using namespace fields;

Json named_numbers(const std::vector<std::pair<std::string, double>>& values) {
  Json object = Json::object();
  for (const auto& [name, value] : values) object[name] = value;
  return object;
}

std::vector<std::pair<std::string, double>> parse_named_numbers(const Json& line, const char* name) {
  const Json& object = field(line, name);
  if (!object.is_object()) throw Error(ErrorCode::kFormat, "field '{}' is no object", name);
  std::vector<std::pair<std::string, double>> values;
  for (const auto& [key, value] : object.items()) values.emplace_back(key, number(object, key.c_str()));
  return values;
}

}  // namespace

std::string printable_utf8(const std::string& text) {
  std::string clean;  // a NUL would end the text in HDF5
  for (const char c : text::with_replacements(text)) clean += c == 0 ? text::kReplacement : std::string_view(&c, 1);
  return clean;
}

std::string hash_hex(uint64_t hash) { return fmt::format("{:016x}", hash); }

namespace {

// {"id":...} becomes {"id":...,"check":"0123456789abcdef"}
constexpr std::string_view kSealBegin = ",\"check\":\"", kSealEnd = "\"}";
constexpr std::size_t kHashDigits = 16, kSealBytes = kSealBegin.size() + kHashDigits + kSealEnd.size();

std::string seal_of(std::string_view body) {
  return fmt::format("{}{}{}", kSealBegin, hash_hex(stable_hash(body)), kSealEnd);
}

}  // namespace

std::string sealed(const std::string& line) {
  const std::string body = line.substr(0, line.size() - 1);  // less the brace
  return body + seal_of(body);
}

std::string unsealed(const std::string& line) {
  const std::size_t at = line.size() - std::min(line.size(), kSealBytes);
  if (line.substr(at, kSealBegin.size()) != kSealBegin)
    throw Error(ErrorCode::kFormat, "the line has no checksum at its end");
  const std::string body = line.substr(0, at);
  if (line.substr(at) != seal_of(body)) throw Error(ErrorCode::kFormat, "the line is damaged: its checksum does not fit");
  return body + "}";
}

std::string to_line(const SampleRecord& record) {
  Json evidence = Json::array();
  for (const tasks::Evidence& span : record.evidence)
    evidence.push_back({{"begin", span.token_begin},
                        {"end", span.token_end},
                        {"depth", span.depth},
                        {"key", printable_utf8(span.key)},
                        {"value", printable_utf8(span.value)}});
  Json expected = Json::array();
  for (const std::string& reference : record.expected) expected.push_back(printable_utf8(reference));
  Json line = {{"id", record.id},
               {"task", record.task},
               {"length", record.length},
               {"index", record.index},
               {"score", record.score},
               {"answer", printable_utf8(record.answer)},
               {"expected", expected},
               {"stopped", record.stopped},
               {"prompt_tokens", record.prompt_tokens},
               {"tokens_to_generate", record.tokens_to_generate},
               {"diagnostics", named_numbers(record.diagnostics)},
               {"answer_ids", record.answer_ids},
               {"evidence", evidence}};
  if (!record.select.empty()) line["select"] = record.select;
  if (!record.figures.empty()) line["figures"] = named_numbers(record.figures);
  if (record.arrays)
    line["arrays"] = {{"offset", record.arrays->offset}, {"bytes", record.arrays->bytes}, {"hash", record.arrays->hash}};
  line["timing"] = {{"make_seconds", record.timing.make_seconds},
                    {"prefill_seconds", record.timing.prefill_seconds},
                    {"decode_seconds", record.timing.decode_seconds}};
  return text::write_json(line);
}

SampleRecord parse_line(const std::string& line) {
  Json json;
  if (const auto problem = text::read_json(line, json))
    throw Error(ErrorCode::kFormat, "{}", problem->syntax ? "the line is no JSON" : problem->what);
  SampleRecord record;
  record.id = text(json, "id");
  record.task = text(json, "task");
  record.length = integer(json, "length", 1);
  record.index = integer(json, "index");
  record.score = number(json, "score");
  if (!(record.score >= 0 && record.score <= 1))
    throw Error(ErrorCode::kFormat, "field 'score' is {}, expected 0 to 1", record.score);
  record.answer = text(json, "answer");
  record.expected = texts(json, "expected");
  if (!field(json, "stopped").is_boolean()) throw Error(ErrorCode::kFormat, "field 'stopped' is neither true nor false");
  record.stopped = json["stopped"].get<bool>();
  record.prompt_tokens = integer(json, "prompt_tokens");
  record.tokens_to_generate = integer(json, "tokens_to_generate");
  record.diagnostics = parse_named_numbers(json, "diagnostics");
  for (const Json& id : list(json, "answer_ids")) {
    if (!id.is_number_integer() || id.get<int64_t>() < 0 || id.get<int64_t>() > INT32_MAX)
      throw Error(ErrorCode::kFormat, "field 'answer_ids' holds {}, expected token ids", shown(id));
    record.answer_ids.push_back(id.get<int32_t>());
  }
  for (const Json& span : list(json, "evidence")) {
    const int64_t begin = integer(span, "begin"), end = integer(span, "end");
    if (end < begin) throw Error(ErrorCode::kFormat, "field 'evidence' has a span from {} to {}", begin, end);
    if (end > record.prompt_tokens)
      throw Error(ErrorCode::kFormat, "field 'evidence' has a span to {} of {} prompt tokens", end, record.prompt_tokens);
    record.evidence.push_back({begin, end, number(span, "depth"), text(span, "key"), text(span, "value")});
  }
  if (json.contains("select")) record.select = text(json, "select");
  if (json.contains("figures")) record.figures = parse_named_numbers(json, "figures");
  if (json.contains("arrays")) {
    const Json& ref = json["arrays"];
    record.arrays = ArraysRef{integer(ref, "offset"), integer(ref, "bytes"), text(ref, "hash")};
  }
  const Json& timing = field(json, "timing");
  record.timing = {number(timing, "make_seconds"), number(timing, "prefill_seconds"), number(timing, "decode_seconds")};
  return record;
}

}  // namespace sala::eval
