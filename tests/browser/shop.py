"""Somebody else's web page with the snippet in it, on an origin of its own."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Shop</title>
<script src="{platform}/static/js/feedback.js" data-key="{key}" defer></script></head>
<body><main><h1>Shop</h1><p>Silk scarves come from Paris.</p>
<llmops-feedback {attributes} reasons="Wrong, Too long"></llmops-feedback></main></body></html>"""


class Shop:
    """A web server of another origin with one page and its policy."""

    def __init__(self) -> None:
        self.page = self.policy = ""
        shop = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(200 if self.path == "/" else 204)
                self.send_header("Content-Type", "text/html; charset=utf-8")
                self.send_header("Content-Security-Policy", shop.policy)
                self.end_headers()
                if self.path == "/":
                    self.wfile.write(shop.page.encode())

            def log_message(self, *_: Any) -> None:
                """Quiet."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.origin = f"http://127.0.0.1:{self.server.server_port}"

    def show(self, *, platform: str, key: str, attributes: str) -> None:
        """Serve the page with a key and the element's attributes, under a policy without inline scripts and styles."""
        self.policy = (
            f"default-src 'none'; script-src {platform}; connect-src {platform}; "
            "base-uri 'none'; form-action 'none'; require-trusted-types-for 'script'"
        )
        self.page = PAGE.format(platform=platform, key=key, attributes=attributes)


@contextmanager
def opened() -> Iterator[Shop]:
    shop = Shop()
    threading.Thread(target=shop.server.serve_forever, daemon=True).start()
    yield shop
    shop.server.shutdown()
    shop.server.server_close()
