#!/usr/bin/env python3
"""Prints the tables of results/README.md from the folders that scripts/family_results wrote (their summary.json). Example:

  analysis/family_tables.py results/family

Scores in percent.
"""

import argparse
import collections
import json
import sys
from pathlib import Path

NEEDLES = ["niah_single_1", "niah_single_2", "niah_single_3", "niah_multikey_1", "niah_multikey_2", "niah_multikey_3", "niah_multivalue", "niah_multiquery", "vt"]
RULER = [*NEEDLES, "cwe", "fwe", "qa_1", "qa_2"]
OTHERS = ["nolima", "mrcr_2", "mrcr_4", "mrcr_8"]


def name_length(length: int) -> str:
    return f"{length // 1024}k" if length % 1024 == 0 else f"{length // 1000}k"


def load(folder: Path) -> dict[str, dict[int, dict[str, tuple[float, int]]]]:
    """scores[label][length][task] = (percent, samples). The label is the folder's name up to its length, so that switched runs stay apart."""
    scores: dict = collections.defaultdict(lambda: collections.defaultdict(dict))
    for path in sorted(folder.glob("*/summary.json")):
        label = path.parent.name.rsplit("-", 1)[0].removesuffix("-mrcr")
        summary = json.loads(path.read_text())
        for task, metrics in summary["results"].items():
            for key, value in metrics.items():
                if key.endswith(",none") and "_stderr" not in key:
                    length = int(key.split(",")[0])
                    scores[label][length][task] = (100 * value, summary["n-samples"][task][str(length)]["effective"])
    return scores


def mean(cells: dict[str, tuple[float, int]], tasks: list[str]) -> str:
    """Of the tasks; "-" where one is missing."""
    return f"{sum(cells[task][0] for task in tasks) / len(tasks):.1f}" if all(task in cells for task in tasks) else "-"


def table(head: list[str], rows: list[list[str]]) -> None:
    print("| " + " | ".join(head) + " |\n| --- |" + " ---: |" * (len(head) - 1))
    print("\n".join("| " + " | ".join(row) + " |" for row in rows) + "\n")


def by_task(scores: dict, labels: list[str], length: int) -> None:
    """A row for each task that some label has, a column for each label that has the length."""
    labels = [label for label in labels if length in scores.get(label, {})]
    rows = [[task, *(mean(scores[label][length], [task]) for label in labels)] for task in [*RULER, *OTHERS]]
    rows.insert(len(RULER), ["**mean of 13**", *(mean(scores[label][length], RULER) for label in labels)])
    table(["task", *(f"`{label}`" for label in labels)], [row for row in rows if set(row[1:]) != {"-"}])


def by_length(scores: dict, labels: list[str], tasks: list[str]) -> None:
    """The mean over the tasks, a row for each length."""
    lengths = sorted({length for label in labels for length in scores.get(label, {}) if mean(scores[label][length], tasks) != "-"})
    table(["length", *(f"`{label}`" for label in labels)],
          [[name_length(length), *(mean(scores.get(label, {}).get(length, {}), tasks) for label in labels)] for length in lengths])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    args = parser.parse_args()
    scores = load(args.folder)
    if not scores:
        sys.exit(f"family_tables: error [usage] no */summary.json below {args.folder}")
    members = [f"{name}-tiny" for name in ("sala", "dense", "nope", "rope", "full", "linear")]
    seeds = [f"{member}-s2" for member in members]
    switched = [f"sala-tiny-{by}" for by in ("oracle", "random", "adversary")]
    stage1 = sorted(label for label in scores if label.startswith("stage1-"))
    print("## 4k: headline members, then their second seeds\n")
    by_task(scores, [*members, *seeds], 4096)
    print("## Needle tasks and vt, mean of nine\n")
    by_length(scores, [*members, "full-tiny-yarn4"], NEEDLES)
    by_length(scores, seeds, NEEDLES)
    print("## All of RULER, mean of 13\n")
    by_length(scores, members, RULER)
    print("## Short prompts\n")
    for length in (1024, 2048):
        by_task(scores, members, length)
    print("## Who selects, at 32k\n")
    by_task(scores, ["sala-tiny", *switched], 32768)
    print("## After the first recipe\n")
    rows = [[f"`{label.removeprefix('stage1-')}`", mean(scores[label].get(4096, {}), NEEDLES), mean(scores[label].get(4096, {}), RULER), mean(scores[label].get(4096, {}), ["nolima"]),
             mean(scores[label].get(4096, {}), OTHERS[1:]), mean(scores[label].get(32768, {}), NEEDLES)] for label in stage1]
    table(["member", "needles and vt, 4k", "RULER, 4k", "NoLiMa, 4k", "MRCR, 4k", "needles and vt, 32k"], rows)
    for label in ("sala-tiny", "sala-tiny-s2"):
        for length in sorted(scores[label]):
            print(f"{label} {name_length(length)}: " + ", ".join(f"{task} {score:.1f}" for task, (score, _) in scores[label][length].items()) + "\n")


if __name__ == "__main__":
    main()
