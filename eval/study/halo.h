// HALO's choice of the layers that stay softmax attention (arXiv 2601.22156, spec 6.3), from a sweep in which one layer at a
// time was made linear.
#pragma once

#include <string>
#include <vector>

#include "eval/util/csv.h"

namespace sala::eval {

struct HaloLayer {
  int64_t layer = 0;
  double recall = 0, commonsense = 0;  // of the model in which this layer alone is linear
  double score = 0;                    // larger = keep it
  int64_t rank = 0;                    // 1 = most important
  bool kept = false, shipped = false;  // shipped: in the configuration that there is, where the sweep says it
};

struct HaloModel {
  std::string name;
  std::vector<HaloLayer> layers;  // ascending
  double original_recall = 0;     // of the model before; NaN where the table has none
  bool has_shipped = false;
  std::string shipped_by = "The published configuration has";  // begins the sentence that lists them
};

enum class HaloRule {
  kRatio,   // halo: min(50, (max R - R_l) / (max C - C_l + 1e-10)): recall lost against commonsense lost
  kRecall,  // jet-nemotron: R of the original - R_l
};

// Tables with the columns model, layer (`original` or its index), metric, value. Recall is the mean of the metrics
// `retrieval/NAME/...`, or `retrieval_avg` where there are none; commonsense that of `commonsense/NAME/acc_norm`, or
// `commonsense_avg`. Throws Error{kFormat} naming the layer that lacks one, or is missing.
std::vector<HaloModel> read_halo_sweep(const CsvTable& table);

// What train/convert.py writes beside a member that it converted, halo.json: the teacher with one layer at a time made
// linear. `shipped` are the layers that stayed softmax there. Throws Error{kIo}, Error{kFormat} naming the file.
HaloModel read_halo_conversion(const std::string& path);

// Scores, ranks and keeps `keep` layers (0 = a quarter). Equal scores: the lower layer first. `ends`: the first and the last
// layer are kept whatever they score. Throws Error{kUsage} when there are fewer layers, or the rule needs an original that
// is not there.
void select_layers(HaloModel& model, HaloRule rule, int64_t keep, bool ends = false);

}  // namespace sala::eval
