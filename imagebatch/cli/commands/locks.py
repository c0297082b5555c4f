"""`lock show|release|mv|rm|doctor`: looking into the lock and mending it by hand."""

import click

from imagebatch.cli.opening import open_project, open_setup
from imagebatch.cli.options import FlagGroup, Shell, command, complete_addresses, locking, naming
from imagebatch.cli.views.findings import finding_lines, finding_object
from imagebatch.cli.views.foreign import json_text, shown, without_absent
from imagebatch.cli.views.wording import counted
from imagebatch.errors import EXIT_ERROR, EXIT_OK


@click.group("lock", cls=FlagGroup)
def lock() -> None:
    """Look into the lock, free a lease, rename or forget an entry."""


@command("show", json=True)
@naming
def show(shell: Shell, *, selectors: tuple[str, ...], exclude: tuple[str, ...]) -> int:
    """Show the lock's entries, and who holds the project."""
    from imagebatch.pipeline.lockwork import look_into

    found = look_into(open_setup(shell), selectors, exclude=exclude)
    if shell.json:
        document = {
            "format": "imagebatch-lock-show",
            "format_version": "1.0",
            "entries": {address: entry for text in found.blocks.values() for address, entry in entry_of(text)},
            **without_absent({"lineage": found.lineage, "held_by": found.owner, "held_on_remote_by": found.shared}),
        }
        shell.screen.json_line(json_text(document))
        return EXIT_OK
    paint = shell.screen.out_paint
    lines = [
        f"lineage  {found.lineage or 'none: there is no lock yet'}",
        f"entries  {found.total}",
        f"held by  {shown(found.owner or 'nobody')}",
    ]
    lines += [f"on the remote  {shown(found.shared)}"] if found.shared is not None else []
    if not selectors:
        lines += ["", *(f"  {shown(address)}  {paint(status, 'dim')}" for address, status in found.statuses.items())]
    for text in found.blocks.values() if selectors else ():
        lines += ["", *(shown(line, 20_000) for line in text.splitlines())]
    shell.screen.data("".join(f"{line}\n" for line in lines))
    return EXIT_OK


@command("release")
@click.argument("lease", required=False, metavar="[LEASE-ID]")
def release(shell: Shell, *, lease: str | None) -> int:
    """Remove the lease of a run that is gone; a living run's only by its id."""
    from imagebatch.pipeline.lockwork import release_lease_of

    owner = release_lease_of(open_setup(shell), lease)
    shell.screen.lines(
        [f"Released the lease of {shown(owner)}." if owner else "Nothing to do: nobody holds this project."]
    )
    return EXIT_OK


@command("mv")
@click.argument("source", metavar="FROM", shell_complete=complete_addresses)
@click.argument("target", metavar="TO")
@locking
def mv(shell: Shell, *, source: str, target: str, lock_timeout: float) -> int:
    """Give an entry another address; its files are renamed by the next apply."""
    from imagebatch.pipeline.lockwork import rename

    rename(open_project(shell), source, target, lock_timeout_s=lock_timeout)
    shell.screen.lines([f"Moved {shown(source)} to {shown(target)}. Next: imagebatch apply"])
    return EXIT_OK


@command("rm")
@click.argument("addresses", nargs=-1, required=True, metavar="ADDRESS...", shell_complete=complete_addresses)
@click.option("--even-if-open", is_flag=True, help="Also what is protected, pending or in doubt.")
@locking
def rm(shell: Shell, *, addresses: tuple[str, ...], even_if_open: bool, lock_timeout: float) -> int:
    """Take entries out of the lock; files and pictures stay where they are."""
    from imagebatch.pipeline.lockwork import forget

    forget(open_project(shell), addresses, force=even_if_open, lock_timeout_s=lock_timeout)
    shell.screen.lines([f"Forgot {counted(len(addresses), 'entry', 'entries')}."])
    return EXIT_OK


@command("doctor", json=True)
def doctor(shell: Shell) -> int:
    """Look for what is wrong with lock and journal, and say the next step; changes nothing."""
    from imagebatch.pipeline.doctor import examine

    found = examine(open_setup(shell))
    bad, here = any(one.state == "bad" for one in found), shell.screen.from_here
    if shell.json:
        head = {"format": "imagebatch-lock-doctor", "format_version": "1.0"}
        shell.screen.json_line(json_text({**head, "findings": [finding_object(one, here) for one in found]}))
        return EXIT_ERROR if bad else EXIT_OK
    lines = [line for one in found for line in finding_lines(one, shell.screen.out_paint, here)]
    shell.screen.data("".join(f"{line}\n" for line in lines))
    return EXIT_ERROR if bad else EXIT_OK


def entry_of(text: str) -> tuple[tuple[str, object], ...]:
    """A block's address and its entry as JSON."""
    import json

    return tuple(json.loads("{" + text.rstrip().rstrip(",") + "}").items())


for one in (show, release, mv, rm, doctor):
    lock.add_command(one)
