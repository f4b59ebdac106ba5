"""The operator's settings: where they come from, which wins, and what is said about a wrong one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path

import pytest

from pbxapi import config
from pbxapi.config import Config, load_config, read_conf
from pbxapi.errors import ConfigError

URL = "postgresql://fusionpbx:secret@127.0.0.1/fusionpbx"

CONF = """\
#database system settings
database.0.type = pgsql
database.0.host = 127.0.0.1
database.0.port = 5432
database.0.sslmode=prefer
database.0.name = fusionpbx
database.0.username = fusionpbx
database.0.password = p@ss=w/rd%

#switch database
database.1.type = sqlite
database.1.path = /var/lib/freeswitch/db
database.1.name = core.db

; general
document.root = /var/www/fusionpbx
php.bin = php\x20
cache.method = file
cache.location = /var/cache/fusionpbx
switch.recordings.dir = /var/lib/freeswitch/recordings
switch.voicemail.dir = /var/lib/freeswitch/storage/voicemail
"""


@pytest.fixture(autouse=True)
def no_fusionpbx(monkeypatch: pytest.MonkeyPatch) -> None:
    """A host that has a FusionPBX must not change what these tests see."""
    monkeypatch.setattr(config, "FUSIONPBX_CONF_PLACES", ())
    monkeypatch.setattr(config, "SETTINGS_PLACE", "/nowhere/pbxapi.env")


@pytest.fixture
def conf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """FusionPBX's configuration file at the second of its places."""
    path = tmp_path / "etc" / "config.conf"
    path.parent.mkdir()
    path.write_text(CONF)
    monkeypatch.setattr(config, "FUSIONPBX_CONF_PLACES", (str(tmp_path / "nowhere"), str(path)))
    return path


def fault(environment: Mapping[str, str]) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        load_config({"PBXAPI_DATABASE_URL": URL, **environment})
    return caught.value


def test_a_fusionpbx_host_needs_no_variable(conf: Path) -> None:
    found = load_config({})
    assert found.database_url == (
        "postgresql://fusionpbx:p%40ss%3Dw%2Frd%25@127.0.0.1:5432/fusionpbx?sslmode=prefer"
    )
    assert (found.esl_host, found.esl_port, found.esl_password) == ("127.0.0.1", 8021, "ClueCon")
    assert found.cache_method == "file"
    assert found.cache_location == Path("/var/cache/fusionpbx")
    assert found.voicemail_dir == Path("/var/lib/freeswitch/storage/voicemail")
    assert found.recordings_dir == Path("/var/lib/freeswitch/recordings")
    assert found.redis_url == "redis://127.0.0.1:6379/0"
    assert found.node is None


def test_the_environment_wins_over_the_file_and_empty_counts_as_not_set(conf: Path) -> None:
    with conf.open("a") as file:
        file.write("switch.event_socket.port = 9021\nevent_socket.port = 9999\nevent_socket.password = old name\n")
    assert load_config({"PBXAPI_ESL_PORT": ""}).esl_port == 9021
    assert load_config({"PBXAPI_ESL_PORT": "7021"}).esl_port == 7021
    assert load_config({}).esl_password == "old name"
    assert load_config({"PBXAPI_DATABASE_URL": URL}).database_url == URL


def test_a_file_that_is_named_is_read_instead(conf: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.conf"
    other.write_text("database.0.name = other\n")
    assert load_config({"PBXAPI_FUSIONPBX_CONF": str(other)}).database_url == "postgresql:///other?sslmode=prefer"


def test_a_named_file_that_is_not_there_is_a_fault(conf: Path) -> None:
    with pytest.raises(ConfigError, match=r"^PBXAPI_FUSIONPBX_CONF: cannot be read: No such file") as caught:
        load_config({"PBXAPI_FUSIONPBX_CONF": "/nowhere/config.conf"})
    assert caught.value.variable == "PBXAPI_FUSIONPBX_CONF"


def test_without_a_database_it_says_where_it_looked(conf: Path) -> None:
    conf.write_text("cache.method = file\n")
    with pytest.raises(ConfigError, match=r"^PBXAPI_DATABASE_URL: is not set.*etc/config\.conf"):
        load_config({})


def test_a_wrong_value_in_the_file_is_named_with_file_and_key(conf: Path) -> None:
    with conf.open("a") as file:
        file.write("switch.event_socket.port = none\n")
    with pytest.raises(ConfigError) as caught:
        load_config({})
    assert str(caught.value) == f"{conf}: switch.event_socket.port: must be a whole number, not 'none'"


def test_comments_sections_and_lines_without_a_value_are_passed_over(tmp_path: Path) -> None:
    file = tmp_path / "config.conf"
    file.write_bytes(b"\n[global]\n # a = b\n;c = d\njust words\nname = v=w\nlatin = caf\xe9\n = \n")
    assert read_conf(file) == {"name": "v=w", "latin": "caf\ufffd", "": ""}


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("PBXAPI_DATABASE_URL", "mysql://127.0.0.1/fusionpbx"),
        ("PBXAPI_DATABASE_URL", "postgresql://u:geheim@127.0.0.1:port/fusionpbx"),
        ("PBXAPI_DATABASE_URL", "postgresql://u:ge/heim@127.0.0.1:5432/fusionpbx"),
        ("PBXAPI_DATABASE_URL", "postgresql://u:geheim%@127.0.0.1/fusionpbx"),
        ("PBXAPI_DATABASE_URL", "postgresql://u:geheim@127.0.0.1/\n"),
        ("PBXAPI_REDIS_URL", "127.0.0.1:6379"),
        ("PBXAPI_REDIS_URL", "redis://:geheim@127.0.0.1:x/0"),
        ("PBXAPI_ESL_PORT", "0"),
        ("PBXAPI_ESL_PORT", "65536"),
        ("PBXAPI_ESL_PORT", "8021x"),
        ("PBXAPI_ESL_PASSWORD", "geheim\nexit"),
        ("PBXAPI_SAFE_MODE", "perhaps"),
        ("PBXAPI_CACHE_METHOD", "redis"),
        ("PBXAPI_CACHE_LOCATION", "cache"),
        ("PBXAPI_XML_DIALPLAN_DIR", "../dialplan"),
        ("PBXAPI_PLUGINS_PATH", "/opt/plugins:plugins"),
        ("PBXAPI_URL_PREFIX", "api/v1"),
        ("PBXAPI_URL_PREFIX", "/api/v1/"),
        ("PBXAPI_BIND", "8000"),
        ("PBXAPI_BIND", "127.0.0.1:port"),
        ("PBXAPI_BIND", "127.0.0.1:99999"),
        ("PBXAPI_BIND", "unix:pbxapi.sock"),
        ("PBXAPI_WORKERS", "0"),
        ("PBXAPI_THREADS", "4.5"),
        ("PBXAPI_CONTROL_SOCKET", "gunicorn.ctl"),
        ("PBXAPI_LOG_FORMAT", "xml"),
    ],
)
def test_a_wrong_value_is_named_in_one_line_that_keeps_secrets(variable: str, value: str) -> None:
    found = fault({variable: value})
    assert found.variable == variable
    assert str(found).startswith(f"{variable}: must ")
    assert "\n" not in str(found)
    assert "geheim" not in str(found)


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("PBXAPI_DATABASE_URL", "postgresql://u@[::1]:5432/fusionpbx"),
        ("PBXAPI_DATABASE_URL", "postgresql://u@one:5432,two:5433/fusionpbx?target_session_attrs=read-write"),
        ("PBXAPI_DATABASE_URL", "postgresql:///fusionpbx?host=/run/postgresql"),
        ("PBXAPI_REDIS_URL", "unix:///run/redis/redis.sock?db=1"),
        ("PBXAPI_BIND", "[::1]:8000"),
        ("PBXAPI_BIND", "0.0.0.0:8000"),
        ("PBXAPI_BIND", "unix:/run/pbxapi/pbxapi.sock"),
    ],
)
def test_what_libpq_redis_and_gunicorn_take_is_taken(variable: str, value: str) -> None:
    found = load_config({"PBXAPI_DATABASE_URL": URL, variable: value})
    by_variable = {setting.metadata.get("env"): setting.name for setting in fields(Config)}
    assert getattr(found, by_variable[variable]) == value


def test_no_secret_shows_in_what_a_log_would_print(conf: Path) -> None:
    found = load_config(
        {
            "PBXAPI_DATABASE_URL": "postgresql://u:geheim1@127.0.0.1/x",
            "PBXAPI_REDIS_URL": "redis://:geheim2@127.0.0.1/0",
            "PBXAPI_ESL_PASSWORD": "geheim3",
            "PBXAPI_HELPDESK_TOKEN": "geheim4",
        }
    )
    assert found.environment == {"PBXAPI_HELPDESK_TOKEN": "geheim4"}
    assert "geheim" not in repr(found)
    assert "geheim" not in str(found)


def test_every_setting_has_a_variable_of_its_own() -> None:
    variables = [setting.metadata["env"] for setting in fields(Config) if setting.name != "environment"]
    assert len(set(variables)) == len(variables)
    assert all(variable.startswith("PBXAPI_") for variable in variables)


OWN = """\
# for the API
PBXAPI_DATABASE_URL=postgresql://pbxapi:a=b@127.0.0.1/fusionpbx

 PBXAPI_NODE = "pbx one"
PBXAPI_COLOUR='#red'
"""


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Our own file at its place."""
    path = tmp_path / "pbxapi.env"
    path.write_text(OWN)
    monkeypatch.setattr(config, "SETTINGS_PLACE", str(path))
    return path


def test_our_own_file_is_read_by_every_command(own: Path) -> None:
    loaded = load_config({})
    assert loaded.database_url == "postgresql://pbxapi:a=b@127.0.0.1/fusionpbx"
    assert loaded.node == "pbx one"
    assert loaded.environment == {"PBXAPI_COLOUR": "#red"}


def test_the_environment_wins_over_our_own_file_and_that_over_fusionpbx(own: Path, conf: Path) -> None:
    assert load_config({}).database_url == "postgresql://pbxapi:a=b@127.0.0.1/fusionpbx"
    loaded = load_config({"PBXAPI_NODE": "other"})
    assert loaded.node == "other"
    assert load_config({"PBXAPI_NODE": ""}).node is None
    assert loaded.voicemail_dir == Path("/var/lib/freeswitch/storage/voicemail")


def test_another_own_file_can_be_named(own: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.env"
    other.write_text(f"PBXAPI_DATABASE_URL={URL}\n")
    assert load_config({"PBXAPI_SETTINGS": str(other)}).database_url == URL
    with pytest.raises(ConfigError, match=r"^PBXAPI_SETTINGS: cannot be read: No such file"):
        load_config({"PBXAPI_SETTINGS": "/nowhere/pbxapi.env"})


def test_a_line_of_our_own_file_that_is_no_setting_is_named_but_not_shown(own: Path) -> None:
    own.write_text("PBXAPI_NODE=one\nexport SECRET=hunter2\n")
    with pytest.raises(ConfigError, match=r"pbxapi.env, line 2: must be PBXAPI_...=value") as caught:
        load_config({})
    assert "hunter2" not in str(caught.value)


def test_an_own_file_that_may_not_be_read_is_told(own: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config, "SETTINGS_PLACE", str(own.parent))
    with pytest.raises(ConfigError, match=f"^{own.parent}: cannot be read: Is a directory"):
        load_config({})
