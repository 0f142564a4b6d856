"""Rows about who is calling."""

from accounts.models.application import Application
from accounts.models.idempotency import IdempotentAnswer
from accounts.models.invitation import Invitation
from accounts.models.key import ApiKey, Scope
from accounts.models.log import ApplicationEvent, LogEntry, Seal
from accounts.models.password import UserPassword
from accounts.models.staff import Membership, Staff, StaffRole
from accounts.models.user import User, UserToken

__all__ = [
    "ApiKey",
    "Application",
    "ApplicationEvent",
    "IdempotentAnswer",
    "Invitation",
    "LogEntry",
    "Membership",
    "Scope",
    "Seal",
    "Staff",
    "StaffRole",
    "User",
    "UserPassword",
    "UserToken",
]
