"""What bodies of emedia's calls ask for, as the services take it. Pure."""

from __future__ import annotations

from conferences.models import ConferenceType, Role
from conferences.services.conferences import Wishes
from conferences.vendors.fields import Fields

ROLES = [role.value for role in Role]
HIDING = 9  # what old SDKs ask for when they have no wish
MAX_VALUE = 16 << 10

LIMITS = {
    "maxTalkerCount": "talkers",
    "maxVideoCount": "videos",
    "maxAudienceCount": "audience",
    "maxPubDesktopCount": "desktops",
}


def wishes(body: Fields, creator: str | None = None) -> Wishes:
    """What a creator asks for. A password that was left out is generated, "" is none."""
    limits = {ours: body.whole(theirs, 0, 100_000) for theirs, ours in LIMITS.items()}
    role = body.choice("memDefaultRole", ROLES)
    delay = body.whole("confrDelayMillis", 0, 86_400_000)
    return Wishes(
        type=body.choice("confrType", ConferenceType.values) or ConferenceType.COMMUNICATION,
        name=body.text("roomName", 128),
        password=body.text("password", 64) if body.has("password") else None,
        limits={name: limit for name, limit in limits.items() if limit is not None},
        default_role=None if role is None else Role(role),
        allow_audience_talk=body.flag("allowAudienceTalk"),
        delay_seconds=120 if delay is None else max(1, delay // 1000),
        rec=body.flag("rec"),
        rec_merge=body.flag("recMerge"),
        creator=creator or body.text("creator") or None,
    )


def attribute_changes(wishes: list[Fields]) -> tuple[dict[str, str], set[str]]:
    """What to set and what to delete; of two wishes for one key the later counts. Raises: BadParameters."""
    values: dict[str, str] = {}
    deleted: set[str] = set()
    for wish in wishes:
        key = wish.needed("key", 128)
        if wish.text("op") == "DEL":
            values.pop(key, None)
            deleted.add(key)
        else:
            values[key] = wish.json_text("val", MAX_VALUE)
            deleted.discard(key)
    return values, deleted
