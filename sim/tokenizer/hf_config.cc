#include "sim/tokenizer/hf_config.h"

#include <algorithm>
#include <array>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <unordered_map>
#include <unordered_set>

#include "sala/core/error.h"
#include "sim/text/json.h"
#include "sim/text/printable.h"
#include "sim/text/utf8.h"

namespace sala::tokenizer {
namespace {

using Json = nlohmann::json;

constexpr const char* kGpt2Pattern = R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";
constexpr int64_t kMostHoles = 4096;  // ids that no piece has, beside as many as there are pieces
constexpr size_t kLongestPrefix = 64, kMostPatterns = 32, kMostRewrites = 8, kLongestRewrite = 16;

class Parser {
 public:
  Parser(const Json& root, const std::string& path) : root_(root), path_(path) {}
  HfConfig parse() {
    model(object(root_, "model"));
    added_tokens();
    for_each_part(root_, "normalizer", "normalizers", [&](const Json& part) { normalizer(part); });
    for_each_part(root_, "pre_tokenizer", "pretokenizers", [&](const Json& part) { pre_tokenizer(part); });
    decoder();
    for_each_part(root_, "post_processor", "processors", [&](const Json& part) { post_processor(part); });
    check();
    return std::move(config_);
  }

 private:
  static constexpr size_t kLongestShown = 200;  // bytes of a message
  [[noreturn]] void bad(const std::string& what) const {
    throw Error(ErrorCode::kFormat, "tokenizer: {}: {}", path_, text::printable(what, kLongestShown));
  }
  [[noreturn]] void unsupported(const std::string& what) const {
    throw Error(ErrorCode::kUnsupported, "tokenizer: {}: {} is not supported", path_, text::printable(what, kLongestShown));
  }
  const Json& object(const Json& from, const char* name) const {
    if (!from.is_object() || !from.contains(name) || !from[name].is_object()) bad(fmt::format("'{}' is no object", name));
    return from[name];
  }
  std::string text(const Json& from, const char* name) const {
    if (!from.is_object() || !from.contains(name) || !from[name].is_string()) bad(fmt::format("'{}' is no string", name));
    return from[name].get<std::string>();
  }
  bool flag(const Json& from, const char* name, bool missing = false) const {
    if (!from.contains(name) || from[name].is_null()) return missing;
    if (!from[name].is_boolean()) bad(fmt::format("'{}' is neither true nor false", name));
    return from[name].get<bool>();
  }
  int32_t id(const Json& value) const {
    if (!value.is_number_integer()) bad("an id is no integer");
    const bool huge = value.is_number_unsigned() && value.get<uint64_t>() > static_cast<uint64_t>(most_ids_);
    const auto number = huge ? most_ids_ : value.get<int64_t>();
    if (number < 0 || number >= most_ids_)
      bad(fmt::format("id {} is out of range, below {} are expected of as many pieces", text::write_json(value), most_ids_));
    return static_cast<int32_t>(number);
  }

  // Calls use(part) for the component `name`, or for each of the list that a Sequence holds.
  template <class Use>
  void for_each_part(const Json& root, const char* name, const char* list, const Use& use) const {
    if (!root.contains(name) || root[name].is_null()) return;
    const Json& component = object(root, name);
    if (text(component, "type") != "Sequence") return use(component);
    if (!component.contains(list) || !component[list].is_array()) bad(fmt::format("'{}' is no list", list));
    for (const Json& part : component[list]) use(part);
  }

  void put(int32_t at, const std::string& piece, bool in_vocabulary) {
    const auto place = static_cast<size_t>(at);
    if (place >= config_.pieces.size()) {
      config_.pieces.resize(place + 1);
      config_.in_vocabulary.resize(place + 1);
    }
    if (!config_.pieces[place].empty())
      bad(fmt::format("id {} is that of '{}' and of '{}'", at, config_.pieces[place], piece));
    config_.pieces[place] = piece;
    config_.in_vocabulary[place] = in_vocabulary;
  }

  void model(const Json& model) {
    if (const std::string type = text(model, "type"); type != "BPE")
      unsupported(fmt::format("model type '{}' (only BPE)", type));
    for (const char* name : {"continuing_subword_prefix", "end_of_word_suffix"})
      if (model.contains(name) && model[name].is_string() && !model[name].get<std::string>().empty())
        unsupported(fmt::format("model.{}", name));
    if (model.contains("dropout") && model["dropout"].is_number() && model["dropout"].get<double>() > 0)
      unsupported("model.dropout");
    config_.byte_fallback = flag(model, "byte_fallback");
    config_.fuse_unk = flag(model, "fuse_unk");
    config_.ignore_merges = flag(model, "ignore_merges");
    const Json& vocabulary = object(model, "vocab");
    const Json added = root_.value("added_tokens", Json::array());
    most_ids_ = kMostHoles + 2 * static_cast<int64_t>(vocabulary.size() + added.size());
    for (const auto& [piece, number] : vocabulary.items()) {
      ids_.emplace(piece, id(number));
      put(id(number), piece, true);
    }
    if (model.contains("unk_token") && model["unk_token"].is_string())
      config_.unk_id = find(model["unk_token"].get<std::string>(), "unk_token");
    if (!model.contains("merges") || !model["merges"].is_array()) bad("'merges' is no list");
    for (const Json& merge : model["merges"]) add_merge(merge);
  }

  int32_t find(const std::string& piece, const char* what) const {
    const auto found = ids_.find(piece);
    if (found == ids_.end()) bad(fmt::format("{} '{}' is not in the vocabulary", what, piece));
    return found->second;
  }

  // ["a", "b"], or "a b" in older files.
  void add_merge(const Json& merge) {
    std::string left, right;
    if (merge.is_array() && merge.size() == 2 && merge[0].is_string() && merge[1].is_string()) {
      left = merge[0].get<std::string>();
      right = merge[1].get<std::string>();
    } else if (merge.is_string()) {
      const std::string both = merge.get<std::string>();
      const size_t space = both.find(' ');
      if (space == std::string::npos || both.find(' ', space + 1) != std::string::npos)
        bad(fmt::format("merge '{}' does not have two parts", both));
      left = both.substr(0, space);
      right = both.substr(space + 1);
    } else {
      bad("a merge is neither a pair nor a string");
    }
    const HfConfig::Merge made = {find(left, "merge"), find(right, "merge"), find(left + right, "merged piece")};
    if (!pairs_.insert(static_cast<uint64_t>(made.left) << 32 | static_cast<uint32_t>(made.right)).second)
      bad(fmt::format("the merge of '{}' and '{}' stands twice", left, right));
    config_.merges.push_back(made);
  }

  // Ids as the reference gives them, whatever the file says: those of the vocabulary, or the next after all.
  void added_tokens() {
    if (!root_.contains("added_tokens") || root_["added_tokens"].is_null()) return;
    if (!root_["added_tokens"].is_array()) bad("'added_tokens' is no list");
    const auto vocabulary = static_cast<int32_t>(ids_.size());
    int32_t next = vocabulary;
    std::unordered_set<std::string> contents;
    for (const Json& token : root_["added_tokens"]) {
      if (!token.is_object() || !token.contains("id")) bad("an added token has no id");
      AddedToken added{text(token, "content"), id(token["id"])};
      if (added.content.empty()) bad("an added token is empty");
      if (!contents.insert(added.content).second) bad(fmt::format("the added token '{}' stands twice", added.content));
      added.single_word = flag(token, "single_word");
      added.lstrip = flag(token, "lstrip");
      added.rstrip = flag(token, "rstrip");
      added.normalized = flag(token, "normalized", !flag(token, "special"));
      const auto known = ids_.find(added.content);
      const int32_t expected = known != ids_.end() ? known->second : next;
      if (added.id != expected)
        unsupported(
            fmt::format("added token '{}' with id {}, where its place gives it {},", added.content, added.id, expected));
      if (known == ids_.end()) put(added.id, added.content, false);
      next = std::max(next, added.id + 1);
      config_.added_tokens.push_back(std::move(added));
    }
  }

  void normalizer(const Json& part) {
    const std::string type = text(part, "type");
    if (type == "NFC") {
      if (!config_.rewrites.empty()) unsupported("normalizer NFC after others");
      config_.nfc = true;
    } else if (type == "Prepend") {
      rewrite("", text(part, "prepend"));
    } else if (type == "Replace") {
      const std::string from = text(object(part, "pattern"), "String"), to = text(part, "content");
      if (from.empty()) bad("a normalizer replaces nothing");
      if (from == " ") config_.space_mark = to;
      rewrite(from, to);
    } else {
      unsupported(fmt::format("normalizer {}", type));
    }
  }

  // What is put in makes a text longer, so it is bounded.
  void rewrite(const std::string& from, const std::string& to) {
    if (to.empty() || to.size() > kLongestRewrite || config_.rewrites.size() == kMostRewrites)
      unsupported(fmt::format("a normalizer that puts in {} bytes, or the {}th of its kind,", to.size(), kMostRewrites + 1));
    config_.rewrites.push_back({from, to});
  }

  void pre_tokenizer(const Json& part) {
    const std::string type = text(part, "type");
    if (config_.metaspace || (type == "Metaspace" && !config_.split_patterns.empty()))
      unsupported("pre-tokenizer Metaspace beside others");
    if (type == "ByteLevel") {
      config_.add_prefix_space = flag(part, "add_prefix_space", true);
      if (config_.byte_level || (config_.add_prefix_space && !config_.split_patterns.empty()))
        unsupported("pre-tokenizer ByteLevel after one that cuts words, with a space before each,");
      config_.byte_level = true;
      if (flag(part, "use_regex", true)) add_pattern(kGpt2Pattern);
    } else if (type == "Split") {
      split(part);
    } else if (type == "Metaspace") {
      metaspace(part);
    } else {
      unsupported(fmt::format("pre-tokenizer {}", type));
    }
  }

  void add_pattern(const std::string& pattern) {
    if (config_.split_patterns.size() == kMostPatterns) unsupported(fmt::format("more than {} patterns", kMostPatterns));
    config_.split_patterns.push_back(pattern);
  }

  void split(const Json& part) {
    if (config_.byte_level) unsupported("pre-tokenizer Split after ByteLevel");
    const Json& pattern = object(part, "pattern");
    // Gemma's: the normaliser has left no space to split at.
    if (pattern.contains("String") && text(pattern, "String") == " " && !config_.space_mark.empty() &&
        config_.space_mark.find(' ') == std::string::npos)
      return;
    if (text(part, "behavior") != "Isolated" || flag(part, "invert"))
      unsupported("pre-tokenizer Split that is not Isolated");
    if (!pattern.contains("Regex")) unsupported("pre-tokenizer Split at a text");
    add_pattern(text(pattern, "Regex"));
  }

  Prepend prepend_scheme(const Json& part) const {
    static const std::map<std::string, Prepend> schemes = {
        {"always", Prepend::kEachPart}, {"first", Prepend::kFirstPart}, {"never", Prepend::kNever}};
    const std::string scheme = part.contains("prepend_scheme")        ? text(part, "prepend_scheme")
                               : flag(part, "add_prefix_space", true) ? "always"
                                                                      : "never";
    const auto found = schemes.find(scheme);
    if (found == schemes.end()) unsupported(fmt::format("prepend_scheme '{}'", scheme));
    return found->second;
  }

  void metaspace(const Json& part) {
    if (!config_.space_mark.empty()) unsupported("pre-tokenizer Metaspace with a normalizer of spaces");
    config_.space_mark = text(part, "replacement");
    if (config_.space_mark.empty() || text::valid_char_length(config_.space_mark) != config_.space_mark.size())
      bad("'replacement' is not one character");
    config_.metaspace = {prepend_scheme(part), flag(part, "split", true)};
  }

  void decoder() {
    std::string shape;
    for_each_part(root_, "decoder", "decoders", [&](const Json& part) {
      const std::string type = text(part, "type");
      shape += (shape.empty() ? "" : " ") + type;
      if (type == "Replace") {
        const Json& pattern = object(part, "pattern");
        if (!pattern.contains("String") || text(pattern, "String") != config_.space_mark || text(part, "content") != " ")
          config_.decoder_problem = "a decoder Replace of anything but the space mark";
      } else if (type == "Strip") {
        if (text(part, "content") != " " || !is_count(part, "start", 1) || !is_count(part, "stop", 0))
          config_.decoder_problem = "a decoder Strip of anything but one space at the beginning";
      } else if (type == "Metaspace") {
        if (text(part, "replacement") != config_.space_mark) config_.decoder_problem = "a decoder with another space mark";
        config_.drops_first_marks = prepend_scheme(part) != Prepend::kNever;
      }
    });
    config_.decodes_bytes = shape == "ByteLevel";
    config_.decodes_mark = shape.starts_with("Replace") || shape == "Metaspace";
    config_.decodes_fallback = shape.find("ByteFallback") != std::string::npos;
    config_.strips_first_space = shape.ends_with("Strip");
    static const std::set<std::string> served = {
        "ByteLevel",    "Metaspace",         "Replace ByteFallback Fuse Strip", "Replace ByteFallback Fuse",
        "Replace Fuse", "Replace Fuse Strip"};
    if (config_.decoder_problem.empty() && served.count(shape) == 0)
      config_.decoder_problem = shape.empty() ? "no decoder" : fmt::format("the decoder {}", text::printable(shape, 100));
  }

  bool is_count(const Json& part, const char* name, int64_t count) const {
    if (!part.contains(name)) return count == 0;
    if (!part[name].is_number_integer()) bad(fmt::format("'{}' is no integer", name));
    return part[name] == count;
  }

  void post_processor(const Json& part) {
    const std::string type = text(part, "type");
    if (type == "ByteLevel") return;  // offsets only
    if (type != "TemplateProcessing") {
      config_.prefix_problem = fmt::format("post-processor {}", type);
      return;
    }
    if (!part.contains("single") || !part["single"].is_array()) bad("'single' is no list");
    bool after_text = false;
    for (const Json& item : part["single"]) {
      if (item.is_object() && item.contains("Sequence")) {
        after_text = true;
        continue;
      }
      const std::string name = text(object(item, "SpecialToken"), "id");
      const Json& token = object(object(part, "special_tokens"), name.c_str());
      if (!token.contains("ids") || !token["ids"].is_array()) bad("'ids' is no list");
      if (after_text && !token["ids"].empty()) config_.prefix_problem = fmt::format("'{}' after every text", name);
      for (const Json& number : token["ids"])
        if (config_.prefix.size() < kLongestPrefix)
          config_.prefix.push_back(id(number));
        else
          bad(fmt::format("more than {} ids stand before a text", kLongestPrefix));
    }
  }

  void check() const {
    for (const int32_t before : config_.prefix)
      if (static_cast<size_t>(before) >= config_.pieces.size()) bad(fmt::format("id {} is no piece", before));
    if (!config_.byte_level && config_.space_mark.empty())
      unsupported("a model that is neither byte-level nor of Llama's kind");
    if (!config_.byte_level && !config_.split_patterns.empty()) unsupported("a Split without ByteLevel");
    if (config_.byte_level && config_.metaspace) unsupported("ByteLevel with Metaspace");
    if (config_.byte_level && config_.byte_fallback) unsupported("byte_fallback with ByteLevel");
  }

  const Json& root_;
  const std::string& path_;
  HfConfig config_;
  int64_t most_ids_ = 0;
  std::unordered_map<std::string, int32_t> ids_;  // of the vocabulary
  std::unordered_set<uint64_t> pairs_;            // that merge
};

// Byte of each visible character's code point, or -1.
const std::array<int, 512>& visible_bytes() {
  static const auto table = [] {
    std::array<int, 512> bytes{};
    bytes.fill(-1);
    int next = 256;
    for (int b = 0; b < 256; ++b) {
      const bool printable = (b >= 0x21 && b <= 0x7e) || (b >= 0xa1 && b <= 0xac) || b >= 0xae;
      bytes[static_cast<size_t>(printable ? b : next++)] = b;
    }
    return bytes;
  }();
  return table;
}

}  // namespace

HfConfig HfConfig::parse(const std::string& text, const std::string& path) {
  Json root;
  if (const auto problem = text::read_json(text, root))
    throw Error(ErrorCode::kFormat, "tokenizer: {}: {}", path, problem->what);
  if (!root.is_object()) throw Error(ErrorCode::kFormat, "tokenizer: {} is no JSON object", path);
  return Parser(root, path).parse();
}

bool bytes_of_visible(std::string_view piece, std::string& bytes) {
  bytes.clear();
  for (size_t at = 0; at < piece.size();) {
    const size_t size = text::valid_char_length(piece.substr(at));
    const char32_t code = text::code_point(piece.substr(at), size);
    if (size == 0 || size > 2 || code >= visible_bytes().size() || visible_bytes()[code] < 0) return false;
    bytes.push_back(static_cast<char>(visible_bytes()[code]));
    at += size;
  }
  return true;
}

}  // namespace sala::tokenizer
