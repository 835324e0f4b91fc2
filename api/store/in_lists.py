"""Lists of keys in statements."""

from __future__ import annotations

from collections.abc import Collection


def padded(keys: Collection[str]) -> list[str]:
    """The keys, the last one repeated until there are 1, 2, 4, 8, … of them; none of none.

    A list of each length makes a statement of its own, which a database has to understand and plan anew; with a few
    lengths it knows them all soon. That a key comes twice changes nothing in an `IN`.
    """
    found = list(keys)
    if not found:
        return found
    wanted = 1 << (len(found) - 1).bit_length()
    return found + found[-1:] * (wanted - len(found))
