#!/usr/bin/env python3
"""Trains one member of the family, in pieces that resume. Example:

  train/train.py --config models/sala-tiny/config.json --recipe train/recipes/tasks.toml --data runs/data --out runs/sala-tiny --minutes 9

Writes checkpoint.pt (resumable), model.safetensors (bf16, released tensor names), training.json and log.jsonl into --out.
On a GPU the layers are compiled (--eager: not) and the whole step is one CUDA graph; on a CPU everything runs as written, in fp32.
"""

import argparse
import hashlib
import json
import sys
import time
from pathlib import Path

import torch
import torch._dynamo

sys.path.insert(0, str(Path(__file__).parent))
from sala_train.config import ModelConfig  # noqa: E402
from sala_train.data import PackedTokens, check_rows  # noqa: E402
from sala_train.export import export, load_weights  # noqa: E402
from sala_train.loss import answer_loss  # noqa: E402
from sala_train.model import SalaForCausalLM, SoftmaxMixer, initialise, open_device  # noqa: E402
from sala_train.optim import Optimizers  # noqa: E402
from sala_train.recipe import Recipe, Stage  # noqa: E402
from sala_train.validation import selection_recall, validate  # noqa: E402


CHECKPOINT_VERSION = 1


class Stepper:
    """Optimiser steps at one row length; on a GPU the whole step is one CUDA graph over rows that already lie there."""

    def __init__(self, model, optimizer, recipe: Recipe, length: int, batch: int, device: torch.device):
        self.model, self.optimizer, self.recipe, self.device = model, optimizer, recipe, device
        self.ids = torch.zeros(batch, length, dtype=torch.long, device=device)
        self.mask = torch.zeros(batch, length, device=device)
        self.row = torch.arange(batch, device=device)
        self.graph, self.warm = None, 0

    def _step(self):
        # No cache of cast weights: it would outlive the recording of the graph.
        with torch.autocast("cuda", dtype=torch.bfloat16, enabled=self.device.type == "cuda", cache_enabled=False):
            loss, accuracy = answer_loss(self.model, self.ids, self.mask, self.recipe)  # a CPU is faster in fp32
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.recipe.clip)
        self.optimizer.step()
        return loss.detach(), accuracy.detach(), norm.detach()

    def __call__(self, rows: tuple[torch.Tensor, torch.Tensor], turn: int):
        """rows: ids and mask of all rows on the device, of which this step reads turn * batch and the following, round and round."""
        at = (self.row + turn * len(self.row)) % len(rows[0])
        self.ids.copy_(rows[0][at])
        self.mask.copy_(rows[1][at])
        if self.graph is not None:
            self.graph.replay()
            return self.out
        self.optimizer.zero_grad()
        if self.device.type != "cuda":
            return self._step()
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            out = self._step()
        torch.cuda.current_stream().wait_stream(stream)
        self.warm += 1
        if self.warm == 3:
            self.optimizer.zero_grad()
            self.graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(self.graph):  # recorded, not run: the next call replays it
                self.out = self._step()
        return out


def train_stage(stage: Stage, index: int, data: Path, steppers: dict, make_stepper, device: torch.device, begin: int):
    """Yields (row length, result) for each step of the stage from step `begin` on. Graphs are kept for the stages that follow."""
    for key in [key for key in steppers if key[2] != stage.topk or key[0] not in stage.lengths]:
        del steppers[key]
    rows = {length: PackedTokens(data / f"stage{index}_{length}.tok").to(device) for length in set(stage.lengths)}
    for step in range(begin, stage.steps):
        length, cycle = stage.lengths[step % len(stage.lengths)], len(stage.lengths)
        turn = step // cycle * stage.lengths.count(length) + stage.lengths[: step % cycle].count(length)
        key = (length, stage.tokens // length, stage.topk)
        if key not in steppers:
            steppers[key] = make_stepper(*key[:2])
        yield length, steppers[key](rows[length], turn)


class Training:
    """One run: model, optimiser and where it stands; made new, from trained weights, or from the checkpoint in `out`."""

    def __init__(self, args: argparse.Namespace):
        self.args, self.began, self.device = args, time.time(), open_device(args.device)
        self.config_text, self.recipe = args.config.read_text(), Recipe.load(args.recipe)
        self.recipe.seed = self.recipe.seed if args.seed is None else args.seed
        self.identity = hashlib.sha256((self.config_text + json.dumps(self.recipe.as_dict(), sort_keys=True)).encode()).hexdigest()
        cfg = ModelConfig(json.loads(self.config_text))
        cfg.check([stage.topk for stage in self.recipe.stages if stage.topk is not None])
        self.model, self.before, trained_with = SalaForCausalLM(cfg), None, None
        initialise(self.model, self.recipe.seed)
        torch.manual_seed(self.recipe.seed)  # which query tokens probe
        self.init_sha256 = hashlib.sha256(args.init.read_bytes()).hexdigest() if args.init else None
        if args.init:
            earlier = args.init.with_name("training.json")
            self.before = json.loads(earlier.read_text()) if earlier.exists() else str(args.init.name)
            trained_with = self.before.get("tokenizer_hash") if earlier.exists() else None
            load_weights(self.model, args.init)
        self.tokenizer_hash = check_rows(args.data, self.recipe, cfg.vocab_size, trained_with)
        self.model.to(self.device)
        self.cuda = self.device.type == "cuda"
        if self.cuda and not args.eager:
            torch._dynamo.config.recompile_limit = 64  # two kinds of layer times the stages
            for layer in self.model.model.layers:
                layer.compile(dynamic=False)
        self.optimizer = Optimizers(self.model, self.recipe, self.device)
        self.checkpoint, self.step, self.seconds, self.history = args.out / "checkpoint.pt", 0, 0.0, []
        if self.checkpoint.exists():
            self.resume()

    def resume(self) -> None:
        saved = torch.load(self.checkpoint, map_location=self.device, weights_only=True)
        if saved.get("version") != CHECKPOINT_VERSION:
            raise ValueError(f"{self.checkpoint} has version {saved.get('version', 'none')}, this program writes {CHECKPOINT_VERSION}; use another --out or delete it")
        for name, what in (("identity", "config or recipe"), ("tokenizer_hash", "tokenizer"), ("init_sha256", "--init")):
            if saved[name] != getattr(self, name):
                raise ValueError(f"{self.checkpoint} was made with another {what}; use another --out or delete it")
        self.model.load_state_dict(saved["model"])
        self.optimizer.load_state_dict(saved["optimizer"])
        self.step, self.seconds, self.history = saved["step"], saved["seconds"], saved["history"]

    def spent(self) -> float:
        return round(self.seconds + time.time() - self.began, 1)

    def save(self) -> None:
        part = self.checkpoint.with_suffix(".part")
        torch.save({"version": CHECKPOINT_VERSION, **{name: getattr(self, name) for name in ("identity", "tokenizer_hash", "init_sha256")}, "model": self.model.state_dict(), "optimizer": self.optimizer.state_dict(),
                    "step": self.step, "seconds": self.spent(), "history": self.history}, part)
        part.rename(self.checkpoint)

    def train(self, log) -> None:
        args, recipe, first, steppers = self.args, self.recipe, 0, {}
        deadline, ticks = self.began + args.minutes * 60, []
        for index, stage in enumerate(recipe.stages):
            last = first + stage.steps
            if self.step >= min(last, args.steps) or time.time() > deadline:
                first = last
                continue
            for module in self.model.modules():
                if isinstance(module, SoftmaxMixer):
                    module.training_topk, module.selection_temperature = stage.topk, recipe.selection_temperature
            self.optimizer.set_lr(recipe.lr_at(self.step))
            make = lambda length, batch: Stepper(self.model, self.optimizer, recipe, length, batch, self.device)  # noqa: E731
            for length, out in train_stage(stage, index, args.data, steppers, make, self.device, self.step - first):
                self.step += 1
                self.optimizer.set_lr(recipe.lr_at(self.step))
                if not self.cuda and len(ticks) < 2:
                    ticks.append(time.time())
                    if len(ticks) == 2:
                        took, rest = ticks[1] - ticks[0], recipe.tokens_at(recipe.total_steps) - recipe.tokens_at(self.step)
                        print(f"{args.out.name}: no GPU; a step takes {took:.1f} s, the rest of the recipe at least {rest / stage.tokens * took / 60:.0f} minutes", flush=True)
                if self.step % args.log_every == 0 or self.step == last:
                    loss, accuracy, norm = (round(float(x), 4) for x in out)
                    self.history.append({"step": self.step, "length": length, "loss": loss, "answer_tokens_right": accuracy, "grad_norm": norm,
                                         "seconds": self.spent()})
                    print(args.out.name, json.dumps(self.history[-1]), flush=True)
                    log.write(json.dumps(self.history[-1]) + "\n")
                if args.validate_every and self.step % args.validate_every == 0:
                    scores = validate(self.model, args.data, self.device, max(stage.lengths))
                    log.write(json.dumps({"step": self.step, "validation": scores}) + "\n")
                    print(args.out.name, self.step, " ".join(f"{name}:{s['values']:.2f}" for name, s in scores.items()), flush=True)
                if self.step >= args.steps or time.time() > deadline:
                    break
            self.save()
            first = last
        self.save()

    def finish(self, log) -> None:
        with torch.no_grad():
            for weight in self.model.parameters():  # what is validated is what is written: bf16 weights
                weight.copy_(weight.bfloat16())
        recipe, finished = self.recipe, self.step >= self.recipe.total_steps
        record = {"recipe": recipe.as_dict(), "recipe_sha256": self.identity, "steps": self.step, "finished": finished,
                  "tokens": recipe.tokens_at(self.step), "seconds": self.spent(), "device": torch.cuda.get_device_name() if self.cuda else "cpu",
                  "torch": torch.__version__, "tokenizer_hash": self.tokenizer_hash, "loss_curve": self.history, "before": self.before}
        export(self.model, self.config_text, self.args.out, record)  # before validation, which may be cut off
        scores, recall = validate(self.model, self.args.data, self.device), selection_recall(self.model, self.args.data, self.device)
        log.write(json.dumps({"step": self.step, "validation": scores, "selection_recall": recall}) + "\n")
        print(self.args.out.name, "finished" if finished else "stopped", "at step", self.step, json.dumps(scores), json.dumps(recall), flush=True)
        export(self.model, self.config_text, self.args.out, {**record, "validation": scores, "selection_recall": recall})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", required=True, type=Path, help="config.json of the member")
    parser.add_argument("--recipe", required=True, type=Path)
    parser.add_argument("--data", required=True, type=Path, help="directory written by prepare_data.py")
    parser.add_argument("--out", required=True, type=Path)
    parser.add_argument("--seed", type=int, help="in place of the recipe's: another initialisation, the same rows")
    parser.add_argument("--minutes", type=float, default=1e9, help="stop after this long and keep a checkpoint to resume from")
    parser.add_argument("--steps", type=int, default=10**9, help="stop after this many steps in all")
    parser.add_argument("--init", type=Path, help="start from this model.safetensors (and keep the training.json beside it) instead of the seed")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--log-every", type=int, default=200)
    parser.add_argument("--validate-every", type=int, default=0, help="steps between validations up to the length in training; 0: at the end")
    parser.add_argument("--eager", action="store_true", help="do not compile the layers on a GPU")
    args = parser.parse_args()

    torch.backends.cuda.matmul.allow_tf32 = True
    try:
        training = Training(args)
    except (OSError, ValueError) as error:  # nothing has been written yet
        sys.exit(f"train: error [config] {error}")
    args.out.mkdir(parents=True, exist_ok=True)
    with open(args.out / "log.jsonl", "a", buffering=1) as log:
        training.train(log)
        training.finish(log)


if __name__ == "__main__":
    main()
