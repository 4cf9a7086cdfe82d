// Reading, writing, comparing and explaining ModelConfig: visitors of ModelConfig::visit_fields.
#include <algorithm>
#include <charconv>
#include <cmath>
#include <set>
#include <sstream>
#include <type_traits>

#include "sala/core/error.h"
#include "sala/model/config.h"
#include "sim/mixers/mixer.h"
#include "sim/model/config_spellings.h"
#include "sim/text/files.h"
#include "sim/text/json.h"
#include "sim/text/printable.h"

namespace sala {
namespace {

using Json = nlohmann::ordered_json;
constexpr int64_t kMaxConfigBytes = 16 << 20;

template <class T>
struct IsOptional : std::false_type {};
template <class T>
struct IsOptional<std::optional<T>> : std::true_type {};
template <class T>
struct IsVector : std::false_type {};
template <class T>
struct IsVector<std::vector<T>> : std::true_type {};

// Keys of released and re-saved configs that the forward pass does not look at.
const std::set<std::string> kIgnoredKeys = {
    "_name_or_path",   "attention_dropout", "auto_map",     "dtype",          "initializer_range",    "max_window_layers",
    "mup_denominator", "pretraining_tp",    "shift_labels", "sliding_window", "transformers_version", "use_cache"};

[[noreturn]] void wrong(const std::string& source, const std::string& name, const Json& value, const std::string& expected) {
  std::string shown = text::write_json(value, -1, true);
  if (shown.size() > 60) shown = shown.substr(0, 57) + "...";
  throw Error(ErrorCode::kConfig, "{}: field '{}' is {}, expected {}", source, name, shown, expected);
}

std::string range_text(const FieldSpec& spec) {
  const bool low = std::isfinite(spec.min), high = std::isfinite(spec.max) && spec.max < kMaxExtent;
  if (low && high) return fmt::format(" from {} to {}", spec.min, spec.max);
  if (low) return fmt::format(" of at least {}", spec.min);
  if (high) return fmt::format(" of at most {}", spec.max);
  return "";
}

template <class T>
std::string type_text(const T*, const FieldSpec& spec) {
  if constexpr (std::is_same_v<T, bool>) return "true or false";
  if constexpr (std::is_same_v<T, int64_t>) return "a whole number" + range_text(spec);
  if constexpr (std::is_same_v<T, double>) return "a number" + range_text(spec);
  if constexpr (std::is_same_v<T, LogitScaling>) return "null, a number from 1e-09 to 1e+09, or \"hype A\" with A above 1";
  if constexpr (std::is_same_v<T, EncodingChoice>) return "null, a name, or an object of a type and its numbers";
  if constexpr (IsOptional<T>::value)
    return "null or " + type_text(static_cast<const typename T::value_type*>(nullptr), spec);
  if constexpr (IsVector<T>::value)
    return "a list, each " + type_text(static_cast<const typename T::value_type*>(nullptr), spec);
  if constexpr (std::is_same_v<T, std::string>)
    return spec.allowed.empty() ? std::string("text") : fmt::format("one of \"{}\"", fmt::join(spec.allowed, "\", \""));
}

bool read_value(const Json& value, LogitScaling& out) {
  out = {};
  if (value.is_null()) return true;
  out.kind = LogitScaling::Kind::kConstant;
  if (value.is_number()) {
    out.value = value.get<double>();
    return out.value >= 1e-9 && out.value <= 1e9;  // also finite and above 0 as a float
  }
  if (!value.is_string()) return false;
  std::istringstream words(value.get<std::string>());
  std::string word, number, rest;
  if (!(words >> word) || word != "hype") return false;
  out.kind = LogitScaling::Kind::kHype;
  out.value = 362;  // the reference's default when "hype" stands alone
  if (!(words >> number)) return true;
  const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), out.value);
  const bool whole = error == std::errc() && end == number.data() + number.size() && !(words >> rest);
  return whole && out.value > 1 && std::isfinite(out.value);
}

bool read_value(const Json& value, EncodingChoice& out) {
  out = {};
  if (value.is_null()) return true;
  const auto type = value.is_object() ? value.find("type") : value.end();
  const bool named = value.is_string() || (value.is_object() && type != value.end() && type->is_string());
  if (!named) return false;
  out.type = value.is_string() ? value.get<std::string>() : type->get<std::string>();
  if (value.is_object())
    for (const auto& [key, number] : value.items()) {
      if (key == "type") continue;
      if (!number.is_number() || !std::isfinite(number.get<double>())) return false;
      out.params[key] = number.get<double>();
    }
  return !out.type.empty();
}

// Reads the fields that the object has. `target` is the one field that is to be set, empty when the whole file is read: only
// then a missing field is an error.
class Reader final : public FieldVisitor {
 public:
  Reader(const Json& object, std::string source, std::string target)
      : root_(object), at_(&object), source_(std::move(source)), target_(std::move(target)), whole_(target_.empty()) {}

  void field(const std::string& key, FieldValue value, const FieldSpec& spec) override {
    if (const Json* found = find(key, spec)) std::visit([&](auto* out) { read(prefix_ + key, *found, *out, spec); }, value);
  }
  void group(const std::string& key, const FieldSpec& spec, const std::function<void()>& fields) override {
    if (const Json* found = find(key, spec)) open(key, *found, "an object", fields);
  }
  void optional_group(const std::string& key, const FieldSpec& spec, bool& present, const std::function<void()>& renew,
                      const std::function<void()>& fields) override {
    const Json* found = find(key, spec);
    if (found == nullptr) return;
    present = !found->is_null();
    if (!present) return;
    const bool whole = whole_;
    whole_ = whole || prefix_ + key == target_;
    if (whole_) renew();
    open(key, *found, "null or an object", fields);
    whole_ = whole;
  }
  // Keys of the file that no field has, as dotted paths.
  std::vector<std::string> unknown() const {
    std::vector<std::string> keys;
    collect_unknown(root_, "", keys);
    return keys;
  }

 private:
  const Json* find(const std::string& key, const FieldSpec& spec) {
    known_.insert(prefix_ + key);
    const auto found = at_->find(key);
    if (found != at_->end()) return &*found;
    if (spec.required && whole_)
      throw Error(ErrorCode::kConfig, "{}: field '{}' is missing ({})", source_, prefix_ + key, spec.help);
    return nullptr;
  }

  void open(const std::string& key, const Json& object, const char* expected, const std::function<void()>& fields) {
    if (!object.is_object()) wrong(source_, prefix_ + key, object, expected);
    const Json* outer = std::exchange(at_, &object);
    const std::string prefix = std::exchange(prefix_, prefix_ + key + ".");
    fields();
    at_ = outer;
    prefix_ = prefix;
  }

  void collect_unknown(const Json& object, const std::string& prefix, std::vector<std::string>& keys) const {
    const auto is_group = [&](const std::string& path) {
      const auto next = known_.lower_bound(path + ".");
      return next != known_.end() && next->starts_with(path + ".");
    };
    for (const auto& [key, value] : object.items())
      if (value.is_object() && is_group(prefix + key)) collect_unknown(value, prefix + key + ".", keys);
    for (const auto& [key, value] : object.items())
      if (!known_.count(prefix + key) && !(prefix.empty() && kIgnoredKeys.count(key))) keys.push_back(prefix + key);
  }

  template <class T>
  void read(const std::string& name, const Json& value, T& out, const FieldSpec& spec) {
    bool good = false;
    if constexpr (std::is_same_v<T, bool>) {
      if ((good = value.is_boolean())) out = value.get<bool>();
    } else if constexpr (std::is_same_v<T, int64_t> || std::is_same_v<T, double>) {
      if (value.is_number()) {
        const double number = value.get<double>();
        good = std::isfinite(number) && number >= spec.min && number <= spec.max;
        if (std::is_same_v<T, int64_t>) good = good && std::fabs(number) < 9.1e15 && std::floor(number) == number;
        if (good) out = value.is_number_integer() ? static_cast<T>(value.get<int64_t>()) : static_cast<T>(number);
      }
    } else if constexpr (std::is_same_v<T, std::string>) {
      good = value.is_string() &&
             (spec.allowed.empty() || std::count(spec.allowed.begin(), spec.allowed.end(), value.get<std::string>()) > 0);
      if (good) out = value.get<std::string>();
    } else if constexpr (IsOptional<T>::value) {
      good = true;
      if (value.is_null())
        out.reset();
      else
        read(name, value, out.emplace(), spec);
    } else if constexpr (IsVector<T>::value) {
      good = read_list(name, value, out, spec);
    } else {
      good = read_value(value, out);
    }
    if (good) return;
    const bool too_large = spec.max >= kMaxExtent && value.is_number() && value.get<double>() > spec.max;
    wrong(source_, name, value, too_large ? fmt::format("at most {}", spec.max) : type_text(&out, spec));
  }

  template <class T>
  bool read_list(const std::string& name, const Json& value, std::vector<T>& out, const FieldSpec& spec) {
    out.clear();
    if (value.is_null()) return true;
    if (!value.is_array()) {  // one id, or one encoding, stands for a list of one
      const bool alone = std::is_same_v<T, int64_t> ? value.is_number() : std::is_same_v<T, EncodingChoice>;
      if (alone) read(name, value, out.emplace_back(), spec);
      return alone;
    }
    for (std::size_t i = 0; i < value.size(); ++i) {
      T element{};
      read(fmt::format("{}[{}]", name, i), value[i], element, spec);
      out.push_back(std::move(element));
    }
    return true;
  }

  const Json& root_;
  const Json* at_;
  std::string source_, target_, prefix_;
  bool whole_;
  std::set<std::string> known_;
};

Json value_of(const LogitScaling& value) {
  if (value.kind == LogitScaling::Kind::kNone) return nullptr;
  if (value.kind == LogitScaling::Kind::kConstant) return value.value;
  return fmt::format("hype {}", value.value);
}

Json value_of(const EncodingChoice& value) {
  if (value.type.empty()) return nullptr;
  if (value.params.empty()) return value.type;
  Json object{{"type", value.type}};
  for (const auto& [name, number] : value.params) object[name] = number;
  return object;
}

template <class T>
Json value_of(const T& value) {
  if constexpr (IsOptional<T>::value) {
    return value ? Json(*value) : Json(nullptr);
  } else if constexpr (std::is_same_v<T, std::vector<EncodingChoice>>) {
    Json list = Json::array();
    for (const EncodingChoice& choice : value) list.push_back(value_of(choice));
    return value.empty() ? Json(nullptr) : list;
  } else if constexpr (std::is_same_v<T, std::vector<double>>) {
    return value.empty() ? Json(nullptr) : Json(value);
  } else {
    return value;
  }
}

// A field with its value, or a group of them.
struct Node {
  std::string key, type;
  FieldSpec spec;
  Json value;  // of groups: null when the group is absent
  bool group = false;
  std::vector<Node> fields = {};
};

// Lists the fields of a config in the order in which they are written.
class Lister final : public FieldVisitor {
 public:
  explicit Lister(ModelConfig config) {
    root_.group = true;
    config.visit_fields(*this);
    sort(root_);
  }
  const Node& root() const { return root_; }

  void field(const std::string& key, FieldValue value, const FieldSpec& spec) override {
    Node& node = child(key, spec);
    std::visit(
        [&](auto* held) {
          node.type = type_text(held, spec);
          node.value = value_of(*held);
        },
        value);
  }
  void group(const std::string& key, const FieldSpec& spec, const std::function<void()>& fields) override {
    open(child(key, spec), "an object", Json::object(), fields);
  }
  void optional_group(const std::string& key, const FieldSpec& spec, bool& present, const std::function<void()>&,
                      const std::function<void()>& fields) override {
    open(child(key, spec), "null or an object", present ? Json::object() : Json(nullptr), fields);
  }

 private:
  Node& child(const std::string& key, const FieldSpec& spec) {
    for (Node& node : at_->fields)
      if (node.key == key) return node;
    return at_->fields.emplace_back(Node{key, "", spec, nullptr});
  }
  void open(Node& node, const char* type, Json value, const std::function<void()>& fields) {
    node.group = true;
    node.type = type;
    node.value = std::move(value);
    Node* outer = std::exchange(at_, &node);
    fields();
    at_ = outer;
  }
  static void sort(Node& node) {
    std::stable_sort(node.fields.begin(), node.fields.end(),
                     [](const Node& a, const Node& b) { return a.spec.place < b.spec.place; });
    for (Node& inner : node.fields) sort(inner);
  }
  Node root_;
  Node* at_ = &root_;
};

Json write(const Node& group) {
  Json object = Json::object();
  for (const Node& node : group.fields) {
    if (node.spec.only_if_set && node.value.is_null()) continue;
    object[node.key] = node.group && !node.value.is_null() ? write(node) : node.value;
  }
  return object;
}

void describe(const Node& group, const std::string& prefix, std::vector<ConfigField>& fields) {
  for (const Node& node : group.fields) {
    const std::string fallback = node.spec.required ? "required" : node.group ? "optional" : text::write_json(node.value);
    fields.push_back({prefix + node.key, node.type, fallback, node.spec.help, node.spec.flag});
    describe(node, prefix + node.key + ".", fields);
  }
}

// Encodings without their numbers.
Json types_of(const Json& value) {
  if (value.is_object()) return value.value("type", Json());
  if (!value.is_array()) return value;
  Json types = Json::array();
  for (const Json& element : value) types.push_back(types_of(element));
  return types;
}

void collect_trained(const Node& group, const std::string& prefix, std::vector<std::pair<std::string, Json>>& fields) {
  for (const Node& node : group.fields) {
    if (node.spec.trained) fields.emplace_back(prefix + node.key, types_of(node.value));
    collect_trained(node, prefix + node.key + ".", fields);
  }
}

void read_fields(ModelConfig& config, const Json& object, const std::string& source, const std::string& target) {
  Reader reader(object, source, target);
  config.visit_fields(reader);
  config.unknown_keys = reader.unknown();
}

}  // namespace

ModelConfig ModelConfig::from_json(const std::string& text, const std::string& source) {
  Json object = text::parse_json(text, source);
  if (!object.is_object()) throw Error(ErrorCode::kFormat, "{}: holds no JSON object", source);
  const std::vector<std::string> ignored = internal::read_spellings(object, source);
  ModelConfig config;
  if (const auto type = object.find("model_type"); type != object.end() && *type == "qwen3") config.model_type = "qwen3";
  read_fields(config, object, source, "");
  config.unknown_keys.insert(config.unknown_keys.end(), ignored.begin(), ignored.end());
  try {
    config.resolve();
    config.validate();
  } catch (const Error& problem) {
    throw Error(problem.code(), "{}: {}", source, problem.what());
  }
  return config;
}

ModelConfig ModelConfig::load(const std::string& path) { return from_json(text::read_file(path, kMaxConfigBytes), path); }

std::string ModelConfig::to_json() const { return text::write_json(write(Lister(*this).root()), 1, true) + "\n"; }

void ModelConfig::set(const std::string& dotted_name, const std::string& value) {
  constexpr std::size_t kLongestName = 200;  // each dot nests one level deeper
  if (dotted_name.size() > kLongestName)
    throw Error(ErrorCode::kConfig, "config: '{}...' is no field: names have at most {} characters",
                dotted_name.substr(0, 40), kLongestName);
  Json leaf;
  if (text::read_json(value, leaf)) leaf = value;  // no JSON: a text without quotes
  std::string name = dotted_name;
  for (auto dot = name.rfind('.'); dot != std::string::npos; dot = name.rfind('.')) {
    leaf = Json{{name.substr(dot + 1), leaf}};
    name.resize(dot);
  }
  ModelConfig changed = *this;
  read_fields(changed, Json{{name, leaf}}, "config", dotted_name);
  if (!changed.unknown_keys.empty() || kIgnoredKeys.count(name))
    throw Error(ErrorCode::kConfig, "config: there is no field '{}'", text::printable(dotted_name, 60));
  changed.validate();
  changed.unknown_keys = unknown_keys;
  *this = std::move(changed);
}

bool ModelConfig::operator==(const ModelConfig& other) const { return to_json() == other.to_json(); }

std::vector<ConfigField> config_fields() {
  ModelConfig defaults;
  for (const MixerKind& kind : mixer_kinds()) defaults.mixer_types.push_back(kind.name);  // shows the fields of all
  std::vector<ConfigField> fields;
  describe(Lister(defaults).root(), "", fields);
  return fields;
}

std::string changed_trained_field(const ModelConfig& before, const ModelConfig& after) {
  std::vector<std::pair<std::string, Json>> old_fields, new_fields;
  collect_trained(Lister(before).root(), "", old_fields);
  collect_trained(Lister(after).root(), "", new_fields);
  for (std::size_t i = 0; i < std::min(old_fields.size(), new_fields.size()); ++i)
    if (old_fields[i] != new_fields[i]) return old_fields[i].first;
  return "";
}

std::string config_help() {
  std::string text = "| field | holds | default | what it is |\n| --- | --- | --- | --- |\n";
  for (const ConfigField& field : config_fields())
    text += fmt::format("| `{}` | {} | {} | {} |\n", field.path, field.type, field.fallback, field.help);
  return text;
}

}  // namespace sala
