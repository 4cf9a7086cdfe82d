#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "sala/core/error.h"
#include "tasks/ruler/ruler_task.h"
#include "tasks/ruler/upstream_source.h"
#include "tasks/ruler/vt.h"

namespace sala::tasks {
namespace {

constexpr std::string_view kCapitals = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
constexpr std::string_view kExampleValue = "12345";

// Chains among noise lines: of the example with 3-letter names, of the samples with 5-letter ones.
class ChainTexts : public UpstreamSource {
 public:
  ChainTexts(Sizing sizing, bool example, PyRandom& random, NumpyRandom& numpy)
      : sizing_(sizing), example_(example), random_(random), numpy_(numpy) {}
  Sizing sizing() const override { return sizing_; }
  RulerText generate(int64_t size, int64_t) override {
    std::vector<std::string> names;
    for (int64_t i = 0; i <= kVtHops; ++i) names.push_back(random_.choices(kCapitals, example_ ? 3 : 5));
    // Upstream appends further names then, and its next chain runs over the end of the list.
    if (std::set<std::string>(names.begin(), names.end()).size() < names.size())
      throw PythonError("list index out of range (a variable was drawn twice)");
    const VtChain chain = make_vt_chain(example_ ? std::string(kExampleValue) : std::to_string(numpy_.randint(10000, 99999)),
                                        std::move(names));
    const auto lines = static_cast<int64_t>(chain.lines.size());
    if (size < lines) throw PythonError("Sample larger than population or is negative");
    std::vector<int64_t> positions = random_.sample(size, lines);
    std::sort(positions.begin(), positions.end());
    const VtText frame = vt_text(chain.value, lines);
    RulerText text;
    text.prompt = frame.header;
    text.haystack_begin = static_cast<int64_t>(text.prompt.size());
    append_vt_context(text.prompt, chain, positions, size);
    text.haystack_end = static_cast<int64_t>(text.prompt.size());
    int64_t at = text.haystack_begin;
    for (size_t i = 0; i < chain.lines.size(); ++i) {
      at = static_cast<int64_t>(text.prompt.find(chain.lines[i], static_cast<size_t>(at)));
      text.evidence.push_back({at, at + static_cast<int64_t>(chain.lines[i].size()), chain.value, chain.names[i]});
    }
    text.prompt += frame.question + frame.answer_prefix;
    text.prefix_at = find_answer_prefix(text.prompt, frame.answer_prefix);
    text.outputs = chain.names;
    return text;
  }

 private:
  Sizing sizing_;
  bool example_;
  PyRandom& random_;
  NumpyRandom& numpy_;
};

class UpstreamVt final : public UpstreamSource {
 public:
  UpstreamVt(const SampleRequest& request, const Tokenizer& tokenizer)
      : random_(request.seed),
        numpy_(static_cast<uint32_t>(request.seed)),
        texts_(request.length < 4096 ? Sizing{5, 5} : Sizing{10, 10}, false, random_, numpy_) {
    ChainTexts examples(Sizing{5, 5}, true, random_, numpy_);
    Tokenized tokens;
    const int64_t size = search_upstream_size(examples, kVtExampleTokens, 0, tokenizer);
    const RulerText made =
        draw_upstream_sample(examples, "vt (its solved example)", size, 0, kVtExampleTokens, 0, tokenizer, tokens);
    example_ = fmt::format("{} {}\n", tokens.text, fmt::join(made.outputs, " "));
    names_ = made.outputs;
    example_tokens_ = tokenizer.count(example_);
  }
  Sizing sizing() const override { return texts_.sizing(); }
  int64_t tokens_beside() const override { return example_tokens_; }
  RulerText generate(int64_t size, int64_t index) override { return texts_.generate(size, index); }
  // Puts the example, with fresh names and value, before the task. One replacement after the other, as upstream does it: a
  // new name may be one that is replaced later.
  RulerText finish(RulerText text) override {
    std::string example = example_;
    for (const std::string& name : names_)
      replace_all(example, name, random_.choices(kCapitals, static_cast<int>(name.size())));
    replace_all(example, kExampleValue, std::to_string(numpy_.randint(10000, 99999)));
    example += "\n";
    const auto shift = static_cast<int64_t>(example.size());
    text.prompt.insert(0, example);
    text.prefix_at += shift, text.haystack_begin += shift, text.haystack_end += shift;
    for (EvidenceBytes& bytes : text.evidence) bytes.begin += shift, bytes.end += shift;
    return text;
  }

 private:
  PyRandom random_;
  NumpyRandom numpy_;
  ChainTexts texts_;
  std::string example_;
  std::vector<std::string> names_;
  int64_t example_tokens_ = 0;
};

}  // namespace

std::unique_ptr<UpstreamSource> make_upstream_vt(const SampleRequest& request, const Tokenizer& tokenizer) {
  return std::make_unique<UpstreamVt>(request, tokenizer);
}

}  // namespace sala::tasks
