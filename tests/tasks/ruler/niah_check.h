// What must hold for every sample of the needle tasks, at any length.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "tasks/ruler/niah.h"
#include "tasks/text/essay.h"

namespace sala::tasks {

struct FoundNeedle {
  std::string key, value;
  size_t begin = 0, end = 0;  // bytes
};

// Every "One of the special magic KIND for KEY is: VALUE." of `text`, in order. A line may end before its full stop.
inline std::vector<FoundNeedle> find_needles(std::string_view text) {
  constexpr std::string_view kStart = "One of the special magic ", kFor = " for ", kIs = " is: ";
  std::vector<FoundNeedle> found;
  for (size_t at = text.find(kStart); at != std::string_view::npos; at = text.find(kStart, at + 1)) {
    const size_t key = text.find(kFor, at) + kFor.size(), is = text.find(kIs, key), value = is + kIs.size(),
                 stop = text.find('.', value);
    if (const size_t line = text.find('\n', at); line < is || line < stop) continue;  // the last unit, cut
    found.push_back({std::string(text.substr(key, is - key)), std::string(text.substr(value, stop - value)), at, stop + 1});
  }
  return found;
}

inline const NiahSpec& spec_of(std::string_view name) {
  for (const NiahSpec& spec : niah_specs())
    if (spec.name == name) return spec;
  throw std::runtime_error("no such task");
}

// Haystack units between header and question, needles left out, and for each of `asked` how many units stand before it.
struct Haystacked {
  std::vector<std::string_view> units;
  std::vector<int64_t> before;
  std::string_view part;  // the beginning of one more unit, which fills the length; often empty
};

inline Haystacked take_apart(const NiahSpec& spec, std::string_view context, const std::vector<FoundNeedle>& inserted) {
  Haystacked parts;
  size_t needle = 0;
  const std::string_view stop = spec.haystack == Haystack::kEssay ? ". " : ".\n";
  for (size_t at = 0; at < context.size();) {
    if (needle < inserted.size() && at == inserted[needle].begin) {
      parts.before.push_back(static_cast<int64_t>(parts.units.size()));
      at = inserted[needle++].end + 1;
      continue;
    }
    size_t end = context.find(stop, at);
    end = end == std::string_view::npos ? context.size() : end + 1;
    parts.units.push_back(context.substr(at, end - at));
    at = end + 1;
  }
  EXPECT_EQ(needle, inserted.size()) << "a needle does not stand on its own";
  const bool noise = spec.haystack == Haystack::kNoise;
  if (!parts.units.empty() && (noise ? parts.units.back() != kNoiseSentence : !parts.units.back().ends_with('.'))) {
    parts.part = parts.units.back();
    parts.units.pop_back();
  }
  return parts;
}

inline int64_t largest_unit(const std::vector<std::string_view>& units, const Tokenizer& tokenizer) {
  int64_t largest = 1;
  for (const std::string_view unit : units) largest = std::max(largest, tokenizer.count(unit) + 1);
  return largest;
}

inline void check_haystack(const NiahSpec& spec, const Haystacked& parts, Split split) {
  const auto count = static_cast<int64_t>(parts.units.size());
  std::set<int64_t> depths;
  for (int d = 0; d < 40; ++d) depths.insert(count * std::lround(100.0 * d / 39) / 100);
  for (int64_t u = 0; u < count; ++u) {
    const std::string_view unit = parts.units[static_cast<size_t>(u)];
    if (spec.haystack == Haystack::kNoise) {
      ASSERT_EQ(unit, kNoiseSentence);
    }
    if (spec.haystack == Haystack::kEssay) {
      ASSERT_EQ(unit, essay_sentence(split, u)) << "sentence " << u;
    }
    if (spec.haystack == Haystack::kNeedle) {
      ASSERT_EQ(find_needles(unit).size(), 1u) << unit;
    }
  }
  if (spec.haystack == Haystack::kNoise) {
    EXPECT_TRUE(kNoiseSentence.starts_with(parts.part)) << parts.part;
  }
  if (spec.haystack == Haystack::kEssay) {
    EXPECT_TRUE(essay_sentence(split, count).starts_with(parts.part)) << parts.part;
  }
  if (spec.haystack == Haystack::kNeedle && !parts.part.empty()) {
    const std::string_view start = "One of the special magic ";
    EXPECT_TRUE(start.starts_with(parts.part) || parts.part.starts_with(start)) << parts.part;
  }
  EXPECT_FALSE(parts.part.ends_with(' '));
  for (size_t i = 0; i < parts.before.size(); ++i) {
    if (spec.haystack == Haystack::kEssay) {
      EXPECT_TRUE(depths.contains(parts.before[i])) << parts.before[i] << " of " << count << " is none of the 40 depths";
    }
    if (spec.haystack != Haystack::kEssay && count > 0) {
      EXPECT_LT(parts.before[i], count) << "a needle is never the last line";
    }
  }
}

// The needles asked for, and where the evidence says that they are.
inline void check_evidence(const Sample& sample, const std::vector<FoundNeedle>& needles, const Tokenizer& tokenizer,
                           bool decodes) {
  const auto tokens = static_cast<int64_t>(sample.prompt_ids.size());
  ASSERT_EQ(sample.evidence.size(), sample.outputs.size());
  std::multiset<std::string> values, outputs(sample.outputs.begin(), sample.outputs.end());
  int64_t last = -1;
  for (const Evidence& span : sample.evidence) {
    values.insert(span.value);
    ASSERT_TRUE(std::any_of(needles.begin(), needles.end(),
                            [&](const FoundNeedle& n) { return n.key == span.key && n.value == span.value; }));
    ASSERT_TRUE(0 <= span.token_begin && span.token_begin < span.value_token && span.value_token < span.token_end &&
                span.token_end <= tokens);
    EXPECT_GE(span.token_begin, last) << "evidence is not in text order";
    last = span.token_end - 1;
    EXPECT_EQ(span.depth, static_cast<double>(span.token_begin) / static_cast<double>(tokens));
    if (!decodes) continue;
    const auto decoded = [&](int64_t begin, int64_t end) {
      return tokenizer.decode({sample.prompt_ids.begin() + begin, sample.prompt_ids.begin() + end});
    };
    const std::string sentence = needle_sentence(spec_of(sample.task).value_kind, span.key, span.value);
    EXPECT_NE(decoded(span.token_begin, span.token_end).find(sentence), std::string::npos)
        << decoded(span.token_begin, span.token_end);
    EXPECT_EQ(decoded(span.token_begin + 1, span.token_end).find(sentence), std::string::npos)
        << "the span begins too early";
    EXPECT_EQ(decoded(span.token_begin, span.token_end - 1).find(sentence), std::string::npos) << "the span ends too late";
    EXPECT_NE(decoded(span.value_token, span.token_end).find(span.value), std::string::npos);
    EXPECT_EQ(decoded(span.value_token + 1, span.token_end).find(span.value), std::string::npos);
  }
  EXPECT_EQ(values, outputs);
}

// `exact`: the sample must hold the most units that fit, not only 0.995 of the target.
inline void check_sample(const Sample& sample, const Tokenizer& tokenizer, bool exact = true, bool decodes = true) {
  const NiahSpec& spec = spec_of(sample.task);
  const std::string prompt = sample.prompt();
  SCOPED_TRACE(sample.id);
  // Ids, length, fill.
  ASSERT_EQ(sample.prompt_ids, tokenizer.encode(prompt));
  const auto tokens = static_cast<int64_t>(sample.prompt_ids.size());
  EXPECT_EQ(sample.tokens_to_generate, 128);
  ASSERT_LE(tokens + 128, sample.request.length);

  // The prompt is header, context, question, prefix; the question asks for the keys whose values are the outputs, in that
  // order.
  const std::vector<FoundNeedle> needles = find_needles(prompt);
  std::map<std::string, std::vector<std::string>> by_key;
  std::set<std::string> values;
  for (const FoundNeedle& needle : needles) {
    by_key[needle.key].push_back(needle.value);
    ASSERT_TRUE(values.insert(needle.value).second) << "value " << needle.value << " twice";
    ASSERT_FALSE(by_key.contains(needle.value)) << needle.value << " is key and value";
    ASSERT_EQ(split_of(needle.key), sample.request.split) << needle.key;
    ASSERT_EQ(split_of(needle.value), sample.request.split) << needle.value;
  }
  std::vector<std::string> keys;
  for (const std::string& output : sample.outputs)
    for (const FoundNeedle& needle : needles)
      if (needle.value == output && (keys.empty() || keys.back() != needle.key)) keys.push_back(needle.key);
  ASSERT_EQ(static_cast<int64_t>(keys.size()), spec.queries);
  ASSERT_EQ(static_cast<int64_t>(sample.outputs.size()), spec.queries * spec.values);
  const NiahText text = niah_text(spec.value_kind, join_keys(keys), spec.queries * spec.values == 1);
  ASSERT_TRUE(sample.input.starts_with(text.header) && sample.input.ends_with(text.question));
  ASSERT_EQ(sample.answer_prefix, text.answer_prefix);
  const auto total = static_cast<size_t>(std::max(spec.keys, spec.queries) * spec.values);
  if (spec.haystack != Haystack::kNeedle) {
    ASSERT_EQ(needles.size(), total);
  }
  for (const auto& [key, held] : by_key)
    ASSERT_EQ(static_cast<int64_t>(held.size()), spec.values)
        << "key " << key << (spec.haystack == Haystack::kNeedle ? " is not unique" : "");
  for (const std::string& output : sample.outputs) {
    const size_t at = prompt.find(output);
    ASSERT_NE(at, std::string::npos);
    ASSERT_EQ(prompt.find(output, at + 1), std::string::npos) << output << " occurs twice";
  }

  // What stands between.
  const std::string_view context(sample.input.data() + text.header.size(),
                                 sample.input.size() - text.header.size() - text.question.size());
  std::vector<FoundNeedle> inserted;
  if (spec.haystack != Haystack::kNeedle) inserted = find_needles(context);
  const Haystacked parts = take_apart(spec, context, inserted);
  check_haystack(spec, parts, sample.request.split);
  const int64_t gap = sample.request.length - 128 - tokens;
  const int64_t target = sample.request.length - 128, part = parts.part.empty() ? 0 : tokenizer.count(parts.part) + 1;
  const bool filled = static_cast<double>(tokens) >= 0.995 * static_cast<double>(target);
  EXPECT_TRUE(gap + part < largest_unit(parts.units, tokenizer) || (!exact && filled)) << gap << " tokens are left";
  if (sample.request.length >= 4096) {
    EXPECT_TRUE(filled) << gap << " tokens are left";
  }
  if (part > 0) {                 // only where whole units do not suffice
    constexpr int64_t kSeam = 2;  // tokens by which `part` alone may differ from its share of the prompt
    EXPECT_LT(static_cast<double>(tokens - part - kSeam), 0.995 * static_cast<double>(target));
  }
  check_evidence(sample, needles, tokenizer, decodes);
}

}  // namespace sala::tasks
