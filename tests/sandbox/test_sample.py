"""The sample data."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from xml.etree import ElementTree

import bcrypt
import psycopg
import pytest

from pbxapi.sandbox import sample
from pbxapi.sandbox.database import create_schema

TABLES = "select relname from pg_class where relkind = 'r' and relnamespace = 'public'::regnamespace"


def rows(url: str, statement: str, *values: object) -> list[tuple[Any, ...]]:
    with psycopg.connect(url) as connection:
        return connection.execute(statement, values).fetchall()


@pytest.fixture
def empty_url(postgres):
    url = postgres.create_database("empty")
    create_schema(url)
    yield url
    postgres.drop_database("empty")


def content(url: str) -> dict[str, list[str]]:
    with psycopg.connect(url) as connection:
        tables = [name for (name,) in connection.execute(TABLES)]
        return {
            table: sorted(text for (text,) in connection.execute(f"select t::text from {table} t"))
            for table in tables
        }


def test_the_sample_is_the_same_at_every_run(postgres, empty_url, sample_dirs):
    arguments: dict[str, Any] = {
        "key": "k",
        "xml_dirs": sample_dirs,
        "extensions": 30,
        "cdrs": 100,
        "now": datetime(2026, 3, 1, 12, tzinfo=UTC),
    }
    assert sample.fill(empty_url, **arguments)
    once = content(empty_url)
    postgres.drop_database("empty")
    create_schema(postgres.create_database("empty"))
    assert sample.fill(empty_url, **arguments)
    assert content(empty_url) == once
    assert len(once["v_xml_cdr"]) == 100
    assert len(once["v_extensions"]) == 30 + 3 + 2


def test_a_database_that_has_domains_is_left_alone(database_url, sample_dirs):
    before = content(database_url)
    assert not sample.fill(database_url, key="another", xml_dirs=sample_dirs)
    assert content(database_url) == before


def test_a_connection_that_is_in_a_transaction_stays_in_it(empty_url, sample_dirs):
    with psycopg.connect(empty_url) as connection:
        connection.execute("select 1")
        assert sample.fill(connection, key="k", xml_dirs=sample_dirs, extensions=10, cdrs=10)
        connection.rollback()
    assert rows(empty_url, "select count(*) from v_domains") == [(0,)]


def test_the_settings_name_the_key_and_the_folders(database_url, api_key, sample_dirs):
    settings = {
        f"{category}/{subcategory}": value
        for category, subcategory, value in rows(
            database_url,
            "select default_setting_category, default_setting_subcategory, default_setting_value"
            "  from v_default_settings where default_setting_enabled",
        )
    }
    assert settings["api/secret_key"] == api_key
    for name in ("extensions", "sip_profiles", "dialplan", "voicemail", "recordings"):
        assert settings[f"switch/{name}"] == str(sample_dirs[name])
    assert settings["cache/location"] == str(sample_dirs["cache"])
    assert settings["destinations/dialplan_mode"] == "single"
    assert not {"users/unique", "limit/extensions", "provision/path"} & settings.keys()


def test_one_domain_is_closed(database_url):
    assert sorted(rows(database_url, "select domain_uuid, domain_enabled from v_domains")) == sorted(
        [
            (sample.DOMAIN_UUID, True),
            (sample.SECOND_DOMAIN_UUID, True),
            (sample.CLOSED_DOMAIN_UUID, False),
        ]
    )


def test_every_row_that_refers_to_another_finds_it(database_url):
    references = {
        ("v_extension_users", "extension_uuid"): "v_extensions",
        ("v_extension_users", "user_uuid"): "v_users",
        ("v_user_groups", "group_uuid"): "v_groups",
        ("v_user_groups", "user_uuid"): "v_users",
        ("v_user_settings", "user_uuid"): "v_users",
        ("v_users", "contact_uuid"): "v_contacts",
        ("v_contact_emails", "contact_uuid"): "v_contacts",
        ("v_voicemail_messages", "voicemail_uuid"): "v_voicemails",
        ("v_device_lines", "device_uuid"): "v_devices",
        ("v_destinations", "dialplan_uuid"): "v_dialplans",
        ("v_dialplan_details", "dialplan_uuid"): "v_dialplans",
        ("v_sip_profile_settings", "sip_profile_uuid"): "v_sip_profiles",
        ("v_xml_cdr", "extension_uuid"): "v_extensions",
    }
    for (table, column), target in references.items():
        found = rows(
            database_url,
            f"select count(*), count(t.{column}) from {table} r left join {target} t using ({column})",
        )
        assert found[0][0] > 0, table
        assert found[0][0] == found[0][1], f"{table}.{column}"


def test_every_number_stands_for_one_thing_in_its_domain(database_url):
    assert (
        rows(
            database_url,
            """
            select domain_uuid, number from (
              select domain_uuid, extension as number from v_extensions
              union all select domain_uuid, number_alias from v_extensions where number_alias is not null
              union all select domain_uuid, dialplan_number from v_dialplans where app_uuid = %s
            ) as taken group by 1, 2 having count(*) > 1
            """,
            sample.TIME_CONDITION_APP,
        )
        == []
    )


def test_the_users_log_in_with_the_sample_password(database_url):
    hashes = {row[0] for row in rows(database_url, "select password from v_users")}
    assert len(hashes) == 1
    assert bcrypt.checkpw(sample.PASSWORD.encode(), hashes.pop().encode())


def test_a_superadmin_is_known_by_name_and_uuid(database_url):
    assert rows(
        database_url,
        "select user_uuid, group_uuid from v_user_groups where group_name = 'superadmin'",
    ) == [(sample.uuid_of("user", sample.DOMAIN, "admin"), sample.uuid_of("group", "superadmin"))]


def test_the_xml_of_a_dialplan_says_what_its_details_say(database_url):
    dialplans = rows(
        database_url, "select dialplan_uuid, dialplan_name, dialplan_context, dialplan_xml from v_dialplans"
    )
    assert len(dialplans) > 10
    for record, name, context, xml in dialplans:
        extension = ElementTree.fromstring(xml)
        assert (extension.get("uuid"), extension.get("name")) == (str(record), name)
        written = [
            (action.get("application"), action.get("data"), action.get("inline"))
            for action in extension.iter("action")
        ]
        actions = rows(
            database_url,
            "select dialplan_detail_type, coalesce(dialplan_detail_data, ''), dialplan_detail_inline"
            "  from v_dialplan_details"
            " where dialplan_uuid = %s and dialplan_detail_tag = 'action' order by dialplan_detail_order",
            record,
        )
        marks = 3 if context == "public" else 0  # direction and owner of calls from outside, by rule
        assert written[marks:] == actions


def test_the_hours_of_a_time_condition_are_one_condition(database_url):
    [(xml,)] = rows(
        database_url,
        "select dialplan_xml from v_dialplans where app_uuid = %s and domain_uuid = %s",
        sample.TIME_CONDITION_APP,
        sample.DOMAIN_UUID,
    )
    conditions = [dict(condition.attrib) for condition in ElementTree.fromstring(xml)]
    assert conditions == [
        {"field": "destination_number", "expression": "^500$"},
        {"wday": "2-6", "hour": "8-17", "break": "never"},
        {"field": "destination_number", "expression": "^500$"},
    ]


def test_calls_lie_in_the_last_thirty_days_and_end_in_every_way(database_url):
    statement = """
    select status, count(*), count(record_name),
           bool_and(start_stamp between now() - interval '30 days 1 minute' and now()),
           bool_and(end_stamp >= coalesce(answer_stamp, start_stamp)
                    and start_epoch = extract(epoch from start_stamp))
      from v_xml_cdr group by status
    """
    by_status = {status: numbers for status, *numbers in rows(database_url, statement)}
    assert by_status.keys() == {ending.status for ending in sample.ENDINGS}
    assert sum(count for count, *_ in by_status.values()) == 3000
    assert by_status["answered"][1] > 100
    assert all(recorded == 0 for status, (_, recorded, *_) in by_status.items() if status != "answered")
    assert all(recent and ordered for *_, recent, ordered in by_status.values())
    directions = dict(rows(database_url, "select direction, count(*) from v_xml_cdr group by 1"))
    assert directions.keys() == {"inbound", "outbound", "local"}
