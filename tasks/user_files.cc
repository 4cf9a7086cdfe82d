#include "sala/tasks/user_files.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <set>

#include "sala/core/error.h"
#include "sala/core/sha256.h"
#include "sim/text/files.h"
#include "tasks/mrcr/mrcr.h"
#include "tasks/mrcr/rows.h"
#include "tasks/nolima/checks.h"
#include "tasks/nolima/nolima.h"
#include "tasks/text/corpora_files.h"

namespace sala::tasks {
namespace {

constexpr std::string_view kNolimaUser = "nolima_user", kNolimaDirect = "nolima_direct";

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
  const std::vector<const Task*>& tasks() const override { return tasks_; }
  const std::vector<std::string>& problems() const override { return problems_; }

 private:
  void add(std::unique_ptr<const Task> task) {
    tasks_.push_back(task.get());
    owned_.push_back(std::move(task));
  }
  void add_file(const std::string& role, const std::string& path, const std::string& bytes) {
    files_.push_back({role, path, sha256_hex(bytes), static_cast<int64_t>(bytes.size())});
  }
  void open_nolima(const UserPaths& paths) {
    needles_ = own_needle_set(Split::kEval);
    if (!paths.needles.empty()) {
      const TextFile file = read_text_file("needles", paths.needles);
      needles_ = parse_needle_set(file.text(), paths.needles, &problems_);
      add_file("needles", paths.needles, file.bytes);
    }
    if (!paths.books.empty()) {
      books_ = open_books(paths.books);
      for (int64_t book = 0; book < books_->count(); ++book) {  // the name is part of the seed
        const std::string path = fmt::format("{}/{}", paths.books, books_->name(book));
        add_file("book " + books_->name(book), path, text::read_file(path));
      }
    }
    const BookShelf& books = books_ ? *books_ : own_books(Split::kEval);
    HaystackWords haystack;
    for (int64_t book = 0; book < books.count(); ++book) haystack.add(books.text(book));
    for (const std::string& sentence : check_needle_set(needles_, haystack)) problems_.push_back("needles: " + sentence);
    add(make_nolima_task(std::string(kNolimaUser), needles_, books_.get()));
  }
  void open_mrcr(const std::string& path, const std::string& tokenizer) {
    const auto bins = tokenizer.empty() ? nullptr : open_tokenizer(tokenizer);
    add_file(bins == nullptr ? "mrcr" : "mrcr in bins of " + bins->hash(), path, text::read_file(path));
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
    for (int64_t needles : counts) add(make_official_mrcr_task(rows, needles));
  }

  NeedleSet needles_;
  std::unique_ptr<BookShelf> books_;
  std::vector<std::unique_ptr<const Task>> owned_;
  std::vector<const Task*> tasks_;
  std::vector<CorpusFile> files_;  // what the tasks are made of
  std::vector<std::string> problems_;
  std::unique_ptr<const Corpora> corpora_;
};

// Records of somebody's needle set: there is nothing to make samples of.
class NolimaRecords final : public Task {
 public:
  NolimaRecords(const std::string& name, const std::string& benchmark, const std::string& aggregate)
      : Task({.name = name,
              .group = name,
              .description = "NoLiMa records",
              .texts_name = "NoLiMa records",
              .benchmark = benchmark,
              .aggregate = aggregate}) {}
  Sample make_sample(const SampleRequest&, const Tokenizer&) const override {
    throw Error(ErrorCode::kUnsupported, "{}: these samples are only in the file of their predictions", name());
  }
  Score score(const Sample& sample, std::string_view answer) const override {
    return {nolima_match(NolimaMetric::kContains, answer, sample.outputs), {}};
  }
};

}  // namespace

std::shared_ptr<const Task> make_file_task(const std::string& name) {
  if (name == kNolimaUser) return std::make_shared<NolimaRecords>(name, "nolima", "nolima");
  if (name == kNolimaDirect) return std::make_shared<NolimaRecords>(name, name, "");
  int64_t needles = 0;
  const char *begin = name.data() + kMrcrOfficial.size(), *end = name.data() + name.size();
  if (!name.starts_with(kMrcrOfficial) || std::from_chars(begin, end, needles).ptr != end || needles < 1) return nullptr;
  return make_official_mrcr_task(std::make_shared<const std::vector<MrcrRow>>(), needles);
}

std::string nolima_file_task(std::string_view question_type) {
  return std::string(question_type == "direct" ? kNolimaDirect : kNolimaUser);
}

std::unique_ptr<UserFiles> open_user_files(const UserPaths& paths) { return std::make_unique<Opened>(paths); }

}  // namespace sala::tasks
