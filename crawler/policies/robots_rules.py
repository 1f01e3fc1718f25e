"""Robots rules: which line of a robots.txt decides about a path (RFC 9309 sections 2.2.2 and 2.2.3).

May touch: nothing.

Everything is compared in one spelling (`spelling`), octet by octet, with one character per octet.
Patterns are hostile input: nothing here backtracks, and the work per path is bounded
(`MAX_TRIED`).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

MAX_TRIED = 16 * 1024  # octets of wildcard patterns that are tried on one path: 400 usual ones
_TRY = 16  # octets; the cost of trying a pattern besides its length
_KEY = 8  # octets
_FEW = 256  # keys; with more of them it is faster to look up the pieces of the path

# Section 2.2.2 compares reserved characters percent-encoded, so a raw one equals its encoded form:
# %2A is *, %3A is :. Its table leaves the separators of a URL raw, because an encoded separator
# means something else (RFC 3986 section 2.2): %2F is not /.
_SEPARATORS = frozenset("%/?#&=")


def _spell(code: int) -> str:
    char = chr(code)
    return char if "!" <= char <= "~" and char not in _SEPARATORS else f"%{code:02X}"


_HEX = "0123456789ABCDEFabcdef"
_SPELLED = {chr(code): _spell(code) for code in range(256)}
_SPELLED |= {f"%{a}{b}": _spell(int(a + b, 16)) for a in _HEX for b in _HEX}
_SEPARATED = re.compile(r"\?[^?]*%(2F|3F)")
_MISSPELT = re.compile("%[0-9A-Fa-f]{2}|[^!-~]")


def spelling(text: str) -> str:
    """Return the spelling of some octets in which they are compared.

    Octets outside of ASCII, controls and blanks are encoded; all others are decoded unless they
    are separators; hexadecimal digits are capitals.
    """
    return _MISSPELT.sub(lambda found: _SPELLED[found[0]], text)


def path_of(url: str) -> str:
    """Return the path and query of an absolute URL, in the spelling of rules."""
    start = url.find("/", url.find("//") + 2)
    path = url[start:] if start >= 0 else "/"
    if not path.isascii():
        return spelling(path.encode("utf-8", "surrogatepass").decode("latin-1"))
    return spelling(path) if "%" in path else path


class Rule(NamedTuple):
    """One allow or disallow line."""

    line: int  # from 1
    allow: bool
    written: str  # its value
    rank: int  # the highest one decides: the one with the most octets, then allow before disallow
    parts: tuple[str, ...]  # the text between its wildcards
    ends: bool  # the path must end where the pattern does

    def __str__(self) -> str:
        value = self.written.encode("latin-1", "replace").decode("utf-8", "replace")
        return f"{'Allow' if self.allow else 'Disallow'}: {value}"

    def matches(self, path: str) -> bool:
        """True if the pattern matches. The leftmost match of each part is the best for all that follow."""
        head, *inner = self.parts
        if not inner:
            return path == head if self.ends else path.startswith(head)
        last = inner.pop() if self.ends else ""
        at = len(head) if path.startswith(head) else -1
        for part in inner:
            if at < 0:
                return False
            at = path.find(part, at)
            at += len(part) if at >= 0 else 0
        return 0 <= at <= len(path) - len(last) and path.endswith(last)


TOO_MANY = Rule(0, False, "(more wildcard patterns than can be tried on this URL)", 0, ("",), False)
"""The rule for a path on which too many patterns would have to be tried: disallow, to be polite."""


def rule(line: int, allow: bool, written: str) -> Rule:
    """Read the value of an allow or disallow line."""
    ends = written.endswith("$")
    # Split before decoding: an encoded star is not a wildcard. Stars in a row match the same as one star.
    head, *rest = map(spelling, (written[:-1] if ends else written).split("*"))
    parts = (head, *filter(None, rest[:-1]), *rest[-1:])
    encoded = _in_query(parts) if "?" in written else parts
    octets = sum(map(len, encoded)) + len(parts) - 1 + ends
    return Rule(line, allow, written, 2 * octets + allow, parts, ends)


class RuleBook:
    """The rules of one group, ready to be asked about any number of paths."""

    def __init__(self, rules: Iterable[Rule] = ()) -> None:
        known = list(rules)
        in_query = [found._replace(parts=_in_query(found.parts)) for found in known if "?" in found.written]
        queried = [found for found in in_query if _SEPARATED.search("*".join(found.parts))]
        self._plain = _Patterns(known)
        self._queried = _Patterns(queried) if queried else None

    def rule_for(self, path: str) -> Rule | None:
        """Return the line that decides about a path (of `path_of`); None: no line matches."""
        best = self._plain.best(path)
        if self._queried is not None and "?" in path:
            other = self._queried.best(_query_spelling(path))
            if other is not None and (best is None or other.rank > best.rank):
                return other
        return best

    def allows(self, path: str) -> bool:
        found = self.rule_for(path)
        return found is None or found.allow


class _Patterns:
    """Patterns, and the best one that matches a path. Most are prefixes, which are looked up, not tried."""

    def __init__(self, rules: Iterable[Rule]) -> None:
        exact: dict[str, Rule] = {}  # /a$
        heads: dict[str, Rule] = {}  # /a
        open_heads: dict[str, Rule] = {}  # /a*, which has one octet more
        ended_heads: dict[str, Rule] = {}  # /a*$, which has two octets more
        wild: dict[str, Rule] = {}
        for new in rules:
            head, *rest = new.parts
            if not rest:
                _keep(exact if new.ends else heads, head, new)
            elif rest == [""]:
                _keep(ended_heads if new.ends else open_heads, head, new)
            else:
                _keep(wild, "\0".join((*new.parts, "$" if new.ends else "")), new)
        self._exact = exact
        # Within one kind the longest head that matches has the highest rank.
        kinds = (heads, open_heads, ended_heads)
        self._prefixes = [(found, sorted(set(map(len, found)), reverse=True)) for found in kinds if found]
        self._wild = _Wild(list(wild.values())) if wild else None

    def best(self, path: str) -> Rule | None:
        best = self._exact.get(path)
        for rules, lengths in self._prefixes:
            for length in lengths:
                if length <= len(path) and (found := rules.get(path[:length])) is not None:
                    if best is None or found.rank > best.rank:
                        best = found
                    break
        return best if self._wild is None else self._wild.best(path, best)


class _Wild:
    """Patterns that have to be tried, found by a key: some octets of every path that matches.

    The patterns found are tried only up to a bound: a host that exceeds it loses pages of its own
    and takes no time from other hosts.
    """

    def __init__(self, rules: Sequence[Rule]) -> None:
        keys = [{key for part in of.parts for key in (part[:_KEY], part[-_KEY:])} for of in rules]
        count = Counter(key for of_one in keys for key in of_one)
        self._keyed: dict[str, list[tuple[int, Rule]]] = {}  # with their paths' least length
        for of, of_one in zip(rules, keys, strict=True):
            rarest = min(of_one, key=lambda key: (count[key], -len(key), key))
            self._keyed.setdefault(rarest, []).append((sum(map(len, of.parts)), of))
        self._sizes = sorted(set(map(len, self._keyed)))

    def best(self, path: str, best: Rule | None) -> Rule | None:
        """Return the best rule that matches, `best` included."""
        floor = -1 if best is None else best.rank
        candidates: list[Rule] = []
        cost = 0
        if len(self._keyed) <= _FEW:
            keys: Iterable[str] = [key for key in self._keyed if key in path]
        else:
            pieces = (path[at : at + size] for size in self._sizes for at in range(len(path) - size + 1))
            keys = self._keyed.keys() & set(pieces)
        for key in keys:
            for shortest, found in self._keyed[key]:
                if found.rank > floor and shortest <= len(path):
                    candidates.append(found)
                    cost += found.rank // 2 + _TRY
                    if cost > MAX_TRIED:
                        return TOO_MANY
        candidates.sort(key=lambda found: (-found.rank, found.line))
        return next((found for found in candidates if found.matches(path)), best)


def _keep(known: dict[str, Rule], key: str, new: Rule) -> None:
    kept = known.get(key)
    if kept is None or new.rank > kept.rank:
        known[key] = new


def _query_spelling(text: str) -> str:
    """Encode / and ? in a query: they separate nothing there, so section 2.2.2's table has them encoded."""
    path, mark, query = text.partition("?")
    return path + mark + query.replace("/", "%2F").replace("?", "%3F")


def _in_query(parts: tuple[str, ...]) -> tuple[str, ...]:
    """Return the parts of a pattern; those that surely lie in a query in its spelling."""
    spelt: list[str] = []
    inside = False
    for part in parts:
        spelt.append(_query_spelling("?" + part)[1:] if inside else _query_spelling(part))
        inside = inside or "?" in part
    return tuple(spelt)
