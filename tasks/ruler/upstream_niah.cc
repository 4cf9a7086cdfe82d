#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "sala/core/error.h"
#include "sala/tasks/corpora.h"
#include "tasks/ruler/upstream_source.h"
#include "tasks/text/essay.h"
#include "tasks/text/key_list.h"
#include "tasks/text/sentences.h"
#include "tasks/text/unicode.h"

namespace sala::tasks {
namespace {

constexpr std::array<int, 40> kDepths = {0,  3,  5,  8,  10, 13, 15, 18, 21, 23, 26, 28, 31, 33, 36, 38, 41, 44, 46, 49,
                                         51, 54, 56, 59, 62, 64, 67, 69, 72, 74, 77, 79, 82, 85, 87, 90, 92, 95, 97, 100};

// " ".join((words * repeats)[:n]) of the corpus.
class EssayWords {
 public:
  explicit EssayWords(const Corpora* corpora)
      : corpora_(corpora != nullptr && !corpora->essay_words.empty() ? corpora : nullptr) {}
  // Of the text of the first words: views into it.
  std::vector<std::string_view> sentences(std::string_view text) const {
    if (corpora_ == nullptr || !corpora_->own_sentences) return split_sentences(strip_whitespace(text));
    // The text is the corpus again and again: so are its sentences. The last one ends with the text.
    std::vector<std::string_view> made;
    const char* corpus = corpora_->essay_text.data();
    for (size_t begin = 0; begin < text.size(); begin += corpora_->essay_text.size() + 1) {
      for (const std::string_view sentence : corpora_->essay_sentences) {
        const size_t at = begin + static_cast<size_t>(sentence.data() - corpus);
        if (at >= text.size()) break;
        made.push_back(text.substr(at, sentence.size()));
      }
    }
    return made;
  }
  std::string first(int64_t n) {
    if (corpora_ == nullptr) return built_in(n);
    const auto& words = corpora_->essay_words;
    const auto in_corpus = static_cast<int64_t>(words.size());
    const auto upto = [&](int64_t count) {
      const std::string_view last = words[static_cast<size_t>(count - 1)];
      return std::string_view(corpora_->essay_text)
          .substr(0, static_cast<size_t>(last.data() + last.size() - corpora_->essay_text.data()));
    };
    std::string text;
    for (int64_t left = n; left > 0; left -= in_corpus) {
      if (left < n) text.push_back(' ');
      text += upto(std::min(left, in_corpus));
    }
    return text;
  }

 private:
  std::string built_in(int64_t n) {
    while (static_cast<int64_t>(ends_.size()) < n) {
      if (!text_.empty()) text_.push_back(' ');
      const std::string sentence = essay_sentence(Split::kEval, sentences_++);
      for (size_t at = sentence.find(' '); at != std::string::npos; at = sentence.find(' ', at + 1))
        ends_.push_back(text_.size() + at);
      text_ += sentence;
      ends_.push_back(text_.size());
    }
    return n == 0 ? std::string() : text_.substr(0, ends_[static_cast<size_t>(n - 1)]);
  }
  const Corpora* corpora_;
  std::string text_;
  std::vector<size_t> ends_;  // of words
  int64_t sentences_ = 0;
};

class UpstreamNiah final : public UpstreamSource {
 public:
  UpstreamNiah(const NiahSpec& spec, const SampleRequest& request)
      : spec_(spec),
        length_(request.length),
        seed_(request.seed),
        keys_(request.corpora),
        essay_(request.corpora),
        random_(request.seed) {}

  Sizing sizing() const override {
    if (spec_.haystack == Haystack::kEssay) return {500, 500};
    return length_ < 4096 ? Sizing{5, 5} : Sizing{25, 25};
  }
  RulerText generate(int64_t size, int64_t index) override;

 private:
  struct Needle {
    std::string key, value, sentence;
  };
  std::string draw(ValueKind kind);
  void put_needle(RulerText& text, const Needle& needle) const;
  void append_essay(RulerText& text, const std::vector<Needle>& needles, int64_t words);
  void append_lines(RulerText& text, const std::vector<Needle>& needles, int64_t lines);

  NiahSpec spec_;
  int64_t length_;
  uint64_t seed_;
  KeyList keys_;
  EssayWords essay_;
  PyRandom random_;
};

std::string UpstreamNiah::draw(ValueKind kind) {
  switch (kind) {
    case ValueKind::kWord:
      return keys_[static_cast<int64_t>(random_.below(static_cast<uint64_t>(keys_.size())))];
    case ValueKind::kNumber:
      return std::to_string(random_.randint(1000000, 9999999));
    case ValueKind::kUuid:
      break;
  }
  auto [high, low] = random_.getrandbits128();
  high = (high & ~uint64_t{0xf000}) | 0x4000;                // version 4
  low = (low & ~(uint64_t{3} << 62)) | (uint64_t{1} << 63);  // RFC variant
  return fmt::format("{:08x}-{:04x}-{:04x}-{:04x}-{:012x}", high >> 32, high >> 16 & 0xffff, high & 0xffff, low >> 48,
                     low & 0xffffffffffff);
}

void UpstreamNiah::put_needle(RulerText& text, const Needle& needle) const {
  const auto begin = static_cast<int64_t>(text.prompt.size());
  text.prompt += needle.sentence;
  text.evidence.push_back({begin, static_cast<int64_t>(text.prompt.size()), needle.key, needle.value});
}

void UpstreamNiah::append_essay(RulerText& text, const std::vector<Needle>& needles, int64_t words) {
  const std::string essay = essay_.first(words);
  const std::vector<std::string_view> sentences = essay_.sentences(essay);
  std::vector<size_t> positions;
  for (const int64_t i : random_.sample(static_cast<int64_t>(kDepths.size()), static_cast<int64_t>(needles.size())))
    positions.push_back(
        static_cast<size_t>(static_cast<double>(sentences.size()) * (kDepths[static_cast<size_t>(i)] / 100.0)));
  std::sort(positions.begin(), positions.end());
  positions.push_back(sentences.size());
  // Stretches of sentences and needles by turns, joined by spaces. An empty stretch still gets its space, as upstream's join
  // gives it.
  size_t at = 0;
  for (size_t i = 0; i < positions.size(); ++i) {
    if (i > 0) text.prompt.push_back(' ');
    for (const size_t first = at; at < positions[i]; ++at) {
      if (at > first) text.prompt.push_back(' ');
      text.prompt += sentences[at];
    }
    if (i == needles.size()) break;
    text.prompt.push_back(' ');
    put_needle(text, needles[i]);
  }
}

void UpstreamNiah::append_lines(RulerText& text, const std::vector<Needle>& needles, int64_t lines) {
  std::vector<std::string> distractors;
  if (spec_.haystack == Haystack::kNeedle) {
    distractors.reserve(static_cast<size_t>(lines));
    for (int64_t i = 0; i < lines; ++i) {
      const std::string key = draw(spec_.key_kind);
      distractors.push_back(needle_sentence(spec_.value_kind, key, draw(spec_.value_kind)));
    }
  }
  if (lines < static_cast<int64_t>(needles.size())) throw PythonError("Sample larger than population or is negative");
  std::vector<int64_t> indexes = random_.sample(lines, static_cast<int64_t>(needles.size()));
  std::sort(indexes.begin(), indexes.end());  // upstream inserts from the deepest index up: the last needle comes first
  size_t next = 0;
  for (int64_t line = 0; line < lines; ++line) {
    if (line > 0) text.prompt.push_back('\n');
    if (next < indexes.size() && indexes[next] == line) {
      put_needle(text, needles[needles.size() - 1 - next]);
      text.prompt.push_back('\n');
      ++next;
    }
    text.prompt += distractors.empty() ? kNoiseSentence : std::string_view(distractors[static_cast<size_t>(line)]);
  }
}

RulerText UpstreamNiah::generate(int64_t size, int64_t) {
  const int64_t num_keys = std::max(spec_.keys, spec_.queries);
  std::vector<std::string> names;
  std::vector<std::vector<std::string>> values;
  std::vector<Needle> needles;
  for (int64_t k = 0; k < num_keys; ++k) {
    names.push_back(draw(spec_.key_kind));
    values.emplace_back();
    for (int64_t v = 0; v < spec_.values; ++v) {
      values.back().push_back(draw(spec_.value_kind));
      needles.push_back(
          {names.back(), values.back().back(), needle_sentence(spec_.value_kind, names.back(), values.back().back())});
    }
  }
  PyRandom(seed_).shuffle(needles);
  RulerText text;
  text.prompt = niah_text(spec_.value_kind, "", spec_.queries * spec_.values == 1).header;
  text.haystack_begin = static_cast<int64_t>(text.prompt.size());
  if (spec_.haystack == Haystack::kEssay)
    append_essay(text, needles, size);
  else
    append_lines(text, needles, size);
  text.haystack_end = static_cast<int64_t>(text.prompt.size());
  std::vector<std::string> asked;
  for (const int64_t k : random_.sample(num_keys, spec_.queries)) {
    asked.push_back(names[static_cast<size_t>(k)]);
    text.outputs.insert(text.outputs.end(), values[static_cast<size_t>(k)].begin(), values[static_cast<size_t>(k)].end());
  }
  std::erase_if(text.evidence, [&](const EvidenceBytes& bytes) {
    return std::find(text.outputs.begin(), text.outputs.end(), bytes.value) == text.outputs.end();
  });
  const NiahText frame = niah_text(spec_.value_kind, join_keys(asked), spec_.queries * spec_.values == 1);
  text.prompt += frame.question;
  text.prompt += frame.answer_prefix;
  text.prefix_at = find_answer_prefix(text.prompt, frame.answer_prefix);
  return text;
}

}  // namespace

std::unique_ptr<UpstreamSource> make_upstream_niah(const NiahSpec& spec, const SampleRequest& request) {
  return std::make_unique<UpstreamNiah>(spec, request);
}

}  // namespace sala::tasks
