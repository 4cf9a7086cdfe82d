"""scripts/reproduce_all, reproduce_table3 and reproduce_table4: what they run, and what they make of it. The program is a stand-in."""

import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# Writes down its words; `run` leaves a folder as the program does, `paper` prints.
PROGRAM = '''import json, sys
from pathlib import Path
words = sys.argv[1:]
with open(LOG, "a") as file:
    file.write(" ".join(words) + "\\n")
def value(flag):
    return words[words.index(flag) + 1]
if words[0] == "run":
    out = Path(value("--out"))
    out.mkdir(parents=True)
    plan = {"model": value("--model"), "samples_version": 5, "numerics_version": 1, "model_config": {"sala_lab": {"train_length": 8192}}}
    cell = {"task": "vt", "length": 2048, "samples": int(value("--samples")), "score": 0.5, "interval": [0.1, 0.9]}
    made = {"plan": plan, "cells": [cell], "provenance": {"version": "0", "git": "0", "command": "run"}}
    (out / "summary.json").write_text(json.dumps({"sala": made}))
elif words[0] == "paper":
    print("shown", words[1])
'''


class Reproduce(unittest.TestCase):
    def setUp(self):
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        self.folder = Path(holder.name)
        self.log, self.out = self.folder / "log", self.folder / "out"
        program = self.folder / "program"
        program.write_text(f"#!{sys.executable}\nLOG = {str(self.log)!r}\n" + PROGRAM)
        program.chmod(0o755)
        for member in ("sala-tiny", "full-tiny"):
            (self.folder / "models" / member).mkdir(parents=True)
        self.environment = {**os.environ, "SALA_EVAL": str(program), "SALA_MODELS": str(self.folder / "models"), "PAPER_RUNS": str(self.folder / "runs"),
                            "SALA_PYTHON": sys.executable}

    def run_script(self, name, *words, code=0):
        result = subprocess.run([ROOT / "scripts" / name, *words, "--out", self.out], env=self.environment, cwd=self.folder, capture_output=True, text=True)
        self.assertEqual(result.returncode, code, result.stderr)
        return result

    def calls(self, command):
        return [line.split() for line in self.log.read_text().splitlines() if line.startswith(command + " ")] if self.log.exists() else []

    def test_a_table_is_run_once_and_shown(self):
        result = self.run_script("reproduce_table4", "--samples", "3")
        self.assertIn("not run, no weights in", result.stderr)
        self.assertIn("dense-tiny linear-tiny", result.stderr)
        runs = self.calls("run")
        self.assertEqual(len(runs), 4 * 3)  # four lengths of sala, full, full with YaRN
        self.assertEqual({line[line.index("--samples") + 1] for line in runs}, {"3"})
        self.assertEqual(sum("--yarn" in line for line in runs), 4)
        self.assertRegex((self.out / "table4.md").read_text(), r"(?s)^# Table 4\n.*\nshown table4\n$")
        self.assertEqual(len((self.out / "scores.csv").read_text().splitlines()), 1 + len(runs))
        self.run_script("reproduce_table4", "--samples", "3")
        self.assertEqual(len(self.calls("run")), len(runs))

    def test_shown_is_what_is_there(self):
        self.run_script("reproduce_all", "--show", "--only", "table3")
        self.assertEqual((self.calls("run"), len(self.calls("paper"))), ([], 1))
        self.assertTrue(self.calls("paper")[0][2].endswith("results/family/headline.csv"))

    def test_a_list_runs_nothing(self):
        result = self.run_script("reproduce_all", "--list")
        self.assertEqual(self.calls("run"), [])
        self.assertTrue(all(" run --model " in line for line in result.stdout.splitlines()))
        self.assertGreater(len(result.stdout.splitlines()), 12)

    def test_wrong_words_are_refused_in_one_sentence(self):
        for words, part in ((["--fast"], "unknown flag '--fast'"), (["--only", "table9"], "not 'table9'"), (["--samples", "few"], "not 'few'"), (["--family", "../x"], "takes a name"),
                            (["--samples", "0"], "not '0'")):
            result = self.run_script("reproduce_all", *words, code=2)
            self.assertEqual(len(result.stderr.splitlines()), 1)
            self.assertIn(part, result.stderr)

    def test_without_members_nothing_is_made(self):
        result = self.run_script("reproduce_table3", "--family", "none", code=5)
        self.assertIn("there are no runs in", result.stderr.splitlines()[-1])
        self.assertFalse((self.out / "table3.md").exists())


if __name__ == "__main__":
    unittest.main()
