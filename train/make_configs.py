#!/usr/bin/env python3
"""Writes models/NAME/config.json for every member of train/family.toml. Example:

  train/make_configs.py --out models
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from sala_train.family import load_family, parameters, write_configs  # noqa: E402


def main() -> None:
    root = Path(__file__).parent
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--family", type=Path, default=root / "family.toml")
    parser.add_argument("--out", type=Path, default=root.parent / "models")
    args = parser.parse_args()
    try:
        write_configs(args.family, args.out)
        for name, raw in load_family(args.family).items():
            print(f"{name:20} {parameters(raw):9,} parameters, FFN {raw['intermediate_size']:4}  {raw['sala_lab']['family']}")
    except ValueError as error:
        sys.exit(f"make_configs: error [config] {error}")


if __name__ == "__main__":
    main()
