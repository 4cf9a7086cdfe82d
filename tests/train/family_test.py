"""The family file: one size, one change each, and the shipped configs are what it says."""

import json
import sys
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "train"))
from sala_train.family import load_family, parameters  # noqa: E402
from sala_train.recipe import Recipe  # noqa: E402

FAMILY = ROOT / "train/family.toml"


class Family(unittest.TestCase):
    def test_members_are_equal_in_parameters(self):
        counts = {name: parameters(raw) for name, raw in load_family(FAMILY).items()}
        self.assertGreaterEqual(len(counts), 16)
        for name, count in counts.items():
            self.assertLess(abs(count / counts["sala-tiny"] - 1), 0.005, name)

    def test_shipped_configs_are_made_from_it(self):
        family = load_family(FAMILY)
        shipped = [path.parent.name for path in (ROOT / "models").glob("*/config.json")]
        self.assertGreaterEqual(len(shipped), 6)
        for name in shipped:
            self.assertEqual(json.loads((ROOT / "models" / name / "config.json").read_text()), family[name], name)

    def test_what_is_wrong_is_named(self):
        text = FAMILY.read_text()
        for old, new, message in (('pe = "nope"', 'pe = "none"', "nope-tiny: pe 'none'"),
                                  ('layers = "SLSLLSLS"', 'layers = "SLX"', "ratio-1-1-tiny: layers 'SLX'"),
                                  ("gates = false", "gate = false", "nogate-tiny: unknown field 'gate'"),
                                  ('base = "full-tiny"', 'base = "filled"', "filled: no such base"),
                                  ('slopes = "two-zero"', 'slopes = "none"', "slopes 'none'"),
                                  ("parameters = 2_200_000", "parameters = 1_000_000", "no room for an FFN")):
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder) / "family.toml"
                path.write_text(text.replace(old, new))
                with self.assertRaisesRegex(ValueError, message):
                    load_family(path)


class Recipes(unittest.TestCase):
    def test_every_stage_has_tasks_and_whole_batches(self):
        for path in (ROOT / "train/recipes").glob("*.toml"):
            recipe = Recipe.load(path)
            for stage in recipe.stages:
                for length in stage.lengths:
                    self.assertTrue(recipe.weights(length), path.name)
                    self.assertGreaterEqual(stage.tokens // length, 1, path.name)
            self.assertRaises(ValueError, recipe.weights, 8)


if __name__ == "__main__":
    unittest.main()
