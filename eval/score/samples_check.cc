#include "eval/score/samples_check.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <filesystem>
#include <tuple>

#include "eval/spec/plan_file.h"
#include "eval/util/columns.h"
#include "eval/util/files.h"
#include "eval/util/json_fields.h"
#include "sala/core/error.h"
#include "sim/text/json.h"

namespace sala::eval {
namespace {

namespace fs = std::filesystem;

// The folder nearest to the file whose name is a number of tokens: MODEL/synthetic/131072/pred/vt.jsonl.
int64_t length_of_path(const std::string& path) {
  constexpr std::size_t kMostDigits = 9;
  constexpr int64_t kLeast = 256;
  for (fs::path folder = fs::path(path).parent_path(); folder.has_filename(); folder = folder.parent_path()) {
    const std::string name = folder.filename().string();
    if (name.size() > kMostDigits || name.find_first_not_of("0123456789") != std::string::npos) continue;
    if (const int64_t length = std::stoll(name); length >= kLeast) return length;
  }
  return 0;
}

std::string source_of(const tasks::Task& task, const SampleRecord& record) {
  if (record.id.empty()) {
    const bool registered = tasks::find_task(task.name()) == &task;
    return registered ? "not named in the files" : task.traits().texts_name;
  }
  const tasks::SampleId id = tasks::parse_sample_id(record.id);
  std::string source =
      id.corpora.empty() ? task.traits().texts_name : fmt::format("{} on the files {}", id.group, id.corpora);
  if (id.request.mode == tasks::Mode::kUpstream) source += " (upstream mode)";
  return source;
}

// Files of one model lie in one folder, or in one for each length: MODEL/synthetic/*/pred.
std::string model_folder(const std::string& path) {
  std::error_code ignored;
  const fs::path folder = fs::weakly_canonical(fs::absolute(path).parent_path(), ignored);
  const int64_t length = length_of_path(folder.string() + "/file");
  fs::path pattern;
  for (const fs::path& part : folder) pattern /= length > 0 && part == std::to_string(length) ? "*" : part;
  return pattern.string();
}

// What a plan says of who answers.
std::string answerer_of(const fields::Json& plan) {
  fields::Json answerer;
  for (const char* name : {"model", "weights_hash", "tokenizer_hash", "numerics", "numerics_version", "select", "switches",
                           "decoding", "prefix_ids", "model_config"})
    answerer[name] = plan.value(name, fields::Json());
  return text::write_json(answerer);
}

// `ruler/vt@4096#3!42` -> `ruler/vt@4096!42`
std::string without_index(const std::string& id) {
  const std::size_t hash = id.find('#'), seed = id.find('!', hash);
  return id.substr(0, hash) + id.substr(seed);
}

std::vector<int64_t> missing_of(const std::vector<int64_t>& wanted, const std::map<int64_t, std::string>& there) {
  std::vector<int64_t> missing;
  std::copy_if(wanted.begin(), wanted.end(), std::back_inserter(missing),
               [&](int64_t index) { return there.count(index) == 0; });
  return missing;
}

// A hostile index must not make a list of a billion.
std::string shortened_indexes(const std::vector<int64_t>& indexes) {
  std::string text = format_indexes(indexes);
  if (text.size() > 60) text = text.substr(0, text.rfind(',', 60)) + ", ...";
  return text;
}

}  // namespace

void SamplesCheck::begin_file(const std::string& path) {
  path_ = path;
  folder_ = fs::path(path).parent_path().string();
  if (folder_.empty()) folder_ = ".";
  folder_length_ = length_of_path(fs::absolute(path).lexically_normal().string());
  has_plan_ = false;
  source_ = {model_folder(path), folder_, false};
  const std::string plan_file = (fs::path(folder_) / kPlanFile).string();
  if (fs::path(path).filename() != "samples.jsonl" || !file_exists(plan_file)) return;
  const fields::Json plan = read_plan_file(plan_file).plan;
  for (const auto& [cell, indexes] : plan["cells"].items()) {
    const std::string task = cell.substr(0, cell.find('@'));
    const bool wanted = request_.tasks.empty() || std::any_of(request_.tasks.begin(), request_.tasks.end(),
                                                              [&](const tasks::Task* each) { return each->name() == task; });
    if (wanted)
      series_[path_ + "#" + cell] = {fmt::format("{}: {}", path_, cell), {}, parse_indexes(indexes.get<std::string>())};
  }
  has_plan_ = true;
  source_ = {answerer_of(plan), folder_, true};
}

std::string SamplesCheck::add(PredictionFormat format, const tasks::Task& task, SampleRecord& record, const std::string& key,
                              std::optional<int64_t> index, const std::string& place) {
  if (record.length == 0 && !task.traits().length_is_bin)
    record.length = request_.length > 0 ? request_.length : folder_length_;
  const std::string cell = fmt::format("{}@{}", record.task, record.length);
  note_source();
  if (record.length != 0) claim(cell, folder_);
  const std::string scope = record.id.empty() && record.length == 0 ? folder_ : "";
  const auto [known, fresh] = places_.emplace(fmt::format("{}|{}|{}", cell, key, scope), place);
  if (!fresh) return known->second;
  sources_.insert(source_of(task, record));
  record_folders_.push_back(folder_);
  binned_.push_back(task.traits().length_is_bin);
  const int64_t ordinal = ordinals_[cell]++;
  if (record.id.empty() && format != PredictionFormat::kLmEval) record.index = ordinal;
  if (!index) return "";
  std::string series = record.id.empty() ? fmt::format("{}/{}", folder_, cell) : without_index(record.id),
              name = record.length == 0 ? record.task : cell;
  if (format == PredictionFormat::kLmEval) series = name = path_;  // doc_id counts over all lengths of a file
  if (has_plan_) series = path_ + "#" + cell, name = fmt::format("{}: {}", path_, cell);
  Series& counted = series_[series];
  counted.name = name;
  const auto [first, new_index] = counted.indexes.emplace(*index, place);
  // Upstream's index of a needle task is a character offset, which samples may share.
  if (!new_index && format == PredictionFormat::kRuler && !task.traits().hides_answers &&
      first->second.starts_with(path_ + ":"))
    repeated_.push_back(
        fmt::format("{}: index {} with another prompt than at {}; both count", place, *index, first->second));
  return "";
}

// One table is of one model. Plans of runs say which it is; of other files the user may.
void SamplesCheck::note_source() {
  if (!first_source_) first_source_ = source_;
  const Source& first = *first_source_;
  const bool known = source_.known && first.known;
  if (!two_models_.empty() || source_.answerer == first.answerer || (!known && request_.one_model)) return;
  two_models_ = fmt::format("{} and {} {} of two models, which have no one table; score them one by one{}", first.folder,
                            source_.folder, known ? "are runs" : "may be",
                            known ? "" : ", or name the model that answered both by --model");
}

// One mean is of one run. Formats of predictions do not name it; where people keep several, each has a folder.
void SamplesCheck::claim(const std::string& cell, const std::string& folder) {
  const auto [known, fresh] = owners_.emplace(cell, folder);
  std::error_code ignored;
  if (fresh || known->second == folder || fs::equivalent(known->second, folder, ignored)) return;
  throw Error(ErrorCode::kUsage,
              "{} is answered in {} and in {}: two models or two runs are no one mean; score them one by one", cell,
              known->second, folder);
}

void SamplesCheck::infer_lengths(std::vector<SampleRecord>& records, std::vector<std::string>& warnings) const {
  constexpr double kLeastFill = 0.8;
  std::map<std::string, int64_t> longest;
  const auto unknown = [&](std::size_t i) { return records[i].length == 0 && !binned_[i]; };
  for (std::size_t i = 0; i < records.size(); ++i)
    if (unknown(i)) {
      int64_t& most = longest[record_folders_[i]];
      most = std::max(most, records[i].prompt_tokens);
    }
  std::map<std::string, int64_t> lengths;
  for (const auto& [folder, tokens] : longest) {
    int64_t power = 1024;
    while (power < tokens && power < (int64_t{1} << 40)) power *= 2;
    const std::string where = folder == "." ? "this folder" : folder;
    if (static_cast<double>(tokens) >= kLeastFill * static_cast<double>(power)) {
      lengths[folder] = power;
      warnings.push_back(fmt::format("{}: length {} is inferred from the longest sample ({} tokens); --len says another",
                                     where, with_commas(power), with_commas(tokens)));
    } else {
      warnings.push_back(fmt::format("{}: nothing says which length this is; --len does", where));
    }
  }
  for (std::size_t i = 0; i < records.size(); ++i)
    if (unknown(i)) records[i].length = lengths[record_folders_[i]];
}

void SamplesCheck::find_missing(std::vector<std::string>& problems) const {
  constexpr int64_t kMostIndexes = 1'000'000;  // as many as `run --samples` takes
  for (const auto& [key, series] : series_) {
    std::vector<int64_t> wanted = series.planned.value_or(std::vector<int64_t>{});
    const int64_t last = series.indexes.empty() ? -1 : series.indexes.rbegin()->first;
    if (!series.planned && last >= kMostIndexes) {
      problems.push_back(fmt::format("{}: index {} is no index of a sample", series.name, last));
      continue;
    }
    for (int64_t index = 0; !series.planned && index <= last; ++index) wanted.push_back(index);
    const std::vector<int64_t> missing = missing_of(wanted, series.indexes);
    if (!missing.empty() && !request_.partial)
      problems.push_back(fmt::format("{}: {} of {} samples are missing: {}; --partial allows that", series.name,
                                     missing.size(), wanted.size(), shortened_indexes(missing)));
  }
}

void SamplesCheck::finish(std::vector<SampleRecord>& records, std::vector<std::string>& problems,
                          std::vector<std::string>& warnings) {
  infer_lengths(records, warnings);
  for (std::size_t i = 0; i < records.size(); ++i)
    claim(fmt::format("{}@{}", records[i].task, records[i].length), record_folders_[i]);
  if (!two_models_.empty()) throw Error(ErrorCode::kUsage, "{}", two_models_);
  find_missing(problems);
  problems.insert(problems.end(), repeated_.begin(), repeated_.end());
  std::map<std::pair<int64_t, std::string>, int64_t> counts;
  for (const SampleRecord& record : records) ++counts[{record.length, record.task}];
  std::map<int64_t, std::set<int64_t>> sizes;
  for (const auto& [cell, count] : counts) {
    sizes[cell.first].insert(count);
    if (request_.samples > 0 && count != request_.samples)
      problems.push_back(fmt::format("{}@{}: {}, --samples says {}", cell.second, cell.first, counted(count, "prediction"),
                                     request_.samples));
  }
  if (request_.samples > 0) return;
  for (const auto& [length, different] : sizes)
    if (different.size() > 1)
      warnings.push_back(fmt::format("the tasks at {} have different numbers of samples: {}",
                                     length == 0 ? "-" : with_commas(length), fmt::join(different, ", ")));
}

std::vector<Cell> SamplesCheck::cells(const std::vector<SampleRecord>& records,
                                      const std::map<std::string, const tasks::Task*>& tasks) const {
  std::map<std::string_view, int64_t> places;
  for (const tasks::Task* task : tasks::all_tasks()) places.emplace(task->name(), static_cast<int64_t>(places.size()));
  std::map<std::tuple<int64_t, int64_t, std::string>, std::vector<int64_t>> samples;
  for (const SampleRecord& record : records) {
    const auto place = places.find(record.task);
    const int64_t rank = place == places.end() ? static_cast<int64_t>(places.size()) : place->second;
    samples[{record.length, rank, record.task}].push_back(record.index);
  }
  std::vector<Cell> cells;
  for (auto& [cell, indexes] : samples) {
    std::sort(indexes.begin(), indexes.end());
    cells.push_back({tasks.at(std::get<2>(cell)), std::get<0>(cell), std::move(indexes)});
  }
  return cells;
}

}  // namespace sala::eval
