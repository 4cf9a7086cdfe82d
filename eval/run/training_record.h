// training.json of a member, as far as the program shows it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace sala::eval {

struct TrainingRecord {
  int64_t tokens = 0;  // seen in training, with the trainings that the weights started from (`before`)
  int64_t length = 0;  // of the longest held-out rows
  // On those rows, 0..1: needle (mean of the niah tasks), fwe: values of the answer that are right; vt, cwe, mrcr (mean of
  // three): its tokens; qa (mean of two), nolima: whole answers. Only what was measured.
  std::vector<std::pair<std::string, double>> scores;
  std::string problem;  // why the file cannot be read; then the rest is empty
};
inline constexpr const char* kTrainingScores[] = {"needle", "vt", "fwe", "cwe", "qa", "nolima", "mrcr"};

// Empty when there is no training.json in the folder.
std::optional<TrainingRecord> read_training(const std::string& directory);

}  // namespace sala::eval
