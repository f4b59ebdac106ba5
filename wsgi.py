"""The WSGI application, for gunicorn: ``gunicorn wsgi:app``."""

from pbxapi.app import create_app

app = create_app()
