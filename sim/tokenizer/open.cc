#include <filesystem>

#include "sim/tokenizer/tokenizers.h"

namespace sala {

std::unique_ptr<Tokenizer> open_tokenizer(const std::string& name_or_path) {
  namespace fs = std::filesystem;
  if (name_or_path == "whitespace") return make_whitespace_tokenizer();
  if (name_or_path == "byte") return make_byte_tokenizer();
  std::error_code ignored;
  fs::path path(name_or_path);
  if (fs::is_directory(path, ignored))
    path /= fs::exists(path / "tokenizer.json", ignored) ? "tokenizer.json" : "tokenizer.model";
  else if (!fs::exists(path, ignored))
    throw Error(ErrorCode::kUsage,
                "open_tokenizer: '{}' is neither whitespace, byte, a .model or .json file nor a model directory",
                name_or_path);
  return path.extension() == ".json" ? make_hf_tokenizer(path.string()) : make_sentencepiece_tokenizer(path.string());
}

}  // namespace sala
