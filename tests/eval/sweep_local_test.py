"""Sweeps on this machine: results, kills, bad input. Arguments: the program sala_eval, the module of faults (io_faults.cc), how
many kills to survive, and, where not all tests are to run, their names."""

import csv
import errno
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import time
import unittest

from sweep_cases import EXAMPLE, SMALL, SweepCase, processes_in, rows

KILLS = int(sys.argv.pop(3))
FAULTS = sys.argv.pop(2)
SweepCase.program = sys.argv.pop(1)


class Results(SweepCase):
    def test_table_and_second_call(self):
        out = self.folder / "out"
        sweep = self.write(SMALL)
        plan = self.run_sweep(sweep, "--out", out, "--dry-run")
        self.assertIn("10 cells (8 pending, 2 refused)", plan.stdout)
        self.assertFalse(out.exists())
        self.run_sweep(sweep, "--out", out, code=1)
        table = rows(out)
        self.assertEqual([*table[0]], next(csv.reader([EXAMPLE.read_text().splitlines()[0]])))
        self.assertEqual([row["status"] for row in table], ["done"] * 8 + ["refused"] * 2)
        self.assertEqual({(row["task"], row["length"], row["topk"]) for row in table[:8]},
                         {(task, length, topk) for task in ("niah_single_1", "niah_multikey_1") for length in ("512", "600")
                          for topk in ("4", "12")})
        for row in table[:8]:
            self.assertEqual((row["model"], row["arch"], row["ratio"], row["layers"], row["pe"], row["training_length"]),
                             ("sala-tiny", "sala", "3:5", "SLLSLLLS", "hype", "8192"))
            self.assertEqual(row["n"], "3")
            self.assertEqual(bool(row["switches"]), row["topk"] == "4")
            self.assertLessEqual(float(row["low"]), float(row["score"]))
            self.assertLessEqual(float(row["score"]), float(row["high"]))
        for row in table[8:]:
            self.assertEqual((row["cell"], row["model"], row["ratio"], row["n"]), ("", "nogate-tiny", "", "0"))
            self.assertIn("the weights of nogate-tiny are not here; `train/train_members.py", row["error"])
        before = {path: path.stat().st_mtime_ns for path in (out / "cells").rglob("*")}
        text = (out / "cells.csv").read_bytes()
        again = self.run_sweep(sweep, "--out", out, code=1)
        self.assertIn("nothing is left to run", again.stderr)
        self.assertEqual({path: path.stat().st_mtime_ns for path in (out / "cells").rglob("*")}, before)
        self.assertEqual((out / "cells.csv").read_bytes(), text)
        status = self.run_sweep("status", out)
        self.assertIn("small: 10 cells (8 done, 2 refused)", status.stdout)

    def test_sweeps_of_one_folder_share_cells(self):
        out = self.folder / "out"
        self.run_sweep(self.write("[grid]\ntask='niah_single_1'\nlen=512\nsamples=2\ntopk=[4,12]\n", "a"), "--out", out)
        journals = {path: path.stat().st_mtime_ns for path in (out / "cells").rglob("samples.jsonl")}
        self.assertEqual(len(journals), 2)
        # 12 is the model's own, so the first cell is there; the second is not.
        plan = self.run_sweep(self.write("[grid]\ntask='niah_single_1'\nlen=[512,600]\nsamples=2\n", "b"), "--out", out)
        self.assertIn("2 cells (1 done, 1 pending)", plan.stderr)
        self.assertEqual({path: path.stat().st_mtime_ns for path in journals}, journals)
        self.assertEqual([(row["topk"], row["length"]) for row in rows(out)], [("4", "512"), ("12", "512"), ("12", "600")])

    def test_shards_side_by_side_and_apart_give_the_whole(self):
        sweep = self.write(SMALL)
        whole, side, apart = self.folder / "whole", self.folder / "side", self.folder / "apart"
        self.run_sweep(sweep, "--out", whole, code=1)
        shards = [self.start(sweep, "--out", side, "--shard", f"{i}/2", "--jobs", 1) for i in (1, 2)]
        for shard in shards:
            self.assertEqual(*self.end_of(shard, 0))
        self.run_sweep("collect", side, code=1)
        self.assert_same(side, whole)
        for i in (1, 2):
            self.run_sweep(sweep, "--out", self.folder / str(i), "--shard", f"{i}/2")
            self.assertEqual(len(list((self.folder / str(i) / "cells").iterdir())), 4)
        self.run_sweep("merge", self.folder / "1", self.folder / "2", "--out", apart, code=1)
        self.assert_same(apart, whole)

    def test_more_samples_extend_a_cell(self):
        out = self.folder / "out"
        text = "[grid]\ntask='niah_single_1'\nlen=512\nsamples={}\n"
        self.run_sweep(self.write(text.format(2)), "--out", out)
        first = next((out / "cells").glob("*/samples.jsonl")).read_text()
        self.run_sweep(self.write(text.format(4)), "--out", out)
        self.assertTrue(next((out / "cells").glob("*/samples.jsonl")).read_text().startswith(first))
        self.assertEqual([row["n"] for row in rows(out)], ["4"])
        self.run_sweep(self.write(text.format(3)), "--out", out)  # what is there counts
        self.assertEqual([row["n"] for row in rows(out)], ["3"])


class Kills(SweepCase):
    def test_nothing_is_lost(self):
        sweep = self.write(SMALL)
        whole, out = self.folder / "whole", self.folder / "out"
        began = time.monotonic()
        self.run_sweep(sweep, "--out", whole, code=1)
        seconds = time.monotonic() - began
        chance = random.Random(1)
        kills = 0
        while kills < KILLS:
            if (out / "cells.csv").exists():
                shutil.rmtree(out)  # it was faster than the kill: once more
            process = self.start(sweep, "--out", out)
            time.sleep(chance.uniform(0.1, 0.6) * seconds)
            process.send_signal(signal.SIGKILL if kills % 3 else signal.SIGTERM)
            said = process.communicate()[1]
            self.assertIn(process.returncode, (-signal.SIGKILL, -signal.SIGTERM, 130, 1), said)
            kills += process.returncode != 1  # it had ended
            self.wait_until(lambda: not processes_in(out))  # cells end with the sweep
        self.run_sweep(sweep, "--out", out, code=1)
        self.assert_same(out, whole)
        self.assertEqual(list((out / "running").iterdir()), [])

    def test_one_cell_that_ends_badly_is_reported_and_runs_again(self):
        out = self.folder / "out"
        sweep = self.write("[fixed]\nsamples=3\ntask='niah_single_1'\n[grid]\nlen=['32k',512,600]\n")
        process = self.start(sweep, "--out", out, "--jobs", 1)
        self.wait_until(lambda: len(processes_in(out)) > 1)  # the costliest cell is the first
        for pid in processes_in(out):
            if pid != process.pid:
                os.kill(pid, signal.SIGKILL)
        self.assertEqual(*self.end_of(process, 1))
        self.assertEqual({row["length"]: row["status"] for row in rows(out)}, {"512": "done", "600": "done", "32768": "failed"})
        self.assertIn("[killed] its process was ended by signal 9", rows(out)[0]["error"])
        self.assertIn("failed: [killed]", self.run_sweep("status", out).stdout)
        self.run_sweep(sweep, "--out", out)
        self.assertEqual([row["status"] for row in rows(out)], ["done"] * 3)
        self.assertEqual([row["error"] for row in rows(out)], [""] * 3)


class BadInput(SweepCase):
    def refused(self, text, sentence, code=2):
        out = self.folder / "out"
        done = self.run_sweep(self.write(text), "--out", out, code=code)
        self.assertEqual(done.stdout, "")
        self.assertEqual(done.stderr.count("\n"), 1, done.stderr)
        self.assertIn(sentence, done.stderr)
        self.assertFalse(out.exists())

    def test_files_that_mean_nothing(self):
        self.refused("[grid]\ntopkk = [1]\n", "near it: topk")
        self.refused("[grid]\nout = 'x'\n", "no flag of run that says what is computed")
        self.refused("[grid]\ntask = 'niah_sngle_1'\nlen = 512\n", "near it: niah_single_1")
        self.refused("[grid]\ntask = 'niah_single_1'\nlen = '4q'\n", "4q")
        self.refused("[grid]\ntask = 'niah_single_1'\nlen = 512\narch = 'slaa'\n", "slaa")
        self.refused("[grid]\ntask = 'niah_single_1'\n", "--len is required")
        self.refused("[grid]\n", "the sweep is empty")
        self.refused("[grid]\ntask='niah_single_1'\nlen=512\n[[exclude]]\nlen='512'\n", "all are excluded")
        self.refused("[grid]\ntask='niah_single_1'\nlen=512\ntopk=[8,12]\n[[exclude]]\ntopk=13\n",
                     "[[exclude]] 1 'topk' is '13', which no cell has; near it: 12")
        self.refused("[grid]\ntask='niah_single_1'\nlen=[512,600]\n[[exclude]]\nlen=512\ntask='niah_sngle_1'\n",
                     "near it: niah_single_1")
        self.refused("[grid]\ntask='niah_single_1'\nlen=512\n[[include]]\nselect='oracl'\n", "oracl")
        self.refused("[grid\n", "this is no TOML", code=6)
        done = self.run_sweep("statu", code=5)
        self.assertIn("there is no file statu; near it: status", done.stderr)
        self.assertIn("holds no sweep", self.run_sweep("collect", self.folder, code=2).stderr)
        self.assertIn("--wait is for --launcher slurm", self.run_sweep(self.write(SMALL), "--wait", code=2).stderr)
        self.assertIn("expected I/N", self.run_sweep(self.write(SMALL), "--shard", "3/2", code=2).stderr)

    def test_impossible_cells_leave_the_others_alone(self):
        out = self.folder / "out"
        sweep = self.write("[fixed]\nlen=512\nsamples=1\ntask='niah_single_1'\n[grid]\n"
                           "model=['sala-tiny','sala-tny','linear-tiny']\ntopk=[4,12]\n"
                           "[[include]]\nlen=['40', '100000000k']\n[[include]]\nselect='oracle'\nmodel='full-tiny'\n")
        self.run_sweep(sweep, "--out", out, code=1)
        found = {(row["model"], row["topk"], row["length"]): (row["status"], row["error"]) for row in rows(out)}
        self.assertEqual(found["sala-tiny", "4", "512"], ("done", ""))
        self.assertEqual(found["sala-tiny", "12", "512"], ("done", ""))
        self.assertIn("near it: sala-tiny", found["sala-tny", "4", "512"][1])
        self.assertIn("no layer that selects", found["linear-tiny", "12", "512"][1])
        self.assertEqual(found["sala-tiny", "12", "40"][0], "failed")
        self.assertIn("[usage]", found["sala-tiny", "12", "40"][1])
        self.assertIn("[memory]", found["sala-tiny", "12", "100000000000"][1])
        self.assertEqual(found["full-tiny", "", "512"][0], "refused")

    def test_damage_is_named_and_the_rest_goes_on(self):
        out = self.folder / "out"
        sweep = self.write("[fixed]\nsamples=2\ntask='niah_single_1'\n[grid]\nlen=[512,600,700]\n")
        self.run_sweep(sweep, "--out", out)
        folders = {row["length"]: out / "cells" / row["cell"] for row in rows(out)}
        journal = folders["512"] / "samples.jsonl"
        text = journal.read_text()
        journal.write_text(text.replace('"score":1', '"score":0', 1))
        self.assertNotEqual(journal.read_text(), text)
        shutil.rmtree(folders["600"])
        folders["700"].rename(folders["600"])  # a stranger's run under this cell's name
        self.run_sweep(sweep, "--out", out, code=1)
        table = {row["length"]: row for row in rows(out)}
        self.assertEqual([table[length]["status"] for length in ("512", "600", "700")], ["damaged", "damaged", "done"])
        self.assertIn("samples.jsonl line 1", table["512"]["error"])
        self.assertIn("another run", table["600"]["error"])
        self.assertIn('"score":0', journal.read_text())  # nothing was replaced
        plan = out / "sweeps" / "small.json"
        plan.write_text(plan.read_text().replace("512", "513"))
        done = self.run_sweep("collect", out, code=6)
        self.assertIn("is damaged or no sweep", done.stderr)

    def test_two_sweeps_in_one_folder_at_once(self):
        out = self.folder / "out"
        first = self.start(self.write("[grid]\ntask='niah_single_1'\nlen=['32k','16k']\nsamples=3\n", "first"), "--out", out)
        self.wait_until(lambda: len(processes_in(out)) > 1)
        for name in ("first", "second"):
            done = self.run_sweep(self.write("[grid]\ntask='niah_single_1'\nlen=512\nsamples=3\n", name), "--out", out, code=2)
            self.assertRegex(done.stderr, r"error \[usage\] .* is in use \(first, shard 1/1: process \d+ on .*\); wait for it")
        self.assertIn("computing: first", self.run_sweep("status", out).stdout)
        self.assertEqual(*self.end_of(first, 0))
        self.assertEqual([row["status"] for row in rows(out)], ["done"] * 2)

    def test_another_machine_is_dead_when_it_does_not_move(self):
        out = self.folder / "out"
        claim = out / "running" / "small.node7.5.json"
        claim.parent.mkdir(parents=True)
        text = ('{{"beat": {}, "sweep": "small", "cells": "", "shard": 1, "shards": 1, "machine": "elsewhere", "host": "node7", '
                '"process": 5, "started": "7"}}')
        sweep = self.write("[grid]\ntask='niah_single_1'\nlen=512\nsamples=1\n")
        claim.write_text(text.format(0))
        waiting = self.start(sweep, "--out", out)
        for beat in range(1, 1000):
            if waiting.poll() is not None:
                break
            time.sleep(0.5)
            claim.write_text(text.format(beat))
        code, wanted, said = self.end_of(waiting, 2)
        self.assertEqual(code, wanted, said)
        self.assertIn("is in use (small, shard 1/1: process 5 on node7)", said)
        waiting = self.start(sweep, "--out", out)
        self.wait_until(lambda: len(list(claim.parent.glob("*.json"))) == 2)
        own, = (path for path in claim.parent.glob("*.json") if path != claim)
        first = own.read_text()
        self.wait_until(lambda: own.read_text() != first)  # it is alive itself while it waits
        code, wanted, said = self.end_of(waiting, 0)
        self.assertEqual(code, wanted, said)
        self.assertIn("if it does not move for 30 s it is dead", said)
        self.assertFalse(claim.exists())
        claim.write_text("{")
        self.assertIn("is damaged; remove it", self.run_sweep(sweep, "--out", out, code=6).stderr)

    def test_the_folder_of_a_run_is_no_folder_of_a_sweep(self):
        out = self.folder / "out"
        subprocess.run([self.program, "run", "--task", "niah_single_1", "--len", "512", "--samples", "1", "--out", out, "--quiet"],
                       check=True, stdout=subprocess.DEVNULL, env=self.environment(), cwd=self.folder)
        done = self.run_sweep(self.write(SMALL), "--out", out, "--quiet", code=2)
        self.assertIn("holds a run", done.stderr)
        self.assertFalse((out / "sweeps").exists())

    def test_a_full_disk_loses_nothing(self):
        out = self.folder / "out"
        sweep = self.write("[grid]\ntask='niah_single_1'\nlen=[512,600]\nsamples=2\n")

        def small_files():
            resource.setrlimit(resource.RLIMIT_FSIZE, (50000, 50000))  # run.h5 is larger

        self.run_sweep(sweep, "--out", out, code=1, preexec_fn=small_files)
        for row in rows(out):
            self.assertEqual(row["status"], "failed")
            self.assertIn("[io]", row["error"])
        self.run_sweep(sweep, "--out", out)
        self.assertEqual([row["status"] for row in rows(out)], ["done"] * 2)

    def faults(self, **more):
        return self.environment(LD_PRELOAD=FAULTS, **more)

    def test_a_full_disk_ends_the_sweep_with_one_sentence(self):
        out = self.folder / "out"
        text = "[grid]\ntask='niah_single_1'\nlen={}\nsamples=2\n"
        self.run_sweep(self.write(text.format("[512]"), "one"), "--out", out)
        before = {path: path.read_bytes() for path in (out / "cells").rglob("*") if path.is_file()}
        more = self.write(text.format("[512,600,700]"))
        done = self.run_sweep(more, "--out", out, "--jobs", 1, code=5, env=self.faults(
            IO_FAULT_FOLDER=f"{out}/cells/", IO_FAULT_AT="1", IO_FAULT_ALL="1", IO_FAULT_ERRNO=str(errno.ENOSPC)))
        self.assertIn("2/2 ", done.stderr)  # the second cell had its chance
        self.assertEqual(done.stderr.count("sala_eval: error"), 1, done.stderr)
        self.assertRegex(done.stderr, r"error \[io\] cannot write .*\.error.*: No space left on device; what cells computed is saved")
        self.assertEqual({path: path.read_bytes() for path in before}, before)
        self.run_sweep(more, "--out", out)
        self.assertEqual([row["status"] for row in rows(out)], ["done"] * 3)

    def test_a_process_that_cannot_start_is_its_cells_own_failure(self):
        text = "[grid]\ntask='niah_single_1'\nlen=[512,600,700]\nsamples=2\n"
        first, second = self.folder / "first", self.folder / "second"
        self.run_sweep(self.write(text), "--out", first, "--jobs", 1, code=1, env=self.faults(IO_FAULT_FORK="1"))
        self.assertEqual({row["length"]: row["status"] for row in rows(first)}, {"512": "done", "600": "done", "700": "failed"})
        self.assertIn("[io] cannot start a process: Resource temporarily unavailable", rows(first)[2]["error"])
        # While another runs it waits for that one's end.
        self.run_sweep(self.write(text), "--out", second, "--jobs", 3, env=self.faults(IO_FAULT_FORK="2"))

    def test_a_claim_that_was_taken_away_ends_the_sweep(self):
        out = self.folder / "out"
        sweep = self.write("[grid]\ntask='niah_single_1'\nlen='16k'\nsamples=40\n")
        process = self.start(sweep, "--out", out)
        self.wait_until(lambda: list(out.glob("cells/*/samples.jsonl")))
        claim, = (out / "running").iterdir()
        claim.unlink()
        code, wanted, said = self.end_of(process, 5)
        self.assertEqual(code, wanted, said)
        self.assertIn(f"{claim} is gone", said)
        self.assertEqual(list((out / "running").iterdir()), [])
        self.run_sweep("collect", out, code=1)
        self.assertEqual([row["status"] for row in rows(out)], ["partial"])  # saved, and no failure of the cell's

    def test_merge_goes_on_behind_a_damaged_cell(self):
        a, both = self.folder / "a", self.folder / "both"
        self.run_sweep(self.write("[grid]\ntask='niah_single_1'\nlen=[512,600,700]\nsamples=2\n"), "--out", a)
        folders = {row["length"]: a / "cells" / row["cell"] for row in rows(a)}
        journal = folders["512"] / "samples.jsonl"
        journal.write_text(journal.read_text().replace('"score":1', '"score":0', 1))
        done = self.run_sweep("merge", a, "--out", both, code=6)
        self.assertIn("2 cells copied", done.stdout)
        self.assertRegex(done.stderr, r"error \[format\] 1 cell not merged, all others are: .*samples.jsonl line 1")
        self.assertEqual({row["length"]: row["status"] for row in rows(both)}, {"512": "pending", "600": "done", "700": "done"})

    def test_merge_refuses_results_that_differ(self):
        a, b, other = (self.folder / name for name in ("a", "b", "other"))
        text = "[grid]\ntask='cwe'\nlen='2k'\nsamples=2\nmodel='{}'\n"
        self.run_sweep(self.write(text.format("linear-tiny")), "--out", other)
        self.run_sweep(self.write(text.format("sala-tiny")), "--out", a)
        shutil.copytree(a, b)
        # Same samples, other answers: the journal of another model.
        shutil.copy(next(other.glob("cells/*/samples.jsonl")), next(b.glob("cells/*/samples.jsonl")))
        done = self.run_sweep("merge", a, b, "--out", self.folder / "both", code=6)
        self.assertIn("have different results for sample 0 of sala-tiny cwe@2048", done.stderr)

    def test_no_slurm_here(self):
        out = self.folder / "out"
        done = self.run_sweep(self.write(SMALL), "--out", out, "--launcher", "slurm", "--quiet", code=8,
                              env=self.environment(PATH="/nonexistent"))
        self.assertIn("there is no sbatch here", done.stderr)
        tools = self.folder / "bin"
        tools.mkdir()
        (tools / "sbatch").write_text("#!/bin/sh\necho 'sbatch: error: invalid partition specified: x' >&2\nexit 1\n")
        (tools / "sbatch").chmod(0o755)
        done = self.run_sweep(self.write(SMALL), "--out", out, "--launcher", "slurm", "--quiet", code=5,
                              env=self.environment(PATH=f"{tools}:{os.environ['PATH']}"))
        self.assertIn("Slurm refused the job: sbatch: error: invalid partition specified: x", done.stderr)
        self.assertEqual(done.stderr.count("\n"), 1)

    def fake_slurm(self, queue):
        """Programs in place of Slurm's. The queue is what squeue says."""
        tools = self.folder / "bin"
        tools.mkdir()
        (self.folder / "queue").write_text(queue)
        for name, line in (("sbatch", "echo '77;north'"), ("squeue", f"echo \"$@\" >> {self.folder}/asked; cat {self.folder}/queue")):
            (tools / name).write_text(f"#!/bin/sh\n{line}\n")
            (tools / name).chmod(0o755)
        return self.environment(PATH=f"{tools}:{os.environ['PATH']}")

    def test_a_job_in_a_federation_keeps_its_cluster(self):
        out = self.folder / "out"
        words = (self.write(SMALL), "--out", out, "--launcher", "slurm", "--quiet")
        slurm = self.fake_slurm("CLUSTER: north\nRUNNING None\nPENDING Resources\n")
        self.run_sweep(*words, env=slurm)
        script = (out / "slurm/small.sh").read_text()
        self.assertIn("#SBATCH --array=1\n", script)  # eight small cells are one task, with --quiet too
        done = self.run_sweep(*words, code=2, env=slurm)
        self.assertIn("job 77 of this sweep is in Slurm (1 pending (Resources), 1 running)", done.stderr)
        self.assertIn("`scancel --clusters=north 77`", done.stderr)
        self.assertIn("-j 77 ", (self.folder / "asked").read_text())
        self.assertIn("--clusters=north", (self.folder / "asked").read_text())

    def test_a_changed_sweep_does_not_reach_its_queued_tasks(self):
        out = self.folder / "out"
        words = ("--out", out, "--launcher", "slurm", "--quiet")
        slurm = self.fake_slurm("PENDING Resources\n")
        self.run_sweep(self.write(SMALL), *words, env=slurm)
        saved = {path: path.read_bytes() for path in (out / "sweeps").iterdir()}
        changed = self.write(SMALL.replace("600", "700"))
        for more in ((), ("--wait",)):
            done = self.run_sweep(changed, *words, *more, code=2, env=slurm)
            self.assertIn("is of a sweep small with other cells", done.stderr)
            self.assertEqual({path: path.read_bytes() for path in (out / "sweeps").iterdir()}, saved)
        # A task that begins on a list that was changed behind its back.
        (out / "sweeps/small.toml").write_text(SMALL.replace("600", "700"))
        task = subprocess.run(["sh", out / "slurm/small.sh"], capture_output=True, text=True, cwd=self.folder,
                              env={**slurm, "SLURM_ARRAY_TASK_ID": "1"})
        self.assertEqual(task.returncode, 2, task.stderr)
        self.assertIn("small has other cells now than the job was submitted with", task.stderr)
        self.assertEqual(list((out / "cells").iterdir()), [])


if __name__ == "__main__":
    unittest.main(verbosity=1)
