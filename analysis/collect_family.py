#!/usr/bin/env python3
"""Makes the files of results/family from the folders that scripts/family_results wrote. Example:

  analysis/collect_family.py results/runs/family --out results/family

headline.csv, first_recipe.csv, ...: a row for each run, task and length. answers.jsonl.xz: a line for each sample, with what was asked for and what was answered. Scores are shares of 1.
"""

import argparse
import gzip
import json
import lzma
import sys
from pathlib import Path

import family
from plots.tidy import changes_of, member_and_seed

ANSWER_FIELDS = ["id", "task", "length", "index", "score", "stopped", "answer", "expected"]


def number(value) -> str:
    return "" if value is None else f"{value:.6g}"


def rows_of(folder: Path) -> list[dict]:
    """A row for each cell of a run."""
    made = json.loads((folder / "summary.json").read_text())["sala"]
    plan, provenance = made["plan"], made["provenance"]
    member, seed = member_and_seed(plan["model"])
    run = {"run": folder.name, "member": member, "seed": seed, "changes": changes_of(plan), "trained_length": plan["model_config"].get("sala_lab", {}).get("train_length", 0),
           "samples_version": plan["samples_version"], "numerics_version": plan["numerics_version"], "program": f"{provenance['version']} {provenance['git'][:10]}",
           "command": provenance["command"]}
    rows = []
    for cell in made["cells"]:
        low, high = cell["interval"]
        rows.append({**run, "task": cell["task"], "length": cell["length"], "n": cell["samples"], "score": repr(cell["score"]), "low": number(low), "high": number(high),
                     "recall": number(cell.get("evidence_recall")), "reached": number(cell.get("evidence_reached"))})
    return rows


def answers_of(folder: Path) -> list[dict]:
    """A line for each sample of a run; none where the run's samples are gone."""
    plain, packed = folder / "samples.jsonl", folder / "samples.jsonl.gz"
    if plain.is_file():
        text = plain.read_text()
    elif packed.is_file():
        text = gzip.decompress(packed.read_bytes()).decode()
    else:
        return []
    return [{"run": folder.name, **{field: sample[field] for field in ANSWER_FIELDS}} for sample in map(json.loads, text.splitlines())]


def write_answers(path: Path, answers: list[dict]) -> None:
    """Answers to one sample stand together: they are alike, and so is what was expected."""
    answers.sort(key=lambda line: (line["task"], line["length"], line["index"], line["run"]))
    text = "".join(json.dumps(line, ensure_ascii=False, separators=(",", ":")) + "\n" for line in answers)
    path.write_bytes(lzma.compress(text.encode(), preset=9 | lzma.PRESET_EXTREME))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", type=Path, help="folder of folders of runs")
    parser.add_argument("--out", type=Path, required=True, help="folder of the tables; those that the runs belong to are written anew, and all answers")
    parser.add_argument("--table", help="all runs belong to this table, and no answers are kept")
    args = parser.parse_args()
    folders = sorted(path.parent for path in args.runs.glob("*/summary.json"))
    if not folders:
        sys.exit(f"collect_family: error [usage] no */summary.json below {args.runs}")
    args.out.mkdir(parents=True, exist_ok=True)
    tables: dict[str, list[dict]] = {}
    for folder in folders:
        tables.setdefault(args.table or family.table_of(folder.name), []).extend(rows_of(folder))
    for name, rows in tables.items():
        family.write(args.out / f"{name}.csv", rows)
    if not args.table:
        write_answers(args.out / "answers.jsonl.xz", [line for folder in folders for line in answers_of(folder)])


if __name__ == "__main__":
    main()
