"""Intervals of a mean over tasks and trainings, and how a caption says what they are."""

import numpy

from .tidy import Cell, mean, mover

DRAWS = 2000


def over_trainings(trainings: list[list[Cell]]) -> tuple[float, float, float]:
    """Mean over the trainings of a model and its 95 % bounds. `trainings`: cells of the same tasks, of each training. One: MOVER. Several: a hierarchical bootstrap,
    trainings and then samples. It is never narrower than the trainings' own bounds: their samples are the same ones, so more trainings are no more samples."""
    each = [mover(cells) for cells in trainings]
    if len(each) == 1:
        return each[0]
    rng = numpy.random.default_rng(42)

    def drawn(cell: Cell):  # bounds without width: those of samples are unknown
        return rng.binomial(cell.n, cell.score, DRAWS) / cell.n if cell.low < cell.high else numpy.full(DRAWS, cell.score)

    scores = numpy.stack([sum(map(drawn, cells)) / len(cells) for cells in trainings])
    picked = rng.integers(len(each), size=scores.shape)
    low, high = numpy.quantile(numpy.take_along_axis(scores, picked, 0).mean(axis=0), (0.025, 0.975))
    value, narrow, wide = (mean([bounds[i] for bounds in each]) for i in range(3))
    return value, min(float(low), narrow), max(float(high), wide)


def intervals_text(marks: str, cells: list[Cell]) -> str:
    if len({cell.seed for cell in cells}) == 1:
        return f"{marks}: 95% intervals (Wilson's of each task, joined by MOVER); one training of each model."
    return f"{marks}: 95% intervals (Wilson's of each task, joined by MOVER; of several trainings a hierarchical bootstrap, no narrower than theirs)."
