"""The fence round untrusted input, in figures: the simulator and the public hosts that its tests share."""

from tests.cases.conftest import simulated

__all__ = ["simulated"]
