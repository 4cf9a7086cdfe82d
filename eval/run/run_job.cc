#include "eval/run/run_job.h"

#include <algorithm>
#include <exception>

#include "eval/report/report.h"
#include "eval/run/checks.h"
#include "eval/run/memory.h"
#include "eval/run/runner.h"
#include "eval/store/run_file.h"
#include "eval/util/clock.h"
#include "eval/util/files.h"
#include "sala/core/error.h"
#include "sim/text/json.h"

namespace sala::eval {
namespace {

// The files that are made of the journal. Each cell is written when it is finished; what tells of all cells costs more with
// every cell and is written now and then.
class Saving {
 public:
  explicit Saving(const Job& job) : job_(job) {}

  // An unwritable or full disk is found now. Cells of an earlier process get their files anew: one that is there may have
  // more or fewer samples than the journal.
  void begin() {
    for (const Cell& cell : job_.plan.cells) write_cell(cell);
    save();
  }
  void cell(const Cell& cell) {
    write_cell(cell);
    if (seconds_now() >= next_) save();
  }
  // Also of cells that are begun.
  void interrupted() {
    for (const Cell& cell : job_.plan.cells) {
      const std::size_t count = job_.directory.records_of(cell).size();
      if (count < cell.samples.size()) write_cell(cell);
    }
    save();
  }
  RunResults finish() {
    const Provenance provenance = provenance_now();
    RunResults results = summarize(job_.plan, job_.directory.records());
    write_run_file(job_.directory, job_.plan, results.cells, provenance);
    write_summaries(results, provenance);
    remove_cell_files(job_.directory, job_.plan);
    return results;
  }

 private:
  void write_cell(const Cell& cell) const {
    std::vector<const SampleRecord*> records = job_.directory.records_of(cell);
    if (records.empty()) return remove_cell_file(job_.directory, cell);
    write_cell_file(job_.directory, job_.plan, summarize_cell(cell, std::move(records)));
  }
  void save() {
    constexpr double kSeconds = 3, kShare = 20;  // at most every 3 s, and a twentieth of the time
    const double began = seconds_now();
    const Provenance provenance = provenance_now();
    link_cell_files(job_.directory, job_.plan, provenance);
    write_summaries(summarize(job_.plan, job_.directory.records()), provenance);
    const double ended = seconds_now();
    next_ = ended + std::max(kSeconds, kShare * (ended - began));
  }
  void write_summaries(const RunResults& results, const Provenance& provenance) const {
    write_atomically(job_.directory.file("summary.json"),
                     text::write_json(summary_json(job_.plan, results, provenance), 1) + "\n");
    write_atomically(job_.directory.file("summary.md"), format_results(job_.plan, results, "md"));
  }
  Provenance provenance_now() const {
    Provenance provenance = job_.provenance;
    provenance.emplace_back("started", job_.directory.started());
    provenance.emplace_back("written", utc_now());
    provenance.emplace_back("peak_bytes", fmt::format("{}", peak_memory()));
    return provenance;
  }

  const Job& job_;
  double next_ = 0;
};

// To be called while an exception is handled. It goes on when all that was done is saved; else what comes says both.
[[noreturn]] void save_and_rethrow(Saving& saving) {
  const std::exception_ptr stopped = std::current_exception();
  std::string unsaved;
  try {
    saving.interrupted();
  } catch (const std::exception& problem) {
    unsaved = problem.what();
  }
  if (unsaved.empty()) std::rethrow_exception(stopped);
  const auto both = [&](ErrorCode code, const char* what) {
    return Error(code, "{}; {} has every finished sample, but run.h5 and the summaries are not up to date: {}", what,
                 kJournalFile, unsaved);
  };
  try {
    std::rethrow_exception(stopped);
  } catch (const Error& problem) {
    throw both(problem.code(), problem.what());
  } catch (const std::exception& problem) {
    throw both(ErrorCode::kIo, problem.what());
  }
}

}  // namespace

RunResults run_job(const Job& job) {
  check_subject(job.plan, job.subjects);
  Saving saving(job);
  if (static_cast<int64_t>(job.directory.records().size()) == job.plan.sample_count()) return saving.finish();
  saving.begin();
  try {
    run_samples(job, [&](const Cell& cell) {
      saving.cell(cell);
      if (job.on_cell) job.on_cell(cell);
    });
  } catch (...) {
    save_and_rethrow(saving);
  }
  return saving.finish();
}

}  // namespace sala::eval
