"""What the tests of the contract share: two telephone systems that are made once and begin every test afresh."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import pytest
from flask import Flask

from pbxapi.changes.nodes import register
from pbxapi.http import callers
from pbxapi.sandbox.database import url_of_role
from pbxapi.sandbox.postgres import EmbeddedPostgres
from pbxapi.sandbox.versions import later_columns
from pbxapi.testing import NODE, Client, Family, Pbx, close_pbx, make_pbx

FAMILIES: tuple[Family, ...] = ("php", "clean")


@dataclass
class Twin:
    """A telephone system whose database is made anew for every test, while its application stays.

    Attributes:
        absent: the columns that this version of FusionPBX lacks.
    """

    pbx: Pbx
    client: Client
    name: str
    postgres: EmbeddedPostgres
    template: str
    absent: frozenset[str] = frozenset()

    def reset(self) -> None:
        """Begin afresh, with the sample data and a switch that is there and idle."""
        switch = self.pbx.switch
        switch.control("come_back")
        switch.registrations.clear()
        switch.calls.clear()
        for database in (self.pbx.database, self.pbx.app.extensions["pbxapi"].database):
            database.close()
        self.postgres.drop_database(self.name)
        self.postgres.create_database(self.name, self.template)
        with self.pbx.database.reading() as session:
            register(session, NODE)


@pytest.fixture(scope="session")
def made_twins(
    postgres: EmbeddedPostgres,
    template: str,
    tmp_path_factory: pytest.TempPathFactory,
    pytestconfig: pytest.Config,
) -> Iterator[dict[Family, Twin]]:
    """One system for each family of URLs, with the same data."""
    found: dict[Family, Twin] = {}
    for family in FAMILIES:
        name = f"twin_{family}_{secrets.token_hex(4)}"
        url = postgres.create_database(name, template)
        pbx = make_pbx(url, tmp_path_factory.mktemp(family), service_url=url_of_role(url))
        absent = later_columns(pytestconfig.getoption("--fusionpbx"))
        found[family] = Twin(pbx, pbx.client.through(family), name, postgres, template, absent)
    yield found
    for twin in found.values():
        close_pbx(twin.pbx)
        postgres.drop_database(twin.name)


@pytest.fixture
def twins(made_twins: dict[Family, Twin], monkeypatch: pytest.MonkeyPatch) -> Mapping[Family, Twin]:
    """One system for each family of URLs, as if just made; no key and no domain is believed for a second."""
    monkeypatch.setattr(callers, "SECONDS", 0.0)
    for twin in made_twins.values():
        twin.reset()
    return made_twins


@pytest.fixture(scope="session")
def contract_app(made_twins: Mapping[Family, Twin]) -> Flask:
    """An application with all built-in plugins."""
    return made_twins["clean"].pbx.app
