from __future__ import annotations

import os
import socket
import stat

import pytest
from django.conf import settings

from supervisor.errors import StartError
from supervisor.settings import from_environment
from supervisor.state import State, check_ports


@pytest.fixture
def state(tmp_path):
    return State(tmp_path / "var")


@pytest.fixture
def taken():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


def test_a_second_supervisor_is_told_who_holds_the_state(state):
    with state.locked(), pytest.raises(StartError, match=f"already, as process {os.getpid()}"), state.locked():
        pass
    with state.locked():
        pass


def test_a_taken_port_is_named_with_its_variable(taken):
    with pytest.raises(StartError, match=f"CONFR_RTMP_PORT: cannot listen on 127.0.0.1 port {taken}"):
        check_ports("127.0.0.1", {"CONFR_RTMP_PORT": taken})


def test_two_variables_with_one_port_are_refused():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(StartError, match="CONFR_MEDIA_HTTP_PORT"):
        check_ports("127.0.0.1", {"CONFR_PORT": port, "CONFR_MEDIA_HTTP_PORT": port})


def test_the_addresses_are_those_that_django_hands_out():
    ours = from_environment(os.environ)

    assert (ours.var, ours.keys_file, ours.bind) == (settings.VAR_DIR, settings.KEYS_FILE, settings.BIND)
    assert (ours.port, ours.rtmp_port, ours.media_http_port) == (
        settings.PORT,
        settings.RTMP_PORT,
        settings.MEDIA_HTTP_PORT,
    )
    assert (ours.public_url, ours.public_rtmp_url, ours.public_media_url) == (
        settings.PUBLIC_URL,
        settings.PUBLIC_RTMP_URL,
        settings.PUBLIC_MEDIA_URL,
    )


@pytest.mark.parametrize("text", ["", "http", "0", "65536", "-1", "80.5"])
def test_a_port_that_is_no_port_is_refused(text):
    with pytest.raises(StartError, match="CONFR_PORT is"):
        from_environment({"CONFR_PORT": text})


def test_a_private_port_is_kept_until_it_is_taken(state):
    with state.locked():
        port = state.private_port("control_port")
        assert state.private_port("control_port") == port
        with socket.create_server(("127.0.0.1", port)):
            assert state.private_port("control_port") != port


def test_what_other_terminals_need_is_for_their_owner_only(state):
    with state.locked():
        state.clean_up()
        state.tell_environment({"DATABASE_URL": "postgres://a:it's@b/c"})

    assert stat.S_IMODE(state.environment_file.stat().st_mode) == 0o600
    assert state.environment_file.read_text() == "export DATABASE_URL='postgres://a:it'\"'\"'s@b/c'\n"


def test_sockets_and_metrics_of_an_earlier_run_are_removed(state, tmp_path):
    with state.locked():
        state.clean_up()
        (state.metrics / "counter_1.db").write_text("")
        left = tmp_path / "confr-left"
        left.mkdir()
        state.remember_sockets("redis", left)

        state.clean_up()

        assert not left.exists()
        assert list(state.metrics.iterdir()) == []
        state.remember_sockets("redis", tmp_path)
