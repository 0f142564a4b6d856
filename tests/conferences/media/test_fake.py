from __future__ import annotations

import logging

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.test import RequestFactory

from conferences.media.base import MediaHookInvalid, MediaServerAway, media_server
from conferences.media.fake import FakeMediaServer


@pytest.fixture
def fake() -> FakeMediaServer:
    return FakeMediaServer()


def names(fake: FakeMediaServer) -> list[str]:
    return [stream.name for stream in fake.list_streams().streams]


def test_a_fake_refuses_to_be_made_in_production_and_is_loud_elsewhere(monkeypatch, settings, caplog):
    with caplog.at_level(logging.WARNING):
        FakeMediaServer()
    assert "The media server is a fake" in caplog.text

    monkeypatch.delenv("PYTEST_VERSION")
    settings.DEBUG = False
    with pytest.raises(ImproperlyConfigured):
        FakeMediaServer()


def test_the_setting_names_the_adapter(settings):
    settings.MEDIA_SERVER = "conferences.media.fake.FakeMediaServer"
    media_server.cache_clear()
    try:
        assert isinstance(media_server(), FakeMediaServer)
        assert media_server() is media_server()
    finally:
        media_server.cache_clear()


def test_who_asks_is_listed_only_after_a_yes(fake):
    asked = fake.ask("publish", "a-1", "key")
    assert names(fake) == []

    fake.admit(asked)
    (stream,) = fake.list_streams().streams
    assert stream.publisher is not None
    assert stream.publisher.id == asked.client_id
    assert fake.list_streams().boot_id == asked.boot_id


def test_players_go_with_their_publisher(fake):
    publisher, player = fake.ask("publish", "a-1", "key"), fake.ask("play", "a-1", "key")
    fake.admit(publisher)
    fake.admit(player)

    assert fake.leave(player).kind == "stop"
    assert names(fake) == ["a-1"]
    fake.admit(player)
    assert fake.drop_publisher("a-1") == 1
    assert fake.drop_client(player.client_id, "a-1") == 0
    assert (names(fake), fake.dropped) == ([], [publisher.client_id])


def test_a_restart_forgets_everybody_and_counts_from_the_beginning(fake):
    before = fake.ask("publish", "a-1", "key")
    fake.admit(before)
    fake.restart()
    after = fake.ask("publish", "a-1", "key")

    assert names(fake) == []
    assert after.client_id == before.client_id
    assert after.boot_id != before.boot_id


def test_a_fake_that_is_away_answers_nobody(fake):
    fake.away = True

    for ask in (fake.list_streams, lambda: fake.drop_client("1", "a-1"), lambda: fake.drop_publisher("a-1")):
        with pytest.raises(MediaServerAway):
            ask()
    assert not fake.health().ok


def test_a_hook_is_a_form(fake):
    asked = fake.ask("publish", "a-1", "key")
    form = {name: getattr(asked, name) for name in ("name", "client_id", "address", "key", "boot_id")}

    assert fake.parse_hook("publish", RequestFactory().post("/hooks/fake/publish", form)) == asked
    with pytest.raises(MediaHookInvalid):
        fake.parse_hook("other", RequestFactory().post("/hooks/fake/other", form))


def test_what_is_seen_of_a_stream_can_be_told(fake):
    fake.admit(fake.ask("publish", "a-1", "key"))
    fake.show("a-1", width=360, height=640, video_codec="H264")

    (stream,) = fake.list_streams().streams
    assert (stream.width, stream.height, stream.video_codec) == (360, 640, "H264")
