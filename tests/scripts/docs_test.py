"""What the documentation lists is what the sources have."""

import json
import re
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "scripts" / "lib"))
from source_files import ROOT, source_files  # noqa: E402


def anchors(path):
    """What the headings of a page are called in links: as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", re.sub(r"^```.*?^```", "", path.read_text(), flags=re.M | re.S), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


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
        fields = {row[0].removeprefix("sala_lab.") for row in table("docs/config.md", 4) if row[0].startswith("sala_lab.")}
        self.assertGreater(len(fields), 3)
        self.assertEqual(fields, {row[0] for row in table("docs/file_formats.md", 3)} & fields)

    def test_flags(self):
        in_code = set()
        for source in [*(ROOT / "eval").rglob("*.cc"), *(ROOT / "sim" / "mixers").rglob("*.cc")]:
            for names in re.findall(r'"((?:-\w,)?--[a-z][a-z-]+(?:,--[a-z][a-z-]+)*)"', source.read_text()):
                in_code |= {name for name in names.split(",") if name.startswith("--")}
        in_docs = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", (ROOT / "docs/cli.md").read_text()))
        self.assertGreater(len(in_code), 30)
        self.assertEqual(in_code - in_docs - {"--version", "--output"}, set())  # -o stands for --output
        self.assertEqual(in_docs - in_code - {"--help", "--log"}, set())  # --log_samples is lm-eval's

    def test_links_lead_somewhere(self):
        pages = [page for page in source_files() if page.suffix == ".md"]
        self.assertGreater(len(pages), 5)
        for page in pages:
            for target, anchor in re.findall(r"\]\(([^)#\s]*)#?([^)\s]*)\)", (ROOT / page).read_text()):
                if "://" not in target:
                    file = (ROOT / page).parent.joinpath(target) if target else ROOT / page
                    self.assertTrue(file.exists(), f"{page} links to {target}")
                    if anchor:
                        self.assertIn(anchor, anchors(file), f"{page} links to {target}#{anchor}")


if __name__ == "__main__":
    sys.exit(unittest.main())
