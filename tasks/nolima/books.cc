#include "tasks/nolima/books.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <list>
#include <mutex>

#include "sala/core/error.h"
#include "tasks/nolima/names.h"
#include "tasks/nolima/narrative.h"
#include "tasks/text/corpora_files.h"

namespace sala::tasks {
namespace {

constexpr size_t kRemembered = 6;

// The last few results of an expensive function of a string key. A key is made once even when several threads want it.
class Memo {
 public:
  template <class Make>
  std::shared_ptr<const BookTokens> get(const std::string& key, const Make& make) {
    std::shared_ptr<Entry> entry;
    {
      const std::lock_guard lock(mutex_);
      auto at = std::find_if(entries_.begin(), entries_.end(), [&](const auto& e) { return e->key == key; });
      if (at == entries_.end()) {
        entries_.push_front(std::make_shared<Entry>(key));
        if (entries_.size() > kRemembered) entries_.pop_back();
      } else {
        entries_.splice(entries_.begin(), entries_, at);
      }
      entry = entries_.front();
    }
    std::call_once(entry->once, [&] { entry->tokens = std::make_shared<const BookTokens>(make()); });
    return entry->tokens;
  }

 private:
  struct Entry {
    explicit Entry(std::string k) : key(std::move(k)) {}
    std::string key;
    std::once_flag once;
    std::shared_ptr<const BookTokens> tokens;
  };
  std::mutex mutex_;
  std::list<std::shared_ptr<Entry>> entries_;
};

std::string memo_key(int64_t book, int64_t size, const Tokenizer& tokenizer, Mode mode) {
  return fmt::format("{}/{}/{}/{}", book, size, tokenizer.hash(), mode == Mode::kUpstream ? "upstream" : "fixed");
}

class Directory final : public BookShelf {
 public:
  explicit Directory(const std::string& path);
  int64_t count() const override { return static_cast<int64_t>(names_.size()); }
  const std::string& name(int64_t book) const override { return names_[static_cast<size_t>(book)]; }
  std::string text(int64_t book) const override { return texts_[static_cast<size_t>(book)]; }
  std::shared_ptr<const BookTokens> tokens(int64_t book, int64_t, const Tokenizer& tokenizer, Mode mode) const override {
    return memo_.get(memo_key(book, 0, tokenizer, mode),
                     [&] { return tokenize_book(texts_[static_cast<size_t>(book)], tokenizer, mode); });
  }

 private:
  std::vector<std::string> names_, texts_;
  mutable Memo memo_;
};

Directory::Directory(const std::string& path) {
  std::error_code failed;
  for (std::filesystem::directory_iterator at(path, failed), end; !failed && at != end; at.increment(failed))
    if (at->path().extension() == ".txt" && at->is_regular_file()) names_.push_back(at->path().filename().string());
  if (failed) throw Error(ErrorCode::kIo, "cannot read the books in {}: {}", path, failed.message());
  if (names_.empty())
    throw Error(ErrorCode::kUsage, "{} holds no .txt file; a book is one text file, a paragraph a line", path);
  std::sort(names_.begin(), names_.end());
  for (const std::string& name : names_) {
    std::string text(read_text_file("book", (std::filesystem::path(path) / name).string()).text());
    text.erase(std::remove(text.begin(), text.end(), '\r'), text.end());
    if (text.find_first_not_of(" \t\n") == std::string::npos)
      throw Error(ErrorCode::kFormat, "book {}/{} is empty", path, name);
    texts_.push_back(std::move(text));
  }
}

constexpr int64_t kCheckedChars = 300000;  // of an endless book: its vocabulary has long been seen

class OwnBooks final : public BookShelf {
 public:
  explicit OwnBooks(Split split) : split_(split) {
    for (int book = 1; book <= narrative_books(split); ++book) names_.push_back(fmt::format("narrative_{}", book));
  }
  int64_t count() const override { return narrative_books(split_); }
  const std::string& name(int64_t book) const override { return names_[static_cast<size_t>(book)]; }
  std::set<std::string_view> people() const override {
    std::set<std::string_view> names;
    for (int64_t book = 0; book < std::min(count(), kNameClasses); ++book)
      for (bool woman : {false, true}) {
        const std::vector<std::string_view>& some = bystander_names(split_, book, woman);
        names.insert(some.begin(), some.end());
      }
    return names;
  }
  std::string text(int64_t book) const override { return narrative_book(split_, static_cast<int>(book), kCheckedChars); }
  std::shared_ptr<const BookTokens> tokens(int64_t book, int64_t tokens, const Tokenizer& tokenizer,
                                           Mode mode) const override {
    return memo_.get(memo_key(book, tokens, tokenizer, mode),
                     [&] { return make(static_cast<int>(book), tokens, tokenizer, mode); });
  }

 private:
  BookTokens make(int book, int64_t tokens, const Tokenizer& tokenizer, Mode mode) const {
    constexpr int64_t kProbeChars = 20000, kMarginChars = 4000;
    const std::string probe = narrative_book(split_, book, kProbeChars);
    const double chars_per_token =
        static_cast<double>(probe.size()) / static_cast<double>(std::max<int64_t>(1, tokenizer.count(probe)));
    auto chars = static_cast<int64_t>(static_cast<double>(tokens) * chars_per_token * 1.01) + kMarginChars;
    while (true) {
      BookTokens made = tokenize_book(narrative_book(split_, book, chars), tokenizer, mode);
      if (made.size() >= tokens) return made;
      chars += chars / 10;
    }
  }
  Split split_;
  std::vector<std::string> names_;
  mutable Memo memo_;
};

}  // namespace

std::unique_ptr<BookShelf> open_books(const std::string& directory) { return std::make_unique<Directory>(directory); }

const BookShelf& own_books(Split split) {
  static const OwnBooks eval(Split::kEval), train(Split::kTrain);
  return split == Split::kEval ? eval : train;
}

}  // namespace sala::tasks
