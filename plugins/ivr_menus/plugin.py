"""IVR menus: a number that answers, plays a greeting and asks for a key, and the dialplan that it owns."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any
from uuid import UUID, uuid4

from pbxapi_plugins.dialplans.owned import OwnedDialplan
from pbxapi_plugins.dialplans.targets import check_own_context, check_sound, check_target

from pbxapi.plugin import Call, Change, Effect, Plugin, Resource, Sort, clear_cache, invalid
from pbxapi.plugin.dialling import check_actions
from pbxapi.xml import ivr_menu_dialplan

from .schemas import DEFAULTS, IvrMenu

APP = UUID("a5788e9b-58bc-bd1b-df59-fff5d51253ab")

_SETTINGS = ("ivr_menu/answer", "ivr_menu/application")
_EXIT = ("ivr_menu_exit_app", "ivr_menu_exit_data")
_SOUNDS = ("ivr_menu_greet_long", "ivr_menu_greet_short", "ivr_menu_invalid_sound", "ivr_menu_exit_sound")
_CHECKED_AS = {"ivr_menu_ringback": ("set", "ringback="), "ivr_menu_confirm_macro": ("phrase", "")}


def _xml(call: Call, record: Mapping[str, Any]) -> str:
    settings = call.settings(*_SETTINGS)
    return ivr_menu_dialplan(
        record,
        answer=settings.get("ivr_menu/answer") != "false",
        application=settings.get("ivr_menu/application") or "",
    )


dialplan = OwnedDialplan(prefix="ivr_menu", app=APP, order=101, xml=_xml)


def prepare(call: Call, record: dict[str, Any], old: Mapping[str, Any] | None) -> None:
    """Fill what must not be empty, and check what the menu plays and where it leads."""
    before: Mapping[str, Any] = old or {}
    record |= {name: value for name, value in DEFAULTS.items() if not record[name]}
    if record["ivr_menu_language"]:
        record["ivr_menu_dialect"] = record["ivr_menu_dialect"] or "us"
        record["ivr_menu_voice"] = record["ivr_menu_voice"] or "callie"
    check_own_context(call, record, before, "ivr_menu_context")
    for sound in _SOUNDS:
        if record[sound] != before.get(sound):
            check_sound(call, record[sound], sound)
    for column, (application, start) in _CHECKED_AS.items():
        if record[column] and record[column] != before.get(column):
            check_actions(call, [(application, f"{start}{record[column]}")], column)
    if any(record[column] != before.get(column) for column in _EXIT):
        check_target(call, record[_EXIT[0]], record[_EXIT[1]], _EXIT)
    for place, option in enumerate(call.data.get("ivr_menu_options", ())):
        _complete_option(call, option, f"ivr_menu_options.{place}.")
    parent = record["ivr_menu_parent_uuid"]
    if parent and parent != before.get("ivr_menu_parent_uuid"):
        call.lock("ivr_menus", call.caller.domain_uuid)
        if any(row["ivr_menu_uuid"] == call.uuid for row in call.rows("ancestors", ivr_menu_uuid=parent)):
            raise invalid("ivr_menu_parent_uuid must not lead back to the menu", "ivr_menu_parent_uuid")
    dialplan.prepare(call, record, old)


def _complete_option(call: Call, option: dict[str, Any], place: str) -> None:
    """A number alone is dialled; what is executed is checked as a pair; a menu must be the domain's."""
    field = f"{place}ivr_menu_option_param"
    option["ivr_menu_option_action"] = action = option["ivr_menu_option_action"] or "menu-exec-app"
    option["ivr_menu_option_order"] = option["ivr_menu_option_order"] or "0"
    param = option["ivr_menu_option_param"]
    if action == "menu-sub":
        try:
            option["ivr_menu_option_param"] = str(UUID(param))
        except ValueError:
            raise invalid(f"{field} must be the uuid of a menu", field) from None
        call.check_link("v_ivr_menus", "ivr_menu_uuid", option["ivr_menu_option_param"], field)
    elif action == "menu-exec-app":
        if not param:
            raise invalid(f"{field} is required", field)
        if param.isascii() and param.isdigit():
            option["ivr_menu_option_param"] = param = f"transfer {param} XML {call.caller.domain_name}"
        application, _, data = param.partition(" ")
        check_target(call, application, data, (field, field))
    elif param:
        raise invalid(f"{field} must be empty for {action}", field)


def store(call: Call, record: Mapping[str, Any], old: Mapping[str, Any] | None) -> None:
    """The dialplan, and the options as far as they were sent."""
    uuid = record["ivr_menu_uuid"]
    dialplan.store(call, record)
    if old is not None and "ivr_menu_options" not in call.data:
        return
    call.do("delete_options", ivr_menu_uuid=uuid)
    options = [
        {"ivr_menu_option_uuid": str(uuid4()), **{name: value or None for name, value in option.items()}}
        for option in record["ivr_menu_options"]
    ]
    if options:
        call.do("create_options", ivr_menu_uuid=uuid, rows=json.dumps(options))


def remove(call: Call, record: Mapping[str, Any]) -> None:
    """Options and the dialplan go with the menu; menus below it stand alone."""
    call.do("delete_options", ivr_menu_uuid=record["ivr_menu_uuid"])
    call.do("release_children", ivr_menu_uuid=record["ivr_menu_uuid"])
    dialplan.remove(call, record)


def effects(change: Change) -> Iterator[Effect]:
    """The dialplan's, and the menu's document with those of all menus above, old and new, which contain it."""
    yield from dialplan.effects(change)
    above = (change.rows("ancestors", ivr_menu_uuid=UUID(p)) for p in change.values("ivr_menu_parent_uuid"))
    menus = [change.uuid, *(row["ivr_menu_uuid"] for rows in above for row in rows)]
    for uuid in dict.fromkeys(menus):
        yield clear_cache(f"configuration:ivr.conf:{uuid}")


ivr_menus = Resource(
    name="ivr-menus",
    label="IVR menu",
    id="ivr_menu_uuid",
    schema=IvrMenu,
    table="v_ivr_menus",
    sql="ivr_menus",
    uses=OwnedDialplan.USES,
    app_uuid=APP,
    row=(
        "ivr_menu_uuid",
        "ivr_menu_name",
        "ivr_menu_extension",
        "ivr_menu_parent_uuid",
        "ivr_menu_direct_dial",
        "ivr_menu_enabled",
        "ivr_menu_description",
    ),
    search=("ivr_menu_name", "ivr_menu_extension", "ivr_menu_description"),
    sort={
        "ivr_menu_name": Sort("ivr_menu_name"),
        "ivr_menu_extension": Sort("ivr_menu_extension"),
        "ivr_menu_description": Sort("ivr_menu_description"),
    },
    filters=("ivr_menu_name", "ivr_menu_extension", "ivr_menu_parent_uuid", "ivr_menu_enabled"),
    numbers=("ivr_menu_extension",),
    limit="ivr_menus",
    settings=_SETTINGS,
    prepare=prepare,
    store=store,
    remove=remove,
    keep=(*dialplan.kept, "ivr_menu_parent_uuid"),
    effects=effects,
)

plugin = Plugin(name="ivr-menus", version="1.0.0", resources=(ivr_menus,))
