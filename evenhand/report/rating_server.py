"""Serves a human study to a browser on this machine: one page, its images, and answers that are saved one by one."""

from __future__ import annotations

import hmac
import json
import secrets
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from evenhand.report.rating_study import Conflict, Study

HOST = "127.0.0.1"

_MOST_BYTES = 1000
_PATIENCE_SECONDS = 60.0


class RatingServer(ThreadingHTTPServer):
    """A study at an address that only this machine reaches, behind a token that only its URL holds.

    Args:
      port: where; 0 takes a free one.

    Attributes:
      study: what is served; set it before serving.

    Raises:
      OSError: if the port is taken.
    """

    daemon_threads = True
    study: Study

    def __init__(self, port: int = 0) -> None:
        super().__init__((HOST, port), _Handler)
        self.token = secrets.token_urlsafe(24)
        self.names = {f"{name}:{self.server_port}" for name in (HOST, "localhost")}

    @property
    def url(self) -> str:
        """Address of the page."""
        return f"http://{HOST}:{self.server_port}/{self.token}/"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A browser that goes away in the middle of an answer is no defect."""


class _Handler(BaseHTTPRequestHandler):
    server: RatingServer
    protocol_version = "HTTP/1.1"
    timeout = _PATIENCE_SECONDS
    server_version = "evenhand"
    sys_version = ""

    def do_GET(self) -> None:
        """The page, or one image."""
        place = self._place()
        if place == "":
            self._answer(*_page(self.server.study), kind="text/html; charset=utf-8")
        elif place is not None and place.startswith("image/") and place.endswith(".png"):
            png = self.server.study.png(place.removeprefix("image/").removesuffix(".png"))
            if png is None:
                self._refuse(HTTPStatus.NOT_FOUND, "there is no such image")
            else:
                self._answer(png, kind="image/png")
        else:
            self._refuse(HTTPStatus.NOT_FOUND, "there is nothing here")

    def do_POST(self) -> None:
        """A rating, or with `null` the last one taken back."""
        body = self._body()
        if self._place() != "rating" or body is None:
            self._refuse(HTTPStatus.NOT_FOUND, "there is nothing here")
            return
        try:
            key, rating = _rating(body)
            study = self.server.study
            rated = study.undo(key) if rating is None else study.rate(key, rating)
        except ValueError as error:
            self._refuse(HTTPStatus.BAD_REQUEST, str(error))
        except Conflict as error:
            self._refuse(HTTPStatus.CONFLICT, str(error))
        except OSError as error:
            self._refuse(HTTPStatus.INTERNAL_SERVER_ERROR, f"the rating could not be saved ({error.strerror})")
        else:
            self._answer(json.dumps({"rated": rated, "total": study.total}).encode())

    def _place(self) -> str | None:
        """The path below the token; None for a stranger's request."""
        # A page of another site can make a browser ask here, under its own host name or in its own name.
        if self.headers.get("Host") not in self.server.names:
            return None
        origin = self.headers.get("Origin")
        if origin is not None and origin.removeprefix("http://") not in self.server.names:
            return None
        _, token, *rest = (*self.path.split("/", 2), "")
        known = hmac.compare_digest(token.encode(), self.server.token.encode())
        return rest[0] if known and self.path.startswith(f"/{token}/") else None

    def _body(self) -> bytes | None:
        """What was sent; None, and the connection closed, if it is too long or not JSON by its own account."""
        length = self.headers.get("Content-Length", "")
        kind = self.headers.get("Content-Type", "").split(";")[0].strip()
        if not length.isascii() or not length.isdigit() or int(length) > _MOST_BYTES or kind != "application/json":
            self.close_connection = True
            return None
        return self.rfile.read(int(length))

    def _refuse(self, status: HTTPStatus, reason: str) -> None:
        self._answer(json.dumps({"error": reason}).encode(), status=status)

    def _answer(
        self, content: bytes, policy: str = "default-src 'none'", *, status: int = 200, kind: str = "application/json"
    ) -> None:
        self.send_response(status)
        headers = {
            "Content-Type": kind,
            "Content-Length": str(len(content)),
            "Content-Security-Policy": policy,
            # Nothing of a session outlives it.
            "Cache-Control": "no-store",
            "Referrer-Policy": "no-referrer",
            "X-Content-Type-Options": "nosniff",
            "Cross-Origin-Resource-Policy": "same-origin",
        }
        for name, value in headers.items():
            self.send_header(name, value)
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        """The terminal is the user's."""


def _rating(body: bytes) -> tuple[str, int | None]:
    try:
        sent = json.loads(body)
    except ValueError as error:
        raise ValueError("a rating must be a JSON object") from error
    if not isinstance(sent, dict) or set(sent) != {"image", "rating"} or not isinstance(sent["image"], str):
        raise ValueError("a rating must have the keys image and rating")
    rating = sent["rating"]
    if rating is not None and (isinstance(rating, bool) or rating not in (1, 2, 3, 4, 5)):
        raise ValueError("a rating must be 1, 2, 3, 4 or 5, or null to take the last one back")
    return sent["image"], None if rating is None else int(rating)


def _page(study: Study) -> tuple[bytes, str]:
    """The page and the policy that lets only its own script and style run."""
    nonce = secrets.token_urlsafe(16)
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined
    )
    text = environment.get_template("rate.html").render(nonce=nonce, state=study.state())
    policy = (
        f"default-src 'none'; img-src 'self' data:; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    return text.encode("utf-8"), policy
