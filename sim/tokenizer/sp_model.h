// The fields of a SentencePiece `.model` file that decide how text is encoded (sentencepiece_model.proto, wire format read
// by hand).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace sala::tokenizer {

enum class PieceType : int { kNormal = 1, kUnknown = 2, kControl = 3, kUserDefined = 4, kUnused = 5, kByte = 6 };

struct Piece {
  std::string text;
  float score = 0;
  PieceType type = PieceType::kNormal;
};

struct SpModel {
  std::vector<Piece> pieces;
  int model_type = 1;  // 1 unigram, 2 BPE, 3 word, 4 char
  bool byte_fallback = false;
  bool whitespace_as_suffix = false;
  bool add_dummy_prefix = true;
  bool remove_extra_whitespaces = true;
  bool escape_whitespaces = true;
  bool has_charsmap = false;  // of the normaliser or the denormaliser
  std::string path, bytes;    // the file itself
  std::string hash;           // 16 hexadecimal digits of `bytes`

  // `path` is for messages. Throws Error{kFormat} when the bytes are no model, or one that cannot be used: no pieces, an
  // empty or repeated piece, a score that is no number, a byte piece not of the form <0x0A>, not exactly one unknown piece.
  static SpModel parse(std::string bytes, const std::string& path);
  // Reads and parses a file. Also throws Error{kIo}.
  static SpModel load(const std::string& path);
};

inline constexpr std::string_view kSpace = "\xE2\x96\x81";  // U+2581, SentencePiece's visible space

// The byte that a byte piece `<0x0A>` stands for, or -1 for any other text.
int byte_of_piece(std::string_view text);

}  // namespace sala::tokenizer
