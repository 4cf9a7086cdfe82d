#!/usr/bin/env python3
"""Says how much of packed rows members answer: teacher-forced, as training.json records it after training. Example, qa_2 of the evaluation's split:

  sala_generate --tokens --as-evaluated --split eval --task qa_2 --len 4096 --samples 40 --out runs/rows/valid_qa_2_4096.tok
  train/validate.py models/sala-tiny models/dense-tiny --data runs/rows

Of each file valid_NAME_LENGTH.tok in --data, for each member: rows whose answer is right as a whole (exact), values of answers (values), tokens of answers (tokens).
"""

import argparse
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("members", nargs="+", type=Path, help="folders with config.json and model.safetensors")
    parser.add_argument("--data", required=True, type=Path, help="folder of valid_NAME_LENGTH.tok")
    parser.add_argument("--device", help="cuda or cpu [cuda where there is one]")
    args = parser.parse_args()

    import torch  # after --help, which does without

    from sala_train.config import ModelConfig
    from sala_train.data import PackedTokens
    from sala_train.export import load_weights
    from sala_train.model import SalaForCausalLM
    from sala_train.validation import validate

    device = args.device or ("cuda" if torch.cuda.is_available() else "cpu")
    try:
        files = sorted(args.data.glob("valid_*.tok"))
        if not files:
            raise ValueError(f"{args.data} has no file valid_NAME_LENGTH.tok")
        for path in files:
            if not path.stem.rsplit("_", 1)[1].isdigit():
                raise ValueError(f"{path.name}: the name says no length; valid_NAME_LENGTH.tok")
            PackedTokens(path)
        models = {}
        for folder in args.members:
            model = SalaForCausalLM(ModelConfig.load(folder / "config.json"))
            load_weights(model, folder / "model.safetensors")
            models[folder.name] = model.to(device)
    except (OSError, ValueError) as error:
        sys.exit(f"validate: error [usage] {error}")
    print(json.dumps({name: validate(model, args.data, torch.device(device)) for name, model in models.items()}, indent=1))


if __name__ == "__main__":
    main()
