"""scripts/lib/build.sh: what a build says while it runs."""

import os
import pty
import re
import subprocess
import sys
import unittest
from pathlib import Path

LIBRARY = Path(__file__).resolve().parents[2] / "scripts" / "lib" / "build.sh"
STEPS = [
    "[1/20] Building CXX object CMakeFiles/sala_precompiled.dir/cmake_pch.hxx.gch",
    "[2/20] Building CXX object sim/ops/CMakeFiles/sala_ops_avx2.dir/select/select_cpu.cc.o",
    "[3/20] Building CXX object sim/model/CMakeFiles/sala_sim.dir/__/mixers/lightning.cc.o",
    *[f"[{i}/20] Embedding word lists" for i in range(4, 20)],
    "[20/20] Linking CXX executable sala_eval",
]


def progress(lines, pause=0, stderr=subprocess.PIPE):
    feed = "".join(f"echo '{line}'; " + (f"sleep {pause}; " if pause else "") for line in lines)
    command = f"source {LIBRARY}; {{ {feed} }} | sala_progress release 3>&1"
    return subprocess.run(["bash", "-c", command], stdout=subprocess.PIPE, stderr=stderr, text=True, check=True)


def without_time(text):
    """A busy machine needs a second for nothing, and then says what is left."""
    return re.sub(r", about \d+ (s|min) left", "", text)


class BuildProgress(unittest.TestCase):
    def test_the_log_has_every_line(self):
        lines = ["ninja: Entering directory", *STEPS]
        self.assertEqual(progress(lines).stdout.splitlines(), lines)

    def test_every_tenth_is_one_line(self):
        said = without_time(progress(STEPS).stderr).splitlines()
        self.assertEqual(said[0], "release: 1 of 20 steps (5 %), compiling cmake_pch.hxx")
        self.assertEqual(said[1], "release: 2 of 20 steps (10 %), compiling sim/ops/select/select_cpu.cc")
        self.assertIn("release: 20 of 20 steps (100 %), linking sala_eval", said)
        self.assertRegex(said[-1], r"^release: built in \d+ s$")
        self.assertEqual(len(said), 12)

    def test_says_what_is_left(self):
        said = progress(STEPS[:3], pause=1.1).stderr.splitlines()
        self.assertRegex(said[1], r"^release: 2 of 20 steps \(10 %\), about \d+ s left, compiling")

    def test_sources_of_other_folders(self):
        said = without_time(progress([STEPS[2]]).stderr).splitlines()
        self.assertEqual(said[0], "release: 3 of 20 steps (15 %), compiling sim/mixers/lightning.cc")

    def test_silent_when_there_was_nothing_to_do(self):
        self.assertEqual(progress(["[0/2] Re-checking globbed directories...", "[1/2] Build info"]).stderr, "")

    def test_one_line_on_a_terminal(self):
        outer, inner = pty.openpty()
        progress(STEPS, stderr=inner)
        os.close(inner)
        text = b""
        try:
            while part := os.read(outer, 65536):
                text += part
        except OSError:  # how Linux says that the other end is closed
            pass
        os.close(outer)
        text = text.decode()
        self.assertEqual(text.count("\n"), 1)
        self.assertEqual(text.count("\r\x1b[K"), len(STEPS) + 1)


if __name__ == "__main__":
    sys.exit(unittest.main())
