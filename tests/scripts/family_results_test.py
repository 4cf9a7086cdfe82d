"""What scripts/family_results would run, without running it."""

import os
import subprocess
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


class FamilyResults(unittest.TestCase):
    def setUp(self):
        self.temporary = tempfile.TemporaryDirectory()
        self.addCleanup(self.temporary.cleanup)
        self.out, self.models = Path(self.temporary.name) / "out", Path(self.temporary.name) / "models"
        (self.models / "sala-tiny").mkdir(parents=True)

    def run_script(self, *args):
        environment = {**os.environ, "SALA_EVAL": "false", "SALA_MODELS": str(self.models), "FAMILY_OUT": str(self.out)}  # `false`: nothing may be run
        return subprocess.run(["bash", str(ROOT / "scripts/family_results"), *args], env=environment, cwd=ROOT, capture_output=True, text=True)

    def test_commands_are_listed_and_not_run(self):
        done = self.run_script("--list", "sala-tiny-4k")
        (line,) = done.stdout.splitlines()
        self.assertTrue(line.startswith("false run --model sala-tiny --task ruler"), line)
        self.assertIn("--len 4k --samples 20", line)
        self.assertTrue(line.endswith(f" > {self.out}/sala-tiny-4k/complete"), line)
        self.assertEqual((done.returncode, done.stderr, self.out.exists()), (0, "", False))

    def test_what_is_complete_is_left_and_what_has_no_weights_is_named(self):
        folder = self.out / "sala-tiny-4k"
        folder.mkdir(parents=True)
        (line,) = self.run_script("--list", "sala-tiny-4k").stdout.splitlines()
        subprocess.run(line.split(" && ")[-1], shell=True, check=True)  # what is behind the run: it writes `complete`
        done = self.run_script("--list", "tiny-4k")
        self.assertEqual((done.returncode, done.stdout), (0, ""))
        self.assertIn("not run, no weights in", done.stderr)
        self.assertIn("rope-tiny", done.stderr)
        (self.models / "sala-tiny/model.safetensors").write_text("other weights")
        self.assertIn("--model sala-tiny", self.run_script("--list", "sala-tiny-4k").stdout)

    def test_flags(self):
        done = self.run_script("--help")
        self.assertEqual(done.returncode, 0)
        self.assertIn("--list [PATTERN]", done.stdout)
        self.assertNotIn("pipefail", done.stdout)
        done = self.run_script("--lost")
        self.assertEqual((done.returncode, done.stdout), (2, ""))
        self.assertIn("unknown flag '--lost'", done.stderr)


if __name__ == "__main__":
    unittest.main()
