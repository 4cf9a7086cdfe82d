#include "sim/tokenizer/sp_model.h"

#include <bit>
#include <cmath>
#include <unordered_set>

#include "sala/core/error.h"
#include "sala/core/rng.h"
#include "sim/text/files.h"

namespace sala::tokenizer {
namespace {

constexpr int64_t kMostModelBytes = int64_t{1} << 30;

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
    if (wire_type == 0)
      varint();
    else if (wire_type == 1)
      take(8);
    else if (wire_type == 2)
      block();
    else if (wire_type == 5)
      take(4);
    else
      fail("an unknown wire type");
  }
  [[noreturn]] void fail(const char* what) const {
    throw Error(ErrorCode::kFormat, "SpModel::parse: {} is not a SentencePiece model: {} at byte {} of {}", path_, what, at_,
                bytes_.size());
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
    if (tag >> 3 == 0) wire.fail("a field with number 0");
    if (!field(tag >> 3, tag & 7, wire)) wire.skip(tag & 7);
  }
}

PieceType parse_type(Wire& wire) {
  const uint64_t type = wire.varint();
  if (type < 1 || type > 6) wire.fail("an unknown kind of piece");
  return static_cast<PieceType>(type);
}

Piece parse_piece(std::string_view bytes, const std::string& path) {
  Piece piece;
  each_field(bytes, path, [&](uint64_t number, uint64_t type, Wire& wire) {
    if (number == 1 && type == 2)
      piece.text = wire.block();
    else if (number == 2 && type == 5)
      piece.score = wire.number32();
    else if (number == 3 && type == 0)
      piece.type = parse_type(wire);
    else
      return false;
    return true;
  });
  return piece;
}

// The rules that the library has as well.
void check_pieces(const SpModel& model) {
  const auto fail = [&](const std::string& what) {
    return Error(ErrorCode::kFormat, "SpModel::parse: {} cannot be used: {}", model.path, what);
  };
  if (model.pieces.empty()) throw fail("it holds no pieces, so it is not a SentencePiece model");
  std::unordered_set<std::string_view> seen;
  int64_t unknown = 0;
  for (size_t id = 0; id < model.pieces.size(); ++id) {
    const Piece& piece = model.pieces[id];
    if (piece.text.empty()) throw fail(fmt::format("piece {} is empty", id));
    if (!seen.insert(piece.text).second) throw fail(fmt::format("piece {} repeats `{}`", id, piece.text));
    if (!std::isfinite(piece.score)) throw fail(fmt::format("the score of piece {} is not a number", id));
    if (piece.type == PieceType::kByte && byte_of_piece(piece.text) < 0)
      throw fail(fmt::format("byte piece {} is written `{}`, expected the form <0x0A>", id, piece.text));
    unknown += piece.type == PieceType::kUnknown;
  }
  if (unknown != 1) throw fail(fmt::format("it has {} unknown pieces, expected 1", unknown));
}

}  // namespace

int byte_of_piece(std::string_view text) {
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  if (text.size() != 6 || !text.starts_with("<0x") || text[5] != '>') return -1;
  const size_t high = kDigits.find(text[3]), low = kDigits.find(text[4]);
  return high == std::string_view::npos || low == std::string_view::npos ? -1 : static_cast<int>(16 * high + low);
}

SpModel SpModel::load(const std::string& path) { return parse(text::read_file(path, kMostModelBytes), path); }

SpModel SpModel::parse(std::string bytes, const std::string& path) {
  SpModel model;
  model.path = path;
  model.hash = fmt::format("{:016x}", stable_hash(bytes));
  each_field(bytes, path, [&](uint64_t part, uint64_t part_type, Wire& top) {
    if (part_type != 2 || !(part <= 3 || part == 5)) return false;
    const std::string_view block = top.block();
    if (part == 1) {
      model.pieces.push_back(parse_piece(block, path));
      return true;
    }
    each_field(block, path, [&](uint64_t number, uint64_t type, Wire& wire) {
      if (part == 2 && number == 3 && type == 0)
        model.model_type = static_cast<int>(wire.varint());
      else if (part == 2 && number == 24 && type == 0)
        model.whitespace_as_suffix = wire.varint() != 0;
      else if (part == 2 && number == 35 && type == 0)
        model.byte_fallback = wire.varint() != 0;
      else if (part != 2 && number == 2 && type == 2)
        model.has_charsmap |= !wire.block().empty();
      else if (part == 3 && number == 3 && type == 0)
        model.add_dummy_prefix = wire.varint() != 0;
      else if (part == 3 && number == 4 && type == 0)
        model.remove_extra_whitespaces = wire.varint() != 0;
      else if (part == 3 && number == 5 && type == 0)
        model.escape_whitespaces = wire.varint() != 0;
      else
        return false;
      return true;
    });
    return true;
  });
  check_pieces(model);
  model.bytes = std::move(bytes);
  return model;
}

}  // namespace sala::tokenizer
