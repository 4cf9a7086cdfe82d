"""What analysis/plot.py reads and says; where matplotlib is installed, also what it draws."""

import csv
import importlib.util
import json
import re
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "analysis"))
from plots import tidy  # noqa: E402

CAN_DRAW = importlib.util.find_spec("matplotlib") is not None
SWEEP = ROOT / "tests/data/sweep/cells.csv"
CONFIG = {"mixer_types": ["minicpm4", "lightning-attn", "lightning-attn", "minicpm4"], "attn_use_rope": False, "lightning_use_rope": True,
          "sala_lab": {"train_length": 8192}, "sparse_config": {"topk": 4}}


def write_run(folder, scores, model="sala-tiny", length=4096, task="vt", depth=0.5, first=0, **plan):
    """A folder as the program writes it, of one cell."""
    folder.mkdir(parents=True)
    config = {**CONFIG, **plan.pop("model_config", {})}
    (folder / "run.json").write_text(json.dumps({"plan": {"model": model, "model_config": config, **plan}}))
    lines = [{"task": task, "length": length, "id": f"ruler/{task}@{length}#{i}!42", "score": score, "answer": "A", "expected": ["A"],
              "evidence": [{"depth": depth, "value": "A"}], "figures": {"recall": 0.5, "reached": 1.0}, "timing": {"prefill_seconds": 1.5, "decode_seconds": 0.5}}
             for i, score in enumerate(scores, first)]
    (folder / "samples.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return folder


class Temporary(unittest.TestCase):
    def setUp(self):
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        self.root = Path(holder.name)


class Reading(Temporary):
    def test_a_run_says_what_it_is(self):
        (cell,) = tidy.read([write_run(self.root / "a", [1.0, 0.5, 0.0])])
        self.assertEqual((cell.curve, cell.seed, cell.arch, cell.ratio, cell.pe, cell.trained), ("sala-tiny", 1, "sala", "1:1", "hype", 8192))
        self.assertEqual((cell.n, cell.score, cell.recall, cell.reached, cell.seconds, cell.places), (3, 0.5, 0.5, 1.0, 2.0, [(0.5, 1.0), (0.5, 0.5), (0.5, 0.0)]))
        self.assertEqual((cell.low, cell.high), tidy.wilson(0.5, 3))

    def test_runs_of_one_model_are_pooled_by_sample(self):
        write_run(self.root / "a", [1.0, 0.0])
        write_run(self.root / "b", [0.0, 0.0], first=1)
        (cell,) = tidy.read([self.root])
        self.assertEqual((cell.n, cell.score), (3, 1 / 3))

    def test_policies_switches_and_seeds_are_curves_of_their_own(self):
        write_run(self.root / "a", [1.0], select="oracle")
        write_run(self.root / "b", [1.0], switches=["sparse_config.topk=4 (was 3)"])
        write_run(self.root / "c", [1.0], model="sala-tiny-s2")
        cells = {(cell.curve, cell.seed) for cell in tidy.read([self.root])}
        self.assertEqual(cells, {("sala-tiny [select=oracle]", 1), ("sala-tiny [sparse_config.topk=4 (was 3)]", 1), ("sala-tiny", 2)})

    def test_values_that_the_program_shortened_are_told_apart(self):
        text = 'rope_scaling={"rope_type":"yarn","fac... (was null)'
        for factor in (2.0, 4.0):
            write_run(self.root / str(factor), [0.5], switches=[text], model_config={"rope_scaling": {"rope_type": "yarn", "factor": factor}})
        self.assertEqual(len({cell.curve for cell in tidy.read([self.root])}), 2)

    def test_a_torn_last_line_is_no_sample(self):
        folder = write_run(self.root / "a", [1.0])
        with (folder / "samples.jsonl").open("a") as file:
            file.write('{"task": "vt"')
        self.assertEqual(tidy.read([folder])[0].n, 1)

    def test_axes_without_a_column_are_changes_and_the_device_is_none(self):
        table = self.root / "cells.csv"
        table.write_text("cell,model,select,switches,device,dtype,task,length,seed,n,score\n1,m,learned,,cuda,,vt,4096,42,2,1\n2,m,learned,,,bf16,vt,8192,42,2,1\n")
        self.assertEqual({cell.length: cell.changes for cell in tidy.read([table])}, {4096: "", 8192: "dtype=bf16"})

    def test_a_sweep_s_table(self):
        cells = {cell.key: cell for cell in tidy.read([SWEEP])}
        with SWEEP.open(newline="") as file:
            rows = [row for row in csv.DictReader(file) if row["model"] == "sala-tiny" and row["task"] == "niah_single_1" and row["length"] == "4096"]
        cell = cells["sala-tiny", 1, "niah_single_1", 4096]
        self.assertEqual(len(rows), 2)  # two seeds of samples: more samples of one cell
        self.assertEqual(cell.n, sum(int(row["n"]) for row in rows))
        self.assertAlmostEqual(cell.score, sum(float(row["score"]) for row in rows) / 2)
        self.assertEqual((cell.arch, cell.ratio, cell.pe, cell.trained), ("sala", "3:5", "hype", 8192))
        self.assertTrue(all(cell.n > 0 for cell in cells.values()))  # refused, pending and failed cells are none

    def test_the_tables_of_the_family(self):
        cells = tidy.read([ROOT / "results/family/headline.csv"])
        self.assertIn("sala-tiny", {cell.curve for cell in cells})
        self.assertTrue(any(cell.curve.startswith("full-tiny [rope_scaling=") for cell in cells))

    def test_scored_predictions_of_another_model(self):
        made = {"sala": {"plan": {"schema": "sala.score/1"}, "cells": [{"task": "vt", "length": 4096, "samples": 2, "score": 0.5, "interval": [0.1, 0.9]}]},
                "config": {"model": "predictions", "model_args": "llama"}}
        (self.root / "summary.json").write_text(json.dumps(made))
        (cell,) = tidy.read([self.root])
        self.assertEqual((cell.curve, cell.n, cell.low, cell.trained), ("llama", 2, 0.1, 0))

    def test_nothing_says_so(self):
        for path, part in ((self.root, "nothing to draw"), (self.root / "none", "there is no")):
            with self.assertRaisesRegex(tidy.Problem, part):
                tidy.read([path])
        table = self.root / "x.csv"
        table.write_text("a,b\n1,2\n")
        with self.assertRaisesRegex(tidy.Problem, "lacks the columns length, n, score, task"):
            tidy.read([table])

    def test_tasks_by_their_beginning(self):
        cells = tidy.read([SWEEP])
        self.assertEqual({cell.task for cell in tidy.tasks_wanted(cells, "niah")}, {cell.task for cell in cells if cell.task.startswith("niah_")})
        with self.assertRaisesRegex(tidy.Problem, "no cell of the task 'nolima'; there are"):
            tidy.tasks_wanted(cells, "nolima")

    def test_an_unknown_name_beside_known_ones_is_refused(self):
        cells = tidy.read([SWEEP])
        with self.assertRaisesRegex(tidy.Problem, "no cell of the task 'niah_singel_1'; near it: niah_single_1"):
            tidy.tasks_wanted(cells, "niah,niah_singel_1")
        with self.assertRaisesRegex(tidy.Problem, "no cell of the member 'sala-tyni'; near it: sala-tiny"):
            tidy.members_wanted(cells, "sala-tiny,sala-tyni")
        self.assertEqual({cell.member for cell in tidy.members_wanted(cells, "sala-tiny")}, {"sala-tiny"})


@unittest.skipUnless(CAN_DRAW, "needs python3-matplotlib")
class Drawing(Temporary):
    def plot(self, *words, code=0):
        result = subprocess.run([sys.executable, "-B", ROOT / "analysis/plot.py", *words, "--out", self.root / "figure"], capture_output=True, text=True)
        self.assertEqual(result.returncode, code, result.stderr)
        return result

    def test_every_kind_draws_and_draws_the_same_again(self):
        run = [write_run(self.root / f"{model}-{length}", [1.0, 0.5], model=model, length=length, depth=0.3) for model in ("sala-tiny", "dense-tiny") for length in (1024, 2048)]
        for kind, paths in (("curves", [SWEEP]), ("ablation", [SWEEP]), ("heatmap", run), ("recall", [SWEEP]), ("cost", [SWEEP])):
            with self.subTest(kind):
                self.plot(kind, *paths)
                self.assertTrue((self.root / "figure.png").stat().st_size > 5000 and (self.root / "figure.pdf").stat().st_size > 1000)
        svg = (self.root / "figure.svg").read_text()
        self.plot(kind, *paths)
        self.assertEqual((self.root / "figure.svg").read_text(), svg)

    def test_recall_has_small_multiples_by_task(self):
        self.plot("recall", SWEEP, "--by-task", "--width", "page")
        svg = (self.root / "figure.svg").read_text()
        for task in sorted({cell.task for cell in tidy.read([SWEEP]) if cell.recall >= 0}):
            self.assertIn(f"recall, {task}", svg)
            self.assertIn(f"reached, {task}", svg)

    def test_the_paper_s_figures(self):
        table = self.root / "fig2.csv"
        head = "gpu,weights,metric,context,model,paper seconds,model seconds,error %,cell,memory GB\n"
        table.write_text(head + "A6000D,non-quantized,first token,64K,MiniCPM-SALA-9B,12.3,12.5,1.3,calibration,19.6\nA6000D,non-quantized,first token,512K,Qwen3-8B,OOM,OOM,,held out,93.7\n")
        self.plot("serving", table)
        self.assertIn("is not what `sala_eval paper fig2 -o csv` prints", self.plot("serving", SWEEP, code=2).stderr)

    def test_a_damaged_file_is_said(self):
        folder = write_run(self.root / "a", [1.0])
        (folder / "samples.jsonl").write_text("no JSON\n")
        table = self.root / "x.csv"
        table.write_text('task,length,n,score\nvt,4096,1,"' + "1" * 200000)  # csv refuses so long a field
        torn = write_run(self.root / "b", [1.0])
        (torn / "run.h5").write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(100))
        for kind, path, named in (("curves", folder, folder), ("curves", table, table), ("dilution", torn, torn / "run.h5")):
            result = self.plot(kind, path, code=6)
            self.assertIn(f"plot: error [format] {named} is damaged or of another program", result.stderr)
            self.assertEqual(result.stderr.count("\n"), 1)

    def test_widths_are_those_of_the_paper(self):
        for width, points in (("column", 3.33 * 72), ("page", 6.9 * 72)):
            self.plot("curves", SWEEP, "--width", width)
            found = re.search(r'width="([\d.]+)pt"', (self.root / "figure.svg").read_text())
            self.assertAlmostEqual(float(found[1]), points, delta=0.1)

    def test_what_is_missing_is_said_in_a_sentence(self):
        tables = self.root / "tables"
        tables.mkdir()
        (tables / "headline.csv").write_bytes((ROOT / "results/family/headline.csv").read_bytes())
        for kind, paths, part in (("heatmap", [tables], "nothing to draw"), ("cost", [tables], "no cell knows its seconds"), ("dilution", [write_run(self.root / "a", [1.0])], "no attention"),
                                  ("ablation", [self.root / "a"], "an ablation needs two"), ("curves", [self.root / "none"], "there is no")):
            result = self.plot(kind, *paths, code=2)
            self.assertRegex(result.stderr.splitlines()[-1], r"^plot: error \[usage\] .*" + part)
        self.assertFalse((self.root / "figure.png").exists())

    def test_lengths_that_lack_tasks_are_left_out_and_named(self):
        for task, lengths in (("vt", (1024, 2048)), ("cwe", (1024,))):
            for length in lengths:
                write_run(self.root / f"{task}-{length}", [1.0], task=task, length=length)
        self.assertIn("left out, since tasks are missing there: sala-tiny at 2k", self.plot("curves", self.root).stderr)


def cell_of(score, member="sala-tiny", seed=1, changes="", ratio="1:1", arch="sala", n=20):
    low, high = tidy.wilson(score, n)
    return tidy.Cell("", member, "vt", 4096, n, score, low, high, seed=seed, changes=changes, arch=arch, ratio=ratio, pe="hype", trained=8192, seconds=1.0)


@unittest.skipUnless(CAN_DRAW, "needs python3-matplotlib")
class Trainings(unittest.TestCase):
    def test_more_trainings_are_no_more_samples(self):
        from plots import intervals
        alone = intervals.over_trainings([[cell_of(0.5)]])
        together = intervals.over_trainings([[cell_of(0.5, seed=seed)] for seed in range(1, 6)])
        self.assertEqual(alone, tidy.mover([cell_of(0.5)]))
        self.assertTrue(together[1] <= alone[1] + 1e-12 and together[2] >= alone[2] - 1e-12, together)

    def test_trainings_that_differ_widen_the_interval(self):
        from plots import intervals
        _, low, high = intervals.over_trainings([[cell_of(1.0)], [cell_of(0.0, seed=2)]])
        self.assertEqual((low, high), (0, 1))
        self.assertEqual(intervals.over_trainings([[cell_of(1.0)], [cell_of(0.0, seed=2)]]), (0.5, 0, 1))

    def bars(self, figure):
        """Lengths of the error bars of a figure's first panel, in percent."""
        (axis,) = [axis for axis in figure.axes if axis.containers]
        return [high - low for container in axis.containers for (_, low), (_, high) in container.lines[2][0].get_segments()]

    def test_cost_has_the_intervals_of_trainings(self):
        from plots import figures
        one, five = ([cell_of(0.5, seed=seed) for seed in range(1, last)] for last in (2, 6))
        self.assertGreaterEqual(self.bars(figures.cost(five, figures.Options()))[0], self.bars(figures.cost(one, figures.Options()))[0] - 1e-9)

    def test_an_ablation_averages_no_models_and_no_switches(self):
        from plots import figures
        ends = [cell_of(0.9), cell_of(0.1, member="linear-tiny", ratio="0:1", arch="linear")]
        with self.assertRaisesRegex(tidy.Problem, r"sala-131m, sala-tiny are one point of the panel \(ratio 1:1, hype, 4k\): choose one with --member"):
            figures.ablation([*ends, cell_of(0.2, member="sala-131m")], figures.Options())
        figure = figures.ablation([*ends, cell_of(0.2, changes="sparse_config.topk=4 (was 12)")], figures.Options())
        (axis,) = [axis for axis in figure.axes if axis.containers]
        self.assertEqual([list(container.lines[0].get_ydata()) for container in axis.containers], [[10, 90], [10, 20]])

    def test_points_of_many_lines_stay_at_their_ratio(self):
        from plots import figures
        cells = [cell_of(0.5, changes=f"sparse_config.topk={topk} (was 12)", ratio=ratio) for topk in range(1, 12) for ratio in ("1:1", "1:3")]
        (axis,) = [axis for axis in figures.ablation(cells, figures.Options()).axes if axis.containers]
        for container in axis.containers:
            self.assertEqual([round(x) for x in container.lines[0].get_xdata()], [0, 1])
            self.assertTrue(all(abs(x - round(x)) <= 0.3 for x in container.lines[0].get_xdata()))


@unittest.skipUnless(CAN_DRAW, "needs python3-matplotlib")
class Style(unittest.TestCase):
    def test_a_member_has_one_look_whoever_stands_beside_it(self):
        from plots import style
        alone, together = style.looks(["sala-tiny"]), style.looks(["dense-tiny", "sala-131m", "sala-tiny", "llama"])
        self.assertEqual(alone["sala-tiny"], together["sala-tiny"])
        self.assertEqual(style.member_style("sala-tiny", 3), alone["sala-tiny"])
        self.assertEqual(len({together[name] for name in ("dense-tiny", "sala-tiny", "llama")}), 3)

    def test_one_colour_a_model_in_every_figure(self):
        from plots import style
        shipped = [f"{name}-tiny" for name in style.MEMBERS]
        self.assertEqual(len(set(style.looks(shipped).values())), len(shipped))
        for some in (["llama", "ratio-1-1-tiny"], ["llama", "zamba", "sala-tiny"]):
            self.assertEqual(style.looks(some)["llama"], style.looks(["llama"])["llama"])
            self.assertEqual(style.looks(["ratio-1-1-tiny", "reverse-tiny"])["ratio-1-1-tiny"], style.looks(shipped)["ratio-1-1-tiny"])
        self.assertFalse({colour for colour, _ in style.OTHERS} & {colour for colour, _ in style.MEMBERS.values()})

    def test_what_was_switched_has_dashes_everywhere(self):
        from plots import figures
        self.assertEqual(figures.dashes_of(["a-tiny [x=2]", "a-tiny", "a-tiny [x=1]", "b-tiny [x=1]"]),
                         {"a-tiny": "-", "a-tiny [x=1]": "--", "a-tiny [x=2]": "-.", "b-tiny [x=1]": "--"})

    def test_ticks_do_not_run_into_one_another(self):
        from plots import style
        ticks = style.length_ticks([1024 * 2 ** i for i in range(12)], 1.5)
        self.assertTrue(2 < len(ticks) < 7)


if __name__ == "__main__":
    unittest.main()
