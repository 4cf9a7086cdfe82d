// SentencePiece through its own library, whole texts at a time.
#include <sentencepiece_processor.h>

#include "sim/tokenizer/tokenizers.h"

namespace sala {
namespace {

class LibraryTokenizer final : public Tokenizer {
 public:
  explicit LibraryTokenizer(const tokenizer::SpModel& model) : hash_(model.hash) {
    const auto status = processor_.LoadFromSerializedProto(model.bytes);
    if (!status.ok())
      throw Error(ErrorCode::kFormat, "tokenizer: {} is not a model that libsentencepiece can load", model.path);
  }
  std::string kind() const override { return "sentencepiece"; }
  std::string hash() const override { return hash_; }
  int64_t vocab_size() const override { return processor_.GetPieceSize(); }
  std::optional<int32_t> find(std::string_view piece) const override {
    const int id = processor_.PieceToId(piece);
    if (id < 0 || id >= processor_.GetPieceSize() || processor_.IdToPiece(id) != piece) return std::nullopt;
    return id;
  }
  std::vector<int32_t> encode(std::string_view text) const override {
    std::vector<int> ids;
    check(processor_.Encode(text, &ids));
    return ids;
  }
  std::vector<int32_t> encode_with_offsets(std::string_view text, std::vector<int64_t>& byte_offsets) const override {
    const auto proto = processor_.EncodeAsImmutableProto(text);
    std::vector<int32_t> ids;
    byte_offsets.clear();
    for (size_t i = 0; i < proto.pieces_size(); ++i) {
      const auto piece = proto.pieces(static_cast<int>(i));
      ids.push_back(static_cast<int32_t>(piece.id()));
      byte_offsets.push_back(piece.begin());
    }
    return ids;
  }
  std::string decode(const std::vector<int32_t>& ids) const override {
    for (int32_t id : ids) tokenizer::check_id(id, vocab_size());
    std::string text;
    check(processor_.Decode(ids, &text));
    return text;
  }

 private:
  static void check(const sentencepiece::util::Status& status) {
    if (!status.ok()) throw Error(ErrorCode::kFormat, "tokenizer: libsentencepiece cannot use its model for this text");
  }
  sentencepiece::SentencePieceProcessor processor_;
  std::string hash_;
};

}  // namespace

std::unique_ptr<Tokenizer> make_library_tokenizer(const tokenizer::SpModel& model) {
  return std::make_unique<LibraryTokenizer>(model);
}

}  // namespace sala
