"""I/O with FreeSWITCH on one node: its event socket, FusionPBX's cache of it, and its files."""
