#!/usr/bin/env python3
"""Makes tests/data/tokenizers: two small tokenizer.json files (Qwen's and Llama's construction) and what the reference
implementation (Python package `tokenizers`) makes of a corpus with every script, emoji, digits and runs of white space.

  pip install tokenizers==0.23.3 && tests/tools/make_tokenizers.py

expected_<name>.jsonl: one line a text: {"text", "ids", "offsets" (bytes in text where each id begins), "decoded"}.
"""

import json
import random
import sys
import unicodedata
from pathlib import Path

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

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


def main() -> None:
    OUT.mkdir(parents=True, exist_ok=True)
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
