"""Rows of the domain, their invariants and their querysets. Only services write them."""

from conferences.models.ban import Ban
from conferences.models.bulk import BulkAct, BulkItem
from conferences.models.conference import CloseReason, Conference, ConferenceType, Kind, Role
from conferences.models.event import Event
from conferences.models.media_job import MediaJob
from conferences.models.member import ExitReason, Lease, Member
from conferences.models.mix import Mix
from conferences.models.recording import Recording, StopReason, Take, millis
from conferences.models.sample import Point, Sample
from conferences.models.saved_filter import SavedFilter
from conferences.models.stream import MediaSession, Stream, StreamType, Watch, new_media_name, stream_id
from conferences.models.ticket import Ticket

__all__ = [
    "Ban",
    "BulkAct",
    "BulkItem",
    "CloseReason",
    "Conference",
    "ConferenceType",
    "Event",
    "ExitReason",
    "Kind",
    "Lease",
    "MediaJob",
    "MediaSession",
    "Member",
    "Mix",
    "Point",
    "Recording",
    "Role",
    "Sample",
    "SavedFilter",
    "StopReason",
    "Stream",
    "StreamType",
    "Take",
    "Ticket",
    "Watch",
    "millis",
    "new_media_name",
    "stream_id",
]
