#!/usr/bin/env python3
"""Stores what CPython's `random` and NumPy's legacy generator really draw, as the truth for tasks/text/py_random. Example:

  python3 tests/tools/make_random_vectors.py tests/data/ruler/random_streams.json

Needs numpy (any version keeps the legacy stream). The committed file was made with CPython 3.11.7 and NumPy 1.24.4.
"""

import json
import random
import string
import sys
import uuid

import numpy


def python_stream(seed):
    draw = random.Random(seed)
    row = {"seed": seed}
    row["random"] = [draw.random().hex() for _ in range(5)]
    row["getrandbits"] = [[bits, str(draw.getrandbits(bits))] for bits in (1, 7, 31, 32, 33, 63, 64, 128)]
    row["randint"] = [[low, high, draw.randint(low, high)] for low, high in ((0, 0), (1, 6), (1000000, 9999999), (0, 2**31), (-5, 5))]
    row["choice"] = [draw.choice(range(6171620)) for _ in range(5)]
    row["choices"] = ["".join(draw.choices(string.ascii_uppercase, k=k)) for k in (3, 5, 26)]
    items = list(range(25))
    draw.shuffle(items)
    row["shuffle25"] = items
    # Around the limits where CPython changes from a copied pool to a set: 21 for k <= 5, 21 + 4**n above.
    row["sample"] = [[n, k, draw.sample(range(n), k)] for n, k in ((5, 5), (21, 5), (22, 5), (85, 6), (86, 6), (40, 4), (1, 1), (277, 22), (278, 22), (100000, 40), (3, 0))]
    row["uuid"] = str(uuid.UUID(int=draw.getrandbits(128), version=4))
    for _ in range(2000):  # across several refills of the state
        draw.random()
    row["after2000"] = draw.getrandbits(32)
    return row


def numpy_stream(seed):
    numpy.random.seed(seed)
    ranges = ((10000, 99999), (0, 1), (0, 2), (0, 12), (5, 4000000000), (0, 256))
    rows = [[low, high, [int(numpy.random.randint(low, high)) for _ in range(8)]] for low, high in ranges]
    names = [str(numpy.random.choice(["a", "b", "c", "d", "e"])) for _ in range(12)]
    values = [int(numpy.random.randint(10000, 99999)) for _ in range(1000)]
    return {"seed": seed, "randint": rows, "choice5": names, "after1000": values[-1]}


def main():
    seeds = (0, 1, 42, 43, 2**32 - 1, 2**32, 2**63 + 12345)
    shuffle4 = list(range(4))
    random.Random(42).shuffle(shuffle4)
    vectors = {
        "python": [python_stream(seed) for seed in seeds],
        "numpy": [numpy_stream(seed) for seed in seeds if seed < 2**32],
        "shuffle4_seed42": shuffle4,
    }
    with open(sys.argv[1], "w", encoding="ascii") as out:
        json.dump(vectors, out)
        out.write("\n")


if __name__ == "__main__":
    main()
