// What a Hugging Face `tokenizer.json` of type BPE says, checked and made plain. Components that would change ids and that
// are not served here are refused by name, never ignored.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sala::tokenizer {

struct AddedToken {
  std::string content;
  int32_t id = 0;
  bool special = false;
};

// Where a space mark goes before the text (Metaspace's prepend_scheme; the normaliser Prepend is kEachPart).
enum class Prepend { kNever, kFirstPart, kEachPart };

struct HfConfig {
  std::vector<AddedToken> added_tokens;
  bool nfc = false;
  // Llama's way: spaces become `space_mark` and merges see characters. Empty for byte-level models.
  std::string space_mark;
  Prepend prepend = Prepend::kNever;
  bool prepend_unless_present = false;  // Metaspace; the normaliser Prepend adds one always
  bool split_before_mark = false;       // Metaspace with split
  // Qwen's and GPT-2's way: regular expressions cut words, merges see bytes.
  bool byte_level = false;
  bool add_prefix_space = false;
  std::vector<std::string> split_patterns;  // Oniguruma syntax, applied one after the other
  bool strip_first_space = false;           // by the decoder

  std::vector<std::string> pieces;  // by id, as written in the file; added tokens included
  struct Merge {
    int32_t left, right, merged;
  };
  std::vector<Merge> merges;  // best first
  bool byte_fallback = false, fuse_unk = false, ignore_merges = false;
  int32_t unk_id = -1;

  std::vector<int32_t> prefix;  // by the post-processor, before every text
  std::string prefix_problem;   // what the post-processor does besides; empty = nothing

  // Throws Error{kFormat} for text that is not such a file, Error{kUnsupported} naming the component that is not served.
  static HfConfig parse(const std::string& text, const std::string& path);
};

// GPT-2's alphabet of visible characters for bytes: the bytes of `piece`, which must consist of such characters.
// Returns false when it does not.
bool bytes_of_visible(std::string_view piece, std::string& bytes);

}  // namespace sala::tokenizer
