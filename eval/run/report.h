// Results as text: the table on stdout, summary.json for other tools, summary.md for people.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "eval/run/plan.h"
#include "eval/run/provenance.h"
#include "eval/run/results.h"

namespace sala::eval {

// "table", "md" or "csv". Scores in percent, lengths as resolved integers. table and md end with the remarks.
std::string format_results(const RunPlan& plan, const RunResults& results, const std::string& format);

// Keys as in lm-eval's result files: results[task]["<length>,none"], "<length>_stderr,none" (scores 0..1), groups, versions,
// n-shot, n-samples, higher_is_better; its table tools read them. What lm-eval has no key for is under "sala".
nlohmann::ordered_json summary_json(const RunPlan& plan, const RunResults& results, const Provenance& provenance);

// What every printed result must say about itself.
std::string legend(const RunPlan& plan);

}  // namespace sala::eval
