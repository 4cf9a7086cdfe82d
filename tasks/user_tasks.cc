#include "sala/tasks/user_tasks.h"

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

class Opened final : public UserTasks {
 public:
  Opened(const UserTaskFiles& files, const Tokenizer* bins) {
    if (!files.needles.empty() || !files.books.empty()) open_nolima(files);
    if (!files.mrcr.empty()) open_mrcr(files.mrcr, bins);
  }
  const std::vector<TaskInfo>& tasks() const override { return infos_; }
  const std::vector<UserFile>& files() const override { return files_; }
  const std::vector<std::string>& problems() const override { return problems_; }

 private:
  void add(std::unique_ptr<Task> task) {
    infos_.push_back({task.get(), task->name(), task->group(), task->description()});
    owned_.push_back(std::move(task));
  }
  void open_nolima(const UserTaskFiles& files) {
    needles_ = own_needle_set(Split::kEval);
    if (!files.needles.empty()) {
      const std::string text = read_file(files.needles);
      needles_ = parse_needle_set(text, files.needles);
      files_.push_back({files.needles, sha256_hex(text)});
    }
    if (!files.books.empty()) {
      books_ = open_books(files.books);
      for (int64_t book = 0; book < books_->count(); ++book) {
        const std::string path = files.books + "/" + books_->name(book);
        files_.push_back({path, sha256_hex(read_file(path))});
      }
    }
    add(make_nolima_task("nolima_user", needles_, books_.get()));
  }
  void open_mrcr(const std::string& path, const Tokenizer* bins) {
    files_.push_back({path, sha256_hex(read_file(path))});
    MrcrRows read = load_mrcr_rows(path, bins);
    problems_ = std::move(read.problems);
    const auto rows = std::make_shared<const std::vector<MrcrRow>>(std::move(read.rows));
    if (std::none_of(rows->begin(), rows->end(), [](const MrcrRow& row) { return row.tokens >= 0; }))
      throw Error(ErrorCode::kUsage,
                  "{}: its rows carry no 'tokens', so their bins are unknown; give a tokenizer to count them (o200k_base)",
                  path);
    std::set<int64_t> counts;
    for (const MrcrRow& row : *rows) counts.insert(row.n_needles);
    for (int64_t needles : counts) add(make_mrcr_rows_task(rows, needles));
  }

  NeedleSet needles_;
  std::unique_ptr<BookShelf> books_;
  std::vector<std::unique_ptr<Task>> owned_;
  std::vector<TaskInfo> infos_;
  std::vector<UserFile> files_;
  std::vector<std::string> problems_;
};

}  // namespace

std::unique_ptr<UserTasks> open_user_tasks(const UserTaskFiles& files, const Tokenizer* bins) {
  return std::make_unique<Opened>(files, bins);
}

}  // namespace sala::tasks
