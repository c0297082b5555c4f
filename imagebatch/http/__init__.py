"""The wire, once for all providers; the only package that imports httpx and aiohttp."""

import sys

# httpx imports its own command line as soon as click and rich are installed: 0.4 s that nobody asked for. An entry of
# None makes that import fail, which httpx expects and handles.
sys.modules.setdefault("httpx._main", None)  # type: ignore[arg-type]  # None is the documented way to block an import
