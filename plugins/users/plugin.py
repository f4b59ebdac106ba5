"""Users: who logs in to FusionPBX, with their groups, their contact and their own settings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from uuid import UUID, uuid4

from pbxapi.plugin import Call, Change, Effect, Plugin, Refresh, Resource, Unique, forbidden, invalid

from .passwords import PASSWORD_SETTINGS, check_password, hash_password
from .schemas import User

SUPERADMIN = "superadmin"

_CONTACT = (
    "contact_name_given",
    "contact_name_family",
    "contact_organization",
    "contact_email",
    "contact_url",
    "contact_nickname",
)
_SETTINGS = {"user_language": ("language", "code"), "user_time_zone": ("time_zone", "name")}


def prepare(call: Call, record: dict[str, Any], old: Mapping[str, Any] | None) -> None:
    """Superadmins are out of reach; passwords and usernames follow FusionPBX's rules."""
    if old is not None:
        _refuse_superadmin(old, "update")
    if old is None or record["username"] != old["username"]:
        _check_username(call, record["username"])
    if "password" in call.data:
        check_password(call, call.data["password"])
    if "groups" in call.data:
        record["groups"] = _find_groups(call, call.data["groups"])


def store(call: Call, record: Mapping[str, Any], old: Mapping[str, Any] | None) -> None:
    """What hangs on the user: secrets, groups, settings, contact."""
    uuid = record["user_uuid"]
    _store_secrets(call, record)
    if "groups" in call.data:
        if old is not None:
            call.do("delete_groups", user_uuid=uuid)
        for group in record["groups"]:
            call.do("add_group", user_group_uuid=uuid4(), user_uuid=uuid, **group)
    for name, (subcategory, type_) in _SETTINGS.items():
        if name in call.data and (old is None or old[name] != call.data[name]):
            call.do(
                "set_setting",
                user_setting_uuid=uuid4(),
                user_uuid=uuid,
                subcategory=subcategory,
                name=type_,
                value=call.data[name],
            )
    _store_contact(call, record, old)


def remove(call: Call, record: Mapping[str, Any]) -> None:
    """What FusionPBX's own delete takes along, and the links to extensions, which the switch would still read."""
    _refuse_superadmin(record, "delete")
    uuid = record["user_uuid"]
    for statement in ("delete_groups", "delete_settings", "unlink_extensions", "forget_browsers"):
        call.do(statement, user_uuid=uuid)


def effects(change: Change) -> Iterator[Effect]:
    """The switch's directory tells an extension's user and the user's contact."""
    extensions = [*change.old.get("extensions", []), *(change.current or {}).get("extensions", [])]
    for uuid in dict.fromkeys(extension["extension_uuid"] for extension in extensions):
        yield Refresh("extensions", UUID(uuid))


def _refuse_superadmin(record: Mapping[str, Any], action: str) -> None:
    if any(group["group_name"] == SUPERADMIN for group in record["groups"]):
        raise forbidden(f"Cannot {action} superadmin user")


def _check_username(call: Call, username: str) -> None:
    wanted = call.settings("users/username_format").get("users/username_format", "any")
    if wanted == "email" and "@" not in username:
        raise invalid("Username must be an e-mail address", "username")
    if wanted == "no_email" and "@" in username:
        raise invalid("Username must not be an e-mail address", "username")


def _find_groups(call: Call, names: list[str]) -> list[dict[str, Any]]:
    found = {group["group_name"]: group for group in call.rows("groups", names=names)}
    for name in names:
        if name.lower() == SUPERADMIN or (name in found and found[name]["highest"]):
            raise forbidden(f"The group {name} cannot be given through the API", "groups")
        if name not in found:
            raise invalid(f"There is no group {name}", "groups")
    return [{"group_uuid": found[name]["group_uuid"], "group_name": name} for name in names]


def _store_secrets(call: Call, record: Mapping[str, Any]) -> None:
    uuid = record["user_uuid"]
    if "password" in call.data:
        # Hashing takes its time: only now that the username is ours, and nobody waits in vain.
        call.do("set_password", user_uuid=uuid, password=hash_password(call.data["password"]))
    if "api_key" in call.data:
        call.do("set_api_key", user_uuid=uuid, api_key=call.data["api_key"])
    if "password" in call.data or record["user_enabled"] == "false":
        call.do("forget_browsers", user_uuid=uuid)


def _store_contact(call: Call, record: Mapping[str, Any], old: Mapping[str, Any] | None) -> None:
    """Write what was sent of the contact, which is made when there is none yet."""
    uuid = record["contact_uuid"]
    sent = {name for name in _CONTACT if name in call.data and (old is not None or call.data[name])}
    if not sent:
        return
    contact = {name: record[name] for name in _CONTACT}
    if not uuid or not call.run("update_contact", contact_uuid=uuid, **contact):
        if not any(contact.values()):
            return
        uuid = uuid4()
        contact["contact_nickname"] = contact["contact_nickname"] or record["username"]
        call.do("create_contact", contact_uuid=uuid, **contact)
        call.do("link_contact", user_uuid=record["user_uuid"], contact_uuid=uuid)
    if "contact_email" in sent:
        call.do(
            "set_email",
            contact_uuid=uuid,
            contact_email_uuid=uuid4(),
            contact_email=contact["contact_email"],
        )
    if "contact_url" in sent:
        call.do("set_url", contact_uuid=uuid, contact_url_uuid=uuid4(), contact_url=contact["contact_url"])


def _unique_everywhere(call: Call) -> bool:
    return call.settings("users/unique").get("users/unique") == "global"


users = Resource(
    name="users",
    label="User",
    id="user_uuid",
    schema=User,
    table="v_users",
    app_uuid=UUID("112124b3-95c2-5352-7e9d-d14c0b88f207"),
    row=("user_uuid", "username", "user_email", "user_enabled"),
    search=("username", "user_email"),
    sort=("username", "user_email"),
    filters=("username", "user_email", "user_enabled"),
    unique=(
        Unique(("username",), everywhere=_unique_everywhere),
        Unique(("api_key",), everywhere=_unique_everywhere),
    ),
    limit="users",
    settings=("users/username_format", "users/unique", *PASSWORD_SETTINGS),
    prepare=prepare,
    store=store,
    remove=remove,
    keep=("extensions",),
    effects=effects,
)

plugin = Plugin(name="users", version="1.0.0", resources=(users,))
