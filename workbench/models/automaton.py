"""A finite automaton as a model: it reads a text, and says something of the state it ends in."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from workbench.errors import BadInput


class Automaton(nn.Module):
    """M(x) = outputs[q_T], q_{t+1} = after[q_t, x_t], q_0 = 0.

    Args:
        after: `(Q, V)` int64: the next state.
        outputs: `(Q, k)`: what is said of every state.
        symbols: the characters of symbols 0, 1, ..., for readers.

    Raises:
        BadInput: where a next state is none, the two have different numbers of states, or there is
            not a character for every symbol.

    >>> parity = Automaton(torch.tensor([[0, 1], [1, 0]]), torch.tensor([[-1.0], [1.0]]))
    >>> parity(torch.tensor([[1, 0, 1], [1, 1, 1]]))
    tensor([[-1.],
            [ 1.]])
    """

    after: Tensor
    outputs: Tensor

    def __init__(self, after: Tensor, outputs: Tensor, symbols: str = ""):
        super().__init__()
        if after.ndim != 2 or outputs.ndim != 2 or len(after) != len(outputs):
            raise BadInput(
                "an automaton needs next states (Q, V) and outputs (Q, k), got "
                f"{tuple(after.shape)} and {tuple(outputs.shape)}"
            )
        if after.dtype != torch.int64 or bool(((after < 0) | (after >= len(after))).any()):
            raise BadInput(
                f"the next states of an automaton must be among 0, ..., {len(after) - 1}"
            )
        if symbols and len(symbols) != after.shape[1]:
            raise BadInput(
                f"an automaton that reads {after.shape[1]} symbols got {len(symbols)} characters "
                "for them"
            )
        self.symbols = symbols
        self.register_buffer("after", after)
        self.register_buffer("outputs", outputs)

    def forward(self, x: Tensor) -> Tensor:
        state = torch.zeros(len(x), dtype=torch.int64, device=self.after.device)
        for symbol in x.long().T:
            state = self.after[state, symbol]
        return self.outputs[state]

    def read(self, x: Tensor) -> list[str]:
        """Texts of `(n, T)` symbols, as numbers where no characters are known."""
        if not self.symbols:
            return [" ".join(map(str, row)) for row in x.tolist()]
        return ["".join(self.symbols[v] for v in row) for row in x.tolist()]


def watching(
    words: Sequence[Sequence[int]], alphabet: int, dtype: torch.dtype, symbols: str = ""
) -> Automaton:
    """An automaton that tells of every word how much of it a text came to hold.

    Output i is 1/2 - (symbols of word i that are missing from its longest beginning in the text):
    1/2 where the text holds the word, at most -1/2 where it does not. Its states are, of every
    word, the beginning that the text ends in (Knuth, Morris & Pratt 1977) and the longest so far.

    Args:
        words: of symbols 0, ..., alphabet - 1, none empty.
        symbols: their characters, for readers.

    Raises:
        BadInput: on an empty word or an unknown symbol.

    >>> M = watching([(0, 0, 1)], 2, torch.float64)
    >>> M(torch.tensor([[0, 0, 0, 1], [0, 1, 0, 1]])).flatten().tolist()
    [0.5, -1.5]
    """
    for word in words:
        _check(word, alphabet)
    longer = [_beginnings(tuple(word), alphabet) for word in words]
    first = tuple((0, 0) for _ in words)
    number, queue, rows = {first: 0}, [first], []
    for state in queue:  # grows as states turn up
        row = []
        for v in range(alphabet):
            new = tuple(_read(table, at, v) for table, at in zip(longer, state, strict=True))
            if new not in number:
                number[new] = len(number)
                queue.append(new)
            row.append(number[new])
        rows.append(row)
    told = [[0.5 + best - len(w) for (_, best), w in zip(s, words, strict=True)] for s in queue]
    return Automaton(torch.tensor(rows), torch.tensor(told, dtype=dtype), symbols)


def ending(word: Sequence[int], alphabet: int, dtype: torch.dtype, symbols: str = "") -> Automaton:
    """An automaton that tells how much of a word a text ends in.

    Its output is 1/2 - (symbols of the word that are missing from the longest beginning of it that
    the text ends in): 1/2 where the text ends in the word, at most -1/2 where it does not.

    Args:
        word: of symbols 0, ..., alphabet - 1, not empty.
        symbols: their characters, for readers.

    Raises:
        BadInput: on an empty word or an unknown symbol.

    >>> M = ending((0, 1), 2, torch.float64)
    >>> M(torch.tensor([[0, 0, 1], [0, 1, 0]])).flatten().tolist()
    [0.5, -0.5]
    """
    _check(word, alphabet)
    word = tuple(word)
    rows = []
    for k in range(len(word) + 1):
        read = [(*word[:k], v) for v in range(alphabet)]
        rows.append([next(j for j in range(k + 1, -1, -1) if t[k + 1 - j :] == word[:j])
                     for t in read])  # fmt: skip
    told = [[0.5 + k - len(word)] for k in range(len(word) + 1)]
    return Automaton(torch.tensor(rows), torch.tensor(told, dtype=dtype), symbols)


def _check(word: Sequence[int], alphabet: int) -> None:
    if not len(word) or not all(0 <= v < alphabet for v in word):
        raise BadInput(f"a word needs symbols of 0, ..., {alphabet - 1}, got {tuple(word)}")


def _read(table: list[list[int]], at: tuple[int, int], v: int) -> tuple[int, int]:
    now, best = at
    if best == len(table):  # found: nothing more is asked of this word
        return at
    now = table[now][v]
    best = max(best, now)
    return (0 if best == len(table) else now), best


def _beginnings(word: tuple[int, ...], alphabet: int) -> list[list[int]]:
    """Of every beginning shorter than the word, the longest that a text then ends in."""
    rows, back = [], 0
    for i, v in enumerate(word):
        row = [0] * alphabet if i == 0 else list(rows[back])
        if i:
            back = rows[back][v]
        row[v] = i + 1
        rows.append(row)
    return rows
