"""FusionPBX's settings: the default ones, and a domain's own before them."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import UUID, uuid4

import pytest

from pbxapi.data.database import Database, Session
from pbxapi.data.settings import Settings, read_settings
from pbxapi.sandbox.sample import DOMAIN_UUID, SECOND_DOMAIN_UUID

DEFAULT = """
insert into v_default_settings
  (default_setting_uuid, default_setting_category, default_setting_subcategory, default_setting_name,
   default_setting_value, default_setting_enabled, default_setting_order)
values (gen_random_uuid(), 'test', %(name)s, 'text', %(value)s, %(enabled)s, %(place)s)
"""
OWN = """
insert into v_domain_settings
  (domain_setting_uuid, domain_uuid, domain_setting_category, domain_setting_subcategory, domain_setting_name,
   domain_setting_value, domain_setting_enabled, domain_setting_order)
values (gen_random_uuid(), %(domain)s, 'test', %(name)s, 'text', %(value)s, %(enabled)s, %(place)s)
"""


@pytest.fixture
def session(database_url: str) -> Iterator[Session]:
    database = Database(database_url)
    with database.writing() as session:
        yield session
    database.close()


def default(
    session: Session, name: str, value: str | None, enabled: bool = True, place: int | None = None
) -> None:
    session.run(DEFAULT, name=name, value=value, enabled=enabled, place=place)


def own(session: Session, domain: UUID, name: str, value: str | None, enabled: bool = True) -> None:
    session.run(OWN, domain=domain, name=name, value=value, enabled=enabled, place=None)


def read(session: Session, domain: UUID | None, name: str) -> str | None:
    return read_settings(session, domain, [f"test/{name}"]).get(f"test/{name}")


def test_a_domains_own_setting_goes_before_the_default_one(session: Session) -> None:
    default(session, "colour", "red")
    own(session, DOMAIN_UUID, "colour", "blue")
    assert read(session, DOMAIN_UUID, "colour") == "blue"
    assert read(session, SECOND_DOMAIN_UUID, "colour") == "red"
    assert read(session, None, "colour") == "red"


def test_a_setting_that_is_off_or_empty_does_not_count(session: Session) -> None:
    default(session, "colour", "red")
    own(session, DOMAIN_UUID, "colour", "blue", enabled=False)
    own(session, DOMAIN_UUID, "colour", "")
    own(session, DOMAIN_UUID, "colour", None)
    assert read(session, DOMAIN_UUID, "colour") == "red"
    default(session, "size", "big", enabled=False)
    assert read(session, DOMAIN_UUID, "size") is None


def test_a_setting_of_a_domain_needs_no_default_one(session: Session) -> None:
    own(session, DOMAIN_UUID, "colour", "blue")
    assert read(session, DOMAIN_UUID, "colour") == "blue"
    assert read(session, SECOND_DOMAIN_UUID, "colour") is None


def test_several_settings_come_in_one_statement_and_no_others(session: Session) -> None:
    default(session, "colour", "red")
    default(session, "size", "big")
    default(session, "taste", "sour")
    before = session.statements_run
    found = read_settings(session, DOMAIN_UUID, ["test/colour", "test/size", "test/none"])
    assert session.statements_run == before + 1
    assert dict(found) == {"test/colour": "red", "test/size": "big"}
    assert len(found) == 2


def test_names_are_no_patterns(session: Session) -> None:
    default(session, "colour", "red")
    assert len(read_settings(session, uuid4(), ["test/%", "%", "test/colou_", "' or '1'='1"])) == 0


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("25", 25),
        ("25.0", 25),
        (" 7 ", 7),
        ("", None),
        ("many", None),
        ("1e3", 1000),
        ("nan", None),
        ("inf", None),
    ],
)
def test_a_number_is_one_or_none(text: str, number: int | None) -> None:
    assert Settings({"limit/x": text}).number("limit/x") == number
    assert Settings({}).number("limit/x") is None


@pytest.mark.parametrize(
    ("text", "on"), [("true", True), ("TRUE", True), ("1", True), ("false", False), ("", False), ("maybe", False)]
)
def test_a_flag_is_on_or_not(text: str, on: bool) -> None:
    assert Settings({"x/y": text}).on("x/y") is on
    assert Settings({}).on("x/y") is False
