#include "sim/tokenizer/sp_model.h"

#include <bit>
#include <cstring>

#include "sala/core/error.h"

namespace sala::tokenizer {
namespace {

// A reader of protocol-buffer wire format over borrowed bytes.
class Wire {
 public:
  Wire(std::string_view bytes, const std::string& path) : bytes_(bytes), path_(path) {}
  bool done() const { return at_ == bytes_.size(); }

  uint64_t varint() {
    uint64_t value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      const uint8_t byte = static_cast<uint8_t>(take(1)[0]);
      value |= static_cast<uint64_t>(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
    fail("a number longer than 64 bits");
  }
  std::string_view block() { return take(varint()); }
  float number32() {
    const std::string_view bytes = take(4);
    uint32_t bits = 0;
    for (int i = 3; i >= 0; --i) bits = bits << 8 | static_cast<uint8_t>(bytes[i]);
    return std::bit_cast<float>(bits);
  }
  void skip(uint64_t wire_type) {
    if (wire_type == 0) varint();
    else if (wire_type == 1) take(8);
    else if (wire_type == 2) block();
    else if (wire_type == 5) take(4);
    else fail("an unknown wire type");
  }
  [[noreturn]] void fail(const char* what) const {
    throw Error(ErrorCode::kFormat, "SpModel::parse: {} is not a SentencePiece model: {} at byte {} of {}", path_, what, at_, bytes_.size());
  }

 private:
  std::string_view take(uint64_t count) {
    if (count > bytes_.size() - at_) fail("the file ends inside a field");
    const std::string_view part = bytes_.substr(at_, count);
    at_ += count;
    return part;
  }
  std::string_view bytes_;
  const std::string& path_;
  size_t at_ = 0;
};

// Calls field(number, wire_type, wire) for each field; `field` returns false when it did not consume the value.
template <class Field>
void each_field(std::string_view bytes, const std::string& path, Field&& field) {
  Wire wire(bytes, path);
  while (!wire.done()) {
    const uint64_t tag = wire.varint();
    if (!field(tag >> 3, tag & 7, wire)) wire.skip(tag & 7);
  }
}

Piece parse_piece(std::string_view bytes, const std::string& path) {
  Piece piece;
  each_field(bytes, path, [&](uint64_t number, uint64_t type, Wire& wire) {
    if (number == 1 && type == 2) piece.text = wire.block();
    else if (number == 2 && type == 5) piece.score = wire.number32();
    else if (number == 3 && type == 0) piece.type = static_cast<PieceType>(wire.varint());
    else return false;
    return true;
  });
  return piece;
}

}  // namespace

SpModel SpModel::parse(std::string_view bytes, const std::string& path) {
  SpModel model;
  each_field(bytes, path, [&](uint64_t part, uint64_t part_type, Wire& top) {
    if (part_type != 2 || part < 1 || part > 3) return false;
    const std::string_view block = top.block();
    if (part == 1) {
      model.pieces.push_back(parse_piece(block, path));
      return true;
    }
    each_field(block, path, [&](uint64_t number, uint64_t type, Wire& wire) {
      if (part == 2 && number == 3 && type == 0) model.model_type = static_cast<int>(wire.varint());
      else if (part == 2 && number == 24 && type == 0) model.whitespace_as_suffix = wire.varint() != 0;
      else if (part == 2 && number == 35 && type == 0) model.byte_fallback = wire.varint() != 0;
      else if (part == 3 && number == 2 && type == 2) model.has_charsmap = !wire.block().empty();
      else if (part == 3 && number == 3 && type == 0) model.add_dummy_prefix = wire.varint() != 0;
      else if (part == 3 && number == 4 && type == 0) model.remove_extra_whitespaces = wire.varint() != 0;
      else if (part == 3 && number == 5 && type == 0) model.escape_whitespaces = wire.varint() != 0;
      else return false;
      return true;
    });
    return true;
  });
  if (model.pieces.empty()) throw Error(ErrorCode::kFormat, "SpModel::parse: {} holds no pieces: it is not a SentencePiece model", path);
  return model;
}

bool pieces_stay_in_words(const SpModel& model) {
  for (const Piece& piece : model.pieces)
    if (piece.text.find(kSpace, 1) != std::string::npos) return false;
  return true;
}

}  // namespace sala::tokenizer
