#include "eval/sweep/folder.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <set>

#include "eval/spec/record.h"
#include "eval/util/files.h"
#include "eval/util/json_fields.h"
#include "eval/util/process.h"
#include "sala/core/error.h"
#include "sala/core/rng.h"
#include "sim/text/json.h"

namespace sala::eval {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

constexpr const char* kSweepSchema = "sala.sweep/1";

std::string check_of(const Json& json) {
  Json content = json;
  content.erase("check");
  return hash_hex(stable_hash(text::write_json(content)));
}

std::string sweep_text(const Sweep& sweep) {
  Json json = {{"schema", kSweepSchema}, {"name", sweep.name}, {"file", sweep.text}, {"cells", Json::array()}};
  for (const SweepCell& cell : sweep.cells) json["cells"].push_back(to_json(cell));
  json["check"] = check_of(json);
  return text::write_json(json, 1) + "\n";
}

Sweep read_sweep(const std::string& path) {
  try {
    const Json json = text::parse_json(read_file(path), path);
    if (!json.is_object() || json.value("schema", Json()) != Json(kSweepSchema))
      throw Error(ErrorCode::kFormat, "it is no {}", kSweepSchema);
    if (json.value("check", Json()) != Json(check_of(json))) throw Error(ErrorCode::kFormat, "its checksum does not fit");
    Sweep sweep{fields::text(json, "name"), fields::text(json, "file"), {}};
    for (const Json& cell : fields::list(json, "cells")) sweep.cells.push_back(parse_cell(cell));
    return sweep;
  } catch (const Error& problem) {
    throw Error(problem.code(), "{} is damaged or no sweep ({}); remove it and run its sweep again", path, problem.what());
  }
}

bool has_all(const std::vector<int64_t>& indexes, const std::vector<int64_t>& wanted) {
  return std::includes(indexes.begin(), indexes.end(), wanted.begin(), wanted.end());
}

// Of a cell's samples, in some folder.
struct Held {
  std::map<int64_t, std::string> answers;  // index to all that is the same in every run
  std::vector<int64_t> indexes() const {
    std::vector<int64_t> all;
    for (const auto& [index, answer] : answers) all.push_back(index);
    return all;
  }
};

Held held(const SweepFolder& folder, SweepCell cell) {
  Held there;
  const CellState first = folder.state(cell);
  cell.samples.insert(cell.samples.end(), first.others.begin(), first.others.end());
  std::sort(cell.samples.begin(), cell.samples.end());
  CellState state = folder.state(cell);
  if (state.status == CellStatus::kDamaged) throw Error(ErrorCode::kFormat, "{}", state.error);
  for (SampleRecord& record : state.records) {
    record.timing = {};
    record.arrays.reset();
    there.answers[record.index] = to_line(record);
  }
  return there;
}

void check_same(const SweepCell& cell, const Held& a, const Held& b, const std::string& from, const std::string& to) {
  for (const auto& [index, answer] : a.answers)
    if (const auto other = b.answers.find(index); other != b.answers.end() && other->second != answer)
      throw Error(ErrorCode::kFormat, "{} and {} have different results for sample {} of {} ({}); one of them is wrong",
                  from, to, index, cell.title(), cell.name);
}

// As a new folder in the place of what is there.
void copy_cell(const SweepFolder& from, const SweepFolder& to, const SweepCell& cell) {
  const std::string place = to.cell_folder(cell), fresh = place + "." + process_name();
  try {
    fs::remove_all(fresh);
    fs::copy(from.cell_folder(cell), fresh, fs::copy_options::recursive);
    fs::remove_all(place);
    fs::rename(fresh, place);
  } catch (const fs::filesystem_error& problem) {
    std::error_code ignored;
    fs::remove_all(fresh, ignored);
    throw Error(ErrorCode::kIo, "cannot copy {} to {}: {}", from.cell_folder(cell), place, problem.code().message());
  }
}

bool merge_cell(const SweepCell& cell, const SweepFolder& from, const SweepFolder& to) {
  if (!file_exists(from.cell_folder(cell))) return false;
  const Held there = held(from, cell), here = held(to, cell);
  check_same(cell, there, here, from.path(), to.path());
  if (has_all(here.indexes(), there.indexes())) return false;
  if (!has_all(there.indexes(), here.indexes()))
    throw Error(ErrorCode::kFormat, "{} and {} have different samples of {} ({}), which cannot be put together", from.path(),
                to.path(), cell.title(), cell.name);
  copy_cell(from, to, cell);
  to.clear_error(cell);
  return true;
}

}  // namespace

void SweepFolder::write(const Sweep& sweep) const {
  make_folders(file("sweeps"));
  make_folders(file("cells"));
  const auto put = [](const std::string& path, const std::string& text) {
    if (!file_exists(path) || read_file(path) != text) write_shared(path, text);
  };
  put(toml_file(sweep.name), sweep.text);
  put(file("sweeps/" + sweep.name + ".json"), sweep_text(sweep));
}

std::vector<Sweep> SweepFolder::read() const {
  std::vector<std::string> paths;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(file("sweeps"), ignored))
    if (entry.path().extension() == ".json") paths.push_back(entry.path().string());
  if (paths.empty()) throw Error(ErrorCode::kUsage, "{} holds no sweep: it has no sweeps/*.json", path_);
  std::sort(paths.begin(), paths.end());
  std::vector<Sweep> sweeps;
  for (const std::string& path : paths) sweeps.push_back(read_sweep(path));
  return sweeps;
}

void SweepFolder::set_error(const SweepCell& cell, const std::string& sentence) const {
  write_shared(error_file(cell), sentence + "\n");
}

void SweepFolder::clear_error(const SweepCell& cell) const {
  std::error_code ignored;
  fs::remove(error_file(cell), ignored);
}

std::vector<SweepCell> all_cells(const std::vector<Sweep>& sweeps) {
  std::set<std::vector<std::string>> can_run;
  for (const Sweep& sweep : sweeps)
    for (const SweepCell& cell : sweep.cells)
      if (!cell.name.empty()) can_run.insert(cell.words);
  std::vector<SweepCell> cells;
  std::map<std::string, std::size_t> places;
  for (const Sweep& sweep : sweeps)
    for (const SweepCell& cell : sweep.cells) {
      if (cell.name.empty() && can_run.contains(cell.words)) continue;
      const auto [place, is_new] = places.emplace(cell.key(), cells.size());
      if (is_new)
        cells.push_back(cell);
      else
        cells[place->second].ask_for(cell.samples);
    }
  return cells;
}

Merged merge(const std::vector<std::string>& from, const SweepFolder& to) {
  std::map<std::string, Sweep> sweeps;  // by name
  std::vector<std::string> all = from;
  if (file_exists(to.file("sweeps"))) all.push_back(to.path());
  for (const std::string& path : all)
    for (Sweep& sweep : SweepFolder(path).read()) {
      const auto [place, is_new] = sweeps.emplace(sweep.name, sweep);
      if (is_new) continue;
      if (place->second.text != sweep.text)
        throw Error(ErrorCode::kUsage,
                    "the folders have two different sweeps that are called {}; rename one's file and run it again",
                    sweep.name);
      place->second.cells = all_cells({place->second, sweep});
    }
  for (const auto& [name, sweep] : sweeps) to.write(sweep);
  Merged merged;
  std::set<std::string> names;
  for (const auto& [name, sweep] : sweeps)
    for (const SweepCell& cell : sweep.cells) {
      if (cell.name.empty() || !names.insert(cell.name).second) continue;
      for (const std::string& path : from) try {
          merged.copied += merge_cell(cell, SweepFolder(path), to) ? 1 : 0;
        } catch (const Error& problem) {
          if (problem.code() == ErrorCode::kIo) throw;
          merged.problems.emplace_back(problem.what());
        }
    }
  return merged;
}

}  // namespace sala::eval
