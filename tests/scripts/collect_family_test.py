"""What analysis/collect_family.py keeps of runs, and that the tables of results/family follow from the answers there."""

import collections
import csv
import json
import lzma
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "analysis"))
import family  # noqa: E402
from plots.tidy import wilson  # noqa: E402


def write_run(folder, select="learned", scores=(1.0, 0.5)):
    """A folder as the program writes it, of one task."""
    folder.mkdir(parents=True)
    plan = {"model": "sala-tiny-s2", "select": select, "switches": [], "samples_version": 5, "numerics_version": 1, "model_config": {"sala_lab": {"train_length": 8192}}}
    cell = {"task": "vt", "length": 4096, "samples": len(scores), "score": sum(scores) / len(scores), "interval": [0.25, 0.875], "evidence_recall": 0.5, "evidence_reached": None}
    provenance = {"version": "0.1.0", "git": "0123456789abcdef", "command": "sala_eval run, \"quoted\""}
    (folder / "summary.json").write_text(json.dumps({"sala": {"plan": plan, "cells": [cell], "provenance": provenance}}))
    samples = [{"id": f"ruler/vt@4096#{i}!42", "task": "vt", "length": 4096, "index": i, "score": score, "stopped": True, "answer": "\u00e9\n", "expected": ["A"], "timing": {}}
               for i, score in enumerate(scores)]
    (folder / "samples.jsonl").write_text("".join(json.dumps(sample) + "\n" for sample in samples))


class Collect(unittest.TestCase):
    def test_runs_become_rows_and_answers(self):
        with tempfile.TemporaryDirectory() as temporary:
            root = Path(temporary)
            write_run(root / "runs/sala-tiny-s2-4k")
            write_run(root / "runs/sala-tiny-s2-oracle-4k", select="oracle")
            subprocess.run([sys.executable, ROOT / "analysis/collect_family.py", root / "runs", "--out", root / "out"], check=True)
            (row,) = family.read(root / "out/headline.csv")
            self.assertEqual(row, {"run": "sala-tiny-s2-4k", "member": "sala-tiny", "seed": "2", "changes": "", "task": "vt", "length": 4096, "n": 2, "score": 0.75, "low": "0.25",
                                   "high": "0.875", "recall": "0.5", "reached": "", "trained_length": 8192, "samples_version": "5", "numerics_version": "1",
                                   "program": "0.1.0 0123456789", "command": 'sala_eval run, "quoted"'})
            self.assertEqual(family.read(root / "out/selection.csv")[0]["changes"], "select=oracle")
            lines = [json.loads(line) for line in lzma.decompress((root / "out/answers.jsonl.xz").read_bytes()).decode().splitlines()]
            self.assertEqual([(line["index"], line["run"]) for line in lines], [(i, f"sala-tiny-s2{by}-4k") for i in (0, 1) for by in ("", "-oracle")])
            self.assertEqual((lines[2]["answer"], lines[2]["score"]), ("\u00e9\n", 0.5))

    def shipped_tables(self):
        return [ROOT / f"results/family/{name}.csv" for name in family.TABLES if (ROOT / f"results/family/{name}.csv").is_file()]

    def test_weights_behind_the_shipped_tables_are_shipped(self):
        members = {(row["member"], row["seed"]) for table in self.shipped_tables() for row in family.read(table)}
        members |= {(line.split(",")[0], "1") for line in (ROOT / "results/family/definition.csv").read_text().splitlines()[1:]}
        with (ROOT / "results/sweeps/hype_ratio.csv").open(newline="") as file:
            members |= {(row["model"], "1") for row in csv.DictReader(file)}
        self.assertEqual(members, {(path.parent.name, "1") for path in ROOT.glob("models/*/model.safetensors")})

    def test_shipped_tables_follow_from_the_shipped_answers(self):
        scores = collections.defaultdict(list)
        for line in lzma.open(ROOT / "results/family/answers.jsonl.xz", "rt"):
            sample = json.loads(line)
            scores[sample["run"], sample["task"], sample["length"]].append(sample["score"])
        rows = [row for table in self.shipped_tables() for row in family.read(table) if (row["run"], row["task"], row["length"]) in scores]
        self.assertEqual(len(rows), len(scores))
        for row in rows:
            answers = scores[row["run"], row["task"], row["length"]]
            low, high = wilson(sum(answers) / len(answers), len(answers))
            self.assertEqual(row["n"], len(answers))
            for found, wanted in ((row["score"], sum(answers) / len(answers)), (float(row["low"]), low), (float(row["high"]), high)):
                self.assertAlmostEqual(found, wanted, 4, msg=row["run"])


if __name__ == "__main__":
    unittest.main()
