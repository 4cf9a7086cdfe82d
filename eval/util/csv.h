// Tables as RFC 4180 writes them: commas, quotes, a header.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace sala::eval {

struct CsvTable {
  std::string path;
  std::vector<std::string> columns;
  std::vector<std::vector<std::string>> rows;  // each as long as columns

  bool has(std::string_view column) const;
  // Throws Error{kFormat} naming the column that is missing.
  const std::string& of(const std::vector<std::string>& row, std::string_view column) const;
  // Throws Error{kFormat} for what is no number.
  double number(const std::vector<std::string>& row, std::string_view column) const;
};

// Throws Error{kIo}, Error{kFormat} naming the row that has another number of fields than the header.
CsvTable read_csv(const std::string& path);

}  // namespace sala::eval
