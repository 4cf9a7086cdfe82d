"""What the documentation lists is what the sources have."""

import json
import re
import subprocess
import sys
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def table(path, columns):
    """Rows of the Markdown tables in `path` that have this many columns, as tuples, without header and rule."""
    rows = []
    for line in (ROOT / path).read_text().splitlines():
        cells = tuple(cell.strip().strip("`") for cell in line.strip().strip("|").split("|"))
        if line.startswith("|") and len(cells) == columns and not set(cells[0]) <= set("- "):
            rows.append(cells)
    return rows


class Docs(unittest.TestCase):
    def test_exit_codes(self):
        header = (ROOT / "sim/include/sala/core/error.h").read_text()
        in_code = {(number, name.lower(), meaning) for name, number, meaning in re.findall(r"k(\w+) = (\d+), +// (.*)", header)}
        in_docs = {(code, name, meaning.split(";")[0]) for code, name, meaning in table("docs/errors.md", 3) if name and code != "code"}
        self.assertGreater(len(in_code), 5)
        self.assertEqual(in_docs, in_code)

    def test_presets(self):
        presets = json.loads((ROOT / "CMakePresets.json").read_text())["configurePresets"]
        names = {preset["name"] for preset in presets if not preset.get("hidden")}
        listed = {row[0] for row in table("docs/architecture.md", 2)}
        self.assertEqual(names - listed, set())

    def test_config_extensions(self):
        header = (ROOT / "sim/include/sala/model/config.h").read_text()
        body = header[header.rindex("void LabConfig::visit_fields"):header.rindex("void ModelConfig::visit_fields")]
        fields = set(re.findall(r'visit\("(\w+)"', body))
        self.assertGreater(len(fields), 3)
        self.assertEqual(fields, {row[0] for row in table("docs/file_formats.md", 3)} & fields)

    def test_links_lead_somewhere(self):
        pages = subprocess.run(["git", "-C", ROOT, "ls-files", "*.md"], capture_output=True, text=True).stdout.split()
        if not pages:
            self.skipTest("no git checkout")
        for page in pages:
            for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", (ROOT / page).read_text()):
                if "://" not in target:
                    self.assertTrue((ROOT / page).parent.joinpath(target).exists(), f"{page} links to {target}")


if __name__ == "__main__":
    sys.exit(unittest.main())
