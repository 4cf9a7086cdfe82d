#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <filesystem>
#include <memory>

#include "eval/cli/commands.h"
#include "eval/cli/model_flags.h"
#include "eval/report/table.h"
#include "eval/spec/models.h"
#include "eval/study/halo.h"
#include "eval/util/files.h"
#include "eval/util/streams.h"
#include "sala/core/error.h"
#include "sim/text/near.h"

namespace sala::eval {
namespace {

struct HaloFlags {
  std::string sweep, model, rule = "halo", output = "table";
  int64_t keep = 0;
  bool ends = false;
};

// A sweep's table; or halo.json of a converted member, alone or in its folder.
std::vector<HaloModel> read_sweep(const std::string& path) {
  namespace fs = std::filesystem;
  const std::string file = fs::is_directory(path) ? (fs::path(path) / "halo.json").string() : path;
  if (fs::path(file).extension() != ".json") return read_halo_sweep(read_csv(file));
  if (!file_exists(file))
    throw Error(ErrorCode::kIo, "{} is missing; train/convert.py writes it for a member that it converts", file);
  HaloModel model = read_halo_conversion(file);
  model.name = fs::path(file).parent_path().filename().string();
  return {model};
}

// No model of that name has a sweep. That of a member would have to be trained.
[[noreturn]] void refuse_model(const std::string& path, const std::string& name, const std::vector<std::string>& known) {
  const std::vector<ModelEntry> members = family_members();
  if (std::any_of(members.begin(), members.end(), [&](const ModelEntry& member) { return member.name == name; }))
    throw Error(
        ErrorCode::kUsage,
        "{} is a member of the family without a sweep: a layer becomes linear by training. train/convert.py sweeps a "
        "member of full-attention layers and writes halo.json, which this command reads (docs/halo.md)",
        name);
  throw Error(ErrorCode::kUsage, "{} has no model '{}'{}", path, name, text::near_it(name, known));
}

std::vector<int64_t> layers_that(const HaloModel& model, bool HaloLayer::*property) {
  std::vector<int64_t> layers;
  for (const HaloLayer& layer : model.layers)
    if (layer.*property) layers.push_back(layer.layer);
  return layers;
}

std::string sentence_of(const HaloModel& model) {
  const std::vector<int64_t> kept = layers_that(model, &HaloLayer::kept), shipped = layers_that(model, &HaloLayer::shipped);
  std::string sentence = fmt::format("{}: softmax attention stays in {} of {} layers: {}.", model.name, kept.size(),
                                     model.layers.size(), fmt::join(kept, ", "));
  if (model.has_shipped)
    sentence +=
        fmt::format(" {} {}.", model.shipped_by, kept == shipped ? "the same" : fmt::format("{}", fmt::join(shipped, ", ")));
  return sentence;
}

void choose(const HaloFlags& flags) {
  const std::string path = flags.sweep.empty() ? shared_path("configs/paper/halo_layer_sweep.csv") : flags.sweep;
  std::vector<HaloModel> models = read_sweep(path);
  std::vector<std::string> names, sentences;
  for (const HaloModel& model : models) names.push_back(model.name);
  std::erase_if(models, [&](const HaloModel& model) { return !flags.model.empty() && model.name != flags.model; });
  if (models.empty()) refuse_model(path, flags.model, names);
  Table table{"", {"model", "layer", "recall", "commonsense", "score", "rank", "kept", "shipped"}, {}};
  for (HaloModel& model : models) {
    select_layers(model, flags.rule == "halo" ? HaloRule::kRatio : HaloRule::kRecall, flags.keep, flags.ends);
    for (const HaloLayer& layer : model.layers)
      table.rows.push_back({text(model.name), count(layer.layer), number(layer.recall, 4), number(layer.commonsense, 4),
                            number(layer.score, 4), count(layer.rank), yes(layer.kept),
                            model.has_shipped ? yes(layer.shipped) : Value{}});
    sentences.push_back(sentence_of(model));
  }
  sentences.emplace_back(
      "recall, commonsense: of the model in which that layer alone is linear. score, of the rule halo: recall lost per "
      "commonsense lost, at most 50; of jet-nemotron: recall lost against the original.");
  streams::print_text(show_table(table, sentences, flags.output));
}

}  // namespace

void add_halo_command(Program& program) {
  auto flags = std::make_shared<HaloFlags>();
  Command command = program.add_command("halo", "Choose the layers that stay softmax attention, as HALO does");
  command
      .add_option(
          "sweep", flags->sweep,
          "Table with model, layer, metric, value; or a member's folder that train/convert.py wrote, with its halo.json "
          "[the published sweeps]")
      .type_name("FILE|FOLDER");
  command.add_option("--model", flags->model, "The model; here one of the table [all]").type_name("NAME");
  command.add_option("--keep", flags->keep, "Softmax layers to keep [a quarter]")
      .check(whole_number(1, 10000))
      .type_name("N");
  command.add_flag("--ends", flags->ends, "Keep the first and the last layer whatever they score, as MiniCPM-SALA does");
  command.add_option("--rule", flags->rule, "Which score").one_of({"halo", "jet-nemotron"}).show_default();
  add_output_flag(command, flags->output, "Results");
  command.footer(
      "Example:\n  sala_eval halo --model hypenet-2b\n  sala_eval halo sweep.csv --keep 3\n"
      "  sala_eval halo runs/tasks/student --keep 3 --ends      # a member of the family (docs/halo.md)\n"
      "Each row of the sweep is the model with one layer made linear: metrics retrieval/NAME/... and\n"
      "commonsense/NAME/acc_norm, or retrieval_avg and commonsense_avg (docs/halo.md).");
  command.callback([flags] { choose(*flags); });
}

}  // namespace sala::eval
