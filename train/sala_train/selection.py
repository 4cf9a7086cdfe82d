"""A loss that trains block selection itself (ours, not the paper's; recipe field `selection_loss`).

Selection reads mean-pooled keys and passes no gradient: a block that is not selected cannot ask to be. So for some query tokens the pooled
block scores are pulled towards where the same queries and keys would attend densely.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from .attention import compress_keys
from .config import SparseConfig


def selection_loss(q: Tensor, k: Tensor, at: Tensor, cfg: SparseConfig, scale: float, temperature: float = 1.0) -> Tensor:
    """Cross-entropy between the dense attention's mass and the block scores over the blocks that are not forced, mean over probes.

    q: [B, T, H, D]; k: [B, T, Hkv, D]; at: [B, M] positions of the probing queries. The blocks of the batch's other rows C compete too:
    a longer context than the row has. temperature > 1 asks for that much more margin."""
    (batch, tokens, heads, dim), kv_heads = q.shape, k.shape[2]
    blocks, group = -(-tokens // cfg.block_size), heads // kv_heads
    q = q.gather(1, at[..., None, None].expand(-1, -1, heads, dim)).view(batch, -1, kv_heads, group, dim)
    at = at[:, None, :, None]  # [B, 1, M, 1]
    with torch.no_grad():
        future = torch.arange(tokens, device=q.device) > at
        dense = torch.einsum("bmghd,btgd->bghmt", q, k).float().mul_(scale).masked_fill_(future[:, None], float("-inf")).softmax(-1).mean(2)
        mass = F.pad(dense, (0, blocks * cfg.block_size - tokens)).unflatten(-1, (blocks, cfg.block_size)).sum(-1)  # [B, Hkv, M, Nb]
    k1 = compress_keys(k, cfg.kernel_size, cfg.kernel_stride)
    other = ~torch.eye(batch, dtype=torch.bool, device=q.device)[:, None, None, :, None]  # [B, 1, 1, C, 1]
    past = torch.arange(k1.shape[1], device=q.device) * cfg.kernel_stride + cfg.kernel_size - 1 <= at
    logits = torch.einsum("bmghd,cjgd->bghmcj", q, k1).float().mul(scale)
    logits = logits.masked_fill(~(past[:, :, :, None] | other)[:, :, None], -1e30)
    p = torch.logsumexp(logits.flatten(-2).log_softmax(-1).view_as(logits), dim=2)  # [B, Hkv, M, C, n]: the heads of a group add up
    ratio, extra = cfg.block_size // cfg.kernel_stride, cfg.kernel_size // cfg.kernel_stride - 1
    need = blocks * ratio
    p = F.pad(p, (extra, max(0, need - p.shape[-1])), value=-1e30)[..., : need + extra]
    score = p.unfold(-1, ratio + extra, ratio).amax(dim=-1)  # [B, Hkv, M, C, Nb]
    own, block = at // cfg.block_size, torch.arange(blocks, device=q.device)
    free = (block >= cfg.init_blocks) & (block < own - cfg.window_size // cfg.block_size)  # [B, 1, M, Nb]
    score = (score / temperature).masked_fill(~(free[:, :, :, None] | other), -1e30).flatten(-2).log_softmax(-1).view_as(score)
    score = score[torch.arange(batch, device=q.device), :, :, torch.arange(batch, device=q.device)]  # [B, Hkv, M, Nb]: the row's own
    return -(mass * free * score.clamp(min=-50)).sum(-1).mean()
