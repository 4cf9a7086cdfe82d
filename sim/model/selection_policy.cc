#include "sala/model/selection_policy.h"

#include <algorithm>

namespace sala {
namespace {

constexpr SelectByInfo kTable[] = {
    {SelectBy::kLearned, "learned", "by the model", "the free slots of every query take the blocks with the best scores"},
    {SelectBy::kOracle, "oracle", "by an oracle", "the free slots of every query take the blocks with evidence first"},
    {SelectBy::kAdversary, "adversary", "by an adversary",
     "blocks with evidence are read only where they are always read (the first blocks and the window)"},
    {SelectBy::kRandom, "random", "at random", "the free slots of every query hold blocks drawn uniformly"},
};

}  // namespace

std::span<const SelectByInfo> select_by_table() { return kTable; }
const SelectByInfo& info_of(SelectBy by) { return kTable[static_cast<std::size_t>(by)]; }

std::vector<int32_t> SelectionPolicy::blocks(int64_t block_size) const {
  std::vector<int32_t> ids;
  for (const TokenSpan& span : spans)
    for (int64_t block = std::max<int64_t>(0, span.begin) / block_size;
         span.begin < span.end && block * block_size < span.end; ++block)
      ids.push_back(static_cast<int32_t>(block));
  std::sort(ids.begin(), ids.end());
  ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
  return ids;
}

}  // namespace sala
