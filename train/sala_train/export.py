"""Writes a member in the released format: config.json, model.safetensors (bf16), training.json."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from safetensors.torch import save_file


def export(model: torch.nn.Module, config_text: str, out: Path, training: dict) -> None:
    out.mkdir(parents=True, exist_ok=True)
    tensors = {name: p.detach().to("cpu", torch.bfloat16).contiguous() for name, p in model.named_parameters()}
    save_file(tensors, out / "model.safetensors", metadata={"format": "pt"})
    (out / "config.json").write_text(config_text)
    (out / "training.json").write_text(json.dumps(training, indent=1) + "\n")
