"""The tables of results/family as rows: one of each run, task and length. collect_family.py writes them; others read them."""

import csv
import json
import math
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


def name_length(length: int) -> str:
    if length % 1024 == 0:
        return f"{length // 1024}k"
    return f"{length // 1000}k" if length % 1000 == 0 else str(length)


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


def changes(plan: dict) -> str:
    """What is not the model's own: `select=oracle; sparse_config.topk=4 (was 3)`."""
    select, switches = plan.get("select", "learned"), plan.get("switches", [])  # runs before there were any have neither field
    return "; ".join(([] if select == "learned" else [f"select={select}"]) + [switch_text(text, plan["model_config"]) for text in switches])


def member_and_seed(model: str) -> tuple[str, int]:
    """`sala-tiny-s2` is the member sala-tiny, trained from its second seed."""
    found = re.search(r"-s(\d+)(?=-|$)", model)
    return (model[:found.start()] + model[found.end():], int(found[1])) if found else (model, 1)


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
