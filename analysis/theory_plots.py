"""The figures of docs/theory.md, from the numbers that theory.py wrote. Solid or marked: measured. Dashed: predicted."""

import math
from pathlib import Path

import numpy as np

import theory_formulas as formulas
from plots.style import MEMBERS, OTHERS, WIDTHS, member_style, plt
from plots.tidy import name_length as label

COLOURS, MARKERS = zip(*MEMBERS.values(), *OTHERS)  # of what is no member
PREDICTED = {"ls": "--", "lw": 1.3}


def figure(panels: int):
    """Two panels a row, as wide as a page."""
    rows = -(-panels // 2)
    fig, grid = plt.subplots(rows, 2, figsize=(WIDTHS["page"], 2.9 * rows), layout="constrained", squeeze=False)
    for unused in grid.ravel()[panels:]:
        unused.set_axis_off()
    return fig, grid.ravel()[:panels]


def lengths_axis(axes, lengths: list[int], train_length: int) -> None:
    axes.set_xscale("log")
    axes.set_xticks(lengths, [label(t) for t in lengths])
    axes.minorticks_off()
    mark_training(axes, train_length)


def mark_training(axes, train_length: int) -> None:
    axes.axvline(train_length, color="0.4", ls=":", lw=1)
    axes.annotate(f"trained to {label(train_length)}", (train_length, 0.99), xycoords=("data", "axes fraction"), xytext=(-3, 0),
                  textcoords="offset points", rotation=90, ha="right", va="top", color="0.3", fontsize=6)


def finish(axes, title: str, x: str, y: str, legend: bool = True, outside: bool = False, **place) -> None:
    axes.set_title(title)
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    axes.grid(alpha=0.25)
    if legend:
        axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=place.get("ncols", 1)) if outside else axes.legend(**place)


def save(figure_, path: Path) -> None:
    """path: the name without ending."""
    for ending in ("png", "svg"):
        figure_.savefig(path.with_suffix(f".{ending}"), dpi=200, metadata={"Date": None} if ending == "svg" else None)
    plt.close(figure_)


def middles(rows: list[dict]) -> list[float]:
    return [math.sqrt(max(row["from"], 0.5) * row["to"]) for row in rows]


def rotary(numbers: dict, path: Path, train_length: int) -> None:
    fig, (left, middle, right) = figure(3)
    for key, name, colour in (("token", "single keys", COLOURS[0]), ("pooled", "means over 32 keys", COLOURS[1])):
        theory = numbers["theory" if key == "token" else "theory_pooled"]
        curves = [curve[f"{key}_keys"] for curve in numbers["curves"]]
        low, half, high = np.quantile(np.array(curves), [0.25, 0.5, 0.75], axis=0)
        x = middles(theory)
        left.fill_between(x, low, high, color=colour, alpha=0.18, lw=0)
        left.plot(x, half, color=colour, marker="o", ms=3, label=f"{name}, trained heads: median, quartiles")
        left.plot(x, [math.sqrt(row["mean"]) for row in theory], color=colour, label=f"{name}, formula", **PREDICTED)
    left.set_xscale("log")
    mark_training(left, train_length)
    left.set_ylim(0, 1)
    finish(left, "One content at all distances: full-tiny, text of one token", "distance in tokens", "rms logit / largest logit of the head", outside=True)

    waves = [2 * math.pi / f for f, _ in numbers["factors"]]
    middle.semilogx(waves, [abs(factor) for _, factor in numbers["factors"]], color=COLOURS[1], marker=".", **PREDICTED)
    middle.axvline(32, color="0.4", ls=":", lw=1)
    middle.annotate("kernel, 32 tokens", (32, 0.99), xycoords=("data", "axes fraction"), xytext=(-3, 0), textcoords="offset points",
                    rotation=90, ha="right", va="top", fontsize=6, color="0.3")
    finish(middle, "What pooling leaves of each pair of dimensions (formula)", "wavelength in tokens", "|sin(16 f) / (32 sin(f / 2))|", legend=False)

    edges = [128, 512, 1024, 2048, 4096, 8192, 16384, 32768]
    for index, (model, data) in enumerate(numbers["needles"].items()):
        distance, margin = np.array(data["distance"]), np.array(data["margin"], dtype=float)
        keep = np.isfinite(margin)
        colour, marker = member_style(model, index)
        right.plot(distance[keep], margin[keep], marker, color=colour, ms=3, alpha=0.4)
        rows = [(math.sqrt(a * b), margin[keep & (distance >= a) & (distance < b)]) for a, b in zip(edges, edges[1:])]
        rows = [(x, values.mean()) for x, values in rows if values.size]
        layer, head = data["head"]
        right.plot(*zip(*rows), color=colour, label=f"{model}: {layer.replace('_', ' ')}, head {head}")
        if model == "full-tiny":
            xs = np.geomspace(edges[0], edges[-1], 200)
            theory = [np.mean([formulas.coherence(x * (1 + 0.02 * j), 64, 1e4) for j in range(-5, 6)]) for x in xs]
            right.plot(xs, rows[0][1] * np.array(theory) / np.interp(rows[0][0], xs, theory), color=colour,
                       label="formula, energy alike in all pairs", **PREDICTED)
            slow = [formulas.slow_coherence(x, 64, 1e4, 2) for x in xs]
            right.plot(xs, rows[0][1] * np.array(slow) / slow[0], color=colour, ls="-.", lw=1, label="formula, two slowest pairs alone")
    right.set_xscale("log")
    mark_training(right, train_length)
    right.set_ylim(-14, None)
    finish(right, "Needles (niah_single_2), the head that reads most evidence", "distance in tokens", "logit of evidence - mean logit, nats", loc="lower left")
    save(fig, path)


def with_errors(axes, lengths: list[int], figures: list[list[float]], **style) -> None:
    """figures: mean and two standard errors."""
    axes.errorbar(lengths, [mean for mean, _ in figures], [error for _, error in figures], ms=4, lw=1.3, elinewidth=0.7, capsize=2, **style)


def dilution(numbers: dict, path: Path, train_length: int) -> None:
    fig, (left, middle, right) = figure(3)
    for index, (name, data) in enumerate(numbers["series"].items()):
        lengths, (colour, marker) = [row["length"] for row in data["rows"]], member_style(name, index)
        start = data["rows"][0]["log_odds"][0]
        with_errors(left, lengths, [[start + row["log_odds_change"][0], row["log_odds_change"][1]] for row in data["rows"]], color=colour, marker=marker, label=name)
        left.plot(lengths, data["theory"], color=colour, **PREDICTED)
        if "mass_theory" in data:
            start = data["rows"][0]["mass"][0]
            with_errors(right, lengths, [[100 * (start + row["mass_change"][0]), 100 * row["mass_change"][1]] for row in data["rows"]], color=colour, marker=marker)
            right.plot(lengths, [100 * mass for mass in data["mass_theory"]], color=colour, **PREDICTED)
    rows = numbers["series"]["dense-tiny"]["rows"]
    parts = (("mean_change", -1, "- mean logit of the others"), ("needle_change", 1, "logit of the needle"), ("ln_keys_change", -1, "- ln of the keys"),
             ("lift_change", -1, "- what the others have above their mean"),
             ("log_odds_change", 1, "their sum: log-odds"))
    for index, (key, sign, name) in enumerate(parts):
        with_errors(middle, [row["length"] for row in rows], [[sign * row[key][0], row[key][1]] for row in rows], color=COLOURS[index + 2], marker=MARKERS[index], label=name)
    for axes in (left, middle, right):
        lengths_axis(axes, [row["length"] for row in rows], train_length)
    right.set_ylim(0, 100)
    finish(left, "Needle against all other keys (dashed: formula from 1k on)", "tokens", "best evidence logit - ln sum exp of others, nats", loc="lower left")
    finish(middle, "dense-tiny: change since 1k, same samples", "tokens", "nats", loc="lower left")
    finish(right, "Attention on the needle in that head", "tokens", "percent, first query of the answer", legend=False)
    save(fig, path)


def selection(numbers: dict, path: Path, train_length: int) -> None:
    fig, (left, middle, right) = figure(3)
    models = list(numbers["members"])
    top = 0.0
    for index, model in enumerate(models):
        rows = [row for name, row in numbers["tokens"].items() if name.startswith(model + "/")]
        x, y = [row["pooled_signal_one_key"] for row in rows], [row["pooled_signal"] for row in rows]
        colour, marker = member_style(model, index)
        left.plot(x, y, marker, color=colour, label=model)
        middle.plot([row["pooled_std_theory"] for row in rows], [row["pooled_std"] for row in rows], marker, color=colour, label=model)
        top = max(top, *x)
    for keys, place in ((1, top), (4, top), (8, top)):
        left.plot([0, place], [0, keys * place], color="0.4", **PREDICTED)
        left.annotate(f"{keys} matching key{'s' if keys > 1 else ''}", (place, keys * place), fontsize=6, ha="right", va="bottom", color="0.3")
    finish(left, "Signal of the needle's block at 4k, every layer and head", "predicted for one matching key in 32, deviations", "measured, deviations of the other blocks", loc="upper left")
    most = max(row["pooled_std"] for row in numbers["tokens"].values())
    middle.plot([0, most], [0, most], color="0.4", **PREDICTED)
    middle.annotate("independent keys", (most * 0.6, most * 0.6), fontsize=6, color="0.3", rotation=45, ha="center", va="top")
    finish(middle, "Noise of pooled scores at 4k", "deviation of single keys / sqrt(32), nats", "deviation of block scores, nats", loc="lower right")
    lengths: list[int] = []
    for index, model in enumerate(models):
        heads = numbers["members"][model]
        lengths = [row["length"] for row in next(iter(heads.values()))]
        colour, marker = member_style(model, index)
        for kind, key, style in (("measured", "selected", {"marker": marker, "ms": 4}), ("formula", "theory", PREDICTED)):
            means = [np.mean([rows[i][key] for rows in heads.values() if len(rows) > i]) for i in range(len(lengths))]
            right.plot(lengths, [100 * m for m in means], color=colour, label=f"{model}, {kind}", **style)
    lengths_axis(right, lengths, train_length)
    right.set_ylim(0, 100)
    finish(right, "Evidence blocks selected, mean of layers and heads", "tokens", "percent of those not read anyway", outside=True, ncols=2)
    save(fig, path)


def decay(numbers: dict, path: Path, train_length: int) -> None:
    del train_length  # far beyond what is drawn
    fig, (left, middle, right) = figure(3)
    slopes, dim = numbers["slopes"], numbers["dim"]
    shown = [0, 1, 3, 7]
    for index, layer in enumerate(shown):
        rows = numbers["layers"][layer]
        left.loglog(middles(rows), [row["mean"] for row in rows], color=COLOURS[index], marker=MARKERS[index], ms=3, label=f"behind layer {layer}")
    xs = np.geomspace(1, 2800, 200)
    first = numbers["layers"][0]
    envelope = [math.sqrt(sum(math.exp(-2 * s * x) for s in slopes) / len(slopes)) for x in xs]
    scale = first[1]["mean"] / envelope[0]
    left.loglog(xs, scale * np.array(envelope), color=COLOURS[0], label="one layer, formula", **PREDICTED)
    gain = numbers["tail"][0]["gain"]
    left.loglog(xs, [formulas.stacked_change(min(slopes), int(x), 8, gain) for x in xs], color=COLOURS[3],
                label="eight layers, slowest head, any phase", **PREDICTED)
    left.loglog(xs, [formulas.stacked_change(min(slopes), int(x), 8, gain, in_phase=True) for x in xs], color=COLOURS[3], ls="-.", lw=1,
                label="the same, all ways in phase")
    left.axhline(numbers["floor"], color="0.5", lw=0.8, ls=":")
    left.annotate("precision of float32", (2800, numbers["floor"]), fontsize=6, ha="right", va="bottom", color="0.3")
    left.set_ylim(1e-11, 3)
    finish(left, "linear-tiny: change when one token is exchanged", "distance in tokens", "relative change of the hidden state", loc="lower left")

    for index, slope in enumerate(slopes):
        for size, style in ((dim, {"ls": "--"}), (128, {"ls": "-."})):
            middle.loglog(xs, [formulas.state_signal_to_noise(slope, x, size) for x in xs], color=COLOURS[index], lw=1.2, **style,
                          label=f"s = 1/{round(1 / slope)}, D = {size}")
    middle.axhline(1, color="0.4", lw=0.8, ls=":")
    middle.set_ylim(1e-2, 20)
    finish(middle, "One read of one head, random keys (formula)", "distance in tokens", "signal / noise", loc="upper right", ncols=2)

    for index, (task, rows) in enumerate(numbers["hits"].items()):
        x = [math.sqrt(max(row["from"], 16) * row["to"]) for row in rows]
        share = [100 * row["mean"] for row in rows]
        error = [100 * math.sqrt(max(row["mean"] * (1 - row["mean"]), 0.25 / row["n"]) / row["n"]) for row in rows]
        right.errorbar(x, share, error, color=COLOURS[index], marker=MARKERS[index], ms=4, lw=1.2, elinewidth=0.6, label=task)
    for place, text in ((1 / min(slopes), "1/s of the slowest head"), (math.log(100) / min(slopes), "its weight is 0.01")):
        right.axvline(place, color="0.4", ls=":", lw=1)
        right.annotate(text, (place, 0.99), xycoords=("data", "axes fraction"), xytext=(-3, 0), textcoords="offset points", rotation=90,
                       ha="right", va="top", fontsize=6, color="0.3")
    right.set_xscale("log")
    right.set_ylim(0, 100)
    finish(right, "linear-tiny: needles found", "distance from the needle to the end of the prompt, tokens", "score in percent (bars: standard error)", loc="lower left")
    save(fig, path)


def sinks(numbers: dict, path: Path, train_length: int) -> None:
    del train_length
    fig, (left, right) = figure(2)
    for index, (model, data) in enumerate(numbers.items()):
        colour, marker = member_style(model, index)
        places = [(int(layer[-2:]), mass) for layer, masses in data["attention"].items() for mass in masses["start_mass"]]
        if places:
            left.plot(*zip(*((x + 0.07 * (index - 2), 100 * y) for x, y in places)), marker, color=colour, ms=5, alpha=0.8, label=model)
        right.plot(data["layers"], data["spike_ratio"], color=colour, marker=marker, ms=4, label=model)
    left.axhline(100 * 64 / 1024, color="0.4", lw=0.8, **{"ls": "--"})
    left.annotate("64 of 1,024 keys, uniform", (7, 100 * 64 / 1024), fontsize=6, ha="right", va="bottom", color="0.3")
    left.set_ylim(0, 100)
    finish(left, "Attention on the first 64 tokens, one mark a head", "layer", "percent")
    right.set_xticks(range(-1, 8), ["emb.", *map(str, range(8))])
    finish(right, "Activation spikes: largest |h| of a sample", "behind layer", "largest / median |h|")
    save(fig, path)


PLOTS = {"rotary": rotary, "dilution": dilution, "selection": selection, "decay": decay, "sinks": sinks}
