// One line of a terminal that is rewritten in place.
#pragma once

#include <cstdio>
#include <functional>
#include <string>

namespace sala::eval {

// Whether lines of `file` can be rewritten: it is a terminal, and neither TERM=dumb nor NO_COLOR asks for plain lines.
bool rewrites_lines(std::FILE* file);
// Columns of the terminal as it is now; 80 when nobody knows.
int terminal_columns(std::FILE* file);

// Is cut to the width that the terminal has when it is drawn.
class LiveLine {
 public:
  // `columns` in place of terminal_columns(out), for tests.
  explicit LiveLine(std::FILE* out, std::function<int()> columns = {});
  void draw(const std::string& text);
  // Removes it, also when the terminal became narrower and broke it into several.
  void clear();

 private:
  std::string erasure() const;

  std::FILE* out_;
  std::function<int()> columns_;
  int drawn_columns_ = 0;  // 0: nothing is on the screen
};

}  // namespace sala::eval
