"""A word for JSON and YAML as they come: of any shape until somebody looked."""

from typing import Any, TypeAlias

Loose: TypeAlias = Any
