"""What the checks and a build know of a tree that git does not describe: a source archive, or a machine without git."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
GIT = shutil.which("git")


def path_without_git(folder):
    """A folder for PATH that holds what the scripts call."""
    folder.mkdir()
    for name in ("bash", "dirname", "env", "readlink"):
        os.symlink(shutil.which(name), folder / name)
    os.symlink(sys.executable, folder / "python3")
    return str(folder)


def build_info(source, **environment):
    """(commit, modified) that a build of the sources would record."""
    with tempfile.TemporaryDirectory() as out:
        subprocess.run([shutil.which("cmake"), f"-DOUT={out}/build_info.h", f"-DDIR={source}", "-P", ROOT / "eval/build_info.cmake"], check=True,
                       env={**os.environ, **environment})
        text = (Path(out) / "build_info.h").read_text()
    return tuple(re.search(rf'{name} = "(.*)"', text)[1] for name in ("kGitHash", "kGitModified"))


class WithoutGit(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.tree = Path(self.folder.name) / "tree"
        self.path = path_without_git(Path(self.folder.name) / "bin")
        shutil.copytree(ROOT / "scripts", self.tree / "scripts", ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(ROOT / ".gitignore", self.tree)

    def write(self, name, text):
        path = self.tree / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def git(self, folder, *words):
        subprocess.run([GIT, "-C", folder, "-c", "user.name=a", "-c", "user.email=a@b", *words], check=True, capture_output=True)

    def check_style(self):
        return subprocess.run([self.tree / "scripts/check_style"], capture_output=True, text=True, env={"PATH": self.path})

    def test_the_style_check_reads_what_is_not_ignored(self):
        for broken in ("build/ci/x.cc", "build-old/x.cc", "results/runs/a/x.md", "sim/__pycache__/x.py", "runs/x.cc"):
            self.write(broken, "int x; \n")
        for git_folder in (False, True):  # a checkout, on a machine without git
            if git_folder:
                (self.tree / ".git").mkdir()
            result = self.check_style()
            self.assertEqual((result.returncode, result.stdout, result.stderr), (0, "", ""))
        self.write("sim/x.cc", "int x; \n")
        result = self.check_style()
        self.assertEqual((result.returncode, result.stdout), (1, "sim/x.cc:1: trailing-space: remove it\n"), result.stderr)

    def test_the_commit_of_an_archive_is_recorded(self):
        commit = "0123456789abcdef0123456789abcdef01234567"
        self.assertEqual(build_info(self.tree, PATH=self.path), ("unknown", "unknown"))
        self.write(".git_archival.txt", (ROOT / ".git_archival.txt").read_text() if (ROOT / ".git").exists() else "node: $Format:%H$\n")
        self.assertEqual(build_info(self.tree, PATH=self.path), ("unknown", "unknown"), "a copy is no archive")
        self.write(".git_archival.txt", f"node: {commit}\n")
        self.assertEqual(build_info(self.tree, PATH=self.path), (commit, "unknown"))

    @unittest.skipUnless(GIT, "no git")
    def test_git_archive_names_its_commit(self):
        for name in (".git_archival.txt", ".gitattributes"):
            if not (ROOT / ".git").exists():
                self.skipTest("the archive's own file is filled in already")
            shutil.copy(ROOT / name, self.tree)
        self.git(self.tree, "init", "-q")
        self.git(self.tree, "add", ".")
        self.git(self.tree, "commit", "-q", "-m", "all")
        commit, modified = build_info(self.tree)
        self.assertEqual((len(commit), modified), (40, "no"))
        self.write("scripts/setup", "changed\n")
        self.assertEqual(build_info(self.tree), (commit, "yes"))
        unpacked = Path(self.folder.name) / "unpacked"
        unpacked.mkdir()
        archive = subprocess.run([GIT, "-C", self.tree, "archive", "HEAD"], check=True, capture_output=True).stdout
        subprocess.run(["tar", "x", "-C", unpacked], input=archive, check=True)
        self.assertEqual(build_info(unpacked), (commit, "unknown"))
        # Within a repository of somebody else, whose commit says nothing of these sources.
        self.git(self.folder.name, "init", "-q")
        self.git(self.folder.name, "commit", "-q", "--allow-empty", "-m", "other")
        self.assertEqual(build_info(unpacked), (commit, "unknown"))


if __name__ == "__main__":
    sys.exit(unittest.main())
