// The fields of config.json as data. A visit_fields function lists them once; reading, writing, comparing, printing and
// documenting are visitors of that list. Mixers from outside the tree list theirs the same way.
#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace sala {

struct ModelConfig;

// A flag of the command line for a field that may change after training.
struct SwitchFlag {
  const char* name = nullptr;  // "--topk"; null = the field has none
  const char* value = "";      // "N", in the help; a field that is true or false takes none
  const char* help = "";
  // Why the flag makes no sense for a model that has the field, "has RoPE on ..."; empty when it does. May be null.
  std::string (*refusal)(const ModelConfig&) = nullptr;
};

// What one field may hold.
struct FieldSpec {
  const char* help = "";
  bool required = false;
  double min = -std::numeric_limits<double>::infinity();  // numbers, and each number of a list
  double max = std::numeric_limits<double>::infinity();
  std::vector<std::string> allowed = {};  // text; empty = any
  int place = 0;             // where its group writes it: by place, then in the order of visits; keeps the released order
  bool only_if_set = false;  // not written while it is empty: files from before the field keep their bytes
  bool trained = false;      // the weights were trained with it: it stays as it is once they are loaded
  SwitchFlag flag = {};
};

// Multiplier of the queries of softmax layers (HypeNet, spec 5). JSON: null, a number, or "hype <a>".
struct LogitScaling {
  enum class Kind { kNone, kConstant, kHype };
  Kind kind = Kind::kNone;
  double value = 1;  // the constant, or a in ln(t + a) / ln(a)
  bool operator==(const LogitScaling&) const = default;
};

// The position encoding of a layer. JSON: null, "rope", or {"type": "rope", "theta": 500}.
struct EncodingChoice {
  std::string type;                           // name of the encoding registry; empty = what the released fields say
  std::map<std::string, double> params = {};  // those that are left out have the encoding's defaults
  bool operator==(const EncodingChoice&) const = default;
};

using FieldValue = std::variant<bool*, int64_t*, double*, std::string*, std::optional<int64_t>*, std::optional<double>*,
                                std::vector<int64_t>*, std::vector<double>*, std::vector<std::string>*, LogitScaling*,
                                std::vector<EncodingChoice>*>;

class FieldVisitor {
 public:
  virtual ~FieldVisitor() = default;
  virtual void field(const std::string& key, FieldValue value, const FieldSpec& spec) = 0;
  // An object, whose fields `fields` visits. It may be opened several times: mixers add to `sala_lab`.
  virtual void group(const std::string& key, const FieldSpec& spec, const std::function<void()>& fields) = 0;
  // An object or null. `renew` gives its fields their defaults.
  virtual void optional_group(const std::string& key, const FieldSpec& spec, bool& present,
                              const std::function<void()>& renew, const std::function<void()>& fields) = 0;

  // visit("topk", topk, {"blocks read", true, 0, 100}): a field, a group (it has visit_fields) or an optional of one.
  template <class T>
  void operator()(const std::string& key, T& value, const FieldSpec& spec) {
    if constexpr (requires { value.visit_fields(*this); }) {
      group(key, spec, [&] { value.visit_fields(*this); });
    } else if constexpr (requires { value->visit_fields(*this); }) {
      bool present = value.has_value();
      auto content = value.value_or(typename T::value_type{});
      optional_group(
          key, spec, present, [&] { content = {}; }, [&] { content.visit_fields(*this); });
      value = present ? std::optional(content) : std::nullopt;
    } else {
      field(key, &value, spec);
    }
  }
};

}  // namespace sala
