"""Search words: where a word begins and ends in any script, for the full-text index and its queries.

May touch: nothing. Pure text in, text out; does not raise.

FTS5's tokenizer `unicode61` takes a run of letters as one word. That is wrong for scripts that part no
words: a whole Chinese sentence is one word then, and nobody finds it. Here each character of such a
script, with its marks, becomes a word of its own, parted by a zero width space; a query for several of
them is a phrase. So any part of a sentence is found, of one character or of many. (The trigram
tokenizer finds nothing for words of two characters, and most words of Chinese have two.) Korean parts
its words, but binds particles to them, so it is read in the same way.

What is one word to a reader is also spelt in one way for the index: `fold`. The number of words is the
same before and after, so that a snippet can show the text as it is written.

Text in other scripts is passed on as it is, at the price of one look for the characters above.
"""

from __future__ import annotations

import re
import unicodedata

# Between words that the script does not part. No letter, and of no width where somebody sees it.
GAP = "\u200b"
# Marks are parts of words: without them, Thai and Hindi words break at each vowel.
TOKENIZER = "unicode61 remove_diacritics 2 categories ''L* N* Co Mn Mc''"

# Unicode Standard Annex 29: scripts that need a dictionary to find words, and Hangul (see above).
_UNPARTED = (
    "\u0e01-\u0e30\u0e32\u0e33\u0e40-\u0e46"  # Thai
    "\u0e81-\u0eb0\u0eb2\u0eb3\u0ebd-\u0ec6\u0edc-\u0edf"  # Lao
    "\u1000-\u102a\u103f\u1050-\u1055\u105a-\u105d\u1061\u1065\u1066\u106e-\u1070\u1075-\u1081\u108e"
    "\u1100-\u11ff\ua960-\ua97c\uac00-\ud7a3\ud7b0-\ud7fb\u3131-\u318e\uffa0-\uffdc"  # Hangul
    "\u1780-\u17b3\u17d7\u17dc"  # Khmer
    "\u1950-\u19df"  # Tai Le, New Tai Lue
    "\u1a20-\u1a54"  # Tai Tham
    "\u2e80-\u2fd5\u3005-\u3007\u3021-\u3029\u3031-\u3035\u3038-\u303c"  # radicals, marks, numerals
    "\u3041-\u3096\u309d-\u309f\u30a1-\u30fa\u30fc-\u30ff\u31f0-\u31ff\uff66-\uff9d"  # kana
    "\u3105-\u312f\u31a0-\u31bf"  # Bopomofo
    "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"  # Han
    "\ua000-\ua48c"  # Yi
    "\U0001b000-\U0001b16f\U00020000-\U0003ffff"
)
_MARKS = (
    "\u0e31\u0e34-\u0e3a\u0e47-\u0e4e\u0eb1\u0eb4-\u0ebc\u0ec8-\u0ecd\u102b-\u103e\u1056-\u1059\u105e-\u1060"
    "\u1062-\u1064\u1067-\u106d\u1071-\u1074\u1082-\u108d\u108f\u109a-\u109d\u17b4-\u17d3\u17dd"
    "\u1a55-\u1a7f\u302a-\u302f\u3099\u309a\uff9e\uff9f\u0300-\u036f\ufe00-\ufe0f\U000e0100-\U000e01ef"
)
_HAS_UNPARTED = re.compile(f"[{_UNPARTED}]")
_CLUSTER = re.compile(f"[{_UNPARTED}][{_MARKS}]*")
_PARTED = f"{GAP}\\g<0>{GAP}"

# What is spelt in several ways: forms of another width, ligatures, digits of other scripts; letters that
# SQLite knows no base letter of; vowel signs that Arabic and Hebrew leave out at will.
_LETTERS = {
    "ß": "ss", "ẞ": "ss", "æ": "ae", "Æ": "ae", "œ": "oe", "Œ": "oe", "ø": "o", "Ø": "o", "đ": "d",
    "Đ": "d", "ł": "l", "Ł": "l", "ı": "i", "ħ": "h", "Ħ": "h", "أ": "ا", "إ": "ا", "آ": "ا",
    "ٱ": "ا", "ى": "ي", "ة": "ه", "ک": "ك", "ی": "ي", "ـ": "", "ё": "е", "Ё": "Е", "ά": "α",
    "έ": "ε", "ή": "η", "ί": "ι", "ό": "ο", "ύ": "υ", "ώ": "ω", "ϊ": "ι", "ϋ": "υ", "ΐ": "ι",
    "ΰ": "υ", "Ά": "Α", "Έ": "Ε", "Ή": "Η", "Ί": "Ι", "Ό": "Ο", "Ύ": "Υ", "Ώ": "Ω",
}  # fmt: skip
_DIGITS = "٠-٩۰-۹०-९০-৯๐-๙໐-໙၀-၉០-៩"
_SIGNS = "\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7\u0610-\u061a\u064b-\u065f\u0670\u06d6-\u06ed"
_VARIANTS = re.compile(
    f"[{''.join(_LETTERS)}{_DIGITS}０-９Ａ-Ｚａ-ｚ\uff66-\uff9f\uffa0-\uffdc\ufb00-\ufb06\uf900-\ufaff"
    f"\u2e80-\u2fd5{_SIGNS}\ufe00-\ufe0f]+"
)
_SIGN = re.compile(f"[{_SIGNS}\ufe00-\ufe0f]")

_ASCII = bytes(range(128))
_OPENING_QUOTES = str.maketrans(dict.fromkeys("“”„‟＂«»「」『』", '"'))
# A phrase in quotes; or a word that FTS5 would read as one, if a character in it is not ASCII.
_PART = re.compile(r'"(?:[^"]|"")*"|[^\s"()*:^+,{}\x00-\x7f-]*[\w$]*[^\s\x00-\x7f][^\s"()*:^+,{}-]*')
_BLANKS = re.compile(r"[^\S ]")


def is_current(index_sql: str) -> bool:
    """True if an index, given as the statement that made it, has the words of this version."""
    return TOKENIZER in index_sql


def part_words(text: str) -> str:
    """The text with a zero width space around each character of a script that parts no words."""
    if text.isascii():
        return text
    if not unicodedata.is_normalized("NFC", text):
        text = unicodedata.normalize("NFC", text)
    return _CLUSTER.sub(_PARTED, text) if _HAS_UNPARTED.search(text) else text


def fold(text: str) -> str:
    """The text as the index has it. SQLite folds case and accents besides."""
    return text if text.isascii() else _VARIANTS.sub(_fold_variant, text)


def index_words(text: str) -> str:
    """What is given to the index for a text."""
    return fold(part_words(text)) if not text.isascii() and _is_special(text) else text


def _is_special(text: str) -> bool:
    """True if something is to be done. Most texts are ASCII but for a few characters: these are looked at."""
    rest = text.encode("utf-8", "surrogatepass").translate(None, _ASCII).decode("utf-8", "surrogatepass")
    return _HAS_UNPARTED.search(rest) is not None or _VARIANTS.search(rest) is not None


def has_unparted(text: str) -> bool:
    """True if some of the text is in a script that parts no words."""
    return _HAS_UNPARTED.search(unicodedata.normalize("NFC", text)) is not None


def index_query(query: str) -> str:
    """An FTS5 query in which words of all scripts are written as they are in the index."""
    if query.isascii():
        return query
    if '"' not in query:
        query = query.translate(_OPENING_QUOTES)
    return _PART.sub(_query_part, _BLANKS.sub(" ", query))


def _query_part(found: re.Match[str]) -> str:
    part = found[0]
    if part.startswith('"'):
        return part if part.isascii() else f'"{index_words(part[1:-1])}"'
    return f'"{index_words(part)}"'


def _fold_variant(found: re.Match[str]) -> str:
    text = _SIGN.sub("", "".join(_LETTERS.get(char, char) for char in found[0]))
    return "".join(
        char if (digit := unicodedata.digit(char, None)) is None else str(digit)
        for char in unicodedata.normalize("NFKC", text)
    )
