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
  // On those rows, 0..1, by TaskTraits::training: the mean over the tasks of a name. Only what was measured.
  std::vector<std::pair<std::string, double>> scores;
  std::string problem;  // why the file cannot be read; then the rest is empty
};
// The names of such scores, in the order of the registry.
std::vector<std::string> training_scores();

// Empty when there is no training.json in the folder.
std::optional<TrainingRecord> read_training(const std::string& directory);

}  // namespace sala::eval
