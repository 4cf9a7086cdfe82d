// SentencePiece models written by hand, and text to try them on.
#pragma once

#include <bit>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "sala/core/error.h"
#include "sala/core/rng.h"
#include "sim/tokenizer/sp_model.h"

namespace sala {

// Protocol-buffer wire format, as much as a model file needs.
inline std::string wire_varint(uint64_t value) {
  std::string bytes;
  for (; value >= 0x80; value >>= 7) bytes.push_back(static_cast<char>(value | 0x80));
  bytes.push_back(static_cast<char>(value));
  return bytes;
}
inline std::string wire_number(int field, uint64_t value) {
  return wire_varint(static_cast<uint64_t>(field) << 3) + wire_varint(value);
}
inline std::string wire_block(int field, std::string_view block) {
  return wire_varint(static_cast<uint64_t>(field) << 3 | 2) + wire_varint(block.size()) + std::string(block);
}
inline std::string wire_float(int field, float value) {
  std::string bytes = wire_varint(static_cast<uint64_t>(field) << 3 | 5);
  const auto bits = std::bit_cast<uint32_t>(value);
  for (int i = 0; i < 4; ++i) bytes.push_back(static_cast<char>(bits >> (8 * i)));
  return bytes;
}

inline std::string wire_piece(const std::string& text, float score, tokenizer::PieceType type) {
  return wire_block(1, wire_block(1, text) + wire_float(2, score) + wire_number(3, static_cast<uint64_t>(type)));
}

struct ModelText {
  int model_type = 2;
  bool byte_fallback = true, dummy_prefix = true, remove_extra = false;
  std::string charsmap;
  std::vector<std::pair<std::string, float>> pieces;  // the normal ones, after <unk>, <s>, </s> and the bytes

  std::string bytes() const {
    using enum tokenizer::PieceType;
    std::string model = wire_piece("<unk>", 0, kUnknown) + wire_piece("<s>", 0, kControl) + wire_piece("</s>", 0, kControl);
    if (byte_fallback)
      for (int b = 0; b < 256; ++b) model += wire_piece(fmt::format("<0x{:02X}>", b), 0, kByte);
    for (const auto& [text, score] : pieces) model += wire_piece(text, score, kNormal);
    model += wire_block(2, wire_number(3, static_cast<uint64_t>(model_type)) + wire_number(35, byte_fallback));
    model += wire_block(3, wire_block(1, "test") + (charsmap.empty() ? "" : wire_block(2, charsmap)) +
                               wire_number(3, dummy_prefix) + wire_number(4, remove_extra) + wire_number(5, 1));
    return model;
  }
};

inline void append_utf8(std::string& text, uint32_t code) {
  if (code < 0x80) {
    text.push_back(static_cast<char>(code));
  } else if (code < 0x800) {
    text.push_back(static_cast<char>(0xC0 | code >> 6));
    text.push_back(static_cast<char>(0x80 | (code & 0x3F)));
  } else if (code < 0x10000) {
    text.push_back(static_cast<char>(0xE0 | code >> 12));
    text.push_back(static_cast<char>(0x80 | (code >> 6 & 0x3F)));
    text.push_back(static_cast<char>(0x80 | (code & 0x3F)));
  } else {
    text.push_back(static_cast<char>(0xF0 | code >> 18));
    text.push_back(static_cast<char>(0x80 | (code >> 12 & 0x3F)));
    text.push_back(static_cast<char>(0x80 | (code >> 6 & 0x3F)));
    text.push_back(static_cast<char>(0x80 | (code & 0x3F)));
  }
}

// `text` with `c` in place of every U+2581.
inline std::string with_spaces_as(std::string_view text, char c) {
  std::string out;
  for (size_t at = 0; at < text.size();) {
    const bool space = text.substr(at).starts_with(tokenizer::kSpace);
    out.push_back(space ? c : text[at]);
    at += space ? tokenizer::kSpace.size() : 1;
  }
  return out;
}

// `parts` random fragments: words, numbers, whitespace runs, characters of every plane and, on demand, bytes that are no
// UTF-8.
inline std::string random_text(Rng& rng, int parts, bool valid) {
  static constexpr std::string_view kWords[] = {"the",   "special", "magic",   "numbers", "for",    "old-harbour",
                                                "is:",   "One",     "of",      "x",       "Q",      "grass",
                                                "don't", "e.g.",    "...",     "(a)",     "hidden", "A",
                                                "I",     "\"so,\"", "numbers", "river",   "WHAT",   "fooBar"};
  static constexpr uint32_t kScripts[] = {0xE0,    0x100,  0x391,  0x410,  0x5D0,  0x627,  0x905,   0xE01,
                                          0x10D0,  0x1200, 0x3042, 0x30A2, 0x4E00, 0xAC00, 0x1F600, 0x1F1E6,
                                          0x20000, 0x2190, 0x2580, 0x300,  0xFE0F, 0x200D, 0xFF01,  0xE000};
  static constexpr std::string_view kSpaces[] = {" ",    "  ",   "     ",    "\n",           "\n\n",        "\t",
                                                 " \n ", "\r\n", "\xC2\xA0", "\xE2\x80\x83", "\xE2\x96\x81"};
  std::string text;
  for (int part = 0; part < parts; ++part) {
    switch (rng.below(valid ? 8 : 9)) {
      case 0:
      case 1:
        text.append(kWords[rng.below(std::size(kWords))]).append(" ");
        break;
      case 2:
        text += std::to_string(rng.below(100000000));
        break;
      case 3:
        text += kSpaces[rng.below(std::size(kSpaces))];
        break;
      case 4:
        for (uint64_t i = 0, n = rng.below(6); i <= n; ++i) text += kWords[rng.below(std::size(kWords))];
        break;
      case 5:
        for (uint64_t i = 0, n = rng.below(4), base = kScripts[rng.below(std::size(kScripts))]; i <= n; ++i)
          append_utf8(text, static_cast<uint32_t>(base + rng.below(24)));
        break;
      case 6: {
        const auto code = static_cast<uint32_t>(rng.below(0x110000));
        append_utf8(text, code >= 0xD800 && code < 0xE000 ? 0xFFFD : code);
        break;
      }
      case 7:
        text.push_back(static_cast<char>(rng.below(0x80)));
        break;  // control characters and NUL too
      default:
        for (uint64_t i = 0, n = rng.below(4); i <= n; ++i) text.push_back(static_cast<char>(rng.below(256)));
    }
  }
  return text;
}

}  // namespace sala
