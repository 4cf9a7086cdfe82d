// Tables of typed cells. A table says what there is; a view says how it looks, and a new view is one function.
#pragma once

#include <cmath>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "eval/spec/cell_result.h"

namespace sala::eval {

// One cell of a table.
struct Value {
  std::variant<std::monostate, std::string, int64_t, double, bool, Interval> is;  // nothing: unknown
  int digits = 0;                                                                 // behind the point, where a view rounds
  bool grouped = false;                                                           // people read it in thousands: 131,072
  std::string remark = {};                                                        // said behind it to people
};

inline Value text(std::string words) { return {std::move(words)}; }
inline Value count(int64_t number) { return {number}; }
// A count that may be large.
inline Value large(int64_t number) { return {number, 0, true}; }
// A length; 0 = unknown.
inline Value tokens(int64_t length) { return length == 0 ? Value{} : large(length); }
// NaN = unknown.
inline Value number(double value, int digits, std::string remark = "") {
  return std::isnan(value) ? Value{} : Value{value, digits, false, std::move(remark)};
}
inline Value number(const std::optional<double>& value, int digits) { return value ? number(*value, digits) : Value{}; }
inline Value yes(bool is) { return {is}; }
inline Value range(const Interval& interval, int digits = 1) { return {interval, digits}; }

struct Table {
  std::string title;  // may be empty
  std::vector<std::string> head;
  std::vector<std::vector<Value>> rows;
  bool empty() const { return rows.empty(); }
};

// For people: rounded, "-" where nothing is known.
std::string plain_view(const Table& table);
std::string markdown_view(const Table& table);
// For papers: a tabular with the rules of booktabs, columns of numbers aligned right, the rest left. No text of a cell is a
// command of LaTeX.
std::string latex_view(const Table& table);
// A sentence beside it: comments, so that the document decides what of it is said.
std::string latex_comment(std::string_view words);
// A sentence beside a plain view: lines of at most 100 bytes, a word being whole, each with its newline.
std::string plain_sentence(std::string_view words);
// For programs. csv: rounded, nothing where nothing is known, quoted as RFC 4180 says. json: one object a row, unrounded,
// null where nothing is known, a range as [low, high].
std::string csv_view(const Table& table);
nlohmann::ordered_json json_view(const Table& table);
// What -o asks for: table, md, latex, csv or json. People also get the sentences, below the table.
std::string show_table(const Table& table, const std::vector<std::string>& sentences, const std::string& output);

}  // namespace sala::eval
