#!/usr/bin/env python3
"""Trains several members at once, spread over the GPUs of this machine. Example, eight runs on two GPUs for nine minutes:

  train/train_members.py --members sala-tiny,full-tiny,linear-tiny,sala-tiny:2 --recipe train/recipes/tasks.toml --data runs/data --out runs/tasks --minutes 9

NAME:SEED trains a member of train/family.toml from another seed, into OUT/NAME-sSEED. The same command goes on from the checkpoints.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from sala_train.family import load_family  # noqa: E402

HERE = Path(__file__).parent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--members", required=True, help="comma list of NAME or NAME:SEED")
    parser.add_argument("--recipe", required=True, type=Path)
    parser.add_argument("--data", required=True, type=Path)
    parser.add_argument("--out", required=True, type=Path)
    parser.add_argument("--minutes", type=float, default=1e9)
    parser.add_argument("--init", type=Path, help="start each member from INIT/NAME/model.safetensors in place of the seed")
    parser.add_argument("--gpus", type=int, default=1)
    parser.add_argument("--family", type=Path, default=HERE / "family.toml")
    parser.add_argument("options", nargs="*", help="after --: passed on to train.py")
    args = parser.parse_args()
    family, runs = load_family(args.family), []
    for index, word in enumerate(args.members.split(",")):
        name, _, seed = word.partition(":")
        if name not in family:
            sys.exit(f"train_members: error [usage] no member '{name}' in {args.family}; it has {', '.join(family)}")
        out = args.out / (f"{name}-s{seed}" if seed else name)
        out.mkdir(parents=True, exist_ok=True)
        config = out / "member.json"
        config.write_text(json.dumps(family[name], indent=1) + "\n")
        command = [sys.executable, str(HERE / "train.py"), "--config", str(config), "--recipe", str(args.recipe), "--data", str(args.data),
                   "--out", str(out), "--minutes", str(args.minutes), *(["--seed", seed] if seed else []),
                   *(["--init", str(args.init / out.name / "model.safetensors")] if args.init else []), *args.options]
        caches = args.out / "compiled"  # one for all: runs of one shape compile once
        environment = {**os.environ, "CUDA_VISIBLE_DEVICES": str(index % args.gpus), "TORCHINDUCTOR_CACHE_DIR": str(caches / "inductor"),
                       "TRITON_CACHE_DIR": str(caches / "triton")}
        runs.append((out, subprocess.Popen(command, env=environment, stdout=open(out / "train.log", "a"), stderr=subprocess.STDOUT)))
    began = time.time()
    while any(run.poll() is None for _, run in runs):
        time.sleep(20)
        heads = []
        for out, _ in runs:
            lines = (out / "log.jsonl").read_text().splitlines() if (out / "log.jsonl").exists() else []
            rows = [row for row in map(json.loads, lines) if "loss" in row]
            heads.append(f"{out.name} {rows[-1]['step']}:{rows[-1]['answer_tokens_right']:.2f}" if rows else f"{out.name} -")
        print(f"{time.time() - began:4.0f} s  " + "  ".join(heads), flush=True)
    failed = [out.name for out, run in runs if run.returncode]
    if failed:
        sys.exit(f"train_members: error [internal] {', '.join(failed)} failed; see train.log there")


if __name__ == "__main__":
    main()
