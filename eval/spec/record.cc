#include "eval/spec/record.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "eval/util/json_fields.h"
#include "sala/core/error.h"

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

// Bytes of the UTF-8 character that begins at text[i]; 0 when it is none. Follows RFC 3629.
std::size_t character_bytes(const std::string& text, std::size_t i) {
  const auto byte = [&](std::size_t at) { return at < text.size() ? static_cast<unsigned char>(text[at]) : 0u; };
  const unsigned first = byte(i);
  if (first < 0x80) return first == 0 ? 0 : 1;
  const auto tail = [&](std::size_t at, unsigned low = 0x80, unsigned high = 0xBF) {
    return byte(at) >= low && byte(at) <= high;
  };
  if (first >= 0xC2 && first <= 0xDF) return tail(i + 1) ? 2 : 0;
  if (first >= 0xE0 && first <= 0xEF) {
    const bool second = tail(i + 1, first == 0xE0 ? 0xA0 : 0x80, first == 0xED ? 0x9F : 0xBF);
    return second && tail(i + 2) ? 3 : 0;
  }
  if (first >= 0xF0 && first <= 0xF4) {
    const bool second = tail(i + 1, first == 0xF0 ? 0x90 : 0x80, first == 0xF4 ? 0x8F : 0xBF);
    return second && tail(i + 2) && tail(i + 3) ? 4 : 0;
  }
  return 0;
}

}  // namespace

std::string printable_utf8(const std::string& text) {
  std::string clean;
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t bytes = character_bytes(text, i);
    clean += bytes == 0 ? "\xEF\xBF\xBD" : text.substr(i, bytes);
    i += bytes == 0 ? 1 : bytes;
  }
  return clean;
}

std::string hash_hex(uint64_t hash) { return fmt::format("{:016x}", hash); }

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
  return line.dump();
}

SampleRecord parse_line(const std::string& line) {
  const Json json = Json::parse(line, nullptr, false);
  if (json.is_discarded()) throw Error(ErrorCode::kFormat, "the line is no JSON");
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
