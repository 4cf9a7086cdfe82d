"""Which records make a row of analysis/training_tables.py, and what stands in it."""

import json
import sys
import tempfile
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "analysis"))
import training_tables  # noqa: E402


def record(seed, finished=True, before=None, **validation):
    return {"recipe": {"data_seed": seed}, "finished": finished, "steps": 5462, "before": before, "validation": validation}


class Rows(unittest.TestCase):
    def setUp(self):
        self.temporary = tempfile.TemporaryDirectory()
        self.addCleanup(self.temporary.cleanup)

    def rows(self, made, recipe, length=8192, name="rope-tiny.json"):
        path = Path(self.temporary.name) / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(made))
        return training_tables.rows_of([path], recipe, length)

    def test_a_record_before_is_found_by_its_recipe(self):
        first = record(3000, fwe_8192={"exact": 0.25, "values": 0.5, "tokens": 0.75}, nolima_8192={"exact": 0.1, "values": 0.2, "tokens": 0.3})
        last = record(4000, before=first, vt_8192={"exact": 0.0, "values": 0.0, "tokens": 0.9})
        (row,) = self.rows(last, 3000)
        cells = dict(zip(training_tables.COLUMNS, row[1:], strict=True))
        self.assertEqual(row[0], "rope-tiny")
        self.assertEqual((cells["fwe"], cells["nolima"], cells["vt"]), ("0.50", "0.10", "-"))
        (row,) = self.rows(last, 4000)
        self.assertEqual(dict(zip(training_tables.COLUMNS, row[1:], strict=True))["vt"], "0.90")

    def test_a_run_that_stopped_says_where(self):
        made = record(3000, finished=False, cwe_1024={"exact": 0.0, "values": 0.0, "tokens": 0.5})
        self.assertEqual([row[0] for row in self.rows(made, 3000, 1024, "reverse-tiny/training.json")], ["reverse-tiny, 5,462 steps"])

    def test_weights_without_a_record_before_and_other_lengths_make_no_row(self):
        made = record(4000, before="model.safetensors", cwe_1024={"exact": 0.0, "values": 0.0, "tokens": 0.5})
        self.assertEqual(self.rows(made, 3000), [])
        self.assertEqual(self.rows(made, 4000, 8192), [])

    def test_the_tables_of_the_docs_are_made_of_the_members_shipped(self):
        root = Path(__file__).resolve().parents[2]
        first, second = (root / "docs/training.md").read_text().split("## Ratio of softmax to linear layers")
        # All that went through the third recipe; after two, all but those that the page says nothing of there.
        for text, recipe, left_out in ((first, 5000, set()), (second, 4000, {"dense-tiny", "full-tiny"})):
            rows = training_tables.rows_of(sorted(root.glob("models/*/training.json")), recipe, 8192)
            shown = [line for line in text.splitlines() if line.startswith("| ") and "-tiny |" in line]
            self.assertEqual(sorted("| " + " | ".join(row) + " |" for row in rows if row[0] not in left_out), sorted(shown))


if __name__ == "__main__":
    unittest.main()
