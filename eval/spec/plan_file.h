// run.json: the plan of the run whose folder it is in.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

namespace sala::eval {

inline constexpr const char* kPlanFile = "run.json";

struct SavedPlan {
  std::string started;          // UTC time of the first begin
  nlohmann::ordered_json plan;  // RunPlan::to_json()
};

void write_plan_file(const std::string& path, const SavedPlan& saved);
// Throws Error{kFormat} for a damaged file, Error{kUnsupported} for another schema.
SavedPlan read_plan_file(const std::string& path);

// Whether a run that was begun with `saved` may go on with `wanted`: the cells may have more samples, and there may be more
// cells; all else is the same. Throws Error{kConfig} naming the first field that stands in the way.
void check_goes_on(const nlohmann::ordered_json& wanted, const nlohmann::ordered_json& saved, const std::string& directory);
// Samples of all cells of a plan.
int64_t planned_samples(const nlohmann::ordered_json& plan);

}  // namespace sala::eval
