"""What a run says on a terminal, on one that cannot rewrite lines, and through a pipe. Argument: the program sala_eval."""

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import tempfile
import termios
import unittest
from pathlib import Path

PROGRAM = sys.argv.pop()
MODELS = Path(__file__).resolve().parents[2] / "models"
COLUMNS = 50
ERASE = "\r\x1b[K"
CELL = re.compile(r"^niah_single_[12] (1k|2k): 1 sample, score \d+\.\d, \d+ tokens/s, .+ left$")


def run(**environment):
    """What a run of four cells writes to a terminal."""
    outer, inner = pty.openpty()
    fcntl.ioctl(inner, termios.TIOCSWINSZ, struct.pack("HHHH", 24, COLUMNS, 0, 0))
    with tempfile.TemporaryDirectory() as folder:
        words = [PROGRAM, "--task", "niah_single_1,niah_single_2", "--len", "1k,2k", "--samples", "1", "--out",
                 folder + "/run"]
        settings = {**os.environ, "SALA_MODELS": str(MODELS), "TERM": "xterm", "NO_COLOR": "", **environment}
        with subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=inner, env=settings) as program:
            os.close(inner)
            text = b""
            try:
                while part := os.read(outer, 65536):
                    text += part
            except OSError:  # how Linux says that the other end is closed
                pass
            os.close(outer)
            assert program.wait() == 0
    return text.decode().replace("\r\n", "\n")


def cells(lines):
    return [line for line in lines if CELL.match(line)]


class Terminal(unittest.TestCase):
    def test_finished_cells_stand_above_a_line_that_fits(self):
        text = run()
        drawn = [part.split("\n")[0] for part in text.split(ERASE)[1:]]
        self.assertTrue(any("sample 1/1" in line for line in drawn), text)
        for line in drawn:
            if "sample 1/1" in line:
                self.assertLess(len(line), COLUMNS, line)
        self.assertEqual(len(cells(text.replace(ERASE, "\n").split("\n"))), 4, text)

    def test_terminals_that_rewrite_nothing_get_plain_lines(self):
        for environment in ({"TERM": "dumb"}, {"NO_COLOR": "1"}):
            text = run(**environment)
            self.assertNotIn("\x1b", text)
            self.assertNotIn("\r", text)
            self.assertEqual(len(cells(text.split("\n"))), 4, text)

    def test_one_sample_is_no_samples(self):
        self.assertIn("1k = 1024 tokens, 1 sample a task", run(TERM="dumb"))


if __name__ == "__main__":
    unittest.main()
