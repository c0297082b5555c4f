"""What keeps one address from its end in this run; trying later may help, and nothing was lost."""


class Trouble(Exception):
    """Trouble with one address: `code` is dotted and stable, the text is one sentence for people."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
