"""How well a member answers held-out rows of the training split: teacher-forced, which equals greedy decoding as long as it is right."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from .config import SPARSE
from .data import PackedTokens
from .model import LONGEST_MASK

COMMA = 3 + ord(",")  # the tokenizer's byte pieces follow <unk>, <s> and </s>; only commas of an answer part its values


def first_answer(mask: Tensor) -> Tensor:
    """mask: [B, T] bool -> only the first run of ones in each row (the evaluation asks one question)."""
    starts = mask & ~F.pad(mask, (1, 0))[:, :-1]
    return mask & (starts.cumsum(1) == 1)


@torch.no_grad()
def score_file(model, path: Path, device: torch.device, budget_tokens: int = 65536) -> dict[str, float]:
    """exact: share of rows whose whole first answer (EOS included) is right. values: share of the answers' comma-separated values that
    are right. tokens: share of their tokens."""
    packed = PackedTokens(path)
    size, eos = max(1, budget_tokens // packed.ids.shape[1]), model.cfg.eos_token_id[0]
    exact = values = total = right = tokens = 0
    for begin in range(0, len(packed), size):
        ids = torch.from_numpy(packed.ids[begin : begin + size].astype(np.int64)).to(device)
        mask = torch.from_numpy(np.array(packed.mask[begin : begin + size])).to(device)[:, 1:].bool()
        rows, columns = first_answer(mask).nonzero(as_tuple=True)
        with torch.autocast("cuda", dtype=torch.bfloat16, enabled=device.type == "cuda"):
            guess = model.head(model.hidden(ids)[:, :-1][rows, columns]).argmax(-1)
        wanted = ids[:, 1:][rows, columns]
        wrong = (guess != wanted).cpu().numpy()
        rows, wanted = rows.cpu().numpy(), wanted.cpu().numpy()
        exact += len(ids) - len(np.unique(rows[wrong]))
        right, tokens = right + int((~wrong).sum()), tokens + len(wrong)
        value = np.cumsum(wanted == COMMA) + rows * 1000  # a number for each value of each row
        value, wrong = value[(wanted != COMMA) & (wanted != eos)], wrong[(wanted != COMMA) & (wanted != eos)]
        values += len(np.unique(value)) - len(np.unique(value[wrong]))
        total += len(np.unique(value))
    return {"exact": round(exact / len(packed), 4), "values": round(values / total, 4),
            "tokens": round(right / tokens, 4)}


@torch.no_grad()
def validate(model, data: Path, device: torch.device, longest: int = 10**9) -> dict[str, dict[str, float]]:
    model.eval()
    with torch.compiler.set_stance("force_eager"):
        scores = {path.stem.removeprefix("valid_"): score_file(model, path, device)
                  for path in sorted(data.glob("valid_*.tok")) if int(path.stem.rsplit("_", 1)[1]) <= longest}
    model.train()
    return scores


def _first_value(ids: np.ndarray, answer: np.ndarray, eos: int) -> tuple[int, int]:
    """How many answer tokens write the first value, and where this value stands in the haystack (-1: nowhere). The first two tokens of
    the answer are not looked for: a word boundary, and a piece that may be cut differently behind another character."""
    text = ids[answer]
    length = int(np.flatnonzero((text == COMMA) | (text == eos))[0])
    windows = np.lib.stride_tricks.sliding_window_view(ids[: answer[0]], length - 2)
    found = np.flatnonzero((windows == text[2:length]).all(1))
    return length, int(found[0]) if len(found) else -1


@torch.no_grad()
def selection_recall(model, data: Path, device: torch.device, rows: int = 16, shortest: int = 2048) -> dict[str, dict]:
    """For the tokens that write the first value, by sparse layer: how often the block with this value is among the selected ones (of any
    KV head), and how many blocks score above it (in the better KV head; what grows with the length)."""
    model.eval()
    layers, result = [i for i, kind in enumerate(model.cfg.mixer_types) if kind == SPARSE], {}
    block = model.cfg.sparse.block_size
    for path in sorted(data.glob("valid_*.tok")):
        name = path.stem.removeprefix("valid_")
        if not shortest <= int(name.rsplit("_", 1)[1]) <= LONGEST_MASK or "multiquery" in name:
            continue
        packed, hits = PackedTokens(path), {layer: [] for layer in layers}
        for row in range(min(rows, len(packed))):
            ids = packed.ids[row].astype(np.int64)
            answer = first_answer(torch.from_numpy(np.array(packed.mask[row : row + 1])).bool())[0].nonzero()[:, 0].numpy()
            length, at = _first_value(ids, answer, model.cfg.eos_token_id[0])
            if at < 0:
                continue
            seen: dict[str, dict[int, Tensor]] = {"selected": {}, "block_scores": {}, "hidden": {}}
            asked = slice(int(answer[0]) + 1, int(answer[0]) + length - 1)

            def hook(kind: str, layer: int, value: Tensor) -> None:
                seen[kind][layer] = value[0, :, asked] if kind != "hidden" else value[:0]  # [Hkv, queries, Nb]

            with torch.compiler.set_stance("force_eager"), torch.autocast("cuda", dtype=torch.bfloat16, enabled=device.type == "cuda"):
                model.hidden(torch.from_numpy(ids)[None].to(device), hook)
            for layer in layers:
                score, own = seen["block_scores"][layer], at // block
                above = ((score > score[..., own : own + 1]) & score.isfinite()).sum(-1).amin(0)
                hits[layer].append((float(seen["selected"][layer][..., own].any(0).float().mean()), float(above.float().mean())))
        result[name] = {f"layer {layer}": dict(zip(("recall", "above"), np.mean(h, axis=0).round(3).tolist())) for layer, h in hits.items() if h}
    model.train()
    return result
