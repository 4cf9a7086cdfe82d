#include "eval/util/csv.h"

#include <algorithm>
#include <charconv>

#include "eval/util/files.h"
#include "sala/core/error.h"

namespace sala::eval {
namespace {

std::vector<std::vector<std::string>> records_of(const std::string& text, const std::string& path) {
  std::vector<std::vector<std::string>> records;
  std::vector<std::string> record;
  std::string field;
  bool quoted = false, any = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (quoted) {
      if (c != '"') {
        field += c;
      } else if (i + 1 < text.size() && text[i + 1] == '"') {
        field += text[++i];
      } else {
        quoted = false;
      }
      continue;
    }
    any = any || (c != '\n' && c != '\r');
    if (c == '"') {
      quoted = true;
    } else if (c == ',') {
      record.push_back(std::move(field));
      field.clear();
    } else if (c == '\n') {
      if (any) {
        record.push_back(std::move(field));
        records.push_back(std::move(record));
      }
      record.clear();
      field.clear();
      any = false;
    } else if (c != '\r') {
      field += c;
    }
  }
  if (quoted) throw Error(ErrorCode::kFormat, "{}: a quote is never closed", path);
  if (any) {
    record.push_back(std::move(field));
    records.push_back(std::move(record));
  }
  return records;
}

}  // namespace

bool CsvTable::has(std::string_view column) const {
  return std::find(columns.begin(), columns.end(), column) != columns.end();
}

const std::string& CsvTable::of(const std::vector<std::string>& row, std::string_view column) const {
  const auto found = std::find(columns.begin(), columns.end(), column);
  if (found == columns.end()) throw Error(ErrorCode::kFormat, "{} has no column '{}'", path, column);
  return row[static_cast<std::size_t>(found - columns.begin())];
}

double CsvTable::number(const std::vector<std::string>& row, std::string_view column) const {
  const std::string& text = of(row, column);
  double value = 0;
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (problem != std::errc() || end != text.data() + text.size())
    throw Error(ErrorCode::kFormat, "{}: '{}' in column '{}' is no number", path, text, column);
  return value;
}

CsvTable read_csv(const std::string& path) {
  CsvTable table;
  table.path = path;
  std::vector<std::vector<std::string>> records = records_of(read_file(path), path);
  if (records.empty()) throw Error(ErrorCode::kFormat, "{} is empty", path);
  table.columns = std::move(records.front());
  records.erase(records.begin());
  for (std::size_t i = 0; i < records.size(); ++i)
    if (records[i].size() != table.columns.size())
      throw Error(ErrorCode::kFormat, "{}: row {} has {} fields, the header {}", path, i + 1, records[i].size(),
                  table.columns.size());
  table.rows = std::move(records);
  return table;
}

}  // namespace sala::eval
