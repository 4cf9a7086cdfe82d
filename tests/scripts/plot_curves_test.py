"""Which runs make up one curve of analysis/plot_curves.py; needs no matplotlib."""

import json
import sys
import tempfile
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "analysis"))
import family  # noqa: E402
import plot_curves  # noqa: E402


def write_run(folder, score, model="sala-tiny", index=0, **plan):
    """A folder of one sample as the program writes it."""
    folder.mkdir()
    config = {"sala_lab": {"train_length": 8192}, "sparse_config": {"topk": 4}, **plan.pop("model_config", {})}
    (folder / "run.json").write_text(json.dumps({"plan": {"model": model, "model_config": config, **plan}}))
    line = {"task": "vt", "length": 4096, "id": f"ruler/vt@4096#{index}!42", "score": score}
    (folder / "samples.jsonl").write_text(json.dumps(line) + "\n")
    return folder


class Curves(unittest.TestCase):
    def setUp(self):
        self.temporary = tempfile.TemporaryDirectory()
        self.addCleanup(self.temporary.cleanup)
        self.root = Path(self.temporary.name)

    def load(self, folders):
        points, trained = plot_curves.load_runs(folders, lambda task: True)
        self.assertEqual(set(trained), set(points))
        return {name: by_length[4096] for name, by_length in points.items()}

    def test_runs_of_one_model_are_pooled(self):
        own = {"select": "learned", "switches": []}
        folders = [write_run(self.root / "a", 1.0, **own), write_run(self.root / "b", 0.5, index=1, **own),
                   write_run(self.root / "c", 0.25, index=2)]  # of a version without policies and switches
        self.assertEqual(self.load(folders), {"sala-tiny": (1.75, 3)})

    def test_a_table_has_the_same_curves(self):
        def row(**more):
            return {"run": "x", "member": "sala-tiny", "seed": 1, "changes": "", "task": "vt", "length": 4096, "n": 20, "score": 0.5, "trained_length": 8192, **more}

        table = self.root / "headline.csv"
        family.write(table, [row(), row(seed=2, score=1.0), row(changes="select=oracle", n=5), row(task="cwe", score=0.25), row(length=8192, score=1.0)])
        points, trained = plot_curves.load_table(table, lambda task: task == "vt")
        self.assertEqual(points, {"sala-tiny": {4096: (10, 20), 8192: (20, 20)}, "sala-tiny-s2": {4096: (20, 20)}, "sala-tiny[select=oracle]": {4096: (2.5, 5)}})
        self.assertEqual(set(trained.values()), {8192})
        points, _ = plot_curves.load_table(table, lambda task: True)  # cwe is missing at 8,192: a mean there would be one of other tasks
        self.assertEqual(points["sala-tiny"], {4096: (15, 40)})

    def test_policies_and_switches_are_curves_of_their_own(self):
        topk = "sparse_config.topk=4 (was 3)"
        folders = [write_run(self.root / "a", 0.5, select="learned", switches=[]), write_run(self.root / "b", 1.0, select="oracle", switches=[]),
                   write_run(self.root / "c", 0.75, select="learned", switches=[topk]), write_run(self.root / "d", 0.25, select="random", switches=[topk]),
                   write_run(self.root / "e", 0.0, index=1, select="oracle", switches=[])]
        self.assertEqual(self.load(folders), {"sala-tiny": (0.5, 1), "sala-tiny[select=oracle]": (1.0, 2), f"sala-tiny[{topk}]": (0.75, 1),
                                              f"sala-tiny[select=random; {topk}]": (0.25, 1)})

    def test_values_that_the_program_shortened_are_told_apart(self):
        long = [{"rope_type": "yarn", "factor": factor, "original_max_position_embeddings": 8192} for factor in (2.0, 4.0)]
        text = 'rope_scaling={"rope_type":"yarn","fac... (was null)'
        folders = [write_run(self.root / str(i), 0.5, select="learned", switches=[text], model_config={"rope_scaling": value}) for i, value in enumerate(long)]
        names = sorted(self.load(folders))
        self.assertEqual(len(names), 2)
        self.assertIn('"factor":4.0,"original_max_position_embeddings":8192} (was null)]', names[1])

    def test_a_seed_belongs_to_its_member(self):
        names = ["sala-tiny", "sala-tiny-s2", "sala-tiny-s12[select=oracle]", "sala-s3d"]
        self.assertEqual([plot_curves.member_of(name) for name in names], ["sala-tiny", "sala-tiny", "sala-tiny[select=oracle]", "sala-s3d"])


if __name__ == "__main__":
    unittest.main()
