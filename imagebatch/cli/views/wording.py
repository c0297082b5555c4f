"""Small words that many messages need."""

from pathlib import Path


def counted(number: int, noun: str, nouns: str = "") -> str:
    """`1 asset`, `2 assets`."""
    return f"{number} {noun}" if number == 1 else f"{number} {nouns or f'{noun}s'}"


def quoted_path(path: Path) -> str:
    """A path as a shell takes it."""
    import shlex

    return shlex.quote(str(path))
