#include "eval/util/terminal.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <string_view>
#include <utility>

#include "eval/util/columns.h"
#include "eval/util/streams.h"

namespace sala::eval {
namespace {

bool is_set(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr && *value != '\0';
}

}  // namespace

bool rewrites_lines(std::FILE* file) {
  if (isatty(fileno(file)) == 0 || is_set("NO_COLOR")) return false;
  const char* term = std::getenv("TERM");
  return term == nullptr || std::string_view(term) != "dumb";
}

int terminal_columns(std::FILE* file) {
  winsize size{};
  return ioctl(fileno(file), TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

LiveLine::LiveLine(std::FILE* out, std::function<int()> columns)
    : out_(out), columns_(columns ? std::move(columns) : [out] { return terminal_columns(out); }) {}

std::string LiveLine::erasure() const {
  std::string text;
  for (int above = (drawn_columns_ - 1) / std::max(1, columns_()); above > 0; --above) text += "\r\033[K\033[A";
  return text + "\r\033[K";
}

void LiveLine::draw(const std::string& text) {
  // The last column stays free: a terminal that is full to the edge may begin a new line.
  const std::string shown = first_columns(text, static_cast<std::size_t>(std::max(1, columns_() - 1)));
  streams::put(out_, erasure() + shown);
  drawn_columns_ = static_cast<int>(text_columns(shown));
}

void LiveLine::clear() {
  if (drawn_columns_ == 0) return;
  streams::put(out_, erasure());
  drawn_columns_ = 0;
}

}  // namespace sala::eval
