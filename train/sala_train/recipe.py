"""A training recipe: one TOML file, read here and nowhere else."""

from __future__ import annotations

import tomllib
from dataclasses import asdict, dataclass, field
from pathlib import Path

OPTIMIZERS = ("adamw", "muon")
VALIDATION_SEED = 7919  # of every recipe's held-out rows, so that members of different recipes answer the same ones


@dataclass
class Stage:
    lengths: list[int]  # row lengths, one a step in turn; repeat one to weigh it
    steps: int
    tokens: int = 16384  # of a step; rows of length L come in batches of tokens // L
    topk: int | None = None  # sparse_config.topk while training: a tighter budget than the model's own

    def rows(self, length: int) -> int:
        """How many rows of this length the stage reads."""
        return sum(self.lengths[step % len(self.lengths)] == length for step in range(self.steps)) * (self.tokens // length)


def _with_bases(path: Path) -> dict:
    """The fields of the recipe, and those of its `base`, another recipe in the same folder of which it says what differs, and so on."""
    raw, read = {"base": path.name}, []
    while "base" in raw:
        base = raw.pop("base")
        if not isinstance(base, str) or base in read:
            raise ValueError(f"{path}: base {base!r} is {'its own base' if base in read else 'no name of a file'}")
        read.append(base)
        try:
            raw = {**tomllib.loads(path.with_name(base).read_text()), **raw}
        except tomllib.TOMLDecodeError as error:
            raise ValueError(f"{path.with_name(base)}: {error}") from None
    return raw


@dataclass
class Recipe:
    stages: list[Stage]
    mix: dict[str, list[float]]  # task -> [weight, shortest row, shortest as evaluated (if longer)]; rows are drawn by weight where they can be
    seed: int = 1
    lr: float = 1e-3
    optimizer: str = "adamw"  # or muon, for the layers' matrices (sala_train/optim.py)
    matrix_lr: float = 1.0  # muon's learning rate, in units of lr
    momentum: float = 0.95  # muon's
    warmup: int = 300
    decay_from: float = 0.5  # linear decay to zero over the rest of the steps
    betas: tuple[float, float] = (0.9, 0.98)
    weight_decay: float = 0.1
    clip: float = 1.0
    question_loss: float = 0.0  # weight of the language-model loss on the question_tokens before each answer
    question_tokens: int = 96
    loss_share: float = 0.3  # most tokens of a row that the loss reads, as a share of the row
    selection_loss: float = 0.0  # weight of the selection loss (sala_train/selection.py)
    selection_temperature: float = 1.0  # above 1 the selection loss asks for that much more margin
    probes: int = 128  # query tokens of a row that the selection loss reads
    data_seed: int = 1000
    validation: dict[str, list[int]] = field(default_factory=dict)  # {"lengths": [...], "rows": [...]}, rows for each length

    @staticmethod
    def load(path: str | Path) -> "Recipe":
        """Raises OSError, or ValueError with one sentence for what is no recipe."""
        raw = _with_bases(Path(path))
        known = set(Recipe.__dataclass_fields__)
        for key in raw:
            if key not in known:
                raise ValueError(f"{path}: unknown recipe field {key!r}; known: {', '.join(sorted(known))}")
        if not raw.get("stages") or not raw.get("mix"):
            raise ValueError(f"{path}: a recipe needs [mix] and at least one [[stages]] table")
        if raw.get("optimizer", "adamw") not in OPTIMIZERS:
            raise ValueError(f"{path}: optimizer {raw['optimizer']!r}; known: {', '.join(OPTIMIZERS)}")
        for stage in raw["stages"]:
            for key in stage:
                if key not in Stage.__dataclass_fields__:
                    raise ValueError(f"{path}: unknown field {key!r} of a stage; known: {', '.join(sorted(Stage.__dataclass_fields__))}")
            if not stage.get("lengths") or "steps" not in stage:
                raise ValueError(f"{path}: a stage needs lengths and steps")
        if not 0 < raw.get("loss_share", 0.3) < 1:
            raise ValueError(f"{path}: loss_share {raw['loss_share']} is not between 0 and 1")
        held_out = raw.get("validation", {})
        if len(held_out.get("lengths", [])) != len(held_out.get("rows", [])):
            raise ValueError(f"{path}: [validation] needs as many rows as lengths")
        recipe = Recipe(**{**raw, "stages": [Stage(**stage) for stage in raw["stages"]]})
        for length in {length for stage in recipe.stages for length in stage.lengths}:
            recipe.weights(length)
        return recipe

    def weights(self, length: int, as_evaluated: bool = False) -> dict[str, float]:
        """Of the tasks that rows of this length can hold."""
        chosen = {task: weight for task, (weight, *shortest) in self.mix.items() if length >= shortest[-1 if as_evaluated else 0] and weight > 0}
        if not chosen:
            raise ValueError(f"recipe: no task of the mix has rows as short as {length} tokens")
        return chosen

    @property
    def total_steps(self) -> int:
        return sum(stage.steps for stage in self.stages)

    def lr_at(self, step: int) -> float:
        if step < self.warmup:
            return self.lr * (step + 1) / self.warmup
        start = self.decay_from * self.total_steps
        if step < start:
            return self.lr
        return self.lr * max(0.0, 1.0 - (step - start) / (self.total_steps - start))

    def tokens_at(self, step: int) -> int:
        """Tokens read in the first `step` steps."""
        total = 0
        for stage in self.stages:
            total += sum(stage.tokens // (length := stage.lengths[i % len(stage.lengths)]) * length for i in range(min(step, stage.steps)))
            step = max(0, step - stage.steps)
        return total

    def as_dict(self) -> dict:
        return asdict(self)
