#!/usr/bin/env python3
"""Draws score against length, one line a model, selection policy and set of switches, from folders that `sala_eval run` wrote or from a table of
results/family. Needs matplotlib (python3-matplotlib).

  analysis/plot_curves.py results/runs/* --task niah,vt --out curves
  analysis/plot_curves.py results/family/headline.csv --task niah,vt --as-trained --out results/family/curves

A table's lengths at which a curve lacks tasks that it has elsewhere are left out. Several runs of one model are pooled by sample; another seed, sala-tiny-s2, is a thin line in the colour of its member. What --select or switches changed is a dashed line of its own, sala-tiny[select=oracle], never part of the model's. Shaded: 95 % Wilson interval over all samples at a length. Dotted: the training length.
"""

import argparse
import collections
import json
import re
import sys
import textwrap
from pathlib import Path

import family

COLOURS = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000"]  # told apart by colour-blind readers
MARKERS = "osD^vPX"


def load_runs(folders: list[Path], wanted) -> tuple[dict, dict]:
    """points[curve][length] = (sum of scores, samples), several runs of a curve pooled by sample; and the training length of each curve's model."""
    scores: dict = collections.defaultdict(lambda: collections.defaultdict(dict))
    trained: dict = {}
    for folder in folders:
        plan = json.loads((folder / "run.json").read_text())["plan"]
        changes = family.changes(plan)
        curve = plan["model"] + (f"[{changes}]" if changes else "")
        trained[curve] = plan["model_config"].get("sala_lab", {}).get("train_length", 0)
        for line in (folder / "samples.jsonl").read_text().splitlines():
            sample = json.loads(line)
            if wanted(sample["task"]):
                scores[curve][sample["length"]][sample["id"]] = sample["score"]
    return {curve: {length: (sum(all_.values()), len(all_)) for length, all_ in lengths.items()} for curve, lengths in scores.items()}, trained


def load_table(path: Path, wanted) -> tuple[dict, dict]:
    """As load_runs()."""
    cells: dict = collections.defaultdict(lambda: collections.defaultdict(dict))
    trained: dict = {}
    for row in family.read(path):
        seed = "" if row["seed"] == "1" else f"-s{row['seed']}"
        curve = row["member"] + seed + (f"[{row['changes']}]" if row["changes"] else "")
        if wanted(row["task"]):
            trained[curve] = row["trained_length"]
            cells[curve][row["length"]][row["task"]] = (row["score"] * row["n"], row["n"])
    points: dict = {}
    for curve, lengths in cells.items():
        tasks = set().union(*lengths.values())
        points[curve] = {length: (sum(s for s, _ in of.values()), sum(n for _, n in of.values())) for length, of in lengths.items() if set(of) == tasks}
    return points, trained


def member_of(curve: str) -> str:
    """The curve's member, whatever seed it was trained from: `sala-tiny` of `sala-tiny-s2`."""
    return re.sub(r"-s\d+(?=$|\[)", "", curve)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="+", type=Path, help="folders of runs (others are ignored), or one table (.csv)")
    parser.add_argument("--out", required=True, type=Path, help="name without ending; writes .png and .svg")
    parser.add_argument("--task", default="", help="only these tasks (niah = all of its eight), so that every length has the same")
    parser.add_argument("--as-trained", action="store_true", help="without what --select and switches changed")
    parser.add_argument("--title", default="Small models of this project's family")
    args = parser.parse_args()
    tasks = [task for task in args.task.split(",") if task]

    def wanted(name: str) -> bool:
        return not tasks or any(name == task or name.startswith(task + "_") for task in tasks)

    if args.runs[0].suffix == ".csv":
        points, trained = load_table(args.runs[0], wanted)
    else:
        points, trained = load_runs([run for run in args.runs if (run / "run.json").is_file() and (run / "samples.jsonl").is_file()], wanted)
    if args.as_trained:
        points = {curve: lengths for curve, lengths in points.items() if "[" not in curve}
    if not points:
        sys.exit(f"plot_curves: error [usage] nothing to draw: no table, and none of {len(args.runs)} folders holds a run (run.json and samples.jsonl) of the tasks")
    import matplotlib
    matplotlib.use("Agg")
    matplotlib.rcParams["svg.hashsalt"] = "sala"  # the same file every time
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(8.5, 4.5), layout="constrained")
    members, seeds = sorted({member_of(curve) for curve in points}), False
    for curve in sorted(points):
        index, other_seed = members.index(member_of(curve)), member_of(curve) in points and member_of(curve) != curve
        lengths = sorted(points[curve])
        values = [points[curve][length] for length in lengths]
        bounds = [family.wilson(*value) for value in values]
        colour, marker = COLOURS[index % len(COLOURS)], MARKERS[index % len(MARKERS)]
        if not other_seed:
            axes.fill_between(lengths, [100 * low for low, _ in bounds], [100 * high for _, high in bounds], color=colour, alpha=0.15, lw=0)
        axes.plot(lengths, [100 * total / count for total, count in values], color=colour, marker=marker, ls="--" if "[" in curve else "-",
                  lw=0.8 if other_seed else 1.6, ms=3 if other_seed else 6, label=None if other_seed else textwrap.fill(curve, 40))
        seeds |= other_seed
    if seeds:
        axes.plot([], [], color="0.4", lw=0.8, label="thin: another seed")
    for length in sorted({trained[curve] for curve in points if trained[curve]}):
        axes.axvline(length, color="0.4", ls=":")
        axes.annotate(f"trained to {family.name_length(length)}", (length, 3), xytext=(-3, 0), textcoords="offset points", color="0.3", fontsize=8, rotation=90, ha="right")
    ticks = sorted({length for lengths in points.values() for length in lengths})
    axes.set_xscale("log")
    axes.set_xticks(ticks, [family.name_length(t) for t in ticks])
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
