"""Who reaches the served app: this machine's own pages, and elsewhere who has the token."""

import http.client

import browsing
import pytest
from commands import ask, refuse

from workbench.views import access

SECRET = "a-secret-that-the-test-knows"
SOCKET = {
    "Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==", "Sec-WebSocket-Protocol": "bokeh, x",
}  # fmt: skip
EVIL = "http://evil.example"


def asked(port, path="/", host="127.0.0.1", **headers):
    """Status of the answer, and its cookie."""
    connection = http.client.HTTPConnection(host, port, timeout=60)
    try:
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.getheader("Set-Cookie", "")
    finally:
        connection.close()


def socket_opens(port, host="127.0.0.1", **headers):
    status, _ = asked(port, "/ws", host, **SOCKET, **headers)
    assert status in (101, 403)
    return status == 101


@pytest.fixture(scope="module", params=[(), ("--address", "0.0.0.0", "--token", SECRET)])
def served(request, tmp_path_factory):
    """Port of a server in a process of its own, and whether it listens to others."""
    words = ["-m", "workbench.views.app", "--port", "0", "--no-browser", *request.param]
    folder = tmp_path_factory.mktemp("served")
    ready = r"http://[^:\s]+:(\d+)/?"
    with browsing.program(words, ready, folder, folder / "log") as found:
        yield int(found[1]), bool(request.param)


def test_who_is_let_in(served):
    port, public = served
    own, cookie = f"http://127.0.0.1:{port}", {}
    if public:
        assert asked(port) == (403, "") and asked(port, "/?token=guess") == (403, "")
        assert not socket_opens(port, Origin=own)
        assert not socket_opens(port, Origin=own, Cookie=f"workbench-token-{port}=guess")
        status, given = asked(port, f"/?token={SECRET}")
        assert status == 200 and "httponly" in given.lower() and "samesite=strict" in given.lower()
        cookie = {"Cookie": given.split(";")[0]}
    assert asked(port, **cookie)[0] == 200
    assert socket_opens(port, Origin=own, **cookie)
    for other in (EVIL, f"{EVIL}:{port}", f"http://127.0.0.1:{port + 1}", "null"):
        assert not socket_opens(port, Origin=other, **cookie)
    if not public:  # a name of another site that leads to this machine
        assert not socket_opens(port, Origin=f"{EVIL}:{port}", Host=f"evil.example:{port}")


def test_by_itself_it_listens_to_this_machine_alone():
    assert access.is_local(access.LOCALHOST) and access.is_local("::1")
    for port in (1, 5006):
        assert access.origins("localhost", port) == [f"127.0.0.1:{port}", f"localhost:{port}"]
    assert "[::1]:7" in access.origins("::1", 7)
    assert not any(access.is_local(a) for a in ("", "0.0.0.0", "::", "10.0.0.7", "example.org"))


def test_every_token_is_another_and_long():
    values = {access.Token().value for _ in range(20)}
    assert len(values) == 20 and min(map(len, values)) >= 43


def test_the_command_prints_the_link_with_the_token(monkeypatch):
    import workbench.views.app as app

    calls = []
    monkeypatch.setattr(app, "serve", lambda **how: calls.append(how))
    found = ask("serve", "--port", "0", "--address", "0.0.0.0")
    (how,) = calls
    assert how["address"] == "0.0.0.0" and len(how["token"]) >= 43
    assert found["url"].endswith(f":{found['port']}/?token={how['token']}")
    assert "no address of this machine" in refuse("serve", "--address", "a..b")
    assert "cannot be used" in refuse("serve", "--address", "192.0.2.1")
