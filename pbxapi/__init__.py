"""A REST API beside FusionPBX: an exact contract over its database, and a sure way to FreeSWITCH."""

__version__ = "0.1.0"

PLUGIN_API = "1.0"
"""Version of the contract in `pbxapi.plugin`; a plugin declares the range that it supports."""
