"""Stream: a member's published media. Watch: a staff member's look at one. MediaSession: one client at the media
server that we let in."""

from __future__ import annotations

import secrets

from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.models import Staff
from conferences.models.conference import Conference, Kind
from conferences.models.member import Member


class StreamType(models.IntegerChoices):
    """Easemob's numbers."""

    CAMERA = 0, _("camera")
    DESKTOP = 1, _("desktop")
    MIX = 2, _("mix")


class StreamQuerySet(models.QuerySet["Stream"]):
    def open(self) -> StreamQuerySet:
        """Those that may still be published."""
        return self.exclude(state=Stream.State.ENDED)

    def live(self) -> StreamQuerySet:
        return self.filter(state=Stream.State.LIVE)


class Stream(models.Model):
    """What a member publishes under one `rtcId`.

    OFFERED: its URL was handed out, nobody sees it. LIVE: the media server says that it is published. A publisher
    that stops is OFFERED again (a phone reconnects with the same URL); ENDED is for good.
    """

    class State(models.TextChoices):
        OFFERED = "offered", _("offered")
        LIVE = "live", _("live")
        ENDED = "ended", _("ended")

    conference = models.ForeignKey(Conference, models.CASCADE, related_name="streams")
    member = models.ForeignKey(Member, models.CASCADE, related_name="streams", null=True)  # null: a mix
    rtc_id = models.CharField(max_length=64)
    type = models.PositiveSmallIntegerField(_("type"), choices=StreamType.choices, default=StreamType.CAMERA)
    # What the publisher declared; "" from old SDKs that declare nothing.
    kind = models.CharField(max_length=8, choices=Kind.choices, blank=True)
    # The seat that it holds while live: video, desktop or none (audio).
    seat = models.CharField(max_length=8, choices=Kind.choices, blank=True)
    media_name = models.CharField(max_length=64, unique=True)
    state = models.CharField(_("state"), max_length=8, choices=State.choices, default=State.OFFERED)
    # Why it was not let in, as its owner was told; "" once it is let in or offered anew.
    refused = models.CharField(max_length=32, blank=True)
    video_off = models.BooleanField(default=False)
    audio_off = models.BooleanField(default=False)
    width = models.PositiveIntegerField(null=True, blank=True)
    height = models.PositiveIntegerField(null=True, blank=True)
    bytes_in = models.BigIntegerField(default=0)
    bitrate = models.PositiveIntegerField(_("bitrate, bit/s"), default=0)
    measured_at = models.DateTimeField(null=True, blank=True)
    extra = models.JSONField(default=dict, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    started_at = models.DateTimeField(_("started"), null=True, blank=True)
    ended_at = models.DateTimeField(_("ended"), null=True, blank=True)

    objects = StreamQuerySet.as_manager()

    class Meta:
        verbose_name = _("stream")
        verbose_name_plural = _("streams")
        constraints = [
            models.UniqueConstraint(
                fields=["member", "rtc_id"], condition=~models.Q(state="ended"), name="stream_rtc_id_unique"
            )
        ]
        indexes = [models.Index(fields=["conference"], condition=models.Q(state="live"), name="stream_live")]

    def __str__(self) -> str:
        return self.stream_id

    @property
    def stream_id(self) -> str:
        return stream_id(self.rtc_id, self.member.number if self.member else 0)

    @property
    def is_screen(self) -> bool:
        """Whether it shows a screen, declared either way."""
        return self.type == StreamType.DESKTOP or self.kind == Kind.DESKTOP

    @property
    def disobeys(self) -> list[str]:
        """The kinds that a live stream still carries though its member is muted for them. RTMP has one stream for
        both, so only the client can take a part of it out; where it does not, moderators see it here."""
        if self.state != Stream.State.LIVE or self.member is None:
            return []
        picture = Kind.DESKTOP if self.type == StreamType.DESKTOP else Kind.VIDEO
        carried = {kind for kind, off in ((picture, self.video_off), (Kind.AUDIO, self.audio_off)) if not off}
        return sorted(carried & set(self.member.muted))


def stream_id(rtc_id: str, number: int) -> str:
    """`<rtcId>__Of_<member tail>`, what the wire calls a stream; number 0 is that of a mix."""
    return f"{rtc_id}__Of_M{number}"


def new_media_name(conference: Conference) -> str:
    """The name at the media server: ours, never made of what a client sent."""
    return f"{conference.confr_id}-{secrets.token_hex(8)}"


class Watch(models.Model):
    """A staff member's right to watch one stream, for as long as the browser session lasts that asked for it."""

    stream = models.ForeignKey(Stream, models.CASCADE, related_name="watches")
    staff = models.ForeignKey(Staff, models.CASCADE, related_name="watches")
    session_key = models.CharField(max_length=40)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name = _("watch")
        verbose_name_plural = _("watches")
        constraints = [models.UniqueConstraint(fields=["stream", "session_key"], name="watch_unique")]

    def __str__(self) -> str:
        return f"{self.staff_id} at {self.stream_id}"


class MediaSession(models.Model):
    """One client of the media server that a hook let in to a stream: who it is, and whether it still may be there.

    Known by (boot, client, stream): a client id alone begins anew with each run of the media server, and one
    connection may go from stream to stream. `revoked_at` orders the drop; `closed_at` says that the media server
    agrees.
    """

    class Action(models.TextChoices):
        PUBLISH = "publish", _("publish")
        PLAY = "play", _("play")

    conference = models.ForeignKey(Conference, models.CASCADE, related_name="media_sessions")
    stream = models.ForeignKey(Stream, models.CASCADE, related_name="sessions")
    member = models.ForeignKey(Member, models.CASCADE, related_name="media_sessions", null=True)
    watch = models.ForeignKey(Watch, models.CASCADE, related_name="media_sessions", null=True)
    action = models.CharField(max_length=8, choices=Action.choices)
    boot_id = models.CharField(max_length=64)
    client_id = models.CharField(max_length=64)
    address = models.GenericIPAddressField(null=True, blank=True)
    opened_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True, blank=True)
    closed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = _("media session")
        verbose_name_plural = _("media sessions")
        constraints = [models.UniqueConstraint(fields=["boot_id", "client_id", "stream"], name="media_session_unique")]
        indexes = [
            models.Index(fields=["conference"], condition=models.Q(closed_at=None), name="media_session_open"),
            models.Index(
                fields=["revoked_at"],
                condition=models.Q(closed_at=None, revoked_at__isnull=False),
                name="media_session_revoked",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.action} {self.client_id}"
