"""`--help` of every script: it says what the script does, and neither installs, builds nor changes anything."""

import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "scripts" / "lib"))
from source_files import ROOT, source_files  # noqa: E402


def is_script(path):
    with open(ROOT / path, "rb") as file:
        return os.access(ROOT / path, os.X_OK) and file.read(2) == b"#!"


SCRIPTS = [path for path in source_files() if is_script(path)]
FOLDERS = {path.parent for path in SCRIPTS} | {Path("analysis/plots"), Path("cmake"), Path("train/sala_train")}
NEEDS = {"theory.py": "numpy", **dict.fromkeys(("train.py", "convert.py", "compare.py", "make_fixtures.py"), "torch")}  # for their help too
NOBODY = 65534
WORKING = ("apt-get", "sudo", "cmake", "ninja", "clang-format", "git", "g++", "curl", "pip")  # what a call for help never starts


def contents(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


class Help(unittest.TestCase):
    def setUp(self):
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        self.folder = Path(holder.name)
        self.tree, bin_folder = self.folder / "tree", self.folder / "bin"
        for path in source_files():
            if path.parent in FOLDERS | {Path("scripts/lib")} or path.name in ("CMakeLists.txt", "CMakePresets.json"):
                (self.tree / path.parent).mkdir(parents=True, exist_ok=True)
                shutil.copy(ROOT / path, self.tree / path)
        bin_folder.mkdir()
        for name in ("bash", "env", "dirname", "find", "readlink"):
            os.symlink(shutil.which(name), bin_folder / name)
        os.symlink(sys.executable, bin_folder / "python3")
        for name in WORKING:
            self.program(bin_folder / name, f'echo "{name} $*" >> "{self.folder}/started"\nexit 1\n')
        self.environment = {"PATH": str(bin_folder), "PYTHONDONTWRITEBYTECODE": "1"}
        self.before = contents(self.tree)

    def program(self, path, text):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("#!/bin/bash\n" + text)
        path.chmod(0o755)

    def run_script(self, *words, user=None):
        result = subprocess.run([self.tree / words[0], *words[1:]], cwd=self.folder, env=self.environment, user=user, capture_output=True, text=True,
                                stdin=subprocess.DEVNULL)
        started = self.folder / "started"
        self.assertEqual(started.read_text() if started.exists() else "", "", words)
        self.assertEqual(contents(self.tree), self.before, words)
        return result

    def test_every_script_explains_itself(self):
        self.assertGreater(len(SCRIPTS), 15)
        for script in SCRIPTS:
            if script.name in NEEDS and importlib.util.find_spec(NEEDS[script.name]) is None:
                continue
            for flag in ("--help", "-h"):
                with self.subTest(script=script, flag=flag):
                    result = self.run_script(script, flag)
                    self.assertEqual((result.returncode, result.stderr), (0, ""))
                    self.assertGreater(len(result.stdout.splitlines()), 1)
                    self.assertIn("scripts/test" if script.name == "run" else script.name, result.stdout)
                    self.assertNotIn("#!", result.stdout)

    def test_sala_eval_without_a_program_says_how_its_flags_are_had(self):
        for words in (["--help"], ["run", "--help"], ["list", "-h"], []):
            result = self.run_script("scripts/sala_eval", *words)
            self.assertEqual((result.returncode, result.stderr), (0 if words else 2, ""))
            for part in ("--task niah --len 4k", "list", "explain", "builds the program", "COMMAND --help", "docs/cli.md"):
                self.assertIn(part, result.stdout)

    def test_what_only_shows_something_runs_the_program_that_is_built(self):
        program = self.tree / "build/release/sala_eval"
        self.program(program, 'echo "program $*"\n')
        os.utime(program, (2e9, 2e9))  # newer than every source
        self.before = contents(self.tree)
        for words in (["--help"], ["run", "--help"], ["--version"], ["list", "models"], ["explain", "--len", "4k"], []):
            result = self.run_script("scripts/sala_eval", *words)
            self.assertEqual((result.returncode, result.stdout), (0, f"program {' '.join(words)}\n"), result.stderr)

    def test_a_program_that_is_older_than_a_source_is_built_first(self):
        program = self.tree / "build/release/sala_eval"
        self.program(program, 'echo "program $*"\n')
        os.utime(program, (0, 0))
        self.program(self.tree / "scripts/setup", f'echo setup >> "{self.folder}/wanted"\nexit 7\n')
        self.before = contents(self.tree)
        self.assertEqual(self.run_script("scripts/sala_eval", "list", "models").returncode, 7)
        self.assertEqual(self.run_script("scripts/sala_eval", "list", "--help").returncode, 0)
        self.assertEqual((self.folder / "wanted").read_text(), "setup\n")

    def test_users_who_cannot_build_run_the_program_that_is_built(self):
        program = self.tree / "build/release/sala_eval"
        self.program(program, 'echo "program $*"\n')
        self.folder.chmod(0o755)
        (self.tree / "build").chmod(0o555)
        self.addCleanup((self.tree / "build").chmod, 0o755)
        self.before = contents(self.tree)
        self.environment["SALA_SKIP_SETUP"] = "1"
        user = NOBODY if os.geteuid() == 0 else None
        for time, code, out, error in ((2e9, 0, "program --task niah\n", ""), (0, 1, "", "build cannot be written; build in a copy of your own")):
            os.utime(program, (time, time))
            result = self.run_script("scripts/sala_eval", "--task", "niah", user=user)
            self.assertEqual((result.returncode, result.stdout), (code, out), result.stderr)
            self.assertIn(error, result.stderr)

    def test_wrong_words_are_refused_in_one_sentence_before_anything_is_done(self):
        for code, words, part in (
            (2, ["scripts/test", "--quick"], "no such option '--quick'"),
            (2, ["scripts/format", "--fix"], "no such option '--fix'"),
            (2, ["scripts/bundle", "--all"], "no such option '--all'"),
            (2, ["scripts/setup", "everything"], "no such set 'everything'"),
            (2, ["scripts/family_results", "--all"], "unknown flag '--all'"),
            (2, ["scripts/family_results", "nothing-has-it"], "contains 'nothing-has-it'"),
            (2, ["scripts/check_style", "--root", "/nowhere"], "/nowhere is no folder"),
            (2, ["scripts/derive_words", "/nowhere", "out"], "/nowhere lacks data.adj"),
            (2, ["scripts/train_tokenizer"], "give GENERATOR and OUT.model"),
            (1, ["scripts/train_tokenizer", "/nowhere", "out.model"], "/nowhere is no program"),
            (1, ["scripts/train_tokenizer", shutil.which("bash"), "out.model"], "install the Debian package sentencepiece"),
        ):
            result = self.run_script(*words)
            said = result.stderr.splitlines()
            self.assertEqual((result.returncode, result.stdout), (code, ""), result.stderr)
            self.assertIn(part, said[-1])
            self.assertTrue(all(line.startswith(("usage:", " ")) for line in said[:-1]), result.stderr)


if __name__ == "__main__":
    sys.exit(unittest.main())
