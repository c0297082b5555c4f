"""`protect` and `unprotect`: what no redraw and no removal touches."""

from imagebatch.cli.opening import open_project
from imagebatch.cli.options import Shell, command, locking, naming
from imagebatch.cli.views.foreign import shown
from imagebatch.cli.views.wording import counted
from imagebatch.errors import EXIT_OK


@command("protect", named=())
@naming
@locking
def protect(shell: Shell, *, selectors: tuple[str, ...], exclude: tuple[str, ...], lock_timeout: float) -> int:
    """Keep pictures from being redrawn, forgotten or deleted; remembered in the lock."""
    return _hold(shell, selectors, exclude, held=True, lock_timeout=lock_timeout)


@command("unprotect", named=())
@naming
@locking
def unprotect(shell: Shell, *, selectors: tuple[str, ...], exclude: tuple[str, ...], lock_timeout: float) -> int:
    """Take `protect` back; what a manifest protects stays protected."""
    return _hold(shell, selectors, exclude, held=False, lock_timeout=lock_timeout)


def _hold(
    shell: Shell, selectors: tuple[str, ...], exclude: tuple[str, ...], *, held: bool, lock_timeout: float
) -> int:
    from imagebatch.pipeline.lockwork import hold

    changed = hold(open_project(shell), selectors, exclude=exclude, held=held, lock_timeout_s=lock_timeout)
    word = "Protected" if held else "Unprotected"
    if not changed:
        shell.screen.lines(["Nothing to do: all of these are as asked."])
    else:
        shell.screen.lines([f"{word} {counted(len(changed), 'picture')}:", *(f"  {shown(one)}" for one in changed)])
    return EXIT_OK
