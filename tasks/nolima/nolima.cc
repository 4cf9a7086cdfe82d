#include "tasks/nolima/nolima.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <set>

#include "sala/core/error.h"
#include "sala/core/rng.h"
#include "sala/core/sha256.h"
#include "sim/text/utf8.h"
#include "tasks/text/fit.h"  // kMinimumFill
#include "tasks/text/py_random.h"

namespace sala::tasks {
namespace {

constexpr int64_t kLeastWindow = 16;  // tokens of the book around a needle
constexpr int64_t kLineSlack = 2048;  // tokens that a window may reach beyond its length: a line
constexpr int64_t kCloseEnough = 2;   // tokens short of the target: not worth a second look
constexpr int kMostAttempts = 8;

std::vector<NeedlePair> standard_pairs(const NeedleSet& set) {
  std::vector<NeedlePair> all = expand_needle_set(set), standard;
  std::copy_if(all.begin(), all.end(), std::back_inserter(standard),
               [](const NeedlePair& pair) { return pair.question_name != "direct"; });
  return standard.empty() ? all : standard;
}

int64_t stride_for(int64_t n) {
  int64_t stride = std::max<int64_t>(1, n * 618 / 1000);
  while (std::gcd(stride, n) != 1) ++stride;
  return stride;
}

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

// Whether `name` stands in `text` as a word.
bool has_word(std::string_view text, std::string_view name) {
  for (size_t at = text.find(name); at != std::string_view::npos; at = text.find(name, at + 1)) {
    const size_t end = at + name.size();
    if ((at == 0 || !is_letter(text[at - 1])) && (end == text.size() || !is_letter(text[end]))) return true;
  }
  return false;
}

std::string fill_template(const NeedleTemplate& from, std::string_view haystack, std::string_view question) {
  const std::string_view text = from.task_template.empty() ? kNolimaTemplate : std::string_view(from.task_template);
  std::string prompt;
  prompt.reserve(text.size() + haystack.size() + question.size());
  for (size_t at = 0; at < text.size();) {
    if (text.substr(at).starts_with("{haystack}")) {
      prompt += haystack, at += std::string_view("{haystack}").size();
    } else if (text.substr(at).starts_with("{question}")) {
      prompt += question, at += std::string_view("{question}").size();
    } else {
      prompt.push_back(text[at++]);
    }
  }
  return prompt;
}

// Inserts `distractor` behind the text that precedes it in its own placement, at the last line when the window does not hold
// that text.
void insert_distractor(std::string& haystack, const Placement& own, const std::string& distractor, int64_t context_length) {
  size_t chars = context_length < 500 ? 25 : 50, from = own.pre.size();
  while (from > 0 && chars > 0) {
    --from;
    chars -= !text::is_continuation(own.pre[from]);
  }
  const std::string_view before = std::string_view(own.pre).substr(from);
  size_t at = before.empty() ? std::string::npos : haystack.find(before);
  at = at == std::string::npos ? haystack.rfind('\n') : at + before.size();
  haystack.insert(at, fmt::format(" {}", distractor));
}

// The same as upstream does it: it looks for the last 49 characters (24 below 500 tokens) before the distractor in its own
// placement, and cuts 49 (23) characters behind where it finds them. Where it would stop with an error, so does this.
void insert_distractor_upstream(std::string& haystack, const Placement& own, const std::string& distractor,
                                int64_t context_length, std::string_view task) {
  const bool tiny = context_length < 500;
  size_t from = own.pre.size();
  for (size_t left = tiny ? 24 : 49; from > 0 && left > 0;) left -= !text::is_continuation(own.pre[--from]);
  const std::string_view before = std::string_view(own.pre).substr(from);
  const size_t found = before.empty() ? std::string::npos : haystack.find(before);
  if (found == std::string::npos || haystack.find(before, found + before.size()) != std::string::npos)
    throw Error(ErrorCode::kUsage,
                "{}: upstream stops at this sample, because what precedes its distractor stands {} in the window; use mode "
                "fixed",
                task, found == std::string::npos ? "not" : "more than once");
  size_t cut = found;
  for (size_t steps = tiny ? 23 : 49; steps > 0 && cut < haystack.size(); --steps) {
    ++cut;
    while (cut < haystack.size() && text::is_continuation(haystack[cut])) ++cut;
  }
  haystack.insert(cut, fmt::format(" {}\n", distractor));
}

}  // namespace

struct NolimaTask::UpstreamDraws {
  int64_t name = 0;  // of the template's
  double distractor = 0;
};

struct NolimaTask::Draft {
  NolimaCell cell;
  const NeedlePair* pair = nullptr;
  const NeedleTemplate* from = nullptr;
  std::shared_ptr<const BookTokens> book;
  std::string character, needle;
  std::vector<std::string> gold;
  int64_t context_length = 0;
  double depth = 0;
  std::string prompt;
  size_t needle_at = 0, haystack_at = 0, haystack_size = 0;  // bytes of the prompt
};

NolimaCell nolima_cell(int64_t index, int64_t pairs, int64_t books) {
  const int64_t places = books * kNolimaDepths, cell = index % (pairs * places), turn = cell / pairs;
  NolimaCell made;
  made.pair = (cell % pairs) * stride_for(pairs) % pairs;
  const int64_t place = (turn * stride_for(places) + 53 * made.pair) % places;
  made.depth = place / books;
  made.book = place % books;
  return made;
}

NolimaTask::NolimaTask(std::string name, std::string description, Material eval, Material train, NolimaOptions options)
    : Task({.name = name,
            .group = name,
            .description = std::move(description),
            .tokens_to_generate = options.tokens_to_generate,
            .texts_name = "nolima-own",
            .benchmark = "nolima",
            .aggregate = "nolima",
            .fits_length_upstream = false}),
      eval_{eval, standard_pairs(*eval.needles)},
      train_{train, standard_pairs(*train.needles)},
      options_(options) {}

const NeedlePair& NolimaTask::pair_of(const SampleRequest& request) const {
  const Side& from = side(request.split);
  const NolimaCell cell = nolima_cell(request.index, static_cast<int64_t>(from.pairs.size()), from.material.books->count());
  return from.pairs[static_cast<size_t>(cell.pair)];
}

NolimaTask::UpstreamDraws NolimaTask::upstream_draws(const SampleRequest& request, const Draft& draft) const {
  const uint64_t offset = static_cast<uint64_t>(draft.from->number() + draft.cell.book);
  if (request.seed > UINT32_MAX - offset)
    throw Error(ErrorCode::kUsage,
                "{}: seed {} is too large for NumPy's stream, which takes 32 bits of seed + template + book", name(),
                request.seed);
  NumpyRandom random(static_cast<uint32_t>(request.seed + offset));
  UpstreamDraws drawn;
  for (int64_t depth = 0; depth <= draft.cell.depth; ++depth) {
    if (draft.pair->gold.empty()) drawn.name = random.randint(0, static_cast<int64_t>(draft.from->character_set.size()));
    if (!draft.pair->distractor.empty()) drawn.distractor = random.random();
  }
  return drawn;
}

// upstream: the choice at this depth of NumPy's stream seeded by template and book; in kTrain the first from there on that
// does not occur in the book. fixed: a stream of our own by pair, file name and depth; names that occur in the book are
// passed over.
std::string NolimaTask::choose_name(const SampleRequest& request, const Draft& draft, const std::string& text) const {
  const std::vector<std::string>& names = draft.from->character_set;
  if (request.mode == Mode::kUpstream) {
    int64_t choice = upstream_draws(request, draft).name;
    if (request.split == Split::kTrain)  // people of our training books have names of the pool
      for (size_t tries = 0; tries < names.size() && has_word(text, names[static_cast<size_t>(choice)]); ++tries)
        choice = (choice + 1) % static_cast<int64_t>(names.size());
    return names[static_cast<size_t>(choice)];
  }
  const Side& from = side(request.split);
  Rng rng(request.seed, fmt::format("nolima/name/{}/{}", draft.pair->id, from.material.books->name(draft.cell.book)),
          static_cast<uint64_t>(request.index));
  std::vector<std::string> order = names;
  rng.shuffle(order);
  for (const std::string& name : order)
    if (!has_word(text, name)) return name;
  throw Error(ErrorCode::kUsage, "{}: every name of template {} occurs in the book {}; use other names or another book",
              name(), draft.from->id, from.material.books->name(draft.cell.book));
}

NolimaTask::Draft NolimaTask::draft(const SampleRequest& request, const Tokenizer& tokenizer) const {
  const Side& from = side(request.split);
  Draft made;
  made.cell = nolima_cell(request.index, static_cast<int64_t>(from.pairs.size()), from.material.books->count());
  made.pair = &from.pairs[static_cast<size_t>(made.cell.pair)];
  made.from = &(*from.material.needles)[made.pair->template_index];
  made.depth = nolima_depth(static_cast<int>(made.cell.depth));
  made.book = from.material.books->tokens(made.cell.book, request.length + kLineSlack, tokenizer, request.mode);
  made.needle = made.pair->needle;
  made.gold = made.pair->gold;
  if (made.gold.empty()) {
    made.character = choose_name(request, made, made.book->text);
    made.needle = replace_placeholder(made.needle, "{CHAR}", made.character);
    made.gold = {made.character};
  }
  return made;
}

void NolimaTask::add_distractor(const SampleRequest& request, const Tokenizer& tokenizer, const Draft& draft,
                                std::string& haystack, size_t& needle_at) const {
  const std::string &book = side(request.split).material.books->name(draft.cell.book), &distractor = draft.pair->distractor;
  const bool upstream = request.mode == Mode::kUpstream;
  Rng rng(request.seed, fmt::format("nolima/distractor/{}/{}", draft.pair->id, book), static_cast<uint64_t>(request.index));
  const double drawn = upstream ? upstream_draws(request, draft).distractor : rng.uniform();
  const double depth = distractor_depth(draft.context_length, draft.depth, drawn);
  const Placement own = place_needle(*draft.book, book, tokenizer, request.mode, draft.context_length, depth);
  if (upstream)
    insert_distractor_upstream(haystack, own, distractor, draft.context_length, name());
  else
    insert_distractor(haystack, own, distractor, draft.context_length);
  needle_at = haystack.find(draft.needle, needle_at);
}

// Haystack and prompt with a window of `context_length` tokens.
void NolimaTask::place(const SampleRequest& request, const Tokenizer& tokenizer, int64_t context_length,
                       Draft& draft) const {
  const Side& from = side(request.split);
  const std::string& book = from.material.books->name(draft.cell.book);
  draft.context_length = context_length;
  draft.prompt = {};  // of an earlier attempt; no more copies of the text at a time than needed
  std::string haystack;
  size_t needle_at = 0;
  {
    const Placement placed = place_needle(*draft.book, book, tokenizer, request.mode, context_length, draft.depth);
    haystack = placed.with(draft.needle);
    needle_at = placed.needle_at();
  }
  if (!draft.pair->distractor.empty()) add_distractor(request, tokenizer, draft, haystack, needle_at);
  draft.prompt = fill_template(*draft.from, haystack, draft.pair->question);
  draft.haystack_at = draft.prompt.find(haystack);
  draft.haystack_size = haystack.size();
  draft.needle_at = draft.haystack_at + needle_at;
}

// place(), then the prompt's tokens. Those of an earlier attempt are given back first: text and ids are never there twice.
void NolimaTask::place_and_encode(const SampleRequest& request, const Tokenizer& tokenizer, int64_t context_length,
                                  Draft& draft, std::vector<int32_t>& ids, TokenOffsets& offsets) const {
  ids = {}, offsets = {};
  place(request, tokenizer, context_length, draft);
  const int64_t room = request.length + kLineSlack;  // a vector that has to grow doubles
  ids.reserve(static_cast<size_t>(room));
  offsets.reserve(room);
  tokenizer.encode_into(draft.prompt, ids, offsets);
}

// fixed mode: the longest window whose prompt and answer budget fit the length.
void NolimaTask::fit(const SampleRequest& request, const Tokenizer& tokenizer, Draft& draft, std::vector<int32_t>& ids,
                     TokenOffsets& offsets) const {
  const int64_t target = request.length - options_.tokens_to_generate;
  const int64_t frame = tokenizer.count(
      fill_template(*draft.from, fmt::format(" {}\n {}", draft.needle, draft.pair->distractor), draft.pair->question));
  const auto too_small = [&](int64_t over) {
    return Error(ErrorCode::kUsage,
                 "{}: length {} is too small; this sample needs at least {} ({} tokens of prompt around a window of {} + {} "
                 "to generate)",
                 name(), request.length, frame + kLeastWindow + over + options_.tokens_to_generate, frame + over,
                 kLeastWindow, options_.tokens_to_generate);
  };
  if (target - frame < kLeastWindow) throw too_small(0);
  int64_t window = target - frame, fits = 0;  // `fits`: the largest window known to
  for (int attempt = 0; attempt < kMostAttempts; ++attempt) {
    place_and_encode(request, tokenizer, window, draft, ids, offsets);
    const int64_t over = static_cast<int64_t>(ids.size()) - target;
    const bool filled = static_cast<double>(ids.size()) >= kMinimumFill * static_cast<double>(target);
    if (over <= 0 && (over >= -kCloseEnough || (attempt >= 1 && filled))) return;
    if (over > 0 && window == kLeastWindow) throw too_small(over);
    if (over <= 0) fits = std::max(fits, window);
    window = std::max(kLeastWindow, window - over);
  }
  if (fits == 0) throw Error(ErrorCode::kInternal, "{}: could not fit {} tokens into {}", name(), ids.size(), target);
  place_and_encode(request, tokenizer, fits, draft, ids, offsets);
}

Sample NolimaTask::make_sample(const SampleRequest& request, const Tokenizer& tokenizer) const {
  Draft made = draft(request, tokenizer);
  Sample sample;
  TokenOffsets offsets;
  if (request.mode == Mode::kUpstream) {
    place_and_encode(request, tokenizer, request.length, made, sample.prompt_ids, offsets);
  } else {
    fit(request, tokenizer, made, sample.prompt_ids, offsets);
  }
  sample.task = name();
  sample.request = request;
  sample.id = sample_id(*this, request);
  sample.outputs = made.gold;
  sample.tokens_to_generate = options_.tokens_to_generate;
  sample.window_tokens = made.context_length;
  const auto begin_at = [&](size_t byte) { return offsets.holding(static_cast<int64_t>(byte)); };
  const auto end_behind = [&](size_t byte) { return offsets.before(static_cast<int64_t>(byte) + 1); };
  Evidence evidence;
  evidence.token_begin = begin_at(made.needle_at);
  evidence.token_end = end_behind(made.needle_at + made.needle.size() - 1);
  evidence.depth = static_cast<double>(evidence.token_begin) / static_cast<double>(sample.prompt_ids.size());
  evidence.key = made.pair->id;
  evidence.value = made.gold[0];
  sample.evidence.push_back(std::move(evidence));
  sample.template_tokens =
      static_cast<int64_t>(sample.prompt_ids.size()) - (end_behind(made.haystack_at + made.haystack_size - 1) -
                                                        begin_at(made.prompt.find_first_not_of(' ', made.haystack_at)));
  sample.input = std::move(made.prompt);
  return sample;
}

Score NolimaTask::score(const Sample& sample, std::string_view answer) const {
  Score score{nolima_match(options_.metric, answer, sample.outputs), {}};
  auto& figures = score.diagnostics;
  for (NolimaMetric metric :
       {NolimaMetric::kExact, NolimaMetric::kContains, NolimaMetric::kLastlineExact, NolimaMetric::kLastlineContains})
    figures.emplace_back(metric_name(metric), nolima_match(metric, answer, sample.outputs));
  const NeedlePair& pair = pair_of(sample.request);
  const NeedleTemplate& from = (*side(sample.request.split).material.needles)[pair.template_index];
  std::set<std::string_view> people = side(sample.request.split).material.books->people();
  people.insert(from.character_set.begin(), from.character_set.end());
  const auto names = std::count_if(people.begin(), people.end(),
                                   [&](std::string_view name) { return answer.find(name) != std::string_view::npos; });
  figures.emplace_back("many_names", names > 1 ? 1 : 0);
  figures.emplace_back(pair.question_name, score.value);
  figures.emplace_back(from.inverted() ? "inverted_order" : "default_order", score.value);
  return score;
}

Record NolimaTask::record(const Sample& sample, const Tokenizer&) const {
  const Side& from = side(sample.request.split);
  const NolimaCell cell =
      nolima_cell(sample.request.index, static_cast<int64_t>(from.pairs.size()), from.material.books->count());
  const NeedlePair& pair = from.pairs[static_cast<size_t>(cell.pair)];
  const NeedleTemplate& of = (*from.material.needles)[pair.template_index];
  const double depth = nolima_depth(static_cast<int>(cell.depth));
  // The prompt is the template around the haystack.
  constexpr std::string_view kMark = "\x01";
  const std::string frame = fill_template(of, kMark, pair.question);
  const size_t before = frame.find(kMark), around = frame.size() - kMark.size();
  const std::string_view haystack = std::string_view(sample.input).substr(before, sample.input.size() - around);
  return {{"pair", pair.id},
          {"template_id", of.id},
          {"test_id", pair.test_id},
          {"question_type", pair.question_name},
          {"order", std::string(of.inverted() ? "inverted" : "default")},
          {"book", from.material.books->name(cell.book)},
          {"context_length", sample.window_tokens},
          {"depth", depth},
          {"token_depth", needle_token_depth(sample.window_tokens, depth)},
          {"character", pair.gold.empty() ? sample.outputs.at(0) : std::string()},
          {"prompt", sample.prompt()},
          {"gold", sample.outputs},
          {"metric", std::string(metric_name(options_.metric))},
          {"haystack_sha256", sha256_hex(haystack)},
          {"system_prompt", std::string(kNolimaSystemPrompt)}};
}

std::unique_ptr<const NolimaTask> make_nolima_task() {
  const auto material = [](Split split) { return NolimaTask::Material{&own_needle_set(split), &own_books(split)}; };
  return std::make_unique<NolimaTask>("nolima", "a needle that shares no word with the question", material(Split::kEval),
                                      material(Split::kTrain));
}

std::unique_ptr<const NolimaTask> make_nolima_task(const std::string& name, const NeedleSet& needles, const BookShelf* books,
                                                   NolimaOptions options) {
  const auto material = [&](Split split) {
    return NolimaTask::Material{&needles, books != nullptr ? books : &own_books(split)};
  };
  return std::make_unique<NolimaTask>(name, "NoLiMa with the user's needles", material(Split::kEval),
                                      material(Split::kTrain), options);
}

}  // namespace sala::tasks
