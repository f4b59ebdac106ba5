"""Where a switch keeps its files: the environment wins over FusionPBX's configuration file, and that over its
default settings."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pbxapi.config import Config
from pbxapi.data.settings import Settings
from pbxapi.plugin.effects import Folder

FOLDER_SETTINGS: Mapping[Folder, str] = {
    "extensions": "switch/extensions",
    "sip_profiles": "switch/sip_profiles",
    "dialplan": "switch/dialplan",
    "provision": "provision/path",
    "voicemail": "switch/voicemail",
    "recordings": "switch/recordings",
}
"""FusionPBX's setting of each folder."""


def find_folders(config: Config, settings: Settings) -> dict[Folder, Path]:
    """The folders that are set; `settings` holds those of `FOLDER_SETTINGS`."""
    given: dict[Folder, Path | None] = {
        "extensions": config.xml_extensions_dir,
        "sip_profiles": config.xml_sip_profiles_dir,
        "dialplan": config.xml_dialplan_dir,
        "provision": config.provision_dir,
        "voicemail": config.voicemail_dir,
        "recordings": config.recordings_dir,
    }
    found = {folder: given[folder] or absolute(settings.get(name, "")) for folder, name in FOLDER_SETTINGS.items()}
    return {folder: path for folder, path in found.items() if path is not None}


def absolute(text: str) -> Path | None:
    """The folder that a setting names; the first where it names several (FusionPBX: separated by ``;``)."""
    path = text.split(";")[0].strip()
    return Path(path) if path.startswith("/") else None
