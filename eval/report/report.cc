#include "eval/report/report.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <vector>

#include "eval/util/columns.h"
#include "sala/core/error.h"

namespace sala::eval {
namespace {

using Json = nlohmann::ordered_json;

std::string percent(double score, int digits = 1) { return fmt::format("{:.{}f}", 100 * score, digits); }

std::string optional_text(const std::optional<double>& value, const char* absent) {
  return value ? fmt::format("{:.2f}", *value) : absent;
}

bool probed(const RunResults& results) {
  return std::any_of(results.cells.begin(), results.cells.end(),
                     [](const CellResult& cell) { return cell.recall.has_value(); });
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

std::vector<Row> people_rows(const ReportSubject& subject, const RunResults& results) {
  const bool with_recall = probed(results);
  const int digits = subject.timed ? 1 : 2;
  std::vector<Row> rows = {{"task", "length", "tokens", "n", "score", "95% interval"}};
  if (with_recall) rows[0].insert(rows[0].end(), {"recall", "reached"});
  if (subject.timed) rows[0].insert(rows[0].end(), {"tokens/s", "seconds"});
  if (!subject.timed) rows[0].push_back("nulls");
  for (std::size_t i = 0; i < results.cells.size(); ++i) {
    const CellResult& cell = results.cells[i];
    Row row = {std::string(cell.cell.task->name()),
               short_length(cell.cell.length),
               length_text(cell.cell.length),
               std::to_string(cell.records.size()),
               percent(cell.score, digits),
               fmt::format("{} - {}", percent(cell.interval.low), percent(cell.interval.high))};
    if (with_recall) row.insert(row.end(), {optional_text(cell.recall, "-"), optional_text(cell.reached, "-")});
    if (subject.timed)
      row.insert(row.end(),
                 {with_commas(static_cast<int64_t>(cell.tokens_per_second)), fmt::format("{:.1f}", cell.seconds)});
    if (!subject.timed) row.push_back(cell.nulls_text());
    rows.push_back(row);
    for (const GroupResult* group : groups_after(results, i)) {
      Row mean = {group->label(),
                  short_length(group->length),
                  length_text(group->length),
                  "",
                  percent(group->score, digits),
                  fmt::format("{} - {}", percent(group->interval.low), percent(group->interval.high))};
      mean.resize(rows[0].size());
      rows.push_back(mean);
    }
  }
  return rows;
}

std::string csv(const ReportSubject& subject, const RunResults& results) {
  std::string text =
      "model,task,group,length,samples,score,interval_low,interval_high,standard_error,empty_answers,recall,reached,fill,"
      "tokens_per_second,seconds,switches\n";
  const auto number = [](const std::optional<double>& value) { return value ? fmt::format("{:.6f}", *value) : ""; };
  const auto measured = [&](double value) { return subject.timed ? fmt::format("{:.3f}", value) : ""; };
  for (const CellResult& cell : results.cells) {
    const std::string error = cell.standard_error ? fmt::format("{:.6f}", 100 * *cell.standard_error) : "";
    text += fmt::format("{},{},{},{},{},{:.4f},{:.4f},{:.4f},{},{},{},{},{:.6f},{},{},{}\n", subject.model,
                        cell.cell.task->name(), cell.cell.task->group(), cell.cell.length, cell.records.size(),
                        100 * cell.score, 100 * cell.interval.low, 100 * cell.interval.high, error, cell.nulls,
                        number(cell.recall), number(cell.reached), cell.mean_fill, measured(cell.tokens_per_second),
                        measured(cell.seconds), subject.switches);
  }
  return text;
}

std::string aggregate_text(const Aggregate& aggregate, bool markdown) {
  std::string text;
  if (!aggregate.overview.rows.empty())
    text += markdown ? markdown_table(aggregate.overview.rows) + "\n" : plain_table(aggregate.overview.rows);
  for (const std::string& remark : aggregate.remarks) text += remark + "\n";
  if (!markdown) return text;
  if (!aggregate.remarks.empty()) text += "\n";
  for (const TitledTable& table : aggregate.details)
    text += fmt::format("{}: {}\n\n{}\n", aggregate.title, table.title, markdown_table(table.rows));
  return text;
}

std::string heading_of(const RunPlan& run) {
  std::string text = select_sentence(run.select);
  if (run.switches.empty()) return text;
  return fmt::format("{}{}Switched after training: {}.", text, text.empty() ? "" : " ", fmt::join(run.switches, "; "));
}

// Quoted as RFC 4180 says.
std::string switches_of(const RunPlan& run) {
  std::vector<std::string> all = run.switches;
  if (run.select != SelectBy::kLearned) all.insert(all.begin(), "select=" + select_name(run.select));
  if (all.empty()) return "";
  std::string text;
  for (const char c : fmt::format("{}", fmt::join(all, "; "))) text += c == '"' ? "\"\"" : std::string(1, c);
  return "\"" + text + "\"";
}

Json error_json(const std::optional<double>& value) { return value ? Json(*value) : Json("N/A"); }
Json optional_json(const std::optional<double>& value) { return value ? Json(*value) : Json(nullptr); }

}  // namespace

ReportSubject::ReportSubject(const RunPlan& run)
    : model(run.label()),
      heading(heading_of(run)),
      mark(run.select == SelectBy::kLearned ? "" : fmt::format(" [select={}]", select_name(run.select))),
      switches(switches_of(run)),
      legend(fmt::format("Scores in percent, 95% Wilson intervals. They belong to {} ({} layers {}, {}), a small model of "
                         "this project's family, not to MiniCPM-SALA 9B.",
                         run.label(), run.model.num_hidden_layers, layer_map_string(run.model.mixer_types),
                         position_policy(run.model))),
      plan(run.to_json()),
      config({{"model", "sala"}, {"model_args", run.label()}, {"seed", run.seed}}) {}

std::string format_results(const ReportSubject& subject, const RunResults& results, const std::string& format) {
  if (format == "csv") return csv(subject, results);
  const bool markdown = format == "md";
  const std::vector<Row> rows = people_rows(subject, results);
  std::string text = subject.heading.empty() ? "" : subject.heading + (markdown ? "\n\n" : "\n");
  text += markdown ? markdown_table(rows) + "\n" : plain_table(rows);
  for (const Aggregate& aggregate : results.aggregates) text += aggregate_text(aggregate, markdown);
  for (const std::string& remark : results.remarks) text += remark + "\n";
  if (probed(results))
    text +=
        "recall: mean over sparse layers, KV heads and answer queries of the evidence blocks that were selected; "
        "reached: evidence blocks that some head read.\n";
  return text + subject.legend + "\n";
}

Json summary_json(const ReportSubject& subject, const RunResults& results, const Provenance& provenance) {
  Json json;
  for (const char* key : {"results", "groups", "group_subtasks", "versions", "n-shot", "higher_is_better", "n-samples"})
    json[key] = Json::object();
  Json details = Json::array();
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
    details.push_back({{"task", task},
                       {"length", cell.cell.length},
                       {"samples", cell.records.size()},
                       {"complete", cell.complete()},
                       {"score", cell.score},
                       {"interval", {cell.interval.low, cell.interval.high}},
                       {"standard_error", optional_json(cell.standard_error)},
                       {"empty_answers", cell.nulls},
                       {"evidence_recall", optional_json(cell.recall)},
                       {"evidence_reached", optional_json(cell.reached)},
                       {"fill", cell.mean_fill},
                       {"tokens_per_second", subject.timed ? Json(cell.tokens_per_second) : Json(nullptr)},
                       {"seconds", subject.timed ? Json(cell.seconds) : Json(nullptr)}});
  }
  Json groups = Json::array();
  for (const GroupResult& group : results.groups) {
    Json& entry = json["groups"][group.group];
    entry["alias"] = group.group + subject.mark;
    entry[std::to_string(group.length) + ",none"] = group.score;
    entry[std::to_string(group.length) + "_stderr,none"] = "N/A";
    json["versions"][group.group] = 1;
    json["n-shot"][group.group] = 0;
    groups.push_back({{"group", group.group},
                      {"length", group.length},
                      {"tasks_run", group.tasks_run},
                      {"tasks_total", group.tasks_total},
                      {"score", group.score},
                      {"interval", {group.interval.low, group.interval.high}}});
  }
  for (const CellResult& cell : results.cells) {
    Json& members = json["group_subtasks"][std::string(cell.cell.task->group())];
    const Json name(cell.cell.task->name());
    if (std::find(members.begin(), members.end(), name) == members.end()) members.push_back(name);
  }
  json["config"] = subject.config;
  Json aggregates = Json::object();
  for (const Aggregate& aggregate : results.aggregates) aggregates[aggregate.group] = aggregate.json;
  json["sala"] = {{"plan", subject.plan},     {"cells", details},           {"groups", groups},
                  {"aggregates", aggregates}, {"remarks", results.remarks}, {"heading", subject.heading},
                  {"legend", subject.legend}};
  for (const auto& [name, text] : provenance) json["sala"]["provenance"][name] = text;
  return json;
}

}  // namespace sala::eval
