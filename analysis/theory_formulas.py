"""The formulas of docs/theory.md, in plain Python: distances and lengths in tokens, logits and margins in nats, slopes per token."""

import math


def rope_frequencies(dim: int, theta: float) -> list[float]:
    """theta^(-2i/dim) in radians a token, i = 0 .. dim/2 - 1 (spec 3.2)."""
    return [theta ** (-2 * i / dim) for i in range(dim // 2)]


def coherence(distance: float, dim: int, theta: float) -> float:
    """Score of a key equal to the query, `distance` tokens back, over its score at distance 0; energy alike in all pairs of dimensions."""
    frequencies = rope_frequencies(dim, theta)
    return sum(math.cos(distance * f) for f in frequencies) / len(frequencies)


def slow_coherence(distance: float, dim: int, theta: float, pairs: int) -> float:
    """coherence() of a head that compares by its `pairs` slowest pairs of dimensions alone."""
    return sum(math.cos(distance * f) for f in rope_frequencies(dim, theta)[-pairs:]) / pairs


def pooling_factor(frequency: float, kernel: int) -> float:
    """What the mean over `kernel` neighbouring rotated copies leaves of a pair of dimensions; negative = turned over."""
    half = frequency / 2
    return 1.0 if math.sin(half) == 0 else math.sin(kernel * half) / (kernel * math.sin(half))


def pooled_coherence(distance: float, dim: int, theta: float, kernel: int) -> float:
    """coherence() of a mean-pooled key: `kernel` copies of the query, the nearest one `distance` tokens back."""
    frequencies = rope_frequencies(dim, theta)
    centre = distance + (kernel - 1) / 2
    return sum(pooling_factor(f, kernel) * math.cos(centre * f) for f in frequencies) / len(frequencies)


def needle_mass(margin: float, keys: float, noise: float = 0.0) -> float:
    """Attention on one key whose logit lies `margin` above the mean of `keys` - 1 others that are normal with deviation `noise`."""
    return 1 / (1 + (keys - 1) * math.exp(noise * noise / 2 - margin))


def needed_margin(mass: float, keys: float, noise: float = 0.0) -> float:
    """The margin at which needle_mass() is `mass`: it grows by 1 whenever `keys` grows e-fold."""
    return math.log(keys - 1) + noise * noise / 2 + math.log(mass / (1 - mass))


def diluted_mass(mass: float, keys: float, more_keys: float) -> float:
    """Attention on a needle that has `mass` among `keys`, among `more_keys` of the same kind."""
    odds = mass / (1 - mass) * keys / more_keys
    return odds / (1 + odds)


def scaled_log_odds(margin: float, lift: float, keys: float, factor: float) -> float:
    """ln of the needle's attention over all other when queries are multiplied by `factor`. margin: needle - mean logit; lift: ln of the
    mean of exp(logit - mean), for normal logits half their variance, which grows with the square. With factor = ln(n) / ln(n0) the
    margin grows as ln n does: factor * margin - ln n stays above 0 where margin > ln(n0), as long as the lift is small."""
    return factor * margin - factor * factor * lift - math.log(keys)


def normal_cdf(x: float) -> float:
    return 0.5 * math.erfc(-x / math.sqrt(2))


def normal_quantile(p: float) -> float:
    low, high = -40.0, 40.0
    for _ in range(100):
        middle = (low + high) / 2
        low, high = (middle, high) if normal_cdf(middle) < p else (low, middle)
    return (low + high) / 2


def pooled_signal(token_signal: float, matching: float, kernel: int) -> float:
    """Deviations by which `matching` keys of a window of `kernel` lift its mean; token_signal = (logit - mean) / deviation of one key.
    Other keys independent: the mean has deviation / sqrt(kernel)."""
    return token_signal * matching / math.sqrt(kernel)


def selection_threshold(slots: float, blocks: float) -> float:
    """Score, in deviations above the mean, of the `slots`-th best of `blocks` normal scores (for slots < blocks)."""
    return normal_quantile(1 - slots / blocks)


def selection_probability(signal: float, spread: float, slots: float, blocks: float) -> float:
    """That a block whose score is normal around `signal` with deviation `spread` (both in deviations of the others) is among the
    `slots` best of `blocks`."""
    return 1.0 if slots >= blocks else normal_cdf((signal - selection_threshold(slots, blocks)) / spread)


def decay_weight(slope: float, distance: float) -> float:
    return math.exp(-slope * distance)


def keys_in_memory(slope: float) -> float:
    """Sum of squared weights of a head's state: so many unit keys at weight 1 make the same noise."""
    return 1 / (1 - math.exp(-2 * slope))


def state_signal_to_noise(slope: float, distance: float, dim: int) -> float:
    """Readout of a key that equals the query over the readout of all others, random unit keys of `dim` dimensions."""
    return decay_weight(slope, distance) * math.sqrt(dim / keys_in_memory(slope))


def readable_horizon(slope: float, dim: int) -> float:
    """Distance at which state_signal_to_noise() is 1; 0 when it never reaches 1."""
    return max(0.0, math.log(math.sqrt(dim / keys_in_memory(slope))) / slope)


def stacked_change(slope: float, distance: int, layers: int, gain: float, in_phase: bool = False) -> float:
    """Relative change of the residual stream behind `layers` layers of one slope, `distance` tokens after a changed token, when one
    layer hands on `gain` * exp(-slope * d). A way takes k of the layers and splits the distance among them: C(layers, k) *
    C(d + k - 1, k - 1) ways of weight gain^k exp(-slope * d), added as amplitudes (in phase) or as squares (any phase)."""
    power = 1 if in_phase else 2
    ways = sum(math.comb(layers, k) * math.comb(distance + k - 1, k - 1) * gain ** (power * k) for k in range(1, layers + 1))
    return decay_weight(slope, distance) * ways ** (1 / power)
