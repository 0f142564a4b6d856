"""The hub: who listens to which conference in this process, and how facts reach them. Knows no dialect.

`sockets` writes, `room` puts the facts of one conference in order and tells them, `changes` tells who watches many
conferences that something happened, `doors` lets members in, `process` feeds them.
"""

from conferences.hub.changes import Watch
from conferences.hub.doors import Admission
from conferences.hub.process import Hub, hub
from conferences.hub.room import Encoder, Ending, Listener, Room
from conferences.hub.sockets import Batch, Message, QueuedSocket, Socket, socket_of

__all__ = [
    "Admission",
    "Batch",
    "Encoder",
    "Ending",
    "Hub",
    "Listener",
    "Message",
    "QueuedSocket",
    "Room",
    "Socket",
    "Watch",
    "hub",
    "socket_of",
]
