// Small steps that several mixers and the FFN share, with the reference's bf16 rounding points (spec section 2).
#pragma once

#include "sala/core/tensor.h"
#include "sim/mixers/mixer.h"

namespace sala {

// Tensors of one layer, after `model.layers.I.`.
inline constexpr const char* kQ = "self_attn.q_proj.weight";
inline constexpr const char* kK = "self_attn.k_proj.weight";
inline constexpr const char* kV = "self_attn.v_proj.weight";
inline constexpr const char* kO = "self_attn.o_proj.weight";
inline constexpr const char* kQNorm = "self_attn.q_norm.weight";
inline constexpr const char* kKNorm = "self_attn.k_norm.weight";
// Projections of E columns, the output gate (null = none) and the norms of q and k.
std::vector<TensorSpec> projection_tensors(int64_t E, const LayerShape& shape, const char* gate, bool qk_norm);

// [T, H, D] rows seen as [T, H * D], and as [T * H, D]. x is contiguous.
TensorView<float, 2> flatten_heads(TensorView<float, 3> x);
TensorView<float, 2> flatten_rows(TensorView<float, 3> x);

void round_if(const ops::Context& context, TensorView<float, 2> x);
// y = x W^T, rounded in the bf16 class.
void project(const ops::Context& context, TensorView<const float, 2> x, const ops::PackedMatrix& weight,
             TensorView<float, 2> y);
// RMSNorm of each head with one weight for all heads.
void norm_heads(const ops::Context& context, TensorView<const float, 1> weight, float eps, TensorView<float, 3> x);

// Sum over tokens u = 1..tokens of the windows (kernel, stride) that lie within the first u tokens.
double sum_of_windows(int64_t tokens, int64_t kernel, int64_t stride);
// Windows within the first `tokens` tokens.
int64_t windows_within(int64_t tokens, int64_t kernel, int64_t stride);

}  // namespace sala
