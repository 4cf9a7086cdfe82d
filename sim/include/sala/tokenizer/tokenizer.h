// Text <-> token ids. Encoding never adds special tokens: whoever runs a model puts prefix() or its own BOS before them.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sala/tokenizer/token_offsets.h"

namespace sala {

// Thread-safe after construction. Ids are int32; text is UTF-8.
class Tokenizer {
 public:
  virtual ~Tokenizer() = default;
  // "sentencepiece", "whitespace", "byte", ...
  virtual std::string kind() const = 0;
  // 16 hexadecimal digits that change whenever any encoding could change.
  virtual std::string hash() const = 0;
  virtual int64_t vocab_size() const = 0;
  // Ids of `text` as a whole prompt, without special tokens.
  virtual std::vector<int32_t> encode(std::string_view text) const = 0;
  // Equals encode(text).size(), possibly faster.
  virtual int64_t count(std::string_view text) const { return static_cast<int64_t>(encode(text).size()); }
  // Ids of `text` as encode() gives them, and for each id the byte offset in `text` where its piece begins.
  virtual std::vector<int32_t> encode_with_offsets(std::string_view text, std::vector<int64_t>& byte_offsets) const = 0;
  // The same into the caller's memory, for long prompts: `ids` and `offsets` are overwritten, their capacity is kept, and
  // a tokenizer with an encode_into() of its own needs no other memory in proportion to the text.
  virtual void encode_into(std::string_view text, std::vector<int32_t>& ids, TokenOffsets& offsets) const;
  virtual std::string decode(const std::vector<int32_t>& ids) const = 0;
  // Ids that the tokenizer's own file puts before every text; empty when the file has no word for it (SentencePiece). Throws
  // Error{kUnsupported} for a file that puts other things around a text.
  virtual std::optional<std::vector<int32_t>> prefix() const { return std::nullopt; }
  // Id of a piece or special token as its file writes it, "<s>".
  virtual std::optional<int32_t> find(std::string_view) const { return std::nullopt; }
};

// Opens a tokenizer by name or path: "whitespace", "byte", a SentencePiece `.model` file, a Hugging Face `tokenizer.json` of
// type BPE, or a model directory that holds one of the two files (`tokenizer.json` first, as other tools do). Throws
// Error{kUsage} for an unknown name, Error{kIo} / Error{kFormat} for a file that cannot be used.
std::unique_ptr<Tokenizer> open_tokenizer(const std::string& name_or_path);

// What decode(encode(x)) makes of a fixed text with capitals, digits, an accent, a ligature, runs of spaces and of newlines:
// "'Quick' comes back as 'quick'", or that there is no decoding; empty when the text comes back as it was.
std::string round_trip_difference(const Tokenizer& tokenizer);

}  // namespace sala
