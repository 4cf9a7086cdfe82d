"""The model's config.json, read the way the C++ loader reads it (spec 1.1; our extensions in `sala_lab`)."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

LIGHTNING, SPARSE, FULL = "lightning-attn", "minicpm4", "full-attn"
REQUIRED = ("vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads", "num_key_value_heads", "head_dim", "rms_norm_eps",
            "rope_theta", "tie_word_embeddings", "eos_token_id", "scale_emb", "scale_depth", "dim_model_base", "mixer_types", "attn_use_rope",
            "attn_use_output_gate", "lightning_nh", "lightning_nkv", "lightning_head_dim", "lightning_scale", "lightning_use_rope", "qk_norm",
            "use_output_norm", "use_output_gate")


def alibi_slopes(num_heads: int) -> list[float]:
    """Decay slopes of the released model (spec 3.3), also for head counts that are no power of two."""
    power = 2 ** math.floor(math.log2(num_heads))
    start = 2.0 ** (-(2.0 ** -(math.log2(power) - 3)))
    slopes = [start ** (h + 1) for h in range(power)]
    if power < num_heads:
        slopes += alibi_slopes(2 * power)[0::2][: num_heads - power]
    return slopes


@dataclass
class SparseConfig:
    kernel_size: int = 32
    kernel_stride: int = 16
    block_size: int = 64
    init_blocks: int = 1
    window_size: int = 2048
    topk: int = 64
    dense_len: int = 8192

    @property
    def slots(self) -> int:
        """Blocks a query reads: the window's blocks are added to topk (spec 4.6)."""
        return self.topk + self.window_size // self.block_size


@dataclass
class ModelConfig:
    raw: dict[str, Any] = field(repr=False)

    @staticmethod
    def load(path: str | Path) -> "ModelConfig":
        return ModelConfig(json.loads(Path(path).read_text()))

    def __getattr__(self, name: str) -> Any:  # released field names, read straight from config.json
        try:
            return self.raw[name]
        except KeyError:
            raise AttributeError(f"config.json has no field {name!r}") from None

    def lab(self, name: str, default: Any = None) -> Any:
        return self.raw.get("sala_lab", {}).get(name, default)

    @property
    def sparse(self) -> SparseConfig:
        known = SparseConfig.__dataclass_fields__
        return SparseConfig(**{k: v for k, v in self.raw.get("sparse_config", {}).items() if k in known})

    def slopes(self, layer: int) -> list[float]:
        """Of each head, for all layers or layer by layer."""
        given, heads = self.lab("lightning_slopes") or alibi_slopes(self.lightning_nh), self.lightning_nh
        own = given if len(given) == heads else given[layer * heads : (layer + 1) * heads]
        return [slope * self.lab("decay_scale", 1.0) for slope in own]

    @property
    def lightning_scale_value(self) -> float:
        return {"1/sqrt(d)": self.lightning_head_dim**-0.5, "1/d": 1.0 / self.lightning_head_dim}.get(self.lightning_scale, 1.0)

    def check(self, topks: list[int] | tuple[int, ...] = ()) -> None:
        """Raises ValueError with one sentence for what cannot be trained; the C++ loader refuses more.

        topks: budgets that a recipe puts in place of the config's while training."""
        def refuse(condition: bool, text: str) -> None:
            if condition:
                raise ValueError(f"config: {text}")

        missing = [name for name in REQUIRED if name not in self.raw]
        refuse(bool(missing), f"no field {missing and missing[0]!r}")
        positive = [name for name in REQUIRED if isinstance(self.raw[name], int) and not isinstance(self.raw[name], bool) and self.raw[name] < 1]
        refuse(bool(positive), f"{positive and positive[0]} is {positive and self.raw[positive[0]]}, expected at least 1")
        refuse(self.lab("select_per", "token") != "token", f"sala_lab.select_per is {self.lab('select_per')!r}; in training every query selects for itself")
        kinds, sparse = self.mixer_types, self.sparse
        refuse(len(kinds) != self.num_hidden_layers, f"{len(kinds)} mixer_types for {self.num_hidden_layers} layers")
        unknown = sorted(set(kinds) - {LIGHTNING, SPARSE, FULL})
        refuse(bool(unknown), f"mixer type {unknown and unknown[0]!r}; known: {LIGHTNING}, {SPARSE}, {FULL}")
        heads, groups = self.num_attention_heads, self.num_key_value_heads
        refuse(heads % groups != 0, f"{heads} attention heads do not divide into {groups} key-value heads")
        refuse(self.lightning_nkv != self.lightning_nh, f"lightning_nkv {self.lightning_nkv} differs from lightning_nh {self.lightning_nh}")
        for name in ("head_dim", "lightning_head_dim"):
            refuse(self.raw[name] % 2 != 0, f"{name} {self.raw[name]} is odd, so RoPE cannot pair it")
        if SPARSE in kinds:
            refuse(sparse.kernel_size != 2 * sparse.kernel_stride, f"sparse_config.kernel_size {sparse.kernel_size} is not twice kernel_stride {sparse.kernel_stride}, as the released pooling of scores has it")
            for name, value, of, unit in (("block_size", sparse.block_size, "kernel_stride", sparse.kernel_stride),
                                          ("window_size", sparse.window_size, "block_size", sparse.block_size)):
                refuse(unit < 1 or value % unit != 0, f"sparse_config.{name} {value} is no multiple of {of} {unit}")
            forced = sparse.init_blocks + sparse.window_size // sparse.block_size + 1
            for topk in (sparse.topk, *topks):
                slots = topk + sparse.slots - sparse.topk
                refuse(slots < forced, f"topk {topk} selects {slots} blocks, of which {forced} are always read")

    @property
    def residual_scale(self) -> float:
        return self.scale_depth / math.sqrt(self.num_hidden_layers)

    @property
    def logit_divisor(self) -> float:
        return self.hidden_size / self.dim_model_base
