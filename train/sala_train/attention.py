"""The mixers' mathematics as plain functions of q, k, v (spec sections 3 and 4).

Shapes: B batch, T tokens, H query heads, G = H / Hkv, D key dim, Nb blocks. All functions are causal and start at position 0.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from .config import SparseConfig


def rope_inv_freq(dim: int, theta: float, scaling: dict | None = None) -> tuple[Tensor, float]:
    """Inverse frequencies [D/2] and the factor on cos and sin. `scaling`: Hugging Face's `rope_scaling` of type yarn."""
    exponent = torch.arange(0, dim, 2, dtype=torch.float64) / dim
    extrapolated = theta**-exponent
    if not scaling:
        return extrapolated.float(), 1.0
    factor, original = scaling["factor"], scaling["original_max_position_embeddings"]
    beta_fast, beta_slow = scaling.get("beta_fast") or 32.0, scaling.get("beta_slow") or 1.0

    def correction_dim(rotations: float) -> float:
        return dim * math.log(original / (rotations * 2 * math.pi)) / (2 * math.log(theta))

    low, high = max(math.floor(correction_dim(beta_fast)), 0), min(math.ceil(correction_dim(beta_slow)), dim - 1)
    ramp = ((torch.arange(dim // 2, dtype=torch.float64) - low) / max(high - low, 0.001)).clamp(0, 1)
    mixed = extrapolated / factor * ramp + extrapolated * (1 - ramp)
    return mixed.float(), scaling.get("attention_factor") or 0.1 * math.log(factor) + 1.0


def rope_table(tokens: int, inv_freq: Tensor, factor: float, device) -> tuple[Tensor, Tensor]:
    """cos, sin: [T, D/2]. The angle is the fp32 product of position and inverse frequency (spec 3.2)."""
    angle = torch.arange(tokens, device=device, dtype=torch.float32)[:, None] * inv_freq.to(device)[None, :]
    angle = angle.double()
    return (angle.cos() * factor).float(), (angle.sin() * factor).float()


def apply_rope(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """x: [B, T, H, D]; half-split pairing: dim i turns with dim i + D/2."""
    a, b = x.chunk(2, dim=-1)
    cos, sin = cos[:, None, :].to(x.dtype), sin[:, None, :].to(x.dtype)
    return torch.cat((a * cos - b * sin, b * cos + a * sin), dim=-1)


def lightning_recurrent(q: Tensor, k: Tensor, v: Tensor, slopes: Tensor, scale: float) -> Tensor:
    """Spec 3.4, one token after the other. q, k: [B, T, H, D]; v: [B, T, H, Dv]; slopes: [H]."""
    decay = torch.exp(-slopes).to(q)[:, None, None]
    state = q.new_zeros(q.shape[0], q.shape[2], q.shape[3], v.shape[3])
    out = []
    for t in range(q.shape[1]):
        state = decay * state + k[:, t, :, :, None] * v[:, t, :, None, :]
        out.append(scale * torch.einsum("bhd,bhde->bhe", q[:, t], state))
    return torch.stack(out, dim=1)


def lightning_chunked(q: Tensor, k: Tensor, v: Tensor, slopes: Tensor, scale: float, chunk: int = 64) -> Tensor:
    """Spec 3.5: equals lightning_recurrent; all chunks at once, the states between them by one [N, N] decay matrix per head."""
    batch, tokens, heads, dim = q.shape
    pad = -tokens % chunk
    if pad:
        q, k, v = (F.pad(x, (0, 0, 0, 0, 0, pad)) for x in (q, k, v))
    count = (tokens + pad) // chunk
    q, k, v = (x.view(batch, count, chunk, heads, -1).permute(0, 3, 1, 2, 4) for x in (q, k, v))  # [B, H, N, C, D]
    i = torch.arange(chunk, device=q.device, dtype=torch.float64)
    n = torch.arange(count, device=q.device, dtype=torch.float64)
    s = slopes.to(q.device, torch.float64)[:, None]
    intra_decay = torch.exp(-s[:, :, None] * (i[:, None] - i[None, :]).clamp(min=0)) * (i[:, None] >= i[None, :])
    from_start, to_end = torch.exp(-s * (i + 1)), torch.exp(-s * (chunk - 1 - i))
    lag = n[:, None] - 1 - n[None, :]
    between = torch.exp(-s[:, :, None] * chunk * lag.clamp(min=0)) * (lag >= 0)
    kv = (k * to_end[None, :, None, :, None].to(k)).transpose(-1, -2) @ v  # [B, H, N, D, Dv]
    state = (between.to(kv) @ kv.flatten(3)).view_as(kv)  # [H, N, N] @ [B, H, N, D*Dv]
    scores = (q @ k.transpose(-1, -2)) * intra_decay[None, :, None].to(q)
    out = (q * from_start[None, :, None, :, None].to(q)) @ state + scores @ v
    return scale * out.permute(0, 2, 3, 1, 4).reshape(batch, tokens + pad, heads, -1)[:, :tokens]


def compress_keys(k: Tensor, kernel: int, stride: int) -> Tensor:
    """Means over complete windows (spec 4.3). k: [B, T, Hkv, D] -> [B, n, Hkv, D]."""
    if k.shape[1] < kernel:
        return k[:, :0]
    return k.unfold(1, kernel, stride).mean(dim=-1)


def _visible(position: Tensor, count: int, kernel: int, stride: int) -> Tensor:
    """[T, n]: window j may be seen by token t iff its last token is not after t (spec 4.4)."""
    last = torch.arange(count, device=position.device) * stride + kernel - 1
    return last[None, :] <= position[:, None]


def block_scores(q: Tensor, k: Tensor, cfg: SparseConfig, scale: float, exact_lse: bool = False, first: int = 0) -> Tensor:
    """Pooled block scores with forced blocks at +inf and impossible ones at -inf (spec 4.4, 4.5). [B, Hkv, T, Nb]

    q: the queries from position `first` on; k: all keys."""
    batch, queries, heads, _ = q.shape
    tokens, kv_heads = k.shape[1], k.shape[2]
    position = torch.arange(first, first + queries, device=q.device)
    ks, st = cfg.kernel_size, cfg.kernel_stride
    k1 = compress_keys(k, ks, st)
    k2 = k1 if exact_lse else compress_keys(k, 4 * ks, 4 * st)
    coarse = (ks, st) if exact_lse else (4 * ks, 4 * st)
    blocks = -(-tokens // cfg.block_size)
    grouped = q.reshape(batch, queries, kv_heads, heads // kv_heads, -1)
    if k1.shape[1] == 0:
        score = q.new_full((batch, kv_heads, queries, blocks), -math.inf)
    else:
        logits = torch.einsum("btghd,bjgd->bghtj", grouped, k1).mul_(scale)
        if k2.shape[1] == 0:
            normaliser = logits.new_zeros(*logits.shape[:-1], 1)  # no coarse key at all: every block is forced here
        else:
            rough = torch.einsum("btghd,bjgd->bghtj", grouped, k2).mul_(scale)
            rough = rough.masked_fill(~_visible(position, k2.shape[1], *coarse), -math.inf)
            normaliser = torch.logsumexp(rough, dim=-1, keepdim=True)
        p = torch.exp(logits - normaliser).nan_to_num(nan=0.0, posinf=torch.finfo(logits.dtype).max).sum(dim=2)
        p = p.masked_fill(~_visible(position, k1.shape[1], ks, st), 0.0)
        ratio, extra = cfg.block_size // st, ks // st - 1  # windows that overlap block b: ratio*b - extra .. ratio*b + ratio - 1
        need = blocks * ratio
        p = F.pad(p, (extra, max(0, need - p.shape[-1])), value=-math.inf)[..., : need + extra]
        score = p.unfold(-1, ratio + extra, ratio).amax(dim=-1)
    own = position[:, None] // cfg.block_size
    block = torch.arange(blocks, device=q.device)[None, :]
    forced = (block < cfg.init_blocks) | ((block <= own) & (block >= own - cfg.window_size // cfg.block_size))
    return score.masked_fill(forced, math.inf)


def select_blocks(score: Tensor, cfg: SparseConfig, exact_ties: bool = False) -> Tensor:
    """Boolean [B, Hkv, T, Nb]: the min(slots, Nb) best blocks, later ones dropped (spec 4.6). exact_ties: lower id wins."""
    tokens, blocks = score.shape[-2:]
    keep = min(cfg.slots, blocks)
    if exact_ties:
        chosen = torch.sort(score, dim=-1, descending=True, stable=True).indices[..., :keep]
    else:
        chosen = torch.topk(score, keep, dim=-1, sorted=False).indices
    mask = torch.zeros_like(score, dtype=torch.bool).scatter_(-1, chosen, True)
    own = torch.arange(tokens, device=score.device)[:, None] // cfg.block_size
    return mask & (torch.arange(blocks, device=score.device)[None, :] <= own)


def causal_attention(q: Tensor, k: Tensor, v: Tensor, scale: float, selected: Tensor | None = None, block_size: int = 0) -> Tensor:
    """Causal GQA softmax attention, all keys or (selected: [B, Hkv, T, Nb]) the keys of the chosen blocks. [B, T, H, Dv]"""
    (batch, tokens, heads, _), kv_heads = q.shape, k.shape[2]
    q, k, v = q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2)
    if selected is None:
        k, v = k.repeat_interleave(heads // kv_heads, dim=1), v.repeat_interleave(heads // kv_heads, dim=1)
        return F.scaled_dot_product_attention(q, k, v, is_causal=True, scale=scale).transpose(1, 2)
    mask = selected.repeat_interleave(block_size, dim=-1)[..., :tokens]
    mask = mask & torch.ones(tokens, tokens, dtype=torch.bool, device=q.device).tril()
    # The KV head joins the batch, so that its query heads share one mask: the mask is most of what this layer reads.
    q = q.reshape(batch * kv_heads, heads // kv_heads, tokens, -1)
    k, v = (x.reshape(batch * kv_heads, 1, tokens, -1).expand(-1, q.shape[1], -1, -1) for x in (k, v))
    bias = torch.zeros_like(mask, dtype=q.dtype).masked_fill(~mask, -math.inf).view(batch * kv_heads, 1, tokens, tokens)
    out = F.scaled_dot_product_attention(q, k, v, attn_mask=bias, scale=scale)
    return out.reshape(batch, heads, tokens, -1).transpose(1, 2)


def sparse_attention_in_pieces(q: Tensor, k: Tensor, v: Tensor, cfg: SparseConfig, scale: float, exact_lse: bool = False,
                               piece: int = 512) -> Tensor:
    """Selection and block-sparse attention for contexts whose [T, T] mask does not fit: equals block_scores, select_blocks and
    causal_attention, `piece` queries at a time, each reading only the keys of its blocks. [B, T, H, Dv]"""
    (batch, tokens, heads, _), kv_heads, out = q.shape, k.shape[2], []
    k_rows, v_rows = k.transpose(1, 2), v.transpose(1, 2)  # [B, Hkv, T, D]
    for first in range(0, tokens, piece):
        part = q[:, first : first + piece]
        score = block_scores(part, k, cfg, scale, exact_lse, first)
        chosen = torch.topk(score, min(cfg.slots, score.shape[-1]), dim=-1, sorted=False).indices  # [B, Hkv, P, slots]
        at = (chosen[..., None] * cfg.block_size + torch.arange(cfg.block_size, device=q.device)).flatten(3)  # [B, Hkv, P, K]
        hidden = at > torch.arange(first, first + part.shape[1], device=q.device)[:, None]
        flat = at.clamp(max=tokens - 1).flatten(2)[..., None]
        keys, values = (x.gather(2, flat.expand(-1, -1, -1, x.shape[-1])).unflatten(2, at.shape[2:]) for x in (k_rows, v_rows))
        grouped = part.reshape(batch, part.shape[1], kv_heads, heads // kv_heads, -1)
        logits = torch.einsum("bpghd,bgpkd->bgphk", grouped, keys).float() * scale
        weight = logits.masked_fill(hidden[:, :, :, None], -math.inf).softmax(-1).to(values.dtype)
        out.append(torch.einsum("bgphk,bgpkd->bpghd", weight, values).flatten(2, 3))
    return torch.cat(out, dim=1)
