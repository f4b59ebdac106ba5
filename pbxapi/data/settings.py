"""FusionPBX's settings: the default ones, overridden by those of a domain."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from uuid import UUID

from pbxapi.data.database import Session

_SETTINGS = """
select domain_uuid, category, subcategory, value from (
  select null::uuid as domain_uuid, 0 as level,
         default_setting_category as category, default_setting_subcategory as subcategory,
         default_setting_value as value, default_setting_order as place
    from v_default_settings
   where default_setting_category = any(%(categories)s)
     and default_setting_enabled::text = 'true'
     and default_setting_category || '/' || default_setting_subcategory = any(%(names)s)
  union all
  select domain_uuid, 1, domain_setting_category, domain_setting_subcategory,
         domain_setting_value, domain_setting_order
    from v_domain_settings
   where domain_uuid = any(%(domains)s::uuid[])
     and domain_setting_category = any(%(categories)s)
     and domain_setting_enabled::text = 'true'
     and domain_setting_category || '/' || domain_setting_subcategory = any(%(names)s)
) as setting
 where value is not null and value <> ''
 order by level, place
"""


class Settings(Mapping[str, str]):
    """Settings by ``category/subcategory``, such as ``limit/extensions``; only those that were asked for.

    A domain's enabled row wins over the default one; empty values are skipped, as FusionPBX does
    (docs/fusionpbx.md, settings).
    """

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = values

    def __getitem__(self, name: str) -> str:
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def number(self, name: str) -> int | None:
        """A whole number, or None where it is not set or no number."""
        try:
            return int(float(self._values[name]))
        except (KeyError, ValueError, OverflowError):
            return None

    def on(self, name: str) -> bool:
        """Whether a flag is set and true."""
        return self._values.get(name, "").lower() in ("true", "1", "t", "yes", "on")


def read_settings(session: Session, domain_uuid: UUID | None, names: Iterable[str]) -> Settings:
    """Read some settings in one statement.

    Args:
        domain_uuid: whose; None for the default settings alone.
        names: ``category/subcategory`` each.
    """
    return ask_settings(session, domain_uuid, names)()


def ask_settings(session: Session, domain_uuid: UUID | None, names: Iterable[str]) -> Callable[[], Settings]:
    """As `read_settings`, without waiting: they are there once what is returned is called."""
    rows = session.ask(_SETTINGS, domains=[domain_uuid], **_asked(names))
    return lambda: Settings({f"{row['category']}/{row['subcategory']}": row["value"] for row in rows()})


def read_settings_each(session: Session, domains: Sequence[UUID], names: Iterable[str]) -> dict[UUID, Settings]:
    """As `read_settings`, for each of many domains in one statement."""
    default: dict[str, str] = {}
    own: dict[UUID, dict[str, str]] = {domain: {} for domain in domains}
    for row in session.rows(_SETTINGS, domains=list(domains), **_asked(names)):
        values = default if row["domain_uuid"] is None else own[row["domain_uuid"]]
        values[f"{row['category']}/{row['subcategory']}"] = row["value"]
    return {domain: Settings({**default, **values}) for domain, values in own.items()}


def _asked(names: Iterable[str]) -> dict[str, list[str]]:
    """Hundreds of rows are told apart by their category before any two columns are put together."""
    wanted = list(names)
    return {"names": wanted, "categories": list({name.partition("/")[0] for name in wanted})}
