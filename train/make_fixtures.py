#!/usr/bin/env python3
"""Small random models with the activations that the PyTorch definition computes for them in double precision.

  train/make_fixtures.py             writes tests/data/fixtures/<name>/{config.json, model.safetensors, expected.safetensors}
  train/make_fixtures.py --compare   computes them again and reports the largest difference from the committed files

expected.safetensors: ids int32 [T]; hidden.I float32 [R, E] after layer I for the last R positions (I = embedding, 0, 1, ...);
selected.I int32 [Hkv, T, slots] ascending block ids padded with -1 (only layers that select); logits float32 [T, V].
"""

import argparse
import copy
import json
import sys
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

sys.path.insert(0, str(Path(__file__).parent))
from sala_train.config import ModelConfig  # noqa: E402
from sala_train.model import SalaForCausalLM, SoftmaxMixer  # noqa: E402

TOKENS, ROWS = 203, 40
DTYPES = {"hype": torch.float32, "tied": torch.float16}  # how the weights are stored; bfloat16 where nothing is said
KINDS = {"S": "minicpm4", "F": "full-attn", "l": "lightning-attn"}
BASE = {
    "architectures": ["MiniCPMSALAForCausalLM"], "model_type": "minicpm_sala", "torch_dtype": "float32", "vocab_size": 61, "hidden_size": 48,
    "intermediate_size": 40, "num_hidden_layers": 4, "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 16, "hidden_act": "silu",
    "rms_norm_eps": 1e-6, "max_position_embeddings": 4096, "rope_theta": 10000.0, "rope_scaling": None, "attention_bias": False,
    "tie_word_embeddings": False, "bos_token_id": 1, "eos_token_id": [2], "pad_token_id": 2, "scale_emb": 1, "scale_depth": 2.0,
    "dim_model_base": 48, "mixer_types": None, "attn_use_rope": False, "attn_use_output_gate": True, "lightning_nh": 4, "lightning_nkv": 4,
    "lightning_head_dim": 16, "lightning_scale": "1/sqrt(d)", "lightning_use_rope": True, "qk_norm": True, "use_output_norm": True,
    "use_output_gate": True,
    "sparse_config": {"kernel_size": 8, "kernel_stride": 4, "block_size": 16, "init_blocks": 1, "window_size": 32, "topk": 4, "dense_len": 0},
    "sala_lab": {"attn_qk_norm": True},
}
# name -> (layer map, changes). Nested dictionaries are merged.
FIXTURES = {
    "hype": ("SllS", {}),
    "rope": ("SllS", {"attn_use_rope": True}),
    "nope": ("SllS", {"lightning_use_rope": False}),
    "reverse": ("SllS", {"lightning_use_rope": False, "attn_use_rope": True}),
    "full_rope": ("FFF", {"attn_use_rope": True, "sala_lab": {"attn_rope_theta": 500.0}}),
    "full_yarn": ("FFF", {"attn_use_rope": True,
                          "rope_scaling": {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 64}}),
    "linear_6_heads": ("lll", {"lightning_nh": 6, "lightning_nkv": 6, "lightning_head_dim": 8}),
    "slopes_given": ("lSl", {"sala_lab": {"lightning_slopes": [0.0, 0.01, 0.5, 2.0]}}),
    "bare": ("SlF", {"attn_use_output_gate": False, "use_output_gate": False, "use_output_norm": False, "qk_norm": False,
                     "lightning_scale": "1/d", "sala_lab": {"attn_qk_norm": False}}),
    "released_scalings": ("SlSl", {"scale_emb": 12, "scale_depth": 1.4, "dim_model_base": 16, "num_attention_heads": 8,
                                   "sala_lab": {"attn_qk_norm": False}}),
    "tied": ("lS", {"tie_word_embeddings": True, "dim_model_base": 12}),
    "logit_scaling": ("SFl", {"sala_lab": {"attn_logits_scaling": "hype 50"}}),
    "exact_lse": ("SlS", {"sala_lab": {"exact_lse": True}}),
    "dense_below": ("SlS", {"sparse_config": {"dense_len": 204}}),
    "wide_blocks": ("SSl", {"sparse_config": {"kernel_size": 16, "kernel_stride": 8, "block_size": 32, "window_size": 32, "topk": 2}}),
}


def merge(base: dict, changes: dict) -> dict:
    out = copy.deepcopy(base)
    for key, value in changes.items():
        out[key] = merge(out[key], value) if isinstance(value, dict) and isinstance(out.get(key), dict) else value
    return out


def config_of(name: str) -> dict:
    layers, changes = FIXTURES[name]
    config = merge(BASE, changes)
    config["mixer_types"], config["num_hidden_layers"] = [KINDS[c] for c in layers], len(layers)
    return config


def random_weights(model: SalaForCausalLM, seed: int) -> None:
    """Everything random and norms away from one, so that no wrong factor hides."""
    generator = torch.Generator().manual_seed(seed)
    for _, weight in model.named_parameters():
        draw = torch.randn(weight.shape, generator=generator)
        with torch.no_grad():
            weight.copy_(1 + 0.2 * draw if weight.dim() == 1 else draw if weight.shape[0] == model.cfg.vocab_size else draw * weight.shape[1] ** -0.5)


def block_lists(mask: torch.Tensor, slots: int) -> torch.Tensor:
    """[Hkv, T, Nb] boolean -> [Hkv, T, slots] ascending ids padded with -1."""
    ids = torch.where(mask, torch.arange(mask.shape[-1]), mask.shape[-1]).sort(dim=-1).values[..., :slots]
    ids = torch.nn.functional.pad(ids, (0, max(0, slots - ids.shape[-1])), value=mask.shape[-1])
    return torch.where(ids == mask.shape[-1], -1, ids).to(torch.int32).contiguous()


@torch.no_grad()
def expected_of(name: str, model: SalaForCausalLM) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(len(name))
    ids = torch.randint(3, model.cfg.vocab_size, (1, TOKENS), generator=generator)
    ids[0, 0] = 1
    out = {"ids": ids[0].to(torch.int32)}

    def hook(kind: str, layer: int, value: torch.Tensor) -> None:
        if kind == "hidden":
            out["hidden.embedding" if layer < 0 else f"hidden.{layer}"] = value[0, -ROWS:].float().contiguous()
        elif kind == "selected":
            out[f"selected.{layer}"] = block_lists(value[0], model.cfg.sparse.slots)

    for module in model.modules():
        if isinstance(module, SoftmaxMixer):
            module.exact_ties = True
    out["logits"] = model(ids, hook)[0].float().contiguous()
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent.parent / "tests" / "data" / "fixtures")
    parser.add_argument("--compare", action="store_true")
    args = parser.parse_args()
    failed = False
    for index, name in enumerate(FIXTURES):
        folder = args.out / name
        config = ModelConfig(config_of(name))
        model = SalaForCausalLM(config)
        if args.compare:
            model.load_state_dict({k: v.float() for k, v in load_file(folder / "model.safetensors").items()})
        else:
            random_weights(model, 100 + index)
        weights = {k: v.to(DTYPES.get(name, torch.bfloat16)).contiguous() for k, v in model.named_parameters()}
        model.load_state_dict({k: v.float() for k, v in weights.items()})
        expected = expected_of(name, model.double())
        if args.compare:
            stored = load_file(folder / "expected.safetensors")
            worst = max(float((expected[k].double() - v.double()).abs().max()) for k, v in stored.items())
            failed |= worst > 1e-5 or set(stored) != set(expected)
            print(f"{name}: max |difference| {worst:.2e}")
            continue
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "config.json").write_text(json.dumps(config.raw, indent=1) + "\n")
        save_file(weights, folder / "model.safetensors")
        save_file(expected, folder / "expected.safetensors")
    sys.exit(failed)


if __name__ == "__main__":
    main()
