// Byte-fallback BPE over SentencePiece pieces without libsentencepiece, one word at a time through a cache; tests hold it equal to the
// library. Serves models of type BPE with identity normalisation, byte fallback, spaces kept, no user-defined or unused pieces and no
// piece that crosses a word boundary (unsupported_reason() says which of these fails). Static builds have nothing else.

#include <algorithm>
#include <atomic>
#include <memory>
#include <fstream>
#include <iterator>
#include <unordered_map>

#include "sala/core/rng.h"
#include "sim/tokenizer/sp_model.h"
#include "sim/tokenizer/tokenizers.h"
#include "sim/tokenizer/utf8.h"
#include "sim/tokenizer/word_cache.h"

namespace sala::tokenizer {
namespace {

constexpr size_t kMaxCachedWord = 24;

// The calling thread's cache for tokenizer `instance`; a thread that changes tokenizers starts a new one.
WordCache& thread_cache(uint64_t instance) {
  thread_local uint64_t owner = 0;
  thread_local std::unique_ptr<WordCache> cache;
  if (owner != instance) {
    cache = std::make_unique<WordCache>();
    owner = instance;
  }
  return *cache;
}

uint64_t next_instance() {
  static std::atomic<uint64_t> count{0};
  return ++count;
}

struct Symbol {
  int begin, size;  // in the normalised word; size 0: merged away
  int previous, next;
};

struct Candidate {
  float score;
  int left, right;
  int size;  // of the merged piece: tells a stale candidate
  bool operator<(const Candidate& other) const { return score < other.score || (score == other.score && left > other.left); }
};

// Merges the best-scored adjacent pair until none is a piece; among equal scores the leftmost (SentencePiece's order).
void merge_symbols(std::string_view text, std::vector<Symbol>& symbols, const std::unordered_map<std::string_view, int32_t>& ids,
                   const std::vector<Piece>& pieces) {
  std::vector<Candidate> heap;
  const auto consider = [&](int left, int right) {
    if (left < 0 || right < 0) return;
    const int size = symbols[left].size + symbols[right].size;
    const auto found = ids.find(text.substr(symbols[left].begin, size));
    if (found == ids.end()) return;
    heap.push_back({pieces[found->second].score, left, right, size});
    std::push_heap(heap.begin(), heap.end());
  };
  for (int i = 1; i < static_cast<int>(symbols.size()); ++i) consider(i - 1, i);
  while (!heap.empty()) {
    std::pop_heap(heap.begin(), heap.end());
    const Candidate best = heap.back();
    heap.pop_back();
    Symbol& left = symbols[best.left];
    Symbol& right = symbols[best.right];
    if (left.size == 0 || right.size == 0 || left.size + right.size != best.size) continue;
    left.size = best.size;
    left.next = right.next;
    if (right.next >= 0) symbols[right.next].previous = best.left;
    right.size = 0;
    consider(left.previous, best.left);
    consider(best.left, left.next);
  }
}

class BpeTokenizer final : public Tokenizer {
 public:
  BpeTokenizer(SpModel model, std::string hash);
  // Empty when this class encodes `model` exactly; else the reason why not.
  static std::string unsupported_reason(const SpModel& model);

  std::string kind() const override { return "sentencepiece"; }
  std::string hash() const override { return hash_; }
  int64_t vocab_size() const override { return static_cast<int64_t>(model_.pieces.size()); }
  std::vector<int32_t> encode(std::string_view text) const override;
  int64_t count(std::string_view text) const override;
  std::vector<int32_t> encode_with_offsets(std::string_view text, std::vector<int64_t>& byte_offsets) const override;
  std::string decode(const std::vector<int32_t>& ids) const override;

 private:
  // Ids of one word and, for each, the offset of its first byte in `word` (-1: in the space before it).
  void encode_word(std::string_view word, bool space_before, std::vector<int32_t>& ids, std::vector<int32_t>& offsets) const;
  // Calls emit(ids, offsets, count, position of the word in text) for the words of `text` in order.
  template <class Emit>
  void each_word(std::string_view text, Emit&& emit) const;

  SpModel model_;
  std::string hash_;
  uint64_t instance_;                                  // owner mark of the per-thread word cache
  std::unordered_map<std::string_view, int32_t> ids_;  // normal pieces; views into model_
  std::vector<int32_t> byte_ids_;                      // [256]
};


std::string BpeTokenizer::unsupported_reason(const SpModel& model) {
  if (model.model_type != 2) return "it is not a BPE model";
  if (!model.byte_fallback) return "it has no byte fallback";
  if (model.has_charsmap) return "it normalises characters";
  if (model.remove_extra_whitespaces) return "it removes extra spaces";
  if (!model.escape_whitespaces || model.whitespace_as_suffix) return "it does not write a space as a prefix of its word";
  if (!pieces_stay_in_words(model)) return "a piece crosses a word boundary";
  int bytes = 0;
  for (const Piece& piece : model.pieces) {
    if (piece.type == PieceType::kUserDefined || piece.type == PieceType::kUnused) return "it has user-defined or unused pieces";
    bytes += piece.type == PieceType::kByte;
  }
  if (bytes != 256) return "it does not have the 256 byte pieces";
  return "";
}

BpeTokenizer::BpeTokenizer(SpModel model, std::string hash)
    : model_(std::move(model)), hash_(std::move(hash)), instance_(next_instance()), byte_ids_(256, 0) {
  const std::string reason = unsupported_reason(model_);
  if (!reason.empty()) throw Error(ErrorCode::kUnsupported, "tokenizer: this SentencePiece model needs libsentencepiece, which static builds leave out: {}", reason);
  for (size_t id = 0; id < model_.pieces.size(); ++id) {
    const Piece& piece = model_.pieces[id];
    if (piece.type == PieceType::kNormal) ids_.emplace(piece.text, static_cast<int32_t>(id));
    if (piece.type == PieceType::kByte) {
      const bool well_formed = piece.text.size() == 6 && piece.text.starts_with("<0x") && piece.text.find_first_not_of("0123456789ABCDEF", 3) == 5;
      if (!well_formed) throw Error(ErrorCode::kFormat, "BpeTokenizer: byte piece {} is written `{}`, expected the form <0x0A>", id, piece.text);
      byte_ids_[std::stoi(piece.text.substr(3, 2), nullptr, 16)] = static_cast<int32_t>(id);
    }
  }
}

void BpeTokenizer::encode_word(std::string_view word, bool space_before, std::vector<int32_t>& ids, std::vector<int32_t>& offsets) const {
  std::string text(space_before ? kSpace : "");
  std::vector<Symbol> symbols;
  std::vector<int> origin;  // of each symbol: its first byte in `word`
  const auto add = [&](std::string_view character, int from) {
    const int index = static_cast<int>(symbols.size());
    if (from >= 0) text += character;
    symbols.push_back({static_cast<int>(text.size() - character.size()), static_cast<int>(character.size()), index - 1, index + 1});
    origin.push_back(from);
  };
  if (space_before) add(kSpace, -1);
  for (size_t at = 0; at < word.size();) {
    const size_t size = valid_char_length(word.substr(at));
    add(size ? word.substr(at, size) : kReplacement, static_cast<int>(at));
    at += size ? size : 1;
  }
  ids.clear();
  offsets.clear();
  if (symbols.empty()) return;
  symbols.back().next = -1;
  merge_symbols(text, symbols, ids_, model_.pieces);
  for (int i = 0; i >= 0; i = symbols[i].next) {
    const std::string_view piece = std::string_view(text).substr(symbols[i].begin, symbols[i].size);
    const auto found = ids_.find(piece);
    if (found != ids_.end()) {
      ids.push_back(found->second);
      offsets.push_back(origin[i]);
    } else {
      for (const char byte : piece) {
        ids.push_back(byte_ids_[static_cast<unsigned char>(byte)]);
        offsets.push_back(origin[i]);
      }
    }
  }
}

template <class Emit>
void BpeTokenizer::each_word(std::string_view text, Emit&& emit) const {
  if (text.empty()) return;
  WordCache& cache = thread_cache(instance_);
  std::vector<int32_t> ids, offsets;
  bool space_before = model_.add_dummy_prefix;
  for (size_t at = 0; at <= text.size();) {
    uint64_t hash = 0x9E3779B97F4A7C15ull;
    bool cacheable = space_before;
    size_t end = at;
    for (; end < text.size() && text[end] != ' '; ++end) {
      const unsigned char c = static_cast<unsigned char>(text[end]);
      if (static_cast<unsigned>(c - '0') < 10 || c == '-') cacheable = false;  // keys and values: rarely seen twice
      hash = (hash ^ c) * 0x100000001B3ull;
    }
    const std::string_view word = text.substr(at, end - at);
    hash = (hash ^ hash >> 32) * 0xD6E8FEB86659FD93ull;
    hash |= 1;  // never 0
    hash ^= hash >> 31 << 1;
    cacheable = cacheable && word.size() <= kMaxCachedWord;
    const WordCache::Entry* entry = cacheable ? cache.find(hash, word) : nullptr;
    if (entry != nullptr) {
      emit(cache.ids(*entry), cache.offsets(*entry), static_cast<size_t>(entry->count), at);
    } else {
      encode_word(word, space_before, ids, offsets);
      if (cacheable) cache.insert(hash, word, ids, offsets);
      emit(ids.data(), offsets.data(), ids.size(), at);
    }
    at = end + 1;
    space_before = true;
  }
}

std::vector<int32_t> BpeTokenizer::encode(std::string_view text) const {
  std::vector<int32_t> out;
  out.reserve(text.size() / 3 + 8);
  each_word(text, [&](const int32_t* ids, const int32_t*, size_t count, size_t) { out.insert(out.end(), ids, ids + count); });
  return out;
}

int64_t BpeTokenizer::count(std::string_view text) const {
  int64_t total = 0;
  each_word(text, [&](const int32_t*, const int32_t*, size_t count, size_t) { total += static_cast<int64_t>(count); });
  return total;
}

std::vector<int32_t> BpeTokenizer::encode_with_offsets(std::string_view text, std::vector<int64_t>& byte_offsets) const {
  std::vector<int32_t> out;
  out.reserve(text.size() / 3 + 8);
  byte_offsets.clear();
  byte_offsets.reserve(text.size() / 3 + 8);
  each_word(text, [&](const int32_t* ids, const int32_t* offsets, size_t count, size_t at) {
    out.insert(out.end(), ids, ids + count);
    for (size_t i = 0; i < count; ++i) byte_offsets.push_back(std::max<int64_t>(0, static_cast<int64_t>(at) + offsets[i]));
  });
  return out;
}

std::string BpeTokenizer::decode(const std::vector<int32_t>& ids) const {
  std::string text, bytes;
  const auto flush_bytes = [&] {
    for (size_t at = 0; at < bytes.size();) {
      const size_t size = valid_char_length(std::string_view(bytes).substr(at));
      text += size ? std::string_view(bytes).substr(at, size) : kReplacement;
      at += size ? size : 1;
    }
    bytes.clear();
  };
  for (const int32_t id : ids) {
    if (id < 0 || id >= vocab_size())
      throw Error(ErrorCode::kShape, "decode: id {} is outside the vocabulary of {}", id, vocab_size());
    const Piece& piece = model_.pieces[id];
    if (piece.type == PieceType::kByte) {
      bytes += static_cast<char>(std::find(byte_ids_.begin(), byte_ids_.end(), id) - byte_ids_.begin());
      continue;
    }
    flush_bytes();
    if (piece.type == PieceType::kControl) continue;
    if (piece.type == PieceType::kUnknown) {
      text += " \xE2\x81\x87 ";  // SentencePiece's mark for an unknown piece
      continue;
    }
    std::string_view rest = piece.text;
    const bool space = rest.starts_with(kSpace);
    if (space) rest.remove_prefix(kSpace.size());
    if (space && !(text.empty() && model_.add_dummy_prefix)) text += ' ';
    text += rest;
  }
  flush_bytes();
  return text;
}

}  // namespace
}  // namespace sala::tokenizer

namespace sala {

std::unique_ptr<Tokenizer> make_bpe_tokenizer(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw Error(ErrorCode::kIo, "tokenizer: cannot read {}", path);
  const std::string bytes{std::istreambuf_iterator<char>(file), {}};
  return std::make_unique<tokenizer::BpeTokenizer>(tokenizer::SpModel::parse(bytes, path), fmt::format("{:016x}", stable_hash(bytes)));
}

#ifdef SALA_STATIC
std::unique_ptr<Tokenizer> make_sentencepiece_tokenizer(const std::string& path) { return make_bpe_tokenizer(path); }
std::unique_ptr<Tokenizer> make_hf_tokenizer(const std::string& path) {
  throw Error(ErrorCode::kUnsupported, "tokenizer: {}: tokenizer.json files need a build without SALA_STATIC", path);
}
#endif

}  // namespace sala
