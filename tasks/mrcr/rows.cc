#include "tasks/mrcr/rows.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "sala/core/error.h"
#include "sim/text/files.h"
#include "sim/text/json.h"
#include "sim/text/json_rows.h"
#include "sim/text/utf8.h"

namespace sala::tasks {
namespace {

using nlohmann::json;

json read_text(std::string_view text, const char* what) {
  json value;
  if (const auto problem = text::read_json(text, value))
    throw Error(ErrorCode::kFormat, "{}", problem->syntax ? fmt::format("{} is no JSON", what) : problem->what);
  return value;
}

// Reads one field; a sentence about it when it is missing or of another type.
bool present(const json& object, const char* name) { return object.contains(name) && !object[name].is_null(); }
const json& field(const json& object, const char* name) {
  const auto at = object.find(name);
  if (at == object.end()) throw Error(ErrorCode::kFormat, "field '{}' is missing", name);
  return *at;
}
std::string text_field(const json& object, const char* name) {
  const json& value = field(object, name);
  if (!value.is_string()) throw Error(ErrorCode::kFormat, "field '{}' is no string", name);
  return value.get<std::string>();
}
int64_t integer_field(const json& object, const char* name) {
  const json& value = field(object, name);
  const std::optional<int64_t> whole = text::whole_number(value);
  if (!whole) throw Error(ErrorCode::kFormat, "field '{}' is no integer", name);
  return *whole;
}

Chat read_chat(const json& object) {
  const json& prompt = field(object, "prompt");
  const json parsed =
      prompt.is_string() ? read_text(prompt.get_ref<const std::string&>(), "the string in 'prompt'") : json();
  const json& messages = prompt.is_string() ? parsed : prompt;
  if (!messages.is_array() || messages.size() < 4)
    throw Error(ErrorCode::kFormat, "'prompt' is no list of at least four messages");
  Chat chat;
  for (const json& message : messages) {
    if (!message.is_object()) throw Error(ErrorCode::kFormat, "message {} of 'prompt' is no object", chat.turns.size());
    chat.add(text_field(message, "role"), text_field(message, "content"));
  }
  return chat;
}

// Throws Error{kFormat} when the first line, which is no JSON, is the beginning of something else than lines.
void refuse_other_json(std::string_view text, std::string_view line, const std::string& origin) {
  std::string why = text::why_no_json_lines(line);
  json whole;
  if (line.find('[') == line.find_first_not_of(" \t\r"))  // an array is fine, but this one is broken
    if (const auto problem = text::read_json(text::without_byte_order_mark(text), whole)) why = problem->what;
  if (!why.empty()) throw Error(ErrorCode::kFormat, "{}: {}", origin, why);
}

}  // namespace

MrcrRow parse_mrcr_row(const std::string& line, const Tokenizer* bins) {
  return read_mrcr_row(read_text(line, "this"), bins);
}

MrcrRow read_mrcr_row(const json& object, const Tokenizer* bins) {
  if (!object.is_object()) throw Error(ErrorCode::kFormat, "this is no JSON object");
  MrcrRow row;
  row.chat = read_chat(object);
  const std::vector<Message> messages = row.chat.messages();
  row.answer = text_field(object, "answer");
  row.hash = text_field(object, "random_string_to_prepend");
  row.n_needles = integer_field(object, "n_needles");
  row.desired_msg_index = integer_field(object, "desired_msg_index");
  row.total_messages =
      present(object, "total_messages") ? integer_field(object, "total_messages") : static_cast<int64_t>(messages.size());
  if (row.desired_msg_index < 0 || row.desired_msg_index > static_cast<int64_t>(messages.size()) - 3)
    throw Error(ErrorCode::kFormat, "desired_msg_index {} points outside the {} messages", row.desired_msg_index,
                messages.size());
  for (const Message& message : messages) row.n_chars += text::count_code_points(message.content);
  if (object.contains("date_added") && object["date_added"].is_string())
    row.date_added = object["date_added"].get<std::string>();
  if (bins != nullptr) {
    row.tokens = count_mrcr_tokens(messages, row.answer, *bins);
  } else if (present(object, "tokens")) {
    row.tokens = integer_field(object, "tokens");
  }
  return row;
}

MrcrRows read_mrcr_rows(std::string_view text, const std::string& origin, const Tokenizer* bins) {
  MrcrRows rows;
  const auto problem = [&](int64_t number, const std::string& what) {
    rows.problems.push_back(fmt::format("{}:{}: {}", origin, number, what));
  };
  if (const std::string_view packing = text::packing(text); !packing.empty())
    throw Error(ErrorCode::kFormat, "{} is packed ({}); JSON lines are expected", origin, packing);
  const auto add = [&](int64_t number, const text::JsonRow& json) {
    try {
      MrcrRow row = read_mrcr_row(json.value, bins);
      row.line = number;
      const std::vector<std::string> wrong = check_mrcr_row(row);
      for (const std::string& sentence : wrong) problem(number, sentence);
      rows.unsound += !wrong.empty();
      rows.rows.push_back(std::move(row));
    } catch (const Error& error) {
      problem(number, error.what());
    }
  };
  const auto add_broken = [&](int64_t number, std::string_view line, const text::JsonProblem& broken) {
    if (rows.rows.empty() && rows.problems.empty()) refuse_other_json(text, line, origin);
    problem(number, broken.syntax ? "this is no JSON" : broken.what);
  };
  text::read_json_rows(text, add, add_broken);
  if (rows.rows.empty())
    throw Error(ErrorCode::kFormat, "{}: no line holds an MRCR row{}{}", origin,
                rows.problems.empty() ? "" : "; the first problem: ", rows.problems.empty() ? "" : rows.problems[0]);
  return rows;
}

MrcrRows load_mrcr_rows(const std::string& path, const Tokenizer* bins) {
  return read_mrcr_rows(text::read_file(path), path, bins);
}

}  // namespace sala::tasks
