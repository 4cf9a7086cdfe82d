"""Optimisers whose whole step can stand in a CUDA graph (the learning rate is a tensor, nothing comes back to the host)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .recipe import Recipe

QUINTIC = (3.4445, -4.7750, 2.0315)  # of Muon's publication (Jordan et al., 2024): drives singular values to about 1 in five rounds
ADAM_LIKE = 0.2  # RMS of an update, which is about AdamW's, so that its learning rates and weight decay fit (Liu et al., 2025)


def orthogonalise(g: Tensor, rounds: int = 5) -> Tensor:
    """g: [N, R, C] -> for each matrix about U V^T of its singular value decomposition, by Newton-Schulz iteration in bf16."""
    a, b, c = QUINTIC
    wide = g.shape[1] <= g.shape[2]
    x = (g if wide else g.transpose(1, 2)).bfloat16()
    x = x / (x.norm(dim=(1, 2), keepdim=True) + 1e-7)
    for _ in range(rounds):
        gram = x @ x.transpose(1, 2)
        x = a * x + (b * gram + c * gram @ gram) @ x
    return (x if wide else x.transpose(1, 2)).to(g.dtype)


class Muon(torch.optim.Optimizer):
    """Nesterov momentum, orthogonalised, for matrices; those of one shape are updated together.

    PyTorch's own takes the learning rate as a number, which a graph would freeze."""

    def __init__(self, params, lr: Tensor, momentum: float, weight_decay: float):
        super().__init__(params, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self) -> None:
        for group in self.param_groups:
            shapes: dict[torch.Size, list[nn.Parameter]] = {}
            for p in group["params"]:
                shapes.setdefault(p.shape, []).append(p)
            for shape, same in shapes.items():
                grad, state = torch.stack([p.grad for p in same]), self.state[same[0]]  # one buffer for all of a shape
                if "momentum" not in state:
                    state["momentum"] = torch.zeros_like(grad)
                buffer = state["momentum"].mul_(group["momentum"]).add_(grad)
                update = orthogonalise(grad + group["momentum"] * buffer) * (ADAM_LIKE * max(shape) ** 0.5)
                for p, u in zip(same, update, strict=True):
                    p.mul_(1 - group["lr"] * group["weight_decay"]).sub_(group["lr"] * u)


class Optimizers:
    """AdamW for everything, or (recipe.optimizer = "muon") Muon for the layers' matrices and AdamW for the rest. Embeddings and norms do not decay."""

    def __init__(self, model: nn.Module, recipe: Recipe, device: torch.device):
        self.lr, self.matrix_lr = (torch.tensor(recipe.lr * factor, device=device) for factor in (1.0, recipe.matrix_lr))
        self.factor, cuda, muon = recipe.matrix_lr, device.type == "cuda", recipe.optimizer == "muon"
        matrix = {n: p for n, p in model.named_parameters() if p.dim() > 1 and "embed" not in n and "lm_head" not in n}
        rest = [(n, p) for n, p in model.named_parameters() if not (muon and n in matrix)]
        groups = [{"params": [p for n, p in rest if (p.dim() > 1 and "embed" not in n) == decayed],
                   "weight_decay": recipe.weight_decay * decayed, "lr": self.lr} for decayed in (True, False)]
        self.all = [torch.optim.AdamW(groups, betas=recipe.betas, fused=cuda, capturable=cuda)]
        if muon:
            self.all.append(Muon(list(matrix.values()), self.matrix_lr, recipe.momentum, recipe.weight_decay))

    def set_lr(self, lr: float) -> None:
        self.lr.fill_(lr)
        self.matrix_lr.fill_(lr * self.factor)

    def step(self) -> None:
        for each in self.all:
            each.step()

    def zero_grad(self) -> None:
        for each in self.all:
            each.zero_grad(set_to_none=True)

    def state_dict(self) -> list[dict]:
        return [each.state_dict() for each in self.all]

    def load_state_dict(self, states: list[dict]) -> None:
        """The learning rates stay the tensors that a recorded step reads."""
        for each, state in zip(self.all, states, strict=True):
            rates = [group["lr"] for group in each.param_groups]
            each.load_state_dict(state)
            for group, rate in zip(each.param_groups, rates, strict=True):
                group["lr"] = rate
