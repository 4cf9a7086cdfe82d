#!/usr/bin/env python3
"""RULER's upstream generators once more, in plain Python from the task specification (sections 1.2 to 1.9, appendix A), so that the C++
`upstream` mode can be compared with it byte for byte. Nothing here is shared with the C++ code. Example:

  python3 tests/tools/ruler_upstream_reference.py tests/data/ruler/upstream

Writes TASK_LENGTH.jsonl for whitespace tokens, seed 42, with the word lists of tasks/data/words and the texts beside the output folder.
Python's own `random` is the random stream; NumPy's legacy stream is the same Mersenne Twister seeded in another way.
"""

import json
import math
import random
import re
import string
import sys
import uuid
from pathlib import Path

SEED = 42
ROOT = Path(__file__).resolve().parents[2]
WORDS = {name: (ROOT / "tasks/data/words" / f"{name}.txt").read_text().split("\n") for name in ("nouns", "adjectives", "verbs")}
WORDS = {name: [word for word in words if word] for name, words in WORDS.items()}


def tokens(text):
    return len(text.split())


class Numpy:
    """numpy.random.seed(seed); numpy.random.randint(low, high)"""

    def __init__(self, seed):
        state = [seed]
        for i in range(1, 624):
            state.append((1812433253 * (state[-1] ^ (state[-1] >> 30)) + i) & 0xFFFFFFFF)
        self.core = random.Random()
        self.core.setstate((3, tuple(state) + (624,), None))

    def randint(self, low, high):
        most = high - 1 - low
        mask = (1 << most.bit_length()) - 1
        while True:
            value = self.core.getrandbits(32) & mask
            if value <= most:
                return low + value


def shuffled(items):
    items = list(items)
    random.Random(SEED).shuffle(items)
    return items


def search(generate, increment, probe, limit, reserve, beside=0, words=False):
    per_unit = tokens(generate(probe)[0]) / probe
    upper = max(int(limit // per_unit) * 2 if words else int(limit / per_unit * 3), 2 * increment)
    lower, best = increment, None
    while lower <= upper:
        middle = (lower + upper) // 2
        if tokens(generate(middle)[0]) + beside + reserve <= limit:
            best, lower = middle, middle + 1
        else:
            upper = middle - 1
    return increment if best is None else best


def samples(generate, count, increment, probe, limit, reserve, prefix, beside=0, words=False, finish=lambda text: text, indexed=False):
    one = (lambda size: generate(size, 0)) if indexed else generate
    size = search(one, increment, probe, limit, reserve, beside, words)
    for index in range(count):
        used = size
        while True:
            text, outputs = generate(used, index) if indexed else generate(used)
            text = finish(text)
            if tokens(text) + reserve <= limit:
                break
            assert used > increment, "upstream would never end"
            used -= increment
        cut = text.rfind(prefix[:10])
        yield {"index": index, "input": text[:cut], "outputs": outputs, "length": tokens(text) + reserve, "answer_prefix": text[cut:]}


# ---- niah

NIAH = (
    "Some special magic {type_needle_v} are hidden within the following text. Make sure to memorize it. I will quiz you about the {type_needle_v} afterwards.\n"
    "{context}\nWhat are all the special magic {type_needle_v} for {query} mentioned in the provided text?"
)
NIAH_PREFIX = " The special magic {type_needle_v} for {query} mentioned in the provided text are"
NEEDLE = "One of the special magic {type_needle_v} for {key} is: {value}."
NOISE = "The grass is green. The sky is blue. The sun is yellow. Here we go. There and back again."
DEPTHS = [0, 3, 5, 8, 10, 13, 15, 18, 21, 23, 26, 28, 31, 33, 36, 38, 41, 44, 46, 49, 51, 54, 56, 59, 62, 64, 67, 69, 72, 74, 77, 79, 82, 85, 87, 90, 92, 95, 97, 100]
NIAH_TASKS = {
    "niah_single_1": ("noise", "words", "numbers", 1, 1, 1),
    "niah_single_2": ("essay", "words", "numbers", 1, 1, 1),
    "niah_single_3": ("essay", "words", "uuids", 1, 1, 1),
    "niah_multikey_1": ("essay", "words", "numbers", 4, 1, 1),
    "niah_multikey_2": ("needle", "words", "numbers", 1, 1, 1),
    "niah_multikey_3": ("needle", "uuids", "uuids", 1, 1, 1),
    "niah_multivalue": ("essay", "words", "numbers", 1, 4, 1),
    "niah_multiquery": ("essay", "words", "numbers", 1, 1, 4),
}
KEYS = sorted({f"{adjective}-{noun}" for adjective in WORDS["adjectives"] for noun in WORDS["nouns"]})


def niah(task, limit, count, essay):
    haystack, key_type, value_type, num_keys, num_values, num_queries = NIAH_TASKS[task]
    num_keys = max(num_keys, num_queries)
    essay_words = re.sub(r"\s+", " ", essay).split(" ")
    draw = random.Random(SEED)

    def value_of(kind):
        if kind == "numbers":
            return str(draw.randint(1000000, 9999999))
        if kind == "words":
            return draw.choice(KEYS)
        return str(uuid.UUID(int=draw.getrandbits(128), version=4))

    def generate(size):
        keys, values, needles = [], [], []
        for _ in range(num_keys):
            keys.append(value_of(key_type))
            values.append([])
            for _ in range(num_values):
                values[-1].append(value_of(value_type))
                needles.append(NEEDLE.format(type_needle_v=value_type, key=keys[-1], value=values[-1][-1]))
        needles = shuffled(needles)
        if haystack == "essay":
            repeated = essay_words * (size // len(essay_words) + 1)
            # the rule splitter for text without abbreviations
            sentences = re.split(r"(?<=[.!?]) (?=[A-Z0-9\"'])", " ".join(repeated[:size]).strip())
            places = sorted(int(len(sentences) * (depth / 100)) for depth in draw.sample(DEPTHS, len(needles)))
            parts = []
            for first, last, needle in zip([0] + places, places + [len(sentences)], needles + [None]):
                parts.append(" ".join(sentences[first:last]))
                if needle is not None:
                    parts.append(needle)
            context = " ".join(parts)
        else:
            if haystack == "noise":
                lines = [NOISE] * size
            else:
                lines = []
                for _ in range(size):
                    key = value_of(key_type)
                    lines.append(NEEDLE.format(type_needle_v=value_type, key=key, value=value_of(value_type)))
            places = sorted(draw.sample(range(size), len(needles)), reverse=True)
            for place, needle in zip(places, needles):
                lines.insert(place, needle)
            context = "\n".join(lines)
        asked = draw.sample(range(num_keys), num_queries)
        names = [keys[i] for i in asked]
        query = names[0] if len(names) == 1 else ", ".join(names[:-1]) + ", and " + names[-1]
        template, kind = NIAH + NIAH_PREFIX, value_type
        if num_queries * num_values == 1:
            for old, new in (("Some", "A"), ("are all", "is"), ("are", "is"), ("answers", "answer")):
                template = template.replace(old, new)
            kind = kind[:-1]
        return template.format(type_needle_v=kind, context=context, query=query), [value for i in asked for value in values[i]]

    increment = 500 if haystack == "essay" else 5 if limit < 4096 else 25
    return samples(generate, count, increment, increment, limit, 128, NIAH_PREFIX)


# ---- vt

VT = "Memorize and track the chain(s) of variable assignment hidden in the following text.\n\n{context}\nQuestion: Find all variables that are assigned the value {query} in the text above."
VT_PREFIX = " Answer: According to the chain(s) of variable assignment in the text above, {num_v} variables are assigned the value {query}, they are: "


def vt(limit, count):
    draw, numpy = random.Random(SEED), Numpy(SEED)

    def generate(size, letters=5):
        names = ["".join(draw.choices(string.ascii_uppercase, k=letters)) for _ in range(5)]
        assert len(set(names)) == 5
        value = "12345" if letters == 3 else str(numpy.randint(10000, 99999))
        chain = [f"VAR {names[0]} = {value}"] + [f"VAR {names[i + 1]} = VAR {names[i]} " for i in range(4)]
        lines = [NOISE] * size
        for j, place in enumerate(sorted(draw.sample(range(size), 5))):
            lines.insert(place + j, chain[j])
        context = "\n".join(lines).replace(". \n", ".\n")
        return (VT + VT_PREFIX).format(context=context, query=value, num_v=5), names

    made = next(samples(lambda size: generate(size, 3), 1, 5, 5, 500, 0, VT_PREFIX))
    example = made["input"] + made["answer_prefix"] + " " + " ".join(made["outputs"]) + "\n"

    def finish(text):
        fresh = example
        for old in example.split()[-5:]:
            fresh = fresh.replace(old, "".join(draw.choices(string.ascii_uppercase, k=len(old))))
        fresh = fresh.replace("12345", str(numpy.randint(10000, 99999)))
        cut = text.index(VT[:20])
        return text[:cut] + fresh + "\n" + text[cut:]

    increment = 5 if limit < 4096 else 10
    return samples(generate, count, increment, increment, limit, 30, VT_PREFIX, beside=tokens(example), finish=finish)


# ---- cwe

CWE = (
    "Below is a numbered list of words. In these words, some appear more often than others. Memorize the ones that appear most often.\n"
    "{context}\nQuestion: What are the 10 most common words in the above list?"
)
CWE_PREFIX = " Answer: The top 10 words that appear most often in the list are:"


def cwe(limit, count, lexicon=None, english=()):
    draw = random.Random(SEED)
    lexicon = shuffled(sorted(set(lexicon or WORDS["nouns"] + WORDS["adjectives"] + WORDS["verbs"])))

    def numbered(words):
        return " ".join(f"{i}. {word}" for i, word in enumerate(words, 1))

    def part(size, common, uncommon):
        words = draw.sample(lexicon if size <= len(lexicon) else list(english), size)
        return numbered(shuffled(words[:10] * common + words[10:] * uncommon)), words[:10]

    def generate(size):
        small = limit < 4096
        shown, shown_answers = part(*((20, 3, 1) if small else (40, 10, 3)))
        context, answers = part(size, *((6, 1) if small else (30, 3)))
        example = (CWE + CWE_PREFIX).format(context=shown) + " " + numbered(shown_answers)
        return example + "\n" + (CWE + CWE_PREFIX).format(context=context), answers

    return samples(generate, count, 10, 4096, limit, 120, CWE_PREFIX, words=True)


# ---- fwe

FWE = (
    "Read the following coded text and track the frequency of each coded word. Find the three most frequently appeared coded words. {context}\n"
    "Question: Do not provide any explanation. Please ignore the dots '....'. What are the three most frequently appeared words in the above coded text?"
)
FWE_PREFIX = " Answer: According to the coded text above, the three most frequently appeared words are:"


def fwe(length, count):
    draw = random.Random(SEED)
    limit = length - 50
    step = limit // 32

    def vocabulary():
        words = ["".join(draw.choices(string.ascii_lowercase, k=6)) for _ in range(limit // 50)]
        while len(set(words)) < limit // 50:
            words.append("".join(draw.choices(string.ascii_lowercase, k=6)))
        return ["..."] + shuffled(sorted(set(words)))[1:]

    def text(words, n):
        coded = []
        for rank, word in enumerate(words, 1):
            coded += [word] * int(n * rank**-2.0 / (math.pi**2 / 6))
        return (FWE + FWE_PREFIX).format(context=" ".join(shuffled(coded)))

    words, n = vocabulary(), limit // 6
    while tokens(text(words, n)) < limit:
        n += step
    n -= step
    for index in range(count):
        words, used = vocabulary(), n
        while tokens(text(words, used)) > limit:
            used -= step
        prompt = text(words, used)
        cut = prompt.rfind(FWE_PREFIX[:10])
        yield {"index": index, "input": prompt[:cut], "outputs": words[1:4], "length": tokens(prompt) + 50, "answer_prefix": prompt[cut:]}


# ---- qa

QA_TASK = "Answer the question based on the given documents. Only give me the answer and do not output any other words.\n\n"
QA = QA_TASK + "The following are given documents.\n\n{context}\n\n" + QA_TASK + "Question: {query}"
QA_PREFIX = " Answer:"


def read_squad(path):
    articles = json.loads(path.read_text())["data"]
    documents = sorted({paragraph["context"] for article in articles for paragraph in article["paragraphs"]})
    questions = []
    for article in articles:
        for paragraph in article["paragraphs"]:
            gold = [documents.index(paragraph["context"])]
            more = [documents.index(other["context"]) for other in article["paragraphs"] if other["context"] != paragraph["context"]]
            for entry in paragraph["qas"]:
                if not entry["is_impossible"]:
                    questions.append((entry["question"], [answer["text"] for answer in entry["answers"]], gold, more))
    return documents, questions


def read_hotpotqa(path):
    entries = json.loads(path.read_text())
    text = lambda title, sentences: title + "\n" + "".join(sentences)
    documents = sorted({text(*pair) for entry in entries for pair in entry["context"]})
    return documents, [(entry["question"], [entry["answer"]], [documents.index(text(*pair)) for pair in entry["context"]], []) for entry in entries]


def qa(limit, count, documents, questions):
    draw = random.Random(SEED)

    def generate(size, index):
        query, answers, gold, more = questions[index]
        if size >= len(documents):
            chosen = (documents * (size // len(documents) + 1))[:size]
        else:
            if size - len(gold) <= len(more):
                ids = gold + draw.sample(more, size - len(gold))
            else:
                others = [i for i in range(len(documents)) if i not in gold + more]
                ids = gold + more + draw.sample(others, max(0, size - len(gold) - len(more)))
            chosen = [documents[i] for i in ids]
        context = "\n\n".join(f"Document {i}:\n{document}" for i, document in enumerate(shuffled(chosen), 1))
        return (QA + QA_PREFIX).format(context=context, query=query), answers

    return samples(generate, count, 10, 10, limit, 32, QA_PREFIX, indexed=True)


def main():
    out = Path(sys.argv[1])
    texts = out.parent
    essay = (texts / "essay.txt").read_text()
    lists = json.loads((texts / "short_lists.json").read_text())
    runs = []
    for length, count in ((1024, 3), (4096, 2)):
        runs += [(task, length, niah(task, length, count, essay)) for task in ("niah_single_1", "niah_single_2", "niah_multikey_2", "niah_multikey_3")]
        runs += [(task, length, niah(task, length, 1, essay)) for task in ("niah_single_3", "niah_multikey_1", "niah_multivalue", "niah_multiquery")]
        runs += [("vt", length, vt(length, count)), ("cwe", length, cwe(length, count)), ("fwe", length, fwe(length, count))]
    runs.append(("cwe_long_list", 4096, cwe(4096, 2, lists["lexicon"], [f"{lists['stem']}{i}" for i in range(lists["english"])])))
    runs += [("qa_1", length, qa(length, 3, *read_squad(texts / "squad.json"))) for length in (512, 1024)]
    runs.append(("qa_2", 1024, qa(1024, 2, *read_hotpotqa(texts / "hotpotqa.json"))))
    out.mkdir(parents=True, exist_ok=True)
    for task, length, rows in runs:
        with open(out / f"{task}_{length}.jsonl", "w", encoding="ascii") as file:
            file.writelines(json.dumps(row) + "\n" for row in rows)


if __name__ == "__main__":
    main()
