#!/usr/bin/env python3
"""Holds the C++ engine to the PyTorch definition (double precision) on trained members. Example:

  train/compare.py --binary build/release/sala_eval models/sala-tiny models/full-tiny --data /tmp/data

Reads a held-out row (multikey_2) of each --length from --data, written by prepare_data.py; reports for each member the largest relative difference of
logits and hidden states, the share of positions with the same best token, and the share of selected blocks that agree. Ends with 1 where a member disagrees.
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file

sys.path.insert(0, str(Path(__file__).parent))
from sala_train.config import ModelConfig  # noqa: E402
from sala_train.data import PackedTokens  # noqa: E402
from sala_train.model import SalaForCausalLM, SoftmaxMixer  # noqa: E402

TOLERANCE = 1e-5  # relative, of fp32 against double through all layers
SAME_BLOCKS = 0.999  # two scores nearer than fp32 tells apart may change places


def definition(folder: Path, ids: torch.Tensor) -> dict[str, torch.Tensor]:
    model = SalaForCausalLM(ModelConfig.load(folder / "config.json"))
    model.load_state_dict({k: v.float() for k, v in load_file(folder / "model.safetensors").items()})
    model.double().eval()
    found: dict[str, torch.Tensor] = {}
    for module in model.modules():
        if isinstance(module, SoftmaxMixer):
            module.exact_ties = True
    with torch.no_grad():
        found["logits"] = model(ids[None], hook=lambda kind, layer, value: found.update({f"{kind}.{layer}": value[0]}))[0]
    return found


def compare(binary: str, folder: Path, ids: torch.Tensor) -> tuple[float, float, float]:
    """Largest relative difference, share of equal best tokens, share of the definition's selected blocks that the engine selects."""
    wanted = definition(folder, ids)
    with tempfile.TemporaryDirectory() as scratch:
        Path(scratch, "ids.txt").write_text(" ".join(map(str, ids.tolist())))
        done = subprocess.run([binary, "logits", "--model", str(folder), "--ids", f"{scratch}/ids.txt", "--rows", "0", "--hidden", "--selected",
                        "--out", f"{scratch}/out.safetensors"], check=False, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        if done.returncode:
            sys.exit(f"compare: error [engine] {folder}: {done.stderr.strip()}")
        made = load_file(f"{scratch}/out.safetensors")
    worst, agree, blocks = 0.0, 0, 0
    expected = {name.replace("hidden.-1", "hidden.embedding") for name in wanted if not name.startswith("block_scores.")}
    if set(made) - {"ids"} != expected:
        sys.exit(f"compare: error [engine] {folder}: one side lacks {sorted(expected ^ (set(made) - {'ids'}))}")
    for name, value in made.items():
        if name.startswith("selected."):
            for head, rows in enumerate(wanted[name]):
                for mine, theirs in zip(value[head], rows):
                    set_mine, set_theirs = {int(b) for b in mine if b >= 0}, set(theirs.nonzero().flatten().tolist())
                    agree, blocks = agree + len(set_mine & set_theirs), blocks + len(set_theirs)
        elif name != "ids":
            reference = wanted[name.replace("embedding", "-1")]
            worst = max(worst, float((value.double() - reference).abs().max() / reference.abs().max()))
    best = float((made["logits"].argmax(-1) == wanted["logits"].argmax(-1)).double().mean())
    return worst, best, agree / blocks if blocks else 1.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("members", nargs="+", type=Path)
    parser.add_argument("--binary", required=True, help="sala_eval")
    parser.add_argument("--data", required=True, type=Path)
    parser.add_argument("--length", type=int, default=1024)
    args = parser.parse_args()
    row = PackedTokens(args.data / f"valid_niah_multikey_2_{args.length}.tok").ids[0].astype(np.int64)
    failed = 0
    for folder in args.members:
        worst, best, same = compare(args.binary, folder, torch.from_numpy(row))
        bad = worst > TOLERANCE or same < SAME_BLOCKS
        failed += bad
        print(f"{folder.name:22} largest relative difference {worst:.1e}  same best token {best:.4f}  same blocks {same:.5f}{'  DISAGREES' if bad else ''}", flush=True)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
