#!/usr/bin/env python3
"""Prints the table of docs/training.md: what members answer of held-out rows of the training split, from their training.json. Example:

  analysis/training_tables.py models/*/training.json --recipe 5000 --length 8192

A row for each record that followed the recipe (told by its data_seed, here tasks-mrcr.toml's); what came before a record stands inside it and is looked at too.
Values of the answer that are right for single_2, multikey, multivalue and fwe; its tokens for multiquery, vt, cwe and MRCR; whole answers for qa and NoLiMa.
"""

import argparse
import json
import sys
from pathlib import Path

COLUMNS = {"niah_single_2": "values", "niah_multikey_1": "values", "niah_multikey_2": "values", "niah_multikey_3": "values", "niah_multivalue": "values", "niah_multiquery": "tokens",
           "vt": "tokens", "fwe": "values", "cwe": "tokens", "qa_1": "exact", "qa_2": "exact", "nolima": "exact", "mrcr_2": "tokens", "mrcr_8": "tokens"}


def history(record: dict):
    """The record and those that it says came before."""
    while isinstance(record, dict):
        yield record
        record = record.get("before")


def rows_of(paths: list[Path], recipe: int, length: int) -> list[list[str]]:
    """[member, a figure or "-" for each column] for each record of the recipe that was validated at the length."""
    rows = []
    for path in paths:
        member = path.parent.name if path.name == "training.json" else path.stem
        for record in history(json.loads(path.read_text())):
            found = record.get("validation", {})
            if record["recipe"]["data_seed"] != recipe or not any(key.endswith(f"_{length}") for key in found):
                continue
            cells = [found.get(f"{task}_{length}", {}).get(metric) for task, metric in COLUMNS.items()]
            stopped = "" if record["finished"] else f", {record['steps']:,} steps"
            rows.append([member + stopped, *("-" if cell is None else f"{cell:.2f}" for cell in cells)])
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("records", nargs="+", type=Path, help="training.json, or files named after members")
    parser.add_argument("--recipe", type=int, default=3000, help="its data_seed [%(default)s]")
    parser.add_argument("--length", type=int, default=8192, help="of the rows, in tokens [%(default)s]")
    args = parser.parse_args()
    rows = rows_of(args.records, args.recipe, args.length)
    if not rows:
        sys.exit(f"training_tables: error [usage] no record of recipe {args.recipe} was validated on rows of {args.length} tokens")
    print("| member | " + " | ".join(task.removeprefix("niah_") for task in COLUMNS) + " |\n| --- |" + " ---: |" * len(COLUMNS))
    print("\n".join("| " + " | ".join(row) + " |" for row in rows))


if __name__ == "__main__":
    main()
