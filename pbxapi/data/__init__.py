"""The database: sessions, statements, settings, the change row, the audit row, migrations."""
