"""The recipes of packaging/ as far as they can be read without their tools: known words, files that exist, scripts with such flags."""

import json
import re
import sys
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DOCKER_WORDS = {"FROM", "RUN", "WORKDIR", "COPY", "ENV", "USER", "ENTRYPOINT", "CMD"}
APPTAINER_SECTIONS = {"files", "files from build", "post", "environment", "runscript", "test", "help"}


def lines_of(name):
    return [line for line in (ROOT / "packaging" / name).read_text().splitlines() if line.strip() and not line.startswith("#")]


class Containers(unittest.TestCase):
    def test_dockerfile(self):
        words = [line.split() for line in lines_of("Dockerfile")]
        self.assertEqual({line[0] for line in words} - DOCKER_WORDS, set())
        stages = [line[3] for line in words if line[0] == "FROM" and "AS" in line]
        for line in words:
            if line[0] == "COPY" and line[1].startswith("--from="):
                self.assertIn(line[1].removeprefix("--from="), stages)
            elif line[0] == "COPY":
                self.assertTrue((ROOT / line[1]).exists(), line)
            elif line[0] in ("ENTRYPOINT", "CMD"):
                self.assertIsInstance(json.loads(" ".join(line[1:])), list)
        self.assertLess(words.index(["USER", "nobody"]), [line[0] for line in words].index("ENTRYPOINT"), "not as root")

    def test_apptainer(self):
        stages, sections = [], []
        for line in lines_of("sala.def"):
            if match := re.match(r"(Bootstrap|From|Stage): (\S+)$", line):
                stages.append(match[1])
            elif line.startswith("%"):
                sections.append(line[1:])
            else:
                self.assertTrue(line.startswith("    "), line)
        self.assertEqual(stages, ["Bootstrap", "From", "Stage"] * 2)
        self.assertEqual(set(sections), APPTAINER_SECTIONS)

    def test_both_take_the_bundle_from_one_place(self):
        usage = (ROOT / "scripts/bundle").read_text()
        for name in ("Dockerfile", "sala.def"):
            text = "\n".join(lines_of(name))
            self.assertIn("scripts/bundle --out /opt/sala", text)
            self.assertIn("/opt/sala/bin", text)
            self.assertEqual(set(re.findall(r"debian:\S+", text)), {"debian:12-slim"})
        self.assertIn("--out DIR", usage)


if __name__ == "__main__":
    sys.exit(unittest.main())
