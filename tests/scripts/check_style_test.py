"""Every rule of scripts/check_style finds a file that breaks it, and accepts one that keeps it."""

import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "check_style"

# (rule, path, text that breaks it)
BROKEN = [
    ("layering", "sim/ops/dot/dot.cc", '#include "sala/model/config.h"\n'),
    ("layering", "sim/core/rng.cc", '#include "sim/ops/kernels.h"\n'),
    ("layering", "sim/mixers/full.cc", '#include "sim/model/weights.h"\n'),
    ("layering", "sim/mixers/full.cc", '#include "sala/model/session.h"\n'),
    ("layering", "tasks/ruler/niah.cc", '#include "sala/model/model.h"\n'),
    ("layering", "sim/model/session.cc", '#include "sala/tasks/task.h"\n'),
    ("layering", "tasks/ruler/niah.cc", '#include "eval/runner.h"\n'),
    ("layering", "eval/spec/plan.cc", '#include "eval/store/h5.h"\n'),
    ("layering", "eval/store/run_file.cc", '#include "eval/report/results.h"\n'),
    ("layering", "eval/report/report.cc", '#include "eval/run/job.h"\n'),
    ("layering", "eval/run/job.cc", '#include "eval/cli/commands.h"\n'),
    ("simd", "sim/ops/dot/dot.cc", "#include <immintrin.h>\n"),
    ("cuda", "sim/ops/dot/dot.cc", "__global__ void f();\n"),
    ("randomness", "tasks/text/words.cc", "int x = rand();\n"),
    ("randomness", "tasks/text/words.cc", "std::shuffle(a, b, c);\n"),
    ("randomness", "tasks/text/words.cc", "std::uniform_int_distribution<int> d;\n"),
    ("fast-math", "CMakeLists.txt", "add_compile_options(-f" "fast-math)\n"),
    ("omp-reduction", "sim/ops/dot/dot_cpu.cc", "#pragma omp simd reduction(+ : x)\n"),
    ("threads", "sim/ops/dot/dot_cpu.cc", "std::thread t;\n"),
    ("installed-header", "sim/include/sala/core/x.h", "#pragma once\n#include <nlohmann/json.hpp>\n"),
    ("installed-header", "tasks/include/sala/tasks/x.h", '#pragma once\n#include "tasks/text/words.h"\n'),
    ("mixer-name", "eval/spec/models.cc", 'bool x = config.uses("full-attn");\n'),
    ("mixer-fields", "sim/model/config.cc", "auto& f = config.own<SoftmaxFields>();\n"),
    ("marker", "docs/x.md", "TO" "DO: later\n"),
    ("conflict", "CHANGELOG.md", "a\n" + "<" * 7 + " ours\n"),
    ("conflict", "eval/x.cc", "int x;\n" + "=" * 7 + "\n"),
    ("conflict", "docs/x.md", ">" * 7 + " 1ea1a67 (a commit)\n"),
    ("include-guard", "eval/x.h", "int x;\n"),
    ("file-length", "eval/x.cc", "int x;\n" * 501),
    ("function-length", "eval/x.cc", "void f(int a,\n       int b) {\n" + "  g();\n" * 80 + "}\n"),
    ("last-line", "eval/x.cc", "int x;"),
    ("trailing-space", "eval/x.cc", "int x; \n"),
    ("tab", "eval/x.cc", "\tint x;\n"),
    ("results", "results/family/sala-tiny-4k/summary.json", "{}\n"),
    ("results", "results/family/run.h5", "x\n"),
    ("prose-width", "docs/x.md", "word " * 20 + "words\n"),
    ("prose-width", "README.md", "```\n" + "word " * 32 + "words\n```\n"),
    ("prose-width", "docs/x.md", "```\ncode\n```\n- " + "word " * 20 + "[one](x.md)\n"),
]

GOOD = {
    "sim/ops/dot/dot_cpu.cc": '#include <immintrin.h>\n\n#include "sala/core/tensor.h"\n#include "sim/ops/kernels.h"\n',
    "sim/ops/dot/dot_cuda.cu": "__global__ void f();\n",
    "sim/posenc/rope.cc": '#include "sala/model/config.h"\n#include "sim/ops/kernels.h"\n',
    "sim/mixers/full_attn.cc": 'const char* name = "full-attn";\nauto& f = config.own<SoftmaxFields>();\n',
    "sim/mixers/full.cc": '#include "sala/model/tap.h"\n#include "sim/posenc/posenc.h"\n',
    "eval/run/job.cc": '#include "eval/report/results.h"\n#include "eval/store/h5.h"\n',
    "eval/runner.cc": '#include "sala/model/session.h"\n#include "sala/tasks/task.h"\n',
    "tests/sim/x_test.cc": '#include "sim/model/weights.h"\n#include "tasks/text/words.h"\n',
    "docs/x.md": "# " + "head " * 30 + "end\n\n| " + "cell | " * 30 + "|\n\n```\n" + "code " * 30 + "end\n```\n" + "word " * 16 + "[link](" + "far/" * 9 + "x.md).\n",
    "eval/long.cc": "void f() {\n" + "  g();\n" * 78 + "}\n" + "void g() {\n" + "  f();\n" * 78 + "}\n",
}


def check(files, root=None, sizes=None):
    """sizes: files that are made so long (sparse)."""
    if root is None:
        with tempfile.TemporaryDirectory() as made:
            return check(files, made)
    for name, text in files.items():
        path = Path(root) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        if sizes:
            os.truncate(path, sizes[name])
    return subprocess.run([SCRIPT, "--root", root], capture_output=True, text=True)


class CheckStyle(unittest.TestCase):
    def test_each_rule_finds_what_breaks_it(self):
        for rule, path, text in BROKEN:
            with self.subTest(rule=rule, text=text[:60]):
                result = check({path: text})
                self.assertEqual(result.returncode, 1, result.stderr)
                self.assertRegex(result.stdout, rf"^{path}:\d+: {rule}: ")
                self.assertEqual(len(result.stdout.splitlines()), 1, result.stdout)

    def test_files_of_eval_that_include_each_other_are_found(self):
        result = check({"eval/spec/a.h": '#pragma once\n#include "eval/spec/b.h"\n', "eval/spec/b.cc": '#include "eval/spec/a.h"\n'})
        self.assertEqual(result.returncode, 1)
        self.assertEqual(
            result.stdout.splitlines(),
            ["eval/spec/a.h:1: circle: includes itself by way of eval/spec/b", "eval/spec/b.h:1: circle: includes itself by way of eval/spec/a"],
        )

    def test_good_files_pass(self):
        result = check(GOOD)
        self.assertEqual((result.returncode, result.stdout), (0, ""), result.stderr)

    def test_a_clone_stays_light(self):
        for files, sizes, message in (({f"docs/{i}.md": "x\n" for i in range(401)}, {}, "checkout:1: weight: 401 files that are neither sources nor test data; 400 is the limit"),
                                      ({"models/a.safetensors": "x\n"}, {"models/a.safetensors": 71 << 20}, "checkout:1: weight: 71 MB; 70 is the limit"),
                                      ({"results/a.csv": "x\n"}, {"results/a.csv": 4 << 20}, "results/a.csv:1: results: 4 MB; 3 is the limit")):
            with tempfile.TemporaryDirectory() as root:
                self.assertEqual(check(files, root, sizes).stdout.splitlines()[:1], [message])

    def test_the_repository_passes(self):
        result = subprocess.run([SCRIPT], capture_output=True, text=True)
        self.assertEqual((result.returncode, result.stdout), (0, ""), result.stderr)


if __name__ == "__main__":
    sys.exit(unittest.main())
