// The fields of config.json that belong to no single mixer, and the mixers' own in their places.
#include "sala/model/config.h"
#include "sim/mixers/mixer.h"

namespace sala {

void LabConfig::visit_fields(FieldVisitor& visit) {
  visit("train_length", train_length,
        {.help = "longest training length in tokens; 0 = unknown", .min = 0, .max = 9e15, .place = 1});
  visit("family", family, {.help = "free text", .place = 1});
  visit("position_encodings", position_encodings,
        {.help = "encoding of each layer (`sala_eval list posencs`), one for all, or null = as attn_use_rope, "
                 "lightning_use_rope and rope_scaling say",
         .place = 1,
         .only_if_set = true,
         .trained = true});
}

void lab_fields(FieldVisitor& visit, const std::function<void()>& fields) {
  visit.group("sala_lab", {.help = "what the released config cannot express", .place = 2}, fields);
}

void ModelConfig::visit_fields(FieldVisitor& visit) {
  const bool sala = !is_qwen3();
  visit("architectures", architectures, {"class names of other tools"});
  visit("model_type", model_type, {.help = "family", .required = true, .allowed = {"minicpm_sala", "qwen3"}});
  visit("torch_dtype", torch_dtype, {"storage type of the weights (information only)"});
  visit("vocab_size", vocab_size, {"rows of the embedding", true, 1, kMaxExtent});
  visit("hidden_size", hidden_size, {"width of the residual stream", true, 1, kMaxExtent});
  visit("intermediate_size", intermediate_size, {"width of the FFN", true, 1, kMaxExtent});
  visit("num_hidden_layers", num_hidden_layers, {"layers", true, 1, kMaxLayers});
  visit("num_attention_heads", num_attention_heads, {"query heads of softmax layers", true, 1, 65536});
  visit("num_key_value_heads", num_key_value_heads,
        {"KV heads of softmax layers; default num_attention_heads", false, 1, 65536});
  visit("head_dim", head_dim, {"dimensions of a head; default hidden_size / num_attention_heads", false, 1, 65536});
  visit("hidden_act", hidden_act, {.help = "FFN activation", .allowed = {"silu"}});
  visit("rms_norm_eps", rms_norm_eps, {"added to the mean square", false, 0, 1});
  visit("max_position_embeddings", max_position_embeddings,
        {"length the model was made for (information only)", false, 0, 9e15});
  visit("rope_theta", rope_theta, {"RoPE base", false, 1, 1e18});
  visit("rope_scaling", rope_scaling, {"null or YaRN for softmax layers"});
  visit("attention_bias", attention_bias, {"biases of projections (only false)"});
  visit("tie_word_embeddings", tie_word_embeddings, {.help = "the head is the embedding", .trained = true});
  visit("use_sliding_window", use_sliding_window, {"sliding-window attention (only false)"});
  visit("bos_token_id", bos_token_id, {"begin of sequence", false, 0, kMaxExtent});
  visit("pad_token_id", pad_token_id, {"padding", false, 0, kMaxExtent});
  visit("eos_token_id", eos_token_id, {"stop on any of these", false, 0, kMaxExtent});
  visit("scale_emb", scale_emb, {"factor on the embedding", sala, -1e9, 1e9});
  visit("scale_depth", scale_depth, {"residual factor times sqrt(layers)", sala, -1e9, 1e9});
  visit("dim_model_base", dim_model_base, {"logits are divided by hidden_size / dim_model_base", sala, 1e-9, 1e9});
  visit("mixer_types", mixer_types,
        {.help = "mixer of each layer (`sala_eval list mixers`)", .required = sala, .trained = true});
  lab_fields(visit, [&] { sala_lab.visit_fields(visit); });
  for (const MixerKind* kind : shown_kinds(*this))  // mixer_types has been read by now
    if (kind->visit_fields != nullptr) kind->visit_fields(*this, visit);
}

}  // namespace sala
