"""The family (train/family.toml): members as one change each from a base, made into config.json texts of the released format."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

from .config import FULL, LIGHTNING, SPARSE, alibi_slopes

KINDS = {"S": SPARSE, "F": FULL, "L": LIGHTNING}
ENCODINGS = {"hype": (False, True), "rope": (True, True), "nope": (False, False), "reverse": (True, False)}  # on softmax, on Lightning
HEADS = ("num_attention_heads", "num_key_value_heads", "head_dim")  # of the size, or of one member
FIELDS = {"family", "base", "layers", "pe", "slopes", "attn_qk_norm", "gates", *HEADS}
TRAIN_LENGTH = 8192
FFN_MULTIPLE = 8


def parameters(raw: dict) -> int:
    """Weights of a member: embedding and head, then each layer's norms, mixer and FFN."""
    width, total = raw["hidden_size"], 2 * raw["vocab_size"] * raw["hidden_size"] + raw["hidden_size"]
    softmax = raw["num_attention_heads"] * raw["head_dim"], raw["num_key_value_heads"] * raw["head_dim"]
    linear = raw["lightning_nh"] * raw["lightning_head_dim"]
    for kind in raw["mixer_types"]:
        if kind == LIGHTNING:
            total += width * linear * (4 + raw["use_output_gate"]) + 2 * raw["lightning_head_dim"] * raw["qk_norm"] + linear * raw["use_output_norm"]
        else:
            total += width * (softmax[0] * (2 + raw["attn_use_output_gate"]) + 2 * softmax[1])
            total += 2 * raw["head_dim"] * raw["sala_lab"]["attn_qk_norm"]
        total += 3 * width * raw["intermediate_size"] + 2 * width
    return total


def decay_slopes(rule: str, heads: int, layers: int) -> list[float] | None:
    """released: null. layer-scaled: times 1 - l/(L-1) + 1e-5, layer by layer (spec 3.3). two-zero: the two slowest heads never forget."""
    slopes = alibi_slopes(heads)
    if rule == "released":
        return None
    if rule == "layer-scaled":
        return [slope * (1 - layer / (layers - 1) + 1e-5) for layer in range(layers) for slope in slopes]
    if rule == "two-zero":
        slow = sorted(range(heads), key=slopes.__getitem__)[:2]
        return [0.0 if head in slow else slope for head, slope in enumerate(slopes)]
    raise ValueError(f"family: slopes {rule!r}; known: released, layer-scaled, two-zero")


def make_config(member: dict, size: dict, name: str) -> dict:
    layers, heads = member["layers"], size["lightning_nh"]
    softmax_rope, linear_rope = ENCODINGS[member["pe"]]
    raw = {
        "architectures": ["MiniCPMSALAForCausalLM"], "model_type": "minicpm_sala", "torch_dtype": "bfloat16", "vocab_size": 4096,
        "hidden_size": size["hidden_size"], "intermediate_size": 0, "num_hidden_layers": len(layers),
        **{key: member.get(key, size[key]) for key in HEADS},
        "hidden_act": "silu", "rms_norm_eps": 1e-6, "max_position_embeddings": TRAIN_LENGTH, "rope_theta": 10000.0, "rope_scaling": None,
        "attention_bias": False, "attention_dropout": 0.0, "initializer_range": 1.0, "tie_word_embeddings": False, "use_cache": True,
        "pretraining_tp": 1, "bos_token_id": 1, "eos_token_id": [2], "pad_token_id": 2, "scale_emb": 1, "scale_depth": len(layers) ** 0.5,
        "dim_model_base": size["hidden_size"], "mup_denominator": len(layers), "mixer_types": [KINDS[letter] for letter in layers],
        "attn_use_rope": softmax_rope, "attn_use_output_gate": member["gates"], "lightning_nh": heads, "lightning_nkv": heads,
        "lightning_head_dim": size["lightning_head_dim"], "lightning_scale": "1/sqrt(d)", "lightning_use_rope": linear_rope,
        "qk_norm": True, "use_output_norm": True, "use_output_gate": member["gates"],
        "sparse_config": {"kernel_size": 32, "kernel_stride": 16, "block_size": 64, "init_blocks": 1, "window_size": 256, "topk": 12,
                          "dense_len": 0, "use_nope": False},
        "shift_labels": True,
        "sala_lab": {"attn_qk_norm": member["attn_qk_norm"], "lightning_slopes": decay_slopes(member["slopes"], heads, len(layers)),
                     "attn_rope_theta": None, "attn_logits_scaling": None, "exact_lse": False, "train_length": TRAIN_LENGTH,
                     "family": member["family"]},
    }
    # The FFN takes what the mixers leave, so that members of a size have the same number of parameters.
    each = 3 * raw["hidden_size"] * len(layers)
    raw["intermediate_size"] = round((size["parameters"] - parameters(raw)) / each / FFN_MULTIPLE) * FFN_MULTIPLE
    if raw["intermediate_size"] < FFN_MULTIPLE:
        raise ValueError(f"family: {name} has no room for an FFN in {size['parameters']} parameters")
    return raw


def load_family(path: str | Path) -> dict[str, dict]:
    """Member names to config.json contents. Raises ValueError with the member and field that are wrong."""
    family = tomllib.loads(Path(path).read_text())
    defaults, members = {"slopes": "released", "attn_qk_norm": True, "gates": True}, {}

    def changes(name: str, seen: tuple = ()) -> dict:
        if name not in family["members"] or name in seen:
            raise ValueError(f"{path}: {' -> '.join((*seen, name))}: no such base")
        own = family["members"][name]
        if unknown := set(own) - FIELDS:
            raise ValueError(f"{path}: {name}: unknown field {sorted(unknown)[0]!r}; known: {', '.join(sorted(FIELDS))}")
        return {**(changes(own["base"], (*seen, name)) if "base" in own else defaults), **own}

    for name in family["members"]:
        member = changes(name)
        if member["pe"] not in ENCODINGS:
            raise ValueError(f"{path}: {name}: pe {member['pe']!r}; known: {', '.join(ENCODINGS)}")
        if not member["layers"] or set(member["layers"]) - set(KINDS):
            raise ValueError(f"{path}: {name}: layers {member['layers']!r}; S is {SPARSE}, F {FULL}, L {LIGHTNING}")
        members[name] = make_config(member, family["size"], name)
    return members


def write_configs(path: str | Path, models: Path) -> None:
    for name, raw in load_family(path).items():
        (models / name).mkdir(parents=True, exist_ok=True)
        (models / name / "config.json").write_text(json.dumps(raw, indent=1) + "\n")
