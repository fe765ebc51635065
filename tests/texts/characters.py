"""Characters of every kind, and what reading makes of them."""

from __future__ import annotations

from hypothesis import strategies as st

ANY = st.text(st.characters(exclude_categories=["Cs"]), min_size=1)


def as_read(characters: str) -> str:
    """What reading makes of characters: no byte-order mark, LF for CRLF."""
    return characters.removeprefix("\ufeff").replace("\r\n", "\n")
