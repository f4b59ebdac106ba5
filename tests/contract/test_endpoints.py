"""Every endpoint of the contract is served, or stands in the list of what is still to come."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from flask import Flask

HERE = Path(__file__).parent
NOT_YET = json.loads((HERE / "not_yet.json").read_text())
"""Resources without a plugin so far. A name goes from there when its plugin comes: the test of it then fails."""


def read_endpoints() -> Iterator[Any]:
    for resource, operations in json.loads((HERE / "endpoints.json").read_text()).items():
        marks = [pytest.mark.xfail(strict=True, reason=f"{resource} is not there yet")] * (resource in NOT_YET)
        for endpoint in operations.values():
            for text in (endpoint["php"], *endpoint["clean"]):
                yield pytest.param(*text.split(" "), id=text, marks=marks)


@pytest.mark.parametrize(("method", "path"), list(read_endpoints()))
def test_an_endpoint_of_the_contract_is_served(contract_app: Flask, method: str, path: str) -> None:
    path = path.removesuffix("?uuid=").replace("<uuid>", str(uuid4()))
    contract_app.url_map.bind("localhost").match("/api/v1" + path, method)


def test_only_resources_of_the_contract_are_still_to_come() -> None:
    assert set(NOT_YET) <= set(json.loads((HERE / "endpoints.json").read_text()))
