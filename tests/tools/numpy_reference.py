#!/usr/bin/env python3
"""The model of the spec in NumPy and double precision, written without the engine or the PyTorch definition, and the fixtures made of it.

  tests/tools/numpy_reference.py make             writes tests/data/numpy/<name>/{config.json, model.safetensors, expected.safetensors}
  tests/tools/numpy_reference.py compare FOLDER   the largest difference from FOLDER/expected.safetensors (see train/make_fixtures.py)
  tests/tools/numpy_reference.py renew FOLDER     draws weights for FOLDER/config.json and writes the two other files
  tests/tools/numpy_reference.py omit FOLDER      what each rounding point of a bf16 fixture changes when it alone is left out

Fixtures of the bf16 class are rounded where the reference rounds. expected.safetensors: ids int32 [T]; positions int32 [R]; hidden.I
float32 [R, E] behind layer I (embedding, 0, 1, ...) at these positions; selected.I int32 [Hkv, R, slots]; logits float32 [R, V].
"""

import json
import sys
from pathlib import Path

import numpy as np

DATA = Path(__file__).resolve().parents[1] / "data" / "numpy"
SMALL = {
    "architectures": ["MiniCPMSALAForCausalLM"], "model_type": "minicpm_sala", "vocab_size": 61, "hidden_size": 48, "intermediate_size": 40,
    "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 16, "rms_norm_eps": 1e-6, "scale_emb": 3, "scale_depth": 1.4,
    "dim_model_base": 16, "attn_use_rope": False, "attn_use_output_gate": True, "lightning_nh": 4, "lightning_nkv": 4, "lightning_head_dim": 16,
    "lightning_scale": "1/sqrt(d)", "lightning_use_rope": True, "qk_norm": True, "use_output_norm": True, "use_output_gate": True,
    "sparse_config": {"kernel_size": 8, "kernel_stride": 4, "block_size": 16, "init_blocks": 1, "window_size": 32, "topk": 4, "dense_len": 0},
}
RELEASED = {"kernel_size": 32, "kernel_stride": 16, "block_size": 64, "init_blocks": 1, "window_size": 2048, "topk": 64, "dense_len": 7000}
# name -> mixers, changes of SMALL, tokens, the positions that are kept (None = all), class of arithmetic
FIXTURES = {
    "bf16_sparse": (["minicpm4"], {}, 203, None, "bf16"),
    "bf16_full": (["full-attn"], {"attn_use_rope": True, "sala_lab": {"attn_qk_norm": True, "attn_logits_scaling": "hype 50"}}, 203, None, "bf16"),
    "bf16_lightning": (["lightning-attn"], {}, 203, None, "bf16"),
    "bf16_selection": (["minicpm4"], {"sparse_config": SMALL["sparse_config"] | {"topk": 10}}, 1203, list(range(602, 1203, 2)), "bf16"),
    "released_selection": (["minicpm4"], {"hidden_size": 16, "intermediate_size": 16, "num_attention_heads": 16, "num_key_value_heads": 1,
                                          "head_dim": 128, "attn_use_output_gate": False, "sparse_config": RELEASED},
                           7200, [100, 6143, 6200, 6500, 6800, 7000, 7199], "fp32"),
}
TYPES = {"BF16": "<u2", "F16": "<f2", "F32": "<f4", "I32": "<i4"}


def bf16(x):
    """To the nearest of eight significant bits, ties to even."""
    fraction, exponent = np.frexp(x)
    return np.ldexp(np.rint(fraction * 256), exponent - 8)


def read_tensors(path):
    data = path.read_bytes()
    size = int.from_bytes(data[:8], "little")
    tensors = {}
    for name, info in json.loads(data[8:8 + size]).items():
        if name == "__metadata__":
            continue
        begin, end = info["data_offsets"]
        raw = np.frombuffer(data[8 + size + begin:8 + size + end], TYPES[info["dtype"]]).reshape(info["shape"])
        tensors[name] = (raw.astype(np.uint32) << 16).view(np.float32) if info["dtype"] == "BF16" else raw
    return tensors


def write_tensors(path, tensors):
    """The bytes of the package safetensors. Floating-point tensors whose values all are bf16 are stored so."""
    stored = []
    for name, x in tensors.items():
        kind, x = ("I32", x.astype("<i4")) if x.dtype.kind == "i" else ("F32", x.astype("<f4"))
        if kind == "F32" and not np.any(x.view("<u4") & 0xffff):
            kind, x = "BF16", (x.view("<u4") >> 16).astype("<u2")
        stored.append((("F32", "I32", "BF16").index(kind), name, kind, x))
    header, body = {}, b""
    for _, name, kind, x in sorted(stored, key=lambda item: item[:2]):
        raw = x.tobytes()
        header[name] = {"dtype": kind, "shape": list(x.shape), "data_offsets": [len(body), len(body) + len(raw)]}
        body += raw
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(len(text).to_bytes(8, "little") + text + body)


def slopes(heads):
    power = 1 << (heads.bit_length() - 1)
    plain = [2.0 ** (-8 * (h + 1) / power) for h in range(power)]
    return np.array(plain + [2.0 ** (-8 * (h + 1) / (2 * power)) for h in range(0, 2 * power, 2)][:heads - power])


class Reference:
    def __init__(self, config, weights, rounded):
        self.c, self.w = config, {name: w.astype(np.float64) for name, w in weights.items()}
        self.lab = config.get("sala_lab", {})
        self.round = bf16 if rounded else (lambda x: x)
        self.rounded = rounded

    def linear(self, name, x):
        return self.round(x @ self.w[name].T)

    def norm(self, name, x):
        factor = 1 / np.sqrt(np.mean(x * x, axis=-1, keepdims=True) + self.c["rms_norm_eps"])
        return self.round(self.round(x * factor) * self.w[name])

    def rope(self, x, theta):
        """x: [T, H, D]; the angle is a product in float32."""
        half = x.shape[-1] // 2
        frequency = (theta ** (-np.arange(half) / half)).astype(np.float32)
        angle = (np.arange(len(x), dtype=np.float32)[:, None] * frequency).astype(np.float64)[:, None, :]
        a, b = x[..., :half], x[..., half:]
        cos, sin = np.cos(angle).astype(np.float32).astype(np.float64), np.sin(angle).astype(np.float32).astype(np.float64)
        return self.round(np.concatenate([a * cos - b * sin, b * cos + a * sin], axis=-1))

    def gated(self, name, x, o):
        return self.round(o * self.round(1 / (1 + np.exp(-self.linear(name, x)))))

    def lightning(self, p, x, rows):
        c, T = self.c, len(x)
        H, Hkv, D = c["lightning_nh"], c["lightning_nkv"], c["lightning_head_dim"]
        q, k, v = (self.linear(p + n, x).reshape(T, heads, D) for n, heads in (("q_proj.weight", H), ("k_proj.weight", Hkv), ("v_proj.weight", Hkv)))
        if c["qk_norm"]:
            q, k = self.norm(p + "q_norm.weight", q), self.norm(p + "k_norm.weight", k)
        if c["lightning_use_rope"]:
            q, k = (self.rope(t, c.get("rope_theta", 10000.0)) for t in (q, k))
        scale = {"1/sqrt(d)": D ** -0.5, "1/d": 1 / D, "1": 1.0}[c["lightning_scale"]]
        decays = np.asarray(self.lab.get("lightning_slopes") or slopes(H)).astype(np.float32).astype(np.float64)
        o = np.empty((T, H, D))
        for h in range(H):
            state, g = np.zeros((D, D)), h // (H // Hkv)
            for t in range(T):
                state = np.exp(-decays[h]) * state + np.outer(k[t, g], v[t, g])
                o[t, h] = scale * q[t, h] @ state
        o = self.round(o.reshape(T, H * D))
        if c["use_output_norm"]:
            o = self.norm(p + "o_norm.weight", o)
        if c["use_output_gate"]:
            o = self.gated(p + "z_proj.weight", x, o)
        return self.linear(p + "o_proj.weight", o[rows])

    def softmax(self, p, x, rows, sparse):
        c, T = self.c, len(x)
        H, Hkv, D = c["num_attention_heads"], c["num_key_value_heads"], c["head_dim"]
        q, k, v = (self.linear(p + n, x).reshape(T, heads, D) for n, heads in (("q_proj.weight", H), ("k_proj.weight", Hkv), ("v_proj.weight", Hkv)))
        if self.lab.get("attn_qk_norm"):
            q, k = self.norm(p + "q_norm.weight", q), self.norm(p + "k_norm.weight", k)
        if c["attn_use_rope"]:
            q, k = (self.rope(t, self.lab.get("attn_rope_theta") or c.get("rope_theta", 10000.0)) for t in (q, k))
        scaling = self.lab.get("attn_logits_scaling")
        if isinstance(scaling, str):
            a = float(scaling.split()[1])
            factor = (np.log(np.arange(T) + a) / np.log(a)).astype(np.float32).astype(np.float64)
            q = self.round(q * factor[:, None, None])
        elif scaling is not None:
            q = self.round(q * scaling)
        selected = None
        if sparse and T >= c["sparse_config"]["dense_len"]:
            selected = self.select(q, k, rows)
        o = np.empty((len(rows), H, D))
        for i, t in enumerate(rows):
            for g in range(Hkv):
                read = np.arange(t + 1)
                if selected is not None:
                    read = read[np.isin(read // c["sparse_config"]["block_size"], selected[g, i])]
                for h in range(g * H // Hkv, (g + 1) * H // Hkv):
                    o[i, h] = self.attend(k[read, g] @ q[t, h] * D ** -0.5, v[read, g], read)
        o = self.round(o.reshape(len(rows), H * D))
        if c["attn_use_output_gate"]:
            o = self.gated(p + "o_gate.weight", x[rows], o)
        return self.linear(p + "o_proj.weight", o), selected

    def attend(self, scores, values, read):
        """Probabilities are rounded relative to the largest score of their tile of 64 keys; their sum is not (docs/numerics.md)."""
        total = np.exp(scores - scores.max())
        if not self.rounded:
            return total @ values / total.sum()
        weights = np.empty_like(scores)
        for tile in np.unique(read // 64):
            here = read // 64 == tile
            largest = scores[here].max()
            weights[here] = self.round(np.exp(scores[here] - largest)) * np.exp(largest - scores.max())
        return weights @ values / total.sum()

    def select(self, q, k, rows):
        """[Hkv, R, slots] block ids, ascending, padded with -1 (spec 4.3 to 4.6)."""
        s, (T, H, D), Hkv = self.c["sparse_config"], q.shape, k.shape[1]
        size, stride, block = s["kernel_size"], s["kernel_stride"], s["block_size"]

        def means(factor):
            count = max(0, (T - factor * size) // (factor * stride) + 1)
            return self.round(np.array([k[j * factor * stride:j * factor * stride + factor * size].mean(axis=0) for j in range(count)]).reshape(count, Hkv, D))

        fine, coarse, ratio = means(1), means(4), block // stride
        slots = s["topk"] + s["window_size"] // block
        out = np.full((Hkv, len(rows), slots), -1, np.int32)
        for i, t in enumerate(rows):
            own, local = t // block, s["window_size"] // block
            n1 = max(0, (t + 1 - size) // stride + 1)
            n2 = n1 if self.lab.get("exact_lse") else max(0, (t + 1 - 4 * size) // (4 * stride) + 1)
            for g in range(Hkv):
                heads = q[t, g * H // Hkv:(g + 1) * H // Hkv] * D ** -0.5
                score = np.full(own + 1, np.inf if n2 == 0 else -np.inf)
                if n2 > 0:
                    rough = heads @ (fine if self.lab.get("exact_lse") else coarse)[:n2, g].T
                    lse = rough.max(axis=1) + np.log(np.exp(rough - rough.max(axis=1, keepdims=True)).sum(axis=1))
                    P = self.round(np.exp(np.minimum(heads @ fine[:n1, g].T - lse[:, None], 80)).sum(axis=0))
                    for b in range(own + 1):
                        window = P[max(0, ratio * b - 1):ratio * (b + 1)]  # width 5, stride 4, padding 1 as released
                        score[b] = window.max() if len(window) else -np.inf
                forced = [b for b in range(own + 1) if b < s["init_blocks"] or b >= own - local]
                order = forced + sorted((b for b in range(own + 1) if b not in forced), key=lambda b: (-score[b], b))
                chosen = sorted(order[:slots])
                out[g, i, :len(chosen)] = chosen
        return out

    def run(self, ids, positions):
        """Every layer but the last is computed at all positions, so that the last one finds its keys."""
        c = self.c
        everything, layers = np.arange(len(ids)), c["mixer_types"]
        h = self.round(c["scale_emb"] * self.w["model.embed_tokens.weight"][ids])
        out = {"ids": np.asarray(ids), "positions": positions, "hidden.embedding": h[positions]}
        r = np.float64(np.float32(c["scale_depth"] / np.sqrt(len(layers))))
        for index, mixer in enumerate(layers):
            rows = positions if index == len(layers) - 1 else everything
            p = f"model.layers.{index}."
            x, selected = self.norm(p + "input_layernorm.weight", h), None
            if mixer == "lightning-attn":
                a = self.lightning(p + "self_attn.", x, rows)
            else:
                a, selected = self.softmax(p + "self_attn.", x, rows, mixer == "minicpm4")
            if selected is not None:
                out[f"selected.{index}"] = selected[:, np.searchsorted(rows, positions)]
            h = self.round(h[rows] + self.round(r * a))
            y = self.norm(p + "post_attention_layernorm.weight", h)
            gate = self.linear(p + "mlp.gate_proj.weight", y)
            f = self.round(self.round(gate / (1 + np.exp(-gate))) * self.linear(p + "mlp.up_proj.weight", y))
            h = self.round(h + self.round(r * self.linear(p + "mlp.down_proj.weight", f)))
            out[f"hidden.{index}"] = h if len(rows) == len(positions) else h[positions]
        z = self.round(self.norm("model.norm.weight", h) / (c["hidden_size"] / c["dim_model_base"]))
        out["logits"] = self.linear("model.embed_tokens.weight" if c.get("tie_word_embeddings") else "lm_head.weight", z)
        return out


def shapes(c):
    E, I, V = c["hidden_size"], c["intermediate_size"], c["vocab_size"]
    yield "model.embed_tokens.weight", (V, E)
    for index, mixer in enumerate(c["mixer_types"]):
        p, linear = f"model.layers.{index}.", mixer == "lightning-attn"
        H, Hkv, D = (c[n] for n in (("lightning_nh", "lightning_nkv", "lightning_head_dim") if linear else ("num_attention_heads", "num_key_value_heads", "head_dim")))
        yield p + "input_layernorm.weight", (E,)
        for name, rows, columns in (("q", H * D, E), ("k", Hkv * D, E), ("v", Hkv * D, E), ("o", E, H * D)):
            yield f"{p}self_attn.{name}_proj.weight", (rows, columns)
        if c["use_output_gate" if linear else "attn_use_output_gate"]:
            yield p + "self_attn." + ("z_proj" if linear else "o_gate") + ".weight", (H * D, E)
        if c["qk_norm"] if linear else c.get("sala_lab", {}).get("attn_qk_norm"):
            yield p + "self_attn.q_norm.weight", (D,)
            yield p + "self_attn.k_norm.weight", (D,)
        if linear and c["use_output_norm"]:
            yield p + "self_attn.o_norm.weight", (H * D,)
        yield p + "post_attention_layernorm.weight", (E,)
        for name, shape in (("gate", (I, E)), ("up", (I, E)), ("down", (E, I))):
            yield f"{p}mlp.{name}_proj.weight", shape
    yield "model.norm.weight", (E,)
    if not c.get("tie_word_embeddings"):
        yield "lm_head.weight", (V, E)


def random_weights(config, seed):
    rng, weights = np.random.default_rng(seed), {}
    for name, shape in shapes(config):
        draw = rng.standard_normal(shape)
        scale = 1.0 if name == "model.embed_tokens.weight" else shape[-1] ** -0.5
        weights[name] = bf16(1 + 0.2 * draw if len(shape) == 1 else scale * draw)
    return weights


def random_ids(config, tokens, seed):
    return np.concatenate([[1], np.random.default_rng(seed).integers(3, config["vocab_size"], tokens - 1)])


def make():
    for seed, (name, (mixers, changes, tokens, positions, numerics)) in enumerate(FIXTURES.items()):
        config = SMALL | changes | {"mixer_types": mixers, "num_hidden_layers": len(mixers)}
        folder = DATA / name
        folder.mkdir(parents=True, exist_ok=True)
        weights = random_weights(config, 40 + seed)
        ids = random_ids(config, tokens, 50 + seed)
        expected = Reference(config, weights, numerics == "bf16").run(ids, np.array(positions or range(tokens)))
        (folder / "config.json").write_text(json.dumps(config, indent=1) + "\n")
        write_tensors(folder / "model.safetensors", weights)
        write_tensors(folder / "expected.safetensors", expected)


def compare(folder):
    config, weights = json.loads((folder / "config.json").read_text()), read_tensors(folder / "model.safetensors")
    stored = read_tensors(folder / "expected.safetensors")
    T, R = len(stored["ids"]), len(stored["hidden.embedding"])
    found = Reference(config, weights, False).run(stored["ids"], np.arange(T))
    for name, want in stored.items():
        got = found[name] if len(found[name]) == len(want) or name.startswith("selected") else found[name][T - R:]
        print(f"{folder.name} {name}: {np.abs(got - want).max():.2e} of {np.abs(want).max():.3g}")


def omit(folder):
    """For each place in the code that rounds: the share of hidden.0 and of logits that differ in the median row, and blocks selected otherwise."""
    config, weights = json.loads((folder / "config.json").read_text()), read_tensors(folder / "model.safetensors")
    stored, places = read_tensors(folder / "expected.safetensors"), set()

    def place():
        frame = sys._getframe(2)
        return frame.f_lineno, frame.f_lasti

    def run(rounding):
        reference = Reference(config, weights, True)
        reference.round = rounding
        return reference.run(stored["ids"], stored["positions"])

    run(lambda x: places.add(place()) or bf16(x))
    for left_out in sorted(places):
        got = run(lambda x: x if place() == left_out else bf16(x))
        rows = {name: np.median((got[name].astype(np.float32) != stored[name]).mean(axis=1)) for name in ("hidden.0", "logits")}
        blocks = (got["selected.0"] != stored["selected.0"]).sum() if "selected.0" in stored else 0
        print(f"{folder.name} line {left_out[0]}: hidden.0 {rows['hidden.0']:.3f}, logits {rows['logits']:.3f}, blocks {blocks}")


def renew(folder, tokens=203, kept=40):
    config = json.loads((folder / "config.json").read_text())
    weights, ids = random_weights(config, 70), random_ids(config, tokens, 71)
    expected = Reference(config, weights, False).run(ids, np.arange(tokens))
    del expected["positions"]
    write_tensors(folder / "model.safetensors", weights)
    write_tensors(folder / "expected.safetensors", {k: v[-kept:] if k.startswith("hidden") else v for k, v in expected.items()})


if __name__ == "__main__":
    if sys.argv[1:] == ["make"]:
        make()
    elif len(sys.argv) == 3 and sys.argv[1] in ("compare", "renew", "omit"):
        {"compare": compare, "renew": renew, "omit": omit}[sys.argv[1]](Path(sys.argv[2]))
    else:
        sys.exit(__doc__)
