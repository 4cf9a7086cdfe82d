"""HALO's layer selection (spec 6.3): which layers stay softmax attention when the rest become linear."""

from __future__ import annotations

import csv
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

COMMONSENSE = ("hellaswag", "arc_easy", "arc_challenge")
RECALL = ("ruler_qa_squad", "fda", "swde")
MOST = 50.0  # cap of a score: the layer that costs commonsense least has a denominator of EPSILON
EPSILON = 1e-10


@dataclass(frozen=True)
class Sweep:
    """Scores of a model, and of it with one layer at a time replaced by its linear mixer."""

    original: tuple[float, float]  # commonsense, recall
    replaced: list[tuple[float, float]]  # by layer


def halo_scores(sweep: Sweep) -> list[float]:
    """Of each layer; higher = keep as softmax attention: replacing it hurts recall much and commonsense little."""
    best_commonsense, best_recall = (max(column) for column in zip(*sweep.replaced))
    return [min(MOST, (best_recall - recall) / (best_commonsense - commonsense + EPSILON)) for commonsense, recall in sweep.replaced]


def recall_scores(sweep: Sweep) -> list[float]:
    """The script's other mode, `jet-nemotron`: what recall loses against the original model."""
    return [sweep.original[1] - recall for _, recall in sweep.replaced]


def select_layers(scores: list[float], keep: int | None = None, always: tuple[int, ...] = ()) -> list[int]:
    """The `keep` best layers (a quarter when not given), ascending. Of equal scores the lower layer stays.

    always: layers kept whatever their score; MiniCPM-SALA keeps the first and the last (spec 6.2)."""
    keep = len(scores) // 4 if keep is None else keep
    if not max(len(always), 1) <= keep <= len(scores):
        raise ValueError(f"halo: {keep} layers of {len(scores)} cannot be kept")
    return sorted(sorted(range(len(scores)), key=lambda layer: (layer not in always, -scores[layer], layer))[:keep])


def load_sweep(path: str | Path, model: str) -> Sweep:
    """From configs/paper/halo_layer_sweep.csv: columns model, layer, metric, value. Raises ValueError for what is missing."""
    metrics: dict[str, dict[str, float]] = defaultdict(dict)
    with open(path, newline="") as file:
        for row in csv.DictReader(file):
            if row["model"] == model:
                metrics[row["layer"]][row["metric"]] = float(row["value"]) if row["value"] else float("nan")
    if not metrics:
        raise ValueError(f"{path}: no model {model!r}")

    def means(layer: str) -> tuple[float, float]:
        names = [f"commonsense/{task}/acc_norm" for task in COMMONSENSE], [f"retrieval/{task}/" for task in RECALL]
        found = metrics[layer]
        try:
            commonsense = [found[name] for name in names[0]]
            recall = [next(value for metric, value in found.items() if metric.startswith(name)) for name in names[1]]
        except (KeyError, StopIteration):
            raise ValueError(f"{path}: {model} layer {layer} lacks a metric of the selection") from None
        return sum(commonsense) / len(commonsense), sum(recall) / len(recall)

    layers = sorted(int(layer) for layer in metrics if layer != "original")
    if layers != list(range(len(layers))):
        raise ValueError(f"{path}: {model} has layers {layers}, expected 0 to {len(layers) - 1}")
    return Sweep(means("original"), [means(str(layer)) for layer in layers])
