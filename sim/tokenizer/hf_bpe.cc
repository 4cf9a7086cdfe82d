// Hugging Face `tokenizer.json` models of type BPE: byte-level (Qwen, GPT-2, Llama 3) and Llama's kind with a space mark and
// byte fallback (MiniCPM). Follows the Rust reference (`tokenizers`); tests compare with its ids, offsets and decoded text.
#include <algorithm>
#include <array>
#include <unordered_map>

#include "sala/core/rng.h"
#include "sim/text/files.h"
#include "sim/text/utf8.h"
#include "sim/tokenizer/hf_config.h"
#include "sim/tokenizer/merge_table.h"
#include "sim/tokenizer/text_split.h"
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
    std::unordered_map<std::string, Pieces> cache;  // of this call
  };
  void index_pieces();
  void encode_parts(std::string_view text, std::vector<int32_t>& ids, std::vector<int64_t>* offsets) const;
  void encode_part(std::string_view part, int64_t base, bool first, Output& out) const;
  void split_words(std::string_view text, size_t pattern, size_t base, const MappedText& clean, int64_t origin,
                   Output& out) const;
  void marked_words(const MappedText& clean, int64_t base, bool first, Output& out) const;
  template <class Offset>
  void emit(std::string_view word, const Offset& offset, Output& out) const;
  Pieces encode_word(std::string_view word) const;
  void fall_back(std::string_view character, int32_t begin, std::vector<MergeSymbol>& symbols) const;

  HfConfig config_;
  std::string hash_;
  MergeTable<int32_t> merges_;  // priority: the rank, negative
  std::vector<SplitPattern> patterns_;
  std::unordered_map<std::string, int32_t> ids_;  // raw bytes of byte-level pieces, text of others
  std::vector<std::string> raw_;                  // by id: what ids_ has; content of added tokens
  std::vector<char> added_;                       // by id
  std::array<int32_t, 256> byte_ids_{};
  bool marks_start_words_ = false;  // no piece has a space mark after another character
  std::array<std::vector<const AddedToken*>, 256> added_by_byte_;
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
  raw_ = config_.pieces;
  added_.assign(raw_.size(), 0);
  for (const AddedToken& token : config_.added_tokens) {
    added_[static_cast<size_t>(token.id)] = 1;
    added_by_byte_[static_cast<unsigned char>(token.content[0])].push_back(&token);
  }
  byte_ids_.fill(-1);
  marks_start_words_ = !config_.byte_level;
  for (size_t id = 0; id < raw_.size(); ++id) {
    if (config_.byte_level && !added_[id] && !bytes_of_visible(config_.pieces[id], raw_[id]))
      throw Error(ErrorCode::kFormat, "tokenizer: piece {} '{}' is not written in the byte-level alphabet", id,
                  config_.pieces[id]);
    ids_.emplace(raw_[id], static_cast<int32_t>(id));
    const size_t mark = config_.space_mark.empty() ? std::string::npos : raw_[id].find_first_not_of(config_.space_mark);
    if (mark != std::string::npos && raw_[id].find(config_.space_mark, mark) != std::string::npos)
      marks_start_words_ = false;
  }
  for (int byte = 0; byte < 256; ++byte) {
    const std::string name = config_.byte_level ? std::string(1, static_cast<char>(byte)) : fmt::format("<0x{:02X}>", byte);
    if (const auto found = ids_.find(name); found != ids_.end()) byte_ids_[static_cast<size_t>(byte)] = found->second;
    if (config_.byte_level && byte_ids_[static_cast<size_t>(byte)] < 0)
      throw Error(ErrorCode::kUnsupported, "tokenizer: a byte-level model without the piece of byte {} is not supported",
                  byte);
  }
}

// Added tokens come first, the longest at each place; what lies between them is encoded part by part.
void HfTokenizer::encode_parts(std::string_view text, std::vector<int32_t>& ids, std::vector<int64_t>* offsets) const {
  Output out{ids, offsets, {}};
  size_t begin = 0;
  for (size_t at = 0; at < text.size();) {
    const AddedToken* best = nullptr;
    for (const AddedToken* token : added_by_byte_[static_cast<unsigned char>(text[at])])
      if (text.substr(at).starts_with(token->content) && (best == nullptr || token->content.size() > best->content.size()))
        best = token;
    if (best == nullptr) {
      ++at;
      continue;
    }
    if (at > begin) encode_part(text.substr(begin, at - begin), static_cast<int64_t>(begin), begin == 0, out);
    ids.push_back(best->id);
    if (offsets != nullptr) offsets->push_back(static_cast<int64_t>(at));
    at += best->content.size();
    begin = at;
  }
  if (begin < text.size()) encode_part(text.substr(begin), static_cast<int64_t>(begin), begin == 0, out);
}

void HfTokenizer::encode_part(std::string_view part, int64_t base, bool first, Output& out) const {
  MappedText clean = clean_text(part, config_.nfc);
  if (!config_.byte_level) return marked_words(clean, base, first, out);
  if (config_.add_prefix_space && !clean.text.starts_with(' ')) {
    if (!clean.origin.empty())
      clean.origin.insert(clean.origin.begin(), 0);
    else
      for (size_t i = 0; i <= clean.text.size(); ++i) clean.origin.push_back(i == 0 ? 0 : static_cast<int64_t>(i) - 1);
    clean.text.insert(clean.text.begin(), ' ');
  }
  split_words(clean.text, 0, 0, clean, base, out);
}

void HfTokenizer::split_words(std::string_view text, size_t pattern, size_t base, const MappedText& clean, int64_t origin,
                              Output& out) const {
  if (pattern < patterns_.size()) {
    patterns_[pattern].isolate(text, [&](size_t begin, size_t end) {
      split_words(text.substr(begin, end - begin), pattern + 1, base + begin, clean, origin, out);
    });
    return;
  }
  emit(
      text,
      [&](int32_t begin) {
        size_t byte = base + static_cast<size_t>(begin);
        while (byte > 0 && text::is_continuation(clean.text[byte])) --byte;  // offsets are those of characters
        return origin + clean.origin_of(byte);
      },
      out);
}

// Llama's kind. Text is cut before each run of space marks where no piece reaches across, which changes no id.
void HfTokenizer::marked_words(const MappedText& clean, int64_t base, bool first, Output& out) const {
  const std::string& mark = config_.space_mark;
  std::string word;
  std::vector<int64_t> origin;
  const auto flush = [&] {
    if (!word.empty())
      emit(
          word, [&](int32_t begin) { return base + origin[static_cast<size_t>(begin)]; }, out);
    word.clear();
    origin.clear();
  };
  const auto add = [&](std::string_view part, int64_t from) {
    word += part;
    origin.insert(origin.end(), part.size(), from);
  };
  const bool wanted = config_.prepend == Prepend::kEachPart || (config_.prepend == Prepend::kFirstPart && first);
  const bool present = clean.text.starts_with(' ') || clean.text.starts_with(mark);
  if (wanted && !(config_.prepend_unless_present && present)) add(mark, 0);
  bool after_mark = !word.empty();
  for (size_t at = 0; at < clean.text.size();) {
    const size_t size = text::valid_char_length(std::string_view(clean.text).substr(at));
    const std::string_view character = std::string_view(clean.text).substr(at, size);
    const bool is_mark = character == " " || character == mark;
    if (is_mark && !word.empty() && (config_.split_before_mark || (marks_start_words_ && !after_mark))) flush();
    add(is_mark ? std::string_view(mark) : character, clean.origin_of(at));
    after_mark = is_mark;
    at += size;
  }
  flush();
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

std::string HfTokenizer::decode(const std::vector<int32_t>& ids) const {
  std::string text, bytes;
  const auto flush = [&] {  // bytes that are no UTF-8 become U+FFFD each
    text += text::with_replacements(bytes);
    bytes.clear();
  };
  for (const int32_t id : ids) {
    if (id < 0 || id >= vocab_size())
      throw Error(ErrorCode::kShape, "decode: id {} is outside the vocabulary of {}", id, vocab_size());
    const std::string& raw = raw_[static_cast<size_t>(id)];
    if (added_[static_cast<size_t>(id)]) {
      flush();
      text += raw;
    } else if (config_.byte_level) {
      bytes += raw;
    } else if (const auto byte = std::find(byte_ids_.begin(), byte_ids_.end(), id); byte != byte_ids_.end()) {
      bytes.push_back(static_cast<char>(byte - byte_ids_.begin()));
    } else {
      flush();
      for (size_t at = 0; at < raw.size();) {
        const bool mark = std::string_view(raw).substr(at).starts_with(config_.space_mark);
        text += mark ? ' ' : raw[at];
        at += mark ? config_.space_mark.size() : 1;
      }
    }
  }
  flush();
  if (config_.strip_first_space && text.starts_with(' ')) text.erase(0, 1);
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
