"""HALO (spec 6.1): a trained full-attention teacher becomes a hybrid of kept softmax layers and Lightning layers that imitate the others."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .config import LIGHTNING, SPARSE, ModelConfig
from .loss import chosen_tokens
from .model import LightningMixer, SalaForCausalLM, SoftmaxMixer
from .optim import Optimizers
from .recipe import Recipe

GATE_AT_REST = 0.5  # a new gate starts at sigmoid(0), so the projection behind it starts this much larger


def hybrid_config(teacher: dict, kept: list[int], family: str) -> dict:
    """The teacher's config.json with Lightning layers of its head count and width everywhere but in `kept`; HyPE; output gates everywhere."""
    raw = copy.deepcopy(teacher)
    heads, dim = raw["num_attention_heads"], raw["head_dim"]
    raw.update(mixer_types=[SPARSE if layer in kept else LIGHTNING for layer in range(raw["num_hidden_layers"])], attn_use_rope=False,
               lightning_use_rope=True, attn_use_output_gate=True, use_output_gate=True, use_output_norm=True, qk_norm=True,
               lightning_nh=heads, lightning_nkv=heads, lightning_head_dim=dim)
    raw["sala_lab"]["family"] = family
    return raw


def _gated(projection: Tensor, had_gate: bool) -> Tensor:
    return projection if had_gate else projection / GATE_AT_REST


@torch.no_grad()
def lightning_from(attention: SoftmaxMixer, cfg: ModelConfig, layer: int) -> LightningMixer:
    """Weight transfer: projections and QK-norms are copied, each KV head repeated for its query heads; the gate is new, the output norm one."""
    mixer, repeat = LightningMixer(cfg, layer), attention.cfg.num_attention_heads // attention.cfg.num_key_value_heads
    mixer.q_proj.weight.copy_(attention.q_proj.weight)
    for to, source in ((mixer.k_proj, attention.k_proj), (mixer.v_proj, attention.v_proj)):
        heads = source.weight.unflatten(0, (-1, attention.cfg.head_dim))  # [Hkv, D, E]
        to.weight.copy_(heads.repeat_interleave(repeat, dim=0).flatten(0, 1))
    if hasattr(attention, "q_norm"):
        mixer.q_norm.weight.copy_(attention.q_norm.weight)
        mixer.k_norm.weight.copy_(attention.k_norm.weight)
    mixer.z_proj.weight.zero_()
    mixer.o_proj.weight.copy_(attention.o_proj.weight / GATE_AT_REST)
    return mixer


@torch.no_grad()
def hybrid_from(teacher: SalaForCausalLM, mixers: list[LightningMixer], cfg: ModelConfig) -> SalaForCausalLM:
    """The student before distillation: the teacher's weights, new gates on the kept layers, aligned mixers in the others."""
    student = SalaForCausalLM(cfg)
    weights = {name: p.clone() for name, p in teacher.state_dict().items()}
    for index, kind in enumerate(cfg.mixer_types):
        at = f"model.layers.{index}.self_attn."
        if kind == LIGHTNING:
            weights = {name: p for name, p in weights.items() if not name.startswith(at)}
            weights.update({at + name: p.clone() for name, p in mixers[index].state_dict().items()})
        elif at + "o_gate.weight" not in weights:
            weights[at + "o_gate.weight"] = torch.zeros_like(student.model.layers[index].self_attn.o_gate.weight)
            weights[at + "o_proj.weight"] /= GATE_AT_REST
    student.load_state_dict(weights)
    return student


def alignment_losses(teacher: SalaForCausalLM, mixers: nn.ModuleList, ids: Tensor) -> Tensor:
    """[layers]: mean squared error between each Lightning mixer's output and the teacher's, both fed the teacher's hidden state."""
    rope, losses = teacher._rope_tables(ids.shape[1], ids.device), []
    h = teacher.model.embed_tokens(ids) * teacher.cfg.scale_emb
    for index, (layer, mixer) in enumerate(zip(teacher.model.layers, mixers, strict=True)):
        with torch.no_grad():
            x = layer.input_layernorm(h)
            wanted = layer.self_attn(x, rope, None, index)
            h = h + layer.scale * wanted
            h = h + layer.scale * layer.mlp(layer.post_attention_layernorm(h))
        losses.append(F.mse_loss(mixer(x, rope, None, index).float(), wanted.float()))
    return torch.stack(losses)


def distillation_loss(teacher: SalaForCausalLM, student: SalaForCausalLM, ids: Tensor, mask: Tensor, recipe: Recipe) -> Tensor:
    """KL(teacher || student) over the vocabulary, mean over answer and question tokens (the teacher was trained on no others)."""
    where, kind = chosen_tokens(mask, recipe)

    def logits(model: SalaForCausalLM) -> Tensor:
        z = model.hidden(ids)[:, :-1]
        return model.head(z.gather(1, where[..., None].expand(-1, -1, z.shape[-1]))).float().log_softmax(-1)

    with torch.no_grad():
        wanted = logits(teacher)
    each = F.kl_div(logits(student), wanted, reduction="none", log_target=True).sum(-1)
    read = (kind >= 1).float()
    return (each * read).sum() / read.sum().clamp(min=1)


def optimise(trained: nn.Module, loss: Callable[[Tensor, Tensor], Tensor], recipe: Recipe, rows: tuple[Tensor, Tensor]) -> Iterator[tuple[int, Tensor]]:
    """Takes the steps of the recipe's only stage on rows (ids, mask); yields step and loss, a vector where each entry is a loss of its own."""
    (stage,), device = recipe.stages, rows[0].device
    batch = torch.arange(stage.tokens // stage.lengths[0], device=device)
    optimizer = Optimizers(trained, recipe, device)
    for step in range(stage.steps):
        at = (batch + step * len(batch)) % len(rows[0])
        optimizer.set_lr(recipe.lr_at(step))
        optimizer.zero_grad()
        with torch.autocast("cuda", dtype=torch.bfloat16, enabled=device.type == "cuda"):
            out = loss(rows[0][at].long(), rows[1][at].float())
        out.sum().backward()
        torch.nn.utils.clip_grad_norm_(trained.parameters(), recipe.clip)
        optimizer.step()
        yield step + 1, out.detach()
