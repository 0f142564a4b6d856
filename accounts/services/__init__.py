"""What can be done to accounts: the only writers of their rows. Every act is checked and logged."""

from accounts.services.api_keys import NewKey, create_api_key, revoke_api_key, rotate_api_key
from accounts.services.application_tokens import ApplicationToken, issue_application_token
from accounts.services.applications import (
    create_application,
    read_client_secret,
    resume_application,
    rotate_client_secret,
    suspend_application,
    update_application,
)
from accounts.services.invitations import (
    NewInvitation,
    accept_invitation,
    invitation_of,
    invite_staff,
    join_staff,
    open_invitations,
    recognise,
    withdraw_invitation,
)
from accounts.services.lock_outs import lift_lock_out
from accounts.services.memberships import add_membership, change_membership, remove_membership
from accounts.services.sessions import end_own_session, end_session, end_sessions, note_session
from accounts.services.staff import record_lock_out, record_sign_in, record_staff_change, reset_second_factor
from accounts.services.user_tokens import IssuedToken, issue_user_token, revoke_user_token, revoke_user_tokens
from accounts.services.users import register_user, sign_in_user

__all__ = [
    "ApplicationToken",
    "IssuedToken",
    "NewInvitation",
    "NewKey",
    "accept_invitation",
    "add_membership",
    "change_membership",
    "create_api_key",
    "create_application",
    "end_own_session",
    "end_session",
    "end_sessions",
    "invitation_of",
    "invite_staff",
    "issue_application_token",
    "issue_user_token",
    "join_staff",
    "lift_lock_out",
    "note_session",
    "open_invitations",
    "read_client_secret",
    "recognise",
    "record_lock_out",
    "record_sign_in",
    "record_staff_change",
    "register_user",
    "remove_membership",
    "reset_second_factor",
    "resume_application",
    "revoke_api_key",
    "revoke_user_token",
    "revoke_user_tokens",
    "rotate_api_key",
    "rotate_client_secret",
    "sign_in_user",
    "suspend_application",
    "update_application",
    "withdraw_invitation",
]
