#!/usr/bin/env python3
"""Writes the packed token files of a recipe with the C++ generator. Example:

  train/prepare_data.py train/recipes/tasks.toml --generator build/release/sala_generate --out runs/data --threads 2
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from sala_train.recipe import VALIDATION_SEED, Recipe  # noqa: E402


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipe", type=Path)
    parser.add_argument("--generator", required=True, help="sala_generate, or 'sala_eval generate'")
    parser.add_argument("--out", required=True, type=Path)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--tokenizer", default=str(Path(__file__).parent.parent / "models" / "tokenizer.model"))
    args = parser.parse_args()
    try:
        recipe = Recipe.load(args.recipe)
        args.out.mkdir(parents=True, exist_ok=True)
    except (OSError, ValueError) as error:
        sys.exit(f"prepare_data: error [usage] {error}")
    made_for, whole = args.out / "rows.json", recipe.as_dict()
    wanted = json.dumps({key: whole[key] for key in ("mix", "stages", "data_seed", "validation")}, indent=1) + "\n"
    if made_for.exists() and made_for.read_text() != wanted:
        sys.exit(f"prepare_data: error [usage] {args.out} holds the rows of another recipe; use another --out")
    made_for.write_text(wanted)

    def generate(path: Path, tasks: str, length: int, rows: int, seed: int, *options: str) -> None:
        if path.exists():
            return
        command = [*args.generator.split(), "--tokens", "--split", "train", "--task", tasks, "--len", str(length), "--samples", str(rows),
                   "--seed", str(seed), "--tokenizer", args.tokenizer, "--threads", str(args.threads), "--out", f"{path}.part"]
        try:
            subprocess.run([*command, *options], check=True)
        except OSError as error:
            sys.exit(f"prepare_data: error [usage] --generator {args.generator}: {error.strerror}")
        except subprocess.CalledProcessError as error:  # it said why, or was killed
            sys.exit(f"prepare_data: error [generator] no rows for {path}: {args.generator} ended with {error.returncode}")
        Path(f"{path}.part").rename(path)

    for index, stage in enumerate(recipe.stages):
        for length in sorted(set(stage.lengths)):
            weights = recipe.weights(length)
            generate(args.out / f"stage{index}_{length}.tok", ",".join(weights), length, stage.rows(length), recipe.data_seed + index,
                     "--weights", ",".join(f"{task}={weight}" for task, weight in weights.items()))
    for length, rows in zip(recipe.validation.get("lengths", []), recipe.validation.get("rows", []), strict=True):
        for task in recipe.weights(length, as_evaluated=True):  # train split, a seed of its own: the evaluation split stays unseen
            generate(args.out / f"valid_{task}_{length}.tok", task, length, rows, VALIDATION_SEED, "--as-evaluated")


if __name__ == "__main__":
    main()
