"""Who may do what: one table, asked first in every service."""

from __future__ import annotations

from enum import StrEnum

from accounts.actors import Actor, ActorKind
from accounts.errors import NotAllowed, ScopeMissing
from accounts.models import Scope
from conferences.errors import ActsOnOneself
from conferences.models import Role


class Action(StrEnum):
    """Every act that somebody may be refused."""

    VIEW = "view"
    CREATE = "create"
    UPDATE = "update"
    DESTROY = "destroy"
    LOCK = "lock"
    ISSUE_TICKET = "issue_ticket"
    LIST_TICKETS = "list_tickets"
    REVOKE_TICKET = "revoke_ticket"
    LIST_MEMBERS = "list_members"
    LEAVE = "leave"
    KICK = "kick"
    GRANT_ROLE = "grant_role"
    STEP_DOWN = "step_down"
    MUTE = "mute"
    BAN = "ban"
    LIST_BANS = "list_bans"
    PUBLISH = "publish"
    PLAY = "play"
    WATCH = "watch"
    SNAPSHOT = "snapshot"
    STOP_STREAM = "stop_stream"
    SET_ATTRIBUTES = "set_attributes"
    BROADCAST = "broadcast"
    COMMAND = "command"
    LIST_EVENTS = "list_events"
    MIX = "mix"
    RECORD = "record"
    LIST_RECORDINGS = "list_recordings"
    DELETE_RECORDING = "delete_recording"
    HOLD_RECORDING = "hold_recording"


NOBODY, OUTSIDER = 99, 0
# What a user must be: the least role, OUTSIDER for any user of the application, NOBODY for none.
LEAST_ROLE: dict[Action, int] = {
    Action.VIEW: Role.AUDIENCE,
    Action.CREATE: OUTSIDER,
    Action.UPDATE: Role.ADMIN,
    Action.DESTROY: Role.ADMIN,
    Action.LOCK: Role.ADMIN,
    Action.ISSUE_TICKET: OUTSIDER,
    Action.LIST_TICKETS: Role.ADMIN,
    Action.REVOKE_TICKET: Role.ADMIN,
    Action.LIST_MEMBERS: Role.AUDIENCE,
    Action.LEAVE: Role.AUDIENCE,
    Action.KICK: Role.ADMIN,
    Action.GRANT_ROLE: Role.ADMIN,
    Action.STEP_DOWN: Role.AUDIENCE,
    Action.MUTE: Role.ADMIN,
    Action.BAN: Role.ADMIN,
    Action.LIST_BANS: Role.ADMIN,
    Action.PUBLISH: Role.TALKER,
    Action.PLAY: Role.AUDIENCE,
    Action.WATCH: NOBODY,
    Action.SNAPSHOT: Role.AUDIENCE,
    Action.STOP_STREAM: Role.ADMIN,
    Action.SET_ATTRIBUTES: Role.AUDIENCE,
    Action.BROADCAST: Role.AUDIENCE,
    Action.COMMAND: Role.AUDIENCE,
    Action.LIST_EVENTS: NOBODY,
    Action.MIX: Role.ADMIN,
    Action.RECORD: Role.ADMIN,
    Action.LIST_RECORDINGS: Role.ADMIN,
    Action.DELETE_RECORDING: Role.ADMIN,
    Action.HOLD_RECORDING: NOBODY,
}
# What an application's key must carry.
SCOPE: dict[Action, Scope] = {
    Action.VIEW: Scope.READ,
    Action.CREATE: Scope.CONFERENCES,
    Action.UPDATE: Scope.CONFERENCES,
    Action.DESTROY: Scope.CONFERENCES,
    Action.LOCK: Scope.CONFERENCES,
    Action.ISSUE_TICKET: Scope.CONFERENCES,
    Action.LIST_TICKETS: Scope.READ,
    Action.REVOKE_TICKET: Scope.CONFERENCES,
    Action.LIST_MEMBERS: Scope.READ,
    Action.LEAVE: Scope.MODERATE,
    Action.KICK: Scope.MODERATE,
    Action.GRANT_ROLE: Scope.MODERATE,
    Action.STEP_DOWN: Scope.MODERATE,
    Action.MUTE: Scope.MODERATE,
    Action.BAN: Scope.MODERATE,
    Action.LIST_BANS: Scope.READ,
    Action.PUBLISH: Scope.CONFERENCES,
    Action.PLAY: Scope.CONFERENCES,
    Action.WATCH: Scope.MODERATE,
    Action.SNAPSHOT: Scope.MODERATE,
    Action.STOP_STREAM: Scope.MODERATE,
    Action.SET_ATTRIBUTES: Scope.MESSAGES,
    Action.BROADCAST: Scope.MESSAGES,
    Action.COMMAND: Scope.MESSAGES,
    Action.LIST_EVENTS: Scope.READ,
    Action.MIX: Scope.CONFERENCES,
    Action.RECORD: Scope.CONFERENCES,
    Action.LIST_RECORDINGS: Scope.READ,
    Action.DELETE_RECORDING: Scope.CONFERENCES,
    Action.HOLD_RECORDING: Scope.CONFERENCES,
}


def allows(actor: Actor, action: Action, role: int | None = None) -> bool:
    """Whether `actor` may do `action`; `role` is what a user is in the conference now, None for no seat."""
    match actor.kind:
        case ActorKind.SYSTEM:
            return True
        case ActorKind.APPLICATION | ActorKind.STAFF:
            return SCOPE[action] in actor.scopes
        case ActorKind.USER:
            return (role or OUTSIDER) >= LEAST_ROLE[action]


def require(actor: Actor, action: Action, role: int | None = None) -> None:
    """Refuse unless `allows`. Raises: ScopeMissing for a key, NotAllowed for anybody else."""
    if allows(actor, action, role):
        return
    if actor.kind is ActorKind.APPLICATION:
        raise ScopeMissing(scope=SCOPE[action].value)
    raise NotAllowed(action=action.value)


def require_another(actor: Actor, user_id: int) -> None:
    """Nobody kicks or bans oneself. Raises: ActsOnOneself."""
    if actor.user_id == user_id:
        raise ActsOnOneself()
