"""What a plugin's author imports.

A plugin is a module with an instance of `Plugin` named ``plugin``, and SQL files beside it. This package, together
with `pbxapi.xml`, is the whole contract (version `pbxapi.PLUGIN_API`); nothing else of the product is promised.
"""

from pbxapi.data.audit import REDACTED
from pbxapi.data.events import last_position, payload, read_events
from pbxapi.data.listing import Sort, like, natural
from pbxapi.data.settings import Settings
from pbxapi.errors import ApiError, SwitchUnavailable, duplicate, forbidden, invalid, not_found
from pbxapi.plugin.call import Answer, Call, Caller, EventStream
from pbxapi.plugin.change import Change
from pbxapi.plugin.crud import (
    create_record,
    delete_record,
    export_records,
    get_record,
    list_records,
    update_record,
)
from pbxapi.plugin.declaration import (
    CheckRun,
    Command,
    CommandRun,
    EventType,
    Job,
    JobRun,
    Metric,
    Plugin,
    Service,
    ServiceRun,
    Setting,
)
from pbxapi.plugin.effects import (
    ClearCache,
    ClearCacheBelow,
    Effect,
    KillGateway,
    MakeFolder,
    MessageWaiting,
    MoveFolder,
    Note,
    Refresh,
    ReloadAcl,
    RemoveFile,
    RemoveFolder,
    Rescan,
    RunTask,
    WriteFile,
    clear_cache,
)
from pbxapi.plugin.expectations import Expectation, GatewayKnown, UserExists
from pbxapi.plugin.fields import (
    EMAIL,
    Digits,
    Emails,
    Link,
    Nested,
    Record,
    Text,
    TrueFalse,
    blank,
    fields,
    validate,
)
from pbxapi.plugin.perform import perform_within
from pbxapi.plugin.resource import Operation, Resource, Rows, Unique
from pbxapi.plugin.tables import LINES
from pbxapi.plugin.zones import SETTING as TIME_ZONE
from pbxapi.plugin.zones import TimeZone, domain_zone, zones

__all__ = [
    "EMAIL",
    "LINES",
    "REDACTED",
    "TIME_ZONE",
    "Answer",
    "ApiError",
    "Call",
    "Caller",
    "Change",
    "CheckRun",
    "ClearCache",
    "ClearCacheBelow",
    "Command",
    "CommandRun",
    "Digits",
    "Effect",
    "Emails",
    "EventStream",
    "EventType",
    "Expectation",
    "GatewayKnown",
    "Job",
    "JobRun",
    "KillGateway",
    "Link",
    "MakeFolder",
    "MessageWaiting",
    "Metric",
    "MoveFolder",
    "Nested",
    "Note",
    "Operation",
    "Plugin",
    "Record",
    "Refresh",
    "ReloadAcl",
    "RemoveFile",
    "RemoveFolder",
    "Rescan",
    "Resource",
    "Rows",
    "RunTask",
    "Service",
    "ServiceRun",
    "Setting",
    "Settings",
    "Sort",
    "SwitchUnavailable",
    "Text",
    "TimeZone",
    "TrueFalse",
    "Unique",
    "UserExists",
    "WriteFile",
    "blank",
    "clear_cache",
    "create_record",
    "delete_record",
    "domain_zone",
    "duplicate",
    "export_records",
    "fields",
    "forbidden",
    "get_record",
    "invalid",
    "last_position",
    "like",
    "list_records",
    "natural",
    "not_found",
    "payload",
    "perform_within",
    "read_events",
    "update_record",
    "validate",
    "zones",
]
