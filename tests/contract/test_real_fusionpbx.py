"""Over FusionPBX's own tables and first rows, with a real worker behind a real Redis: as on a fresh installation.

Nothing is written to XML files there: the switch asks FusionPBX's scripts, and they the database, through a cache.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import bcrypt
import pytest

from pbxapi.data.database import Database
from pbxapi.data.migrations import builtin_migrations, migrate
from pbxapi.sandbox.database import scratch_database
from pbxapi.sandbox.postgres import EmbeddedPostgres
from pbxapi.sandbox.process import held
from pbxapi.sandbox.redis import EmbeddedRedis
from pbxapi.sandbox.stack import Program
from pbxapi.testing import API_KEY, NODE, Pbx, Reply, close_pbx, make_pbx

ADD_KEY = """
insert into v_default_settings
  (default_setting_uuid, default_setting_category, default_setting_subcategory, default_setting_name,
   default_setting_value, default_setting_enabled)
values (gen_random_uuid(), 'api', 'secret_key', 'text', %(key)s, true)
"""
ALIVE = """
select exists (select from pbxapi.node where name = %(node)s and seen_at > to_timestamp(%(since)s)) as alive
"""
NUMBERS = itertools.count(7001)


@pytest.fixture(scope="module")
def real(
    postgres: EmbeddedPostgres, dump_template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Pbx]:
    """FusionPBX as its installer leaves it, the product beside it, and a switch that asks FusionPBX's scripts."""
    root = tmp_path_factory.mktemp("real")
    with ExitStack() as stack:
        lock = stack.enter_context(held(root))
        url = stack.enter_context(scratch_database(postgres, dump_template))
        redis = stack.enter_context(EmbeddedRedis.temporary())
        database = Database(url)
        stack.callback(database.close)
        migrate(database, builtin_migrations())
        with database.writing() as session:
            session.run(ADD_KEY, key=API_KEY)
        no_files = {"xml_extensions_dir": None, "xml_sip_profiles_dir": None, "xml_dialplan_dir": None}
        pbx = make_pbx(url, root, redis_url=redis.url, **no_files)
        stack.callback(close_pbx, pbx)
        environment = {
            "PBXAPI_FUSIONPBX_CONF": os.devnull,
            "PBXAPI_DATABASE_URL": url,
            "PBXAPI_REDIS_URL": redis.url,
            "PBXAPI_ESL_PORT": str(pbx.switch.port),
            "PBXAPI_NODE": NODE,
            "PBXAPI_CACHE_LOCATION": str(pbx.folders["cache"]),
            "PBXAPI_VOICEMAIL_DIR": str(pbx.folders["voicemail"]),
        }

        def alive(since: float) -> bool:
            with database.reading() as session:
                return bool(session.value(ALIVE, node=NODE, since=since))

        with database.writing() as session:
            session.run("update pbxapi.node set seen_at = null")
        worker = Program("worker", environment=environment, ready=alive, log=root / "worker.log", lock=lock)
        stack.callback(worker.stop)
        worker.start()
        yield pbx


def write(pbx: Pbx, resource: str, operation: str, uuid: str | None = None, body: Any = None) -> Reply:
    """A write that waits for the switch, and what it did to it."""
    reply = pbx.client.call(resource, operation, uuid, body, headers={"Prefer": "wait=10"})
    assert reply.status in (200, 201), reply.body
    assert reply.headers["Preference-Applied"] == "wait=10"
    assert reply.headers["X-Change-State"] == "applied"
    assert pbx.change(reply)["state"] == "applied"
    return reply


def made(reply: Reply) -> str:
    return str(next(iter(reply.data.values())))


def row(pbx: Pbx, table: str, column: str, value: str) -> dict[str, Any]:
    (found,) = pbx.rows(f"select * from {table} where {column}::text = %(value)s", value=value)
    return found


def own_domain(pbx: Pbx) -> Any:
    return row(pbx, "v_domains", "domain_name", pbx.domain)["domain_uuid"]


def cached(pbx: Pbx, key: str) -> Path:
    return pbx.folders["cache"] / key.replace(":", ".")


def test_an_extension_is_in_the_tables_as_fusionpbxs_own_page_writes_it(real: Pbx) -> None:
    number = str(next(NUMBERS))
    user = row(real, "v_users", "username", "admin")["user_uuid"]
    uuid = made(
        write(
            real,
            "extensions",
            "create",
            body={
                "extension": number,
                "effective_caller_id_name": "Sales",
                "user_uuid": str(user),
                "voicemail_enabled": "true",
                "voicemail_mail_to": "sales@example.com",
                "call_group": "",
            },
        )
    )
    extension = row(real, "v_extensions", "extension_uuid", uuid)
    expected = {
        "domain_uuid": own_domain(real),
        "extension": number,
        "number_alias": None,
        "effective_caller_id_name": "Sales",
        "effective_caller_id_number": number,
        "user_context": real.domain,
        "call_timeout": 30,
        "limit_max": "5",
        "limit_destination": "error/user_busy",
        "max_registrations": "1",
        "directory_visible": True,
        "directory_exten_visible": True,
        "do_not_disturb": False,
        "forward_all_enabled": False,
        "call_screen_enabled": False,
        "force_ping": False,
        "enabled": True,
        "call_group": None,
        "description": None,
        "user_record": None,
        "hold_music": None,
        "sip_bypass_media": None,
        "extension_type": "default",
    }
    assert {name: extension[name] for name in expected} == expected
    assert len(extension["password"]) == 16
    assert extension["insert_date"] is not None
    box = row(real, "v_voicemails", "voicemail_id", number)
    expected = {
        "domain_uuid": own_domain(real),
        "voicemail_id": number,
        "voicemail_mail_to": "sales@example.com",
        "voicemail_file": "attach",
        "voicemail_local_after_email": True,
        "voicemail_tutorial": True,
        "voicemail_transcription_enabled": False,
        "voicemail_enabled": True,
        "greeting_id": None,
    }
    assert {name: box[name] for name in expected} == expected
    assert box["voicemail_password"].isdigit()
    link = row(real, "v_extension_users", "extension_uuid", uuid)
    assert (link["user_uuid"], link["domain_uuid"]) == (user, own_domain(real))
    audit = row(real, "v_database_transactions", "transaction_type", "add")
    assert audit["app_name"] == "extensions"
    assert extension["password"] not in audit["transaction_new"]
    assert (real.folders["voicemail"] / "default" / real.domain / number).is_dir()


def test_an_extension_is_on_the_switch_when_its_write_is_answered(real: Pbx) -> None:
    number, later = str(next(NUMBERS)), str(next(NUMBERS))
    uuid = made(write(real, "extensions", "create", body={"extension": number, "password": "first-password"}))
    assert real.socket.api(f"user_exists id {number} {real.domain}") == "true"
    key = cached(real, f"directory:{number}@{real.domain}")
    assert key.exists(), "the switch has taken it into its cache"
    write(real, "extensions", "update", uuid, {"password": "second-password"})
    assert not key.exists()
    assert real.socket.api(f"user_data {number}@{real.domain} param password") == "second-password"
    assert key.exists()
    write(real, "extensions", "update", uuid, {"extension": later})
    assert not key.exists()
    assert real.socket.api(f"user_exists id {number} {real.domain}") == "false"
    assert real.socket.api(f"user_exists id {later} {real.domain}") == "true"
    write(real, "extensions", "update", uuid, {"enabled": "false"})
    assert real.socket.api(f"user_exists id {later} {real.domain}") == "false"
    write(real, "extensions", "update", uuid, {"enabled": "true"})
    assert real.socket.api(f"user_exists id {later} {real.domain}") == "true"
    write(real, "extensions", "delete", uuid)
    assert real.socket.api(f"user_exists id {later} {real.domain}") == "false"


def test_nothing_is_reloaded_where_nothing_is_read_from_files(real: Pbx) -> None:
    before = len(real.switch.commands)
    made(write(real, "extensions", "create", body={"extension": str(next(NUMBERS))}))
    assert not [command for command in real.switch.commands[before:] if "reloadxml" in command]
    assert not any(real.folders["extensions"].iterdir())


def sofia(pbx: Pbx, since: int) -> list[str]:
    """What the switch was told to do with its profiles."""
    return [command for command in pbx.switch.commands[since:] if "sofia profile" in command]


def test_a_gateway_comes_to_the_switch_changes_there_and_goes(real: Pbx) -> None:
    body = {"gateway": "carrier", "proxy": "sip.one.example.net", "register": "false"}
    before = len(real.switch.commands)
    uuid = made(write(real, "gateways", "create", body=body))
    assert sofia(real, before) == ["sofia profile external rescan"]
    assert "sip.one.example.net" in real.socket.api(f"sofia xmlstatus gateway {uuid}")
    gateway = row(real, "v_gateways", "gateway_uuid", uuid)
    assert (gateway["domain_uuid"], gateway["register"], gateway["enabled"]) == (own_domain(real), False, True)
    assert (gateway["expire_seconds"], gateway["retry_seconds"]) == (800, 30)

    key = cached(real, "switch1:configuration:sofia.conf")
    assert key.exists(), "the switch has taken its configuration into its cache"
    before = len(real.switch.commands)
    write(real, "gateways", "update", uuid, {"proxy": "sip.two.example.net"})
    assert sofia(real, before) == [
        f"sofia profile external killgw {uuid}",
        "sofia profile external rescan",
    ]
    assert "sip.two.example.net" in real.socket.api(f"sofia xmlstatus gateway {uuid}")
    assert real.client.get("gateways", uuid)["registration_status"] in ("running", "stopped", "error")

    before = len(real.switch.commands)
    write(real, "gateways", "update", uuid, {"enabled": "false"})
    assert sofia(real, before) == [f"sofia profile external killgw {uuid}"]
    assert "Invalid Gateway" in real.socket.api(f"sofia xmlstatus gateway {uuid}")
    write(real, "gateways", "update", uuid, {"enabled": "true"})
    assert "sip.two.example.net" in real.socket.api(f"sofia xmlstatus gateway {uuid}")

    before = len(real.switch.commands)
    write(real, "gateways", "delete", uuid)
    assert sofia(real, before) == [f"sofia profile external killgw {uuid}"]
    assert "Invalid Gateway" in real.socket.api(f"sofia xmlstatus gateway {uuid}")
    assert not key.exists()


def test_the_switch_is_told_in_the_spellings_of_all_fusionpbx_versions(real: Pbx) -> None:
    """5.5 keeps directory entries under a key that begins with the host's name."""
    number = str(next(NUMBERS))
    old = cached(real, f"switch1:directory:{number}@{real.domain}")
    new = cached(real, f"directory:{number}@{real.domain}")
    uuid = made(write(real, "extensions", "create", body={"extension": number}))
    for file in (old, new):
        file.write_text("<document/>")
    write(real, "extensions", "update", uuid, {"description": "new"})
    assert not old.exists()
    assert not new.exists()


def test_fusionpbxs_own_first_rows_can_be_read(real: Pbx) -> None:
    (admin,) = real.client.list("users")
    assert admin["username"] == "admin"
    assert real.client.get("users", admin["user_uuid"])["groups"][0]["group_name"] == "superadmin"
    (domain,) = real.client.list("domains")
    assert real.client.get("domains", domain["domain_uuid"])["counts"]["users"] == 1
    assert real.client.request("GET", "/dashboard/stats").data["users"] == {"total": 1}


def test_a_superadmin_of_fusionpbxs_own_cannot_be_deleted(real: Pbx) -> None:
    (admin,) = real.client.list("users")
    reply = real.client.call("users", "delete", admin["user_uuid"])
    assert (reply.status, reply.error["message"]) == (403, "Cannot delete superadmin user")


def test_a_user_passes_fusionpbxs_password_rule_and_is_in_its_tables_as_its_own_page_writes_it(real: Pbx) -> None:
    password = "Spring-Rain-2026"
    body = {
        "username": "msmith",
        "password": password,
        "user_email": "m.smith@example.com",
        "user_language": "en-us",
        "user_time_zone": "America/Chicago",
        "contact_name_given": "Mary",
        "contact_name_family": "Smith",
        "contact_email": "m.smith@example.com",
        "groups": ["user"],
    }
    uuid = made(write(real, "users", "create", body=body))
    user = row(real, "v_users", "user_uuid", uuid)
    # FusionPBX verifies a hash that begins with $ by PHP's password_verify, which takes no salt.
    assert user["salt"] is None
    assert user["password"].startswith("$2y$10$")
    assert bcrypt.checkpw(password.encode(), user["password"].encode())
    assert str(user["user_enabled"]).lower() == "true"
    group = row(real, "v_user_groups", "user_uuid", uuid)
    assert group["group_name"] == "user"
    assert group["group_uuid"] == row(real, "v_groups", "group_name", "user")["group_uuid"]
    settings = real.rows(
        "select user_setting_category || '/' || user_setting_subcategory || '/' || user_setting_name as name,"
        " user_setting_value from v_user_settings where user_uuid::text = %(uuid)s order by 1",
        uuid=uuid,
    )
    assert [tuple(setting.values()) for setting in settings] == [
        ("domain/language/code", "en-us"),
        ("domain/time_zone/name", "America/Chicago"),
    ]
    contact = row(real, "v_contacts", "contact_uuid", str(user["contact_uuid"]))
    assert (contact["contact_type"], contact["contact_name_family"]) == ("user", "Smith")
