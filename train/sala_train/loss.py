"""What a member is trained on: the answers, the questions before them, and selection."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from .recipe import Recipe

SHORTEST_PROBED = 512  # tokens; the selection loss needs blocks to choose among


def chosen_tokens(mask: Tensor, recipe: Recipe) -> tuple[Tensor, Tensor]:
    """mask: [B, T], 1 = answer token -> the tokens that the head reads, a fixed number of each row (recipe.loss_share), answers first.

    Positions [B, M] in the targets (token t + 1 of the row is target t), and what each is: at least 2 an answer token, 1 a question token, less neither."""
    wanted = mask[:, 1:]
    ahead = F.max_pool1d(F.pad(wanted, (0, recipe.question_tokens))[:, None], recipe.question_tokens + 1, stride=1)[:, 0]
    order = (wanted + ahead if recipe.question_loss > 0 else 2 * wanted) + 0.5 * torch.rand_like(wanted)
    kind, where = torch.topk(order, int(mask.shape[1] * recipe.loss_share), dim=1)
    return where, kind


def answer_loss(model, ids: Tensor, mask: Tensor, recipe: Recipe) -> tuple[Tensor, Tensor]:
    """Mean cross-entropy over answer tokens, + recipe.question_loss times that over the recipe.question_tokens before each answer,
    + recipe.selection_loss times the selection loss. Returns it with the share of answer tokens that argmax gets."""
    where, kind = chosen_tokens(mask, recipe)
    probes = None
    if recipe.selection_loss > 0 and ids.shape[1] >= SHORTEST_PROBED:
        evenly = torch.arange(recipe.probes // 4, device=ids.device) * (ids.shape[1] * 4 // recipe.probes)
        probes = torch.cat((where[:, : recipe.probes - len(evenly)], evenly.expand(len(ids), -1)), dim=1)
    z = model.hidden(ids, probes=probes)[:, :-1]
    target, answer = ids[:, 1:].gather(1, where), (kind >= 2).float()
    logits = model.head(z.gather(1, where[..., None].expand(-1, -1, z.shape[-1]))).float()
    each = F.cross_entropy(logits.flatten(0, 1), target.flatten(), reduction="none").view_as(target)
    answers = answer.sum().clamp(min=1)
    loss, right = (each * answer).sum() / answers, ((logits.argmax(-1) == target) * answer).sum() / answers
    if recipe.question_loss > 0:
        question = (kind >= 1) * (1 - answer)
        loss = loss + recipe.question_loss * (each * question).sum() / question.sum().clamp(min=1)
    if probes is not None:
        loss = loss + recipe.selection_loss * model.selection_loss()
    return loss, right
