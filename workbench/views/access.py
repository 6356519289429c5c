"""Who may reach the served app: this machine alone, or whoever brings the token."""

import ipaddress
import secrets
import socket
from collections.abc import Callable
from typing import Any

from bokeh.server.auth_provider import AuthProvider
from tornado.web import HTTPError, RequestHandler

from workbench.errors import BadInput

LOCALHOST = "localhost"


def is_local(address: str) -> bool:
    """Whether only programs of this machine reach what listens there.

    >>> is_local("localhost"), is_local("127.0.0.1"), is_local("0.0.0.0"), is_local("")
    (True, True, False, False)
    """
    try:
        return address == LOCALHOST or ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False


def free_port(port: int, address: str = LOCALHOST) -> int:
    """The port, or a free one for 0. Raises `BadInput` where it cannot be listened on."""
    try:
        family = socket.getaddrinfo(address, None, type=socket.SOCK_STREAM)[0][0]
    except (OSError, UnicodeError):
        raise BadInput(f"{address!r} is no address of this machine") from None
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except (OSError, OverflowError) as error:
            reason = error.strerror if isinstance(error, OSError) else "ports are 0 to 65535"
            raise BadInput(
                f"port {port} cannot be used ({reason}): choose another, or 0 for a free one"
            ) from None
        return probe.getsockname()[1]


def origins(address: str, port: int) -> list[str]:
    """The sites whose pages may open the app's socket.

    On other interfaces the names of this machine are not known: there `Token` decides who enters,
    and the socket still refuses pages of other sites than the one that it is asked at.
    """
    if not is_local(address):
        return ["*"]
    own = f"[{address}]" if ":" in address else address
    return sorted({f"{host}:{port}" for host in (own, LOCALHOST, "127.0.0.1")})


def url(address: str, port: int, token: str = "") -> str:
    """Where the app is found, with what opens it."""
    host = socket.gethostname() if address in ("", "0.0.0.0", "::") else address
    host = f"[{host}]" if ":" in host else host
    return f"http://{host}:{port}/" + (f"?{Token.KEY}={token}" if token else "")


class Token(AuthProvider):
    """Lets in whoever brings the token: once in the link, from then on in a cookie of the session.

    The cookie is not readable by scripts and not sent from pages of other sites. Everybody else
    gets 403.

    Args:
        value: the token; a random one of 256 bits without it.
    """

    KEY = "token"

    def __init__(self, value: str = ""):
        self.value = value or secrets.token_urlsafe(32)
        super().__init__()

    @property
    def login_url(self) -> str:
        """Where a page would be sent that is not let in; `get_user_async` refuses it before."""
        return "/"

    @property
    def get_user(self) -> None:
        """None: `get_user_async` decides."""
        return None

    @property
    def get_login_url(self) -> None:
        """None: there is nothing to log in with but the link."""
        return None

    @property
    def get_user_async(self) -> Callable[[Any], Any]:
        """Who asks: "visitor", or `HTTPError` 403."""
        return self._visitor

    async def _visitor(self, handler: RequestHandler) -> str:
        cookie = f"workbench-token-{handler.request.host.rpartition(':')[2]}"
        brought = handler.get_query_argument(self.KEY, "")
        if self._is_right(brought):
            handler.set_cookie(cookie, brought, httponly=True, samesite="Strict")
        elif not self._is_right(handler.get_cookie(cookie) or ""):
            raise HTTPError(403, reason="The link that the program printed holds a token")
        return "visitor"

    def _is_right(self, brought: str) -> bool:
        return secrets.compare_digest(brought.encode(), self.value.encode())
