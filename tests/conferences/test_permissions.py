"""The permission table, said a second time: every action for every role, key and kind of actor."""

from __future__ import annotations

import pytest

from accounts.actors import Actor, ActorKind, system
from accounts.errors import NotAllowed, ScopeMissing
from accounts.models import Scope, StaffRole
from accounts.permissions import ROLE_SCOPES
from conferences.errors import ActsOnOneself
from conferences.models import Role
from conferences.permissions import LEAST_ROLE, SCOPE, Action, allows, require, require_another

# Which users may: A admins, T talkers, L listeners (audience), O outsiders. Which scope a key needs.
TABLE = """
    view             A T L .   read
    create           A T L O   conferences
    update           A . . .   conferences
    destroy          A . . .   conferences
    lock             A . . .   conferences
    issue_ticket     A T L O   conferences
    list_tickets     A . . .   read
    revoke_ticket    A . . .   conferences
    list_members     A T L .   read
    leave            A T L .   moderate
    kick             A . . .   moderate
    grant_role       A . . .   moderate
    step_down        A T L .   moderate
    mute             A . . .   moderate
    ban              A . . .   moderate
    list_bans        A . . .   read
    publish          A T . .   conferences
    play             A T L .   conferences
    watch            . . . .   moderate
    snapshot         A T L .   moderate
    stop_stream      A . . .   moderate
    set_attributes   A T L .   messages
    broadcast        A T L .   messages
    command          A T L .   messages
    list_events      . . . .   read
    mix              A . . .   conferences
    record           A . . .   conferences
    list_recordings  A . . .   read
    delete_recording A . . .   conferences
    hold_recording   . . . .   conferences
"""
COLUMNS = (Role.ADMIN, Role.TALKER, Role.AUDIENCE, None)
EXPECTED = {Action(row[0]): (row[1:5], row[5]) for row in map(str.split, TABLE.split("\n")) if row}


def user():
    return Actor(ActorKind.USER, application_id=1, id="7", name="somebody", scopes=frozenset(Scope.values))


def test_the_table_is_total():
    assert set(EXPECTED) == set(Action) == set(LEAST_ROLE) == set(SCOPE)


@pytest.mark.parametrize("action", Action)
@pytest.mark.parametrize("column", range(4))
def test_every_role(action, column):
    role, may = COLUMNS[column], EXPECTED[action][0][column] != "."
    assert allows(user(), action, role) is may
    if may:
        require(user(), action, role)
    else:
        with pytest.raises(NotAllowed) as info:
            require(user(), action, role)
        assert info.value.fields == {"action": action.value}


@pytest.mark.parametrize("action", Action)
@pytest.mark.parametrize("kind", [ActorKind.APPLICATION, ActorKind.STAFF])
def test_every_scope(action, kind):
    needed = EXPECTED[action][1]
    for scope in Scope.values:
        assert allows(Actor(kind, 1, "1", scopes=frozenset({scope})), action) is (scope == needed)
    error = ScopeMissing if kind is ActorKind.APPLICATION else NotAllowed
    with pytest.raises(error):
        require(Actor(kind, 1, "1", scopes=frozenset(Scope.values) - {needed}), action)
    require(Actor(kind, 1, "1", scopes=frozenset(Scope.values)), action)


@pytest.mark.parametrize("action", Action)
def test_a_role_gives_a_key_or_the_staff_nothing(action):
    for kind in (ActorKind.APPLICATION, ActorKind.STAFF):
        assert not allows(Actor(kind, 1, "1"), action, Role.ADMIN)


@pytest.mark.parametrize("action", Action)
def test_confr_itself_may_do_everything(action):
    require(system(), action)


READS = {
    Action.VIEW, Action.LIST_TICKETS, Action.LIST_MEMBERS, Action.LIST_BANS, Action.LIST_EVENTS, Action.LIST_RECORDINGS,
}  # fmt: skip
MODERATES = READS | {
    Action.LEAVE, Action.KICK, Action.GRANT_ROLE, Action.STEP_DOWN, Action.MUTE, Action.BAN, Action.STOP_STREAM,
    Action.SET_ATTRIBUTES, Action.BROADCAST, Action.COMMAND, Action.WATCH,
    Action.SNAPSHOT,
}  # fmt: skip


@pytest.mark.parametrize(
    ("role", "able"),
    [
        (StaffRole.AUDITOR, READS),
        (StaffRole.MODERATOR, MODERATES),
        (StaffRole.OPERATOR, set(Action)),
        (StaffRole.OWNER, set(Action)),
    ],
)
def test_every_staff_role(role, able):
    actor = Actor(ActorKind.STAFF, 1, "1", scopes=frozenset(ROLE_SCOPES[role]))
    assert {action for action in Action if allows(actor, action)} == able


def test_nobody_acts_on_oneself_but_may_on_others():
    with pytest.raises(ActsOnOneself):
        require_another(user(), 7)
    require_another(user(), 8)
    require_another(Actor(ActorKind.APPLICATION, 1, "7"), 7)
