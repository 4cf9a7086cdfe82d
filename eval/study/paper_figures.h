// Figures 2 and 3 of the paper: seconds that it measured beside those of the cost model.
#pragma once

#include "eval/study/paper_tables.h"
#include "eval/study/serving_cost.h"

namespace sala::eval {

// Cells of at most this length calibrate the device; the longer ones, and all that ran out of memory, are held out.
inline constexpr int64_t kCalibrationTokens = 262144;

struct FigureFit {
  PaperTable shown;
  DeviceRates device;          // calibrated
  double median_held_out = 0;  // relative error
  int64_t cells = 0, ran_out = 0,
          memory_right = 0;  // all; those out of memory in the paper; whether they fit, predicted right
};
// `figure`: configs/paper/fig2.csv or fig3.csv; `device` says memory and what of it is usable.
FigureFit fit_figure(const CsvTable& figure, DeviceRates device);

}  // namespace sala::eval
