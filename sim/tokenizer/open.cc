#include <filesystem>

#include "sim/tokenizer/tokenizers.h"

namespace sala {

std::unique_ptr<Tokenizer> open_tokenizer(const std::string& name_or_path) {
  namespace fs = std::filesystem;
  if (name_or_path == "whitespace") return make_whitespace_tokenizer();
  if (name_or_path == "byte") return make_byte_tokenizer();
  std::error_code ignored;
  if (fs::is_directory(name_or_path, ignored)) return make_sentencepiece_tokenizer((fs::path(name_or_path) / "tokenizer.model").string());
  if (fs::exists(name_or_path, ignored)) return make_sentencepiece_tokenizer(name_or_path);
  throw Error(ErrorCode::kUsage, "open_tokenizer: '{}' is neither whitespace, byte, a .model file nor a model directory", name_or_path);
}

}  // namespace sala
