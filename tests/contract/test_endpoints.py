"""Every endpoint of the contract is served."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from flask import Flask

HERE = Path(__file__).parent


def read_endpoints() -> Iterator[Any]:
    for operations in json.loads((HERE / "endpoints.json").read_text()).values():
        for endpoint in operations.values():
            for text in (endpoint["php"], *endpoint["clean"]):
                yield pytest.param(*text.split(" "), id=text)


@pytest.mark.parametrize(("method", "path"), list(read_endpoints()))
def test_an_endpoint_of_the_contract_is_served(contract_app: Flask, method: str, path: str) -> None:
    path = path.removesuffix("?uuid=").replace("<uuid>", str(uuid4()))
    contract_app.url_map.bind("localhost").match("/api/v1" + path, method)
