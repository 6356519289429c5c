"""Text to token ids and back: single symbols, and pairs merged into longer ones."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise

from workbench.errors import BadInput

_PIECES = re.compile(r"\n+| ?[A-Za-z']+| ?[^A-Za-z' \n]+| +")
"""No merge crosses the border of a piece: line ends, a word with the space before it, marks."""

Pair = tuple[int, int]


@dataclass(frozen=True)
class Vocabulary:
    """Tokens 0, 1, ... are the symbols, then one a merge: the text of both its tokens together.

    Byte-pair encoding (Gage 1994; Sennrich, Haddow & Birch 2016): a piece of text is split into
    symbols, and neighbours are merged in the order of `merges`. Without merges, a token is a
    character.

    Args:
        symbols: the characters that may stand in a text, each once.
        merges: pairs of earlier tokens.
        counts: how often each token stands in the text that they were learned from, where known.

    Raises:
        BadInput: where a symbol comes twice, a merge names a later token, or counts do not fit.

    >>> v = Vocabulary("aht ", ((2, 1), (3, 4)))
    >>> v.tokens
    ('a', 'h', 't', ' ', 'th', ' th')
    >>> v.encode("that that")
    [4, 0, 2, 5, 0, 2]
    >>> v.decode([4, 0, 2, 5])
    'that th'
    """

    symbols: str
    merges: tuple[Pair, ...] = ()
    counts: tuple[int, ...] = ()
    _cache: dict[str, list[int]] = field(default_factory=dict, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not self.symbols or len(set(self.symbols)) != len(self.symbols):
            raise BadInput("the symbols of a vocabulary must be different characters")
        for i, pair in enumerate(self.merges):
            if not all(0 <= token < len(self.symbols) + i for token in pair):
                raise BadInput(f"merge {i} of the vocabulary names tokens {pair} that come later")
        if self.counts and (len(self.counts) != len(self) or min(self.counts) < 0):
            raise BadInput(f"a vocabulary of {len(self)} tokens got {len(self.counts)} counts")

    def __len__(self) -> int:
        return len(self.symbols) + len(self.merges)

    @cached_property
    def tokens(self) -> tuple[str, ...]:
        """The text of every token."""
        texts = list(self.symbols)
        for a, b in self.merges:
            texts.append(texts[a] + texts[b])
        return tuple(texts)

    @cached_property
    def _rank(self) -> dict[Pair, int]:
        return {pair: len(self.symbols) + i for i, pair in enumerate(self.merges)}

    def encode(self, text: str) -> list[int]:
        """Token ids of a text. Raises `BadInput` for a character that is no symbol."""
        alien = set(text) - set(self.symbols)
        if alien:
            raise BadInput(f"the vocabulary has no symbol for {''.join(sorted(alien))!r}")
        if not self.merges:
            return [self.symbols.index(c) for c in text]
        ids: list[int] = []
        for piece in _PIECES.findall(text):
            if piece not in self._cache:
                self._cache[piece] = self._merged([self.symbols.index(c) for c in piece])
            ids += self._cache[piece]
        return ids

    def _merged(self, ids: list[int]) -> list[int]:
        """Earliest merge first, until none applies."""
        while len(ids) > 1:
            first = min(pairwise(ids), key=lambda pair: self._rank.get(pair, len(self)))
            if first not in self._rank:
                break
            ids = _replaced(ids, first, self._rank[first])
        return ids

    def decode(self, ids: Sequence[int]) -> str:
        """The text of token ids."""
        return "".join(self.tokens[i] for i in ids)


def learn(text: str, symbols: str, merges: int) -> Vocabulary:
    """The vocabulary whose every merge is of the commonest pair that the earlier ones leave.

    >>> learn("to be or not to be", "benort ", 2).tokens[-2:]
    ('be', 'to')
    """
    index = {c: i for i, c in enumerate(symbols)}
    pieces = Counter(_PIECES.findall(text))
    words = [([index[c] for c in piece], count) for piece, count in pieces.items()]
    pairs: Counter[Pair] = Counter()
    where: dict[Pair, set[int]] = {}
    for k, (ids, count) in enumerate(words):
        for pair in pairwise(ids):
            pairs[pair] += count
            where.setdefault(pair, set()).add(k)
    found: list[Pair] = []
    while len(found) < merges and pairs:
        best = max(pairs, key=lambda pair: (pairs[pair], [-t for t in pair]))
        if pairs[best] < 1:
            break
        new = len(symbols) + len(found)
        found.append(best)
        for k in sorted(where.pop(best)):
            ids, count = words[k]
            for pair in pairwise(ids):
                pairs[pair] -= count
            ids = _replaced(ids, best, new)
            words[k] = (ids, count)
            for pair in pairwise(ids):
                pairs[pair] += count
                where.setdefault(pair, set()).add(k)
        del pairs[best]
    return Vocabulary(symbols, tuple(found))


def _replaced(ids: list[int], pair: Pair, new: int) -> list[int]:
    """Every occurrence of the pair, from the left, as one token."""
    out: list[int] = []
    i = 0
    while i < len(ids):
        if i + 1 < len(ids) and (ids[i], ids[i + 1]) == pair:
            out.append(new)
            i += 2
        else:
            out.append(ids[i])
            i += 1
    return out
