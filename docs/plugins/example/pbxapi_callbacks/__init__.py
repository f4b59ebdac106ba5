"""Callbacks: a plugin of pbxapi."""
