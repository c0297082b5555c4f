"""What planning needs of this package loads no HTTP library and no picture library."""

import subprocess
import sys
from pathlib import Path

LIGHT = ["trust", "trustfile", "retry", "addresses", "errors", "spool", "limits", "clock", "bodies"]
LIGHT_OUTPUTS = [
    "disk",
    "fingerprint",
    "paths",
    "store",
    "tree",
    "develop",
    "download",
    "workers",
    "picture",
    "formats",
]
HEAVY = "httpx aiohttp stamina tenacity PIL idna"


def test_the_light_modules_load_nothing_heavy() -> None:
    modules = [f"imagebatch.http.{name}" for name in LIGHT] + [f"imagebatch.outputs.{name}" for name in LIGHT_OUTPUTS]
    code = f"import sys, {', '.join(modules)}\nprint([one for one in {HEAVY.split()!r} if one in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=Path.cwd())
    assert done.stdout.strip() == "[]"


def test_the_client_keeps_httpx_from_loading_its_own_command_line() -> None:
    code = "import rich, click, sys, imagebatch.http.client\nprint(any('pygments' in name for name in sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=Path.cwd())
    assert done.stdout.strip() == "False"
