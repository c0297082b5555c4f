"""Other programs at the same job: how each is called where nothing is to be done, or why it cannot be measured here."""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from measuring import BenchmarkError, timed

HERE = Path(__file__).resolve().parent
VENV = HERE / ".peers"
TERRAFORM_UP_TO = 1_000  # it grows with the square: 3,000 resources take a quarter of a minute


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """A program, ready to be measured: everything is done already, so that a run of it finds nothing to do."""

    name: str
    command: Sequence[str] = ()
    cwd: Path = HERE
    env: Mapping[str, str] = field(default_factory=dict)
    says: str = ""
    why_not: str | None = None


def doit(place: Path, project: Path, size: int) -> Peer:
    """doit with a task for each variant; installed into `benchmarks/.peers` where it is not there yet."""
    try:
        program = _doit_program()
    except (OSError, subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
        return Peer(name="doit", why_not=f"it cannot be installed here ({type(error).__name__})")
    folder = place / f"doit-{size}"
    folder.mkdir(exist_ok=True)
    env = {"PATH": os.environ.get("PATH", ""), "BENCHMARK_PROJECT": str(project)}
    command = [str(program), "-f", str(HERE / "dodo.py"), "-d", str(folder)]
    if not (folder / "doit.json").exists():
        timed(command, cwd=folder, env=env)
    last = timed(command, cwd=folder, env=env).output.splitlines()[-1:]
    if not last or not last[0].startswith("-- "):
        raise BenchmarkError(f"doit did not find its tasks up to date: {last}")
    return Peer(name="doit", command=command, cwd=folder, env=env, says=last[0])


def terraform(place: Path, project: Path, size: int) -> Peer:
    """Terraform with a `terraform_data` resource for each variant, without locks, network or update checks."""
    del project
    name = "terraform plan"
    program = shutil.which("terraform")
    if program is None:
        return Peer(name=name, why_not="it is not installed")
    if size > TERRAFORM_UP_TO:
        return Peer(name=name, why_not=f"measured up to {TERRAFORM_UP_TO:,} only, because it grows with the square")
    folder = place / f"terraform-{size}"
    folder.mkdir(exist_ok=True)
    (folder / "none.tfrc").write_text("", encoding="utf-8")
    env = {
        "PATH": os.environ.get("PATH", ""),
        "HOME": str(folder),
        "CHECKPOINT_DISABLE": "1",
        "TF_CLI_CONFIG_FILE": str(folder / "none.tfrc"),
        "TF_IN_AUTOMATION": "1",
    }
    resources = "".join(
        f'resource "terraform_data" "product_{number:06d}" {{\n  input = "product photograph number {number:06d}"\n}}\n'
        for number in range(size)
    )
    try:
        if not (folder / "terraform.tfstate").exists():
            (folder / "main.tf").write_text(resources, encoding="utf-8")
            timed([program, "init", "-input=false", "-no-color"], cwd=folder, env=env)
            timed([program, "apply", "-auto-approve", "-input=false", "-no-color"], cwd=folder, env=env)
    except BenchmarkError as error:
        return Peer(name=name, why_not=f"it does not run here ({str(error).splitlines()[0]})")
    command = [program, "plan", "-input=false", "-no-color", "-lock=false"]
    return Peer(name=name, command=command, cwd=folder, env=env, says="No changes.")


def _doit_program() -> Path:
    program = VENV / "bin" / "doit"
    if not program.exists():
        subprocess.run([sys.executable, "-m", "venv", str(VENV)], check=True, capture_output=True, timeout=300)
        (VENV / ".gitignore").write_text("*\n", encoding="utf-8")
        quiet = ["install", "--quiet", "--disable-pip-version-check", "doit==0.37.0"]
        subprocess.run([str(VENV / "bin" / "pip"), *quiet], check=True, capture_output=True, timeout=300)
    return program
