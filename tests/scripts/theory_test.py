"""The formulas of docs/theory.md against simulation, closed cases and the specification's table of decays."""

import ast
import importlib
import json
import math
import random
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "analysis"))
import theory_formulas as theory  # noqa: E402


class Modules(unittest.TestCase):
    def test_what_the_plots_import_is_there(self):
        """Without matplotlib, which the tests do not need."""
        folder = Path(theory.__file__).parent
        for name in ("theory", "theory_plots"):
            for node in ast.walk(ast.parse((folder / f"{name}.py").read_text())):
                if isinstance(node, ast.ImportFrom) and (folder / f"{node.module}.py").is_file() and node.module == "theory_formulas":
                    module = importlib.import_module(node.module)
                    self.assertEqual([each.name for each in node.names if not hasattr(module, each.name)], [], f"{name} of {node.module}")

    def test_every_plot_is_there_in_both_forms(self):
        results = Path(__file__).resolve().parents[2] / "results/theory"
        for numbers in results.glob("*.json"):
            self.assertTrue(all(numbers.with_suffix(ending).is_file() for ending in (".png", ".svg")), numbers.stem)


class Rotary(unittest.TestCase):
    def test_coherence_is_the_mean_cosine_of_a_rotated_copy(self):
        self.assertEqual(theory.coherence(0, 64, 1e4), 1)
        self.assertAlmostEqual(theory.coherence(7, 2, 1e4), math.cos(7))
        random.seed(1)
        for distance in (1, 30, 5000):
            q = [random.gauss(0, 1) for _ in range(64)]
            energy = [q[i] ** 2 + q[i + 32] ** 2 for i in range(32)]
            turned = sum(e * math.cos(distance * f) for e, f in zip(energy, theory.rope_frequencies(64, 1e4)))
            self.assertLess(abs(turned / sum(energy) - theory.coherence(distance, 64, 1e4)), 0.3)

    def test_slow_pairs_are_a_part_of_all(self):
        self.assertEqual(theory.slow_coherence(99, 64, 1e4, 32), theory.coherence(99, 64, 1e4))
        self.assertAlmostEqual(theory.slow_coherence(5000, 64, 1e4, 1), math.cos(5000 * 1e4 ** (-62 / 64)))

    def test_pooling_is_the_mean_over_the_window(self):
        for distance in (0, 5, 100, 4096):
            mean = sum(theory.coherence(distance + j, 64, 1e4) for j in range(32)) / 32
            self.assertAlmostEqual(theory.pooled_coherence(distance, 64, 1e4, 32), mean)
        self.assertEqual(theory.pooling_factor(0, 32), 1)
        self.assertAlmostEqual(theory.pooling_factor(2 * math.pi / 32, 32), 0)


class Dilution(unittest.TestCase):
    def test_mass_is_a_softmax(self):
        self.assertAlmostEqual(theory.needle_mass(3, 10), math.exp(3) / (math.exp(3) + 9))
        random.seed(2)
        others = sum(math.exp(random.gauss(0, 1.5)) for _ in range(100000))
        self.assertAlmostEqual(theory.needle_mass(12, 100001, 1.5), math.exp(12) / (math.exp(12) + others), delta=0.02)

    def test_margin_and_mass_are_inverse_and_the_margin_grows_with_the_logarithm(self):
        self.assertAlmostEqual(theory.needle_mass(theory.needed_margin(0.9, 5000, 2), 5000, 2), 0.9)
        self.assertAlmostEqual(theory.needed_margin(0.5, 1e6 + 1) - theory.needed_margin(0.5, 1e3 + 1), math.log(1e3))
        self.assertAlmostEqual(theory.diluted_mass(theory.needle_mass(9, 1001), 1000, 64000), theory.needle_mass(9, 64001))


    def test_scaling_with_the_logarithm_holds_the_odds(self):
        self.assertAlmostEqual(theory.scaled_log_odds(9, 0, 1000, 1), math.log(1 / (1 / theory.needle_mass(9, 1001) - 1)))
        for keys in (2e3, 1e6):  # margin 2 ln(1000): without scaling the odds fall below 1 beyond a million keys
            factor = math.log(keys) / math.log(1e3)
            self.assertAlmostEqual(theory.scaled_log_odds(2 * math.log(1e3), 0, keys, factor), math.log(keys))


    def test_the_page_says_of_the_same_samples_what_was_measured(self):
        root = Path(__file__).resolve().parents[2]
        rows = {row["length"]: row for row in json.loads((root / "results/theory/dilution.json").read_text())["series"]["dense-tiny, ln(t + 1024) / ln(1024)"]["rows"]}
        page = " ".join((root / "docs/theory.md").read_text().split())
        (scaled, error), (plain, plain_error) = (rows[32768][name] for name in ("log_odds_change", "log_odds_change_unscaled"))
        saved, formula, before = (rows[length][name] for length, name in ((32768, "gain_change"), (32768, "gain_change_theory"), (16384, "gain_change")))
        self.assertEqual(rows[32768]["pairs"], 10)
        self.assertAlmostEqual(saved[0], scaled - plain, places=3)  # only of the same samples is it the difference
        for sentence in (f"of the same ten samples fall by {-scaled:.1f} with scaling and by {-plain:.1f} without (give or take {error:.1f} and {plain_error:.1f})",
                         f"saves {saved[0]:.1f} of it ({saved[1]:.1f}), where the formula has {formula[0]:.1f}. To 16k it saves {before[0]:.1f} ({before[1]:.1f})"):
            self.assertIn(sentence, page)


class Selection(unittest.TestCase):
    def test_quantile_inverts_the_distribution(self):
        for p in (1e-6, 0.1, 0.5, 0.999):
            self.assertAlmostEqual(theory.normal_cdf(theory.normal_quantile(p)), p)

    def test_probability_is_that_of_a_simulation(self):
        random.seed(3)
        hits = 0
        for _ in range(2000):
            needle, others = random.gauss(2, 1), [random.gauss(0, 1) for _ in range(100)]
            hits += sum(score > needle for score in others) < 10
        self.assertAlmostEqual(theory.selection_probability(2, 1, 10, 100), hits / 2000, delta=0.04)
        self.assertEqual(theory.selection_probability(-5, 1, 10, 10), 1)
        self.assertLess(theory.selection_probability(2, 1, 10, 10000), theory.selection_probability(2, 1, 10, 1000))

    def test_the_mean_of_a_window_has_less_signal_and_less_noise(self):
        random.seed(4)
        means = [sum(random.gauss(0, 1) for _ in range(32)) / 32 for _ in range(4000)]
        deviation = math.sqrt(sum(m * m for m in means) / len(means))
        self.assertAlmostEqual(theory.pooled_signal(5, 2, 32), 5 * 2 / 32 / deviation, delta=0.1)


class Decay(unittest.TestCase):
    def test_table_of_the_specification(self):  # 3.3: h = 31 and h = 3
        self.assertAlmostEqual(theory.decay_weight(1 / 256, 256), math.exp(-1))
        self.assertAlmostEqual(theory.decay_weight(0.5, 1), 0.606531, places=6)
        self.assertAlmostEqual(theory.keys_in_memory(0.5), 1 / (1 - 0.606531 ** 2), places=5)

    def test_signal_to_noise_is_that_of_random_keys(self):
        random.seed(5)
        dim, slope, distance, squares = 32, 0.25, 3, 0.0
        for _ in range(400):
            q = [random.gauss(0, 1) for _ in range(dim)]
            size = math.sqrt(sum(x * x for x in q))
            noise = 0.0
            for j in range(60):
                k = [random.gauss(0, 1) for _ in range(dim)]
                noise += math.exp(-slope * j) * sum(a * b for a, b in zip(q, k)) / size / math.sqrt(sum(x * x for x in k))
            squares += noise * noise
        measured = math.exp(-slope * distance) / math.sqrt(squares / 400)
        self.assertAlmostEqual(theory.state_signal_to_noise(slope, distance, dim) / measured, 1, delta=0.12)

    def test_horizon_is_where_signal_meets_noise(self):
        horizon = theory.readable_horizon(1 / 16, 128)
        self.assertAlmostEqual(theory.state_signal_to_noise(1 / 16, horizon, 128), 1)
        self.assertAlmostEqual(theory.keys_in_memory(1 / 256), 128.5, 2)
        for dim in (32, 128):  # the slowest head, also of the released size
            self.assertEqual(theory.readable_horizon(1 / 256, dim), 0)
        self.assertAlmostEqual(theory.state_signal_to_noise(1 / 256, 0, 128), 0.998, 3)

    def test_stacking_is_repeated_convolution(self):
        slope, gain, steps = 0.1, 0.3, 40
        stream = [1.0] + [0.0] * (steps - 1)  # each layer adds what it reads to the stream
        for layers in (1, 2, 3):
            stream = [x + gain * sum(math.exp(-slope * (d - j)) * stream[j] for j in range(d)) for d, x in enumerate(stream)]
            for d in (1, 7, steps - 1):
                ways = sum(math.comb(layers, k) * math.comb(d - 1, k - 1) * gain ** k for k in range(1, layers + 1))
                self.assertAlmostEqual(stream[d], ways * math.exp(-slope * d))  # steps of at least one token
                self.assertGreaterEqual(theory.stacked_change(slope, d, layers, gain, in_phase=True), stream[d] - 1e-12)
        self.assertAlmostEqual(theory.stacked_change(slope, 5, 1, gain), gain * math.exp(-0.5))
        self.assertAlmostEqual(theory.stacked_change(slope, 5, 8, 1e-6), math.sqrt(8) * 1e-6 * math.exp(-0.5))


if __name__ == "__main__":
    sys.exit(unittest.main())
