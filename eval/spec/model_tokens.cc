#include "eval/spec/model_tokens.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <map>

#include "eval/util/json_fields.h"
#include "sala/core/error.h"
#include "sim/text/files.h"
#include "sim/text/json.h"

namespace sala::eval {
namespace {

namespace fs = std::filesystem;
using fields::Json;

constexpr int64_t kMostJsonBytes = 64 << 20;
constexpr const char* kTokenizerConfig = "tokenizer_config.json";
constexpr const char* kGenerationConfig = "generation_config.json";

// The object in a file of the folder; an empty one when there is no such file.
Json read_object(const fs::path& folder, const char* name) {
  std::error_code ignored;
  const std::string path = (folder / name).string();
  if (!fs::exists(fs::symlink_status(path, ignored))) return Json::object();
  Json object = text::parse_json(text::read_file(path, kMostJsonBytes), path);
  if (!object.is_object()) throw Error(ErrorCode::kFormat, "{}: holds no JSON object", path);
  return object;
}

int64_t checked_id(const Json& id, int64_t vocabulary, const std::string& path) {
  if (!id.is_number_integer() || (id.is_number_unsigned() && id.get<uint64_t>() > INT32_MAX) || id.get<int64_t>() < 0)
    throw Error(ErrorCode::kConfig, "{}: eos_token_id holds {}, expected token ids", path, fields::shown(id));
  if (id.get<int64_t>() >= vocabulary)
    throw Error(ErrorCode::kConfig, "{}: eos_token_id holds {}, the model knows {} ids", path, id.get<int64_t>(),
                vocabulary);
  return id.get<int64_t>();
}

// tokenizer_config.json beside the tokenizer in use.
class TokenizerFolder {
 public:
  TokenizerFolder(const ModelEntry& entry, const std::string& wanted) {
    std::error_code ignored;
    fs::path folder = wanted.empty() ? fs::path(entry.directory) : fs::path(wanted);
    if (!fs::exists(folder, ignored)) return;  // whitespace or byte
    if (!fs::is_directory(folder, ignored)) folder = folder.has_parent_path() ? folder.parent_path() : ".";
    path_ = (folder / kTokenizerConfig).string();
    config_ = read_object(folder, kTokenizerConfig);
  }

  std::optional<bool> flag(const char* name) const {
    const auto found = config_.find(name);
    if (found == config_.end() || found->is_null()) return std::nullopt;
    if (!found->is_boolean())
      throw Error(ErrorCode::kFormat, "{}: field '{}' is {}, expected true or false", path_, name, fields::shown(*found));
    return found->get<bool>();
  }

  // The text of a special token, written alone or as an object; `missing` when there is no such field, empty for null.
  std::string token(const char* name, const std::string& missing) const {
    const auto found = config_.find(name);
    if (found == config_.end()) return missing;
    const Json& content = found->is_object() && found->contains("content") ? (*found)["content"] : *found;
    if (content.is_null()) return "";
    if (!content.is_string())
      throw Error(ErrorCode::kFormat, "{}: field '{}' is {}, expected text", path_, name, fields::shown(content));
    return content.get<std::string>();
  }

  // Throws Error{kUnsupported} for a token that tokenizer_config.json adds to those of the tokenizer.
  void check_added(const Tokenizer& tokenizer) const {
    const auto added = config_.find("added_tokens_decoder");
    if (added == config_.end() || !added->is_object()) return;
    for (const auto& [key, token] : added->items()) {
      int64_t id = -1;
      const auto [end, error] = std::from_chars(key.data(), key.data() + key.size(), id);
      const auto content = token.is_object() ? token.find("content") : token.end();
      if (error != std::errc() || end != key.data() + key.size() || !token.is_object() || content == token.end() ||
          !content->is_string())
        throw Error(ErrorCode::kFormat, "{}: 'added_tokens_decoder' is no object of ids and tokens", path_);
      if (tokenizer.find(content->get<std::string>()) != id)
        throw Error(ErrorCode::kUnsupported,
                    "{}: gives the added token '{}' the id {}, which it does not have in the tokenizer", path_,
                    content->get<std::string>(), id);
    }
  }

  const std::string& path() const { return path_; }

 private:
  std::string path_;
  Json config_ = Json::object();
};

int32_t fitting(int64_t id, const char* what, const ModelEntry& entry) {
  if (id < 0 || id >= entry.config.vocab_size)
    throw Error(ErrorCode::kConfig, "{}: {} has id {}, the model knows {} ids", entry.name, what, id,
                entry.config.vocab_size);
  return static_cast<int32_t>(id);
}

// As transformers 5: tokenizer.json says it by its post-processor, whatever tokenizer_config.json has; without one
// tokenizer_config.json decides, and "<s>" is usual.
std::vector<int32_t> own_prefix(const ModelEntry& entry, const ModelConfig& config, const Tokenizer& tokenizer,
                                const TokenizerFolder& folder, std::vector<std::string>& notes) {
  const std::optional<bool> adds_bos = folder.flag("add_bos_token");
  if (const auto prefix = tokenizer.prefix()) {
    if (adds_bos && *adds_bos == prefix->empty())
      notes.push_back(fmt::format("{} says add_bos_token {}, tokenizer.json puts {} before a text and counts",
                                  kTokenizerConfig, *adds_bos,
                                  prefix->empty() ? "nothing" : fmt::format("{} tokens", prefix->size())));
    return *prefix;
  }
  if (tokenizer.kind() != "sentencepiece")
    return config.bos_token_id ? std::vector{static_cast<int32_t>(*config.bos_token_id)} : std::vector<int32_t>{};
  if (folder.flag("add_eos_token").value_or(false))
    throw Error(ErrorCode::kUnsupported, "{}: add_eos_token is true, which is not supported", folder.path());
  const std::string bos = folder.token("bos_token", "<s>");
  if (!adds_bos.value_or(true) || bos.empty()) return {};
  const auto id = tokenizer.find(bos);
  if (!id) throw Error(ErrorCode::kConfig, "{}: the tokenizer has no piece '{}' to put before a text", entry.name, bos);
  return {*id};
}

// Keys of generation_config.json that would change a greedy answer and are not served, by name.
std::vector<std::string> unserved(const Json& generation) {
  static const std::map<std::string, Json> neutral = {{"bad_words_ids", nullptr},
                                                      {"begin_suppress_tokens", nullptr},
                                                      {"exponential_decay_length_penalty", nullptr},
                                                      {"forced_bos_token_id", nullptr},
                                                      {"forced_eos_token_id", nullptr},
                                                      {"guidance_scale", 1},
                                                      {"min_length", 0},
                                                      {"min_new_tokens", 0},
                                                      {"no_repeat_ngram_size", 0},
                                                      {"num_beams", 1},
                                                      {"repetition_penalty", 1},
                                                      {"sequence_bias", nullptr},
                                                      {"stop_strings", nullptr},
                                                      {"suppress_tokens", nullptr}};
  std::vector<std::string> names;
  for (const auto& [key, value] : neutral) {
    const auto found = generation.find(key);
    if (found != generation.end() && !found->is_null() && *found != value) names.push_back(key);
  }
  return names;
}

}  // namespace

void read_generation_config(ModelEntry& entry) {
  const Json object = read_object(entry.directory, kGenerationConfig);
  const auto stops = object.find("eos_token_id");
  if (stops == object.end() || stops->is_null()) return;
  const std::string path = (fs::path(entry.directory) / kGenerationConfig).string();
  std::vector<int64_t> ids;
  for (const Json& id : stops->is_array() ? *stops : Json::array({*stops})) {
    const int64_t checked = checked_id(id, entry.config.vocab_size, path);
    if (std::find(ids.begin(), ids.end(), checked) == ids.end()) ids.push_back(checked);
  }
  entry.config.eos_token_id = std::move(ids);
}

std::unique_ptr<Tokenizer> model_tokenizer(const ModelEntry& entry, const std::string& wanted) {
  std::string path = wanted;
  if (path.empty()) {
    std::error_code ignored;
    bool own = false;
    for (const char* name : {"tokenizer.json", "tokenizer.model"})
      own = own || (!entry.random() && fs::exists(fs::symlink_status(fs::path(entry.directory) / name, ignored)));
    if (!own && !entry.random() && !entry.family())
      throw Error(ErrorCode::kIo, "{} has no tokenizer.json or tokenizer.model; give a tokenizer by --tokenizer",
                  entry.directory);
    path = own ? entry.directory : (fs::path(models_folder()) / "tokenizer.model").string();
  }
  std::unique_ptr<Tokenizer> tokenizer = open_tokenizer(path);
  if (tokenizer->vocab_size() > entry.config.vocab_size)
    throw Error(ErrorCode::kConfig, "tokenizer {} has {} pieces, the model '{}' knows {} ids; give its own by --tokenizer",
                path, tokenizer->vocab_size(), entry.name, entry.config.vocab_size);
  return tokenizer;
}

TokenRules token_rules(const ModelEntry& entry, const ModelConfig& config, const Tokenizer& tokenizer,
                       const std::string& wanted) {
  TokenRules rules;
  rules.stops = config.eos_token_id;
  const bool set = config.bos_token_id != entry.config.bos_token_id;
  if (entry.family() || entry.random() || set) {
    if (config.bos_token_id) rules.prefix = {static_cast<int32_t>(*config.bos_token_id)};
    return rules;
  }
  const TokenizerFolder folder(entry, wanted);
  folder.check_added(tokenizer);
  rules.prefix = own_prefix(entry, config, tokenizer, folder, rules.notes);
  if (const auto names = unserved(read_object(entry.directory, kGenerationConfig)); !names.empty())
    rules.notes.push_back(fmt::format("{}: {} not used, answers are greedy", kGenerationConfig, fmt::join(names, ", ")));
  for (const int32_t id : rules.prefix) fitting(id, "a token before every prompt", entry);
  if (rules.stops.empty())
    if (const std::string eos = folder.token("eos_token", ""); !eos.empty())
      if (const auto id = tokenizer.find(eos)) rules.stops = {fitting(*id, "eos_token", entry)};
  if (rules.stops.empty()) rules.notes.push_back("no file names a stop id: answers end where their tokens are used up");
  return rules;
}

}  // namespace sala::eval
