"""scripts/reproduce_all, reproduce_table3 and reproduce_table4: what they run, and what they make of it. The program is a stand-in
that takes no MRCR below 2,048 tokens."""

import json
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
if words[0] == "run" and value("--task").startswith("mrcr") and int(value("--len")) < 2048:
    sys.exit(print("sala_eval: error [usage] mrcr: length 1024 is too small", file=sys.stderr) or 2)
if words[0] == "run":
    out = Path(value("--out"))
    out.mkdir(parents=True, exist_ok=True)
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
            self.make_member(member, 8192)
        self.environment = {**os.environ, "SALA_EVAL": str(program), "SALA_MODELS": str(self.folder / "models"), "PAPER_RUNS": str(self.folder / "runs"),
                            "SALA_PYTHON": sys.executable}

    def make_member(self, name, training_length, weights="first"):
        folder = self.folder / "models" / name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "config.json").write_text(json.dumps({"sala_lab": {"train_length": training_length}}))
        (folder / "model.safetensors").write_text(weights)

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
        self.run_script("reproduce_table4", "--samples", "2")  # what is there is enough
        self.assertEqual(len(self.calls("run")), len(runs))

    def test_more_samples_and_new_weights_are_run(self):
        self.run_script("reproduce_table4", "--samples", "3")
        before = len(self.calls("run"))
        self.run_script("reproduce_table4", "--samples", "5")
        more = self.calls("run")[before:]
        self.assertEqual([(line[line.index("--samples") + 1], "--resume" in line) for line in more], [("5", True)] * before)
        self.make_member("sala-tiny", 8192, "second")
        self.run_script("reproduce_table4", "--samples", "5")
        self.assertEqual({line[line.index("--model") + 1] for line in self.calls("run")[2 * before:]}, {"sala-tiny"})

    def test_a_device_is_told_to_every_run(self):
        self.run_script("reproduce_table4", "--samples", "1", "--device", "cuda")
        runs = self.calls("run")
        self.assertEqual({line[line.index("--device") + 1] for line in runs}, {"cuda"})
        self.assertIn("takes cpu or cuda", self.run_script("reproduce_table4", "--device", "gpu", code=2).stderr)

    def test_lengths_follow_from_the_training_length(self):
        def lengths(task):
            return {int(line[line.index("--len") + 1]) for line in self.calls("run") if line[line.index("--task") + 1] == task}

        result = self.run_script("reproduce_all", "--samples", "1")
        self.assertEqual(lengths("ruler"), {1024, 2048, 8192, 16384, 32768})
        self.assertEqual(lengths("nolima"), {512, 1024, 2048, 8192})
        self.assertEqual(lengths("mrcr_4"), {1024, 2048, 8192})
        self.assertIn("too short for a sample: full-tiny-mrcr_2-1k", result.stderr)
        self.log.unlink()
        for member in ("sala-long", "full-long"):
            self.make_member(member, 32768)
        self.run_script("reproduce_all", "--family", "long", "--samples", "1", "--only", "table4")
        self.assertEqual(lengths("ruler"), {8192, 32768, 65536, 131072})
        self.make_member("sala-none", 0)
        self.assertIn("does not say its training length", self.run_script("reproduce_all", "--family", "none", code=2).stderr)

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
