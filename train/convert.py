#!/usr/bin/env python3
"""Converts a trained full-attention teacher into a hybrid with HALO: transfer, align, select, distil (spec 6.1). Example:

  train/convert.py --teacher runs/tasks/teacher-tiny --recipe train/recipes/convert.toml --data runs/convert-data --keep 3 --out runs/tasks/student

Writes halo.json (what each layer costs when it becomes linear, and which stay), config.json, model.safetensors and training.json into --out;
train.py --init goes on from there (docs/training.md). The recipe's first stage aligns, its second distils.
"""

import argparse
import json
import sys
import time
from dataclasses import replace
from pathlib import Path

import torch
from torch import nn

sys.path.insert(0, str(Path(__file__).parent))
from sala_train import halo  # noqa: E402
from sala_train.config import FULL, ModelConfig  # noqa: E402
from sala_train.conversion import alignment_losses, distillation_loss, hybrid_config, hybrid_from, lightning_from, optimise  # noqa: E402
from sala_train.data import PackedTokens, check_rows  # noqa: E402
from sala_train.export import export, load_weights  # noqa: E402
from sala_train.model import SalaForCausalLM, open_device  # noqa: E402
from sala_train.recipe import Recipe  # noqa: E402
from sala_train.validation import validate  # noqa: E402

RECALL = ("niah_", "qa_", "nolima", "mrcr_")  # tasks that look one thing up; the others stand in for the paper's commonsense tasks


def means(scores: dict[str, dict[str, float]]) -> tuple[float, float]:
    """Share of right answer tokens, mean over the tasks without and with recall."""
    parts = [[s["tokens"] for task, s in scores.items() if task.startswith(RECALL) == recall] for recall in (False, True)]
    return sum(parts[0]) / len(parts[0]), sum(parts[1]) / len(parts[1])


def sweep_layers(teacher: SalaForCausalLM, mixers: nn.ModuleList, data: Path, device: torch.device) -> halo.Sweep:
    """Scores of the teacher, and of it with one layer at a time made linear."""
    original, replaced = means(validate(teacher, data, device)), []
    for layer, mixer in zip(teacher.model.layers, mixers, strict=True):
        attention, layer.self_attn = layer.self_attn, mixer
        replaced.append(means(validate(teacher, data, device)))
        layer.self_attn = attention
    teacher.eval()
    return halo.Sweep(original, replaced)


def prepare(args: argparse.Namespace) -> tuple[torch.device, Recipe, SalaForCausalLM]:
    """Everything that can be wrong, before any work. Raises ValueError or OSError with one sentence."""
    recipe, cfg = Recipe.load(args.recipe), ModelConfig.load(args.teacher / "config.json")
    cfg.check()
    if set(cfg.mixer_types) != {FULL}:
        raise ValueError(f"{args.teacher} needs layers of {FULL} only")
    if cfg.lightning_head_dim != cfg.head_dim or cfg.num_attention_heads * cfg.head_dim != cfg.hidden_size:
        raise ValueError(f"{args.teacher}: Lightning heads of {cfg.lightning_head_dim} cannot take over attention heads of {cfg.head_dim} (teacher-tiny is made for it)")
    if len(recipe.stages) != 2 or any(len(stage.lengths) != 1 for stage in recipe.stages):
        raise ValueError(f"{args.recipe} needs two stages of one length each: align and distil")
    if not 2 <= args.keep <= cfg.num_hidden_layers:
        raise ValueError(f"--keep {args.keep}: from 2, the first and the last layer, to {cfg.num_hidden_layers}")
    check_rows(args.data, recipe, cfg.vocab_size, None)
    names = [path.name.removeprefix("valid_") for path in args.data.glob("valid_*.tok")]
    if len({name.startswith(RECALL) for name in names}) != 2:
        raise ValueError(f"{args.data} needs held-out rows (valid_*.tok) of tasks with and without recall")
    torch.manual_seed(recipe.seed)
    teacher, device = SalaForCausalLM(cfg), open_device(args.device)
    load_weights(teacher, args.teacher / "model.safetensors")
    return device, recipe, teacher.to(device).eval().requires_grad_(False)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--teacher", required=True, type=Path, help="directory of a member whose layers are all full attention")
    parser.add_argument("--recipe", required=True, type=Path)
    parser.add_argument("--data", required=True, type=Path, help="directory written by prepare_data.py")
    parser.add_argument("--out", required=True, type=Path)
    parser.add_argument("--keep", type=int, default=3, help="softmax layers that stay, the first and the last among them")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    args = parser.parse_args()

    began, history = time.time(), []
    try:
        device, recipe, teacher = prepare(args)
    except (OSError, ValueError) as error:  # nothing has been written yet
        sys.exit(f"convert: error [config] {error}")
    raw = teacher.cfg.raw

    def stage(index: int, trained: nn.Module, loss) -> None:
        part = replace(recipe, stages=[recipe.stages[index]])
        rows = PackedTokens(args.data / f"stage{index}_{part.stages[0].lengths[0]}.tok").to(device)
        for step, out in optimise(trained, loss, part, rows):
            if step == 1 or step % 100 == 0 or step == part.total_steps:
                history.append({"stage": ("align", "distil")[index], "step": step, "loss": [round(x, 5) for x in out.flatten().tolist()],
                                "seconds": round(time.time() - began, 1)})
                print(args.out.name, json.dumps(history[-1]), flush=True)

    everywhere = ModelConfig(hybrid_config(raw, [], ""))
    mixers = nn.ModuleList(lightning_from(layer.self_attn, everywhere, i) for i, layer in enumerate(teacher.model.layers)).to(device)
    stage(0, mixers, lambda ids, mask: alignment_losses(teacher, mixers, ids))
    sweep, last = sweep_layers(teacher, mixers, args.data, device), len(mixers) - 1
    scores = halo.halo_scores(sweep)
    kept = halo.select_layers(scores, args.keep, always=(0, last))
    args.out.mkdir(parents=True, exist_ok=True)
    found = {"original": sweep.original, "replaced": sweep.replaced, "scores": scores, "kept": kept,
             "recall_mode": {"scores": halo.recall_scores(sweep), "kept": halo.select_layers(halo.recall_scores(sweep), args.keep, always=(0, last))}}
    (args.out / "halo.json").write_text(json.dumps(found, indent=1) + "\n")
    print(args.out.name, json.dumps(found), flush=True)

    config = hybrid_config(raw, kept, f"converted from {args.teacher.name} with HALO")
    student = hybrid_from(teacher, list(mixers), ModelConfig(config)).to(device).train()
    stage(1, student, lambda ids, mask: distillation_loss(teacher, student, ids, mask, recipe))
    with torch.no_grad():
        for weight in student.parameters():
            weight.copy_(weight.bfloat16())
    earlier = args.teacher / "training.json"
    record = {"recipe": recipe.as_dict(), "steps": recipe.total_steps, "finished": True, "tokens": recipe.tokens_at(recipe.total_steps),
              "seconds": round(time.time() - began, 1), "device": torch.cuda.get_device_name() if device.type == "cuda" else "cpu",
              "torch": torch.__version__, "loss_curve": history, "halo": found, "validation": validate(student, args.data, device),
              "teacher": json.loads(earlier.read_text()) if earlier.exists() else args.teacher.name}
    export(student, json.dumps(config, indent=1) + "\n", args.out, record)


if __name__ == "__main__":
    main()
