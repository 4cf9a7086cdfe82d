#include "sala/tasks/user_files.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <set>
#include <sstream>

#include "sala/core/error.h"
#include "sala/core/sha256.h"
#include "tasks/mrcr/mrcr.h"
#include "tasks/mrcr/rows.h"
#include "tasks/nolima/checks.h"
#include "tasks/nolima/nolima.h"

namespace sala::tasks {
namespace {

std::string read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw Error(ErrorCode::kIo, "cannot read {}: {}", path, std::strerror(errno));
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

class Opened final : public UserFiles {
 public:
  explicit Opened(const UserPaths& paths) {
    if (!paths.bins.empty() && paths.mrcr.empty())
      throw Error(ErrorCode::kUsage, "--bins counts the tokens of MRCR rows; give the rows with --mrcr");
    if (!paths.needles.empty() || !paths.books.empty()) open_nolima(paths);
    if (!paths.mrcr.empty()) open_mrcr(paths.mrcr, paths.bins);
    corpora_ = load_corpora(paths.corpora, files_);
  }
  const Corpora* corpora() const override { return corpora_->files.empty() ? nullptr : corpora_.get(); }
  const std::vector<TaskInfo>& tasks() const override { return infos_; }
  const std::vector<std::string>& problems() const override { return problems_; }

 private:
  void add(std::unique_ptr<Task> task) {
    infos_.push_back({task.get(), task->name(), task->group(), task->description()});
    owned_.push_back(std::move(task));
  }
  void add_file(const std::string& role, const std::string& path, const std::string& bytes) {
    files_.push_back({role, path, sha256_hex(bytes), static_cast<int64_t>(bytes.size())});
  }
  void open_nolima(const UserPaths& paths) {
    needles_ = own_needle_set(Split::kEval);
    if (!paths.needles.empty()) {
      const std::string text = read_file(paths.needles);
      needles_ = parse_needle_set(text, paths.needles, &problems_);
      add_file("needles", paths.needles, text);
    }
    if (!paths.books.empty()) {
      books_ = open_books(paths.books);
      for (int64_t book = 0; book < books_->count(); ++book) {  // the name is part of the seed
        const std::string path = fmt::format("{}/{}", paths.books, books_->name(book));
        add_file("book " + books_->name(book), path, read_file(path));
      }
    }
    const BookShelf& books = books_ ? *books_ : own_books(Split::kEval);
    HaystackWords haystack;
    for (int64_t book = 0; book < books.count(); ++book) haystack.add(books.text(book));
    for (const std::string& sentence : check_needle_set(needles_, haystack)) problems_.push_back("needles: " + sentence);
    add(make_nolima_task("nolima_user", needles_, books_.get()));
  }
  void open_mrcr(const std::string& path, const std::string& tokenizer) {
    const auto bins = tokenizer.empty() ? nullptr : open_tokenizer(tokenizer);
    add_file(bins == nullptr ? "mrcr" : "mrcr in bins of " + bins->hash(), path, read_file(path));
    MrcrRows read = load_mrcr_rows(path, bins.get());
    problems_.insert(problems_.end(), read.problems.begin(), read.problems.end());
    const auto rows = std::make_shared<const std::vector<MrcrRow>>(std::move(read.rows));
    if (std::none_of(rows->begin(), rows->end(), [](const MrcrRow& row) { return row.tokens >= 0; }))
      throw Error(ErrorCode::kUsage,
                  "{}: its rows carry no 'tokens', so their bins are unknown; name the tokenizer that counts them "
                  "(--bins, o200k_base for the published bins)",
                  path);
    std::set<int64_t> counts;
    for (const MrcrRow& row : *rows) counts.insert(row.n_needles);
    for (int64_t needles : counts) add(make_mrcr_rows_task(rows, needles));
  }

  NeedleSet needles_;
  std::unique_ptr<BookShelf> books_;
  std::vector<std::unique_ptr<Task>> owned_;
  std::vector<TaskInfo> infos_;
  std::vector<CorpusFile> files_;  // what the tasks are made of
  std::vector<std::string> problems_;
  std::unique_ptr<const Corpora> corpora_;
};

}  // namespace

std::unique_ptr<UserFiles> open_user_files(const UserPaths& paths) { return std::make_unique<Opened>(paths); }

}  // namespace sala::tasks
