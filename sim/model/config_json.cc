// Reading, writing, comparing and explaining ModelConfig: one visitor each over ModelConfig::visit_fields.
#include <algorithm>
#include <cmath>
#include <functional>
#include <set>
#include <sstream>
#include <type_traits>

#include "sala/model/config.h"
#include "sim/mixers/mixer.h"
#include "sim/model/json_read.h"

namespace sala {
namespace {

using Json = nlohmann::ordered_json;
constexpr int64_t kMaxConfigBytes = 16 << 20;

template <class T>
concept Group = requires(T& group) {
  T::visit_fields(group, [](const char*, auto&, const FieldSpec&) {});
};
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
    "_name_or_path",  "attention_dropout",    "auto_map",        "dtype",          "initializer_range",
    "layer_types",    "max_window_layers",    "mup_denominator", "pretraining_tp", "shift_labels",
    "sliding_window", "transformers_version", "use_cache"};

[[noreturn]] void wrong(const std::string& source, const std::string& name, const Json& value, const std::string& expected) {
  std::string shown = value.dump(-1, ' ', true, Json::error_handler_t::replace);
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
  if constexpr (std::is_same_v<T, LogitScaling>) return "null, a number above 0, or \"hype <a>\" with a above 1";
  if constexpr (Group<T>) return "an object";
  if constexpr (IsOptional<T>::value)
    return "null or " + type_text(static_cast<const typename T::value_type*>(nullptr), spec);
  if constexpr (IsVector<T>::value)
    return "a list, each " + type_text(static_cast<const typename T::value_type*>(nullptr), spec);
  if constexpr (std::is_same_v<T, std::string>)
    return spec.allowed.empty() ? std::string("text") : fmt::format("one of \"{}\"", fmt::join(spec.allowed, "\", \""));
}

bool read_logit_scaling(const Json& value, LogitScaling& out) {
  out = {};
  if (value.is_null()) return true;
  out.kind = LogitScaling::Kind::kConstant;
  if (value.is_number()) {
    out.value = value.get<double>();
    return out.value > 0 && std::isfinite(out.value);
  }
  if (!value.is_string()) return false;
  std::istringstream words(value.get<std::string>());
  std::string word, rest;
  if (!(words >> word) || word != "hype") return false;
  out.kind = LogitScaling::Kind::kHype;
  if (!(words >> out.value)) {
    out.value = 362;  // the reference's default when "hype" stands alone
    return words.eof();
  }
  return !(words >> rest) && out.value > 1 && std::isfinite(out.value);
}

// Reads the fields that the object has. Tells what is missing only when `complete`.
class Reader {
 public:
  Reader(const Json& object, std::string source, std::string prefix, std::vector<std::string>& unknown, bool complete)
      : object_(object), source_(std::move(source)), prefix_(std::move(prefix)), unknown_(unknown), complete_(complete) {}

  template <class T>
  void operator()(const char* key, T& member, const FieldSpec& spec) {
    known_.insert(key);
    const auto found = object_.find(key);
    if (found != object_.end()) return read(prefix_ + key, *found, member, spec);
    if (spec.required && complete_)
      throw Error(ErrorCode::kConfig, "{}: field '{}' is missing ({})", source_, prefix_ + key, spec.help);
  }
  void collect_unknown() {
    for (const auto& [key, value] : object_.items())
      if (!known_.count(key) && !(prefix_.empty() && kIgnoredKeys.count(key))) unknown_.push_back(prefix_ + key);
  }

 private:
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
    } else if constexpr (std::is_same_v<T, LogitScaling>) {
      good = read_logit_scaling(value, out);
    } else if constexpr (Group<T>) {
      if ((good = value.is_object())) {
        Reader inner(value, source_, name + ".", unknown_, complete_);
        T::visit_fields(out, inner);
        inner.collect_unknown();
      }
    } else if constexpr (IsOptional<T>::value) {
      good = true;
      if (value.is_null())
        out.reset();
      else
        read(name, value, out.emplace(), spec);
    } else if constexpr (IsVector<T>::value) {
      good = read_list(name, value, out, spec);
    }
    if (!good) wrong(source_, name, value, type_text(&out, spec));
  }

  template <class T>
  bool read_list(const std::string& name, const Json& value, std::vector<T>& out, const FieldSpec& spec) {
    out.clear();
    if (value.is_null()) return true;
    if (!value.is_array()) {  // one id stands for a list of one
      if (!std::is_same_v<T, int64_t> || !value.is_number()) return false;
      read(name, value, out.emplace_back(), spec);
      return true;
    }
    for (std::size_t i = 0; i < value.size(); ++i) {
      T element{};
      read(fmt::format("{}[{}]", name, i), value[i], element, spec);
      out.push_back(std::move(element));
    }
    return true;
  }

  const Json& object_;
  std::string source_, prefix_;
  std::vector<std::string>& unknown_;
  bool complete_;
  std::set<std::string> known_;
};

class Writer {
 public:
  template <class T>
  void operator()(const char* key, const T& member, const FieldSpec&) {
    object[key] = value_of(member);
  }
  Json object = Json::object();

 private:
  template <class T>
  static Json value_of(const T& member) {
    if constexpr (std::is_same_v<T, LogitScaling>) {
      if (member.kind == LogitScaling::Kind::kNone) return nullptr;
      if (member.kind == LogitScaling::Kind::kConstant) return member.value;
      return fmt::format("hype {}", member.value);
    } else if constexpr (Group<T>) {
      Writer inner;
      T::visit_fields(member, inner);
      return inner.object;
    } else if constexpr (IsOptional<T>::value) {
      return member ? value_of(*member) : Json(nullptr);
    } else if constexpr (std::is_same_v<T, std::vector<double>>) {
      return member.empty() ? Json(nullptr) : Json(member);
    } else {
      return member;
    }
  }
};

class Helper {
 public:
  explicit Helper(std::string prefix) : prefix_(std::move(prefix)) {}
  template <class T>
  void operator()(const char* key, T& member, const FieldSpec& spec) {
    std::string value = "required";
    if constexpr (!Group<T>) {
      if (!spec.required) {
        Writer one;
        one(key, member, spec);
        value = "default " + one.object[key].dump();
      }
    } else if (!spec.required) {
      value = "optional";
    }
    text += fmt::format("{}{}: {}; {}; {}\n", prefix_, key, spec.help, type_text(&member, spec), value);
    if constexpr (Group<T>) describe(key, member);
    if constexpr (IsOptional<T>::value)
      if constexpr (Group<typename T::value_type>) {
        typename T::value_type group;
        describe(key, group);
      }
  }
  std::string text;

 private:
  template <class T>
  void describe(const char* key, T& group) {
    Helper inner(prefix_ + key + ".");
    T::visit_fields(group, inner);
    text += inner.text;
  }
  std::string prefix_;
};

void read_fields(ModelConfig& config, const Json& object, const std::string& source, bool complete) {
  Reader reader(object, source, "", config.unknown_keys, complete);
  ModelConfig::visit_fields(config, reader);
  reader.collect_unknown();
}

}  // namespace

ModelConfig ModelConfig::from_json(const std::string& text, const std::string& source) {
  const Json object = parse_json(text, source);
  if (!object.is_object()) throw Error(ErrorCode::kFormat, "{}: holds no JSON object", source);
  ModelConfig config;
  if (const auto type = object.find("model_type"); type != object.end() && *type == "qwen3") {
    config.model_type = "qwen3";
    config.attn_use_rope = config.sala_lab.attn_qk_norm = true;
  }
  read_fields(config, object, source, true);
  config.resolve();
  if (has_layer(config, &MixerTraits::selects) && !object.contains("sparse_config"))
    throw Error(ErrorCode::kConfig, "{}: field 'sparse_config' is missing, mixer_types has layers that select", source);
  try {
    config.validate();
  } catch (const Error& problem) {
    throw Error(problem.code(), "{}: {}", source, problem.what());
  }
  return config;
}

ModelConfig ModelConfig::load(const std::string& path) { return from_json(read_text_file(path, kMaxConfigBytes), path); }

std::string ModelConfig::to_json() const {
  Writer writer;
  visit_fields(*this, writer);
  return writer.object.dump(1, ' ', true, Json::error_handler_t::replace) + "\n";
}

void ModelConfig::set(const std::string& dotted_name, const std::string& value) {
  Json leaf = Json::parse(value, nullptr, false);
  if (leaf.is_discarded()) leaf = value;
  std::string name = dotted_name;
  for (auto dot = name.rfind('.'); dot != std::string::npos; dot = name.rfind('.')) {
    leaf = Json{{name.substr(dot + 1), leaf}};
    name.resize(dot);
  }
  ModelConfig changed = *this;
  changed.unknown_keys.clear();
  read_fields(changed, Json{{name, leaf}}, "config", false);
  if (!changed.unknown_keys.empty() || kIgnoredKeys.count(name))
    throw Error(ErrorCode::kConfig, "config: there is no field '{}'", dotted_name);
  changed.validate();
  changed.unknown_keys = unknown_keys;
  *this = std::move(changed);
}

bool ModelConfig::operator==(const ModelConfig& other) const { return to_json() == other.to_json(); }

std::string config_help() {
  ModelConfig defaults;
  Helper helper("");
  ModelConfig::visit_fields(defaults, helper);
  return helper.text;
}

}  // namespace sala
