#include "eval/store/run_file.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <functional>
#include <limits>
#include <map>
#include <numeric>

#include "eval/store/array_writer.h"
#include "sala/core/error.h"
#include "sim/text/json.h"

namespace sala::eval {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

// Widest extents of the ragged lists of a cell; shorter ones are padded.
struct Widths {
  int64_t samples = 0, answer = 0, expected = 0, evidence = 0;
};

Widths widths_of(const CellResult& cell) {
  Widths most;
  most.samples = static_cast<int64_t>(cell.records.size());
  for (const SampleRecord* record : cell.records) {
    most.answer = std::max(most.answer, static_cast<int64_t>(record->answer_ids.size()));
    most.expected = std::max(most.expected, static_cast<int64_t>(record->expected.size()));
    most.evidence = std::max(most.evidence, static_cast<int64_t>(record->evidence.size()));
  }
  return most;
}

template <class T, class Get>
std::vector<T> column(const CellResult& cell, const Get& get) {
  std::vector<T> values;
  for (const SampleRecord* record : cell.records) values.push_back(get(*record));
  return values;
}

// values[sample][i] for i < width; what a sample lacks is `padding`.
template <class T, class Get>
std::vector<T> table(const CellResult& cell, int64_t width, const T& padding, const Get& get) {
  std::vector<T> values;
  for (const SampleRecord* record : cell.records)
    for (int64_t i = 0; i < width; ++i) values.push_back(get(*record, static_cast<std::size_t>(i), padding));
  return values;
}

template <class T>
std::span<const T> view(const std::vector<T>& values) {
  return values;
}

// An axis without values of its own: 0, 1, 2, ...
h5::Dataset counting_scale(h5::Group& group, const std::string& name, int64_t extent) {
  std::vector<int64_t> values(static_cast<std::size_t>(extent));
  std::iota(values.begin(), values.end(), int64_t{0});
  h5::Dataset dataset = group.write_array<int64_t>(name, {extent}, view(values));
  dataset.scale(name);
  return dataset;
}

class CellWriter {
 public:
  CellWriter(h5::Group group, const CellResult& cell, const RunDirectory& directory, const RunPlan& plan)
      : group_(std::move(group)),
        cell_(cell),
        directory_(directory),
        widths_(widths_of(cell)),
        shift_(static_cast<int64_t>(plan.prefix.size())),
        select_(select_name(plan.select)) {}

  void write() {
    attributes();
    h5::Dataset samples = group_.write_array<int64_t>(
        "sample_index", {widths_.samples}, view(column<int64_t>(cell_, [](const auto& record) { return record.index; })));
    samples.scale("sample");
    scores(samples);
    answers(samples);
    evidence(samples);
    write_arrays(group_, samples, widths_.samples,
                 [&](int64_t row) { return directory_.arrays(*cell_.records[static_cast<std::size_t>(row)]); });
  }

 private:
  void attributes() {
    group_.attribute("task", std::string(cell_.cell.task->name()));
    group_.attribute("group", std::string(cell_.cell.task->group()));
    group_.attribute("length", cell_.cell.length);
    group_.attribute("score", cell_.score);
    group_.attribute("interval_low", cell_.interval.low);
    group_.attribute("interval_high", cell_.interval.high);
    group_.attribute("interval_kind", "Wilson, 95 %");
    group_.attribute("standard_error", cell_.standard_error.value_or(kNaN));
    group_.attribute("samples", widths_.samples);
    group_.attribute("samples_planned", static_cast<int64_t>(cell_.cell.samples.size()));
    group_.attribute("empty_answers", cell_.nulls);
    group_.attribute("prefix_tokens", shift_);
    group_.attribute("select", select_);
  }

  void scores(const h5::Dataset& samples) {
    const int64_t N = widths_.samples;
    const auto numbers = [&](const std::string& name, const std::string& units, const std::vector<double>& values) {
      h5::Dataset dataset = group_.write_array<double>(name, {N}, view(values));
      dataset.attach(0, samples).attribute("units", units);
    };
    const auto counts = [&](const std::string& name, const std::vector<int64_t>& values) {
      h5::Dataset dataset = group_.write_array<int64_t>(name, {N}, view(values));
      dataset.attach(0, samples).attribute("units", "tokens");
    };
    numbers("score", "1", column<double>(cell_, [](const auto& record) { return record.score; }));
    counts("prompt_tokens", column<int64_t>(cell_, [](const auto& record) { return record.prompt_tokens; }));
    counts("effective_tokens", column<int64_t>(cell_, [](const auto& record) { return record.effective_tokens(); }));
    counts("answer_tokens", column<int64_t>(cell_, [](const auto& r) { return static_cast<int64_t>(r.answer_ids.size()); }));
    group_
        .write_array<uint8_t>("stopped", {N},
                              view(column<uint8_t>(cell_, [](const auto& record) { return record.stopped; })))
        .attach(0, samples)
        .attribute("meaning", "1 = ended by a stop token, 0 = by the token limit");
    if (cell_.records[0]->diagnostics.empty()) return;
    h5::Group diagnostics = group_.create("diagnostics");
    for (std::size_t i = 0; i < cell_.records[0]->diagnostics.size(); ++i) {
      const std::string& name = cell_.records[0]->diagnostics[i].first;
      const auto values = column<double>(cell_, [&](const SampleRecord& record) {
        return i < record.diagnostics.size() && record.diagnostics[i].first == name ? record.diagnostics[i].second : kNaN;
      });
      diagnostics.write_array<double>(name, {N}, view(values)).attach(0, samples).attribute("units", "1");
    }
  }

  void answers(const h5::Dataset& samples) {
    const int64_t N = widths_.samples;
    group_.write_texts("sample_id", {N}, column<std::string>(cell_, [](const auto& record) { return record.id; }))
        .attach(0, samples);
    group_
        .write_texts("answer", {N},
                     column<std::string>(cell_, [](const auto& record) { return printable_utf8(record.answer); }))
        .attach(0, samples);
    const auto ids =
        table<int32_t>(cell_, widths_.answer, -1, [](const SampleRecord& record, std::size_t i, int32_t padding) {
          return i < record.answer_ids.size() ? record.answer_ids[i] : padding;
        });
    group_.write_array<int32_t>("answer_ids", {N, widths_.answer}, view(ids))
        .attach(0, samples)
        .attach(1, counting_scale(group_, "answer_token", widths_.answer))
        .attribute("padding", int64_t{-1});
    const auto expected = table<std::string>(
        cell_, widths_.expected, "", [](const SampleRecord& record, std::size_t i, const std::string& padding) {
          return i < record.expected.size() ? printable_utf8(record.expected[i]) : padding;
        });
    group_.write_texts("expected", {N, widths_.expected}, expected)
        .attach(0, samples)
        .attach(1, counting_scale(group_, "reference", widths_.expected));
  }

  void evidence(const h5::Dataset& samples) {
    const int64_t N = widths_.samples, M = widths_.evidence;
    if (M == 0) return;
    h5::Dataset spans = counting_scale(group_, "evidence", M);
    std::vector<int64_t> bounds;
    for (const SampleRecord* record : cell_.records)
      for (int64_t i = 0; i < M; ++i) {
        const bool present = i < static_cast<int64_t>(record->evidence.size());
        bounds.push_back(present ? record->evidence[static_cast<std::size_t>(i)].token_begin : -1);
        bounds.push_back(present ? record->evidence[static_cast<std::size_t>(i)].token_end : -1);
      }
    h5::Dataset tokens = group_.write_array<int64_t>("evidence_tokens", {N, M, 2}, view(bounds));
    tokens.attach(0, samples).attach(1, spans).attach(2, counting_scale(group_, "bound", 2)).attribute("units", "tokens");
    tokens.attribute("meaning", "[begin, end) in the prompt, prefix_tokens not counted").attribute("padding", int64_t{-1});
    const auto depth = table<double>(cell_, M, kNaN, [](const SampleRecord& record, std::size_t i, double padding) {
      return i < record.evidence.size() ? record.evidence[i].depth : padding;
    });
    group_.write_array<double>("evidence_depth", {N, M}, view(depth))
        .attach(0, samples)
        .attach(1, spans)
        .attribute("units", "1");
    const auto texts = [&](const char* name, std::string tasks::Evidence::*member) {
      const auto values =
          table<std::string>(cell_, M, "", [&](const SampleRecord& record, std::size_t i, const std::string& padding) {
            return i < record.evidence.size() ? printable_utf8(record.evidence[i].*member) : padding;
          });
      group_.write_texts(name, {N, M}, values).attach(0, samples).attach(1, spans);
    };
    texts("evidence_key", &tasks::Evidence::key);
    texts("evidence_value", &tasks::Evidence::value);
  }

  h5::Group group_;
  const CellResult& cell_;
  const RunDirectory& directory_;
  const Widths widths_;
  const int64_t shift_;
  const std::string select_;
};

void write_timing(h5::Group& parent, const std::string& name, const CellResult& cell) {
  h5::Group group = parent.create(name);
  const auto indexes = column<int64_t>(cell, [](const auto& record) { return record.index; });
  h5::Dataset samples = group.write_array<int64_t>("sample_index", {static_cast<int64_t>(indexes.size())}, view(indexes));
  samples.scale("sample");
  const auto seconds = [&](const std::string& what, const std::vector<double>& values) {
    group.write_array<double>(what, {static_cast<int64_t>(values.size())}, view(values))
        .attach(0, samples)
        .attribute("units", "s");
  };
  seconds("make_seconds", column<double>(cell, [](const auto& record) { return record.timing.make_seconds; }));
  seconds("prefill_seconds", column<double>(cell, [](const auto& record) { return record.timing.prefill_seconds; }));
  seconds("decode_seconds", column<double>(cell, [](const auto& record) { return record.timing.decode_seconds; }));
}

std::string cell_file(const Cell& cell) {
  std::string name = cell.name();
  std::replace(name.begin(), name.end(), '/', '_');
  return "cells/" + name + ".h5";
}

// A new file in place of `path`, once `fill` has put everything into it.
void write_new_file(const std::string& path, const std::function<void(h5::File&)>& fill) {
  const std::string temporary = fresh_beside(path);
  try {
    h5::File file = h5::File::make(temporary);
    file.attribute("schema", kRunSchema);
    fill(file);
    file.close();
  } catch (...) {
    ::unlink(temporary.c_str());
    throw;
  }
  replace_file(temporary, path);
}

// What every run.h5 has, and the groups of a cell's task under /cells and /provenance/timing.
class Tree {
 public:
  Tree(h5::File& file, const RunPlan& plan, const Provenance& provenance)
      : cells_(file.create("cells")), origin_(file.create("provenance")), timing_(origin_.create("timing")) {
    file.attribute("config", text::write_json(plan.to_json(), 1));
    for (const auto& [name, text] : provenance) origin_.attribute(name, text);
  }
  std::pair<h5::Group, h5::Group>& of(const Cell& cell) {
    const std::string task(cell.task->name());
    if (tasks_.count(task) == 0) tasks_.emplace(task, std::make_pair(cells_.create(task), timing_.create(task)));
    return tasks_.at(task);
  }

 private:
  h5::Group cells_, origin_, timing_;
  std::map<std::string, std::pair<h5::Group, h5::Group>> tasks_;
};

}  // namespace

void write_cell_file(const RunDirectory& directory, const RunPlan& plan, const CellResult& cell) {
  make_own_folder(directory.file("cells"));
  write_new_file(directory.file(cell_file(cell.cell)), [&](h5::File& file) {
    CellWriter(file.create("cell"), cell, directory, plan).write();
    write_timing(file, "timing", cell);
  });
}

void remove_cell_file(const RunDirectory& directory, const Cell& cell) {
  if (!is_own_folder(directory.file("cells"))) return;
  const std::string path = directory.file(cell_file(cell));
  ::unlink(path.c_str());
  ::unlink(fresh_name(path).c_str());  // of a writer that was killed
}

void link_cell_files(const RunDirectory& directory, const RunPlan& plan, const Provenance& provenance) {
  write_new_file(directory.file("run.h5"), [&](h5::File& file) {
    Tree tree(file, plan, provenance);
    for (const Cell& cell : plan.cells) {
      if (!file_exists(directory.file(cell_file(cell)))) continue;
      auto& [results, timing] = tree.of(cell);
      results.link(std::to_string(cell.length), cell_file(cell), "/cell");
      timing.link(std::to_string(cell.length), cell_file(cell), "/timing");
    }
  });
}

void write_run_file(const RunDirectory& directory, const RunPlan& plan, const std::vector<CellResult>& cells,
                    const Provenance& provenance) {
  write_new_file(directory.file("run.h5"), [&](h5::File& file) {
    Tree tree(file, plan, provenance);
    for (const CellResult& cell : cells) {
      auto& [results, timing] = tree.of(cell.cell);
      const std::string length = std::to_string(cell.cell.length);
      CellWriter(results.create(length), cell, directory, plan).write();
      write_timing(timing, length, cell);
    }
  });
}

void remove_cell_files(const RunDirectory& directory, const RunPlan& plan) {
  for (const Cell& cell : plan.cells) remove_cell_file(directory, cell);
  ::rmdir(directory.file("cells").c_str());  // stays when somebody else put something there
}

h5::File open_run_file(const std::string& path) {
  h5::File file = h5::File::load(path);
  const std::string schema = file.has_attribute("schema") ? file.text("schema") : "absent";
  if (schema != kRunSchema)
    throw Error(ErrorCode::kUnsupported, "{}: the schema is {}, this build reads {}", path, schema, kRunSchema);
  return file;
}

}  // namespace sala::eval
