// Constructors of the built-in tokenizers; users go through open_tokenizer().
#pragma once

#include <memory>
#include <string>

#include "sala/core/error.h"
#include "sala/tokenizer/tokenizer.h"
#include "sim/tokenizer/sp_model.h"

namespace sala {

// A SentencePiece `.model` file: by our own encoder where that is exact (byte-fallback BPE, the family's and Llama's kind;
// several times as fast), else by the library. Throws Error{kIo} when the file cannot be read, Error{kFormat} when it is no
// such model, Error{kUnsupported} with the reason when it needs the library in a static build, which has none.
std::unique_ptr<Tokenizer> make_sentencepiece_tokenizer(const std::string& path);

// Why our own encoder cannot serve `model`; empty when it can.
std::string bpe_unsupported_reason(const tokenizer::SpModel& model);
// Our own encoder (bpe_model.cc). Throws Error{kUnsupported} with the reason above.
std::unique_ptr<Tokenizer> make_bpe_tokenizer(tokenizer::SpModel model);
// Whole texts through libsentencepiece (library.cc): any model, and what the tests hold our own encoder to.
std::unique_ptr<Tokenizer> make_library_tokenizer(const tokenizer::SpModel& model);

// A Hugging Face `tokenizer.json` of type BPE. Throws Error{kIo, kFormat}, Error{kUnsupported} naming the component that is
// not served (in a static build the whole).
std::unique_ptr<Tokenizer> make_hf_tokenizer(const std::string& path);

// One id per run of non-space characters (space: the six ASCII ones): the word's hash. Counts words; decode() is not
// possible and throws.
std::unique_ptr<Tokenizer> make_whitespace_tokenizer();
// One id per byte.
std::unique_ptr<Tokenizer> make_byte_tokenizer();

namespace tokenizer {
// Throws Error{kShape} unless 0 <= id < vocab_size.
inline void check_id(int32_t id, int64_t vocab_size) {
  if (id < 0 || id >= vocab_size)
    throw Error(ErrorCode::kShape, "decode: id {} is outside the vocabulary of {}", id, vocab_size);
}
}  // namespace tokenizer

}  // namespace sala
