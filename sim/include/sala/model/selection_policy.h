// Who chooses the blocks that sparse layers read: the model, or the experimenter who wants to know what selection is worth.
#pragma once

#include <cstdint>
#include <vector>

namespace sala {

// Tokens [begin, end) of a sequence, BOS included.
struct TokenSpan {
  int64_t begin = 0, end = 0;
};

// Holds for every query of every selecting layer, generated tokens included. Blocks that are always read (the first
// ones, the query's own, the window's) stay so, and a query never reads more blocks than the config says.
struct SelectionPolicy {
  enum class Kind {
    kLearned,   // the best block scores: the architecture
    kForceIn,   // blocks that `spans` touch come first, the earliest where they are more than free slots; then the best
                // scores
    kForceOut,  // blocks that `spans` touch are read only where they are always read
    kRandom,    // free slots hold blocks drawn uniformly: by `seed`, layer, KV head and position of the query
  };
  Kind kind = Kind::kLearned;
  std::vector<TokenSpan> spans;  // any order, may overlap
  uint64_t seed = 0;             // another one for every sequence

  // Ids of the blocks that spans touch, ascending, no repeats.
  std::vector<int32_t> blocks(int64_t block_size) const;
};

}  // namespace sala
