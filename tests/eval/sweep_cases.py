"""What the tests of sweeps share: the program, a small sweep, comparing results."""

import csv
import os
import subprocess
import tempfile
import time
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
MODELS = ROOT / "models"
EXAMPLE = ROOT / "tests/data/sweep/cells.csv"
MEASURED = ("prefill_seconds", "decode_seconds", "expected_prefill_seconds", "planned_bytes", "peak_bytes")



def two_by_two(samples, lengths, more):
    """A sweep of two tasks at two lengths with two values of a switch: 8 cells. `more`: tables."""
    return f"""
[fixed]
task = "niah_single_1,niah_multikey_1"
samples = {samples}
[grid]
len = {lengths}
topk = [4, 12]
{more}"""


# And 2 cells that cannot run.
SMALL = two_by_two(3, [512, 600], """
[[include]]
len = 512
model = "nogate-tiny"
""")


def rows(folder):
    with open(folder / "cells.csv", newline="") as file:
        return list(csv.DictReader(file))


def processes_in(folder, word=""):
    """Processes that have the folder and the word on their command line."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            line = (entry / "cmdline").read_text(errors="replace") if entry.name.isdigit() else ""
            if str(folder) in line and word in line:
                found.append(int(entry.name))
        except OSError:
            pass
    return found


class SweepCase(unittest.TestCase):
    program = None

    def setUp(self):
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        self.folder = Path(holder.name)

    def write(self, text, name="small"):
        path = self.folder / (name + ".toml")
        path.write_text(text)
        return str(path)

    def words(self, *words):
        return [self.program, "sweep", *map(str, words)]

    def environment(self, **more):
        return {**os.environ, "SALA_MODELS": str(MODELS), **more}

    def start(self, *words, **options):
        return subprocess.Popen(self.words(*words), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
                                env=self.environment(), cwd=self.folder, **options)

    def end_of(self, process, wanted):
        """For assertEqual: the code of a process, the one that is wanted, and what it said."""
        said = process.communicate()[1]
        return process.returncode, wanted, said

    def run_sweep(self, *words, code=0, env=None, **options):
        done = subprocess.run(self.words(*words), capture_output=True, text=True, env=env or self.environment(),
                              cwd=self.folder, **options)
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        return done

    def assert_same(self, folder, other):
        """All results that must not depend on how a sweep ran: rows without times, and every dataset of every run."""
        self.assertEqual(*([{name: text for name, text in row.items() if name not in MEASURED} for row in rows(each)]
                           for each in (folder, other)))
        runs, wanted = ({run.parent.name: run for run in each.glob("cells/*/run.h5")} for each in (folder, other))
        self.assertEqual(sorted(runs), sorted(wanted))
        for name, run in runs.items():
            diff = subprocess.run(["h5diff", "--exclude-path", "/provenance", run, wanted[name]], capture_output=True, text=True)
            self.assertEqual(diff.returncode, 0, diff.stdout + diff.stderr)

    def wait_until(self, true, seconds=120):
        end = time.monotonic() + seconds
        while not true():
            self.assertLess(time.monotonic(), end, "waited in vain")
            time.sleep(0.02)
