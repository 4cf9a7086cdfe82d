"""How every figure looks. Sizes are those of a two-column paper, so that a figure is included unscaled."""

import math
import re
import textwrap
import zlib
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
matplotlib.rcParams.update({
    "svg.hashsalt": "sala",  # the same file every time
    "pdf.fonttype": 42, "font.size": 7, "axes.titlesize": 7, "axes.labelsize": 7, "xtick.labelsize": 6, "ytick.labelsize": 6, "legend.fontsize": 6.5,
    "axes.linewidth": 0.6, "xtick.major.width": 0.6, "ytick.major.width": 0.6, "xtick.major.size": 2.5, "ytick.major.size": 2.5, "axes.spines.top": False,
    "axes.spines.right": False, "grid.linewidth": 0.4, "grid.alpha": 0.35, "legend.frameon": False, "legend.handlelength": 2.2, "legend.columnspacing": 1.2,
})
import matplotlib.pyplot as plt  # noqa: E402
from matplotlib import ticker  # noqa: E402, F401

WIDTHS = {"column": 3.33, "page": 6.9}  # inches
# One colour and marker a member, in every figure. Okabe and Ito's colours, told apart by colour-blind readers; the strongest for the main subject.
MEMBERS = {"sala": ("#0072b2", "o"), "dense": ("#009e73", "s"), "nope": ("#cc79a7", "D"), "rope": ("#e69f00", "^"), "full": ("#d55e00", "v"), "linear": ("#5d5d5d", "P"),
           "ratio-1-0": ("#661100", "H"), "ratio-3-1": ("#882255", "<"), "ratio-1-1": ("#aa4499", "*"), "ratio-1-3": ("#332288", "h"), "ratio-1-7": ("#56b4e9", "X"),
           "reverse": ("#999933", ">")}
# Of models that are not of the family: first those that no member has.
OTHERS = [("#000000", "p"), ("#994455", "8"), ("#004488", "d"), ("#997700", "p"), ("#6699cc", "d"), ("#44aa99", "8"), ("#ddcc77", "p"), ("#117733", "d")]
ENCODINGS = {"hype": MEMBERS["sala"], "nope": MEMBERS["nope"], "rope": MEMBERS["rope"], "reverse": MEMBERS["reverse"]}
DASHES = ["-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1))]
QUALITY = "cividis"  # for values from nothing to all; readable in grey too


def short(member: str) -> str:
    """`sala` of sala-tiny and sala-131m: members are known by their architecture, whatever their size."""
    return re.sub(r"-(tiny|\d+m)$", "", member)


def looks(members: list[str]) -> dict[str, tuple[str, str]]:
    """Colour and marker of each member. What is not of the family has the look that its name gives it, in any figure, unless another there has that already."""
    made = {member: MEMBERS[short(member)] for member in members if short(member) in MEMBERS}
    taken: set = set()
    for stranger in sorted(set(members) - set(made)):
        first = zlib.crc32(stranger.encode()) % len(OTHERS)
        look = next((i % len(OTHERS) for i in range(first, first + len(OTHERS)) if i % len(OTHERS) not in taken), first)
        taken.add(look)
        made[stranger] = OTHERS[look]
    return made


def member_style(name: str, index: int) -> tuple[str, str]:
    """Colour and marker of a member; of anything else, "dense-tiny, scaled" too, the one at `index` of the others."""
    return MEMBERS.get(short(name), OTHERS[index % len(OTHERS)])


def rank(member: str) -> tuple:
    """Order of legends: the family as in MEMBERS, then the others by name."""
    names = list(MEMBERS)
    return (names.index(short(member)), member) if short(member) in names else (len(names), member)


def sheet(width: str, panels: int, aspect: float, legend_rows: int, caption: str, most_columns: int = 0):
    """A figure of `panels` axes between a legend and a caption. Returns it, the axes and a function that draws the legend. `aspect`: height by width of a panel."""
    inches = WIDTHS[width]
    columns = min(panels, most_columns or (2 if width == "column" else 4))
    rows = -(-panels // columns)
    wrapped = textwrap.fill(caption, int(inches * 22))
    heights = [0.03 + 0.14 * legend_rows, rows * (inches / columns * aspect + 0.12), 0.06 + 0.115 * len(wrapped.splitlines())]
    figure = plt.figure(figsize=(inches, sum(heights)), layout="constrained")
    figure.set_constrained_layout_pads(w_pad=0.02, h_pad=0.02)
    top, middle, bottom = figure.subfigures(3, 1, height_ratios=heights)
    axes = middle.subplots(rows, columns, squeeze=False, sharey=True).ravel()
    for unused in axes[panels:]:
        unused.set_axis_off()
    bottom.text(0.01, 0.98, wrapped, va="top", ha="left", fontsize=6, color="0.25")

    def legend(handles: list, labels: list[str]) -> None:
        top.legend(handles, labels, loc="center", ncol=max(1, -(-len(labels) // max(1, legend_rows))), borderaxespad=0)

    return figure, axes[:panels], legend


def legend_rows(labels: list[str], width: str) -> int:
    """Rows that hold the labels side by side."""
    room = WIDTHS[width] * 19  # letters
    widest = max(map(len, labels), default=0) + 7
    return -(-len(labels) // max(1, int(room / widest)))


def length_ticks(lengths: list[float], width_inches: float) -> list[float]:
    """Those of the lengths that fit beside one another on a log axis."""
    kept: list[float] = []
    if not lengths:
        return kept
    span = max(math.log2(max(lengths) / min(lengths)), 1e-9)
    for length in sorted(lengths):
        if not kept or math.log2(length / kept[-1]) / span * width_inches > 0.28:
            kept.append(length)
    return kept


def save(figure, out: Path) -> list[Path]:
    """Writes OUT.png, OUT.svg and OUT.pdf, the same bytes every time."""
    out.parent.mkdir(parents=True, exist_ok=True)
    made = []
    for ending, metadata in (("png", {}), ("svg", {"Date": None}), ("pdf", {"CreationDate": None})):
        made.append(out.with_name(out.name + "." + ending))
        figure.savefig(made[-1], dpi=300, metadata=metadata)
    plt.close(figure)
    svg = out.with_name(out.name + ".svg")
    names: dict[str, str] = {}  # of clip paths: matplotlib makes them of addresses
    svg.write_text(re.sub(r"\bp[0-9a-f]{10}\b", lambda found: names.setdefault(found[0], f"clip{len(names)}"), svg.read_text()))
    return made
