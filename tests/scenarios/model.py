"""A conference as one would draw it on paper: what `test_life` compares the real one with. Pure Python."""

from __future__ import annotations

from dataclasses import dataclass, field

ADMIN, TALKER, AUDIENCE = 7, 3, 1
GRACE, TICKET_LIFE = 30, 600


class Refusal(Exception):
    pass


@dataclass
class Ticket:
    name: str
    role: int
    issued_at: int
    is_revoked: bool = False
    seat: Seat | None = None


@dataclass
class Seat:
    name: str
    number: int
    role: int
    muted: set[str]
    lost_at: int | None = None
    is_over: bool = False


@dataclass
class Stream:
    owner: Seat
    kind: str
    is_live: bool = False
    seat: str = ""


@dataclass
class Room:
    """The rules of the product, without a database."""

    hides_audience: bool
    limits: dict[str, int]
    default_role: int
    total: int
    creator: str = "alice"
    now: int = 0
    is_over: bool = False
    is_locked: bool = False
    serial: int = 0
    newcomers: set[str] = field(default_factory=set)
    seats: dict[str, Seat] = field(default_factory=dict)
    streams: dict[tuple[str, str], Stream] = field(default_factory=dict)
    tickets: list[Ticket] = field(default_factory=list)
    held: set[str] = field(default_factory=set)
    attributes: dict[str, str] = field(default_factory=dict)

    def count(self, what: str) -> int:
        if what in {"video", "desktop"}:
            return sum(stream.seat == what for stream in self.streams.values())
        return sum((seat.role >= TALKER) == (what == "talkers") for seat in self.seats.values())

    def issue(self, name: str, role: int | None) -> Ticket:
        self._must_be_live()
        if name in self.held:
            raise Refusal("banned")
        default = ADMIN if name == self.creator else self.default_role
        self.tickets.append(Ticket(name, default if role is None else role, self.now))
        return self.tickets[-1]

    def enter(self, ticket: Ticket) -> bool:
        self._must_be_live()
        if ticket.is_revoked:
            raise Refusal("ticket_revoked")
        if ticket.name in self.held:
            raise Refusal("banned")
        seat = self.seats.get(ticket.name)
        if ticket.seat is None or ticket.seat is not seat:
            if ticket.seat is not None:
                raise Refusal("ticket_used")
            if self.now - ticket.issued_at >= TICKET_LIFE:
                raise Refusal("ticket_expired")
        if seat is not None:
            ticket.seat, seat.lost_at = seat, None
            self._hand_over()
            return True
        self._sit(ticket)
        return False

    def _sit(self, ticket: Ticket) -> None:
        if self.is_locked and ticket.name != self.creator:
            raise Refusal("conference_locked")
        if len(self.seats) >= self.total:
            raise Refusal("members_full")
        self._must_fit(ticket.role)
        self.serial += 1
        muted = set() if ticket.role == ADMIN else set(self.newcomers)
        ticket.seat = self.seats[ticket.name] = Seat(ticket.name, self.serial, ticket.role, muted)

    def _must_fit(self, role: int) -> None:
        what = "talkers" if role >= TALKER else "audience"
        if self.count(what) >= self.limits[what]:
            raise Refusal(f"{what}_full")

    def lose(self, name: str) -> None:
        if self.seats[name].lost_at is None:
            self.seats[name].lost_at = self.now

    def sweep(self) -> None:
        over = [s.name for s in self.seats.values() if s.lost_at is not None and self.now - s.lost_at >= GRACE]
        self.end(over)

    def end(self, names: list[str]) -> None:
        """Seats end, with their streams; the last one closes the door."""
        if not names:
            return
        for name in names:
            self.seats.pop(name).is_over = True
            self._end_streams(name)
        if not self.seats:
            self.close()
        else:
            self._hand_over()

    def kick(self, name: str, *, may_rejoin: bool) -> bool:
        self._must_be_live()
        if not may_rejoin:
            self.held.add(name)
        for ticket in self.tickets:
            ticket.is_revoked = ticket.is_revoked or ticket.name == name
        was_inside = name in self.seats
        self.end([name] if was_inside else [])
        return was_inside

    def grant(self, name: str, role: int) -> None:
        self._must_be_live()
        seat = self.seats.get(name)
        if seat is None or seat.role == role:
            return
        if (seat.role >= TALKER) != (role >= TALKER):
            self._must_fit(role)
        seat.role = role
        if role < TALKER:
            self._end_streams(name)

    def mute(self, names: list[str], kinds: set[str], muted: bool) -> None:
        self._must_be_live()
        for name in names:
            seat = self.seats[name]
            before = set(seat.muted)
            seat.muted = before | kinds if muted else before - kinds
            if muted and seat.muted != before:
                self._end_streams(name, lambda stream, seat=seat: only_carries(stream.kind, seat.muted))

    def offer(self, name: str, rtc_id: str, kind: str) -> Stream:
        self._must_be_live()
        seat = self.seats.get(name)
        if seat is None:
            raise Refusal("member_not_found")
        if seat.role < TALKER:
            raise Refusal("not_allowed")
        if kind in seat.muted:
            raise Refusal("muted")
        stream = self.streams.setdefault((name, rtc_id), Stream(seat, kind))
        if not stream.is_live:
            stream.kind = kind
        return stream

    def publish(self, stream: Stream) -> None:
        muted = stream.owner.muted
        if stream.kind in muted or only_carries(stream.kind, muted):
            raise Refusal("muted")
        stream.seat = self._media_seat(stream)
        stream.is_live = True

    def _media_seat(self, stream: Stream) -> str:
        if stream.kind == "audio" or (not stream.kind and "video" in stream.owner.muted):
            return ""
        what = stream.kind or "video"
        if self.count(what) >= self.limits[f"{what}s"]:
            if stream.kind:
                raise Refusal(f"{what}s_full")
            return ""
        return what

    def unpublish(self, stream: Stream) -> None:
        stream.is_live, stream.seat = False, ""

    def close(self) -> None:
        self.is_over = True
        self.seats.clear()
        self.streams.clear()

    def _end_streams(self, name: str, which=lambda _: True) -> None:
        for key, stream in list(self.streams.items()):
            if key[0] == name and which(stream):
                stream.is_live = False
                del self.streams[key]

    def _hand_over(self) -> None:
        if any(seat.role == ADMIN for seat in self.seats.values()):
            return
        heirs = [seat for seat in self.seats.values() if seat.role == TALKER and seat.lost_at is None]
        if heirs:
            min(heirs, key=lambda seat: seat.number).role = ADMIN

    def _must_be_live(self) -> None:
        if self.is_over:
            raise Refusal("conference_closed")


def only_carries(kind: str, muted: set[str]) -> bool:
    return kind in muted if kind in {"audio", "desktop"} else {"audio", "video"} <= muted
