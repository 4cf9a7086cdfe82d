#include <filesystem>

#include "sim/tokenizer/tokenizers.h"

namespace sala {

std::unique_ptr<Tokenizer> make_sentencepiece_tokenizer(const std::string& path) {
  tokenizer::SpModel model = tokenizer::SpModel::load(path);
#ifndef SALA_STATIC
  if (!bpe_unsupported_reason(model).empty()) return make_library_tokenizer(model);
#endif
  return make_bpe_tokenizer(std::move(model));
}

#ifdef SALA_STATIC
std::unique_ptr<Tokenizer> make_hf_tokenizer(const std::string& path) {
  throw Error(ErrorCode::kUnsupported, "tokenizer: {}: tokenizer.json files need a build without SALA_STATIC", path);
}
#endif

std::unique_ptr<Tokenizer> open_tokenizer(const std::string& name_or_path) {
  namespace fs = std::filesystem;
  if (name_or_path == "whitespace") return make_whitespace_tokenizer();
  if (name_or_path == "byte") return make_byte_tokenizer();
  std::error_code ignored;
  fs::path path(name_or_path);
  if (fs::is_directory(path, ignored)) {
    const fs::path folder = path;
    for (const char* file : {"tokenizer.model", "tokenizer.json"})
      if (fs::exists(fs::symlink_status(folder / file, ignored))) path = folder / file;
    if (path == folder)
      throw Error(ErrorCode::kIo, "{}: has neither tokenizer.json nor tokenizer.model{}", name_or_path,
                  fs::exists(folder / "vocab.json", ignored) ? "; save vocab.json and merges.txt as tokenizer.json" : "");
  } else if (!fs::exists(path, ignored))
    throw Error(ErrorCode::kUsage,
                "open_tokenizer: '{}' is neither whitespace, byte, a .model or .json file nor a model directory",
                name_or_path);
  return path.extension() == ".json" ? make_hf_tokenizer(path.string()) : make_sentencepiece_tokenizer(path.string());
}

}  // namespace sala
