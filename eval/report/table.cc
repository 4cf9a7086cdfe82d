#include "eval/report/table.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "eval/util/columns.h"
#include "sim/text/json.h"

namespace sala::eval {
namespace {

template <class... Each>
struct Overloaded : Each... {
  using Each::operator()...;
};
template <class... Each>
Overloaded(Each...) -> Overloaded<Each...>;

// Without the remark.
std::string rounded(const Value& value) {
  return std::visit(Overloaded{[](std::monostate) { return std::string("-"); },  //
                               [](const std::string& words) { return words; },
                               [&](int64_t number) { return value.grouped ? with_commas(number) : std::to_string(number); },
                               [&](double number) { return fmt::format("{:.{}f}", number, value.digits); },
                               [](bool yes) { return std::string(yes ? "yes" : "no"); },
                               [&](const Interval& range) {
                                 return fmt::format("{:.{}f} - {:.{}f}", range.low, value.digits, range.high, value.digits);
                               }},
                    value.is);
}

std::string for_people(const Value& value) { return rounded(value) + value.remark; }

std::vector<Row> rows_for_people(const Table& table) {
  std::vector<Row> rows = {table.head};
  for (const std::vector<Value>& values : table.rows) {
    Row& row = rows.emplace_back();
    for (const Value& value : values) row.push_back(for_people(value));
  }
  return rows;
}

std::string quoted(const std::string& words) {
  if (words.find_first_of(" ,;\"\r\n") == std::string::npos) return words;
  std::string inside;
  for (const char c : words) inside += c == '"' ? "\"\"" : std::string(1, c);
  return "\"" + inside + "\"";
}

std::string for_csv(const Value& value) {
  return std::visit(Overloaded{[](std::monostate) { return std::string(); },  //
                               [](const std::string& words) { return quoted(words); },
                               [](int64_t number) { return std::to_string(number); },
                               [&](double number) { return fmt::format("{:.{}f}", number, value.digits); },
                               [](bool yes) { return std::string(yes ? "true" : "false"); },
                               [&](const Interval&) { return quoted(for_people(value)); }},
                    value.is);
}

std::string latex_char(char c) {
  switch (c) {
    case '_':
    case '%':
    case '&':
    case '#':
    case '$':
    case '{':
    case '}':
      return {'\\', c};
    case '\\':
      return "\\textbackslash{}";
    case '~':
      return "\\textasciitilde{}";
    case '^':
      return "\\textasciicircum{}";
    case '<':
      return "\\textless{}";
    case '>':
      return "\\textgreater{}";
    case '|':
      return "\\textbar{}";
    default:
      return std::string(1, static_cast<unsigned char>(c) < ' ' ? ' ' : c);  // an empty line would end a paragraph
  }
}

std::string latex_text(std::string_view words) {
  std::string text;
  for (const char c : words) text += latex_char(c);
  // The end of the row before it would take it as an argument.
  if (!text.empty() && (text[0] == '[' || text[0] == '*')) text = fmt::format("{{{}}}{}", text[0], text.substr(1));
  return text;
}

bool is_number(const Value& value) {
  return std::holds_alternative<int64_t>(value.is) || std::holds_alternative<double>(value.is) ||
         std::holds_alternative<Interval>(value.is);
}

// A hyphen is a dash between numbers, the sign of one otherwise.
std::string for_latex(const Value& value) {
  if (std::holds_alternative<std::monostate>(value.is)) return "--" + latex_text(value.remark);
  if (!is_number(value)) return latex_text(for_people(value));
  const std::string number = rounded(value);
  std::string text;
  for (std::size_t i = 0; i < number.size(); ++i)
    text += number[i] != '-' ? std::string(1, number[i]) : number[i + 1] == ' ' ? "--" : "$-$";
  return text + latex_text(value.remark);
}

// "l" or "r", of what is known of a column.
char latex_alignment(const Table& table, std::size_t column) {
  bool numbers = false;
  for (const std::vector<Value>& row : table.rows) {
    const Value& value = row[column];
    const auto* words = std::get_if<std::string>(&value.is);
    if (std::holds_alternative<std::monostate>(value.is) || (words != nullptr && words->empty())) continue;
    if (!is_number(value)) return 'l';
    numbers = true;
  }
  return numbers ? 'r' : 'l';
}

}  // namespace

std::string plain_view(const Table& table) { return plain_table(rows_for_people(table)); }
std::string markdown_view(const Table& table) { return markdown_table(rows_for_people(table)); }

std::string latex_view(const Table& table) {
  std::string columns, body;
  std::vector<std::string> cells;
  for (std::size_t i = 0; i < table.head.size(); ++i) {
    columns += latex_alignment(table, i);
    cells.push_back(latex_text(table.head[i]));
  }
  const std::string head = fmt::format("{} \\\\\n", fmt::join(cells, " & "));
  for (const std::vector<Value>& values : table.rows) {
    cells.clear();
    for (const Value& value : values) cells.push_back(for_latex(value));
    body += fmt::format("{} \\\\\n", fmt::join(cells, " & "));
  }
  return fmt::format("\\begin{{tabular}}{{{}}}\n\\toprule\n{}\\midrule\n{}\\bottomrule\n\\end{{tabular}}\n", columns, head,
                     body);
}

std::string latex_comment(std::string_view words) {
  std::string lines = "% ";
  for (const char c : words) lines += c == '\n' || c == '\r' ? std::string("\n% ") : std::string(1, c);
  return lines + "\n";
}

std::string plain_sentence(std::string_view words) {
  constexpr std::size_t kColumns = 100;
  std::string lines;
  while (words.size() > kColumns) {
    std::size_t end = words.rfind(' ', kColumns);
    if (end == std::string_view::npos) end = words.find(' ', kColumns);
    if (end == std::string_view::npos) break;
    lines.append(words.substr(0, end)) += '\n';
    words.remove_prefix(end + 1);
  }
  return lines.append(words) += '\n';
}

std::string csv_view(const Table& table) {
  std::string text = fmt::format("{}\n", fmt::join(table.head, ","));
  for (const std::vector<Value>& values : table.rows) {
    std::vector<std::string> fields;
    for (const Value& value : values) fields.push_back(for_csv(value));
    text += fmt::format("{}\n", fmt::join(fields, ","));
  }
  return text;
}

nlohmann::ordered_json json_view(const Table& table) {
  using Json = nlohmann::ordered_json;
  Json rows = Json::array();
  for (const std::vector<Value>& values : table.rows) {
    Json& row = rows.emplace_back(Json::object());
    for (std::size_t i = 0; i < values.size(); ++i)
      row[table.head[i]] = std::visit(Overloaded{[](std::monostate) { return Json(nullptr); },
                                                 [](const Interval& range) {
                                                   return Json{range.low, range.high};
                                                 },
                                                 [](const auto& known) { return Json(known); }},
                                      values[i].is);
  }
  return rows;
}

std::string show_table(const Table& table, const std::vector<std::string>& sentences, const std::string& output) {
  if (output == "csv") return csv_view(table);
  if (output == "json") return text::write_json(json_view(table), 1) + "\n";
  if (output == "latex") {
    std::string shown = table.title.empty() ? "" : latex_comment(table.title);
    shown += latex_view(table);
    for (const std::string& sentence : sentences) shown += latex_comment(sentence);
    return shown;
  }
  const bool markdown = output == "md";
  std::string shown = table.title.empty() ? "" : markdown ? fmt::format("### {}\n\n", table.title) : table.title + "\n";
  shown += markdown ? markdown_view(table) : plain_view(table);
  for (const std::string& sentence : sentences) shown += (markdown ? "\n" : "") + sentence + "\n";
  return shown;
}

}  // namespace sala::eval
