"""run.h5 opens in xarray: every dimension has a name. Argument: the program sala_eval."""

import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

DEBIAN = "/usr/bin/python3"  # which has what scripts/setup installs; CMake may have found another one

try:
    import h5netcdf  # noqa: F401
    import xarray
except ImportError:
    if os.path.realpath(sys.executable) == os.path.realpath(DEBIAN):
        raise
    os.execv(DEBIAN, [DEBIAN, "-B", *sys.argv])

PROGRAM = sys.argv.pop()
MODELS = Path(__file__).resolve().parents[2] / "models"


class Xarray(unittest.TestCase):
    def test_every_group_opens(self):
        with tempfile.TemporaryDirectory() as folder:
            words = [PROGRAM, "--task", "niah_multikey_2", "--len", "1k", "--samples", "2", "--probe", "answer", "--quiet",
                     "--out", folder + "/run"]
            subprocess.run(words, check=True, stdout=subprocess.DEVNULL, env={**os.environ, "SALA_MODELS": str(MODELS)})
            for group in ("cells/niah_multikey_2/1024", "cells/niah_multikey_2/1024/attention",
                          "cells/niah_multikey_2/1024/hidden", "provenance/timing/niah_multikey_2/1024"):
                with xarray.open_dataset(folder + "/run/run.h5", group=group, engine="h5netcdf") as data:
                    self.assertGreater(len(data.variables), 1, group)
                    for name in data.dims:
                        self.assertFalse(str(name).startswith("phony"), name)
            with xarray.open_dataset(folder + "/run/run.h5", group="cells/niah_multikey_2/1024", engine="h5netcdf") as cell:
                self.assertEqual(cell["evidence_tokens"].dims, ("sample_index", "evidence", "bound"))
                self.assertEqual(cell["score"].sizes["sample_index"], 2)


if __name__ == "__main__":
    unittest.main()
