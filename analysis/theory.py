#!/usr/bin/env python3
"""Measures on trained members what docs/theory.md predicts and draws both. Needs python3-numpy, python3-h5py, python3-matplotlib.

  analysis/theory.py                                   # nine minutes on two busy cores; what was run before is reused
  analysis/theory.py --only decay,selection
  analysis/theory.py --draw                            # measures nothing: the plots again from the numbers that are there

Writes results/theory/NAME.png, NAME.svg and NAME.json, the numbers behind the plot. Runs are kept in build/theory.
"""

import argparse
import json
import math
import sys
from pathlib import Path

import numpy as np

import theory_formulas as formulas
from theory_runs import Laboratory, distance_of_needle, free_evidence, layers_of, of_head, pooled, reading_head

ROOT = Path(__file__).resolve().parent.parent
MEMBERS = ["sala-tiny", "dense-tiny", "full-tiny", "linear-tiny", "rope-tiny", "nope-tiny"]
TRAIN_LENGTH, DIM, THETA, KERNEL = 8192, 64, 10000.0, 32
SLOPES = [2.0 ** (-2 * (head + 1)) for head in range(4)]  # of four Lightning heads (spec 3.3)
NEEDLE = "niah_single_2"
PAIR_SEEDS = [42, 777, 1, 2, 3]  # of the dilution: the same samples at every length
SAMPLES = {1024: 20, 2048: 20, 4096: 20, 8192: 16, 16384: 8, 32768: 4, 65536: 6, 131072: 6}


def needle_run(lab: Laboratory, model: str, length: int, *more: str, name: str = ""):
    return lab.run(f"{name or model}-{length}", model, NEEDLE, length, SAMPLES[length], *more)


def bins(distances: np.ndarray, values: np.ndarray, edges: list[float]) -> list[dict]:
    rows = []
    for low, high in zip(edges, edges[1:]):
        inside = values[(distances >= low) & (distances < high)]
        if inside.size:
            rows.append({"from": low, "to": high, "n": int(inside.size), "mean": float(inside.mean()), "std": float(inside.std())})
    return rows


def root_means(rows: list[dict]) -> list[float]:
    return [math.sqrt(row["mean"]) for row in rows]


def rotary(lab: Laboratory) -> dict:
    """A text of one token repeated has the same hidden state everywhere, in every layer: logits depend on distance alone."""
    tokens, length = [300, 777, 1234, 2048, 2900, 3500], 16384
    edges = [0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384]
    distances = np.arange(length)
    curves = []
    for token in tokens:
        tensors = lab.logits(f"constant-full-{token}", "full-tiny", np.full(length, token), "--attention", "--rows", "1")
        for layer in range(8):
            for head in range(2):
                logits = tensors[f"attention.{layer}"][0, head][::-1].astype(float)  # by distance
                means = np.convolve(logits, np.ones(KERNEL) / KERNEL, mode="valid")
                size = np.abs(logits).max()
                curves.append({"layer": layer, "head": head, "token": token, "token_keys": root_means(bins(distances, (logits / size) ** 2, edges)),
                               "pooled_keys": root_means(bins(distances[:means.size], (means / size) ** 2, edges))})
    theory = np.array([formulas.coherence(d, DIM, THETA) for d in range(length)])
    pooled_theory = np.convolve(theory, np.ones(KERNEL) / KERNEL, mode="valid")
    result = {"edges": edges, "theory": bins(distances, theory ** 2, edges),
              "theory_pooled": bins(distances[:pooled_theory.size], pooled_theory ** 2, edges), "curves": curves,
              "factors": [[f, formulas.pooling_factor(f, KERNEL)] for f in formulas.rope_frequencies(DIM, THETA)]}
    result["needles"] = {}
    for model in ("full-tiny", "dense-tiny"):
        far, near = [], []
        head = reading_head(needle_run(lab, model, 4096))
        for length in (1024, 2048, 4096, 8192, 16384, 32768):
            cell = needle_run(lab, model, length)
            margin = of_head(cell, head, "evidence_logit") - of_head(cell, head, "background_mean")
            far += distance_of_needle(cell).tolist()
            near += margin.tolist()
        result["needles"][model] = {"head": list(head), "distance": far, "margin": near}
    return result


def pairs_a_seed(run: str, length: int) -> int:
    return 4 if run == "dense-tiny" or length <= 8192 else 2


def paired_figures(lab: Laboratory, model: str, head: tuple[str, int], length: int, count: int, *more: str, run: str = "") -> dict[str, np.ndarray]:
    """Figures of the first `count` samples of each seed: the same questions and needles whatever the length is.
    log_odds = margin - lift - ln_keys: what ln sum exp of the others is made of."""
    run = run or model
    cells = [lab.run(f"{run}-pairs-{seed}-{length}", model, NEEDLE, length, pairs_a_seed(run, length), *more, seed=seed) for seed in PAIR_SEEDS]
    join = lambda figure: np.concatenate([of_head(cell, head, figure)[:count] for cell in cells])
    needle, mean, ln_keys = join("evidence_logit"), join("background_mean"), np.log(join("keys"))
    log_odds = needle - join("background_lse")
    return {"log_odds": log_odds, "margin": needle - mean, "needle": needle, "mean": mean, "ln_keys": ln_keys, "lift": needle - mean - log_odds - ln_keys,
            "mass": join("evidence_mass"), "score": np.concatenate([cell["score"][:count] for cell in cells])}


def mean_and_error(values: np.ndarray) -> list[float]:
    """Mean and two standard errors."""
    mean, deviation, count = pooled(values)
    return [mean, 2 * deviation / math.sqrt(max(count - 1, 1))]


def query_factor(length: int) -> float:
    """How much longer `--logit-scaling "hype 1024"` makes a query behind `length` tokens."""
    return math.log(length + 1024) / math.log(1024)


def gains(scaled: dict, unscaled: dict, length: int) -> tuple[np.ndarray, np.ndarray]:
    """What scaling adds to the log-odds of each sample, measured and by the formula from its own margin and background."""
    factor = query_factor(length)
    return scaled["log_odds"] - unscaled["log_odds"], (factor - 1) * unscaled["margin"] - (factor ** 2 - 1) * unscaled["lift"]


def dilution(lab: Laboratory) -> dict:
    """Attention on the needle against the number of keys. The samples of all lengths are the same, with more essay around them."""
    series, lengths = {}, (1024, 2048, 4096, 8192, 16384, 32768)
    for name, model, run, more in (("dense-tiny", "dense-tiny", "dense-tiny", ()),
                                   ("dense-tiny, ln(t + 1024) / ln(1024)", "dense-tiny", "dense-tiny-scaled", ("--logit-scaling", "hype 1024")),
                                   ("sala-tiny", "sala-tiny", "sala-tiny", ()), ("full-tiny", "full-tiny", "full-tiny", ())):
        head, rows = reading_head(needle_run(lab, model, 4096)), []
        for length in lengths:
            count = pairs_a_seed(run, length)
            here, first = (paired_figures(lab, model, head, at, count, *more, run=run) for at in (length, lengths[0]))
            row = {"length": length, "keys": float(np.exp(np.nanmean(here["ln_keys"]))), "score": float(here["score"].mean()),
                   "pairs": int(np.isfinite(here["log_odds"] - first["log_odds"]).sum())}
            for figure in ("log_odds", "margin", "needle", "mean", "lift", "ln_keys", "mass"):
                row[figure] = mean_and_error(here[figure])
                row[f"{figure}_change"] = mean_and_error(here[figure] - first[figure])
            if more:
                unscaled, unscaled_first = (paired_figures(lab, model, head, at, count) for at in (length, lengths[0]))
                (gain, promised), (gain_first, promised_first) = (gains(*pair, at) for *pair, at in ((here, unscaled, length), (first, unscaled_first, lengths[0])))
                row["gain"], row["gain_theory"] = mean_and_error(gain), mean_and_error(promised)
                # Of the same samples: how log-odds fall without scaling, and by how much less with it.
                row["log_odds_change_unscaled"] = mean_and_error(unscaled["log_odds"] - unscaled_first["log_odds"])
                row["gain_change"], row["gain_change_theory"] = mean_and_error(gain - gain_first), mean_and_error(promised - promised_first)
                row["margin_factor"], row["query_factor"] = mean_and_error(here["margin"] / unscaled["margin"]), query_factor(length)
            rows.append(row)
        start = rows[0]
        if more:  # from the margin and the background without scaling
            plain = series[model]["rows"][0]
            theory = [formulas.scaled_log_odds(plain["margin"][0], plain["lift"][0], row["keys"], query_factor(row["length"])) for row in rows]
        else:
            theory = [start["log_odds"][0] - math.log(row["keys"] / start["keys"]) for row in rows]
        series[name] = {"head": list(head), "rows": rows, "theory": theory}
        if not more:
            series[name]["mass_theory"] = [formulas.diluted_mass(start["mass"][0], start["keys"], row["keys"]) for row in rows]
    return {"seeds": PAIR_SEEDS, "series": series}


def selection(lab: Laboratory) -> dict:
    """Signal of evidence blocks in deviations of the others, at 4,096, and the share that is selected further out."""
    result: dict = {"members": {}}
    for model in ("sala-tiny", "nope-tiny", "rope-tiny"):
        heads: dict = {}
        for length in (4096, 8192, 16384, 32768, 65536, 131072):
            cell = needle_run(lab, model, length)
            for layer in layers_of(cell["select"]):
                group, free = cell["select"][layer], free_evidence(cell, layer)
                blocks, slots = length // 64, group["blocks"].shape[3]
                for head in range(free.shape[2]):
                    inside = free[:, :1, head]
                    if not inside.any():
                        continue
                    score, mean = group["evidence_score"][:, :1, head], group["score_mean"][:, :1, head][..., None]
                    signal, spread, count = pooled(((score - mean) / group["score_std"][:, :1, head][..., None])[inside])
                    heads.setdefault(f"{layer}/{head}", []).append({
                        "length": length, "blocks": blocks - 6, "slots": slots - 6, "n": count, "signal": signal, "spread": spread,
                        "score_std": pooled(group["score_std"][:, :1, head])[0],
                        "selected": float(group["evidence_selected"][:, :1, head][inside].mean())})
        for rows in heads.values():
            for row in rows:
                row["theory"] = formulas.selection_probability(rows[0]["signal"], rows[0]["spread"], row["slots"], row["blocks"])
        result["members"][model] = heads
    result["tokens"] = {}
    for model in ("sala-tiny", "nope-tiny", "rope-tiny"):  # every block is read: logits of single keys
        cell = needle_run(lab, model, 4096, "--topk", "60", name=f"{model}-all")
        for layer in layers_of(cell["attention"]):
            for head in range(2):
                at = (layer, head)
                deviation = pooled(of_head(cell, at, "background_std"))[0]
                signal = pooled(of_head(cell, at, "evidence_logit") - of_head(cell, at, "background_mean"))[0] / deviation
                measured = result["members"][model][f"{layer}/{head}"][0]
                result["tokens"][f"{model}/{layer}/{head}"] = {
                    "token_signal": signal, "token_std": deviation, "pooled_std_theory": deviation / math.sqrt(KERNEL),
                    "pooled_std": measured["score_std"], "pooled_signal_one_key": formulas.pooled_signal(signal, 1, KERNEL),
                    "pooled_signal": measured["signal"]}
    return result


def decay(lab: Laboratory) -> dict:
    """One token of a random text is exchanged: how far behind it hidden states still differ, layer by layer."""
    length, at, trials, width = 3072, 256, 6, 128
    edges = [0, 1] + [int(round(2 ** (e / 2))) for e in range(2, 23) if round(2 ** (e / 2)) < length - at]
    rng = np.random.default_rng(7)
    squares = np.zeros((8, length - at))
    sizes = np.zeros((8, length - at))
    for trial in range(trials):
        ids = rng.integers(100, 4000, length)
        other = ids.copy()
        other[at] = (other[at] - 100 + 1 + rng.integers(3800)) % 3900 + 100
        one, two = (lab.logits(f"impulse-{trial}-{i}", "linear-tiny", x, "--hidden", "--rows", "0") for i, x in enumerate((ids, other)))
        for layer in range(8):
            difference = one[f"hidden.{layer}"][at:].astype(float) - two[f"hidden.{layer}"][at:]
            squares[layer] += (difference ** 2).sum(axis=1) / width / trials
            sizes[layer] += (one[f"hidden.{layer}"][at:].astype(float) ** 2).sum(axis=1) / width / trials
    distances = np.arange(length - at)
    relative = np.sqrt(squares / sizes)
    tail = slice(512, 2048)
    fits = [np.polyfit(distances[tail], np.log(row[tail]), 1) for row in relative]
    result = {"slopes": SLOPES, "dim": 32, "tail": [{"slope": float(-a), "gain": float(math.exp(b))} for a, b in fits], "layers": [bins(distances, row, edges) for row in relative],
              "floor": float(np.finfo(np.float32).eps), "hits": {}}
    for task in ("niah_single_1", "niah_single_2"):
        far, hit = [], []
        for span, samples in ((1024, 60), (2048, 60), (4096, 60)):
            cell = lab.run(f"linear-tiny-{task}-{span}", "linear-tiny", task, span, samples)
            answer = (cell["prompt_tokens"][:] - cell["evidence_tokens"][:, 0].mean(axis=1))
            far += answer.tolist()
            hit += cell["score"][:].tolist()
        result["hits"][task] = bins(np.array(far), np.array(hit), [0, 64, 128, 256, 384, 512, 768, 1024, 1536, 2048, 4096])
    return result


def sinks(lab: Laboratory) -> dict:
    """Attention on the start of the text and the largest hidden state, member by member."""
    result = {}
    for model in MEMBERS:
        cell = needle_run(lab, model, 4096)
        softmax = {}
        if "attention" in cell:
            for layer in layers_of(cell["attention"]):
                group = cell["attention"][layer]
                softmax[layer] = {name: np.nanmean(group[name][:, 0], axis=0).tolist() for name in ("sink_mass", "start_mass", "evidence_mass")}
        hidden = cell["hidden"]
        ratio = hidden["largest"][:] / hidden["median"][:]
        result[model] = {"attention": softmax, "layers": hidden["layer"][:].tolist(), "spike_ratio": ratio.mean(axis=0).tolist(),
                         "spike_channel": hidden["channel"][0].tolist(), "spike_position": hidden["position"][0].tolist()}
    return result


MEASUREMENTS = {"rotary": rotary, "dilution": dilution, "selection": selection, "decay": decay, "sinks": sinks}


def rounded(value):
    """Four significant digits: what the plots show, in small files; what is no number becomes null."""
    if isinstance(value, dict):
        return {key: rounded(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [rounded(item) for item in value]
    if isinstance(value, float):
        return float(f"{value:.4g}") if math.isfinite(value) else None
    return value


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", type=Path, default=ROOT / "build/release/sala_eval", help="sala_eval [%(default)s]")
    parser.add_argument("--cache", type=Path, default=ROOT / "build/theory", help="folder of the runs [%(default)s]")
    parser.add_argument("--out", type=Path, default=ROOT / "results/theory", help="folder of plots and numbers [%(default)s]")
    parser.add_argument("--draw", action="store_true", help="measure nothing, draw the numbers in --out")
    parser.add_argument("--only", default=",".join(MEASUREMENTS), help="comma list of %(default)s")
    args = parser.parse_args()
    unknown = [name for name in args.only.split(",") if name not in MEASUREMENTS]
    if unknown:
        sys.exit(f"theory: error [usage] there is no '{unknown[0]}'; there are {', '.join(MEASUREMENTS)}")
    if not args.draw and not args.program.is_file():
        sys.exit(f"theory: error [usage] there is no program {args.program}: run scripts/sala_eval once, or give --program")
    import theory_plots  # matplotlib is for the drawing alone, --help does without

    args.out.mkdir(parents=True, exist_ok=True)
    lab = Laboratory(args.program.resolve(), args.cache)
    for name in args.only.split(","):
        print(name, flush=True)
        file = args.out / f"{name}.json"
        if not args.draw:
            file.write_text(json.dumps(rounded(MEASUREMENTS[name](lab)), separators=(",", ":")) + "\n")
        theory_plots.PLOTS[name](json.loads(file.read_text()), args.out / name, TRAIN_LENGTH)


if __name__ == "__main__":
    main()
