#include "sala/tokenizer/tokenizer.h"

namespace sala {

void Tokenizer::encode_into(std::string_view text, std::vector<int32_t>& ids, TokenOffsets& offsets) const {
  std::vector<int64_t> bytes;
  ids = encode_with_offsets(text, bytes);
  offsets.clear();
  offsets.reserve(static_cast<int64_t>(bytes.size()));
  for (const int64_t byte : bytes) offsets.push_back(byte);
}

}  // namespace sala
