"""HALO's layer selection against the released sweeps (spec 6.4)."""

import sys
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "train"))
from sala_train import halo  # noqa: E402

SWEEPS = ROOT / "configs/paper/halo_layer_sweep.csv"
RELEASED = {  # model: original C and R; picks; picks of the other mode
    "hypenet-2b": (0.577267, 0.720733, [2, 3, 6, 8, 9, 21, 25], [0, 6, 9, 11, 19, 21, 25]),
    "hypenet-4b": (0.696533, 0.848067, [0, 1, 7, 14, 15, 22, 24, 33, 34], [0, 7, 14, 15, 21, 22, 24, 33, 34]),
    "hypenet-8b": (0.708333, 0.805267, [1, 2, 4, 6, 7, 10, 24, 33, 34], [0, 2, 7, 13, 15, 22, 24, 26, 33]),
}


class LayerSelection(unittest.TestCase):
    def test_reproduces_the_released_picks(self):
        for model, (commonsense, recall, picks, other) in RELEASED.items():
            sweep = halo.load_sweep(SWEEPS, model)
            self.assertAlmostEqual(sweep.original[0], commonsense, places=6)
            self.assertAlmostEqual(sweep.original[1], recall, places=6)
            self.assertEqual(halo.select_layers(halo.halo_scores(sweep)), picks, model)
            self.assertEqual(halo.select_layers(halo.recall_scores(sweep)), other, model)

    def test_scores(self):
        scores = halo.halo_scores(halo.load_sweep(SWEEPS, "hypenet-2b"))
        for layer, score in {3: 50.0, 8: 16.3437, 2: 14.0094, 9: 13.5636, 21: 12.7594, 25: 10.4450, 6: 10.3012, 19: 9.3404, 16: 8.7203}.items():
            self.assertAlmostEqual(scores[layer], score, places=4)
        self.assertEqual(max(scores), 50.0)

    def test_ties_keep_the_lower_layer_and_bad_counts_are_refused(self):
        self.assertEqual(halo.select_layers([1.0, 2.0, 2.0, 0.0], 1), [1])
        self.assertEqual(halo.select_layers([1.0, 2.0, 2.0, 0.0], 3), [0, 1, 2])
        for keep in (0, 5):
            self.assertRaises(ValueError, halo.select_layers, [1.0] * 4, keep)

    def test_what_is_missing_is_said(self):
        self.assertRaisesRegex(ValueError, "no model 'gpt'", halo.load_sweep, SWEEPS, "gpt")
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "sweep.csv"
            path.write_text("model,layer,metric,value\nm,original,commonsense/hellaswag/acc_norm,0.5\n")
            self.assertRaisesRegex(ValueError, "m layer original lacks", halo.load_sweep, path, "m")


if __name__ == "__main__":
    unittest.main()
