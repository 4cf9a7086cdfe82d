"""The PyTorch definition and its trainer. Skipped where PyTorch is not installed: nothing else in the project needs it."""

import json
import struct
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "train"))
try:
    import numpy as np
    import torch
    from safetensors.torch import load_file, save_file
except ImportError as missing:
    print(f"skipped: {missing}")
    sys.exit(77)  # ctest: SKIP_RETURN_CODE
from sala_train import attention, conversion  # noqa: E402
from sala_train.config import ModelConfig, SparseConfig  # noqa: E402
from sala_train.model import SalaForCausalLM  # noqa: E402
from sala_train.optim import Optimizers, orthogonalise  # noqa: E402
from sala_train.recipe import Recipe, Stage  # noqa: E402
from sala_train.selection import selection_loss  # noqa: E402
from sala_train.validation import score_file  # noqa: E402

torch.set_num_threads(1)
SPARSE = SparseConfig(kernel_size=32, kernel_stride=16, block_size=64, init_blocks=1, window_size=128, topk=3, dense_len=0)


def draw(*shape):
    return torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(len(shape) + shape[-1]))


def write_rows(path, rows, seed=7):
    """rows: list of (ids, mask); the packed format of docs/file_formats.md."""
    ids, mask = np.array([r[0] for r in rows], "<u2"), np.array([r[1] for r in rows], np.uint8)
    header = struct.pack("<8sIIQQ16s", b"SALATOK1", 1, ids.shape[1], len(ids), seed, b"0123456789abcdef")
    path.write_bytes(header + ids.tobytes() + mask.tobytes())


def toy(**changes):
    """A model that fits in a second."""
    raw = json.loads((ROOT / "train/recipes/toy_config.json").read_text())
    raw.update(vocab_size=64, hidden_size=32, intermediate_size=32, head_dim=16, lightning_head_dim=8, dim_model_base=32)
    return {**raw, **changes}


class Attention(unittest.TestCase):
    def test_in_pieces_equals_masked(self):
        q, k, v = draw(2, 500, 4, 8), draw(2, 500, 2, 8) * 2, draw(2, 500, 2, 9)
        chosen = attention.select_blocks(attention.block_scores(q, k, SPARSE, 0.3), SPARSE)
        self.assertLess(int(chosen[0, 0, -1].sum()), 8)  # selection binds
        masked = attention.causal_attention(q, k, v, 0.3, chosen, SPARSE.block_size)
        pieces = attention.sparse_attention_in_pieces(q, k, v, SPARSE, 0.3, piece=130)
        self.assertLess(float((masked - pieces).abs().max()), 1e-6)

    def test_chunked_equals_recurrent(self):
        q, k, v = draw(1, 70, 3, 4), draw(1, 70, 3, 5)[..., :4], draw(1, 70, 3, 6)
        slopes = torch.tensor([0.0, 0.01, 0.7], dtype=torch.float64)
        one = attention.lightning_recurrent(q, k, v, slopes, 0.5)
        self.assertLess(float((one - attention.lightning_chunked(q, k, v, slopes, 0.5, chunk=16)).abs().max()), 1e-12)


class SelectionLoss(unittest.TestCase):
    def one(self, q, k, t, row, g):
        """The definition for one query of KV head g, written out with loops."""
        blocks, windows = -(-k.shape[1] // 64), (k.shape[1] - 32) // 16 + 1
        dense = torch.softmax(q[row, t, g] @ k[row, : t + 1, g].T * 0.3, -1)
        score = {}
        for other in range(len(k)):
            seen = [j for j in range(windows) if other != row or 16 * j + 31 <= t]
            pooled = {j: float(q[row, t, g] @ k[other, 16 * j : 16 * j + 32, g].mean(0)) * 0.3 for j in seen}
            for b in range(blocks):
                over = [pooled[j] for j in range(4 * b - 1, 4 * b + 4) if j in pooled]
                if over and (other != row or 1 <= b < t // 64 - 2):
                    score[other, b] = max(over)
        total = np.log(sum(np.exp(np.array(list(score.values())) / 2)))
        return -sum(float(dense[64 * b : 64 * b + 64].sum()) * (s / 2 - total) for (r, b), s in score.items() if r == row)

    def test_equals_its_definition(self):
        q, k = draw(2, 450, 2, 8), draw(2, 450, 2, 8).flip(1) * 1.5  # one query head a KV head
        at = torch.tensor([[449, 300, 10], [200, 448, 256]])
        expected = np.mean([self.one(q, k, int(at[row, m]), row, g) for row in range(2) for m in range(3) for g in range(2)])
        self.assertAlmostEqual(float(selection_loss(q, k, at, SPARSE, 0.3, temperature=2.0)), expected, places=5)

    def test_gradient_reaches_unselected_keys(self):
        q, k = draw(1, 640, 2, 8), draw(1, 640, 2, 8).clone().requires_grad_()
        selection_loss(q, k, torch.tensor([[639]]), SPARSE, 0.3).backward()
        self.assertTrue(bool((k.grad[0, 64:448].abs().sum(-1) > 0).all()))


class Trainer(unittest.TestCase):
    """A model that fits in a second, on rows whose answer repeats what stands before it."""

    def setUp(self):
        self.folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
        (self.folder / "config.json").write_text(json.dumps(toy()))
        (self.folder / "recipe.toml").write_text(
            "seed = 3\nlr = 0.01\nwarmup = 5\nloss_share = 0.25\nselection_loss = 0.1\n[mix]\ncopy = [1, 24]\n[[stages]]\nlengths = [24, 48]\ntokens = 192\nsteps = 40\n"
            "[[stages]]\nlengths = [512]\ntokens = 1024\nsteps = 2\ntopk = 3\n")
        recipe, rng = Recipe.load(self.folder / "recipe.toml"), np.random.default_rng(1)
        for index, stage in enumerate(recipe.stages):
            for length in set(stage.lengths):
                rows = []
                for _ in range(stage.rows(length)):
                    value = int(rng.integers(40, 60))
                    rows.append(([1] * (length - 4) + [value, 5, value, 2], [0] * (length - 2) + [1, 1]))
                write_rows(self.folder / f"stage{index}_{length}.tok", rows, recipe.data_seed + index)
        write_rows(self.folder / "valid_copy_24.tok", rows=[([1] * 20 + [v, 5, v, 2], [0] * 22 + [1, 1]) for v in range(40, 60)])

    def train(self, out, *options):
        command = [sys.executable, ROOT / "train/train.py", "--config", self.folder / "config.json", "--recipe", self.folder / "recipe.toml",
                   "--data", self.folder, "--out", self.folder / out, "--device", "cpu", "--log-every", "1", *options]
        return subprocess.run(command, check=False, capture_output=True, text=True, env={"OMP_NUM_THREADS": "1"})

    def test_learns_and_exports(self):
        done = self.train("whole")
        self.assertEqual(done.returncode, 0, done.stderr)
        record = json.loads((self.folder / "whole/training.json").read_text())
        losses = [row["loss"] for row in record["loss_curve"]]
        self.assertLess(np.mean(losses[30:40]), 0.7 * np.mean(losses[:5]))
        self.assertEqual((record["steps"], record["finished"], record["tokens"]), (42, True, 40 * 192 + 2 * 1024))
        weights = load_file(self.folder / "whole/model.safetensors")
        self.assertTrue(all(w.dtype == torch.bfloat16 for w in weights.values()))
        model = SalaForCausalLM(ModelConfig.load(self.folder / "whole/config.json"))
        model.load_state_dict({k: w.float() for k, w in weights.items()})
        self.assertEqual(score_file(model, self.folder / "valid_copy_24.tok", torch.device("cpu")), record["validation"]["copy_24"])

    def validate(self, *members):
        return subprocess.run([sys.executable, ROOT / "train/validate.py", *members, "--data", self.folder, "--device", "cpu"], check=False, capture_output=True, text=True)

    def test_weights_are_validated_as_after_training(self):
        self.assertEqual(self.train("whole").returncode, 0)
        done = self.validate(self.folder / "whole")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(json.loads(done.stdout), {"whole": json.loads((self.folder / "whole/training.json").read_text())["validation"]})
        self.assertIn("error [usage]", self.validate(self.folder / "nothing").stderr)
        (self.folder / "valid_copy.tok").write_bytes(b"")
        self.assertIn("valid_copy.tok: the name says no length", self.validate(self.folder / "whole").stderr)
        for path in self.folder.glob("valid_*.tok"):
            path.unlink()
        self.assertIn("has no file valid_NAME_LENGTH.tok", self.validate(self.folder / "whole").stderr)

    def test_goes_on_where_it_stopped(self):
        recipe = self.folder / "recipe.toml"
        recipe.write_text('optimizer = "muon"\n' + recipe.read_text())
        self.assertEqual(self.train("cut", "--steps", "25").returncode, 0)
        stopped = json.loads((self.folder / "cut/training.json").read_text())
        self.assertEqual((stopped["steps"], stopped["finished"]), (25, False))
        self.assertEqual(self.train("cut").returncode, 0)
        record = json.loads((self.folder / "cut/training.json").read_text())
        self.assertEqual([row["step"] for row in record["loss_curve"]], list(range(1, 43)))
        self.assertEqual(record["loss_curve"][:25], stopped["loss_curve"])
        (self.folder / "recipe.toml").write_text((self.folder / "recipe.toml").read_text().replace("0.01", "0.02"))
        refused = self.train("cut")
        self.assertNotEqual(refused.returncode, 0)
        self.assertIn("another config or recipe", refused.stderr)


    def test_bad_input_is_one_sentence_and_writes_nothing(self):
        def refused(sentence, *options):
            done = self.train("refused", *options)
            self.assertEqual(done.returncode, 1)
            self.assertRegex(done.stderr, f"^train: error \\[config\\] .*{sentence}.*\\n$")
            self.assertFalse((self.folder / "refused").exists())

        config, good = self.folder / "config.json", toy()
        for changes, sentence in (({"num_key_value_heads": 3}, "2 attention heads do not divide into 3"), ({"head_dim": 15}, "head_dim 15 is odd"),
                                  ({"mixer_types": ["lightning-attn"]}, "1 mixer_types for 3 layers"), ({"mixer_types": ["mamba"] * 3}, "mixer type 'mamba'"),
                                  ({"sparse_config": {**good["sparse_config"], "topk": 1}}, "selects 3 blocks, of which 4 are always read"),
                                  ({"sparse_config": {**good["sparse_config"], "window_size": 40}}, "window_size 40 is no multiple"),
                                  ({"num_attention_heads": 0}, "num_attention_heads is 0, expected at least 1"),
                                  ({"sala_lab": {**good["sala_lab"], "select_per": "block"}}, "select_per is 'block'"),
                                  ({"vocab_size": 50}, "has token 5[0-9], the model a vocabulary of 50")):
            config.write_text(json.dumps(toy(**changes)))
            refused(sentence)
        config.write_text(json.dumps(good))
        weights = self.folder / "other.safetensors"
        weights.write_bytes(b"no weights")
        refused("no safetensors file", "--init", weights)
        save_file({"a": torch.zeros(1)}, weights)
        refused("does not fit the config", "--init", weights)
        rows = self.folder / "stage1_512.tok"
        raw = rows.read_bytes()
        rows.write_bytes(raw[:32] + b"f" * 16 + raw[48:])
        refused("was made with tokenizer ffff")
        rows.write_bytes(raw[:24] + (77).to_bytes(8, "little") + raw[32:])
        refused("from seed 77; the recipe has 4 of 512 from 1001")
        rows.unlink()
        refused("stage1_512.tok is missing")
        rows.write_bytes(raw)
        recipe, text = self.folder / "recipe.toml", (self.folder / "recipe.toml").read_text()
        for old, new, sentence in (("topk = 3", "topk = 1", "topk 1 selects 3 blocks, of which 4"), ("topk = 3", "top = 3", "unknown field 'top' of a stage"),
                                   ("loss_share = 0.25", "loss_share = 1.0", "loss_share 1.0 is not between")):
            recipe.write_text(text.replace(old, new))
            refused(sentence)
        recipe.write_text(text)
        refused("--device no-such is not to be had here", "--device", "no-such")

    def test_a_checkpoint_of_something_else_is_refused(self):
        self.assertEqual(self.train("cut", "--steps", "1").returncode, 0)
        saved = torch.load(self.folder / "cut/checkpoint.pt", weights_only=True)
        for change, sentence in (({"version": 0}, "has version 0"), ({"tokenizer_hash": "f" * 16}, "another tokenizer"), ({"init_sha256": "0"}, "another --init")):
            torch.save({**saved, **change}, self.folder / "cut/checkpoint.pt")
            self.assertIn(sentence, self.train("cut").stderr)

    def test_says_how_long_a_cpu_takes(self):
        self.assertRegex(self.train("whole", "--steps", "2").stdout, "no GPU; a step takes [0-9.]+ s, the rest of the recipe at least [0-9]+ minutes")


class Optimisers(unittest.TestCase):
    def test_orthogonalise(self):
        for shape in ((3, 24, 40), (2, 40, 24)):
            values = torch.linalg.svdvals(orthogonalise(draw(*shape)))
            self.assertGreater(float(values.min()), 0.5)  # the quintic's fixed band
            self.assertLess(float(values.max()), 1.3)

    def test_muon_moves_matrices_and_adamw_the_rest(self):
        model = SalaForCausalLM(ModelConfig(toy()))
        before = {n: p.detach().clone() for n, p in model.named_parameters()}
        optimizers = Optimizers(model, Recipe(stages=[], mix={}, optimizer="muon", matrix_lr=2.0, weight_decay=0.0), torch.device("cpu"))
        optimizers.set_lr(0.01)
        for p in model.parameters():
            p.grad = torch.randn(p.shape, generator=torch.Generator().manual_seed(1))
        optimizers.step()
        for name, p in model.named_parameters():
            step = (p.detach() - before[name]).square().mean().sqrt().item()
            muon = p.dim() > 1 and ".layers." in name
            self.assertAlmostEqual(step / 0.01, 0.2 * 2.0 if muon else 1.0, delta=0.12 if muon else 0.01, msg=name)
        again = Optimizers(model, Recipe(stages=[], mix={}, optimizer="muon"), torch.device("cpu"))
        again.load_state_dict(optimizers.state_dict())
        again.set_lr(0.5)
        self.assertEqual({float(group["lr"]) for each in again.all for group in each.param_groups}, {0.5})


class Conversion(unittest.TestCase):
    def setUp(self):
        torch.manual_seed(4)
        raw = toy(mixer_types=["full-attn"] * 3, num_hidden_layers=3, num_attention_heads=4, num_key_value_heads=2, head_dim=8, attn_use_rope=False,
                  attn_use_output_gate=False)
        raw["sala_lab"]["attn_qk_norm"] = True
        self.raw, self.teacher = raw, SalaForCausalLM(ModelConfig(raw)).double()
        self.ids = torch.randint(0, 64, (2, 48))

    def test_a_student_that_keeps_every_layer_is_the_teacher(self):
        student = conversion.hybrid_from(self.teacher, [], ModelConfig(conversion.hybrid_config(self.raw, [0, 1, 2], ""))).double()
        student.load_state_dict(conversion.hybrid_from(self.teacher, [], student.cfg).state_dict())
        self.assertLess(float((student(self.ids) - self.teacher(self.ids)).detach().abs().max()), 1e-6)

    def test_key_value_heads_are_repeated_for_their_query_heads(self):
        cfg = ModelConfig(conversion.hybrid_config(self.raw, [], ""))
        attention = self.teacher.model.layers[1].self_attn
        mixer = conversion.lightning_from(attention, cfg, 1).double()
        x = draw(1, 5, self.raw["hidden_size"])
        keys, wanted = mixer.k_proj(x).view(5, 4, 8), attention.k_proj(x).view(5, 2, 8)
        for head in range(4):
            self.assertLess(float((keys[:, head] - wanted[:, head // 2]).detach().abs().max()), 1e-6)

    def test_alignment_and_distillation_bring_the_student_nearer(self):
        teacher = self.teacher.float().requires_grad_(False)
        cfg = ModelConfig(conversion.hybrid_config(self.raw, [], ""))
        mixers = torch.nn.ModuleList(conversion.lightning_from(layer.self_attn, cfg, i) for i, layer in enumerate(teacher.model.layers))
        rows = self.ids.repeat(4, 1), torch.ones(8, 48)
        recipe = Recipe(stages=[Stage([48], 40, 96)], mix={}, lr=0.01, warmup=2, question_loss=0.3)
        losses = [out for _, out in conversion.optimise(mixers, lambda ids, _: conversion.alignment_losses(teacher, mixers, ids), recipe, rows)]
        self.assertTrue(bool((losses[-1] < 0.6 * losses[0]).all()), losses[-1] / losses[0])
        student = conversion.hybrid_from(teacher, list(mixers), ModelConfig(conversion.hybrid_config(self.raw, [0], "")))
        self.assertTrue(torch.equal(student.model.layers[1].self_attn.q_proj.weight, mixers[1].q_proj.weight))
        loss = lambda ids, mask: conversion.distillation_loss(teacher, student, ids, mask, recipe)  # noqa: E731
        losses = [float(out) for _, out in conversion.optimise(student, loss, recipe, rows)]
        self.assertLess(losses[-1], 0.8 * losses[0])
        self.assertAlmostEqual(float(conversion.distillation_loss(teacher, teacher, self.ids, rows[1][:2], recipe)), 0.0, places=6)


    def test_the_command_refuses_before_any_work(self):
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "recipe.toml").write_text("[mix]\na = [1, 8]\n[[stages]]\nlengths = [8]\nsteps = 1\n[[stages]]\nlengths = [8]\nsteps = 1\n")

            def refused(teacher, *options):
                done = subprocess.run([sys.executable, ROOT / "train/convert.py", "--teacher", teacher, "--recipe", Path(folder) / "recipe.toml", "--data", folder,
                                       "--out", Path(folder) / "out", "--device", "cpu", *options], check=False, capture_output=True, text=True)
                self.assertEqual((done.returncode, done.stderr.count("\n"), (Path(folder) / "out").exists()), (1, 1, False), done.stderr)
                return done.stderr

            self.assertIn("needs layers of full-attn only", refused(ROOT / "models/sala-tiny"))
            self.assertIn("Lightning heads of 32 cannot take over attention heads of 64", refused(ROOT / "models/full-tiny"))
            (Path(folder) / "config.json").write_text(json.dumps({**self.raw, "lightning_head_dim": 8}))
            self.assertIn("--keep 1: from 2", refused(folder, "--keep", "1"))
            self.assertIn("stage0_8.tok is missing", refused(folder))


class Recipes(unittest.TestCase):
    def test_rows_and_tokens(self):
        recipe = Recipe.load(ROOT / "train/recipes/tasks.toml")
        total = sum(stage.rows(length) * length for stage in recipe.stages for length in set(stage.lengths))
        self.assertEqual(total, recipe.tokens_at(recipe.total_steps))

    def load(self, **files):
        """The recipe `last`, from files of these texts."""
        with tempfile.TemporaryDirectory() as folder:
            for name, text in files.items():
                (Path(folder) / f"{name}.toml").write_text(text)
            return Recipe.load(Path(folder) / "last.toml")

    def test_a_base_may_have_a_base(self):
        first = "lr = 0.5\nwarmup = 7\n[mix]\nvt = [1, 16]\n[[stages]]\nlengths = [16]\nsteps = 3\n"
        recipe = self.load(first=first, second='base = "first.toml"\nlr = 0.25\nclip = 2.0\n', last='base = "second.toml"\nclip = 3.0\n')
        self.assertEqual((recipe.lr, recipe.warmup, recipe.clip, recipe.total_steps), (0.25, 7, 3.0, 3))

    def test_what_is_no_recipe_is_refused_with_one_sentence(self):
        whole = "[mix]\nvt = [1, 16]\n[[stages]]\nlengths = [16]\nsteps = 3\n"
        for text, why in (('base = "other.toml"\n', "base 'last.toml' is its own base"), ("base = 3\n", "base 3 is no name of a file"), ("lr = \n", r"last\.toml: Invalid value"),
                          (whole.replace("steps = 3", ""), "a stage needs lengths and steps"), (whole.replace("[16]\nsteps", "[8]\nsteps"), "no task of the mix has rows as short as 8"),
                          (whole + "[validation]\nlengths = [16]\n", "as many rows as lengths")):
            with self.assertRaisesRegex(ValueError, why):
                self.load(last=text, other='base = "last.toml"\n')

    def test_members_say_how_they_were_trained(self):
        for name in ("sala-tiny", "full-tiny", "linear-tiny"):
            record = json.loads((ROOT / "models" / name / "training.json").read_text())
            self.assertTrue(record["finished"], name)
            self.assertLessEqual((ROOT / "models" / name / "model.safetensors").stat().st_size, 12_000_000, name)


if __name__ == "__main__":
    unittest.main()
