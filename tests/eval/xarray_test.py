"""run.h5 and a sweep's cells.h5 open in xarray: every dimension has a name. Argument: the program sala_eval."""

import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

DEBIAN = "/usr/bin/python3"  # which has what scripts/setup installs; CMake may have found another one

try:
    import h5netcdf  # noqa: F401
    import pandas
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

    def test_the_cells_of_a_sweep_are_a_data_frame(self):
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "small.toml"
            file.write_text("[fixed]\nlen=512\nsamples=2\n[grid]\ntask=['niah_single_1','nolima']\ntopk=[4,12]\n[[include]]\ntask='niah_single_1'\nmodel='nogate-tiny'\n")
            subprocess.run([PROGRAM, "sweep", file, "--out", folder + "/out", "--quiet"], stdout=subprocess.DEVNULL,
                           env={**os.environ, "SALA_MODELS": str(MODELS)})
            cells = xarray.open_dataset(folder + "/out/cells.h5", engine="h5netcdf").to_dataframe()
            wanted = pandas.read_csv(folder + "/out/cells.csv", dtype={"cell": str, "seed": str, "weights": str})
            self.assertEqual(sorted(cells.columns), sorted(wanted.columns))
            self.assertEqual(len(cells), 5)
            for name in wanted.columns:
                if wanted[name].dtype == object:
                    self.assertEqual(list(cells[name]), [str(value).lower() if isinstance(value, bool) else value for value in wanted[name].fillna("")], name)
                else:
                    pandas.testing.assert_series_equal(cells[name], wanted[name].astype(float), check_names=False, check_index=False)


if __name__ == "__main__":
    unittest.main()
