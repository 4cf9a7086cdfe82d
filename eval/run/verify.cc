#include "eval/run/verify.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstring>
#include <set>

#include "eval/observe/statistic.h"
#include "sala/core/error.h"
#include "sala/core/rng.h"
#include "sim/text/json.h"
#include "sim/text/printable.h"

namespace sala::eval {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t kMostShown = 80;  // bytes of a value

std::string shown(const Json& value) { return text::printable(text::write_json(value), kMostShown); }

// "is NOW, was WAS", and empty where they are the same.
template <class T>
std::string change(const std::string& what, const T& was, const T& now) {
  if (was == now) return "";
  return fmt::format("{} is {}, was {}", what, shown(now), shown(was));
}

void read_numerics(const std::string& words, RunPlan& plan, const std::string& path) {
  for (const char* device : {"cpu", "cuda"})
    for (const Numerics numerics : {Numerics::kFp32, Numerics::kBf16})
      if (numerics_class(numerics, device) == words) {
        plan.numerics = numerics;
        plan.device = device;
        return;
      }
  throw Error(ErrorCode::kUnsupported, "{}: the numerics are '{}', and nothing says which sample is in which class", path,
              text::printable(words, kMostShown));
}

std::vector<Cell> read_cells(const Json& cells, const tasks::UserFiles& files, const std::string& path) {
  std::vector<Cell> read;
  for (const auto& [name, indexes] : cells.items()) {
    const std::size_t at = name.rfind('@');
    const tasks::Task* task = at == std::string::npos ? nullptr : tasks::find_task(name.substr(0, at), files.tasks());
    if (task == nullptr)
      throw Error(ErrorCode::kUnsupported,
                  "{}: no task is called '{}' here; give the files of the run (--needles, --mrcr, ...)", path,
                  text::printable(name.substr(0, at), kMostShown));
    const std::vector<int64_t> lengths = tasks::parse_lengths(name.substr(at + 1));
    if (lengths.size() != 1) throw Error(ErrorCode::kFormat, "{} is damaged: '{}' is no cell", path, shown(name));
    read.push_back({task, lengths[0], parse_indexes(indexes.get<std::string>())});
  }
  return read;
}

// What `plan` does otherwise than the run that was saved.
void check_same(const RunPlan& plan, const Json& saved, const std::string& path) {
  const std::set<std::string> opened_later = {"weights_hash", "tokenizer", "tokenizer_hash"};
  const Json again = plan.to_json();
  for (const auto& [name, value] : again.items()) {
    const Json was = saved.value(name, Json());
    if (value == was || opened_later.count(name) > 0) continue;
    if (name == "files_hash")
      throw Error(ErrorCode::kConfig,
                  "{}: the run's samples are made of files with the hash {}, these have {}; give the same", path, shown(was),
                  shown(value));
    throw Error(ErrorCode::kUnsupported, "{}: '{}' was {} and is {} in this build, so that it cannot run the samples again",
                path, name, shown(was), shown(value));
  }
}

std::string shape_text(const NamedArray& array) {
  std::vector<int64_t> extents;
  for (const Axis& axis : array.axes) extents.push_back(axis.extent);
  return fmt::format("[{}]", fmt::join(extents, ", "));
}

// Both have the same shape and type, and differ.
std::string element_difference(const NamedArray& was, const NamedArray& now) {
  return with_element_type(was.type, [&](auto type) {
    using T = decltype(type);
    const std::vector<T> before = was.values<T>(), after = now.values<T>();
    std::size_t at = 0;  // by bytes: NaN is NaN
    while (std::memcmp(&before[at], &after[at], sizeof(T)) == 0) ++at;
    std::vector<int64_t> place(was.axes.size());
    auto left = static_cast<int64_t>(at);
    for (std::size_t axis = place.size(); axis-- > 0; left /= was.axes[axis].extent)
      place[axis] = left % was.axes[axis].extent;
    return fmt::format("element [{}] is {}, was {}", fmt::join(place, ", "), +after[at], +before[at]);
  });
}

// The first that is not empty.
std::string first_of(std::initializer_list<std::string> differences) {
  for (const std::string& difference : differences)
    if (!difference.empty()) return difference;
  return "";
}

// Of two lists: the first item that differs, else their lengths. `text` shows an item.
template <class T, class Text>
std::string list_change(const std::string& item, const std::vector<T>& was, const std::vector<T>& now, const Text& text) {
  for (std::size_t i = 0; i < std::min(was.size(), now.size()); ++i)
    if (std::string found = change(fmt::format("{} {}", item, i), text(was[i]), text(now[i])); !found.empty()) return found;
  return change(fmt::format("the number of {}s", item), was.size(), now.size());
}

std::string sample_difference(const SampleRecord& was, const SampleRecord& now) {
  const auto as_it_is = [](const std::string& words) { return words; };
  const auto span_text = [](const tasks::Evidence& span) {
    return fmt::format("'{}' = '{}' in tokens {} to {}", span.key, span.value, span.token_begin, span.token_end);
  };
  return first_of({change("its id", was.id, now.id), change("its number of tokens", was.prompt_tokens, now.prompt_tokens),
                   change("the most tokens of its answer", was.tokens_to_generate, now.tokens_to_generate),
                   list_change("expected answer", was.expected, now.expected, as_it_is),
                   list_change("piece of evidence", was.evidence, now.evidence, span_text)});
}

std::string answer_difference(const SampleRecord& was, const SampleRecord& now) {
  return first_of({list_change("token", was.answer_ids, now.answer_ids, [](int32_t id) { return id; }),
                   change("its text", was.answer, now.answer),
                   change("whether a stop token ended it", was.stopped, now.stopped)});
}

std::string named_change(const char* kind, const std::vector<std::pair<std::string, double>>& was,
                         const std::vector<std::pair<std::string, double>>& now) {
  return list_change(kind, was, now, [](const auto& named) { return Json{named.first, named.second}; });
}

std::string score_difference(const SampleRecord& was, const SampleRecord& now) {
  return first_of({change("it", was.score, now.score), named_change("diagnostic", was.diagnostics, now.diagnostics)});
}

std::string statistics_difference(const Answered& was, const Answered& now) {
  for (const NamedArray& before : was.arrays.arrays) {
    const NamedArray* after = now.arrays.find(before.path);
    if (after == nullptr) return fmt::format("{} is missing", before.path);
    if (after->type != before.type || shape_text(*after) != shape_text(before))
      return change(before.path + ": its shape", shape_text(before), shape_text(*after));
    if (after->bytes != before.bytes) return fmt::format("{}: {}", before.path, element_difference(before, *after));
  }
  return first_of({change("the number of datasets", was.arrays.arrays.size(), now.arrays.arrays.size()),
                   named_change("figure", was.record.figures, now.record.figures)});
}

}  // namespace

RunPlan plan_again(const Json& saved, const tasks::UserFiles& files, const std::string& path) {
  RunPlan plan;
  try {
    plan.model_name = saved.at("model").get<std::string>();
    plan.model = ModelConfig::from_json(text::write_json(saved.at("model_config")), path + ": model_config");
    plan.seed = saved.at("seed").get<uint64_t>();
    plan.mode = saved.at("mode").get<std::string>() == tasks::mode_name(tasks::Mode::kUpstream) ? tasks::Mode::kUpstream
                                                                                                : tasks::Mode::kFixed;
    plan.corpora = files.corpora();
    read_numerics(saved.at("numerics").get<std::string>(), plan, path);
    plan.kernels = saved.at("kernels").get<std::string>();
    plan.probe_answers = saved.at("probe").get<std::string>() == "answer";
    if (plan.probe_answers)
      for (const StatisticKind& kind : statistics()) plan.statistics.push_back(kind.name);
    plan.select = select_of_name(saved.at("select").get<std::string>());
    plan.switches = saved.at("switches").get<std::vector<std::string>>();
    plan.prefix = saved.at("prefix_ids").get<std::vector<int32_t>>();
    plan.cells = read_cells(saved.at("cells"), files, path);
  } catch (const Json::exception&) {
    throw Error(ErrorCode::kFormat, "{} is damaged: it is not the plan of a run", path);
  }
  check_same(plan, saved, path);
  return plan;
}

void choose_samples(RunPlan& plan, const RunDirectory& directory, const VerifyChoice& choice) {
  std::set<std::string> wanted(choice.ids.begin(), choice.ids.end());
  for (Cell& cell : plan.cells) {
    std::vector<const SampleRecord*> done = directory.records_of(cell);
    if (!choice.ids.empty()) {
      std::erase_if(done, [&](const SampleRecord* record) { return wanted.erase(record->id) == 0; });
    } else if (!choice.all && static_cast<int64_t>(done.size()) > choice.samples) {
      std::sort(done.begin(), done.end(), [](const SampleRecord* a, const SampleRecord* b) {
        return std::pair(stable_hash(a->id), a->index) < std::pair(stable_hash(b->id), b->index);
      });
      done.resize(static_cast<std::size_t>(choice.samples));
    }
    cell.samples.clear();
    for (const SampleRecord* record : done) cell.samples.push_back(record->index);
    std::sort(cell.samples.begin(), cell.samples.end());
  }
  std::erase_if(plan.cells, [](const Cell& cell) { return cell.samples.empty(); });
  if (!wanted.empty())
    throw Error(ErrorCode::kUsage, "{} has no finished sample '{}'; {} names those that it has", directory.path(),
                text::printable(*wanted.begin(), kMostShown), kJournalFile);
}

std::string first_difference(const Answered& was, const Answered& now) {
  // As the journal says it.
  const SampleRecord again = parse_line(to_line(now.record));
  const std::pair<const char*, std::string> parts[] = {{"sample", sample_difference(was.record, again)},
                                                       {"answer", answer_difference(was.record, again)},
                                                       {"score", score_difference(was.record, again)},
                                                       {"statistics", statistics_difference(was, {again, now.arrays})}};
  for (const auto& [part, found] : parts)
    if (!found.empty()) return fmt::format("the {}: {}", part, found);
  return "";
}

}  // namespace sala::eval
