#!/usr/bin/env python3
"""Trains one member of the family, in pieces that resume. Example:

  train/train.py --config models/sala-tiny/config.json --recipe train/recipes/niah.toml --data /tmp/data --out /tmp/sala-tiny --minutes 9

Writes checkpoint.pt (resumable), model.safetensors (bf16, released tensor names), training.json and log.jsonl into --out.
"""

import argparse
import hashlib
import json
import sys
import time
from pathlib import Path

import torch
import torch.nn.functional as F

sys.path.insert(0, str(Path(__file__).parent))
from sala_train.config import ModelConfig  # noqa: E402
from sala_train.data import PackedTokens  # noqa: E402
from sala_train.export import export  # noqa: E402
from sala_train.model import SalaForCausalLM, initialise  # noqa: E402
from sala_train.recipe import Recipe, Stage  # noqa: E402


def answer_loss(model: SalaForCausalLM, ids: torch.Tensor, mask: torch.Tensor, recipe: Recipe) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean cross-entropy over answer tokens (+ context_loss times that over the rest), and the share of answer tokens that argmax gets."""
    z = model.hidden(ids)[:, :-1]
    wanted, target = mask[:, 1:], ids[:, 1:]
    if recipe.context_loss > 0:
        logits = model.head(z).float()
        each = F.cross_entropy(logits.flatten(0, 1), target.flatten(), reduction="none").view_as(target)
        rest = (1 - wanted) * (target != 2)
        loss = (each * wanted).sum() / wanted.sum() + recipe.context_loss * (each * rest).sum() / rest.sum()
        return loss, ((logits.argmax(-1) == target) * wanted).sum() / wanted.sum()
    most = int(ids.shape[1] * recipe.answer_share)
    where = torch.topk(wanted, most, dim=1, sorted=False).indices  # a fixed number of rows, so that the step is one CUDA graph
    weight, target = wanted.gather(1, where), target.gather(1, where)
    logits = model.head(z.gather(1, where[..., None].expand(-1, -1, z.shape[-1]))).float()
    each = F.cross_entropy(logits.flatten(0, 1), target.flatten(), reduction="none").view_as(target)
    total = weight.sum().clamp(min=1)
    return (each * weight).sum() / total, ((logits.argmax(-1) == target) * weight).sum() / total


class Stepper:
    """One optimiser step at a fixed shape; on a GPU the whole step is one CUDA graph."""

    def __init__(self, model, optimizer, recipe: Recipe, stage: Stage, device: torch.device):
        self.model, self.optimizer, self.recipe, self.device = model, optimizer, recipe, device
        self.ids = torch.zeros(stage.batch, stage.length, dtype=torch.long, device=device)
        self.mask = torch.zeros(stage.batch, stage.length, device=device)
        self.graph, self.warm = None, 0

    def _step(self):
        with torch.autocast("cuda", dtype=torch.bfloat16, enabled=self.device.type == "cuda"):  # a CPU is faster in fp32
            loss, accuracy = answer_loss(self.model, self.ids, self.mask, self.recipe)
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.recipe.clip)
        self.optimizer.step()
        return loss.detach(), accuracy.detach(), norm.detach()

    def __call__(self, ids, mask):
        self.ids.copy_(torch.from_numpy(ids), non_blocking=True)
        self.mask.copy_(torch.from_numpy(mask), non_blocking=True)
        if self.graph is not None:
            self.graph.replay()
            return self.out
        self.optimizer.zero_grad(set_to_none=True)
        if self.device.type != "cuda":
            return self._step()
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            out = self._step()
        torch.cuda.current_stream().wait_stream(stream)
        self.warm += 1
        if self.warm == 3:
            self.optimizer.zero_grad(set_to_none=True)
            self.graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(self.graph):  # recorded, not run: the next call replays it
                self.out = self._step()
        return out


@torch.no_grad()
def validate(model, data: Path, device: torch.device, budget_tokens: int = 65536) -> dict[str, float]:
    """Exact match of the first answer of each row (the evaluation format), teacher-forced: equal to greedy decoding."""
    model.eval()
    result = {}
    for path in sorted(data.glob("valid_*.tok")):
        packed = PackedTokens(path)
        length = packed.ids.shape[1]
        size, right = max(1, budget_tokens // length), 0
        for begin in range(0, len(packed), size):
            ids = torch.from_numpy(packed.ids[begin : begin + size].astype("int64")).to(device)
            mask = torch.from_numpy(packed.mask[begin : begin + size].copy()).to(device)[:, 1:].bool()
            edges = F.pad(mask, (1, 0))[:, :-1]
            first = mask & ((mask & ~edges).cumsum(1) == 1)
            with torch.autocast("cuda", dtype=torch.bfloat16, enabled=device.type == "cuda"):
                z = model.hidden(ids)[:, :-1]
                good = torch.ones(len(ids), dtype=torch.bool, device=device)
                rows, columns = first.nonzero(as_tuple=True)
                wrong = model.head(z[rows, columns]).argmax(-1) != ids[:, 1:][rows, columns]
            good[rows[wrong]] = False
            right += int(good.sum())
        result[path.stem.removeprefix("valid_")] = right / len(packed)
    model.train()
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", required=True, type=Path, help="config.json of the member")
    parser.add_argument("--recipe", required=True, type=Path)
    parser.add_argument("--data", required=True, type=Path, help="directory written by prepare_data.py")
    parser.add_argument("--out", required=True, type=Path)
    parser.add_argument("--minutes", type=float, default=1e9, help="stop after this long and keep a checkpoint to resume from")
    parser.add_argument("--steps", type=int, default=10**9, help="stop after this many steps in all")
    parser.add_argument("--init", type=Path, help="start from this model.safetensors instead of the seed")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--log-every", type=int, default=200)
    args = parser.parse_args()

    device, began = torch.device(args.device), time.time()
    torch.backends.cuda.matmul.allow_tf32 = True
    config_text, recipe = args.config.read_text(), Recipe.load(args.recipe)
    identity = hashlib.sha256((config_text + json.dumps(recipe.as_dict(), sort_keys=True)).encode()).hexdigest()
    model = SalaForCausalLM(ModelConfig.load(args.config))
    initialise(model, recipe.seed)
    if args.init:
        from safetensors.torch import load_file
        model.load_state_dict({k: v.float() for k, v in load_file(args.init).items()})
    model.to(device)
    lr = torch.tensor(recipe.lr, device=device)
    groups = [{"params": [p for n, p in model.named_parameters() if (p.dim() > 1 and "embed" not in n) == decayed],
               "weight_decay": recipe.weight_decay * decayed, "lr": lr} for decayed in (True, False)]
    cuda = device.type == "cuda"
    optimizer = torch.optim.AdamW(groups, betas=recipe.betas, fused=cuda, capturable=cuda)
    args.out.mkdir(parents=True, exist_ok=True)
    checkpoint, step, seconds, history = args.out / "checkpoint.pt", 0, 0.0, []
    if checkpoint.exists():
        saved = torch.load(checkpoint, map_location=device, weights_only=True)
        if saved["identity"] != identity:
            sys.exit(f"train: error [config] {checkpoint} was made with another config or recipe; use another --out or delete it")
        model.load_state_dict(saved["model"])
        optimizer.load_state_dict(saved["optimizer"])
        for group in optimizer.param_groups:
            group["lr"] = lr
        step, seconds, history = saved["step"], saved["seconds"], saved["history"]

    def save() -> None:
        spent = seconds + time.time() - began
        torch.save({"identity": identity, "model": model.state_dict(), "optimizer": optimizer.state_dict(), "step": step,
                    "seconds": spent, "history": history}, checkpoint.with_suffix(".part"))
        checkpoint.with_suffix(".part").rename(checkpoint)

    first, log = 0, open(args.out / "log.jsonl", "a", buffering=1)
    for index, stage in enumerate(recipe.stages):
        last = first + stage.steps
        if step >= last:
            first = last
            continue
        packed, stepper = PackedTokens(args.data / f"stage{index}.tok"), Stepper(model, optimizer, recipe, stage, device)
        while step < min(last, args.steps) and time.time() - began < args.minutes * 60:
            lr.fill_(recipe.lr_at(step))
            out = stepper(*packed.batch(step - first, stage.batch))
            step += 1
            if step % args.log_every == 0 or step == last:
                loss, accuracy, norm = (round(float(x), 4) for x in out)
                row = {"step": step, "length": stage.length, "loss": loss, "answer_tokens_right": accuracy, "grad_norm": norm,
                       "seconds": round(seconds + time.time() - began, 1)}
                history.append(row)
                print(args.out.name, json.dumps(row), flush=True)
                log.write(json.dumps(row) + "\n")
        if step == last:
            save()
        if step < last:
            break
        first = last
        del stepper
    save()
    finished = step >= recipe.total_steps
    scores = validate(model, args.data, device)
    log.write(json.dumps({"step": step, "validation": scores}) + "\n")
    print(args.out.name, "finished" if finished else "stopped", "at step", step, json.dumps(scores), flush=True)
    tokens = sum(min(s.steps, max(0, step - sum(p.steps for p in recipe.stages[:i]))) * s.batch * s.length for i, s in enumerate(recipe.stages))
    export(model, config_text, args.out, {
        "recipe": recipe.as_dict(), "recipe_sha256": identity, "steps": step, "finished": finished, "tokens_seen": tokens,
        "seconds": round(seconds + time.time() - began, 1), "device": torch.cuda.get_device_name() if cuda else "cpu",
        "torch": torch.__version__, "loss_curve": history, "validation_exact_match": scores,
        "tokenizer_hash": PackedTokens(args.data / "stage0.tok").tokenizer_hash})


if __name__ == "__main__":
    main()
