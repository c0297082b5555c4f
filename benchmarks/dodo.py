"""The same job for doit: a task for each row of the table, up to date while its request and its output are there."""

import csv
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from doit.tools import config_changed  # type: ignore[import-not-found]  # doit has an environment of its own

DOIT_CONFIG = {"backend": "json", "dep_file": "doit.json", "verbosity": 0}
ROOT = Path(os.environ["BENCHMARK_PROJECT"])


def _nothing() -> None:
    """Stands for drawing the picture, which is not what is measured."""


def task_product() -> Iterator[dict[str, Any]]:
    """One task a picture."""
    with (ROOT / "data" / "products.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            yield {
                "name": row["sku"],
                "actions": [_nothing],
                "uptodate": [config_changed(json.dumps(row, sort_keys=True))],
                "targets": [str(ROOT / "outputs" / row["shelf"] / f"{row['sku']}.jpg")],
            }
