"""The figures. Each takes tidy cells and returns a drawn figure; KINDS names them."""

import math
import sys
from collections import defaultdict
from dataclasses import dataclass, replace
from pathlib import Path

from .intervals import intervals_text, over_trainings
from .style import DASHES, ENCODINGS, MEMBERS, OTHERS, QUALITY, WIDTHS, legend_rows, length_ticks, looks, plt, rank, sheet, short, ticker
from .tidy import Cell, Problem, Serving, mean, mover, name_length, reading

PERCENT = "score, percent"


@dataclass
class Options:
    width: str = "column"
    title: str = ""
    by_task: bool = False
    over_training: bool = False


def note(sentence: str) -> None:
    print(f"plot: {sentence}", file=sys.stderr)


def few(names, most: int = 4) -> str:
    names = list(names)
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def span_text(values) -> str:
    low, high = min(values), max(values)
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"


def tasks_text(tasks) -> str:
    tasks = sorted(tasks)
    return tasks[0] if len(tasks) == 1 else f"{len(tasks)} tasks"


def common_tasks(cells: list[Cell]) -> list[Cell]:
    """Cells of the tasks that every curve has somewhere, so that means are of the same tasks; says what is left out."""
    by_curve = defaultdict(set)
    for cell in cells:
        by_curve[cell.curve].add(cell.task)
    shared = set.intersection(*by_curve.values())
    if not shared:
        raise Problem("the curves share no task: choose some with --task, or --by-task")
    if left := set.union(*by_curve.values()) - shared:
        note(f"left out, since not every curve has them: {few(sorted(left), 13)}")
    return [cell for cell in cells if cell.task in shared]


def whole_points(cells: list[Cell]) -> dict[tuple[str, int], dict[int, list[Cell]]]:
    """[curve, seed][length] = a cell of every task; lengths that lack one are left out and named."""
    tasks = {cell.task for cell in cells}
    points: dict = defaultdict(lambda: defaultdict(list))
    for cell in cells:
        points[cell.curve, cell.seed][cell.length].append(cell)
    lacking = [f"{shown_name(curve)} at {name_length(length)}" for (curve, _), lengths in sorted(points.items()) for length, of in sorted(lengths.items()) if len(of) < len(tasks)]
    if lacking:
        note(f"left out, since tasks are missing there: {few(lacking, 8)}")
    return {key: kept for key, lengths in points.items() if (kept := {length: of for length, of in lengths.items() if len(of) == len(tasks)})}


def dashes_of(names: list[str]) -> dict[str, object]:
    """A model as trained is solid; what was switched after training has dashes, another kind each."""
    variants: dict = defaultdict(int)
    dashes = {}
    for name in sorted(names):
        member, _, switched = name.partition(" [")
        variants[member] += 1 if switched else 0
        dashes[name] = DASHES[variants[member] % len(DASHES)] if switched else "-"
    return dashes


@dataclass
class Curve:
    """x and what stands over it; several trainings are one line with their own lines behind it."""
    name: str
    member: str
    dashes: object
    colour: str
    marker: str
    main: bool
    points: list[tuple[float, float, float, float]]  # x, value, low, high
    seeds: list[list[tuple[float, float]]]


def curves_of(cells: list[Cell], over_training: bool) -> list[Curve]:
    points = whole_points(cells)
    if not points:
        raise Problem("no length at which a curve has all tasks; choose fewer with --task")
    names = sorted({curve for curve, _ in points}, key=lambda name: (rank(name.split(" [")[0]), name))
    members = {name: next(cell.member for cell in cells if cell.curve == name) for name in names}
    look = looks(list(members.values()))
    made, dashes = [], dashes_of(names)
    for name in names:
        member = members[name]
        colour, marker = look[member]
        of_seed = {seed: lengths for (curve, seed), lengths in points.items() if curve == name}
        trained = next(cell.trained for cell in cells if cell.curve == name)
        if over_training and not trained:
            note(f"left out, since its training length is unknown: {shown_name(name)}")
            continue

        def x(length: int, trained: int = trained) -> float:
            return length / trained if over_training else length

        values = []
        for length in sorted(set.union(*(set(lengths) for lengths in of_seed.values()))):
            values.append((x(length), *over_trainings([lengths[length] for lengths in of_seed.values() if length in lengths])))
        lines = [[(x(length), mover(of)[0]) for length, of in sorted(lengths.items())] for lengths in of_seed.values()] if len(of_seed) > 1 else []
        made.append(Curve(name, member, dashes[name], colour, marker, short(member) == "sala" and "[" not in name, values, lines))
    if not made:
        raise Problem("no curve is left to draw")
    return made


def draw_curves(axes, curves: list[Curve], scale: float, top: float) -> None:
    for curve in sorted(curves, key=lambda curve: curve.main):  # the main subject on top
        x = [point[0] for point in curve.points]
        axes.fill_between(x, [scale * point[2] for point in curve.points], [scale * point[3] for point in curve.points], color=curve.colour,
                          alpha=0.18 if curve.main else 0.1, lw=0)
        for line in curve.seeds:
            axes.plot([a for a, _ in line], [scale * b for _, b in line], color=curve.colour, lw=0.5, alpha=0.8, ls=curve.dashes)
        axes.plot(x, [scale * point[1] for point in curve.points], color=curve.colour, ls=curve.dashes, marker=curve.marker, lw=1.8 if curve.main else 1.0,
                  ms=3.6 if curve.main else 3, mec="white", mew=0.3, clip_on=False, zorder=4 if curve.main else 3)
        if len(x) == 1:  # a band would have no width
            _, value, low, high = curve.points[0]
            axes.errorbar(x, [scale * value], [[scale * (value - low)], [scale * (high - value)]], color=curve.colour, elinewidth=0.7, capsize=1.5, fmt="none")
    axes.set_ylim(0, top)
    axes.grid()


def length_axis(axes, xs: list[float], trained: list[int], over_training: bool, inches: float, label: bool) -> None:
    axes.set_xscale("log", base=2)
    ticks = length_ticks(sorted(set(xs)), inches)
    axes.set_xticks(ticks, [f"{tick:.3g}" if over_training else name_length(tick) for tick in ticks])
    axes.minorticks_off()
    margin = 1.12
    axes.set_xlim(min(xs) / margin, max(xs) * margin)
    for place in [1] if over_training else trained:
        if min(xs) <= place <= max(xs):
            axes.axvline(place, color="0.35", ls=":", lw=0.8, zorder=1)
    if label:
        axes.set_xlabel("length / training length" if over_training else "length, tokens")


def handles_of(curves: list[Curve]) -> list:
    return [plt.Line2D([], [], color=curve.colour, ls=curve.dashes, marker=curve.marker, lw=1.8 if curve.main else 1.0, ms=3.5, mec="white", mew=0.3) for curve in curves]


def shown_name(name: str) -> str:
    member, _, changes = name.partition(" [")
    if not changes:
        return member
    parts = []
    for change in changes.rstrip("]").split("; "):
        field, _, value = change.partition("=")
        if field == "rope_scaling" and '"factor":' in value:
            parts.append("YaRN " + value.split('"factor":')[1].split(",")[0].split("}")[0].removesuffix(".0"))
        else:
            parts.append(f"{field.rsplit('.', 1)[-1]}={value.split(' (was ')[0]}")
    return f"{member}, {', '.join(parts)}"


def caption_of(cells: list[Cell], options: Options, what: str) -> str:
    trained = sorted({cell.trained for cell in cells if cell.trained})
    words = [f"{options.title}." if options.title else "", f"Mean of {tasks_text({cell.task for cell in cells})}" if not options.by_task else "One task a panel",
             f"{span_text([cell.n for cell in cells])} samples a cell"]
    sentence = f"{words[0]} {words[1]}; {words[2]}. {what}".strip()
    if any(min(cell.length for cell in cells) <= length <= max(cell.length for cell in cells) for length in trained):
        sentence += f" Dotted: training length {', '.join(map(name_length, trained))}."
    return sentence


def panels_by(cells: list[Cell], by_task: bool) -> list[tuple[str, list[Cell]]]:
    if not by_task:
        return [("", common_tasks(cells))]
    order = list(dict.fromkeys(cell.task for cell in cells))
    return [(task, [cell for cell in cells if cell.task == task]) for task in order]


def curve_figure(panels: list[tuple[str, list[Cell]]], options: Options, ylabel: str, scale: float, top: float, what: str):
    drawn = [(title, curves_of(cells, options.over_training), cells) for title, cells in panels]
    names = sorted({curve.name for _, curves, _ in drawn for curve in curves}, key=lambda name: (rank(name.split(" [")[0]), name))
    some = {curve.name: curve for _, curves, _ in drawn for curve in curves}
    labels = [shown_name(name) for name in names]
    every = [cell for _, cells in panels for cell in cells]
    figure, axes, legend = sheet(options.width, len(drawn), (0.62 if options.width == "column" else 0.4) if len(drawn) == 1 else 0.75, legend_rows(labels, options.width), caption_of(every, options, what))
    inches = WIDTHS[options.width] / min(len(drawn), 2 if options.width == "column" else 4) - 0.5
    xs = [point[0] for _, curves, _ in drawn for curve in curves for point in curve.points]
    columns = min(len(drawn), 2 if options.width == "column" else 4)
    for i, ((title, curves, cells), axis) in enumerate(zip(drawn, axes)):
        draw_curves(axis, curves, scale, top)
        length_axis(axis, xs, sorted({cell.trained for cell in cells if cell.trained}), options.over_training, inches, i + columns >= len(drawn))
        axis.set_title(title)
        if i % columns == 0:
            axis.set_ylabel(ylabel)
    legend(handles_of([some[name] for name in names]), labels)
    return figure


def curves(cells: list[Cell], options: Options):
    return curve_figure(panels_by(cells, options.by_task), options, PERCENT, 100, 100, intervals_text("Bands", cells) + (" Thin lines: trainings." if len({cell.seed for cell in cells}) > 1 else ""))


def as_score(cells: list[Cell], name: str) -> list[Cell]:
    """The cells with recall or reached in the place of the score; intervals of these are not known."""
    return [replace(cell, score=value, low=value, high=value) for cell in cells if not math.isnan(value := getattr(cell, name))]


def recall(cells: list[Cell], options: Options):
    """Recall and reach of the selection by length."""
    panels = []
    for name in ("recall", "reached"):
        if of := as_score(cells, name):
            panels += [(f"{name}, {task}" if task else name, some) for task, some in panels_by(of, options.by_task)]
    if not panels:
        raise Problem("no recall: no model here selects blocks at these lengths, or the runs had --probe none")
    return curve_figure(panels, options, "share of evidence blocks", 1, 1,
                        "Recall: blocks that were selected, mean over layers, heads and the queries of the answer; reached: that some head read."
                        + (" Thin lines: trainings; bands: a bootstrap of them." if len({cell.seed for cell in cells}) > 1 else ""))


def ratio_value(ratio: str) -> float:
    softmax, _, linear = ratio.partition(":")
    return int(softmax) / max(1, int(softmax) + int(linear or 0))


def ablation(cells: list[Cell], options: Options):
    """Ratio of softmax to linear layers by position encoding, one panel a length."""
    cells = [cell for cell in cells if cell.ratio and cell.pe in ENCODINGS]
    if not cells:
        raise Problem("no cell says its ratio and encoding: give a sweep over ratio and pe, or runs")
    ratios = sorted({cell.ratio for cell in cells}, key=ratio_value)
    if len(ratios) < 2:
        raise Problem(f"all cells have the ratio {ratios[0]}: an ablation needs two at least")
    tasks = set.intersection(*({cell.task for cell in cells if (cell.ratio, cell.pe) == key} for key in {(cell.ratio, cell.pe) for cell in cells}))
    if not tasks:
        raise Problem("the cells of the grid share no task; choose some with --task")
    cells = [cell for cell in cells if cell.task in tasks]
    lengths = sorted({cell.length for cell in cells})
    # A line is an encoding with one kind of softmax layers and of what was switched; a pure linear model ends every line of its encoding.
    lines = sorted({(cell.changes, dense_softmax(cell), cell.pe) for cell in cells if cell.arch != "linear"}, key=lambda line: (*line[:2], list(ENCODINGS).index(line[2])))
    kinds = list(dict.fromkeys([("", False), ("", True)] + [line[:2] for line in lines]))
    dashes = {line: DASHES[kinds.index(line[:2]) % len(DASHES)] for line in lines}
    caption = f"{options.title + '. ' if options.title else ''}Mean of {tasks_text(tasks)}; {span_text([cell.n for cell in cells])} samples a cell. {intervals_text('Bars', cells)}"
    trained = {cell.trained for cell in cells if cell.trained}
    if trained:
        caption += f" Trained to {', '.join(map(name_length, sorted(trained)))} tokens."
    labels = [shown_name(pe + (", dense softmax" if dense else "") + (f" [{changes}]" if changes else "")) for changes, dense, pe in lines]
    handles = [plt.Line2D([], [], color=ENCODINGS[line[2]][0], marker=ENCODINGS[line[2]][1], ls=dashes[line], lw=1.2, ms=3.4, mec="white", mew=0.3) for line in lines]
    figure, axes, legend = sheet(options.width, len(lengths), 0.8, legend_rows(labels, options.width), caption)
    columns = min(len(lengths), 2 if options.width == "column" else 4)
    apart = min(0.09, 0.6 / len(lines)) if lines else 0  # points of one ratio stay nearer to it than to the next
    for i, (length, axis) in enumerate(zip(lengths, axes)):
        for k, line in enumerate(lines):
            colour, marker = ENCODINGS[line[2]]
            points = []
            for at, ratio in enumerate(ratios):
                here = cells_of_line([cell for cell in cells if (cell.ratio, cell.pe, cell.length) == (ratio, line[2], length)], line)
                if len(members := sorted({cell.member for cell in here})) > 1:
                    raise Problem(f"{few(members)} are one point of the panel (ratio {ratio}, {labels[k]}, {name_length(length)}): choose one with --member")
                groups = defaultdict(list)
                for cell in here:
                    groups[cell.seed].append(cell)
                if whole := [group for group in groups.values() if {cell.task for cell in group} == tasks]:
                    points.append((at + apart * (k - (len(lines) - 1) / 2), *over_trainings(whole)))
            if points:
                x, y = [p[0] for p in points], [100 * p[1] for p in points]
                axis.errorbar(x, y, [[100 * (p[1] - p[2]) for p in points], [100 * (p[3] - p[1]) for p in points]], color=colour, marker=marker, ls=dashes[line],
                              ms=3.4, mec="white", mew=0.3, lw=1.6 if line == ("", False, "hype") else 1.0, elinewidth=0.7, clip_on=False)
        axis.set_ylim(0, 100)
        axis.set_xlim(-0.4, len(ratios) - 0.6)
        axis.set_xticks(range(len(ratios)), ratios)
        axis.set_title(f"{name_length(length)} tokens")
        axis.grid(axis="y")
        if i % columns == 0:
            axis.set_ylabel(PERCENT)
        if i + columns >= len(lengths):
            axis.set_xlabel("softmax : linear layers")
    legend(handles, labels)
    return figure


def cells_of_line(cells: list[Cell], line: tuple[str, bool, str]) -> list[Cell]:
    changes, dense, _ = line
    fitting = [cell for cell in cells if cell.arch == "linear" or dense_softmax(cell) == dense]
    return [cell for cell in fitting if cell.changes == changes] or [cell for cell in fitting if cell.arch == "linear" and not cell.changes]


def dense_softmax(cell: Cell) -> bool:
    return cell.arch in ("full", "full-linear")


def heatmap(cells: list[Cell], options: Options):
    """Score by depth of the evidence and length, one panel a member."""
    bins = 10
    cells = [cell for cell in cells if cell.places]
    if not cells:
        raise Problem("no sample says where its evidence stands: heat maps need folders of runs, with samples.jsonl")
    names = sorted({cell.curve for cell in cells}, key=lambda name: (rank(name.split(" [")[0]), name))
    lengths = sorted({cell.length for cell in cells})
    places = sum(len(cell.places) for cell in cells)
    caption = (f"{options.title + '. ' if options.title else ''}{tasks_text({cell.task for cell in cells}).capitalize()}; {places:,} pieces of evidence in "
               f"{sum(cell.n for cell in cells):,} samples. A field: mean over the pieces in that tenth of the prompt; white: none. Numbers: pieces, where fewer than 10.")
    figure, axes, _ = sheet(options.width, len(names), 0.85, 0, caption, 1 if options.width == "column" and len(names) == 1 else 0)
    columns = min(len(names), 2 if options.width == "column" else 4)
    image = None
    for i, (name, axis) in enumerate(zip(names, axes)):
        grid = [[[] for _ in lengths] for _ in range(bins)]
        for cell in cells:
            if cell.curve == name:
                for depth, score in cell.places:
                    grid[min(bins - 1, int(depth * bins))][lengths.index(cell.length)].append(score)
        values = [[100 * mean(field) if field else math.nan for field in row] for row in grid]
        image = axis.imshow(values, cmap=QUALITY, vmin=0, vmax=100, aspect="auto", interpolation="nearest")
        for row, fields in enumerate(grid):
            for column, field in enumerate(fields):
                if 0 < len(field) < 10:
                    axis.text(column, row, str(len(field)), ha="center", va="center", fontsize=4, color="black" if values[row][column] > 55 else "white")
        axis.set_xticks(range(len(lengths)), [name_length(length) for length in lengths])
        axis.set_yticks([-0.5, 4.5, 9.5], ["0", "50", "100"])
        axis.set_title(shown_name(name))
        for side in axis.spines.values():
            side.set_visible(True)
        if i % columns == 0:
            axis.set_ylabel("depth, percent of prompt")
        if i + columns >= len(names):
            axis.set_xlabel("length")
    figure.colorbar(image, ax=list(axes), label=PERCENT, shrink=0.9, aspect=25, pad=0.02)
    return figure


def cost(cells: list[Cell], options: Options):
    """Quality against seconds a sample; a line joins the lengths of a member."""
    cells = [cell for cell in cells if cell.seconds > 0]  # NaN is not
    if not cells:
        raise Problem("no cell knows its seconds: tables of results/family and scored predictions have none; give folders of runs or a sweep")
    cells = common_tasks(cells)
    points = whole_points(cells)
    names = sorted({curve for curve, _ in points}, key=lambda name: (rank(name.split(" [")[0]), name))
    look = looks([name.split(" [")[0] for name in names])
    labels = [shown_name(name) for name in names]
    what = "Numbers beside points: length. Seconds are those of the machines that ran the cells. " + intervals_text("Bars", cells)
    caption = f"{options.title + '. ' if options.title else ''}Mean of {tasks_text({cell.task for cell in cells})}; {span_text([cell.n for cell in cells])} samples a cell. {what}"
    figure, axes, legend = sheet(options.width, 1, 0.65 if options.width == "column" else 0.4, legend_rows(labels, options.width), caption)
    axis, dashes, handles = axes[0], dashes_of(names), []
    for name in names:
        member = name.split(" [")[0]
        colour, marker = look[member]
        lengths = defaultdict(list)
        for (curve, _), of in points.items():
            if curve == name:
                for length, group in of.items():
                    lengths[length].append(group)
        row = [(mean([cell.seconds for cell in sum(trainings, [])]), *over_trainings(trainings), length) for length, trainings in sorted(lengths.items())]
        main = short(member) == "sala"
        axis.errorbar([p[0] for p in row], [100 * p[1] for p in row], [[100 * (p[1] - p[2]) for p in row], [100 * (p[3] - p[1]) for p in row]], color=colour, marker=marker,
                      ls=dashes[name], lw=1.6 if main else 1.0, ms=3.4, mec="white", mew=0.3, elinewidth=0.6, clip_on=False)
        handles.append(plt.Line2D([], [], color=colour, marker=marker, ls=dashes[name], lw=1.2, ms=3.4, mec="white", mew=0.3))
        for p in row:
            axis.annotate(name_length(p[4]), (p[0], 100 * p[1]), xytext=(2, -7), textcoords="offset points", fontsize=5, color=colour)
    axis.set_xscale("log")
    axis.xaxis.set_major_locator(ticker.LogLocator(subs=(1, 2, 5)))
    axis.xaxis.set_major_formatter(ticker.FormatStrFormatter("%g"))
    axis.minorticks_off()
    axis.set_ylim(0, 100)
    axis.set(xlabel="seconds a sample", ylabel=PERCENT)
    axis.grid()
    legend(handles, labels)
    return figure


def dilution(cells: list[Cell], options: Options):
    """Attention on the evidence by length: of each softmax layer the head that has most."""
    import h5py
    masses: dict = defaultdict(lambda: defaultdict(lambda: defaultdict(list)))
    for folder in sorted({cell.source for cell in cells}):
        path = Path(folder) / "run.h5"
        if not path.is_file():
            continue
        wanted = {(cell.task, cell.length): cell.curve for cell in cells if cell.source == folder}
        with reading(path), h5py.File(path) as file:
            for (task, length), curve in wanted.items():
                group = file.get(f"cells/{task}/{length}/attention")
                for layer in sorted(group or {}):
                    if layer.startswith("layer_"):
                        # [N, probe, head]: the first query reads the whole prompt and answers from it
                        mass = group[layer]["evidence_mass"][:, 0, :]
                        masses[curve][int(layer[6:])][length] += [float(value) for value in mass.max(axis=1) if not math.isnan(value)]
    if not masses:
        raise Problem("no attention was recorded: give folders of runs that were made with --probe answer and have their run.h5")
    names = sorted(masses, key=lambda name: (rank(name.split(" [")[0]), name))
    look = looks([name.split(" [")[0] for name in names])
    layers = sorted({layer for name in names for layer in masses[name]})
    lengths = sorted({length for name in names for layer in masses[name].values() for length in layer})
    labels = [shown_name(name) for name in names]
    dashes = dashes_of(names)
    caption = (f"{options.title + '. ' if options.title else ''}{tasks_text({cell.task for cell in cells}).capitalize()}. Attention of the last token of the prompt on the "
               f"evidence, in each softmax layer that of the head with most; lines: medians over {span_text([len(v) for n in names for layer in masses[n].values() for v in layer.values()])} "
               "samples, bands: their middle half. Samples differ from length to length.")
    figure, axes, legend = sheet(options.width, len(layers), 0.75, legend_rows(labels, options.width), caption)
    columns = min(len(layers), 2 if options.width == "column" else 4)
    trained = sorted({cell.trained for cell in cells if cell.trained})
    for i, (layer, axis) in enumerate(zip(layers, axes)):
        for name in names:
            colour, marker = look[name.split(" [")[0]]
            of = masses[name].get(layer)
            if not of:
                continue
            quarters = [quantiles(of[length]) for length in sorted(of)]
            axis.fill_between(sorted(of), [q[0] for q in quarters], [q[2] for q in quarters], color=colour, alpha=0.15, lw=0)
            axis.plot(sorted(of), [q[1] for q in quarters], color=colour, marker=marker, ls=dashes[name], ms=3.2, mec="white", mew=0.3, lw=1.6 if short(name.split(" [")[0]) == "sala" else 1.0, clip_on=False)
        axis.set_ylim(0, 1)
        axis.grid()
        axis.set_title(f"layer {layer}")
        length_axis(axis, lengths, trained, False, WIDTHS[options.width] / columns - 0.5, i + columns >= len(layers))
        if i % columns == 0:
            axis.set_ylabel("attention on evidence")
    legend([plt.Line2D([], [], color=look[name.split(" [")[0]][0], marker=look[name.split(" [")[0]][1], ls=dashes[name], lw=1.2, ms=3.4, mec="white", mew=0.3) for name in names], labels)
    return figure


def quantiles(values: list[float]) -> tuple[float, float, float]:
    ordered = sorted(values)

    def at(share: float) -> float:
        place = share * (len(ordered) - 1)
        below = int(place)
        return ordered[below] + (place - below) * (ordered[min(below + 1, len(ordered) - 1)] - ordered[below])

    return at(0.25), at(0.5), at(0.75)


def serving(cells: list[Serving], options: Options):
    """The paper's seconds beside the cost model's; a panel for each metric and kind of weights."""
    panels = sorted({(cell.weights != "non-quantized", cell.metric != "first token") for cell in cells})
    models = sorted({cell.model for cell in cells}, key=lambda model: "SALA" not in model)
    looks_ = {model: MEMBERS["sala" if "SALA" in model else "full"] for model in models}
    contexts = sorted({cell.context for cell in cells})
    gpus = sorted({cell.gpu for cell in cells})
    caption = (f"{options.title + '. ' if options.title else ''}{', '.join(gpus)}. Marks: published by MiniCPM-SALA; lines: the cost model, fitted to at most 256K (shaded: held "
               "out). Crosses at the top: out of memory, as published (thick) and as the model says (ring).")
    figure, axes, legend = sheet(options.width, len(panels), 0.8, 1, caption)
    top = 2 * max(value for cell in cells for value in (cell.paper, cell.predicted) if not math.isnan(value))
    low = 0.7 * min(value for cell in cells for value in (cell.paper, cell.predicted) if not math.isnan(value))
    columns = min(len(panels), 2 if options.width == "column" else 4)
    for i, ((quantized, whole), axis) in enumerate(zip(panels, axes)):
        for shift, model in zip((0.96, 1.04), models):
            colour, marker = looks_[model]
            of = sorted((cell for cell in cells if cell.model == model and (cell.weights != "non-quantized", cell.metric != "first token") == (quantized, whole)), key=lambda c: c.context)
            axis.plot([c.context for c in of], [c.predicted for c in of], color=colour, lw=1.2)
            axis.plot([c.context for c in of], [c.paper for c in of], color=colour, ls="", marker=marker, ms=4, mec="white", mew=0.3)
            axis.plot([c.context * shift for c in of if math.isnan(c.paper)], [0.8 * top for c in of if math.isnan(c.paper)], color=colour, ls="", marker="x", ms=4, mew=1.4)
            axis.plot([c.context * shift for c in of if math.isnan(c.predicted)], [0.8 * top for c in of if math.isnan(c.predicted)], color=colour, ls="", marker="o", ms=6.5, mfc="none",
                      mew=0.7)
        axis.axvspan(256 * math.sqrt(2), contexts[-1] * 1.3, color="0.93", lw=0, zorder=0)
        axis.set_xscale("log", base=2)
        axis.set_yscale("log")
        axis.set_ylim(low, top)
        axis.set_xlim(contexts[0] / 1.3, contexts[-1] * 1.3)
        axis.set_xticks(contexts, [f"{context:g}K" for context in contexts])
        axis.yaxis.set_major_formatter(ticker.FormatStrFormatter("%g"))
        axis.minorticks_off()
        axis.grid()
        axis.set_title(f"{'1K answered' if whole else 'first token'}, {'INT4' if quantized else 'bf16'}")
        if i % columns == 0:
            axis.set_ylabel("seconds")
        if i + columns >= len(panels):
            axis.set_xlabel("prompt")
    legend([plt.Line2D([], [], color=looks_[model][0], marker=looks_[model][1], lw=1.2, ms=4, mec="white", mew=0.3) for model in models], models)
    return figure


@dataclass
class Kind:
    draw: object
    help: str
    samples: bool = False  # needs the samples themselves


KINDS = {
    "curves": Kind(curves, "score against length: extrapolation curves"),
    "ablation": Kind(ablation, "score against the ratio of softmax to linear layers, one line an encoding, one panel a length"),
    "heatmap": Kind(heatmap, "score by depth of the evidence and length, one panel a model", True),
    "recall": Kind(recall, "recall and reach of the selection against length"),
    "cost": Kind(cost, "score against seconds a sample"),
    "dilution": Kind(dilution, "attention on the evidence against length, one panel a softmax layer (runs with --probe answer)", True),
    "serving": Kind(serving, "the paper's seconds on a GPU beside the cost model's"),
}
