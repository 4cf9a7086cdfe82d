// Results as text: the table on stdout, summary.json for other tools, summary.md for people.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "eval/report/results.h"
#include "eval/spec/plan.h"
#include "eval/spec/provenance.h"

namespace sala::eval {

// Whose results these are.
struct ReportSubject {
  ReportSubject() = default;
  ReportSubject(const RunPlan& plan);  // NOLINT: a plan says all of it
  std::string model;                   // "sala-tiny"
  std::string heading;                 // above the table: what makes these no plain scores of the model; may be empty
  std::string mark;                    // beside the names of tasks in summary.json: " [select=oracle]"
  std::string switches;                // the same for one field
  std::string legend;                  // what every printed result must say about itself
  nlohmann::ordered_json plan;         // summary.json: sala.plan
  nlohmann::ordered_json config;       // and lm-eval's config
  bool timed = true;  // false: answers read from files, whose times nobody knows; scores are shown as published, with nulls
};

// "table", "md", "latex" or "csv". Scores in percent, lengths as resolved integers. All but csv end with what the benchmarks
// add (aggregate.h) and the remarks.
std::string format_results(const ReportSubject& subject, const RunResults& results, const std::string& format);

// Keys as in lm-eval's result files: results[task]["<length>,none"], "<length>_stderr,none" (scores 0..1), groups, versions,
// n-shot, n-samples, higher_is_better; its table tools read them. What lm-eval has no key for is under "sala".
nlohmann::ordered_json summary_json(const ReportSubject& subject, const RunResults& results, const Provenance& provenance);

}  // namespace sala::eval
