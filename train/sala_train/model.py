"""MiniCPM-SALA and its baselines as one PyTorch module (spec section 2). Parameter names are the released tensor names."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from . import attention
from .config import FULL, LIGHTNING, SPARSE, ModelConfig
from .selection import selection_loss

Hook = Callable[[str, int, Tensor], None]
LONGEST_MASK = 16384  # tokens; beyond, sparse attention runs in pieces (no gradient, no hook)


class RMSNorm(nn.Module):
    def __init__(self, dim: int, eps: float):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(dim))
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        return F.rms_norm(x, (x.shape[-1],), self.weight.to(x.dtype), self.eps)


def _linear(inputs: int, outputs: int) -> nn.Linear:
    return nn.Linear(inputs, outputs, bias=False)


class LightningMixer(nn.Module):
    """Linear attention with a fixed decay per head (spec section 3)."""

    def __init__(self, cfg: ModelConfig, index: int):
        super().__init__()
        self.cfg, width = cfg, cfg.lightning_nh * cfg.lightning_head_dim
        assert cfg.lightning_nkv == cfg.lightning_nh, "lightning layers are plain multi-head attention"
        for name in ("q_proj", "k_proj", "v_proj"):
            setattr(self, name, _linear(cfg.hidden_size, width))
        if cfg.use_output_gate:
            self.z_proj = _linear(cfg.hidden_size, width)
        if cfg.qk_norm:
            self.q_norm, self.k_norm = (RMSNorm(cfg.lightning_head_dim, cfg.rms_norm_eps) for _ in range(2))
        if cfg.use_output_norm:
            self.o_norm = RMSNorm(width, cfg.rms_norm_eps)
        self.o_proj = _linear(width, cfg.hidden_size)
        self.register_buffer("slopes", torch.tensor(cfg.slopes(index), dtype=torch.float32), persistent=False)

    def forward(self, x: Tensor, rope: dict, hook: Hook | None, layer: int, probes: Tensor | None = None) -> Tensor:
        cfg, shape = self.cfg, (*x.shape[:2], self.cfg.lightning_nh, self.cfg.lightning_head_dim)
        q, k, v = (proj(x).view(shape) for proj in (self.q_proj, self.k_proj, self.v_proj))
        if cfg.qk_norm:
            q, k = self.q_norm(q), self.k_norm(k)
        if cfg.lightning_use_rope:
            q, k = (attention.apply_rope(part, *rope["lightning"]) for part in (q, k))
        with torch.autocast(x.device.type, enabled=False):
            wide = torch.float64 if x.dtype == torch.float64 else torch.float32
            out = attention.lightning_chunked(q.to(wide), k.to(wide), v.to(wide), self.slopes, cfg.lightning_scale_value)
        out = out.flatten(2).to(x.dtype)
        if cfg.use_output_norm:
            out = self.o_norm(out)
        if cfg.use_output_gate:
            out = out * torch.sigmoid(self.z_proj(x))
        return self.o_proj(out)


class SoftmaxMixer(nn.Module):
    """Dense causal GQA (`full-attn`) or InfLLM-V2 block-sparse attention (`minicpm4`, spec section 4)."""

    def __init__(self, cfg: ModelConfig, sparse: bool):
        super().__init__()
        self.cfg, self.sparse = cfg, sparse
        width, kv_width = cfg.num_attention_heads * cfg.head_dim, cfg.num_key_value_heads * cfg.head_dim
        self.q_proj = _linear(cfg.hidden_size, width)
        self.k_proj, self.v_proj = _linear(cfg.hidden_size, kv_width), _linear(cfg.hidden_size, kv_width)
        if cfg.attn_use_output_gate:
            self.o_gate = _linear(cfg.hidden_size, width)
        if cfg.lab("attn_qk_norm", False):
            self.q_norm, self.k_norm = (RMSNorm(cfg.head_dim, cfg.rms_norm_eps) for _ in range(2))
        self.o_proj = _linear(width, cfg.hidden_size)
        self.exact_ties = False
        self.training_topk: int | None = None  # a tighter budget while training (recipe)
        self.selection_temperature = 1.0  # of the selection loss (recipe)
        self.selection_loss: Tensor | None = None  # of the last forward pass with probes

    def _scaled(self, q: Tensor) -> Tensor:
        """Query scaling on softmax layers without positions (spec section 5)."""
        rule = self.cfg.lab("attn_logits_scaling")
        if rule is None:
            return q
        if isinstance(rule, (int, float)):
            return q * rule
        base = float(rule.split()[1]) if len(rule.split()) > 1 else 362.0
        position = torch.arange(q.shape[1], device=q.device, dtype=torch.float64)
        return q * ((position + base).log() / math.log(base)).to(q.dtype)[None, :, None, None]

    def forward(self, x: Tensor, rope: dict, hook: Hook | None, layer: int, probes: Tensor | None = None) -> Tensor:
        cfg, tokens = self.cfg, x.shape[1]
        q = self.q_proj(x).view(*x.shape[:2], cfg.num_attention_heads, cfg.head_dim)
        k, v = (proj(x).view(*x.shape[:2], cfg.num_key_value_heads, cfg.head_dim) for proj in (self.k_proj, self.v_proj))
        if cfg.lab("attn_qk_norm", False):
            q, k = self.q_norm(q), self.k_norm(k)
        if cfg.attn_use_rope:
            q, k = (attention.apply_rope(part, *rope["softmax"]) for part in (q, k))
        q, scale, selected, sparse = self._scaled(q), cfg.head_dim**-0.5, None, cfg.sparse
        if self.training and self.training_topk is not None:
            sparse = replace(sparse, topk=self.training_topk)
        dtype = torch.bfloat16 if torch.is_autocast_enabled(x.device.type) else q.dtype
        chooses = self.sparse and tokens >= sparse.dense_len
        if chooses and probes is not None:
            self.selection_loss = selection_loss(q, k, probes, sparse, scale, self.selection_temperature)
        if chooses and tokens > LONGEST_MASK:
            out = attention.sparse_attention_in_pieces(q.to(dtype), k.to(dtype), v.to(dtype), sparse, scale, cfg.lab("exact_lse", False))
        else:
            if chooses and (hook or -(-tokens // sparse.block_size) > sparse.slots):  # otherwise every block is selected
                with torch.no_grad():
                    score = attention.block_scores(q, k, sparse, scale, cfg.lab("exact_lse", False))
                    selected = attention.select_blocks(score, sparse, self.exact_ties)
                if hook:
                    hook("block_scores", layer, score)
                    hook("selected", layer, selected)
            out = attention.causal_attention(q.to(dtype), k.to(dtype), v.to(dtype), scale, selected, sparse.block_size)
        out = out.flatten(2)
        if cfg.attn_use_output_gate:
            out = out * torch.sigmoid(self.o_gate(x))
        return self.o_proj(out)


class MLP(nn.Module):
    def __init__(self, cfg: ModelConfig):
        super().__init__()
        self.gate_proj, self.up_proj = (_linear(cfg.hidden_size, cfg.intermediate_size) for _ in range(2))
        self.down_proj = _linear(cfg.intermediate_size, cfg.hidden_size)

    def forward(self, x: Tensor) -> Tensor:
        return self.down_proj(F.silu(self.gate_proj(x)) * self.up_proj(x))


class Layer(nn.Module):
    def __init__(self, cfg: ModelConfig, mixer_type: str, index: int):
        super().__init__()
        self.scale = cfg.residual_scale
        self.input_layernorm = RMSNorm(cfg.hidden_size, cfg.rms_norm_eps)
        self.post_attention_layernorm = RMSNorm(cfg.hidden_size, cfg.rms_norm_eps)
        make = {LIGHTNING: lambda c: LightningMixer(c, index), SPARSE: lambda c: SoftmaxMixer(c, True), FULL: lambda c: SoftmaxMixer(c, False)}
        self.self_attn = make[mixer_type](cfg)
        self.mlp = MLP(cfg)

    def forward(self, h: Tensor, rope: dict, hook: Hook | None, layer: int, probes: Tensor | None = None) -> Tensor:
        h = h + self.scale * self.self_attn(self.input_layernorm(h), rope, hook, layer, probes)
        return h + self.scale * self.mlp(self.post_attention_layernorm(h))


class Decoder(nn.Module):
    def __init__(self, cfg: ModelConfig):
        super().__init__()
        self.embed_tokens = nn.Embedding(cfg.vocab_size, cfg.hidden_size)
        self.layers = nn.ModuleList(Layer(cfg, kind, index) for index, kind in enumerate(cfg.mixer_types))
        self.norm = RMSNorm(cfg.hidden_size, cfg.rms_norm_eps)


class SalaForCausalLM(nn.Module):
    def __init__(self, cfg: ModelConfig):
        super().__init__()
        self.cfg, self.model = cfg, Decoder(cfg)
        if not cfg.tie_word_embeddings:
            self.lm_head = _linear(cfg.hidden_size, cfg.vocab_size)
        self._rope: dict[int, dict] = {}

    def _rope_tables(self, tokens: int, device) -> dict:
        cfg = self.cfg
        if tokens not in self._rope:
            theta = cfg.lab("attn_rope_theta") or cfg.rope_theta
            linear = attention.rope_inv_freq(cfg.lightning_head_dim, cfg.rope_theta)
            softmax = attention.rope_inv_freq(cfg.head_dim, theta, cfg.raw.get("rope_scaling"))
            self._rope[tokens] = {"lightning": attention.rope_table(tokens, *linear, device),
                                  "softmax": attention.rope_table(tokens, *softmax, device)}
        return self._rope[tokens]

    def hidden(self, ids: Tensor, hook: Hook | None = None, probes: Tensor | None = None) -> Tensor:
        """ids: [B, T] -> normalised final states divided by the muP factor [B, T, E]. probes: [B, M] queries for the selection loss."""
        rope = self._rope_tables(ids.shape[1], ids.device)
        h = self.model.embed_tokens(ids) * self.cfg.scale_emb
        if hook:
            hook("hidden", -1, h)
        for index, layer in enumerate(self.model.layers):
            h = layer(h, rope, hook, index, probes)
            if hook:
                hook("hidden", index, h)
        return self.model.norm(h) / self.cfg.logit_divisor

    def selection_loss(self) -> Tensor | float:
        """Mean over the layers that selected in the last forward pass with probes."""
        each = [loss for layer in self.model.layers if (loss := getattr(layer.self_attn, "selection_loss", None)) is not None]
        return torch.stack(each).mean() if each else 0.0

    def head(self, z: Tensor) -> Tensor:
        weight = self.model.embed_tokens.weight if self.cfg.tie_word_embeddings else self.lm_head.weight
        return F.linear(z, weight)

    def forward(self, ids: Tensor, hook: Hook | None = None) -> Tensor:
        return self.head(self.hidden(ids, hook))


def initialise(model: SalaForCausalLM, seed: int) -> None:
    """Recipe of design/model_family.md: N(0,1) embeddings, N(0, 1/fan_in) matrices, outputs and head times 0.3.

    Gates have no bias in the released format, so they start half open (z near 0) and the mixers' outputs are doubled for it."""
    generator = torch.Generator().manual_seed(seed)
    for name, weight in model.named_parameters():
        if weight.dim() == 1:
            continue
        std = weight.shape[1] ** -0.5
        if "embed_tokens" in name:
            std = 1.0
        elif "mlp.down_proj" in name or "lm_head" in name:
            std *= 0.3
        elif "o_proj" in name:
            std *= 0.6
        elif "o_gate" in name or "z_proj" in name:
            std *= 0.3
        with torch.no_grad():
            weight.copy_(torch.randn(weight.shape, generator=generator) * std)


def open_device(name: str) -> torch.device:
    """Raises ValueError with one sentence for a device that this machine lacks."""
    try:
        torch.zeros(1, device=name)
    except (RuntimeError, AssertionError) as error:
        raise ValueError(f"--device {name} is not to be had here: {str(error).splitlines()[0]}") from None
    return torch.device(name)
