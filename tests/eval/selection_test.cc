// The statistics of an answer: what they make of what they are told.
#include <gtest/gtest.h>

#include <cmath>
#include <map>

#include "eval/observe/attention.h"
#include "eval/observe/statistic.h"
#include "tests/eval/fakes.h"
#include "tests/sim/model/small_model.h"

namespace sala::eval {
namespace {

std::unique_ptr<Statistic> statistic(const std::string& name, const Watch& watch) {
  for (const StatisticKind& kind : statistics())
    if (kind.name == name) return kind.make(watch);
  throw Error(ErrorCode::kInternal, "no statistic '{}'", name);
}

// As a session tells them.
void tell_selection(Observer& to, int layer, int64_t position, int64_t block_size, const std::vector<int32_t>& blocks,
                    const std::vector<float>& scores) {
  const std::vector<std::string> sites = to.sites();
  Taps(&to, sites, layer)
      .tell(site::kBlockScores, position,
            {TapView("blocks", {"kv_head", "slot"}, make_view(blocks.data(), 1, blocks.size())),
             TapView("scores", {"kv_head", "block"}, make_view(scores.data(), 1, scores.size())),
             TapView("block_size", block_size)});
}
void tell_attention(Observer& to, int layer, int64_t position, int64_t head, const std::vector<int64_t>& keys,
                    const std::vector<float>& logits) {
  const std::vector<std::string> sites = to.sites();
  Taps(&to, sites, layer)
      .tell(site::kAttention, position,
            {TapView("head", head), TapView("keys", {"key"}, make_view(keys.data(), keys.size())),
             TapView("logits", {"key"}, make_view(logits.data(), logits.size()))});
}

template <class T>
std::vector<T> values(const Findings& found, const std::string& path) {
  const NamedArray* array = found.arrays.find(path);
  if (array == nullptr) throw Error(ErrorCode::kInternal, "no array '{}'", path);
  return array->values<T>();
}
double figure(const Findings& found, const std::string& name) {
  for (const auto& [known, value] : found.figures)
    if (known == name) return value;
  return NAN;
}

// Evidence: token 0 (block 0) and tokens 20..49 (21..50 behind BOS: blocks 1, 2, 3); the answer begins at position 99.
Findings fake_selection() {
  const auto select = statistic("select", {{{1, 2}, {21, 51}}, 100, 5});
  FakeSubject::report(*select, 100, 2);
  return select->take();
}

TEST(SelectStatistic, WatchesTheLastPromptTokenAndWhatFollows) {
  const Findings found = fake_selection();
  EXPECT_EQ(values<int64_t>(found, "select/probe_position"), (std::vector<int64_t>{99, 100, 101}));
  EXPECT_EQ(found.arrays.find("select/layer_00/blocks"), nullptr);
  EXPECT_NE(found.arrays.find("select/layer_04/blocks"), nullptr);
  const auto blocks = values<int32_t>(found, "select/layer_01/blocks");
  EXPECT_EQ(blocks.size(), 3u * 2 * 3);
  EXPECT_EQ(blocks[0], 4);
  int64_t block_size = 0;
  for (const GroupAttribute& attribute : found.arrays.attributes)
    if (attribute.name == "block_size") block_size = std::get<int64_t>(attribute.value);
  EXPECT_EQ(block_size, 16);
}

TEST(SelectStatistic, EvidenceBlocksAreShiftedByThePrefixAndKnowTheirSpan) {
  const Findings found = fake_selection();
  EXPECT_EQ(values<int32_t>(found, "select/evidence_block_id"), (std::vector<int32_t>{0, 1, 2, 3}));
  EXPECT_EQ(values<int32_t>(found, "select/evidence_span"), (std::vector<int32_t>{0, 1, 1, 1}));
}

// Only head 1 of layer 4 reads block 0: 3 of 2 layers x 3 queries x 2 heads x 4 blocks.
TEST(SelectStatistic, RecallCountsReadsAndReachedCountsBlocks) {
  const Findings found = fake_selection();
  EXPECT_DOUBLE_EQ(figure(found, "recall"), 3.0 / 48);
  EXPECT_DOUBLE_EQ(figure(found, "reached"), 1.0 / 4);
}

TEST(SelectStatistic, RankIsThePlaceByScore) {
  const Findings found = fake_selection();
  // Scores rise with the block id and the query's own block is 6: block 0 is last of 7.
  EXPECT_EQ(values<int32_t>(found, "select/layer_01/evidence_rank")[0], 6);
  EXPECT_EQ(values<int32_t>(found, "select/layer_01/evidence_rank")[3], 3);
  EXPECT_EQ(values<int32_t>(found, "select/layer_04/evidence_rank")[4], 0);  // head 1 of layer 4 scores block 0 highest
}

TEST(SelectStatistic, TiesAndForcedBlocksRankByLowerId) {
  const auto select = statistic("select", {{{32, 33}, {64, 65}}, 100, 1});
  const float inf = INFINITY;
  tell_selection(*select, 0, 99, 16, {0, 1, 2, 6}, {inf, 3, 3, 3, 1, -inf, inf});
  const Findings found = select->take();
  EXPECT_EQ(values<int32_t>(found, "select/layer_00/evidence_rank"), (std::vector<int32_t>{3, 5}));  // after 0, 6, 1 (, 3)
  EXPECT_EQ(values<uint8_t>(found, "select/layer_00/evidence_selected"), (std::vector<uint8_t>{1, 0}));
}

TEST(SelectStatistic, ADenseRunSelectsNothing) {
  const Findings found = statistic("select", {{{1, 2}}, 100, 1})->take();
  EXPECT_TRUE(found.arrays.empty());
  EXPECT_TRUE(found.figures.empty());
}

TEST(SelectStatistic, WithoutEvidenceThereIsNoRecall) {
  const auto select = statistic("select", {{}, 100, 1});
  tell_selection(*select, 0, 99, 16, {0, 1}, {1, 2});
  const Findings found = select->take();
  EXPECT_EQ(values<int32_t>(found, "select/layer_00/blocks"), (std::vector<int32_t>{0, 1}));
  EXPECT_TRUE(found.figures.empty());
}

// Free blocks 1, 2, 4, 5 score e^0, e^2, e^3, e^-1; evidence in 2 and 5, 2 and 4 are selected.
TEST(SelectStatistic, ScoresAreLogarithmsOfWhatIsNotForced) {
  const auto select = statistic("select", {{{32, 33}, {80, 81}}, 100, 1});
  const float inf = INFINITY;
  tell_selection(*select, 0, 99, 16, {0, 2, 4, 6}, {inf, 1, std::exp(2.f), -inf, std::exp(3.f), std::exp(-1.f), inf});
  const Findings found = select->take();
  const auto near = [&](const char* name, size_t at, double expected) {
    EXPECT_NEAR(values<double>(found, std::string("select/layer_00/") + name)[at], expected, 1e-6) << name;
  };
  near("evidence_score", 0, 2);
  near("evidence_score", 1, -1);
  near("cut_score", 0, 2);
  near("score_mean", 0, 1.5);
  near("score_std", 0, 1.5);
}

// Keys 0, 10, 70 with weights 1, 2, 5; evidence holds 10 alone.
TEST(AttentionFigures, AreThoseOfASmallCase) {
  const std::vector<int64_t> keys = {0, 10, 70};
  const std::vector<float> logits = {0, std::log(2.f), std::log(5.f)};
  const AttentionFigures figures = attention_figures(keys, logits, {{3, 5}, {9, 12}});
  EXPECT_EQ(figures.keys, 3);
  EXPECT_NEAR(figures.sink_mass, 1.0 / 8, 1e-6);
  EXPECT_NEAR(figures.start_mass, 3.0 / 8, 1e-6);
  EXPECT_NEAR(figures.evidence_mass, 2.0 / 8, 1e-6);
  EXPECT_NEAR(figures.evidence_logit, std::log(2), 1e-6);
  EXPECT_NEAR(figures.background_lse, std::log(6), 1e-6);
  EXPECT_NEAR(figures.background_mean, std::log(5) / 2, 1e-6);
  EXPECT_NEAR(figures.background_std, std::log(5) / 2, 1e-6);
  EXPECT_NEAR(figures.entropy, std::log(8) - (2 * std::log(2) + 5 * std::log(5)) / 8, 1e-6);
  const AttentionFigures none = attention_figures(keys, logits, {});
  EXPECT_TRUE(std::isnan(none.evidence_logit));
  EXPECT_EQ(none.evidence_mass, 0);
  const AttentionFigures all = attention_figures(keys, logits, {{0, 100}});
  EXPECT_TRUE(std::isnan(all.background_lse));
  EXPECT_NEAR(all.evidence_mass, 1, 1e-12);
  EXPECT_EQ(attention_figures({}, {}, {}).keys, 0);
}

TEST(AttentionStatistic, KeepsHeadsOfLayersInOrder) {
  const auto attention = statistic("attention", {{{21, 51}, {41, 61}}, 100, 4});
  EXPECT_TRUE(attention->wants(site::kAttention, 0, 99));
  EXPECT_FALSE(attention->wants(site::kAttention, 0, 98));
  for (const int layer : {3, 1})
    for (const int64_t head : {0, 1}) tell_attention(*attention, layer, 99, head, {0, 60}, {0, 0});
  const Findings found = attention->take();
  EXPECT_EQ(values<int64_t>(found, "attention/probe_position"), std::vector<int64_t>{99});
  EXPECT_EQ(values<double>(found, "attention/layer_03/evidence_mass"), (std::vector<double>{0.5, 0.5}))
      << "key 60 is the last of evidence";
  EXPECT_EQ(found.arrays.find("attention/layer_01/entropy")->axes[1].extent, 2);
  EXPECT_EQ(found.arrays.find("attention/layer_00/entropy"), nullptr);
}

TEST(AttentionStatistic, LayersMustSeeTheSameQueries) {
  const auto attention = statistic("attention", {{}, 100, 2});
  tell_attention(*attention, 0, 99, 0, {0}, {0});
  tell_attention(*attention, 1, 100, 0, {0}, {0});
  expect_error(ErrorCode::kInternal, {"layer 1", "other queries"}, [&] { attention->take(); });
}

TEST(HiddenStatistic, KeepsTheLargestAndTheMedianOfSomeTokens) {
  const auto hidden = statistic("hidden", {{}, 100, 2});
  EXPECT_TRUE(hidden->wants(site::kHidden, 0, 0));
  EXPECT_FALSE(hidden->wants(site::kHidden, 1, 98)) << "rows of the last layer that only an observer would need";
  EXPECT_TRUE(hidden->wants(site::kHidden, 1, 99));
  const std::vector<std::string> sites = hidden->sites();
  const std::vector<float> rows = {1, -2, 3, -9, 5, 4};
  for (const int layer : {-1, 0})
    Taps(hidden.get(), sites, layer).tell_rows(site::kHidden, "hidden", 64, make_view(rows.data(), 2, 3));
  const Findings found = hidden->take();
  EXPECT_EQ(values<int64_t>(found, "hidden/layer"), (std::vector<int64_t>{-1, 0}));
  EXPECT_EQ(values<double>(found, "hidden/largest")[1], 9);
  EXPECT_EQ(values<int64_t>(found, "hidden/position")[1], 65);
  EXPECT_EQ(values<int64_t>(found, "hidden/channel")[1], 0);
  EXPECT_EQ(values<double>(found, "hidden/median")[1], 2) << "token 64 counts, 65 does not";
}

// Counts what it is told of a site that no mixer of the library has.
class Toy final : public Statistic {
 public:
  std::vector<std::string> sites() const override { return {"toy.site"}; }
  bool wants(std::string_view, int, int64_t position) const override { return position % 2 == 0; }
  void on_tap(const Tap& tap) override { seen_.push_back(tap["value"].number()); }
  Findings take() override {
    Findings found;
    found.arrays.arrays = {
        named_array(path + "/seen", {{path + "/tap", static_cast<int64_t>(seen_.size())}}, seen_, {.padding = -1})};
    found.figures = {{"taps", static_cast<double>(seen_.size())}};
    return found;
  }
  static std::string path;

 private:
  std::vector<int64_t> seen_;
};
std::string Toy::path = "toy";

TEST(SampleObserver, AStatisticFromOutsideIsOneCallAndKeepsToItsGroup) {
  const auto make = [](const Watch&) -> std::unique_ptr<Statistic> { return std::make_unique<Toy>(); };
  expect_error(ErrorCode::kConfig, {"'select'", "already"}, [&] { register_statistic({"select", "", make}); });
  expect_error(ErrorCode::kConfig, {"'a b'"}, [&] { register_statistic({"a b", "", make}); });
  register_statistic({"toy", "for this test", make, {{"taps", "taps", "rows that it saw"}}});
  const auto run = [] {
    SampleObserver observer(Watch{{}, 100, 2});
    const std::vector<std::string> sites = observer.sites();
    EXPECT_EQ(std::count(sites.begin(), sites.end(), "toy.site"), 1);
    const Taps taps(&observer, sites, 0);
    EXPECT_FALSE(taps.wants("toy.site", 1));
    EXPECT_FALSE(taps.wants("other.site", 2));
    for (const int64_t value : {7, 8})
      if (taps.wants("toy.site", 2)) taps.tell("toy.site", 2, {TapView("value", value)});
    return observer.take();
  };
  const Findings found = run();
  EXPECT_EQ(values<int64_t>(found, "toy/seen"), (std::vector<int64_t>{7, 8}));
  EXPECT_EQ(figure(found, "taps"), 2);
  EXPECT_EQ(array_bytes(parse_arrays(array_bytes(found.arrays))), array_bytes(found.arrays));
  Toy::path = "select";
  expect_error(ErrorCode::kInternal, {"'toy'", "select", "outside its group"}, run);
  Toy::path = "toy";
}

TEST(Tap, ViewsAreReadAsWhatTheyAre) {
  const std::vector<float> data = {1, 2, 3, 4};
  const int64_t number = 5;
  const TapView view("x", {"token", "channel"}, make_view(data.data(), 2, 2)), single("n", number);
  EXPECT_EQ((view.as<float, 2>()[1][0]), 3);
  EXPECT_EQ(view.axes()[1], "channel");
  EXPECT_EQ(single.number(), 5);
  expect_error(ErrorCode::kInternal, {"'x'"}, [&] { view.as<int32_t, 2>(); });
  expect_error(ErrorCode::kInternal, {"'x'"}, [&] { view.as<float, 1>(); });
  expect_error(ErrorCode::kInternal, {"'x'"}, [&] { view.number(); });
  const std::vector<TapView> views = {view};
  expect_error(ErrorCode::kInternal, {"'there'", "'y'"}, [&] { (void)Tap{"there", 0, 0, views}["y"]; });
}

}  // namespace
}  // namespace sala::eval
