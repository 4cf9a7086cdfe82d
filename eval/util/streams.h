// Standard input, output and error: whatever the caller made of them.
#pragma once

#include <fmt/format.h>

#include <cstdio>
#include <functional>
#include <string_view>
#include <utility>

namespace sala::eval::streams {

// First thing in main(). Descriptors 0 to 2 that are closed become ones that can be neither read nor written: no file gets
// their number. A write to a pipe without a reader or beyond the largest file is an error from then on, and no signal.
void secure();

// What is said beside the results. What cannot be printed is lost, and nothing else happens.
void put(std::FILE* to, std::string_view text);
template <class... T>
void note(fmt::format_string<T...> format, T&&... values) {
  put(stderr, fmt::format(format, std::forward<T>(values)...));
}

// A result, to standard output. Throws Error{kIo} when it cannot be printed; some failures show in finish() alone.
void print_text(std::string_view text);
template <class... T>
void print(fmt::format_string<T...> format, T&&... values) {
  print_text(fmt::format(format, std::forward<T>(values)...));
}
// Does the work of a program and returns its exit code. What is thrown becomes one plain sentence on stderr.
int exit_code_of(const char* program, const std::function<int()>& work);
// After a line that somebody waits for, and last thing after the work: throws Error{kIo} unless all that was printed has arrived.
void finish();

}  // namespace sala::eval::streams
