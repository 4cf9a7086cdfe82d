"""Members in the released format: config.json, model.safetensors (bf16), training.json."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file


def export(model: torch.nn.Module, config_text: str, out: Path, training: dict) -> None:
    out.mkdir(parents=True, exist_ok=True)
    tensors = {name: p.detach().to("cpu", torch.bfloat16).contiguous() for name, p in model.named_parameters()}
    save_file(tensors, out / "model.safetensors", metadata={"format": "pt"})
    (out / "config.json").write_text(config_text)
    (out / "training.json").write_text(json.dumps(training, indent=1) + "\n")


def load_weights(model: torch.nn.Module, path: Path) -> None:
    """Raises ValueError for a file that is damaged or made for another architecture."""
    try:
        model.load_state_dict({name: weight.float() for name, weight in load_file(path).items()})
    except SafetensorError as error:
        raise ValueError(f"{path} is no safetensors file: {error}") from None
    except RuntimeError as error:
        raise ValueError(f"{path} does not fit the config: {str(error).splitlines()[1].strip()}") from None
