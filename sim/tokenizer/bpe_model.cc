// Byte-fallback BPE over SentencePiece pieces, one word at a time through a cache. Merges cannot cross from a word into the
// space after it, because no piece does (unsupported_reason() says which models this class serves), nor from a character to
// another that never follows it in a piece (a digit and its neighbours, in the family's vocabulary). So the ids of a text
// are those of its parts between such places, each with the spaces before it. tests/sim/tokenizer hold it equal to
// libsentencepiece.
#include <algorithm>
#include <atomic>
#include <cstring>
#include <memory>

#include "sim/text/utf8.h"
#include "sim/tokenizer/bpe_merge.h"
#include "sim/tokenizer/sp_model.h"
#include "sim/tokenizer/tokenizers.h"
#include "sim/tokenizer/word_cache.h"

namespace sala::tokenizer {
namespace {

constexpr size_t kMaxCachedWord = 24;                        // bytes; longer words are rare and not worth memory
constexpr size_t kMaxWord = size_t{1} << 30;                 // symbols are counted in 32 bits
constexpr std::string_view kUnknownText = " \xE2\x81\x87 ";  // what SentencePiece writes for an unknown piece

// What one thread keeps between calls: the words of one tokenizer, and scratch memory.
struct ThreadState {
  uint64_t owner = 0;
  WordCache cache;
  std::vector<BpeMerges::Symbol> symbols;
  std::vector<BpeMerges::Candidate> heap;
  std::vector<int32_t> ids, offsets;  // of the word encoded last
};

// The calling thread's state for tokenizer `instance`; a thread that changes tokenizers forgets its words.
ThreadState& thread_state(uint64_t instance) {
  thread_local std::unique_ptr<ThreadState> state;
  if (!state || state->owner != instance) {
    state = std::make_unique<ThreadState>();
    state->owner = instance;
  }
  return *state;
}

uint64_t next_instance() {
  static std::atomic<uint64_t> count{0};
  return ++count;
}

class BpeTokenizer final : public Tokenizer {
 public:
  explicit BpeTokenizer(SpModel model);

  std::string kind() const override { return "sentencepiece"; }
  std::string hash() const override { return model_.hash; }
  int64_t vocab_size() const override { return static_cast<int64_t>(model_.pieces.size()); }
  std::optional<int32_t> find(std::string_view piece) const override {
    const auto found =
        std::find_if(model_.pieces.begin(), model_.pieces.end(), [&](const Piece& p) { return p.text == piece; });
    if (found == model_.pieces.end()) return std::nullopt;
    return static_cast<int32_t>(found - model_.pieces.begin());
  }
  std::vector<int32_t> encode(std::string_view text) const override;
  int64_t count(std::string_view text) const override;
  std::vector<int32_t> encode_with_offsets(std::string_view text, std::vector<int64_t>& byte_offsets) const override;
  void encode_into(std::string_view text, std::vector<int32_t>& ids, TokenOffsets& offsets) const override;
  std::string decode(const std::vector<int32_t>& ids) const override;

 private:
  // Puts into `state` the ids of `word` with `spaces` spaces before it, and for each the offset of its first byte from the
  // word's (spaces have negative ones).
  void encode_word(std::string_view word, int64_t spaces, ThreadState& state) const;
  // Calls emit(ids, offsets, count, position of the word in text) for the words of `text` in order.
  template <class Emit>
  void each_word(std::string_view text, Emit&& emit) const;

  // Whether the character at `at`, which nothing before it joins, is a token of its own.
  bool alone(std::string_view text, size_t at) const {
    return single_ids_[static_cast<unsigned char>(text[at])] >= 0 &&
           (at + 1 == text.size() || text[at + 1] == ' ' || !merges_.joins(text[at], text[at + 1]));
  }

  static constexpr int32_t kAtWord = 0;  // offset of a token that begins where its word does
  SpModel model_;
  uint64_t instance_;  // owner mark of the threads' states
  BpeMerges merges_;
  int32_t space_;  // symbol of U+2581
  std::array<int32_t, 256> byte_ids_;
  std::array<int32_t, 256> single_ids_;  // by byte: the id of that character alone; -1 when it is no piece, and for a space
  std::vector<int16_t> byte_of_;         // [pieces] the byte of a byte piece, else -1
};

BpeTokenizer::BpeTokenizer(SpModel model)
    : model_(std::move(model)),
      instance_(next_instance()),
      merges_(model_.pieces),
      space_(merges_.symbol(kSpace)),
      byte_of_(model_.pieces.size(), -1) {
  for (size_t id = 0; id < model_.pieces.size(); ++id) {
    if (model_.pieces[id].type != PieceType::kByte) continue;
    const int byte = byte_of_piece(model_.pieces[id].text);
    byte_of_[id] = static_cast<int16_t>(byte);
    byte_ids_[static_cast<size_t>(byte)] = static_cast<int32_t>(id);
  }
  for (int c = 0; c < 256; ++c) {
    const char character = static_cast<char>(c);
    const int32_t id = c < 128 ? merges_.symbol({&character, 1}) : BpeMerges::kUnknown;
    single_ids_[static_cast<size_t>(c)] = id < vocab_size() && c != ' ' ? id : -1;
  }
}

void BpeTokenizer::encode_word(std::string_view word, int64_t spaces, ThreadState& state) const {
  if (word.size() > kMaxWord || spaces > static_cast<int64_t>(kMaxWord))
    throw Error(ErrorCode::kUnsupported, "tokenizer: a word of {} bytes after {} spaces; the most is {}", word.size(),
                spaces, kMaxWord);
  auto& symbols = state.symbols;
  symbols.clear();
  const auto add = [&](int32_t id, int64_t origin) {
    const auto index = static_cast<int32_t>(symbols.size());
    symbols.push_back({id, static_cast<int32_t>(origin), 1, index - 1, index + 1});
  };
  for (int64_t i = 0; i < spaces; ++i) add(space_, i - spaces);
  for (size_t at = 0; at < word.size();) {
    const size_t size = text::valid_char_length(word.substr(at));
    const std::string_view character = size == 0 ? text::kReplacement : word.substr(at, size);
    add(character == " " ? space_ : merges_.symbol(character), static_cast<int64_t>(at));
    at += std::max<size_t>(size, 1);
  }
  state.ids.clear();
  state.offsets.clear();
  if (symbols.empty()) return;
  symbols.back().next = -1;
  merges_.merge(symbols, state.heap);
  for (int32_t i = 0; i >= 0; i = symbols[i].next) {
    const auto& symbol = symbols[i];
    if (symbol.id >= 0 && symbol.id < vocab_size()) {
      state.ids.push_back(symbol.id);
      state.offsets.push_back(symbol.origin);
      continue;
    }
    std::string_view bytes = kSpace;  // a single character that is no piece: its bytes
    if (symbol.origin >= 0 && word[symbol.origin] != ' ') {
      bytes = word.substr(symbol.origin);
      const size_t size = text::valid_char_length(bytes);
      bytes = size == 0 ? text::kReplacement : bytes.substr(0, size);
    }
    for (const char byte : bytes) {
      state.ids.push_back(byte_ids_[static_cast<unsigned char>(byte)]);
      state.offsets.push_back(symbol.origin);
    }
  }
}

template <class Emit>
void BpeTokenizer::each_word(std::string_view text, Emit&& emit) const {
  if (text.empty()) return;
  ThreadState& state = thread_state(instance_);
  // A written U+2581 is a space to the model; such a text is encoded as one word.
  const size_t mark = text.find(kSpace[0]);
  const bool one_word = mark != std::string_view::npos && text.find(kSpace, mark) != std::string_view::npos;
  int64_t spaces = model_.add_dummy_prefix ? 1 : 0;
  for (size_t at = 0; at < text.size(); spaces = 0) {
    for (; !one_word && at < text.size() && text[at] == ' '; ++at) ++spaces;
    if (spaces == 0 && !one_word) {  // characters that nothing joins: digits, mostly
      const size_t first = at;
      for (; at < text.size() && alone(text, at); ++at)
        emit(&single_ids_[static_cast<unsigned char>(text[at])], &kAtWord, size_t{1}, at);
      if (at > first) continue;
    }
    uint64_t hash = WordCache::kHashSeed;
    size_t end = at;
    if (one_word) {
      end = text.size();
    } else if (at < text.size()) {
      do hash = WordCache::mix(hash, static_cast<unsigned char>(text[end++]));
      while (end < text.size() && text[end] != ' ' && merges_.joins(text[end - 1], text[end]));
    }
    const std::string_view word = text.substr(at, end - at);
    const bool cacheable = !one_word && spaces <= 1 && !word.empty() && word.size() <= kMaxCachedWord;
    if (cacheable) hash = WordCache::finish(hash, static_cast<uint64_t>(spaces));
    const WordCache::Entry* entry = cacheable ? state.cache.find(hash, word) : nullptr;
    if (entry != nullptr) {
      emit(state.cache.ids(*entry), state.cache.offsets(*entry), static_cast<size_t>(entry->count), at);
    } else {
      encode_word(word, spaces, state);
      if (cacheable) state.cache.insert(hash, word, state.ids, state.offsets);
      emit(state.ids.data(), state.offsets.data(), state.ids.size(), at);
    }
    at = end;
  }
}

std::vector<int32_t> BpeTokenizer::encode(std::string_view text) const {
  std::vector<int32_t> out;
  out.reserve(text.size() / 3 + 8);
  each_word(text,
            [&](const int32_t* ids, const int32_t*, size_t count, size_t) { out.insert(out.end(), ids, ids + count); });
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

void BpeTokenizer::encode_into(std::string_view text, std::vector<int32_t>& out, TokenOffsets& byte_offsets) const {
  out.clear();
  byte_offsets.clear();
  each_word(text, [&](const int32_t* ids, const int32_t* offsets, size_t count, size_t at) {
    for (size_t i = 0; i < count; ++i) {
      out.push_back(ids[i]);
      byte_offsets.push_back(std::max<int64_t>(0, static_cast<int64_t>(at) + offsets[i]));
    }
  });
}

std::string BpeTokenizer::decode(const std::vector<int32_t>& ids) const {
  std::string text, bytes;
  const auto flush_bytes = [&] {
    text += text::with_replacements(bytes);
    bytes.clear();
  };
  bool at_start = model_.add_dummy_prefix;  // a space before any text is the dummy one
  for (const int32_t id : ids) {
    check_id(id, vocab_size());
    if (byte_of_[id] >= 0) {
      bytes += static_cast<char>(byte_of_[id]);
      continue;
    }
    flush_bytes();
    const Piece& piece = model_.pieces[id];
    if (piece.type == PieceType::kControl) continue;
    std::string_view rest = piece.type == PieceType::kUnknown ? kUnknownText : piece.text;
    if (at_start && text.empty() && rest.starts_with(kSpace)) rest.remove_prefix(kSpace.size());
    at_start = false;
    for (size_t space = rest.find(kSpace); space != std::string_view::npos; space = rest.find(kSpace)) {
      text.append(rest.substr(0, space)).push_back(' ');
      rest.remove_prefix(space + kSpace.size());
    }
    text += rest;
  }
  flush_bytes();
  return text;
}

}  // namespace
}  // namespace sala::tokenizer

namespace sala {

using namespace tokenizer;

std::string bpe_unsupported_reason(const SpModel& model) {
  if (model.model_type != 2) return "it is not a BPE model";
  if (!model.byte_fallback) return "it has no byte fallback";
  if (model.has_charsmap) return "it normalises characters";
  if (model.remove_extra_whitespaces) return "it removes extra spaces";
  if (!model.escape_whitespaces || model.whitespace_as_suffix) return "it does not write a space as a prefix of its word";
  int bytes = 0;
  for (const Piece& piece : model.pieces) {
    if (piece.type == PieceType::kUserDefined || piece.type == PieceType::kUnused)
      return "it has user-defined or unused pieces";
    if (piece.type == PieceType::kNormal) {
      std::string_view word = piece.text;
      while (word.starts_with(kSpace)) word.remove_prefix(kSpace.size());
      if (word.find(kSpace) != std::string_view::npos) return "a piece crosses a word boundary";
    } else if (text::valid_char_length(piece.text) == piece.text.size()) {
      return "a reserved piece is a single character";
    }
    bytes += piece.type == PieceType::kByte;
  }
  if (bytes != 256) return "it does not have the 256 byte pieces";
  return "";
}

std::unique_ptr<Tokenizer> make_bpe_tokenizer(SpModel model) {
  const std::string reason = bpe_unsupported_reason(model);
  if (!reason.empty()) throw Error(ErrorCode::kUnsupported, "tokenizer: {} needs libsentencepiece: {}", model.path, reason);
  return std::make_unique<BpeTokenizer>(std::move(model));
}

}  // namespace sala
