#pragma once

#include "sala/core/rng.h"
#include "sala/tasks/training.h"
#include "tasks/ruler/niah.h"

namespace sala::tasks {

// One haystack with many questions; see make_training_row(). `rng` belongs to the row alone.
TrainingRow niah_training_row(const NiahSpec& spec, const TrainingRequest& request, Rng& rng, const Tokenizer& tokenizer);

}  // namespace sala::tasks
