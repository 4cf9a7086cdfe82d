// Constructors of the built-in tokenizers; users go through open_tokenizer().
#pragma once

#include <memory>
#include <string>

#include "sala/core/error.h"
#include "sala/tokenizer/tokenizer.h"

namespace sala {

// A SentencePiece `.model` file. Throws Error{kIo} when it cannot be read, Error{kFormat} when it is no such model.
std::unique_ptr<Tokenizer> make_sentencepiece_tokenizer(const std::string& path);
// The same for byte-fallback BPE models, by our own encoder (bpe_model.cc). Also throws Error{kUnsupported} with the reason for any other
// model. Static builds use it in place of the library, which Debian has as a shared object only.
std::unique_ptr<Tokenizer> make_bpe_tokenizer(const std::string& path);
// A Hugging Face `tokenizer.json` of type BPE. Throws Error{kIo, kFormat}, Error{kUnsupported} naming the component that is not served.
std::unique_ptr<Tokenizer> make_hf_tokenizer(const std::string& path);
// One id per run of non-space characters: the word's hash. Counts words; decode() is not possible and throws.
std::unique_ptr<Tokenizer> make_whitespace_tokenizer();
// One id per byte.
std::unique_ptr<Tokenizer> make_byte_tokenizer();

}  // namespace sala
