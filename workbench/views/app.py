"""The served app: its rooms under a header, their state in the link."""

import argparse
import asyncio
import sys
from typing import Any
from urllib.parse import urlsplit

import panel as pn
import torch
from bokeh.protocol.message import Message
from bokeh.server.urls import per_app_patterns
from panel.io.document import dispatch_tornado
from panel.io.server import WSHandler
from tornado.web import HTTPError
from tornado.websocket import WebSocketClosedError

from workbench.views import access, terms
from workbench.views.parts import EVERYWHERE_CSS, download, text
from workbench.views.rooms import House
from workbench.views.tour import COOKIE, Tour

PAGE_CSS = """
#main { padding: 14px 26px 14px 26px; display: flex; flex-direction: column; }
#main > div > * { flex: none; }
#main > div > .wb-glossary { margin-top: auto !important; padding-top: 18px; }
#header { min-height: 46px; padding: 2px 16px; box-shadow: none !important; }
#header .title { font-size: 17px; font-weight: 600; }
@media (max-width: 1180px) { #header .title { display: none; } }
#header-items { flex: 1; display: flex; justify-content: flex-end; }
body { overflow-x: hidden; }
"""
LIKE_OTHERS = ".bk-btn, .bk-btn a { color: #fff; } .bk-btn { border: 1px solid #fff !important; }"
COPY = """
const link = new URL(window.location.href);
link.searchParams.delete("token");  // what opens a server to others is not passed on with a screen
const text = link.href;
const done = () => { button.label = "Copied"; setTimeout(() => button.label = "Copy link", 1500); };
if (navigator.clipboard) { navigator.clipboard.writeText(text).then(done); }
else {
  const area = document.createElement("textarea");
  area.value = text; document.body.append(area); area.select();
  document.execCommand("copy"); area.remove(); done();
}
"""
LEFT = (1000, 1001)
"""How a page closes its socket when it is left; after a failure of the network it may come back."""
_SWEEP_MS = 1_000
SWITCH = """
const link = new URL(window.location.href);
link.searchParams.set("theme", "%s");
window.location.assign(link);
"""


def app() -> pn.template.BootstrapTemplate:
    """One visitor's page. What its room does by itself starts when it has loaded."""
    dark = pn.state.session_args.get("theme", [b""])[0] == b"dark"
    house = House(dark=dark)
    if pn.state.location is not None:
        pn.state.location.sync(house, ["room"], on_error=lambda values: None)
    house.open()  # before the page loads: a link that changes meanwhile would not be shown
    pn.state.onload(house.begin)
    pn.state.on_session_destroyed(lambda context, h=house: h.close())
    rooms = pn.widgets.RadioButtonGroup.from_param(
        house.param.room, label="", variant="outline", color="light", margin=4,
        css_classes=["wb-rooms"],
    )  # fmt: skip
    copy = _header_button("Copy link", "The link holds the state of this screen, seeds included.")
    copy.js_on_click(args={"button": copy}, code=COPY)
    fresh = COOKIE not in pn.state.cookies
    tour = Tour(lambda room: house.param.update(room=room), fresh, house.room)
    again = _header_button("Tour", "A tour of the rooms in six stops.")
    again.on_click(lambda _: tour.again())
    save = download(
        "Notebook", house.notebook, "workbench.ipynb", variant="outline", color="light", margin=4,
        css_classes=["wb-notebook"], stylesheets=[LIKE_OTHERS],
    )  # fmt: skip
    house.param.watch(lambda e: save.param.update(filename=f"{e.new}.ipynb"), "room")
    save.filename = f"{house.room}.ipynb"
    theme = _header_button("Light" if dark else "Dark", "Switch between light and dark.")
    theme.js_on_click(code=SWITCH % ("default" if dark else "dark"))
    return pn.template.BootstrapTemplate(
        title="Catastrophe workbench",
        header=[
            pn.FlexBox(
                rooms,
                pn.Row(again, copy, save, theme, margin=0),
                justify_content="space-between",
                sizing_mode="stretch_width",
                margin=0,
            )
        ],
        header_background="#1f2b3a",
        header_color="#ffffff",
        main=[tour, house.place, text(terms.line(), css_classes=["wb-glossary"])],
        theme=pn.template.DarkTheme if dark else pn.template.DefaultTheme,
        raw_css=[PAGE_CSS],
        busy_indicator=None,
    )


def _header_button(name: str, doc: str) -> pn.widgets.Button:
    return pn.widgets.Button(
        label=name, description=doc, variant="outline", color="light", height=32, margin=4
    )


def serve(
    port: int = 5006,
    show: bool = True,
    address: str = access.LOCALHOST,
    token: str = "",
    **more: Any,
) -> None:
    """Serve the app until interrupted; the address is printed.

    Args:
        port: 0 takes a free one.
        show: whether to open a browser; only on this machine's own address.
        address: where to listen. On any but this machine's own, visitors need the token.
        token: what they need; a random one without it.

    Raises:
        BadInput: where the port cannot be used.
    """
    port = access.free_port(port, address)
    local = access.is_local(address)
    if not local:
        more["auth_provider"] = access.Token(token)
    torch.set_num_threads(1)  # one for each: the sliders' closed forms and each session's sampling
    sys.setswitchinterval(5e-4)  # a slider's handler waits less for the threads that sample
    pn.extension("plotly", raw_css=[EVERYWHERE_CSS])
    _bring_socket()
    pn.serve(
        {"/": app},
        port=port,
        address=address,
        show=show and local,
        title="Catastrophe workbench",
        websocket_origin=access.origins(address, port),
        check_unused_sessions_milliseconds=_SWEEP_MS,  # a visitor who left takes no more turns
        **more,
    )


class _OwnSocket(WSHandler):
    """No Nagle: Bokeh writes a message as three frames, and each would wait 40 ms for the last.
    It also lets other pages be served between two frames, and whatever this page has to say next
    wait for that: here all frames leave at once.

    Pages of other sites are refused, under whatever name they ask: Tornado lets in a page whose
    origin is the host that it asks for, and a name of another site may lead to this machine.
    """

    async def prepare(self) -> None:
        await super().prepare()
        if not self._finished and not self.check_origin(f"http://{self.request.host}"):
            raise HTTPError(403)

    def open(self) -> None:
        self.set_nodelay(True)
        super().open()

    async def send_message(self, message: Message[Any]) -> None:
        assert self.connection is not None
        sent = dispatch_tornado(self.connection, msg=message)
        for trouble in await asyncio.gather(*sent, return_exceptions=True):
            if isinstance(trouble, BaseException) and not isinstance(trouble, WebSocketClosedError):
                raise trouble

    def on_close(self) -> None:
        if self.connection is not None and self.close_code in LEFT:
            self.connection.session.request_expiration()
        super().on_close()

    def check_origin(self, origin: str) -> bool:
        host = urlsplit(origin).netloc.lower()
        return host == self.request.host.lower() and super().check_origin(origin)


def _bring_socket() -> None:
    places = [k for k, entry in enumerate(per_app_patterns) if entry[1] is WSHandler]
    for k in places:
        per_app_patterns[k] = (per_app_patterns[k][0], _OwnSocket)


def main() -> None:
    """`python -m workbench.views.app --port 5006 --no-browser`."""
    parser = argparse.ArgumentParser(description="Serve the app.")
    parser.add_argument("--port", type=int, default=5006)
    parser.add_argument("--address", default=access.LOCALHOST)
    parser.add_argument("--token", default="")
    parser.add_argument("--no-browser", action="store_true")
    options = parser.parse_args()
    serve(options.port, not options.no_browser, options.address, options.token)


if __name__ == "__main__":
    main()
