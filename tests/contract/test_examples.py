"""The contract's examples, kept as data in examples/, each played through both families of URLs.

examples/README.md says how they are written.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pbxapi.sandbox.sample import uuid_of
from pbxapi.testing import API_KEY, Family, Reply

HERE = Path(__file__).parent
ENDPOINTS = json.loads((HERE / "endpoints.json").read_text())
FAMILIES: tuple[Family, ...] = ("php", "clean")

SHAPES = {
    "<uuid>": r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}",
    "<text>": r"(?s).*",
}
NEW_UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[47][0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}"
ENVELOPE = ("data", "message", "warnings", "pagination", "error")


def read_examples() -> Iterator[Any]:
    for path in sorted((HERE / "examples").glob("*.json")):
        for name, example in json.loads(path.read_text()).items():
            steps = example if isinstance(example, list) else example["steps"]
            families = FAMILIES if isinstance(example, list) else (example["only"],)
            yield pytest.param(path.stem, families, steps, id=f"{path.stem}: {name}")


class Play:
    """One example on its way through one family."""

    def __init__(self, twin: Any, family: Family, resource: str) -> None:
        self.twin = twin
        self.family = family
        self.resource = resource
        self.kept: dict[str, Any] = {"today": datetime.now(UTC).date()}
        self._random: dict[str, str] = {}

    def step(self, step: Mapping[str, Any]) -> Any:
        """Do a step and check it; what came back, with everything random replaced by its shape."""
        if step.get("apply"):
            return self.twin.pbx.apply()
        if "switch" in step:
            return self.tell_switch(step["switch"], self.fill(step.get("with")))
        if "run" in step:
            return self.twin.pbx.run(step["run"], **self.fill(step.get("with", {})))
        if "select" in step:
            rows = self.twin.pbx.rows(step["select"], **self.fill(step.get("with", {})))
            return self.check(step["rows"], json.loads(json.dumps(rows, default=str)), "rows")
        reply = self.send(step)
        answer = {**step["answer"], **step["answer"].get(self.family, {})}
        assert reply.status == answer["status"], f"{reply.status}: {reply.body}"
        named = {name for name in ENVELOPE if name in answer} | {"success"}
        # Whoever sends what this version has no column for is warned.
        told = {"warnings"} if self.twin.absent else set()
        assert set(reply.body) | told == named | told, f"the answer holds {sorted(reply.body)}"
        assert reply.body["success"] is (reply.status < 400)
        seen = {name: self.check(answer[name], reply.body[name], name) for name in sorted(named - {"success"})}
        for name, expected in answer.get("headers", {}).items():
            self.check(expected, reply.headers.get(name), name)
        for row in reply.data if "columns" in answer else ():
            assert list(row) == answer["columns"], f"a row holds {list(row)}"
        if "keep" in step:
            record = reply.data[0] if isinstance(reply.data, list) else reply.data
            name, _, field = step["keep"].partition(" = ")
            self.kept[name] = record[field] if field else next(iter(record.values()))
        return {"status": reply.status, **seen}

    def tell_switch(self, command: str, arguments: Any) -> None:
        """Make something happen on the switch."""
        text = command if arguments is None else f"{command} {json.dumps(arguments)}"
        answer = self.twin.pbx.switch.control(text)
        assert not answer.startswith("-ERR"), answer

    def send(self, step: Mapping[str, Any]) -> Reply:
        method, path, query = self.place(step)
        pbx = self.twin.pbx
        headers = {"X-API-Key": API_KEY, "X-Domain": pbx.domain, **self.fill(step.get("headers", {}))}
        response = pbx.app.test_client().open(
            pbx.config.url_prefix + path,
            method=method,
            query_string={**query, **self.fill(step.get("query", {}))},
            headers={name: value for name, value in headers.items() if value is not None},
            data=self.body(step),
        )
        return Reply(response.status_code, response.get_json(), dict(response.headers))

    def body(self, step: Mapping[str, Any]) -> bytes | None:
        if "raw" in step:
            return str(step["raw"]).encode() * int(step.get("times", 1))
        return json.dumps(self.fill(step["send"])).encode() if "send" in step else None

    def place(self, step: Mapping[str, Any]) -> tuple[str, str, dict[str, str]]:
        """Method, path and query of a step's request."""
        if "request" in step:
            request = step["request"]
            method, url = (request if isinstance(request, str) else request[self.family]).split(" ", 1)
            path, _, query = self.fill(url).partition("?")
            return method, path, dict([query.split("=", 1)] if query else [])
        endpoint = ENDPOINTS[step.get("resource", self.resource)][step["do"]]
        text = endpoint["php"] if self.family == "php" else endpoint["clean"][step.get("verb", 0)]
        method, path = text.split(" ")
        uuid = self.fill(step["record"]) if "record" in step else ""
        if path.endswith("?uuid="):
            return method, path.removesuffix("?uuid="), {"uuid": uuid}
        return method, path.replace("<uuid>", uuid), {}

    def fill(self, value: Any) -> Any:
        """Put in what was kept (`<<name>>`) and the uuids of sample records (`<<kind/key/key>>`)."""
        if isinstance(value, dict):
            return {name: self.fill(item) for name, item in value.items()}
        if isinstance(value, list):
            return [self.fill(item) for item in value]
        return re.sub(r"<<([^>]+)>>", self._known, value) if isinstance(value, str) else value

    def _known(self, found: re.Match[str]) -> str:
        name = found[1]
        return str(uuid_of(*name.split("/"))) if "/" in name else str(self.kept[name])

    def _calm(self, value: Any) -> Any:
        """A value that no example names, with new records' uuids as numbers, so that families can be compared."""
        if isinstance(value, dict):
            return {name: self._calm(item) for name, item in value.items()}
        if isinstance(value, list):
            return [self._calm(item) for item in value]
        if isinstance(value, str) and re.fullmatch(NEW_UUID, value):
            return self._random.setdefault(value, f"<new {len(self._random)}>")
        return value

    def check(self, expected: Any, found: Any, where: str) -> Any:
        """Compare, and give back what was found without what is random."""
        match expected:
            case {"one of": choices}:
                assert found in choices, f"{where} is {found!r}"
            case dict():
                assert isinstance(found, dict), f"{where} is {found!r}, not an object"
                missing = sorted(set(expected) - set(found) - self.twin.absent)
                assert not missing, f"{where} has no {missing}, only {sorted(found)}"
                if where in ("pagination", "error"):
                    more = set(found) - set(expected) - {"errors"}
                    assert not more, f"{where} holds {sorted(more)} besides"
                return {
                    n: self.check(expected[n], v, f"{where}.{n}") if n in expected else self._calm(v)
                    for n, v in found.items()
                }
            case list():
                assert isinstance(found, list), f"{where} is {found!r}, not a list"
                assert len(found) == len(expected), f"{where} has {len(found)} entries: {found}"
                pairs = enumerate(zip(expected, found, strict=True))
                return [self.check(wanted, had, f"{where}.{place}") for place, (wanted, had) in pairs]
            case "<integer>":
                assert type(found) is int, f"{where} is {found!r}, not an integer"
            case "<any>":
                pass
            case str():
                pattern = SHAPES.get(expected)
                if len(expected) > 1 and expected[0] == expected[-1] == "/":
                    pattern = expected[1:-1]
                if pattern is None:
                    assert found == self.fill(expected), f"{where} is {found!r}, not {self.fill(expected)!r}"
                else:
                    assert isinstance(found, str), f"{where} is {found!r}, not {expected}"
                    assert re.fullmatch(pattern, found), f"{where} is {found!r}, not {expected}"
            case _:
                assert type(found) is type(expected), f"{where} is {found!r}, not {expected!r}"
                assert found == expected, f"{where} is {found!r}, not {expected!r}"
        return expected


@pytest.mark.parametrize(("resource", "families", "steps"), list(read_examples()))
def test_an_example_of_the_contract_holds(
    twins: Mapping[Family, Any], resource: str, families: tuple[Family, ...], steps: list[Any]
) -> None:
    plays = [Play(twins[family], family, resource) for family in families]
    for number, step in enumerate(steps, 1):
        seen = []
        for play in plays:
            try:
                seen.append(play.step(step))
            except AssertionError as error:
                raise AssertionError(f"{play.family}, step {number}: {error}\n{json.dumps(step)}") from None
        if not set(FAMILIES) & set(step.get("answer", {})):
            assert all(one == seen[0] for one in seen), f"step {number} differs by family: {seen}"


@pytest.mark.parametrize(
    ("expected", "found"),
    [
        ("<uuid>", "17"),
        ({"a": 1}, [1]),
        ({"a": 1}, {}),
        ([1], [1, 2]),
        ("/x+/", "y"),
        (1, True),
        ("<integer>", "1"),
        ("a", "b"),
        ({"one of": ["a", None]}, "b"),
    ],
)
def test_the_judge_can_say_no(expected: Any, found: Any) -> None:
    with pytest.raises(AssertionError):
        Play(SimpleNamespace(absent=frozenset()), "php", "").check(expected, found, "data")


def test_every_error_code_of_the_contract_has_an_example() -> None:
    codes = {
        "UNAUTHORIZED": 401,
        "MISSING_DOMAIN": 400,
        "INVALID_DOMAIN": 400,
        "VALIDATION_ERROR": 400,
        "DUPLICATE_ERROR": 409,
        "NOT_FOUND": 404,
        "FORBIDDEN": 403,
        "METHOD_NOT_ALLOWED": 405,
        "NOT_IMPLEMENTED": 501,
        "CONFIG_ERROR": 500,
        "MISSING_UUID": 400,
        "SWITCH_UNAVAILABLE": 503,
    }
    told = set()
    for example in read_examples():
        for step in example.values[2]:
            answer = step.get("answer", {})
            if isinstance(answer.get("error"), dict):
                told.add((answer["error"]["code"], answer["status"]))
    assert set(codes.items()) <= told


def test_every_endpoint_of_the_contract_has_an_example() -> None:
    played = {
        (step.get("resource", example.values[0]), step["do"])
        for example in read_examples()
        for step in example.values[2]
        if "do" in step
    }
    assert {(resource, name) for resource, operations in ENDPOINTS.items() for name in operations} <= played
