#!/usr/bin/env python3
"""Draws score against length, one line a model, selection policy and set of switches, from the folders that `sala_eval run` wrote. Needs matplotlib (python3-matplotlib).

  analysis/plot_curves.py results/family/* --task niah,vt --out results/family/curves

Several runs of one model are pooled by sample; another seed, sala-tiny-s2, is a thin line in the colour of its member. What --select or switches changed is a dashed line of its own, sala-tiny[select=oracle], never part of the model's. Shaded: 95 % Wilson interval over all samples at a length. Dotted: the training length.
"""

import argparse
import collections
import gzip
import json
import math
import re
import sys
import textwrap
from pathlib import Path

COLOURS = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000"]  # told apart by colour-blind readers
MARKERS = "osD^vPX"
SAMPLES = ("samples.jsonl", "samples.jsonl.gz")  # as a run writes them, and packed as results/ keeps them


def wilson(successes: float, count: int, z: float = 1.96) -> tuple[float, float]:
    """Bounds of a proportion; `successes` may be fractional (a sample with four values can be half right)."""
    share, spread = successes / count, z * z / count
    centre = (share + spread / 2) / (1 + spread)
    half = z * math.sqrt(share * (1 - share) / count + spread / (4 * count)) / (1 + spread)
    return max(0.0, centre - half), min(1.0, centre + half)


def switch_text(text: str, config: dict) -> str:
    """A switch as the program names it, `sparse_config.topk=4 (was 3)`, but with a value that it shortened in full."""
    field, value = text.split("=", 1)[0], config
    for name in field.split("."):
        value = value[name]
    return f"{field}={json.dumps(value, separators=(',', ':'))} (was {text.rsplit(' (was ', 1)[1]}"


def curve_name(plan: dict) -> str:
    """The model, and in brackets what is not its own: `sala-tiny[select=oracle; sparse_config.topk=4 (was 3)]`."""
    select, switches = plan.get("select", "learned"), plan.get("switches", [])  # runs before there were any have neither field
    changes = ([] if select == "learned" else [f"select={select}"]) + [switch_text(text, plan["model_config"]) for text in switches]
    return plan["model"] + (f"[{'; '.join(changes)}]" if changes else "")


def samples_of(folder: Path) -> str:
    plain, packed = (folder / name for name in SAMPLES)
    return plain.read_text() if plain.is_file() else gzip.decompress(packed.read_bytes()).decode()


def load(folders: list[Path], tasks: list[str]) -> tuple[dict, dict]:
    """scores[curve][length][sample id], and the training length of each curve's model."""
    scores: dict = collections.defaultdict(lambda: collections.defaultdict(dict))
    trained: dict = {}
    for folder in folders:
        plan = json.loads((folder / "run.json").read_text())["plan"]
        curve = curve_name(plan)
        trained[curve] = plan["model_config"].get("sala_lab", {}).get("train_length", 0)
        for line in samples_of(folder).splitlines():
            sample = json.loads(line)
            if tasks and not any(sample["task"] == task or sample["task"].startswith(task + "_") for task in tasks):
                continue
            scores[curve][sample["length"]][sample["id"]] = sample["score"]
    return scores, trained


def member_of(curve: str) -> str:
    """The curve's member, whatever seed it was trained from: `sala-tiny` of `sala-tiny-s2`."""
    return re.sub(r"-s\d+(?=$|\[)", "", curve)


def label(length: int) -> str:
    if length % 1024 == 0:
        return f"{length // 1024}k"
    return f"{length // 1000}k" if length % 1000 == 0 else str(length)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="+", type=Path, help="folders of runs; others are ignored")
    parser.add_argument("--out", required=True, type=Path, help="name without ending; writes .png and .svg")
    parser.add_argument("--task", default="", help="only these tasks (niah = all of its eight), so that every length has the same")
    parser.add_argument("--title", default="Small models of this project's family")
    args = parser.parse_args()
    folders = [run for run in args.runs if (run / "run.json").is_file() and any((run / name).is_file() for name in SAMPLES)]
    if not folders:
        sys.exit(f"plot_curves: error [usage] none of {len(args.runs)} folders holds a run (run.json and samples.jsonl or samples.jsonl.gz)")
    import matplotlib
    matplotlib.use("Agg")
    matplotlib.rcParams["svg.hashsalt"] = "sala"  # the same file every time
    import matplotlib.pyplot as plt

    scores, trained = load(folders, [task for task in args.task.split(",") if task])
    figure, axes = plt.subplots(figsize=(8.5, 4.5), layout="constrained")
    members, seeds = sorted({member_of(curve) for curve in scores}), False
    for curve in sorted(scores):
        index, other_seed = members.index(member_of(curve)), member_of(curve) in scores and member_of(curve) != curve
        lengths = sorted(scores[curve])
        values = [list(scores[curve][length].values()) for length in lengths]
        bounds = [wilson(sum(v), len(v)) for v in values]
        colour, marker = COLOURS[index % len(COLOURS)], MARKERS[index % len(MARKERS)]
        if not other_seed:
            axes.fill_between(lengths, [100 * low for low, _ in bounds], [100 * high for _, high in bounds], color=colour, alpha=0.15, lw=0)
        axes.plot(lengths, [100 * sum(v) / len(v) for v in values], color=colour, marker=marker, ls="--" if "[" in curve else "-",
                  lw=0.8 if other_seed else 1.6, ms=3 if other_seed else 6, label=None if other_seed else textwrap.fill(curve, 40))
        seeds |= other_seed
    if seeds:
        axes.plot([], [], color="0.4", lw=0.8, label="thin: another seed")
    for length in sorted({t for t in trained.values() if t}):
        axes.axvline(length, color="0.4", ls=":")
        axes.annotate(f"trained to {label(length)}", (length, 3), xytext=(-3, 0), textcoords="offset points", color="0.3", fontsize=8, rotation=90, ha="right")
    ticks = sorted({length for by_length in scores.values() for length in by_length})
    axes.set_xscale("log")
    axes.set_xticks(ticks, [label(t) for t in ticks])
    axes.tick_params(axis="x", labelrotation=45)  # neighbouring lengths would run into one another
    axes.minorticks_off()
    axes.set(xlabel="tokens of prompt and answer", ylabel="score in percent, mean of tasks' samples", ylim=(-3, 103))
    axes.set_title(args.title, fontsize=10)
    axes.grid(alpha=0.3)
    axes.legend(loc="upper left", bbox_to_anchor=(1, 1), frameon=False)
    for ending in ("png", "svg"):
        figure.savefig(args.out.with_suffix(f".{ending}"), dpi=150, metadata={"Date": None} if ending == "svg" else None)


if __name__ == "__main__":
    main()
