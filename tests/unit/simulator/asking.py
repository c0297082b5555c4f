"""Bodies and small steps that several tests take with the All-Images.ai face."""

import time
from typing import Any

import httpx

Body = dict[str, Any]


def wanted(prompt: str = "a fox", **more: Any) -> Body:
    return {"name": "test", "mode": "simple", "prompt": prompt, **more}


def create(images: httpx.Client, prompt: str = "a fox", **more: Any) -> str:
    reply = images.post("/image-generations", json=wanted(prompt, **more))
    assert reply.status_code == 200, reply.text
    return str(reply.json()["id"])


def finished(images: httpx.Client, generation_id: str) -> Body:
    """Poll until a generation is done or in error, at most five seconds."""
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        shown: Body = images.get(f"/image-generations/{generation_id}").json()
        if shown["status"] in (3, 4):
            return shown
        time.sleep(0.01)
    raise AssertionError(f"still not finished: {shown}")
