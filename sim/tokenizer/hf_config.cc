#include "sim/tokenizer/hf_config.h"

#include <array>
#include <map>
#include <nlohmann/json.hpp>
#include <unordered_map>

#include "sala/core/error.h"
#include "sim/text/json.h"
#include "sim/text/utf8.h"

namespace sala::tokenizer {
namespace {

using Json = nlohmann::json;

constexpr const char* kGpt2Pattern = R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";
constexpr int64_t kLargestId = int64_t{1} << 24;
constexpr size_t kLongestPrefix = 64;

class Parser {
 public:
  Parser(const Json& root, const std::string& path) : root_(root), path_(path) {}
  HfConfig parse() {
    model(object(root_, "model"));
    added_tokens();
    for_each_part(root_, "normalizer", "normalizers", [&](const Json& part) { normalizer(part); });
    for_each_part(root_, "pre_tokenizer", "pretokenizers", [&](const Json& part) { pre_tokenizer(part); });
    for_each_part(root_, "decoder", "decoders", [&](const Json& part) { decoder(part); });
    for_each_part(root_, "post_processor", "processors", [&](const Json& part) { post_processor(part); });
    check();
    return std::move(config_);
  }

 private:
  [[noreturn]] void bad(const std::string& what) const { throw Error(ErrorCode::kFormat, "tokenizer: {}: {}", path_, what); }
  [[noreturn]] void unsupported(const std::string& what) const {
    throw Error(ErrorCode::kUnsupported, "tokenizer: {}: {} is not supported", path_, what);
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
    const auto number = value.get<int64_t>();
    if (number < 0 || number > kLargestId) bad(fmt::format("id {} is out of range", number));
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

  void put(int32_t at, const std::string& piece) {
    if (static_cast<size_t>(at) >= config_.pieces.size()) config_.pieces.resize(static_cast<size_t>(at) + 1);
    config_.pieces[static_cast<size_t>(at)] = piece;
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
    for (const auto& [piece, number] : object(model, "vocab").items()) {
      if (!ids_.emplace(piece, id(number)).second) bad(fmt::format("piece '{}' stands twice", piece));
      put(id(number), piece);
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
      if (space == std::string::npos) bad(fmt::format("merge '{}' has one part", both));
      left = both.substr(0, space);
      right = both.substr(space + 1);
    } else {
      bad("a merge is neither a pair nor a string");
    }
    config_.merges.push_back({find(left, "merge"), find(right, "merge"), find(left + right, "merged piece")});
  }

  void added_tokens() {
    if (!root_.contains("added_tokens") || !root_["added_tokens"].is_array()) return;
    for (const Json& token : root_["added_tokens"]) {
      if (!token.is_object() || !token.contains("id")) bad("an added token has no id");
      AddedToken added{text(token, "content"), id(token["id"]), flag(token, "special")};
      if (added.content.empty()) bad("an added token is empty");
      for (const char* name : {"single_word", "lstrip", "rstrip"})
        if (flag(token, name)) unsupported(fmt::format("added token '{}' with {}", added.content, name));
      if (flag(token, "normalized") && added.content.find(' ') != std::string::npos)
        unsupported(fmt::format("added token '{}' that is normalised", added.content));
      put(added.id, added.content);
      config_.added_tokens.push_back(std::move(added));
    }
  }

  void normalizer(const Json& part) {
    const std::string type = text(part, "type");
    if (type == "NFC") {
      config_.nfc = true;
    } else if (type == "Prepend") {
      config_.prepend = Prepend::kEachPart;
      prepended_ = text(part, "prepend");
    } else if (type == "Replace") {
      if (text(object(part, "pattern"), "String") != " ") unsupported("normalizer Replace of anything but a space");
      config_.space_mark = text(part, "content");
    } else {
      unsupported(fmt::format("normalizer {}", type));
    }
  }

  void pre_tokenizer(const Json& part) {
    const std::string type = text(part, "type");
    if (type == "ByteLevel") {
      config_.byte_level = true;
      config_.add_prefix_space = flag(part, "add_prefix_space", true);
      if (flag(part, "use_regex", true)) config_.split_patterns.push_back(kGpt2Pattern);
    } else if (type == "Split") {
      if (text(part, "behavior") != "Isolated" || flag(part, "invert"))
        unsupported("pre-tokenizer Split that is not Isolated");
      config_.split_patterns.push_back(text(object(part, "pattern"), "Regex"));
    } else if (type == "Metaspace") {
      metaspace(part);
    } else {
      unsupported(fmt::format("pre-tokenizer {}", type));
    }
  }

  void metaspace(const Json& part) {
    config_.space_mark = text(part, "replacement");
    prepended_ = config_.space_mark;
    config_.prepend_unless_present = true;
    config_.split_before_mark = flag(part, "split", true);
    static const std::map<std::string, Prepend> schemes = {
        {"always", Prepend::kEachPart}, {"first", Prepend::kFirstPart}, {"never", Prepend::kNever}};
    const std::string scheme = part.contains("prepend_scheme")        ? text(part, "prepend_scheme")
                               : flag(part, "add_prefix_space", true) ? "always"
                                                                      : "never";
    const auto found = schemes.find(scheme);
    if (found == schemes.end()) unsupported(fmt::format("prepend_scheme '{}'", scheme));
    config_.prepend = found->second;
  }

  void decoder(const Json& part) {
    const std::string type = text(part, "type");
    if (type == "Strip") {
      if (text(part, "content") != " " || part.value("start", 0) > 1 || part.value("stop", 0) != 0)
        unsupported("this decoder Strip");
      config_.strip_first_space = part.value("start", 0) == 1;
    } else if (type == "Metaspace") {
      config_.strip_first_space = config_.prepend != Prepend::kNever;
    } else if (type != "ByteLevel" && type != "Replace" && type != "ByteFallback" && type != "Fuse") {
      unsupported(fmt::format("decoder {}", type));
    }
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
    if (config_.byte_level == !config_.space_mark.empty())
      unsupported("a model that is neither byte-level nor of Llama's kind");
    if (!config_.byte_level && !config_.split_patterns.empty()) unsupported("a Split without ByteLevel");
    if (config_.prepend != Prepend::kNever && prepended_ != config_.space_mark)
      unsupported("a Prepend of anything but the space mark");
    if (config_.byte_level && config_.byte_fallback) unsupported("byte_fallback with ByteLevel");
  }

  const Json& root_;
  const std::string& path_;
  HfConfig config_;
  std::string prepended_;
  std::unordered_map<std::string, int32_t> ids_;
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
