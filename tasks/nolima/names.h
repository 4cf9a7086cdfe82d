// Who is in NoLiMa's needles and books: names of persons, from tasks/data/nolima/facts.json and, for training, invented.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "sala/tasks/task.h"

namespace sala::tasks {

// Names that built-in needles of `split` are about, divided by split_of(); none is a part of another one. In kTrain the real
// names of that split, bystanders' included, and 600 invented ones: a few dozen would be learned by heart.
const std::vector<std::string>& needle_names(Split split);

// Names that persons of built-in book `book` go by. kEval: real names that no needle of either split is about, women's or
// men's. kTrain: the names of needle_names(), so that no list tells bystander from answer (invented ones serve both sexes),
// without one in kNameClasses, which book has which: however long a book, some names are left for its needles.
inline constexpr int64_t kNameClasses = 16;
const std::vector<std::string_view>& bystander_names(Split split, int64_t book, bool woman);

}  // namespace sala::tasks
