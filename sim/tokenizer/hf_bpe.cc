// Hugging Face `tokenizer.json` models of type BPE: byte-level (Qwen, GPT-2, Llama 3) and Llama's kind with a space mark and
// byte fallback (MiniCPM). Follows the Rust reference (`tokenizers`); tests compare with its ids, offsets and decoded text.
#include <algorithm>
#include <array>
#include <charconv>
#include <deque>
#include <unordered_map>

#include "sala/core/rng.h"
#include "sim/text/files.h"
#include "sim/text/utf8.h"
#include "sim/tokenizer/hf_config.h"
#include "sim/tokenizer/merge_table.h"
#include "sim/tokenizer/text_split.h"
#include "sim/tokenizer/token_finder.h"
#include "sim/tokenizer/tokenizers.h"

namespace sala::tokenizer {
namespace {

constexpr int64_t kMostTokenizerBytes = int64_t{1} << 30;

class HfTokenizer final : public Tokenizer {
 public:
  HfTokenizer(HfConfig config, std::string hash);
  std::string kind() const override { return "bpe"; }
  std::string hash() const override { return hash_; }
  int64_t vocab_size() const override { return static_cast<int64_t>(config_.pieces.size()); }
  std::vector<int32_t> encode(std::string_view text) const override {
    std::vector<int32_t> ids;
    encode_parts(text, ids, nullptr);
    return ids;
  }
  std::vector<int32_t> encode_with_offsets(std::string_view text, std::vector<int64_t>& byte_offsets) const override {
    std::vector<int32_t> ids;
    byte_offsets.clear();
    encode_parts(text, ids, &byte_offsets);
    return ids;
  }
  std::string decode(const std::vector<int32_t>& ids) const override;
  std::optional<std::vector<int32_t>> prefix() const override {
    if (!config_.prefix_problem.empty())
      throw Error(ErrorCode::kUnsupported, "tokenizer: tokenizer.json has {}, which is not supported",
                  config_.prefix_problem);
    return config_.prefix;
  }
  std::optional<int32_t> find(std::string_view piece) const override {
    const auto found = std::find(config_.pieces.begin(), config_.pieces.end(), piece);
    if (piece.empty() || found == config_.pieces.end()) return std::nullopt;
    return static_cast<int32_t>(found - config_.pieces.begin());
  }

 private:
  static constexpr size_t kLongestCached = 32;  // bytes of a word
  static constexpr size_t kMostCached = 1 << 16;
  struct Pieces {
    std::vector<int32_t> ids, begins;  // begins: bytes in the word
  };
  struct Output {
    std::vector<int32_t>& ids;
    std::vector<int64_t>* offsets;
    std::unordered_map<std::string, Pieces> cache;  // of this call, as are
    std::deque<SplitPattern::Matcher> matchers;     // those of patterns_
  };
  bool crossed_ = false;  // some piece has a space mark after another character
  void index_pieces();
  void encode_parts(std::string_view text, std::vector<int32_t>& ids, std::vector<int64_t>* offsets) const;
  MappedText normalize(std::string_view text) const;
  void encode_part(const MappedText& part, Output& out) const;
  void split_words(std::string_view text, size_t pattern, size_t base, const MappedText& part, Output& out) const;
  void marked_words(const MappedText& part, Output& out) const;
  template <class Offset>
  void emit(std::string_view word, const Offset& offset, Output& out) const;
  Pieces encode_word(std::string_view word) const;
  void fall_back(std::string_view character, int32_t begin, std::vector<MergeSymbol>& symbols) const;

  HfConfig config_;
  std::string hash_;
  MergeTable<int32_t> merges_;  // priority: the rank, negative
  std::vector<SplitPattern> patterns_;
  std::unordered_map<std::string, int32_t> ids_;  // of the vocabulary: raw bytes of byte-level pieces, text of others
  std::vector<std::string> decoded_;              // by id: what the decoder is given
  std::array<int32_t, 256> byte_ids_{};
  bool marks_start_words_ = false;  // no piece has a space mark after another character
  TokenFinder raw_tokens_, normalized_tokens_;
};

HfTokenizer::HfTokenizer(HfConfig config, std::string hash)
    : config_(std::move(config)), hash_(std::move(hash)), merges_(config_.merges.size()) {
  for (size_t rank = 0; rank < config_.merges.size(); ++rank) {
    const HfConfig::Merge& merge = config_.merges[rank];
    merges_.insert(merge.left, merge.right, -static_cast<int32_t>(rank), merge.merged);
  }
  for (const std::string& pattern : config_.split_patterns) patterns_.emplace_back(pattern);
  index_pieces();
}

void HfTokenizer::index_pieces() {
  const std::string& mark = config_.space_mark;
  byte_ids_.fill(-1);
  std::string raw;
  for (size_t id = 0; id < config_.pieces.size(); ++id) {
    if (!config_.in_vocabulary[id]) continue;
    const std::string& piece = config_.pieces[id];
    if (!config_.byte_level)
      ids_.emplace(piece, static_cast<int32_t>(id));
    else if (bytes_of_visible(piece, raw))  // others can never come of a text
      ids_.emplace(raw, static_cast<int32_t>(id));
    const size_t begin = mark.empty() ? std::string::npos : piece.find_first_not_of(mark);
    if (begin != std::string::npos && piece.find(mark, begin) != std::string::npos) crossed_ = true;
  }
  marks_start_words_ = !config_.byte_level && !crossed_ && !config_.ignore_merges && ids_.count(mark) != 0;
  for (int byte = 0; byte < 256; ++byte) {
    const std::string name = config_.byte_level ? std::string(1, static_cast<char>(byte)) : fmt::format("<0x{:02X}>", byte);
    if (const auto found = ids_.find(name); found != ids_.end()) byte_ids_[static_cast<size_t>(byte)] = found->second;
    if (config_.byte_level && byte_ids_[static_cast<size_t>(byte)] < 0)
      throw Error(ErrorCode::kUnsupported, "tokenizer: a byte-level model without the piece of byte {} is not supported",
                  byte);
  }
  decoded_ = config_.pieces;  // the reference shows a normalised token as it is looked for
  for (const AddedToken& token : config_.added_tokens)
    if (token.normalized)
      normalized_tokens_.add(decoded_[static_cast<size_t>(token.id)] = normalize(token.content).text, token);
    else
      raw_tokens_.add(token.content, token);
}

// As the reference: tokens that are not normalised are cut out of the text, what lies between them is normalised and
// searched for the others, and what is left goes through the pre-tokenisers part by part.
void HfTokenizer::encode_parts(std::string_view text, std::vector<int32_t>& ids, std::vector<int64_t>* offsets) const {
  Output out{ids, offsets, {}, {}};
  for (const SplitPattern& pattern : patterns_) out.matchers.emplace_back(pattern);
  const auto append = [&](const AddedToken& token, int64_t begin) {
    ids.push_back(token.id);
    if (offsets != nullptr) offsets->push_back(begin);
  };
  raw_tokens_.scan(text, [&](const AddedToken* token, size_t begin, size_t end) {
    const auto base = static_cast<int64_t>(begin);
    if (token != nullptr) return append(*token, base);
    MappedText part = normalize(text.substr(begin, end - begin));
    if (base > 0 || !part.origin.empty()) part.spell_out();
    for (int64_t& origin : part.origin) origin += base;
    if (normalized_tokens_.empty()) return encode_part(part, out);
    normalized_tokens_.scan(part.text, [&](const AddedToken* inner, size_t from, size_t to) {
      if (inner != nullptr) return append(*inner, part.origin_of(from));
      encode_part(from == 0 && to == part.text.size() ? part : part.part(from, to), out);
    });
  });
}

MappedText HfTokenizer::normalize(std::string_view text) const {
  MappedText clean = clean_text(text, config_.nfc);
  for (const HfConfig::Rewrite& rewrite : config_.rewrites) {
    if (clean.text.empty()) break;
    clean = rewrite.from.empty() ? with_prefix(std::move(clean), rewrite.to) : replaced(clean, rewrite.from, rewrite.to);
  }
  return clean;
}

void HfTokenizer::encode_part(const MappedText& part, Output& out) const {
  if (config_.metaspace) {
    const std::string& mark = config_.space_mark;
    MappedText marked = replaced(part, " ", mark);
    const Prepend scheme = config_.metaspace->prepend;
    const bool wanted = scheme == Prepend::kEachPart || (scheme == Prepend::kFirstPart && part.origin_of(0) == 0);
    if (wanted && !marked.text.starts_with(mark)) marked = with_prefix(std::move(marked), mark);
    return marked_words(marked, out);
  }
  if (!config_.byte_level) return marked_words(part, out);
  if (!config_.add_prefix_space || part.text.starts_with(' ')) return split_words(part.text, 0, 0, part, out);
  const MappedText longer = with_prefix(part, " ");
  split_words(longer.text, 0, 0, longer, out);
}

void HfTokenizer::split_words(std::string_view text, size_t pattern, size_t base, const MappedText& part,
                              Output& out) const {
  if (pattern < patterns_.size()) {
    out.matchers[pattern].isolate(text, [&](size_t begin, size_t end) {
      split_words(text.substr(begin, end - begin), pattern + 1, base + begin, part, out);
    });
    return;
  }
  emit(
      text,
      [&](int32_t begin) {
        size_t byte = base + static_cast<size_t>(begin);
        while (byte > 0 && text::is_continuation(part.text[byte])) --byte;  // offsets are those of characters
        return part.origin_of(byte);
      },
      out);
}

// Llama's kind: the whole part is one word, unless Metaspace cuts it before every mark. It is also cut before each run of
// marks where no piece reaches across, which changes no id.
void HfTokenizer::marked_words(const MappedText& part, Output& out) const {
  const std::string& mark = config_.space_mark;
  const std::string_view text = part.text;
  const bool every = config_.metaspace && config_.metaspace->split;
  size_t begin = 0;
  const auto flush = [&](size_t end) {
    if (end > begin)
      emit(
          text.substr(begin, end - begin), [&](int32_t at) { return part.origin_of(begin + static_cast<size_t>(at)); }, out);
    begin = end;
  };
  if (every || marks_start_words_) {
    bool after_mark = false;
    for (size_t at = 0; at < text.size();) {
      const bool is_mark = text.substr(at).starts_with(mark);
      if (is_mark && (every || !after_mark)) flush(at);
      after_mark = is_mark;
      at += is_mark ? mark.size() : std::max<size_t>(1, text::valid_char_length(text.substr(at)));
    }
  }
  flush(text.size());
}

template <class Offset>
void HfTokenizer::emit(std::string_view word, const Offset& offset, Output& out) const {
  const auto append = [&](const Pieces& pieces) {
    out.ids.insert(out.ids.end(), pieces.ids.begin(), pieces.ids.end());
    if (out.offsets != nullptr)
      for (const int32_t begin : pieces.begins) out.offsets->push_back(offset(begin));
  };
  if (word.size() > kLongestCached) return append(encode_word(word));
  std::string key(word);
  if (const auto found = out.cache.find(key); found != out.cache.end()) return append(found->second);
  Pieces pieces = encode_word(word);
  append(pieces);
  if (out.cache.size() < kMostCached) out.cache.emplace(std::move(key), std::move(pieces));
}

HfTokenizer::Pieces HfTokenizer::encode_word(std::string_view word) const {
  if (config_.ignore_merges)
    if (const auto whole = ids_.find(std::string(word)); whole != ids_.end()) return {{whole->second}, {0}};
  std::vector<MergeSymbol> symbols;
  symbols.reserve(word.size());
  for (size_t at = 0; at < word.size();) {
    const size_t size = config_.byte_level ? 1 : text::valid_char_length(word.substr(at));
    const auto found = ids_.find(std::string(word.substr(at, size)));
    if (found != ids_.end())
      symbols.push_back({found->second, static_cast<int32_t>(at), 1, 0, 0});
    else
      fall_back(word.substr(at, size), static_cast<int32_t>(at), symbols);
    at += size;
  }
  for (int32_t i = 0; i < static_cast<int32_t>(symbols.size()); ++i) {
    symbols[static_cast<size_t>(i)].previous = i - 1;
    symbols[static_cast<size_t>(i)].next = i + 1 < static_cast<int32_t>(symbols.size()) ? i + 1 : -1;
  }
  std::vector<MergeTable<int32_t>::Candidate> heap;
  merges_.merge(symbols, heap);
  Pieces pieces;
  for (const MergeSymbol& symbol : symbols) {
    if (symbol.parts == 0) continue;
    pieces.ids.push_back(symbol.id);
    pieces.begins.push_back(symbol.origin);
  }
  return pieces;
}

// A character that is no piece: its bytes' pieces, or <unk>, one for a run of them with fuse_unk.
void HfTokenizer::fall_back(std::string_view character, int32_t begin, std::vector<MergeSymbol>& symbols) const {
  const bool all = config_.byte_fallback && std::all_of(character.begin(), character.end(), [&](char c) {
                     return byte_ids_[static_cast<unsigned char>(c)] >= 0;
                   });
  if (all) {
    for (const char c : character) symbols.push_back({byte_ids_[static_cast<unsigned char>(c)], begin, 1, 0, 0});
    return;
  }
  if (config_.unk_id < 0)
    throw Error(ErrorCode::kUnsupported, "tokenizer: the model has no piece for '{}' and no unk_token", character);
  if (config_.fuse_unk && !symbols.empty() && symbols.back().id == config_.unk_id) return;
  symbols.push_back({config_.unk_id, begin, 1, 0, 0});
}

// As Rust: one U+FFFD for the longest beginning of a character that goes on wrongly, as for a byte that begins none.
std::string lossy_utf8(std::string_view bytes) {
  std::string text;
  while (!bytes.empty()) {
    size_t size = text::valid_char_length(bytes);
    if (size > 0) {
      text += bytes.substr(0, size);
    } else {
      text += text::kReplacement;
      size = text::broken_char_length(bytes);
    }
    bytes.remove_prefix(size);
  }
  return text;
}

// The byte of a piece "<0x0A>", else -1.
int byte_of_fallback(std::string_view piece) {
  if (piece.size() != 6 || !piece.starts_with("<0x") || piece[5] != '>') return -1;
  int byte = 0;
  const auto [end, error] = std::from_chars(piece.data() + 3, piece.data() + 5, byte, 16);
  return error == std::errc() && end == piece.data() + 5 && byte >= 0 ? byte : -1;
}

std::string HfTokenizer::decode(const std::vector<int32_t>& ids) const {
  if (!config_.decoder_problem.empty())
    throw Error(ErrorCode::kUnsupported, "tokenizer: decoding with {} is not supported", config_.decoder_problem);
  std::string text, bytes, raw;
  const auto flush = [&] {  // of byte pieces: a run that is no UTF-8 is lost as a whole
    if (text::valid_prefix(bytes) == bytes.size())
      text += bytes;
    else
      for (size_t i = 0; i < bytes.size(); ++i) text += text::kReplacement;
    bytes.clear();
  };
  for (size_t i = 0; i < ids.size(); ++i) {
    if (ids[i] < 0 || ids[i] >= vocab_size())
      throw Error(ErrorCode::kShape, "decode: id {} is outside the vocabulary of {}", ids[i], vocab_size());
    const std::string& piece = decoded_[static_cast<size_t>(ids[i])];
    if (config_.decodes_bytes) {
      bytes += bytes_of_visible(piece, raw) ? raw : piece;
    } else if (const int byte = config_.decodes_fallback ? byte_of_fallback(piece) : -1; byte >= 0) {
      bytes.push_back(static_cast<char>(byte));
    } else {
      flush();
      const std::string_view space = config_.drops_first_marks && i == 0 ? "" : " ";
      for (size_t at = 0; at < piece.size();) {
        const bool mark = std::string_view(piece).substr(at).starts_with(config_.space_mark);
        text += mark ? space : std::string_view(piece).substr(at, 1);
        at += mark ? config_.space_mark.size() : 1;
      }
    }
  }
  if (config_.decodes_bytes) return lossy_utf8(bytes);
  flush();
  if (config_.strips_first_space && text.starts_with(' ')) text.erase(0, 1);
  return text;
}

}  // namespace
}  // namespace sala::tokenizer

namespace sala {

std::unique_ptr<Tokenizer> make_hf_tokenizer(const std::string& path) {
  const std::string text = text::read_file(path, tokenizer::kMostTokenizerBytes);
  return std::make_unique<tokenizer::HfTokenizer>(tokenizer::HfConfig::parse(text, path),
                                                  fmt::format("{:016x}", stable_hash(text)));
}

}  // namespace sala
