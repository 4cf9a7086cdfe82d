// Who chooses the blocks that sparse layers read: the model, or the experimenter who wants to know what selection is worth.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace sala {

// Tokens [begin, end) of a sequence, BOS included.
struct TokenSpan {
  int64_t begin = 0, end = 0;
};

// Who fills the slots that are free to fill. Blocks that are always read (the first ones, the query's own, the window's)
// stay so, and a query never reads more blocks than the config says.
enum class SelectBy {
  kLearned,    // the best block scores: the architecture
  kOracle,     // blocks that the spans touch come first, the earliest where they are more than free slots; then the best
               // scores
  kAdversary,  // blocks that the spans touch are read only where they are always read
  kRandom,     // blocks drawn uniformly: by seed, layer, KV head and position of the query
};
struct SelectByInfo {
  SelectBy by;
  std::string_view name;     // "oracle"
  std::string_view phrase;   // "by an oracle"
  std::string_view meaning;  // a clause, when the spans are those of evidence
};
// All of them, in the order of the enum: the one table.
std::span<const SelectByInfo> select_by_table();
const SelectByInfo& info_of(SelectBy by);

// Holds for every query of every selecting layer, generated tokens included.
struct SelectionPolicy {
  SelectBy by = SelectBy::kLearned;
  std::vector<TokenSpan> spans;  // any order, may overlap
  uint64_t seed = 0;             // another one for every sequence

  // Ids of the blocks that spans touch, ascending, no repeats.
  std::vector<int32_t> blocks(int64_t block_size) const;
};

}  // namespace sala
