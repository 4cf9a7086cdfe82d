// The books that needles are hidden in: a directory of the user's texts, or the built-in prose.
#pragma once

#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "tasks/nolima/placement.h"

namespace sala::tasks {

// Thread-safe. Remembers the tokens of the last few books asked for, so that a run over many depths tokenizes each once.
class BookShelf {
 public:
  virtual ~BookShelf() = default;
  virtual int64_t count() const = 0;
  virtual const std::string& name(int64_t book) const = 0;  // file name, or `narrative_1`
  // Names of people in the books, where they are known (our own).
  virtual std::set<std::string_view> people() const { return {}; }
  // What it reads like, for the checks of a needle set: the whole book, of an endless one the beginning.
  virtual std::string text(int64_t book) const = 0;
  // The book as tokens, at least `tokens` of them where it is long enough; a pure function of the arguments.
  virtual std::shared_ptr<const BookTokens> tokens(int64_t book, int64_t tokens, const Tokenizer& tokenizer,
                                                   Mode mode) const = 0;
};

// Every `.txt` file of the directory, sorted by name; CRLF becomes LF. Throws Error{kIo} when it cannot be read,
// Error{kUsage} when it holds no text, Error{kFormat} for a file that is empty or no UTF-8.
std::unique_ptr<BookShelf> open_books(const std::string& directory);
// narrative_1 .. narrative_5, of kTrain .. narrative_4096 (narrative.h), endless.
const BookShelf& own_books(Split split);

}  // namespace sala::tasks
