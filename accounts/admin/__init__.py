"""The Django admin of accounts. Every change goes through a service, so that it is checked and logged."""

from accounts.admin import applications, keys, log, memberships, staff, users

__all__ = ["applications", "keys", "log", "memberships", "staff", "users"]
