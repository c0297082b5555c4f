"""Every effect on the world goes through one of these seams, and through nothing else (`tests/contracts` holds it).

A seam is a small interface with one plain implementation, which is the operating system's own call. The program never
chooses another one. Tests do, by `seams`: a disk that forgets what was not synced, a clock that is moved by hand, a
process that dies at the n-th effect. In production a seam costs one look-up of an attribute.

Every call of a seam is an effect with a name, its own and what it is done to (`rename imagebatch.lock`), so the trace
of an undisturbed run is the list of places where a run can be stopped, and no new effect can be forgotten there.

The network's plain implementation stands in `http/network.py`, because only `http/` speaks HTTP.
"""

from imagebatch.effects.seams import Seams, seams

__all__ = ["Seams", "seams"]
