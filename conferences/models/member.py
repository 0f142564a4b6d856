"""Member: one user's seat in one conference. Lease: a process that holds members' sockets."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from conferences.models import rows
from conferences.models.conference import Conference, Kind, Role, by_confr_id
from conferences.models.rows import Statement


class ExitReason(models.IntegerChoices):
    """Why a seat ended. Easemob's numbers where it has one."""

    LEFT = 0, _("left")
    LOST = 6, _("did not come back")
    OTHER_DEVICE = 10, _("entered elsewhere")
    CONFERENCE_CLOSED = 11, _("the conference is over")
    KICKED = 12, _("kicked")


@dataclass(frozen=True, slots=True)
class Emptied:
    """What ending seats left behind: the open streams of who sat there, and how many media sessions were revoked."""

    streams: list[int]
    revoked: int


class MemberQuerySet(models.QuerySet["Member"]):
    def come_back(self, members: Collection[Member]) -> Statement:
        """Note the sockets that these members, who are present, hold their seats with.

        The plain form is `member.save(update_fields=["state", "lost_at", "connection", "process", "address"])`.
        """
        ids = [member.pk for member in members]
        condition, which = rows.among(ids)
        sql = f"""
            UPDATE conferences_member SET state = 'present', lost_at = NULL, connection = {rows.by_id("text")},
                process = {rows.by_id("text")}, address = {rows.by_id("inet")}
            WHERE id {condition}
        """  # noqa: S608 no input
        connections, processes = [member.connection for member in members], [member.process for member in members]
        addresses = [member.address or None for member in members]
        return Statement(sql, [connections, ids, processes, ids, addresses, ids, which])

    def lose(self, sockets: Collection[tuple[int, str]], now: datetime) -> dict[tuple[int, str], int]:
        """Note that sockets went away, each a member's id and its connection; answers the numbers of the members who
        held their seats with them until now.

        The plain form is, for each, `filter(pk=…, connection=…, state=PRESENT).update(state=RECONNECTING,
        lost_at=now)`.
        """
        sql = """
            UPDATE conferences_member m SET state = 'reconnecting', lost_at = %s
            FROM json_to_recordset(%s) AS gone(id bigint, connection text)
            WHERE m.id = gone.id AND m.connection = gone.connection AND m.state = 'present'
            RETURNING m.id, m.connection, m.number
        """
        gone = orjson.dumps([{"id": member_id, "connection": connection} for member_id, connection in sockets])
        return {
            (member_id, connection): number for member_id, connection, number in rows.execute(sql, [now, gone.decode()])
        }

    def end_seats(self, member_ids: Sequence[int], reason: int, now: datetime) -> Emptied:
        """Mark seats as ended and revoke the open media sessions of who sat there, in one statement.

        The plain form is an update of each and a select of the streams.
        """
        condition, which = rows.among(member_ids)
        sql = f"""
            WITH ended AS (
                UPDATE conferences_member SET state = 'exited', exited_at = %s, exit_reason = %s, lost_at = NULL
                WHERE id {condition}
            ), revoked AS (
                UPDATE conferences_mediasession SET revoked_at = %s
                WHERE member_id {condition} AND closed_at IS NULL AND revoked_at IS NULL
                RETURNING 1
            )
            SELECT (SELECT count(*) FROM revoked),
                ARRAY(SELECT id FROM conferences_stream WHERE member_id {condition} AND state <> 'ended')
        """  # noqa: S608 no input
        ((revoked, streams),) = rows.execute(sql, [now, int(reason), which, now, which, which])
        return Emptied(streams, revoked)

    def lock_with_conference(
        self, confr_id: str, application_id: int | None, user_id: int
    ) -> tuple[Conference, Member | None] | None:
        """Lock a conference, and read the seat that this user holds in it, in one statement.

        The plain form is the lock of `ConferenceManager`, and then `seated_user`.
        """
        condition, values = by_confr_id(confr_id, application_id)
        sql = (
            f"SELECT {rows.IS_FRESH}, {rows.columns(Conference)}, {rows.columns(Member)}, "  # noqa: S608
            "(SELECT u.name FROM accounts_user u WHERE u.id = conferences_member.user_id) "
            f"FROM conferences_conference LEFT JOIN {seat_of('%s', 'conferences_conference.id')} ON TRUE "
            f"{condition} FOR UPDATE OF conferences_conference"
        )
        found = rows.lock_and_read(sql, [user_id, *values])
        if not found:
            return None
        (row,), width = found, len(Conference._meta.concrete_fields)
        conference, seat = rows.instance(Conference, row[:width]), row[width:]
        return conference, None if seat[0] is None else read_seat(conference, seat)

    def seated_named(self, conference: Conference, names: Collection[str]) -> list[Member]:
        """The seats of the users with these names, with user and conference.

        The plain form is `seated().select_related("user").filter(conference=…, user__name__in=names)`.
        """
        condition, whose = rows.among(list(names))
        return _seated(conference, f"u.application_id = %s AND u.name {condition}", [conference.application_id, whose])

    def seated_user(self, conference: Conference, user_id: int) -> Member | None:
        """The seat of this user, with user and conference."""
        return next(iter(self.seated_users(conference, [user_id])), None)

    def seated_users(self, conference: Conference, user_ids: Collection[int]) -> list[Member]:
        """The seats of these users, with user and conference.

        The plain form is `seated().select_related("user").filter(conference=…, user__in=user_ids)`.
        """
        condition, whose = rows.among(list(user_ids))
        return _seated(conference, f"conferences_member.user_id {condition}", [whose])

    def longest_present(self, conference: Conference, role: Role) -> Member | None:
        """Who of this role is inside, not in grace, for the longest time; with user and conference.

        The plain form is `filter(…, state=PRESENT, role=role).order_by("entered_at", "number").first()`.
        """
        which = "role = %s AND lost_at IS NULL ORDER BY entered_at, number LIMIT 1"
        return next(iter(_seated(conference, which, [int(role)])), None)

    def change_role(self, members: Collection[Member], role: Role) -> Statement:
        """Note the role of these members. The plain form is `update(role=role)`."""
        condition, which = rows.among([member.pk for member in members])
        return Statement(f"UPDATE conferences_member SET role = %s WHERE id {condition}", [int(role), which])  # noqa: S608

    def seated(self) -> MemberQuerySet:
        """Those who hold a seat now, in grace or not."""
        return self.exclude(state=Member.State.EXITED)


class Member(models.Model):
    """A seat, from entry to exit. Coming back within the grace time keeps it; a later entry is a new one."""

    class State(models.TextChoices):
        PRESENT = "present", _("present")
        RECONNECTING = "reconnecting", _("reconnecting")
        EXITED = "exited", _("exited")

    # No indexes of their own: some below begin with them.
    conference = models.ForeignKey(Conference, models.CASCADE, related_name="members", db_index=False)
    user = models.ForeignKey(User, models.CASCADE, related_name="seats", db_index=False)
    number = models.PositiveIntegerField()
    role = models.PositiveSmallIntegerField(_("role"), choices=Role.choices)
    state = models.CharField(_("state"), max_length=12, choices=State.choices, default=State.PRESENT)
    nick_name = models.CharField(_("nickname"), max_length=64, blank=True)
    ext = models.TextField(blank=True)
    extra = models.JSONField(default=dict, blank=True)  # vendors' own fields, by vendor
    muted = ArrayField(models.CharField(max_length=8, choices=Kind.choices), default=list, blank=True)
    address = models.GenericIPAddressField(_("address"), null=True, blank=True)
    device = models.CharField(_("device"), max_length=128, blank=True)
    # The socket that holds the seat: a goodbye of an older one must not end it.
    connection = models.CharField(max_length=32, blank=True)
    process = models.CharField(max_length=32, blank=True)
    entered_at = models.DateTimeField(_("entered"))
    lost_at = models.DateTimeField(null=True, blank=True)
    exited_at = models.DateTimeField(_("exited"), null=True, blank=True)
    exit_reason = models.PositiveSmallIntegerField(choices=ExitReason.choices, null=True, blank=True)

    objects = MemberQuerySet.as_manager()

    class Meta:
        verbose_name = _("member")
        verbose_name_plural = _("members")
        constraints = [
            models.UniqueConstraint(fields=["conference", "number"], name="member_number_unique"),
            models.UniqueConstraint(
                fields=["conference", "user"], condition=~models.Q(state="exited"), name="member_seat_unique"
            ),
        ]
        indexes = [
            # Who is inside, in order: of a long conference most have left.
            models.Index(fields=["conference", "number"], condition=~models.Q(state="exited"), name="member_seated"),
            # With the conference: of the seats that somebody had in a year, one conference's are asked for.
            models.Index(fields=["user", "conference"], name="member_by_user"),
            # Not of all seats: it would be small enough to be taken for a way to the seats of one conference.
            models.Index(fields=["process"], condition=models.Q(state="present"), name="member_by_process"),
            models.Index(fields=["lost_at"], condition=models.Q(state="reconnecting"), name="member_lost"),
        ]

    def __str__(self) -> str:
        return self.mem_id

    @property
    def mem_id(self) -> str:
        """`<confrId>M<n>`, what the wire calls a member."""
        return f"{self.conference.confr_id}M{self.number}"

    @property
    def talks(self) -> bool:
        return self.role >= Role.TALKER


def seat_of(user: str, conference: str) -> str:
    """The seat of a user in a conference, to be joined, for statements that have the id of each under this name.

    A part of its own (OFFSET 0), so that PostgreSQL looks for it by both, and not for all seats of one of them.
    """
    return f"""LATERAL (SELECT m.* FROM conferences_member m WHERE m.conference_id = {conference}
        AND m.user_id = {user} AND m.state <> 'exited' OFFSET 0) conferences_member"""  # noqa: S608 names of columns


def _seated(conference: Conference, condition: str, values: Sequence[object]) -> list[Member]:
    sql = (
        f"SELECT {rows.columns(Member)}, u.name FROM conferences_member "  # noqa: S608 no input
        "JOIN accounts_user u ON u.id = conferences_member.user_id "
        f"WHERE conferences_member.conference_id = %s AND conferences_member.state <> 'exited' AND {condition}"
    )
    return [read_seat(conference, row) for row in rows.execute(sql, [conference.pk, *values])]


def read_seat(conference: Conference, row: Sequence[Any]) -> Member:
    """A member from its columns and the user's name, as statements of several models read them."""
    *columns, name = row
    member = rows.instance(Member, columns)
    member.conference = conference
    member.user = User(pk=member.user_id, application_id=conference.application_id, name=name)
    return member


class Lease(models.Model):
    """A server process that holds sockets, and the last time it said so.

    `misses` counts the sweeps that found it late: its members are lost only at the second.
    """

    process = models.CharField(max_length=32, primary_key=True)
    renewed_at = models.DateTimeField()
    misses = models.PositiveSmallIntegerField(default=0)

    class Meta:
        verbose_name = _("lease")
        verbose_name_plural = _("leases")

    def __str__(self) -> str:
        return self.process
