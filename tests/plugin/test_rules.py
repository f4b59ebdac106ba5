"""What a plugin cannot do with its SQL, however it is spelled; and what it still can."""

from __future__ import annotations

from pathlib import Path

import pytest

from pbxapi.data.jobs import refuse_secrets
from pbxapi.data.migrations import Migration
from pbxapi.data.statements import parse_statement, plain_sql
from pbxapi.plugin import Plugin, Record, Resource, Text
from pbxapi.plugin.rules import (
    PluginError,
    check_migrations,
    check_owner,
    check_plugin,
    check_statement,
    python_statements,
)

CATALOGUE = {
    "v_users": {"user_uuid": "uuid", "domain_uuid": "uuid", "username": "text", "password": "text"},
    "v_sip_profiles": {"sip_profile_uuid": "uuid", "sip_profile_name": "text"},
    "pbxapi.api_key": {"key_hash": "bytea"},
    "plugin_other.secret": {"word": "text"},
    "plugin_notes.note": {"note_uuid": "uuid", "domain_uuid": "uuid"},
}


def check(text: str) -> None:
    check_statement(parse_statement("get", text, "notes/get.sql", CATALOGUE), CATALOGUE, "plugin_notes")


@pytest.mark.parametrize(
    "text",
    [
        "select username from v_users where domain_uuid = %(domain_uuid)s",
        "select u.username from v_users as u where %(user)s = u.user_uuid and u.domain_uuid=%(domain_uuid)s",
        "select username from v_users where domain_uuid is not distinct from %(domain_uuid)s",
        "select username from v_users where (%(domains)s::uuid[] is null or domain_uuid = any(%(domains)s))",
        "insert into v_users (domain_uuid, username) values (%(domain_uuid)s, %(username)s)",
        "insert into v_users (domain_uuid, username) select %(domain_uuid)s, '$$ E'' pg_stats'",
        'with mine as (select 1 as one from "v_users" where domain_uuid = %(domain_uuid)s) select one from mine',
        "select note_uuid from plugin_notes.note where domain_uuid = %(domain_uuid)s",
        "select sip_profile_name from v_sip_profiles",
        "select pg_notify('channel', '') as told",
        "select n.name from (select 'x' as name) as n",
    ],
)
def test_a_statement_within_the_domain_is_fine(text: str) -> None:
    check(text)


@pytest.mark.parametrize(
    "text",
    [
        "select username from v_users",
        # The parameter is there, and keeps nobody out.
        "select username from v_users where %(domain_uuid)s is not null",
        "select username, %(domain_uuid)s as domain from v_users",
        "select username from v_users where username <> %(domain_uuid)s::text",
        "select username from v_users where username = 'domain_uuid = %(domain_uuid)s'",
        "select username from v_users -- where domain_uuid = %(domain_uuid)s",
        "select username from v_users /* domain_uuid = %(domain_uuid)s */",
        "update v_users set username = %(domain_uuid)s",
        # The table is there, and looks like none.
        'select username from "v_users"',
        "select username from PUBLIC . V_USERS",
        'select username from public."v_users" as u',
        "select username from pbx.public.v_users",
        "select username from v_sip_profiles, v_users",
        "select note_uuid from plugin_notes . note",
        'select note_uuid from pbx.plugin_notes."note"',
        "with u as (delete from v_users returning username) select username from u",
        "select (select max(username) from v_users) as most",
        # The text's end is not where it seems.
        "select E'\\'' as one, username from v_users where '' = ''",
        "select $$'$$ as one, username from v_users where $$'$$ <> ''",
        "select $a$'$a$ as one, username from v_users where '' = ''",
        "select 1 as \"'\", username from v_users where '\"' <> ''",
        'select username from U&"v\\005fusers"',
        # PostgreSQL is asked to read it.
        "select query_to_xml('select password from v_users', true, false, '') as all_of_them",
        "select \"query_to_xml\"(%(text)s, true, false, '') as all_of_them",
        "select table_to_xml('v_users', true, false, '') as all_of_them",
        "select most_common_vals::text as some from pg_stats where tablename = 'v_users'",
        "select most_common_vals::text as some from pg_catalog.pg_stats where tablename = 'v_users'",
        "select query as said from pg_stat_activity",
        "select table_name from information_schema.tables",
        "select pg_read_file('/etc/fusionpbx/config.conf') as config",
        "select set_config('search_path', 'pbxapi', false) as done",
        # It is somebody else's.
        "select key_hash from pbxapi.api_key",
        'select key_hash from "pbxapi" . "api_key"',
        "select word from plugin_other.secret",
    ],
)
def test_a_statement_that_reaches_further_is_refused_with_its_place(text: str) -> None:
    with pytest.raises(PluginError, match=r"^notes/get\.sql: "):
        check(text)


@pytest.mark.parametrize(
    "text",
    [
        "alter table v_users add column note text",
        "do $$ begin execute 'alter table v_users add column note text'; end $$",
        "select query_to_xml('delete from v_users', true, false, '')",
        "select 1; drop table v_users",
        "with x as (select 1) insert into v_users select 1",
    ],
)
def test_what_defines_tables_is_no_statement(text: str) -> None:
    with pytest.raises((ValueError, PluginError)):
        check(text)


PYTHON = '''
"""Select what you like from here, or update the page and set it aside."""
GOOD = "select username from v_users where domain_uuid = %(domain_uuid)s"
MANY = f"""
select username from v_users where {'enabled'} and domain_uuid = %(domain_uuid)s
"""
BAD = (
    "select username"
    " from v_users"
)
ALSO = f"delete from {'v_users'} where username = %(name)s"
WORSE = f"delete from v_users where {'username'} = %(name)s"
'''


def test_the_statements_in_a_plugins_python_are_held_to_the_same(tmp_path: Path) -> None:
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "plugin.py").write_text(PYTHON, "utf-8")
    refused = []
    for statement in python_statements(tmp_path / "notes", CATALOGUE):
        try:
            check_statement(statement, CATALOGUE, "plugin_notes")
        except PluginError as error:
            refused.append(str(error).partition(": ")[0])
    assert refused == ["notes/plugin.py:8", "notes/plugin.py:12"]


@pytest.mark.parametrize(
    "text",
    [
        "create table note (u uuid primary key, domain_uuid uuid not null, text text default 'v_users; x');",
        "-- Of v_users; all.\ncreate unique index on note (text); /* v_users */ comment on table note is 'a';",
        "create table plugin_notes.note (u uuid); insert into note (u) values (gen_random_uuid());",
        "alter table note add column text text; update note set text = ''; drop index note_u_idx;",
        "create view open as select text from note; create type state as enum ('open');",
    ],
)
def test_a_migration_may_do_what_it_likes_with_its_own_tables(text: str) -> None:
    check_migrations([Migration("notes", "0001_first", plain_sql(text))])


@pytest.mark.parametrize(
    "text",
    [
        "alter table v_users add column note text;",
        'alter table public."v_users" add column note text;',
        "create index on v_users (username);",
        "create table note (user_uuid uuid references v_users (user_uuid));",
        "create table note (like v_users);",
        # A view or a copy would be a way to other tenants' rows.
        "create view everyone as select username, password from v_users;",
        "create table everyone as select username, password from public . v_users;",
        "insert into note select key_hash from pbxapi.api_key;",
        "insert into plugin_other.secret values ('x');",
        "update v_users set password = '';",
        # So would a function be, and a text that is run.
        "create function note() returns text language sql as 'select max(password) from v_' || 'users';",
        "create or replace function note() returns int language sql as 'select 1';",
        "create trigger note before insert on note for each row execute function lo_unlink(1);",
        "create rule note as on insert to note do instead nothing;",
        "do $$ begin execute 'alter table v_' || 'users add column note text'; end $$;",
        "do 'begin execute ''drop table pbxapi.'' || ''job''; end';",
        "prepare x as select 1; execute x;",
        "insert into note select query_to_xml('select password from v_users', true, false, '');",
        "copy note from program 'id';",
        # What comes after the transaction cannot be undone.
        "commit; create table note (u uuid);",
        "create table note (u uuid); rollback; begin;",
        # Others' rights and settings.
        "grant select on note to public;",
        "alter role pbxapi superuser;",
        "create extension dblink;",
        "create schema others;",
        "set local search_path = pbxapi;",
        "set session authorization postgres;",
        "nonsense;",
    ],
)
def test_a_migration_that_does_more_is_refused(text: str) -> None:
    with pytest.raises(PluginError, match=r"^migration 0001_first"):
        check_migrations([Migration("notes", "0001_first", plain_sql(text))])


@pytest.mark.parametrize(
    "text",
    [
        "/* /* */ -- */ alter table v_users add column note text;\ncreate table note (u uuid);",
        "-- harmless\ralter table v_users add column note text;\ncreate table note (u uuid);",
    ],
)
def test_what_hides_in_a_comment_is_not_run(text: str) -> None:
    run = plain_sql(text)
    check_migrations([Migration("notes", "0001_first", run)])
    assert "v_users" not in run


class Note(Record):
    note_uuid = Text(dump_only=True)
    text = Text()


def resource(**more: object) -> Resource:
    return Resource(**{"name": "notes", "label": "Note", "id": "note_uuid", "schema": Note, **more})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("declared", "words"),
    [
        (resource(row=("note_uuid", "txt")), "notes: row names txt, which Note has not"),
        (resource(sort=("text",), order="-txt"), "notes: order names -txt, which sort has not"),
        (resource(name="My notes"), "the resource name 'My notes' is not lower-case letters"),
    ],
)
def test_a_name_of_nothing_is_told(declared: Resource, words: str) -> None:
    with pytest.raises(PluginError, match=f"^{words}"):
        check_plugin(Plugin(name="notes", version="1", resources=(declared,)), builtin=False)


@pytest.mark.parametrize("name", ["domain_uuid", "domain_name", "domains"])
def test_a_caller_cannot_say_whose_record_it_is(name: str) -> None:
    own = type("Owned", (Note,), {name: Text()})
    for declared in (resource(schema=own), resource(parameters={name: "x"})):
        with pytest.raises(PluginError, match=f"notes: {name} is a name of pbxapi's own"):
            check_owner(declared, declared.schema())


@pytest.mark.parametrize(
    "arguments",
    [
        {"password": "x"},
        {"record": {"name": "a", "pin": "1"}},
        {"records": [{"api_key": "x"}]},
        {"sauce": "x"},
        {"harmless": "correct horse"},
        {"harmless": ["a", {"b": "the correct horse runs"}]},
    ],
)
def test_a_secret_is_refused_however_deep_and_under_whatever_name(arguments: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="may be a secret: pass the record's uuid"):
        refuse_secrets(arguments, frozenset({"sauce"}), {"correct horse", "1001"})


def test_what_may_be_the_same_by_chance_is_no_secret() -> None:
    refuse_secrets({"extension": "1001", "name": "horse"}, frozenset({"sauce"}), {"correct horse", "1001"})
