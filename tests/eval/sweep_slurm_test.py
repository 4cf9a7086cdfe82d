"""Sweeps as jobs of a real Slurm of one node: results, jobs that are cancelled and killed. Arguments: the program sala_eval,
and how many jobs to kill."""

import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

from one_node_slurm import OneNodeSlurm, missing
from sweep_cases import SweepCase, processes_in, rows, two_by_two

KILLS = int(sys.argv.pop(2))
SweepCase.program = sys.argv.pop(1)

SWEEP = two_by_two(4, [1024, 3000], """
[slurm]
jobs = 3
cpus = 1
requeue = 100
""")


@unittest.skipIf(missing(), f"no Slurm here (slurm-wlm, munge): {', '.join(missing())}")
class Slurm(SweepCase):
    @classmethod
    def setUpClass(cls):
        cls.holder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.holder.cleanup)
        cls.slurm = OneNodeSlurm(cls.holder.name)
        cls.addClassCleanup(cls.slurm.stop)
        cls.slurm.start()
        cls.whole = Path(cls.holder.name) / "whole"

    def environment(self, **more):
        return {**super().environment(), **{name: self.slurm.environment[name] for name in ("SLURM_CONF", "PATH")}, **more}

    def assert_as_without_slurm(self, out):
        if not (Slurm.whole / "cells.csv").exists():
            self.run_sweep(self.write(SWEEP), "--out", Slurm.whole)
        self.assert_same(out, Slurm.whole)

    def jobs(self):
        return self.slurm.run("squeue", "--noheader", "--format=%A").stdout.split()

    def test_waits_and_collects(self):
        out = self.folder / "out"
        done = self.run_sweep(self.write(SWEEP), "--out", out, "--launcher", "slurm", "--wait")
        self.assertIn("3 tasks of 3", done.stderr)
        self.assert_as_without_slurm(out)
        again = self.run_sweep(self.write(SWEEP), "--out", out, "--launcher", "slurm", "--wait")
        self.assertNotIn("Slurm job", again.stderr)

    def test_cancelled_jobs_go_on(self):
        out = self.folder / "out"
        words = (self.write(SWEEP), "--out", out, "--launcher", "slurm")
        self.assertIn("submitted", self.run_sweep(*words).stdout)
        self.wait_until(lambda: list(out.glob("cells/*/samples.jsonl")))
        job = self.jobs()[0]
        self.assertIn(f"job {job} of this sweep is in Slurm", self.run_sweep(*words, code=2).stderr)
        self.assertIn(f"Slurm job {job}: ", self.run_sweep("status", out).stdout)
        self.slurm.run("scancel", job)
        self.wait_until(lambda: not self.jobs() and not processes_in(out))
        self.run_sweep("collect", out, code=1)
        self.assertIn("pending", {row["status"] for row in rows(out)})
        self.run_sweep(*words, "--wait")
        self.assert_as_without_slurm(out)

    def test_killed_jobs_and_a_killed_waiter(self):
        out = self.folder / "out"
        words = (self.write(SWEEP), "--out", out, "--launcher", "slurm", "--wait")
        chance = random.Random(2)
        waiter = self.start(*words)
        kills = 0
        while kills < KILLS:
            self.wait_until(lambda: processes_in(out, "--shard") or waiter.poll() is not None)
            if waiter.poll() is not None:  # it was faster than the kills: once more
                self.assertEqual(*self.end_of(waiter, 0))
                shutil.rmtree(out)
                waiter = self.start(*words)
                continue
            time.sleep(chance.uniform(0, 1.5))
            for pid in processes_in(out, "--shard")[:1]:
                try:
                    os.kill(pid, signal.SIGKILL)
                    kills += 1
                except ProcessLookupError:  # it has just ended
                    pass
            if kills == 2 and waiter.poll() is None:
                waiter.kill()
                waiter.communicate()
                before = self.jobs()
                waiter = self.start(*words)  # waits for the jobs that are there
                self.assertLessEqual(set(self.jobs()), set(before))
        self.assertEqual(*self.end_of(waiter, 0))
        self.assert_as_without_slurm(out)

    def test_a_lost_node(self):
        out = self.folder / "out"
        waiter = self.start(self.write(SWEEP), "--out", out, "--launcher", "slurm", "--wait")
        self.wait_until(lambda: processes_in(out, "--shard"))
        self.slurm.lose_node(processes_in(out, "--shard"))
        self.slurm.start_node()
        self.assertEqual(*self.end_of(waiter, 0))
        self.assert_as_without_slurm(out)

    def test_a_partition_that_is_not_there(self):
        text = SWEEP + "partition = 'nowhere'\n"
        done = self.run_sweep(self.write(text), "--out", self.folder / "out", "--launcher", "slurm", "--quiet", code=5)
        self.assertRegex(done.stderr, r"^sala_eval: error \[io\] Slurm refused the job: sbatch: error: .*partition")

    def test_no_controller(self):
        environment = self.environment(SLURM_CONF="/nonexistent")
        done = subprocess.run(self.words(self.write(SWEEP), "--out", self.folder / "out", "--launcher", "slurm", "--quiet"),
                              capture_output=True, text=True, env=environment, cwd=self.folder)
        self.assertEqual(done.returncode, 5, done.stderr)
        self.assertIn("Slurm refused the job", done.stderr)


if __name__ == "__main__":
    unittest.main(verbosity=1)
