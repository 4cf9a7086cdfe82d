"""scripts/setup on machines that it cannot or need not change: it says what is missing, or stays silent."""

import os
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "setup"


NOBODY = 65534


def setup(*args, commands=None, user=None, **environment):
    """Runs with a PATH that holds what every system has and the given commands (name -> shell text) only."""
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        shutil.copytree(SCRIPT.parent, Path(folder) / "scripts", ignore=shutil.ignore_patterns("__pycache__"))
        for name in ("bash", "dirname", "env", "grep", "mktemp", "readlink", "rm", "tail"):
            os.symlink(f"/usr/bin/{name}", Path(folder) / name)
        for name, text in (commands or {}).items():
            path = Path(folder) / name
            path.write_text("#!/bin/bash\n" + text)
            path.chmod(0o755)
        result = subprocess.run(["/bin/bash", Path(folder) / "scripts/setup", *args], env={"PATH": folder, **environment}, user=user, cwd=folder,
                                capture_output=True, text=True, stdin=subprocess.DEVNULL)
        return result.returncode, result.stderr


ALL_THERE = 'shift 3; for p in "$@"; do echo "$p installed"; done\n'
ALL_BUT_CMAKE = 'shift 3; for p in "$@"; do [ "$p" = cmake ] || echo "$p installed"; done\n'


class Setup(unittest.TestCase):
    def test_unknown_set_is_refused(self):
        code, message = setup("everything")
        self.assertEqual(code, 2)
        self.assertIn("run, test, dev and plots", message)

    def test_silent_when_all_is_there(self):
        self.assertEqual(setup("dev", commands={"dpkg-query": ALL_THERE, "apt-get": "exit 1\n"}), (0, ""))

    def test_other_systems_get_the_list(self):
        code, message = setup("run")
        self.assertEqual(code, 1)
        self.assertIn("cmake ninja-build g++", message)
        self.assertIn("SALA_SKIP_SETUP=1", message)
        self.assertEqual(setup("run", SALA_SKIP_SETUP="1"), (0, ""))

    def test_without_root_and_sudo_it_prints_the_command(self):
        user = NOBODY if os.geteuid() == 0 else None
        code, message = setup("run", commands={"dpkg-query": ALL_BUT_CMAKE, "apt-get": "exit 1\n"}, user=user)
        self.assertEqual(code, 1)
        self.assertIn("apt-get install --no-install-recommends cmake\n", message)
        self.assertIn("docs/install.md", message)

    @unittest.skipUnless(os.geteuid() == 0, "needs root")
    def test_installs_only_what_is_missing_and_shows_failures(self):
        code, message = setup("run", commands={"dpkg-query": ALL_BUT_CMAKE, "apt-get": "exit 0\n"})
        self.assertEqual((code, message), (0, "setup: installing 1 Debian packages: cmake\nsetup: installed\n"))
        code, message = setup("run", commands={"dpkg-query": ALL_BUT_CMAKE, "apt-get": "echo no route to host; exit 100\n"})
        self.assertEqual(code, 1)
        self.assertIn("no route to host", message)


if __name__ == "__main__":
    sys.exit(unittest.main())
