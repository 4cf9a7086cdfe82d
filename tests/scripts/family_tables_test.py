"""Which rows make a cell of analysis/family_tables.py, and how a page gets its tables."""

import sys
import tempfile
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "analysis"))
import family  # noqa: E402
import family_tables  # noqa: E402


class Tables(unittest.TestCase):
    def setUp(self):
        self.temporary = tempfile.TemporaryDirectory()
        self.addCleanup(self.temporary.cleanup)
        self.root = Path(self.temporary.name)
        self.rows = {}

    def write(self, folder, length, **scores):
        rows = self.rows.setdefault(family.table_of(folder), [])
        rows += [{"run": folder, "task": task, "length": length, "n": 20, "score": score, "trained_length": 8192} for task, score in scores.items()]
        family.write(self.root / f"{family.table_of(folder)}.csv", rows)

    def tables(self):
        return {name: text.splitlines() for name, text in family_tables.tables(family_tables.load(self.root)).items()}

    def test_a_mean_needs_all_of_its_tasks(self):
        self.write("sala-tiny-4k", 4096, **dict.fromkeys(family_tables.NEEDLES, 0.5))
        self.write("rope-tiny-4k", 4096, **dict.fromkeys(family_tables.NEEDLES[1:], 1.0))
        self.assertEqual(self.tables()["lengths needles"][2:], ["| 4k | 50.0 | - | - | - | - | - | - |"])
        self.assertIn("| vt | 50.0 | 100.0 |", self.tables()["tasks 4k"])

    def test_runs_under_another_policy_are_not_the_members_own(self):
        self.write("sala-tiny-4k", 4096, vt=0.5, mrcr_2=0.25)
        self.write("sala-tiny-oracle-4k", 4096, vt=1.0)
        self.assertEqual(self.tables()["tasks 4k"][2:], ["| vt | 50.0 |", "| mrcr_2 | 25.0 |"])

    def test_members_after_the_first_recipe_stand_apart(self):
        self.write("stage1-halo-s2-4k", 4096, nolima=0.75)
        self.write("stage1-halo-s2-32k", 32768, **dict.fromkeys(family_tables.NEEDLES, 1.0))
        self.assertEqual(self.tables()["first recipe"][2:], ["| `halo-s2` | - | - | 75.0 | - | 100.0 |"])
        self.assertEqual(len(self.tables()["tasks 4k"]), 2)

    def test_a_page_keeps_what_is_not_a_table(self):
        made = {"a b": "| 1 |\n| - |\n| 2 |", "c": "| 3 |\n| - |\n| 4 |", "empty": "| 5 |\n| - |"}
        page = "above\n<!-- table: a b -->\nold\n\nold\n<!-- end -->\nbetween\n<!-- table: c -->\n<!-- end -->\nbelow\n"
        wanted = f"above\n<!-- table: a b -->\n{made['a b']}\n<!-- end -->\nbetween\n<!-- table: c -->\n{made['c']}\n<!-- end -->\nbelow\n"
        self.assertEqual(family_tables.written_into(page, made), wanted)
        self.assertEqual(family_tables.written_into(wanted, made), wanted)
        for wrong, why in ((page.replace(": c", ": d"), "no table 'd'; known: a b, c, empty"), (page.replace(": c", ": empty"), "'empty' has no rows"), ("prose\n", "no place"),
                           (page.replace("<!-- end -->\nbetween", "between"), "no <!-- end --> behind table 'a b'"), (page.replace("<!-- end -->\nbelow", "below"), "without its <!-- end -->")):
            with self.assertRaisesRegex(ValueError, why):
                family_tables.written_into(wrong, made)


if __name__ == "__main__":
    unittest.main()
