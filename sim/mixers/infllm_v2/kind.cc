// minicpm4 for the rest of the program: name, letter, checks, what is shown of it.
#include "sala/core/error.h"
#include "sim/mixers/infllm_v2/fields.h"
#include "sim/mixers/infllm_v2/infllm_v2.h"
#include "sim/mixers/kinds.h"
#include "sim/mixers/softmax_layer.h"

namespace sala {

void SparseConfig::visit_fields(FieldVisitor& visit) {
  visit("kernel_size", kernel_size, {"tokens averaged into one fine key: twice kernel_stride", true, 1, kMaxExtent});
  visit("kernel_stride", kernel_stride, {"tokens between fine keys", true, 1, kMaxExtent});
  visit("block_size", block_size,
        {.help = "tokens of an attention block",
         .required = true,
         .min = 1,
         .max = kMaxExtent,
         .flag = {"--block", "N", "Tokens of a block"}});
  visit("init_blocks", init_blocks,
        {.help = "blocks at the start that are always read",
         .required = true,
         .min = 0,
         .max = kMaxExtent,
         .flag = {"--init-blocks", "N", "Blocks at the start that are always read"}});
  visit("window_size", window_size,
        {.help = "tokens of the local window",
         .required = true,
         .min = 0,
         .max = kMaxExtent,
         .flag = {"--window", "N", "Tokens of the local window"}});
  visit("topk", topk,
        {.help = "blocks read in addition to the window's",
         .required = true,
         .min = 0,
         .max = kMaxExtent,
         .flag = {"--topk", "N", "Blocks selected besides the window's"}});
  visit("dense_len", dense_len,
        {.help = "sequences shorter than this use dense attention",
         .required = true,
         .min = 0,
         .max = 9e15,
         .flag = {"--dense-len", "N", "Prompts shorter than this run dense"}});
  visit("use_nope", use_nope, {"select with keys and queries before RoPE"});
}

namespace {

constexpr const char* kName = "minicpm4";

void visit_fields(ModelConfig& config, FieldVisitor& visit) {
  visit_softmax_fields(config, visit);
  auto& own = config.own<InfLlmV2Fields>();
  visit("sparse_config", own.sparse_config,
        {.help = "block selection; required with minicpm4 layers", .required = config.uses(kName), .place = 1});
  lab_fields(visit, [&] {
    visit("exact_lse", own.exact_lse,
          {.help = "normalise block scores over fine keys instead of coarse ones",
           .flag = {"--exact-lse", "",
                    "Normalise block scores over the fine keys; the released model approximates that over coarse ones"}});
    visit("select_per", own.select_per,
          {.help = "token: every query selects; block: the first query of a block selects for all of it",
           .allowed = {"token", "block"},
           .flag = {"--select-per", "token|block",
                    "token: every query selects; block: the first query of a block selects for the whole block"}});
  });
}

void check_infllm_v2(const ModelConfig& config) {
  check_softmax_layer(config);
  const SparseConfig& sparse = config.own<InfLlmV2Fields>().sparse_config;
  const auto refuse_below = [](const char* name, int64_t value, int64_t least) {
    if (value < least) throw Error(ErrorCode::kConfig, "sparse_config.{} is {}, expected at least {}", name, value, least);
  };
  refuse_below("kernel_size", sparse.kernel_size, 1);
  refuse_below("kernel_stride", sparse.kernel_stride, 1);
  refuse_below("block_size", sparse.block_size, 1);
  refuse_below("init_blocks", sparse.init_blocks, 0);
  refuse_below("window_size", sparse.window_size, 0);
  refuse_below("topk", sparse.topk, 0);
  refuse_below("dense_len", sparse.dense_len, 0);
  const auto refuse_unless_multiple = [](const char* a_name, int64_t a, const char* b_name, int64_t b) {
    if (a % b != 0) throw Error(ErrorCode::kConfig, "sparse_config.{} {} is no multiple of {} {}", a_name, a, b_name, b);
  };
  // The released pooling takes one window before a block's first and none after its last (spec 4.5): those that overlap the
  // block, when windows are twice as long as far apart.
  if (sparse.kernel_size != 2 * sparse.kernel_stride)
    throw Error(ErrorCode::kUnsupported,
                "sparse_config.kernel_size is {}, expected {}: twice kernel_stride, as the released rule that pools scores "
                "into blocks has it",
                sparse.kernel_size, 2 * sparse.kernel_stride);
  refuse_unless_multiple("block_size", sparse.block_size, "kernel_stride", sparse.kernel_stride);
  refuse_unless_multiple("window_size", sparse.window_size, "block_size", sparse.block_size);
  if (sparse.slots() < sparse.forced_blocks())
    throw Error(ErrorCode::kConfig,
                "sparse_config: topk {} plus {} window blocks is {} blocks, {} are always read; raise topk to at least {}",
                sparse.topk, sparse.slots() - sparse.topk, sparse.slots(), sparse.forced_blocks(), sparse.init_blocks + 1);
  for (int64_t layer = 0; sparse.use_nope && layer < config.num_hidden_layers; ++layer)
    if (config.mixer_types[static_cast<std::size_t>(layer)] == kName && layer_encoding(config, layer) != no_encoding())
      throw Error(ErrorCode::kUnsupported,
                  "sparse_config.use_nope with positions in attention (attn_use_rope): selection without them beside "
                  "attention with them is not supported");
}

SelectionShape selection_of(const ModelConfig& config) {
  const SparseConfig& sparse = config.own<InfLlmV2Fields>().sparse_config;
  return {sparse.block_size, sparse.dense_len};
}

std::vector<std::string> notes(const ModelConfig& config) {
  const auto& own = config.own<InfLlmV2Fields>();
  const SparseConfig& sparse = own.sparse_config;
  return {
      fmt::format("selection: {} blocks of {} tokens a query ({} always read: {} first, own and {} window), dense below "
                  "{} tokens",
                  sparse.slots(), sparse.block_size, sparse.forced_blocks(), sparse.init_blocks,
                  sparse.window_size / sparse.block_size, sparse.dense_len),
      fmt::format("selection: scores normalised over the {} compressed keys, {}",
                  own.exact_lse ? "fine" : "coarse (approximate)",
                  own.select_per == "block" ? "the first query of a block selects for all of it" : "every query selects")};
}

}  // namespace

MixerKind infllm_v2_kind() {
  MixerKind kind;
  kind.name = kName;
  kind.description = "InfLLM-V2: block-sparse softmax attention, dense below dense_len";
  kind.source = "arXiv:2509.24663";
  kind.letters = "S";
  kind.traits = {.softmax = true, .selects = true};
  kind.state_names = {"kv cache", "compressed keys"};
  kind.cost_names = {"selection", "softmax"};
  kind.in_every_config = true;
  kind.visit_fields = visit_fields;
  kind.rope_switch = softmax_rope_switch;
  kind.check = check_infllm_v2;
  kind.tensors = softmax_layer_tensors;
  kind.shape = softmax_layer_shape;
  kind.selection = selection_of;
  kind.notes = notes;
  kind.encoding = softmax_layer_encoding;
  kind.make = make_infllm_v2;
  return kind;
}

}  // namespace sala
