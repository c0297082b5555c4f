"""The wire's outcomes with a code, for messages; each is one of the plain outcomes of `model.wire`.

NotSent        ├── ConnectFailed    net.unreachable | net.tls | net.proxy: no connection was opened
               └── GatePaused       provider.paused: the provider asked for a longer pause than we wait
OutcomeLost    └── AnswerLost       create.in_doubt: sent, and no whole answer came back
Unreachable    └── NoAnswer         net.unreachable | net.tls | net.proxy | provider.paused: a read found none
BadAnswer      └── UnreadableAnswer provider.too_large | provider.bad_response: a read's answer is of no use
"""

from typing import Literal

from imagebatch.model.wire import BadAnswer, NotSent, OutcomeLost, Unreachable

NetCode = Literal["net.unreachable", "net.tls", "net.proxy", "net.too_slow", "provider.paused"]
LostWhy = Literal["cut", "timeout", "too_large", "protocol"]


class ConnectFailed(NotSent):
    """No connection was opened, so nothing was sent; `lasting` where another try would fail the same way."""

    def __init__(self, text: str, *, code: NetCode = "net.unreachable", lasting: bool = False) -> None:
        super().__init__(text)
        self.code = code
        self.lasting = lasting


class GatePaused(NotSent):
    """The provider asked for a pause of `wait_s` seconds, which is longer than the caller wants to wait."""

    code: NetCode = "provider.paused"

    def __init__(self, wait_s: float) -> None:
        super().__init__(f"the provider asked us to wait {wait_s:.0f} s; nothing was sent")
        self.wait_s = wait_s


class AnswerLost(OutcomeLost):
    """The request left, and its answer did not arrive whole.

    `status` is set where the answer's head arrived; a 2xx status with `why` `too_large` means that the provider took
    the request and answered with more than we read.
    """

    code = "create.in_doubt"

    def __init__(self, text: str, *, why: LostWhy, status: int | None = None) -> None:
        super().__init__(text)
        self.why = why
        self.status = status


class NoAnswer(Unreachable):
    """A read, or a change that may be repeated, found no answer within its tries."""

    def __init__(self, text: str, *, code: NetCode = "net.unreachable") -> None:
        super().__init__(text)
        self.code = code


class UnreadableAnswer(BadAnswer):
    """An answer came and is of no use: too large once decoded, or in a coding that nobody asked for."""

    def __init__(self, text: str, *, code: Literal["provider.too_large", "provider.bad_response"]) -> None:
        super().__init__(text)
        self.code = code
