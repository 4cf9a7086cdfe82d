"""Measurements behind docs/theory.md: calls sala_eval, keeps what it wrote, reads run.h5 and safetensors. Needs numpy and h5py."""

import dataclasses
import json
import os
import subprocess
import time
from pathlib import Path

import h5py
import numpy as np


@dataclasses.dataclass
class Laboratory:
    """Where the program is and where its outputs are kept: a run that is there is not made again."""

    program: Path
    cache: Path

    def call(self, words: list[str]) -> None:
        began = time.monotonic()
        environment = {**os.environ}
        done = subprocess.run([str(self.program), *words], capture_output=True, text=True, env=environment)
        if done.returncode != 0:
            raise SystemExit(f"theory: error: {' '.join([self.program.name, *words])} ended with {done.returncode}:\n{done.stderr.strip()}")
        print(f"  {time.monotonic() - began:6.1f} s  sala_eval {' '.join(words)}", flush=True)

    def run(self, name: str, model: str, task: str, length: int, samples: int, *more: str, seed: int = 42) -> h5py.Group:
        """The cell of one task and length."""
        folder = self.cache / name
        marker = folder / "finished"
        words = ["run", "--model", model, "--task", task, "--len", str(length), "--samples", str(samples), "--seed", str(seed), *more]
        if not marker.exists() or marker.read_text() != " ".join(words):
            subprocess.run(["rm", "-rf", str(folder)], check=True)
            folder.parent.mkdir(parents=True, exist_ok=True)
            self.call([*words, "--quiet", "--out", str(folder)])
            marker.write_text(" ".join(words))
        return h5py.File(folder / "run.h5")[f"cells/{task}/{length}"]

    def logits(self, name: str, model: str, ids: np.ndarray, *more: str) -> dict[str, np.ndarray]:
        """Tensors that `sala_eval logits` writes for these token ids."""
        self.cache.mkdir(parents=True, exist_ok=True)
        text, out = " ".join(map(str, ids)), self.cache / f"{name}.safetensors"
        ids_file = self.cache / f"{name}.ids"
        if not out.exists() or not ids_file.exists() or ids_file.read_text() != text:
            ids_file.write_text(text)
            self.call(["logits", "--model", model, "--ids", str(ids_file), "--out", str(out), *more])
        return read_safetensors(out)


def read_safetensors(path: Path) -> dict[str, np.ndarray]:
    data = path.read_bytes()
    size = int.from_bytes(data[:8], "little")
    kinds = {"F32": np.float32, "I64": np.int64, "I32": np.int32}
    tensors = {}
    for name, entry in json.loads(data[8:8 + size]).items():
        if name != "__metadata__":
            begin, end = (8 + size + offset for offset in entry["data_offsets"])
            tensors[name] = np.frombuffer(data[begin:end], kinds[entry["dtype"]]).reshape(entry["shape"])
    return tensors


def layers_of(group: h5py.Group) -> list[str]:
    return sorted(name for name in group if name.startswith("layer_"))


def reading_head(cell: h5py.Group) -> tuple[str, int]:
    """Layer and head whose first query has the largest mean attention on evidence."""
    attention = cell["attention"]
    means = {(layer, head): mean for layer in layers_of(attention)
             for head, mean in enumerate(np.nanmean(attention[layer]["evidence_mass"][:, 0], axis=0))}
    return max(means, key=means.get)


def of_head(cell: h5py.Group, head: tuple[str, int], name: str) -> np.ndarray:
    """[N] of one head and the prompt's last token. Later queries depend on what was answered: behind a wrong token they look elsewhere."""
    return cell["attention"][head[0]][name][:, 0, head[1]]


def distance_of_needle(cell: h5py.Group) -> np.ndarray:
    """[N] tokens from the middle of the first evidence span to the first query."""
    middle = cell["evidence_tokens"][:, 0].mean(axis=1) + cell.attrs["prefix_tokens"]
    return cell["attention/probe_position"][:, 0] - middle


def free_evidence(cell: h5py.Group, layer: str) -> np.ndarray:
    """[N, P, Hkv, B] bool: evidence blocks that compete for a slot."""
    return np.isfinite(cell["select"][layer]["evidence_score"][:])


def pooled(values: np.ndarray) -> tuple[float, float, int]:
    values = values[np.isfinite(values)]
    return (float(values.mean()), float(values.std()), int(values.size)) if values.size else (float("nan"), float("nan"), 0)
