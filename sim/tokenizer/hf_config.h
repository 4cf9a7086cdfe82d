// What a Hugging Face `tokenizer.json` of type BPE says, checked and made plain. Components that would change ids and that
// are not served here are refused by name, never ignored.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sala::tokenizer {

struct AddedToken {
  std::string content;
  int32_t id = 0;
  bool single_word = false;             // only where no letter or digit touches it
  bool lstrip = false, rstrip = false;  // takes the white space beside it
  bool normalized = false;              // looked for in the normalised text
};

// Where a space mark goes before a text (Metaspace's prepend_scheme).
enum class Prepend { kNever, kFirstPart, kEachPart };

struct HfConfig {
  std::vector<AddedToken> added_tokens;

  // Normalisers: NFC first, then these in their order.
  struct Rewrite {
    std::string from, to;  // every `from` becomes `to`; an empty `from` puts `to` before the text
  };
  bool nfc = false;
  std::vector<Rewrite> rewrites;

  // Llama's way: spaces become space_mark, by a normaliser or by Metaspace, and merges see characters. Empty for others.
  std::string space_mark;
  struct Metaspace {
    Prepend prepend = Prepend::kNever;
    bool split = false;
  };
  std::optional<Metaspace> metaspace;
  // Qwen's and GPT-2's way: regular expressions cut words, merges see bytes.
  bool byte_level = false;
  bool add_prefix_space = false;
  std::vector<std::string> split_patterns;  // Oniguruma syntax, applied one after the other

  // Decoder: ByteLevel; or Replace of space_mark, ByteFallback and Strip of one space; or Metaspace.
  bool decodes_bytes = false, decodes_mark = false, decodes_fallback = false, strips_first_space = false;
  bool drops_first_marks = false;  // Metaspace: those of the first token vanish
  std::string decoder_problem;     // why there is no decoding; empty when there is

  std::vector<std::string> pieces;  // by id, as written in the file; added tokens included
  std::vector<char> in_vocabulary;  // by id: what merges know
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
