#!/usr/bin/env python3
"""Makes tests/data/tokenizers: small tokenizer.json files and what the reference implementation (Python package `tokenizers`)
makes of a corpus with every script, emoji, digits and runs of white space.

  pip install tokenizers==0.23.3 && tests/tools/make_tokenizers.py

expected_<name>.jsonl: one line a text: {"text", "ids", "offsets" (bytes in text where each id begins), "decoded"}.
families/<name>.json: the constructions of published tokenizers, and made-up ones for what those do not use, with few pieces.
families/texts.json: the texts; families/expected_<name>.json: {"ids": of each text, "decoded": of each, null where it is the
text, "broken": [ids, decoded] of ids in no order}.
patterns.json: {"texts", "patterns": [[pattern, bytes of each piece that it cuts each text into]]}.
"""

import json
import random
import sys
import unicodedata
from pathlib import Path

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

OUT = Path(__file__).parent.parent / "data" / "tokenizers"
QWEN = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")

LINES = """
The quick brown fox jumps over the lazy dog. It's what we'll do, they'RE here, I'd say; don't you've I'M?
One of the special magic numbers for quiet-harbour is: 4827105. One of the special magic uuids is: 7f3c1a52-09be-4d1c-8a77-5e0d3bb2c9f1.
Straße, naïve café, Ærøskøbing, smörgåsbord, İstanbul, ŒUVRE, ﬁne ligature, Zażółć gęślą jaźń
Съешь же ещё этих мягких французских булок, да выпей чаю. Її єдність
Ξεσκεπάζω την ψυχοφθόρα βδελυγμία. Ἄνδρα μοι ἔννεπε
الخط العربي جميل ١٢٣٤٥ והעברית נכתבת מימין לשמאל
हिन्दी में लिखा हुआ वाक्य और संख्या १२३४ বাংলা ভাষা தமிழ் மொழி తెలుగు ಕನ್ನಡ മലയാളം ગુજરાતી ਪੰਜਾਬੀ
ภาษาไทยไม่มีวรรค ພາສາລາວ မြန်မာဘာသာ ភាសាខ្មែរ བོད་སྐད
我能吞下玻璃而不伤身体。春江潮水連海平，海上明月共潮生。
いろはにほへと ちりぬるを カタカナ ｶﾀｶﾅ がぎぐ
키스의 고유조건은 입술끼리 만나야 하고 특별한 기술은 필요치 않다. 각
ქართული ენა հայերեն አማርኛ ᏣᎳᎩ ᐃᓄᒃᑎᑐᑦ ᠮᠣᠩᠭᠣᠯ ⵜⴰⵎⴰⵣⵉⵖⵜ
👩‍👩‍👧‍👦 family 🇩🇪🇯🇵 flags 👍🏽 thumbs 🏴󠁧󠁢󠁥󠁮󠁧󠁿 ❤️ ☃ ✈︎ 🤷🏻‍♀️
0 12 345 6789 01234567890 3.14159 1e-9 ½ ² ₃ Ⅳ ٣ ४ 五 ①②③
tabs\there\t\ttwo  double   triple    four     five\u00a0nbsp\u3000ideographic\u2003em
int main(int argc, char** argv) { return a[i] != b->c ? 0x1F : ~1; } // comment
$x = "quotes" && 'single' || `tick` ; # %20 @user #tag https://example.org/path?q=1&r=2
e\u0301a\u0300o\u0308 decomposed, n\u0303 \u1112\u1161\u11ab\u1100\u1173\u11af jamo, \u212b angstrom, \u2126 ohm, \ufb01 fi
zero\u200bwidth\u200djoiner\ufeffbom \u0000 nul \u0001 control \u007f del \u0085 next line \u2028 sep
""".strip().split("\n")


def texts() -> list[str]:
    fixed = list(LINES)
    fixed += ["", " ", "  ", "\n", "\n\n", " \n \n", "\r\n", "a\r\nb\rc\n", "  leading", "trailing  ", "\n\n leading lines", "x\n\n\n  y", " \t ",
              "<|im_start|>user\nhello<|im_end|>\n", "a<|im_end|> b", "<unk><s></s>", "▁visible▁space", "a ▁ b", "<0x41>"]
    rng = random.Random(20260211)
    assigned = [chr(c) for c in range(0x110000) if unicodedata.category(chr(c)) not in ("Cs", "Cn", "Co")]
    for _ in range(150):
        kind = rng.random()
        if kind < 0.4:
            fixed.append("".join(rng.choice(assigned) for _ in range(rng.randint(1, 40))))
        elif kind < 0.7:
            fixed.append("".join(rng.choice(" \n\t'abcdTRES109.,-é漢😀") for _ in range(rng.randint(1, 60))))
        else:
            words = [w for line in LINES[:12] for w in line.split()]
            fixed.append("".join(rng.choice(words) + rng.choice([" ", "  ", "\n", " \n", ""]) for _ in range(rng.randint(1, 25))))
    return fixed


def byte_level() -> Tokenizer:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(QWEN), "isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(vocab_size=700, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False)
    tokenizer.train_from_iterator(texts() * 2, trainer)
    tokenizer.add_special_tokens([AddedToken("<|endoftext|>", special=True), AddedToken("<|im_start|>", special=True), AddedToken("<|im_end|>", special=True)])
    return tokenizer


def llama() -> Tokenizer:
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    tokenizer.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)])
    trainer = trainers.BpeTrainer(vocab_size=900, limit_alphabet=120, special_tokens=["<unk>", "<s>", "</s>"] + [f"<0x{b:02X}>" for b in range(256)], show_progress=False)
    split = pre_tokenizers.Split(Regex("▁*[^▁]+|▁+"), "isolated")  # in training only: merges stay inside words, as SentencePiece's do
    tokenizer.pre_tokenizer = split
    tokenizer.train_from_iterator(texts()[:30] * 2, trainer)
    tokenizer.pre_tokenizer = None
    raw = json.loads(tokenizer.to_str())
    raw["added_tokens"] = [token for token in raw["added_tokens"] if not token["content"].startswith("<0x")]
    raw["pre_tokenizer"] = None
    return Tokenizer.from_str(json.dumps(raw))


LLAMA3 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")
TEKKEN = (r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+"
          r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+")
KIMI = (r"[\p{Han}]+|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]*[\p{Ll}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
        r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]+[\p{Ll}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
        r"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")
DEEPSEEK = [r"\p{N}{1,3}", r"[一-龥぀-ゟ゠-ヿ]+",
            r"[!\"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"]
PATTERNS = [LLAMA3, QWEN, TEKKEN, KIMI, *DEEPSEEK,
            r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}{1,3}+| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+",
            r"a{1,3}+b", r"[a-c]{2,3}?", r"o{,2}e", r"x{2}", r"l{2,}", r"\d+", r"\D+", r"\w+", r"\W+", r"\h+", r"\H+", r"\s", r"\S+", r"\v", r"[\v\t]",
            r"[\S&&\W]+", r"[^\s\p{L}]+", r"[\p{L}&&\p{Latin}]+", r"[\p{L}&&[^\p{Latin}\p{Greek}]]+", r"[^a-m&&[^\s]]+", r"[a-f[x-z]]+", r"[a-f[^a-y]]+",
            r"[\w&&[^\d_]]+", r"[^\p{L}&&\p{N}]+", r"\p{Greek}+", r"\p{Cyrillic}+|\p{Arabic}+", r"\p{Hiragana}|\p{Katakana}+|\p{Hangul}+", r"\p{^L}+", r"\P{L}+",
            r"\P{^L}+", r"\p{Lowercase_Letter}+", r"\p{punctuation}+|\p{Symbol}+", r"\bt\w+", r"\Bo\B", r"(?m:e.)", r"e.", r"(?i:the|QUICK)", r"(?i)FOX|dog", r"\u00e9|\x{df}|\x41",
            r"(?>a|ab)c|o", r"(?<=q)u", r"(?<!q)u", r"(o)(w|x)", r"[\-\]\[]", r"[a\-z]", r"[+-]", r"[-+]", r"{|}", r"a{x", r"[\u4e00-\u9fa5]+", r"\A.", r".\z", r"[^\n]+\n?",
            r"[\x{1F300}-\x{1FAFF}]", r"\p{M}+", r"\p{Sc}|\p{Sm}", r"[\p{Z}\p{C}]+"]


def byte_level_of(patterns, added=(), normalizer=None, prefix=False, ignore_merges=False, regex=False, size=560) -> Tokenizer:
    tokenizer = Tokenizer(models.BPE(ignore_merges=ignore_merges))
    if normalizer is not None:
        tokenizer.normalizer = normalizer
    last = pre_tokenizers.ByteLevel(add_prefix_space=prefix, use_regex=regex)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(p), "isolated") for p in patterns] + [last]) if patterns else last
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(vocab_size=size, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False)
    tokenizer.train_from_iterator(texts() * 2, trainer)
    tokenizer.add_tokens(list(added))
    return tokenizer


def marked(added=(), normalizer=None, pre_tokenizer=None, strip=True, decoder=None, specials=("<unk>", "<s>", "</s>"), size=700) -> Tokenizer:
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    tokenizer.normalizer = normalizers.Replace(" ", "▁")
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex("▁*[^▁]+|▁+"), "isolated")
    trainer = trainers.BpeTrainer(vocab_size=size, limit_alphabet=100, special_tokens=[*specials] + [f"<0x{b:02X}>" for b in range(256)], show_progress=False)
    tokenizer.train_from_iterator(texts()[:30] * 2, trainer)
    raw = json.loads(tokenizer.to_str())
    raw["added_tokens"] = [token for token in raw["added_tokens"] if not token["content"].startswith("<0x")]
    raw["pre_tokenizer"] = None
    tokenizer = Tokenizer.from_str(json.dumps(raw))
    tokenizer.normalizer = normalizer
    tokenizer.pre_tokenizer = pre_tokenizer
    steps = [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()]
    tokenizer.decoder = decoder or decoders.Sequence(steps + ([decoders.Strip(" ", 1, 0)] if strip else []))
    tokenizer.add_tokens(list(added))
    return tokenizer


def families() -> dict[str, Tokenizer]:
    special = lambda *names: [AddedToken(name, special=True, normalized=False) for name in names]
    plain = lambda *names: [AddedToken(name, normalized=True) for name in names]
    llama_normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    made = {
        "llama3": byte_level_of([LLAMA3], special("<|begin_of_text|>", "<|end_of_text|>", "<|eot_id|>"), ignore_merges=True),
        "qwen3": byte_level_of([QWEN], special("<|endoftext|>", "<|im_start|>", "<|im_end|>") + [AddedToken("<think>", normalized=False), AddedToken("</think>", normalized=False)], normalizers.NFC()),
        "minicpm4": marked(special("<|im_start|>", "<|im_end|>"), llama_normalizer),
        "deepseek_v3": byte_level_of(DEEPSEEK, special("<｜begin▁of▁sentence｜>", "<｜end▁of▁sentence｜>") + plain("<think>", "<｜User｜>"), normalizers.Sequence([])),
        "kimi": byte_level_of([KIMI], special("[BOS]", "[EOS]", "<|im_end|>")),
        "gemma3": marked([AddedToken(text, normalized=False) for text in ("\n", "\n\n", "\n\n\n", "▁▁", "▁▁▁", "<table>")] + special("<start_of_turn>", "<end_of_turn>"), normalizers.Replace(" ", "▁"),
                         pre_tokenizers.Split(" ", "merged_with_previous"), strip=False, specials=("<pad>", "<eos>", "<bos>", "<unk>")),
        "gpt_neox": byte_level_of([], special("<|endoftext|>") + plain(*[" " * count for count in range(12, 1, -1)]), normalizers.NFC(), regex=True),
        "mistral": marked(special("[INST]", "[/INST]", "[TOOL_CALLS]"), None, pre_tokenizers.Metaspace("▁", "first", split=False)),
        "mistral_tekken": byte_level_of([TEKKEN], special("<s>", "</s>", "[INST]")),
        "llama2_normalized": marked([AddedToken("</s>", special=True, normalized=True), AddedToken("<x>", normalized=True)], llama_normalizer),
        "metaspace_split": marked(plain("fox", "▁dog", "a b"), None, pre_tokenizers.Metaspace("▁", "always", split=True), decoder=decoders.Metaspace("▁", "always", True)),
        "flags": byte_level_of([], [AddedToken("<mask>", lstrip=True, special=True, normalized=False), AddedToken("<r>", rstrip=True, normalized=False), AddedToken("<lr>", lstrip=True, rstrip=True, normalized=True),
                                    AddedToken("the", single_word=True, normalized=True), AddedToken("fox ", single_word=True, normalized=False), AddedToken("é", single_word=True, normalized=False),
                                    AddedToken("ab", normalized=False), AddedToken("abc", normalized=False), AddedToken("\u00c5ngstr", normalized=True), AddedToken(" \n", normalized=False)],
                               normalizers.NFC(), prefix=True, regex=True),
    }
    made["llama3"].post_processor = processors.Sequence([processors.ByteLevel(trim_offsets=False), processors.TemplateProcessing(
        single="<|begin_of_text|> $A", pair="<|begin_of_text|> $A <|begin_of_text|> $B", special_tokens=[("<|begin_of_text|>", made["llama3"].token_to_id("<|begin_of_text|>"))])])
    made["minicpm4"].post_processor = processors.TemplateProcessing(single="<s> $A", pair="<s> $A <s> $B", special_tokens=[("<s>", 1)])
    return made


def family_texts() -> list[str]:
    more = ["  <mask>  x<mask>\n", "a<r>  b", "x <lr> y<lr>", "the other, the. thetheist the", "fox fox foxy fox", "é aé é", "ab abc abcd", "A\u030angstrom \u212bngstr", " \n\n", "<r> \n", "x</s> </s>y <x>z",
            "[INST] hi [/INST]", "<think>\n\nok</think>", "<｜User｜>hi<｜end▁of▁sentence｜>", "fox a b dog\u2581dog", "\n\n\n\nx", "<start_of_turn>user\nx<end_of_turn>", "the quick  brown   fox            jumps",
            "aaaaaaab aaab", "good ab-cd {x} a{x [y]", "<the>", "the_", "\u0301the", "①the", "ⓐthe", "\u200dthe"]
    return texts()[:70] + more + texts()[-60:]


def broken_ids(tokenizer: Tokenizer) -> list[list]:
    rng = random.Random(7)
    rows = []
    for _ in range(30):
        ids = [rng.randrange(tokenizer.get_vocab_size()) for _ in range(rng.randint(1, 12))]
        rows.append([ids, tokenizer.decode(ids, skip_special_tokens=False)])
    return rows


def write_json(path: Path, value) -> None:
    path.write_text(json.dumps(value, ensure_ascii=True, separators=(",", ":")) + "\n")


def write_families() -> None:
    folder = OUT / "families"
    folder.mkdir(exist_ok=True)
    all_texts = family_texts()
    write_json(folder / "texts.json", all_texts)
    for name, tokenizer in families().items():
        raw = json.loads(tokenizer.to_str())
        raw["model"]["merges"] = [" ".join(pair) if isinstance(pair, list) and not any(" " in part for part in pair) else pair for pair in raw["model"]["merges"]]
        write_json(folder / f"{name}.json", raw)
        tokenizer = Tokenizer.from_str(json.dumps(raw))
        ids = [tokenizer.encode(text, add_special_tokens=False).ids for text in all_texts]
        decoded = [tokenizer.decode(row, skip_special_tokens=False) for row in ids]
        write_json(folder / f"expected_{name}.json", {"ids": ids, "decoded": [None if d == t else d for d, t in zip(decoded, all_texts)], "broken": broken_ids(tokenizer)})
        print(name, tokenizer.get_vocab_size(), "pieces", file=sys.stderr)


def write_patterns() -> None:
    everything = "".join(chr(c) for c in range(0x110000) if unicodedata.category(chr(c)) not in ("Cs", "Cn", "Co") and (c < 0x3400 or c % 97 == 0))
    probes = ["\n".join(LINES) + "\n", everything, "aaaaaaab aaab ooe oe oooe xxx lll abcab qu u [x]-{y} a{x a-z ow ox Fox DOG fOX ac abc\x0b\x0c"]
    rows = []
    for pattern in PATTERNS:
        split = pre_tokenizers.Split(Regex(pattern), "isolated")
        rows.append([pattern, [[len(piece.encode()) for piece, _ in split.pre_tokenize_str(probe)] for probe in probes]])
    write_json(OUT / "patterns.json", {"texts": probes, "patterns": rows})


def main() -> None:
    OUT.mkdir(parents=True, exist_ok=True)
    write_families()
    write_patterns()
    for name, tokenizer in (("byte_level", byte_level()), ("llama", llama())):
        (OUT / f"{name}.json").write_text(json.dumps(json.loads(tokenizer.to_str()), ensure_ascii=True, separators=(",", ":")) + "\n")
        with open(OUT / f"expected_{name}.jsonl", "w") as file:
            for text in texts():
                encoding = tokenizer.encode(text, add_special_tokens=False)
                offsets = [len(text[:begin].encode()) for begin, _ in encoding.offsets]
                row = {"text": text, "ids": encoding.ids, "offsets": offsets, "decoded": tokenizer.decode(encoding.ids, skip_special_tokens=False)}
                file.write(json.dumps(row, separators=(",", ":")) + "\n")
        print(name, tokenizer.get_vocab_size(), "pieces", len(texts()), "texts", file=sys.stderr)


if __name__ == "__main__":
    main()
