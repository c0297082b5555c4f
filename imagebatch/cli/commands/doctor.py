"""`doctor`: what stands in the way here, and (with --chaos) whether a provider keeps the promises."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from imagebatch.cli.opening import open_setup
from imagebatch.cli.options import DURATION, Shell, command, flag
from imagebatch.cli.views.findings import finding_lines, finding_object
from imagebatch.cli.views.foreign import json_text
from imagebatch.errors import EXIT_ERROR, EXIT_OK, UsageError

if TYPE_CHECKING:
    from imagebatch.chaos.suite import Proof
    from imagebatch.pipeline.doctor import Finding

_FORMAT = {"format": "imagebatch-doctor", "format_version": "1.0"}
_FACES = ("all-images", "aigne-hub", "openai")


@command("doctor", json=True)
@flag("--online", "online", is_flag=True, help="Also ask the providers; read-only calls that cost nothing.")
@click.option("--chaos", "chaos", metavar="PROVIDER", help="Prove a provider type, a plug-in's too, on this machine.")
@click.option("--face", type=click.Choice(_FACES), help="The simulator's API that the type speaks.")
@click.option("--base-url", metavar="URL", help="A test server of your own, on loopback only.")
@click.option("--param", "params", multiple=True, metavar="K=V", help="A param of a request that the server draws.")
@click.option("--profile", "profiles", multiple=True, metavar="NAME", help="Only this weather; several are allowed.")
@click.option("--seed", type=click.IntRange(min=0), default=1, show_default=True, help="The same seed, the same kills.")
@click.option("--runs", type=click.IntRange(1, 1000), default=3, show_default=True, help="Killed runs of each profile.")
@click.option("--seconds", type=DURATION, default=900.0, metavar="S", help="Stop after S.  [default: 15m]")
def doctor(
    shell: Shell,
    *,
    online: bool,
    chaos: str | None,
    face: str | None,
    base_url: str | None,
    params: tuple[str, ...],
    profiles: tuple[str, ...],
    seed: int,
    runs: int,
    seconds: float,
) -> int:
    """Check a project and this machine, or prove that a provider never pays twice (--chaos).

    Exit code 1 where something is bad. Nothing is sent without --online, and nothing is changed.
    """
    if chaos is None:
        if face or base_url or params or profiles:
            raise UsageError(
                "these flags belong to --chaos",
                "--face, --base-url, --param and --profile say how a provider is tried.",
                hints=("imagebatch doctor --chaos PROVIDER",),
            )
        return _check_up(shell, online=online)
    if online:
        raise UsageError("--chaos asks nobody", "A provider is tried on this machine only; leave --online out.")
    from imagebatch.chaos.kit import ask_about
    from imagebatch.chaos.suite import prove
    from imagebatch.chaos.trial import plan_trial
    from imagebatch.pipeline.oneshot import parse_params

    trial = plan_trial(
        chaos, ask_about(chaos), face=face, base_url=base_url, params=dict(parse_params(params)),
        profiles=_weather(profiles), seed=seed, runs=runs, seconds=seconds,
    )  # fmt: skip
    proof = prove(trial, shell.screen.say)
    _show_proof(shell, proof)
    return EXIT_OK if proof.verdict == "kept" else EXIT_ERROR


def _check_up(shell: Shell, *, online: bool) -> int:
    from imagebatch.doctor.checkup import Checkup, check_up

    screen = shell.screen
    wanted = Checkup(
        setup=open_setup(shell),
        online=online,
        encoding=getattr(screen.out, "encoding", None) or "",
        term=shell.environ.get("TERM", ""),
        columns=screen.columns,
        variables=frozenset(_variables()),
    )
    found: list[Finding] = []
    for one in check_up(wanted):
        found.append(one)
        if not shell.json:
            screen.data("".join(f"{line}\n" for line in finding_lines(one, screen.out_paint, screen.from_here)))
    bad, looks = (sum(one.state == state for one in found) for state in ("bad", "look"))
    if shell.json:
        objects = [finding_object(one, screen.from_here) for one in found]
        screen.json_line(json_text({**_FORMAT, "findings": objects, "bad": bad, "look": looks}))
    else:
        screen.lines(["", f"{len(found)} looked at: {bad} bad, {looks} worth a look."])
    return EXIT_ERROR if bad else EXIT_OK


def _variables() -> Iterator[str]:
    """The environment variables of all flags of all commands."""
    from imagebatch.cli.main import build

    def below(group: click.Group, ctx: click.Context) -> Iterator[str]:
        for name in group.list_commands(ctx):
            one = group.get_command(ctx, name)
            if isinstance(one, click.Group):
                yield from below(one, click.Context(one, info_name=name, parent=ctx))
            elif one is not None:
                yield from (str(param.envvar) for param in one.params if isinstance(param.envvar, str))

    whole = build()
    yield from below(whole, click.Context(whole, info_name="imagebatch"))


def _weather(names: tuple[str, ...]) -> tuple[str, ...]:
    from imagebatch.chaos.weather import PROFILES

    unknown = sorted(set(names) - set(PROFILES))
    if unknown:
        raise UsageError("no such profile", f"{', '.join(unknown)} is not among: {', '.join(PROFILES)}.")
    return names or PROFILES


def _show_proof(shell: Shell, proof: "Proof") -> None:
    from imagebatch.cli.views.proof import proof_lines, proof_object

    if shell.json:
        shell.screen.json_line(json_text(proof_object(proof)))
    else:
        shell.screen.data("".join(f"{line}\n" for line in proof_lines(proof, shell.screen.out_paint)))
