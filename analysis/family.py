"""The tables of results/family as rows: one of each run, task and length. collect_family.py writes them; others read them."""

import csv
import re
from pathlib import Path

COLUMNS = ["run", "member", "seed", "changes", "task", "length", "n", "score", "low", "high", "recall", "reached", "trained_length", "samples_version", "numerics_version", "program",
           "command"]
# Which table a run belongs to, by the name of its folder; the first that fits.
TABLES = {"first_recipe": r"stage1-", "selection": r".*-(oracle|random|adversary)-\d+k$", "counting": r"fwe100-", "headline": r""}


def table_of(run: str) -> str:
    return next(name for name, pattern in TABLES.items() if re.match(pattern, run))


def label(run: str) -> str:
    """A run's name up to its length: runs of one label are one column or curve."""
    return re.sub(r"-\d+k$", "", run)


def read(path: Path) -> list[dict]:
    """Rows of one table, numbers as numbers."""
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        row["length"], row["n"], row["score"], row["trained_length"] = int(row["length"]), int(row["n"]), float(row["score"]), int(row["trained_length"])
    return rows


def write(path: Path, rows: list[dict]) -> None:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
