"""Packed token files as `sala_eval generate --tokens` writes them (docs/file_formats.md, section "packed tokens")."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import torch

HEADER = struct.Struct("<8sIIQQ16s")
MAGIC = b"SALATOK1"


class PackedTokens:
    """Rows of ids with a loss mask. ids: uint16 [rows, T]; mask: uint8 [rows, T], 1 = an answer token to be predicted."""

    def __init__(self, path: str | Path):
        raw = np.memmap(path, dtype=np.uint8, mode="r")
        if raw.size < HEADER.size:
            raise ValueError(f"{path}: {raw.size} bytes is too short for a packed token file")
        magic, version, tokens, rows, self.seed, tokenizer = HEADER.unpack(raw[: HEADER.size].tobytes())
        if magic != MAGIC or version != 1:
            raise ValueError(f"{path}: not a packed token file of version 1 (magic {magic!r}, version {version})")
        expected = HEADER.size + rows * tokens * 3
        if raw.size != expected:
            raise ValueError(f"{path}: {raw.size} bytes, but {rows} rows of {tokens} tokens need {expected}")
        self.tokenizer_hash = tokenizer.decode()
        ids_end = HEADER.size + rows * tokens * 2
        self.ids = raw[HEADER.size : ids_end].view("<u2").reshape(rows, tokens)
        self.mask = raw[ids_end:].reshape(rows, tokens)

    def __len__(self) -> int:
        return len(self.ids)

    def to(self, device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
        """All rows on the device, ids int32 and mask uint8, so that a training step copies nothing from the host."""
        return torch.from_numpy(self.ids.astype(np.int32)).to(device), torch.from_numpy(np.array(self.mask)).to(device)


def check_rows(data: Path, recipe, vocab_size: int, tokenizer_hash: str | None) -> str:
    """The tokenizer's hash of the recipe's files in `data`. Raises ValueError for a file that is missing, rows of two tokenizers or of another
    one than the weights were trained with (tokenizer_hash; None = any), rows of another recipe, and ids beyond the vocabulary."""
    for index, stage in enumerate(recipe.stages):
        for length in sorted(set(stage.lengths)):
            path = data / f"stage{index}_{length}.tok"
            if not path.exists():
                raise ValueError(f"{path} is missing; prepare_data.py writes it for this recipe")
            rows = PackedTokens(path)
            if tokenizer_hash not in (None, rows.tokenizer_hash):
                raise ValueError(f"{path} was made with tokenizer {rows.tokenizer_hash}, the other rows or the weights with {tokenizer_hash}")
            if rows.ids.shape[1] != length or len(rows) < stage.rows(length) or rows.seed != recipe.data_seed + index:
                raise ValueError(f"{path} holds {len(rows)} rows of {rows.ids.shape[1]} tokens from seed {rows.seed}; "
                                 f"the recipe has {stage.rows(length)} of {length} from {recipe.data_seed + index}")
            if int(rows.ids.max()) >= vocab_size:
                raise ValueError(f"{path} has token {int(rows.ids.max())}, the model a vocabulary of {vocab_size}")
            tokenizer_hash = rows.tokenizer_hash
    return tokenizer_hash
