#!/usr/bin/env python3
"""Makes the tables of results/README.md from those of collect_family.py. Examples:

  analysis/family_tables.py results/family                            # prints them
  analysis/family_tables.py results/family --into results/README.md   # writes them there

A single file such as results/family/headline.csv makes the tables of that one. Scores in percent.
"""

import argparse
import collections
import re
import sys
from pathlib import Path

import family
from plots.tidy import name_length

NEEDLES = ["niah_single_1", "niah_single_2", "niah_single_3", "niah_multikey_1", "niah_multikey_2", "niah_multikey_3", "niah_multivalue", "niah_multiquery", "vt"]
RULER = [*NEEDLES, "cwe", "fwe", "qa_1", "qa_2"]
MRCR = ["mrcr_2", "mrcr_4", "mrcr_8"]
OTHERS = ["nolima", *MRCR]
TABLES = ["headline", "selection", "first_recipe"]


def load(source: Path) -> dict[str, dict[int, dict[str, float]]]:
    """scores[label][length][task] in percent, from one table or those of a folder. Switched runs have labels of their own."""
    scores: dict = collections.defaultdict(lambda: collections.defaultdict(dict))
    for path in [source] if source.is_file() else [source / f"{name}.csv" for name in TABLES]:
        for row in family.read(path) if path.is_file() else []:
            scores[family.label(row["run"])][row["length"]][row["task"]] = 100 * row["score"]
    return scores


def mean(cells: dict[str, float], tasks: list[str]) -> str:
    """Of the tasks; "-" where one is missing."""
    return f"{sum(cells[task] for task in tasks) / len(tasks):.1f}" if all(task in cells for task in tasks) else "-"


def table(head: list[str], rows: list[list[str]]) -> str:
    return "\n".join(["| " + " | ".join(head) + " |", "| --- |" + " ---: |" * (len(head) - 1), *("| " + " | ".join(row) + " |" for row in rows)])


def by_task(scores: dict, labels: list[str], length: int) -> str:
    """A row for each task that some label has, a column for each label that has the length."""
    labels = [label for label in labels if length in scores.get(label, {})]
    rows = [[task, *(mean(scores[label][length], [task]) for label in labels)] for task in [*RULER, *OTHERS]]
    rows.insert(len(RULER), ["**mean of 13**", *(mean(scores[label][length], RULER) for label in labels)])
    return table(["task", *(f"`{label}`" for label in labels)], [row for row in rows if any(cell != "-" for cell in row[1:])])


def by_length(scores: dict, labels: list[str], tasks: list[str]) -> str:
    """The mean over the tasks, a row for each length."""
    lengths = sorted({length for label in labels for length in scores.get(label, {}) if mean(scores[label][length], tasks) != "-"})
    return table(["length", *(f"`{label}`" for label in labels)],
                 [[name_length(length), *(mean(scores.get(label, {}).get(length, {}), tasks) for label in labels)] for length in lengths])


def first_recipe(scores: dict) -> str:
    """A row for each member after the first recipe, the ablations among them."""
    rows = []
    for label in sorted(label for label in scores if label.startswith("stage1-")):
        four, far = scores[label].get(4096, {}), scores[label].get(32768, {})
        rows.append([f"`{label.removeprefix('stage1-')}`", *(mean(four, tasks) for tasks in (NEEDLES, RULER, ["nolima"], MRCR)), mean(far, NEEDLES)])
    return table(["member", "needles and vt, 4k", "RULER, 4k", "NoLiMa, 4k", "MRCR, 4k", "needles and vt, 32k"], rows)


def tables(scores: dict) -> dict[str, str]:
    """All tables by name."""
    members = [f"{name}-tiny" for name in ("sala", "dense", "nope", "rope", "full", "linear")]
    seeds = [f"{member}-s2" for member in members]
    made = {f"tasks {name}": by_task(scores, members, length) for name, length in (("1k", 1024), ("2k", 2048), ("8k", 8192), ("32k", 32768), ("128k", 131072))}
    made["tasks 4k"] = by_task(scores, [*members, *seeds], 4096)
    for name, tasks in (("needles", NEEDLES), ("ruler", RULER), ("nolima", ["nolima"]), ("mrcr", MRCR)):
        made[f"lengths {name}"] = by_length(scores, [*members, "full-tiny-yarn4"] if name == "needles" else members, tasks)
        made[f"lengths {name} s2"] = by_length(scores, seeds, tasks)
    made["selection"] = by_task(scores, ["sala-tiny", *(f"sala-tiny-{by}" for by in ("oracle", "random", "adversary"))], 32768)
    made["first recipe"] = first_recipe(scores)
    return made


def written_into(page: str, made: dict[str, str]) -> str:
    """The page with what stands between `<!-- table: NAME -->` and the `<!-- end -->` behind it replaced. Raises ValueError for a page without such places, an
    unknown name, a table without rows, or a place without its end."""
    def replaced(match: re.Match) -> str:
        name, old = match[1], match[2]
        if name not in made:
            raise ValueError(f"no table '{name}'; known: {', '.join(sorted(made))}")
        if "<!-- table:" in old:
            raise ValueError(f"no <!-- end --> behind table '{name}'")
        if made[name].count("\n") < 2:
            raise ValueError(f"table '{name}' has no rows: its runs are missing")
        return f"<!-- table: {name} -->\n{made[name]}\n<!-- end -->"

    written, places = re.subn(r"<!-- table: (.+?) -->\n(.*?)<!-- end -->", replaced, page, flags=re.S)
    if places == 0 or places != page.count("<!-- table:"):
        raise ValueError("no place for a table, or one without its <!-- end -->")
    return written


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=Path, help="folder of tables, or one of them")
    parser.add_argument("--into", type=Path, help="page whose tables, from `<!-- table: NAME -->` to `<!-- end -->`, are written anew, in place of printing them")
    args = parser.parse_args()
    scores = load(args.source)
    if not scores:
        sys.exit(f"family_tables: error [usage] no tables in {args.source}")
    made = tables(scores)
    if not args.into:
        print("\n\n".join(f"## {name}\n\n{text}" for name, text in made.items()))
        return
    try:
        args.into.write_text(written_into(args.into.read_text(), made))
    except (OSError, ValueError) as error:
        sys.exit(f"family_tables: error [usage] {args.into}: {error}")


if __name__ == "__main__":
    main()
