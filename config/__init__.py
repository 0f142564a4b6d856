"""Configuration. Importing it makes our Celery application the current one, as shared tasks expect."""

from config.celery import app as celery_app

__all__ = ["celery_app"]
