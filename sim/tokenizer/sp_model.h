// The fields of a SentencePiece `.model` file that decide how text is encoded (sentencepiece_model.proto, wire format read by hand).
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
  bool has_charsmap = false;

  // Throws Error{kFormat} naming `path`.
  static SpModel parse(std::string_view bytes, const std::string& path);
};

inline constexpr std::string_view kSpace = "\xE2\x96\x81";  // U+2581, SentencePiece's visible space

// True when no piece holds U+2581 except at its start, so that no piece ever crosses into the next word.
bool pieces_stay_in_words(const SpModel& model);

}  // namespace sala::tokenizer
