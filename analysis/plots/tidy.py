"""One table of cells from whatever holds results: a run's folder, a sweep's, one of `score --out`, a table of results/family, or a folder of these."""

import csv
import difflib
import gzip
import json
import math
import re
import zlib
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

# A sample of a task with more evidence than this is read all over (cwe, fwe): depth says nothing about it.
FEW_PLACES = 16


class Problem(Exception):
    """A sentence for the user."""


class Damaged(Exception):
    """A sentence about a file that does not hold what it should."""


@contextmanager
def reading(path: Path):
    """Whatever goes wrong while `path` is read becomes Damaged; what the system refuses stays an OSError that names its file."""
    try:
        yield
    except (ArithmeticError, AttributeError, EOFError, LookupError, RuntimeError, TypeError, ValueError, csv.Error, zlib.error) as error:
        raise Damaged(f"{path} is damaged or of another program: {error!r}") from error
    except OSError as error:
        if error.filename is not None:
            raise
        raise Damaged(f"{path} is damaged or of another program: {error}") from error  # gzip and HDF5


def near(name: str, names) -> str:
    found = difflib.get_close_matches(name, sorted(names), 3)
    return f"; near it: {', '.join(found)}" if found else ""


@dataclass
class Cell:
    """One task at one length. Scores are shares of 1; NaN is unknown."""
    source: str
    member: str
    task: str
    length: int
    n: int
    score: float
    low: float
    high: float
    seed: int = 1  # of the training
    changes: str = ""  # what is not the model's own: "select=oracle; sparse_config.topk=4 (was 3)"
    arch: str = ""
    ratio: str = ""
    pe: str = ""
    trained: int = 0  # tokens; 0 is unknown
    recall: float = math.nan
    reached: float = math.nan
    seconds: float = math.nan  # of a sample
    draws: frozenset[str] = frozenset()  # seeds of the samples, where samples are not known one by one
    scores: dict[str, float] = field(default_factory=dict)  # by the sample's id, where samples are known
    places: list[tuple[float, float]] = field(default_factory=list)  # depth of a piece of evidence, and whether it was answered

    @property
    def curve(self) -> str:
        return self.member + (f" [{self.changes}]" if self.changes else "")

    @property
    def key(self) -> tuple:
        return self.curve, self.seed, self.task, self.length


def name_length(length: float) -> str:
    if length % 1024 == 0:
        return f"{int(length) // 1024}k"
    return f"{int(length) // 1000}k" if length % 1000 == 0 else f"{length:g}"


def wilson(share: float, count: int, z: float = 1.959963984540054) -> tuple[float, float]:
    """95 % bounds of a proportion; `share` may be that of half-right samples."""
    spread = z * z / count
    centre = (share + spread / 2) / (1 + spread)
    half = z * math.sqrt(share * (1 - share) / count + spread / (4 * count)) / (1 + spread)
    return max(0.0, min(share, centre - half)), min(1.0, max(share, centre + half))


def mover(cells: list[Cell]) -> tuple[float, float, float]:
    """Mean of the cells and its 95 % bounds, as the program gives them for a group of tasks."""
    mean = sum(cell.score for cell in cells) / len(cells)
    below = math.sqrt(sum((cell.score - cell.low) ** 2 for cell in cells)) / len(cells)
    above = math.sqrt(sum((cell.high - cell.score) ** 2 for cell in cells)) / len(cells)
    return mean, max(0.0, mean - below), min(1.0, mean + above)


def member_and_seed(model: str) -> tuple[str, int]:
    """`sala-tiny-s2` is the member sala-tiny, trained from its second seed."""
    found = re.search(r"-s(\d+)(?=-|$)", model)
    return (model[:found.start()] + model[found.end():], int(found[1])) if found else (model, 1)


def switch_text(text: str, config: dict) -> str:
    """A switch as the program names it, `sparse_config.topk=4 (was 3)`, but with a value that it shortened in full."""
    name, value = text.split("=", 1)[0], config
    for part in name.split("."):
        value = value[part]
    return f"{name}={json.dumps(value, separators=(',', ':'))} (was {text.rsplit(' (was ', 1)[1]}"


def changes_of(plan: dict) -> str:
    select, switches = plan.get("select", "learned"), plan.get("switches", [])  # runs before there were any have neither field
    return "; ".join(([] if select == "learned" else [f"select={select}"]) + [switch_text(text, plan["model_config"]) for text in switches])


def shape_of(config: dict) -> dict[str, str]:
    """arch, ratio and pe of a config.json, in the words of the program."""
    kinds = config.get("mixer_types", [])
    linear = sum(kind == "lightning-attn" for kind in kinds)
    softmax = len(kinds) - linear
    shared = math.gcd(softmax, linear) or 1
    known = {frozenset({"minicpm4", "lightning-attn"}): "sala", frozenset({"minicpm4"}): "sparse", frozenset({"full-attn"}): "full",
             frozenset({"lightning-attn"}): "linear", frozenset({"full-attn", "lightning-attn"}): "full-linear"}
    arch = known.get(frozenset(kinds), "mixed")
    pe = {(False, True): "hype", (True, True): "rope", (False, False): "nope", (True, False): "reverse"}[
        bool(config.get("attn_use_rope")), bool(config.get("lightning_use_rope"))]
    return {"arch": arch, "ratio": f"{softmax // shared}:{linear // shared}" if kinds else "", "pe": pe if kinds else ""}


def number(text) -> float:
    return math.nan if text in (None, "", "nan") else float(text)


def places_of(sample: dict) -> list[tuple[float, float]]:
    spans, expected = sample.get("evidence", []), sample.get("expected", [])
    if len(spans) > FEW_PLACES:
        return []
    many = len(expected) > 1 and not sample["task"].startswith("qa_")
    return [(min(1.0, max(0.0, span["depth"])), float(span["value"].lower() in sample["answer"].lower()) if many and span.get("value") in expected
             else sample["score"]) for span in spans]


def mean(values: list[float]) -> float:
    known = [value for value in values if not math.isnan(value)]
    return sum(known) / len(known) if known else math.nan


def lines_of(folder: Path) -> list[dict]:
    plain, packed = folder / "samples.jsonl", folder / "samples.jsonl.gz"
    text = plain.read_text() if plain.is_file() else gzip.decompress(packed.read_bytes()).decode() if packed.is_file() else ""
    whole = text[:text.rfind("\n") + 1]  # a kill tears the last line at most
    return [json.loads(line) for line in whole.splitlines() if line]


def read_run(folder: Path) -> list[Cell]:
    plan = json.loads((folder / "run.json").read_text())["plan"]
    member, seed = member_and_seed(plan["model"])
    config = plan["model_config"]
    common = {"source": str(folder), "member": member, "seed": seed, "changes": changes_of(plan), "trained": config.get("sala_lab", {}).get("train_length", 0),
              **shape_of(config)}
    groups: dict = {}
    for sample in lines_of(folder):
        groups.setdefault((sample["task"], sample["length"]), []).append(sample)
    cells = []
    for (task, length), samples in groups.items():
        scores = {sample["id"]: sample["score"] for sample in samples}
        share = sum(scores.values()) / len(scores)
        figures = [sample.get("figures", {}) for sample in samples]
        timing = [sum(sample["timing"][part] for part in ("prefill_seconds", "decode_seconds")) for sample in samples if "timing" in sample]
        low, high = wilson(share, len(scores))
        cells.append(Cell(task=task, length=length, n=len(scores), score=share, low=low, high=high, seconds=mean(timing), scores=scores,
                          recall=mean([figure.get("recall", math.nan) for figure in figures]), reached=mean([figure.get("reached", math.nan) for figure in figures]),
                          places=[place for sample in samples for place in places_of(sample)], **common))
    return cells


def read_summary(path: Path) -> list[Cell]:
    """What `score --out` wrote, or a run whose samples are gone."""
    made = json.loads(path.read_text())["sala"]
    plan = made["plan"]
    name = plan.get("model") or made.get("model") or json.loads(path.read_text()).get("config", {}).get("model_args") or path.parent.name
    member, seed = member_and_seed(name)
    config = plan.get("model_config", {})
    common = {"source": str(path.parent), "member": member, "seed": seed, "changes": changes_of(plan), "trained": config.get("sala_lab", {}).get("train_length", 0),
              **(shape_of(config) if config else {})}
    cells = []
    for cell in made["cells"]:
        low, high = cell["interval"]
        figure = {name: number(cell.get(f"evidence_{name}")) for name in ("recall", "reached")}
        seconds = number(cell.get("seconds")) / cell["samples"] if cell.get("seconds") else math.nan
        cells.append(Cell(task=cell["task"], length=cell["length"] or 0, n=cell["samples"], score=cell["score"], low=low, high=high, seconds=seconds, **figure, **common))
    return cells


def read_table(path: Path) -> list[Cell]:
    """A sweep's cells.csv (docs/sweeps.md), or a table of results/family."""
    with path.open(newline="") as file:
        reader = csv.DictReader(file)
        columns, rows = list(reader.fieldnames or []), list(reader)
    missing = {"task", "length", "n", "score"} - set(columns)
    if missing:
        raise Problem(f"{path} lacks the columns {', '.join(sorted(missing))}; a sweep's cells.csv and the tables of results/family have them")
    family = "member" in columns
    # The axes that have no column of their own. Where a cell was computed changes nothing of the model.
    axes = [axis for axis in (columns[columns.index("switches") + 1:columns.index("task")] if "switches" in columns else []) if axis != "device"]
    cells = []
    for row in rows:
        count = int(row["n"] or 0)
        if count == 0:
            continue  # pending, refused or failed
        share = float(row["score"])
        member, seed = (row["member"], int(row["seed"])) if family else member_and_seed(row["model"])
        low, high = wilson(share, count) if not row.get("low") else (float(row["low"]), float(row["high"]))
        select = row.get("select") or "learned"
        changes = row["changes"] if family else "; ".join(
            ([] if select == "learned" else [f"select={select}"]) + [part for part in [row.get("switches", "")] if part] + [f"{axis}={row[axis]}" for axis in axes if row[axis]])
        seconds = number(row.get("prefill_seconds")) + number(row.get("decode_seconds"))
        cells.append(Cell(source=str(path), member=member, seed=seed, changes=changes, arch=row.get("arch", ""), ratio=row.get("ratio", ""), pe=row.get("pe", ""),
                          trained=int(row.get("trained_length") or row.get("training_length") or 0), task=row["task"], length=int(row["length"]), n=count, score=share,
                          low=low, high=high, recall=number(row.get("recall")), reached=number(row.get("reached")), seconds=seconds / count,
                          draws=frozenset() if family else frozenset({row.get("seed", "")})))
    return cells


def read_one(path: Path, samples: bool) -> list[Cell]:
    """Cells of a path; none where it holds no results. `samples`: only what has samples will do."""
    if path.is_file() and path.suffix != ".csv":
        raise Problem(f"{path} is no table (.csv) and no folder")
    with reading(path):
        if path.is_file():
            return read_table(path)
        if (path / "run.json").is_file() and lines_of(path):
            return read_run(path)
        if (path / "cells.csv").is_file() and not samples:
            return read_table(path / "cells.csv")
        if (path / "summary.json").is_file():
            return read_summary(path / "summary.json")
    return []


def read(paths: list[Path], samples: bool = False) -> list[Cell]:
    """All cells of the paths; a folder that holds no results itself stands for the folders in it. Cells of one training, task and length are made one: their samples
    are pooled by id, and where samples are not known the largest cell counts. Raises Problem."""
    found: list[Cell] = []
    for path in paths:
        if not path.exists():
            raise Problem(f"there is no {path}")
        cells = read_one(path, samples)
        if not cells and path.is_dir():
            inner = sorted({file.parent for name in ("run.json", "cells.csv", "summary.json") for file in path.rglob(name)} - {path})
            cells = [cell for folder in inner for cell in read_one(folder, samples)]
            cells += [cell for table in sorted(path.glob("*.csv")) if not samples and not cells for cell in table_if_cells(table)]
        found += cells
    merged: dict[tuple, Cell] = {}
    for cell in found:
        other = merged.get(cell.key)
        merged[cell.key] = cell if other is None else pooled(other, cell)
    if not merged:
        raise Problem(f"nothing to draw: no run, sweep, table or `score --out` folder with results in {', '.join(map(str, paths))}")
    return list(merged.values())


def table_if_cells(path: Path) -> list[Cell]:
    try:
        with reading(path):
            return read_table(path)
    except Problem:
        return []  # a table of something else in the folder


def pooled(a: Cell, b: Cell) -> Cell:
    scores = {**a.scores, **b.scores}
    if a.scores and b.scores:
        count, share = len(scores), sum(scores.values()) / len(scores)
    elif a.draws and b.draws and not a.draws & b.draws and not scores:
        count, share = a.n + b.n, (a.n * a.score + b.n * b.score) / (a.n + b.n)
    else:
        return max(a, b, key=lambda cell: (bool(cell.scores), cell.n))
    if a.scores and count == len(a.scores):  # the same samples
        return a
    low, high = wilson(share, count)
    together = [(a.n, a), (b.n, b)]

    def both(name: str) -> float:
        known = [(n, getattr(cell, name)) for n, cell in together if not math.isnan(getattr(cell, name))]
        return sum(n * value for n, value in known) / sum(n for n, _ in known) if known else math.nan

    return replace(a, n=count, score=share, low=low, high=high, scores=scores, draws=a.draws | b.draws, places=a.places + b.places, recall=both("recall"), reached=both("reached"),
                   seconds=both("seconds"))


def tasks_wanted(cells: list[Cell], names: str) -> list[Cell]:
    """`names`: comma list of tasks and of their beginnings (niah is all of its eight); ruler is everything of its 13; empty: all. Raises Problem."""
    groups = {"ruler": ("niah", "vt", "cwe", "fwe", "qa")}
    there = {cell.task for cell in cells}
    kept: set[str] = set()
    for name in filter(None, names.split(",")):
        found = {task for task in there for part in groups.get(name, (name,)) if task == part or task.startswith(part + "_")}
        if not found:
            raise Problem(f"no cell of the task '{name}'{near(name, there)}; there are {', '.join(sorted(there))}")
        kept |= found
    return [cell for cell in cells if cell.task in kept] if kept else cells


def members_wanted(cells: list[Cell], names: str) -> list[Cell]:
    """`names`: comma list of members; empty: all. Raises Problem."""
    there = {cell.member for cell in cells}
    wanted = set(filter(None, names.split(",")))
    for name in sorted(wanted - there):
        raise Problem(f"no cell of the member '{name}'{near(name, there)}; there are {', '.join(sorted(there))}")
    return [cell for cell in cells if cell.member in wanted] if wanted else cells


@dataclass
class Serving:
    """One cell of the paper's figures 2 and 3, measured and predicted; NaN seconds: out of memory."""
    gpu: str
    weights: str
    metric: str
    context: float  # K tokens
    model: str
    paper: float
    predicted: float
    held_out: bool


def read_serving(paths: list[Path]) -> list[Serving]:
    """What `sala_eval paper fig2 -o csv` printed. Raises Problem."""
    cells = []
    for path in paths:
        if not path.is_file():
            raise Problem(f"there is no file {path}")
        with reading(path), path.open(newline="") as file:
            for row in csv.DictReader(file):
                if not {"gpu", "metric", "context", "paper seconds", "model seconds", "cell"} <= set(row):
                    raise Problem(f"{path} is not what `sala_eval paper fig2 -o csv` prints")
                seconds = {name: math.nan if row[name] == "OOM" else number(row[name]) for name in ("paper seconds", "model seconds")}
                cells.append(Serving(row["gpu"], row["weights"], row["metric"], float(row["context"].rstrip("K")), row["model"], seconds["paper seconds"], seconds["model seconds"],
                                     row["cell"] == "held out"))
    if not cells:
        raise Problem(f"nothing to draw: no cells in {', '.join(map(str, paths))}")
    return cells
