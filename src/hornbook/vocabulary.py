"""Vocabularies: the symbols of a text in order. A symbol is a character, or a byte of any file.

Every text in the program is a string with one character for each symbol. A byte stands there as the
character of its number, chr(0) to chr(255), as Latin-1 has it. What a person types and reads is another
string where symbols are bytes: UTF-8, with each byte that is not UTF-8 as a lone surrogate, as Python has
it for file names. `typed` and `shown` lead from the one to the other and lose nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

from hornbook.errors import TextError, known

TOKEN_NAMES = ("chars", "bytes")
UNITS = {"chars": "character", "bytes": "byte"}


@dataclass(frozen=True)
class Vocabulary:
    """The symbols of a text in order; the number of a symbol is its place. `tokens` says what they are,
    `chars` or `bytes`. Raises TextError where a symbol is not one character or stands twice, and for
    bytes that are not all the 256 there are."""

    symbols: str
    tokens: str = "chars"

    def __post_init__(self) -> None:
        check_tokens(self.tokens)
        if not isinstance(self.symbols, str):
            kind = type(self.symbols).__name__
            raise TextError(f"expected the symbols of a vocabulary as one string, such as 'abc', got {kind}")
        if not self.symbols or len(set(self.symbols)) != len(self.symbols):
            raise TextError("a vocabulary needs at least one symbol, and each of them only once")
        if any("\ud800" <= symbol <= "\udfff" for symbol in self.symbols):
            raise TextError("the text holds half a character (a lone surrogate); write it as valid Unicode")
        if self.tokens == "bytes" and self.symbols != ALL_BYTES:
            raise TextError("a vocabulary of bytes has all 256 of them, in their order")

    def __len__(self) -> int:
        return len(self.symbols)

    @property
    def unit(self) -> str:
        """What one symbol is called: a character or a byte."""
        return UNITS[self.tokens]

    @cached_property
    def numbers(self) -> dict[str, int]:
        """The number of each symbol."""
        return {symbol: i for i, symbol in enumerate(self.symbols)}

    def encode(self, text: str) -> npt.NDArray[np.int64]:  # (len(text),)
        """The numbers of the characters of `text`; raises TextError at one that is unknown."""
        for i, character in enumerate(text):
            if character not in self.numbers:
                raise TextError(f"the character {character!r} at position {i} is not in the vocabulary")
        return np.array([self.numbers[character] for character in text], dtype=np.int64)

    def together(self, other: Vocabulary) -> Vocabulary:
        """The symbols of both, in the order of their code points; both have the same `tokens`."""
        return replace(self, symbols="".join(sorted({*self.symbols, *other.symbols})))

    def find(self, text: str) -> npt.NDArray[np.int64]:  # (len(text),)
        """The numbers of the characters of `text`; -1 for one that is unknown."""
        codes, order = code_row(self.symbols), np.argsort(code_row(self.symbols))
        wanted = code_row(text)
        places = order[np.minimum(np.searchsorted(codes[order], wanted), len(codes) - 1)]
        return np.asarray(np.where(codes[places] == wanted, places, -1))

    def decode(self, ids: npt.ArrayLike) -> str:
        """The characters that bear the numbers `ids`."""
        return "".join(self.symbols[i] for i in np.asarray(ids).tolist())

    def typed(self, text: str) -> str:
        """What a person typed, as a text of these symbols: bytes are its UTF-8."""
        return text if self.tokens == "chars" else text.encode("utf-8", "surrogateescape").decode("latin-1")

    def shown(self, text: str) -> str:
        """A text of these symbols as a person reads it; see `shown`."""
        return shown(text, self.tokens)


def shown(text: str, tokens: str) -> str:
    """A text as a person reads it: bytes are decoded as UTF-8, and what is not UTF-8 stays as lone
    surrogates, which a terminal or a page shows as �."""
    return text if tokens == "chars" else text.encode("latin-1").decode("utf-8", "surrogateescape")


def check_tokens(tokens: str) -> None:
    """Raise TextError unless `tokens` is `chars` or `bytes`."""
    if tokens not in TOKEN_NAMES:
        raise TextError(known("tokens", str(tokens), TOKEN_NAMES))


def code_row(text: str) -> npt.NDArray[np.uint32]:  # (len(text),)
    """The code points of a string."""
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)


ALL_BYTES = "".join(map(chr, range(256)))
BYTES = Vocabulary(ALL_BYTES, "bytes")
