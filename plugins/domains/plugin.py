"""Domains: which there are, how much they hold, and their settings."""

from __future__ import annotations

from uuid import UUID

from pbxapi.plugin import Operation, Plugin, Resource

from .schemas import Domain, Setting, Settings
from .settings import effects, list_settings, put_settings

domains = Resource(
    name="domains",
    label="Domain",
    id="domain_uuid",
    schema=Domain,
    table="v_domains",
    app_uuid=UUID("b31e723a-bf70-670c-a49b-470d2a232f71"),
    row=("domain_uuid", "domain_name", "domain_enabled", "domain_description"),
    search=("domain_name", "domain_description"),
    sort=("domain_name", "domain_description"),
    filters=("domain_name", "domain_enabled", "domain_description"),
    standard=("list", "get"),
    operations=(
        Operation(
            "settings",
            list_settings,
            on="item",
            path="settings",
            answer=Setting,
            many=True,
            summary="List the settings of a domain",
        ),
        Operation(
            "update-settings",
            put_settings,
            ("PUT", "PATCH"),
            "item",
            path="settings",
            php="settings",
            body=Settings,
            answer=Setting,
            many=True,
            writes=True,
            summary="Change settings of a domain",
        ),
    ),
    keep=("settings",),
    effects=effects,
)

plugin = Plugin(name="domains", version="1.0.0", resources=(domains,))
