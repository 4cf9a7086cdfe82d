"""scripts/bundle: the folder runs from another place, as any user, without this system's libraries, and answers as the build does.

  bundle_test.py BUILD    BUILD holds a built sala_eval
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BUILD = Path(sys.argv.pop()).resolve() if len(sys.argv) > 1 else ROOT / "build/release"
NOBODY = 65534
RUN = ["--task", "niah_single_1", "--len", "1k", "--samples", "2", "--quiet"]


def answers(folder):
    lines = [json.loads(line) for line in (folder / "samples.jsonl").read_text().splitlines()]
    return sorted((line["id"], line["answer"], line["score"]) for line in lines)  # lines stand in the order of finishing


class Bundle(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = Path(tempfile.mkdtemp())
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        cls.folder.chmod(0o755)
        made = cls.make("first", "--models", "sala-tiny")
        assert made.returncode == 0, made.stderr
        cls.bundle = cls.folder / "another place" / "moved"
        cls.bundle.parent.mkdir()
        (cls.folder / "first").rename(cls.bundle)
        cls.work = cls.folder / "work"
        cls.work.mkdir()
        cls.work.chmod(0o777)

    @classmethod
    def make(cls, name, *words):
        return subprocess.run([ROOT / "scripts/bundle", "--build", BUILD, "--out", cls.folder / name, *words], capture_output=True, text=True)

    def run_as_nobody(self, *words, within=None, environment=None):
        def prepare():
            if within:
                os.chroot(within)
                os.chdir("/")
            if os.geteuid() == 0:
                os.setgroups([])
                os.setgid(NOBODY)
                os.setuid(NOBODY)

        result = subprocess.run(words, cwd=self.work, env={"PATH": "/usr/bin:/bin", **(environment or {})}, preexec_fn=prepare, capture_output=True, text=True)
        self.assertEqual(result.returncode, 0, result.stderr)
        return result.stdout

    def test_a_moved_folder_answers_as_the_build_does(self):
        # What a cluster's modules set would break a program with a libc of its own.
        foreign = {"LD_LIBRARY_PATH": str(self.folder), "LD_PRELOAD": "/nowhere/libpreload.so"}
        self.run_as_nobody(self.bundle / "bin/sala_eval", *RUN, "--out", "bundled", environment=foreign)
        subprocess.run([BUILD / "sala_eval", *RUN, "--out", self.work / "built"], check=True, capture_output=True)
        found = answers(self.work / "bundled")
        self.assertEqual((len(found), found), (2, answers(self.work / "built")))

    def test_a_link_to_the_program_runs_it(self):
        link = self.work / "link"
        link.symlink_to(self.bundle / "bin/sala_eval")
        self.assertRegex(self.run_as_nobody(link, "--version"), r"^sala_eval \d+\.\d+\.\d+ \(")

    def test_it_has_the_models_asked_for_and_knows_the_family(self):
        models = self.run_as_nobody(self.bundle / "bin/sala_eval", "list", "models")
        for name, weights in (("sala-tiny", "yes"), ("full-tiny", "to be trained"), ("uniform-tiny", "to be trained")):
            self.assertRegex(models, rf"(?m)^{name} .* {weights}\b")

    @unittest.skipUnless(os.geteuid() == 0, "needs root for chroot")
    def test_nothing_of_the_system_is_needed(self):
        loader = next((self.bundle / "lib").glob("ld-*")).name
        output = self.run_as_nobody(f"/lib/{loader}", "--library-path", "/lib", "/lib/sala_eval", "explain", "--no-estimate", "--len", "4k", within=self.bundle,
                                    environment={"SALA_MODELS": "/share/sala/models"})  # no /proc there to find them by
        self.assertTrue(output.startswith("sala-tiny: "), output)

    def test_licences_go_with_the_libraries(self):
        self.assertTrue((self.bundle / "share/doc/sala/LICENSE").exists())
        if shutil.which("dpkg-query"):
            names = {path.name for path in (self.bundle / "share/doc/sala/libraries").iterdir()}
            self.assertLessEqual({"libc6", "libstdc++6", "libfmt9"}, names)

    def test_what_cannot_be_made_is_refused(self):
        for code, words, part in ((2, ["--everything"], "--everything"), (2, ["--models"], "needs a value"), (1, ["--models", "sala-tiny,none"], "no 'none'"),
                                  (1, ["--build", "/nowhere"], "holds no sala_eval")):
            result = self.make("refused", *words)
            self.assertEqual(result.returncode, code, result.stderr)
            self.assertIn(part, result.stderr)
            self.assertEqual([path for path in self.folder.iterdir() if path.name.startswith("refused")], [])
        (self.folder / "there").mkdir()
        self.assertIn("exists", self.make("there").stderr)


if __name__ == "__main__":
    sys.exit(unittest.main())
