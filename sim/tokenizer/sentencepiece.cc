// SentencePiece through its own library, with a cache of words.
//
// In a BPE model whose pieces carry U+2581 (the escaped space) only at their start, no merge can cross a space, so the ids of a
// text are the ids of its space-separated parts, one after the other. Such models take the cached path; all others encode whole
// texts through the library. tests/sim/tokenizer compares both on random text.
#include <sentencepiece_processor.h>

#include <fstream>
#include <mutex>
#include <shared_mutex>
#include <sstream>
#include <unordered_map>

#include "sala/core/rng.h"
#include "sim/tokenizer/tokenizers.h"

namespace sala {
namespace {

constexpr std::string_view kSpace = "\xe2\x96\x81";  // U+2581
constexpr size_t kLongestCachedPart = 24;            // bytes; longer parts are rare and not worth memory
constexpr size_t kMostCachedParts = 1 << 20;

struct Piece {
  int32_t id;
  int32_t offset;  // byte offset in the part; -1 = the escaped space before the part
};
using Pieces = std::vector<Piece>;

class SentencePieceTokenizer final : public Tokenizer {
 public:
  SentencePieceTokenizer(std::unique_ptr<sentencepiece::SentencePieceProcessor> processor, uint64_t file_hash)
      : processor_(std::move(processor)), hash_(fmt::format("{:016x}", file_hash)) {
    additive_ = true;
    for (int id = 0; id < processor_->GetPieceSize(); ++id) {
      if (processor_->IsControl(id) || processor_->IsUnknown(id) || processor_->IsByte(id)) continue;
      additive_ &= processor_->IdToPiece(id).find(kSpace, 1) == std::string::npos;
    }
    space_id_ = processor_->PieceToId(std::string(kSpace));
    // The library must not touch spaces itself and must put one before the text.
    additive_ &= raw("a  b ").size() == raw("a").size() + raw("b").size() + 2 && processor_->Encode("a", &probe_).ok() &&
                 processor_->IdToPiece(raw("a")[0].id).starts_with(kSpace);
  }

  std::string kind() const override { return "sentencepiece"; }
  std::string hash() const override { return hash_; }
  int64_t vocab_size() const override { return processor_->GetPieceSize(); }

  std::vector<int32_t> encode(std::string_view text) const override {
    std::vector<int32_t> ids;
    ids.reserve(text.size() / 3);
    visit(text, [&](const Pieces& pieces, size_t) {
      for (const Piece& piece : pieces) ids.push_back(piece.id);
    });
    return ids;
  }
  int64_t count(std::string_view text) const override {
    int64_t total = 0;
    visit(text, [&](const Pieces& pieces, size_t) { total += static_cast<int64_t>(pieces.size()); });
    return total;
  }
  std::vector<int32_t> encode_with_offsets(std::string_view text, std::vector<int64_t>& byte_offsets) const override {
    std::vector<int32_t> ids;
    byte_offsets.clear();
    visit(text, [&](const Pieces& pieces, size_t part_begin) {
      for (const Piece& piece : pieces) {
        ids.push_back(piece.id);
        byte_offsets.push_back(std::max<int64_t>(0, static_cast<int64_t>(part_begin) + piece.offset));
      }
    });
    return ids;
  }
  std::string decode(const std::vector<int32_t>& ids) const override {
    std::string text;
    for (int32_t id : ids)
      if (id < 0 || id >= processor_->GetPieceSize())
        throw Error(ErrorCode::kShape, "decode: id {} is outside the vocabulary of {}", id, processor_->GetPieceSize());
    processor_->Decode(std::vector<int>(ids.begin(), ids.end()), &text).IgnoreError();
    return text;
  }

 private:
  // Calls use(pieces, byte offset of the part in text) for every part of the text.
  template <class Use>
  void visit(std::string_view text, const Use& use) const {
    if (text.empty()) return;
    if (!additive_) return use(raw(text), 0);
    for (size_t begin = 0;;) {
      const size_t end = std::min(text.find(' ', begin), text.size());
      const std::string_view part = text.substr(begin, end - begin);
      if (part.size() > kLongestCachedPart || part.empty()) {
        use(part.empty() ? Pieces{{space_id_, -1}} : raw(part), begin);
      } else {
        use_cached(part, begin, use);
      }
      if (end == text.size()) return;
      begin = end + 1;
    }
  }

  template <class Use>
  void use_cached(std::string_view part, size_t begin, const Use& use) const {
    Shard& shard = shards_[std::hash<std::string_view>{}(part) % kShards];
    {
      const std::shared_lock lock(shard.mutex);
      const auto found = shard.parts.find(part);
      if (found != shard.parts.end()) return use(found->second, begin);
    }
    Pieces pieces = raw(part);
    use(pieces, begin);
    const bool digits = part.find_first_of("0123456789") != std::string_view::npos;  // numbers and uuids never come back
    if (digits) return;
    const std::unique_lock lock(shard.mutex);
    if (shard.parts.size() < kMostCachedParts / kShards) shard.parts.emplace(part, std::move(pieces));
  }

  Pieces raw(std::string_view text) const {
    const auto proto = processor_->EncodeAsImmutableProto(text);
    Pieces pieces;
    pieces.reserve(proto.pieces_size());
    for (size_t i = 0; i < proto.pieces_size(); ++i) {
      const auto piece = proto.pieces(static_cast<int>(i));
      const bool spaced = i == 0 && piece.piece().starts_with(kSpace);
      pieces.push_back({static_cast<int32_t>(piece.id()), spaced ? -1 : static_cast<int32_t>(piece.begin())});
    }
    return pieces;
  }

  struct Hash {
    using is_transparent = void;
    size_t operator()(std::string_view text) const { return std::hash<std::string_view>{}(text); }
  };
  static constexpr size_t kShards = 64;
  struct Shard {
    std::shared_mutex mutex;
    std::unordered_map<std::string, Pieces, Hash, std::equal_to<>> parts;
  };
  std::unique_ptr<sentencepiece::SentencePieceProcessor> processor_;
  std::string hash_;
  bool additive_ = false;
  int32_t space_id_ = 0;
  std::vector<int> probe_;
  mutable std::array<Shard, kShards> shards_;
};

}  // namespace

std::unique_ptr<Tokenizer> make_sentencepiece_tokenizer(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw Error(ErrorCode::kIo, "tokenizer: cannot read {}", path);
  std::ostringstream bytes;
  bytes << file.rdbuf();
  const std::string model = bytes.str();
  auto processor = std::make_unique<sentencepiece::SentencePieceProcessor>();
  const auto status = processor->LoadFromSerializedProto(model);
  if (!status.ok()) throw Error(ErrorCode::kFormat, "tokenizer: {} is not a SentencePiece model ({})", path, status.ToString());
  return std::make_unique<SentencePieceTokenizer>(std::move(processor), stable_hash(model));
}

}  // namespace sala
