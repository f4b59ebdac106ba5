"""`pbxapi doctor`: looks at a whole installation, and says what to do.

A check is a function of one `Host` that yields findings; `CHECKS` in `pbxapi.doctor.checks` names them all.
"""
