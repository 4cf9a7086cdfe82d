#!/usr/bin/env python3
"""Draws figures of scores, at the size of a two-column paper, as PNG, SVG and PDF. `sala_eval plot` calls it. Needs python3-matplotlib (scripts/setup plots).

  analysis/plot.py curves results/runs/* --task niah,vt --out curves
  analysis/plot.py curves results/family/headline.csv --task niah,vt --over-training --width page --out curves
  analysis/plot.py ablation results/sweeps/ratio_pe --out ablation
  analysis/plot.py heatmap results/runs/niah-32k-sala-tiny --out depth

PATH: a run's folder, a sweep's, one that `score --out` wrote, a table (cells.csv, results/family/headline.csv), or a folder of these. Several are drawn together.
"""

import argparse
import sys
from pathlib import Path

KINDS = ["curves", "ablation", "heatmap", "recall", "cost", "dilution", "serving"]


def fail(kind: str, what: object) -> None:
    """Ends as sala_eval does (docs/errors.md)."""
    print(f"plot: error [{kind}] {what}", file=sys.stderr)
    sys.exit({"usage": 2, "io": 5, "format": 6, "unsupported": 8}[kind])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kind", choices=KINDS, metavar="KIND", help="curves: score against length. ablation: against the ratio of softmax to linear layers, a line an "
                        "encoding. heatmap: by depth and length. recall: selection against length. cost: against seconds. dilution: attention on the evidence against length. "
                        "serving: the paper's seconds beside the cost model's, from `sala_eval paper fig2 -o csv`")
    parser.add_argument("paths", nargs="+", type=Path, metavar="PATH")
    parser.add_argument("--out", required=True, type=Path, help="name without ending")
    parser.add_argument("--width", choices=["column", "page"], default="column", help="of the paper: 3.33 or 6.9 inches [column]")
    parser.add_argument("--task", default="", metavar="LIST", help="only these tasks; niah is all of its eight, ruler all 13")
    parser.add_argument("--member", default="", metavar="LIST", help="only these models")
    parser.add_argument("--by-task", action="store_true", help="a panel for each task (curves, recall)")
    parser.add_argument("--over-training", action="store_true", help="length / training length on the axis (curves, recall)")
    parser.add_argument("--as-trained", action="store_true", help="without what --select and switches changed")
    parser.add_argument("--title", default="", help="what the caption begins with")
    args = parser.parse_args()
    from plots.tidy import Damaged, Problem, members_wanted, read, read_serving, tasks_wanted
    try:
        if args.kind == "serving":
            cells = read_serving(args.paths)
        else:
            cells = tasks_wanted(members_wanted(read(args.paths, samples=args.kind in ("heatmap", "dilution")), args.member), args.task)
            if args.as_trained and not (cells := [cell for cell in cells if not cell.changes]):
                raise Problem("nothing to draw: no cell is left by --as-trained")
        try:
            from plots import figures, style
        except ImportError as error:
            fail("unsupported", f"{sys.executable}: {error}; scripts/setup plots installs it for /usr/bin/python3 (SALA_PYTHON chooses the Python)")
        options = figures.Options(args.width, args.title, args.by_task, args.over_training)
        for path in style.save(figures.KINDS[args.kind].draw(cells, options), args.out):
            print(path)
    except Problem as problem:
        fail("usage", problem)
    except Damaged as problem:
        fail("format", problem)
    except OSError as error:
        fail("io", f"{error.filename}: {error.strerror}")


if __name__ == "__main__":
    main()
