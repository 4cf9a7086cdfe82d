#include "eval/report/report.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <vector>

#include "eval/observe/statistic.h"
#include "eval/report/table.h"
#include "sala/core/error.h"

namespace sala::eval {
namespace {

using Json = nlohmann::ordered_json;

// In percent.
Value percent(double score, int digits) { return number(100 * score, digits); }
Value percent(const Interval& interval) { return range({100 * interval.low, 100 * interval.high}); }

// What the statistics have for tables.
std::vector<FigureKind> figure_kinds() {
  std::vector<FigureKind> kinds;
  for (const StatisticKind& statistic : statistics())
    kinds.insert(kinds.end(), statistic.figures.begin(), statistic.figures.end());
  return kinds;
}

// Those that some cell has.
std::vector<FigureKind> found_figures(const RunResults& results) {
  std::vector<FigureKind> kinds = figure_kinds();
  std::erase_if(kinds, [&](const FigureKind& kind) {
    return std::none_of(results.cells.begin(), results.cells.end(),
                        [&](const CellResult& cell) { return cell.figure(kind.name).has_value(); });
  });
  return kinds;
}

// A column for each figure of a table whose rows are the cells.
void add_figures(const RunResults& results, std::string FigureKind::*head, Table& table) {
  for (const FigureKind& kind : figure_kinds()) {
    table.head.push_back(kind.*head);
    for (std::size_t i = 0; i < results.cells.size(); ++i)
      table.rows[i].push_back(number(results.cells[i].figure(kind.name), 6));
  }
}

// The group's row stands after the last cell of its length.
std::vector<const GroupResult*> groups_after(const RunResults& results, std::size_t cell) {
  std::vector<const GroupResult*> due;
  const auto last_of = [&](const GroupResult& group) {
    std::size_t last = 0;
    for (std::size_t i = 0; i < results.cells.size(); ++i)
      if (results.cells[i].cell.length == group.length && results.cells[i].cell.task->group() == group.group) last = i;
    return last;
  };
  for (const GroupResult& group : results.groups)
    if (last_of(group) == cell) due.push_back(&group);
  return due;
}

std::string short_length(int64_t length) { return length == 0 ? "-" : tasks::format_length(length); }

// How far the lengths were used, and how fast.
void add_speed(const ReportSubject& subject, const RunResults& results, Table& table) {
  table.head.insert(table.head.end(), {"fill", "tokens_per_second", "seconds"});
  for (std::size_t i = 0; i < results.cells.size(); ++i) {
    const CellResult& cell = results.cells[i];
    table.rows[i].push_back(number(cell.mean_fill, 6));
    table.rows[i].push_back(subject.timed ? number(cell.tokens_per_second, 3) : Value{});
    table.rows[i].push_back(subject.timed ? number(cell.seconds, 3) : Value{});
  }
}

Table people_table(const ReportSubject& subject, const RunResults& results) {
  const std::vector<FigureKind> figures = found_figures(results);
  const int digits = subject.timed ? 1 : 2;
  Table table{"", {"task", "length", "tokens", "n", "score", "95% interval"}, {}};
  for (const FigureKind& kind : figures) table.head.push_back(kind.name);
  if (subject.timed) table.head.insert(table.head.end(), {"tokens/s", "seconds"});
  if (!subject.timed) table.head.emplace_back("nulls");
  for (std::size_t i = 0; i < results.cells.size(); ++i) {
    const CellResult& cell = results.cells[i];
    std::vector<Value> row = {
        text(std::string(cell.cell.task->name())),        text(short_length(cell.cell.length)), tokens(cell.cell.length),
        count(static_cast<int64_t>(cell.records.size())), percent(cell.score, digits),          percent(cell.interval)};
    for (const FigureKind& kind : figures) row.push_back(number(cell.figure(kind.name), 2));
    if (subject.timed) row.insert(row.end(), {large(static_cast<int64_t>(cell.tokens_per_second)), number(cell.seconds, 1)});
    if (!subject.timed) row.push_back(text(cell.nulls_text()));
    table.rows.push_back(std::move(row));
    for (const GroupResult* group : groups_after(results, i)) {
      std::vector<Value> mean = {text(group->label()),          text(short_length(group->length)),
                                 tokens(group->length),         text(""),
                                 percent(group->score, digits), percent(group->interval)};
      mean.resize(table.head.size(), text(""));
      table.rows.push_back(std::move(mean));
    }
  }
  return table;
}

// One row a cell, for programs.
Table csv_table(const ReportSubject& subject, const RunResults& results) {
  Table table{"",
              {"model", "task", "group", "length", "samples", "score", "interval_low", "interval_high", "standard_error",
               "empty_answers"},
              {}};
  for (const CellResult& cell : results.cells)
    table.rows.push_back({text(subject.model), text(std::string(cell.cell.task->name())),
                          text(std::string(cell.cell.task->group())), count(cell.cell.length),
                          count(static_cast<int64_t>(cell.records.size())), percent(cell.score, 4),
                          percent(cell.interval.low, 4), percent(cell.interval.high, 4),
                          cell.standard_error ? percent(*cell.standard_error, 6) : Value{}, count(cell.nulls)});
  add_figures(results, &FigureKind::name, table);
  add_speed(subject, results, table);
  table.head.emplace_back("switches");
  for (std::vector<Value>& row : table.rows) row.push_back(text(subject.switches));
  return table;
}

// The same for summary.json, scores from 0 to 1.
Table json_table(const ReportSubject& subject, const RunResults& results) {
  Table table{"", {"task", "length", "samples", "complete", "score", "interval", "standard_error", "empty_answers"}, {}};
  for (const CellResult& cell : results.cells)
    table.rows.push_back({text(std::string(cell.cell.task->name())), count(cell.cell.length),
                          count(static_cast<int64_t>(cell.records.size())), yes(cell.complete()), number(cell.score, 4),
                          range(cell.interval), number(cell.standard_error, 6), count(cell.nulls)});
  add_figures(results, &FigureKind::key, table);
  add_speed(subject, results, table);
  return table;
}

Table group_table(const RunResults& results) {
  Table table{"", {"group", "length", "tasks_run", "tasks_total", "score", "interval"}, {}};
  for (const GroupResult& group : results.groups)
    table.rows.push_back({text(group.group), count(group.length), count(group.tasks_run), count(group.tasks_total),
                          number(group.score, 4), range(group.interval)});
  return table;
}

// An empty line ends a table where it would go on with what follows.
std::string view(const Table& table, const std::string& format) {
  return format == "md" ? markdown_view(table) + "\n" : format == "latex" ? latex_view(table) + "\n" : plain_view(table);
}
std::string sentence(const std::string& words, const std::string& format) {
  return format == "md" ? words + "\n" : format == "latex" ? latex_comment(words) : plain_sentence(words);
}

std::string aggregate_text(const Aggregate& aggregate, const std::string& format) {
  std::string words;
  if (!aggregate.overview.empty()) words += view(aggregate.overview, format);
  for (const std::string& remark : aggregate.remarks) words += sentence(remark, format);
  if (format == "table") return words;
  if (!aggregate.remarks.empty()) words += "\n";
  for (const Table& table : aggregate.details)
    words += fmt::format("{}{}{}", sentence(fmt::format("{}: {}", aggregate.title, table.title), format),
                         format == "md" ? "\n" : "", view(table, format));
  return words;
}

std::string heading_of(const RunPlan& run) {
  std::string text = select_sentence(run.select);
  if (run.switches.empty()) return text;
  return fmt::format("{}{}Switched after training: {}.", text, text.empty() ? "" : " ", fmt::join(run.switches, "; "));
}

std::string switches_of(const RunPlan& run) {
  std::vector<std::string> all = run.switches;
  if (run.select != SelectBy::kLearned) all.insert(all.begin(), "select=" + select_name(run.select));
  return fmt::format("{}", fmt::join(all, "; "));
}

Json error_json(const std::optional<double>& value) { return value ? Json(*value) : Json("N/A"); }

}  // namespace

ReportSubject::ReportSubject(const RunPlan& run)
    : model(run.label()),
      heading(heading_of(run)),
      mark(run.select == SelectBy::kLearned ? "" : fmt::format(" [select={}]", select_name(run.select))),
      switches(switches_of(run)),
      legend(fmt::format(
          "Scores in percent, 95% Wilson intervals. They belong to {} ({} layers {}, {}){}.", run.label(),
          run.model.num_hidden_layers, layer_map_string(run.model.mixer_types), position_policy(run.model),
          run.model.sala_lab.family.empty() ? "" : ", a small model of this project's family, not to MiniCPM-SALA 9B")),
      plan(run.to_json()),
      config({{"model", "sala"}, {"model_args", run.label()}, {"seed", run.seed}}) {}

std::string format_results(const ReportSubject& subject, const RunResults& results, const std::string& format) {
  if (format == "csv") return csv_view(csv_table(subject, results));
  std::string words = subject.heading.empty() ? "" : sentence(subject.heading, format) + (format == "md" ? "\n" : "");
  words += view(people_table(subject, results), format);
  for (const Aggregate& aggregate : results.aggregates) words += aggregate_text(aggregate, format);
  for (const std::string& remark : results.remarks) words += sentence(remark, format);
  for (const FigureKind& kind : found_figures(results))
    words += sentence(fmt::format("{}: {}.", kind.name, kind.meaning), format);
  return words + sentence(subject.legend, format);
}

Json summary_json(const ReportSubject& subject, const RunResults& results, const Provenance& provenance) {
  Json json;
  for (const char* key : {"results", "groups", "group_subtasks", "versions", "n-shot", "higher_is_better", "n-samples"})
    json[key] = Json::object();
  for (const CellResult& cell : results.cells) {
    const std::string task(cell.cell.task->name()), metric = std::to_string(cell.cell.length);
    Json& entry = json["results"][task];
    entry["alias"] = task + subject.mark;
    entry[metric + ",none"] = cell.score;
    entry[metric + "_stderr,none"] = error_json(cell.standard_error);
    json["versions"][task] = tasks::kSamplesVersion;
    json["n-shot"][task] = 0;
    json["higher_is_better"][task][metric] = true;
    json["n-samples"][task][metric] = {{"original", cell.cell.samples.size()}, {"effective", cell.records.size()}};
  }
  for (const GroupResult& group : results.groups) {
    Json& entry = json["groups"][group.group];
    entry["alias"] = group.group + subject.mark;
    entry[std::to_string(group.length) + ",none"] = group.score;
    entry[std::to_string(group.length) + "_stderr,none"] = "N/A";
    json["versions"][group.group] = 1;
    json["n-shot"][group.group] = 0;
  }
  for (const CellResult& cell : results.cells) {
    Json& members = json["group_subtasks"][std::string(cell.cell.task->group())];
    const Json name(cell.cell.task->name());
    if (std::find(members.begin(), members.end(), name) == members.end()) members.push_back(name);
  }
  json["config"] = subject.config;
  Json aggregates = Json::object();
  for (const Aggregate& aggregate : results.aggregates) aggregates[aggregate.group] = aggregate.json;
  json["sala"] = {{"plan", subject.plan},
                  {"cells", json_view(json_table(subject, results))},
                  {"groups", json_view(group_table(results))},
                  {"aggregates", aggregates},
                  {"remarks", results.remarks},
                  {"heading", subject.heading},
                  {"legend", subject.legend}};
  for (const auto& [name, text] : provenance) json["sala"]["provenance"][name] = text;
  return json;
}

}  // namespace sala::eval
