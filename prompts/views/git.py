"""Git over HTTP: `/git/<project>.git`, with an e-mail address and a personal key."""

from __future__ import annotations

import base64
import binascii
import zlib
from collections.abc import Callable, Iterator
from functools import wraps
from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt

from llmops.common.errors import DomainError, Forbidden, NotFound, TooLarge
from llmops.projects import access, keys
from llmops.projects import queries as project_queries
from llmops.projects.permissions import Permission
from prompts.git import fetching, pushing
from prompts.git.pktline import ProtocolProblem
from prompts.services import git_push, versions

MAX_BODY = 64 * 1024 * 1024
MAX_FETCH_BODY = 8 * 1024 * 1024
PIECE = 64 * 1024

GitView = Callable[[HttpRequest, keys.Grant], HttpResponseBase]


def _guarded(method: str) -> Callable[[GitView], Callable[..., HttpResponseBase]]:
    """Basic authentication by personal key; errors as plain text, which git shows."""

    def decorate(view: GitView) -> Callable[..., HttpResponseBase]:
        @wraps(view)
        def wrapper(request: HttpRequest, project_slug: str) -> HttpResponseBase:
            if request.method != method:
                return HttpResponse(status=405, headers={"Allow": method})
            try:
                grant = _grant(request)
                if grant.project.slug != project_slug:
                    raise NotFound("There is no such repository.")
                response = view(request, grant)
            except keys.KeyRefused as refused:
                response = _plain(refused)
                response["WWW-Authenticate"] = 'Basic realm="e-mail address and personal key", charset="UTF-8"'
            except DomainError as error:
                response = _plain(error)
            response["Cache-Control"] = "no-cache, max-age=0, must-revalidate"
            return response

        return csrf_exempt(access.public("git sends the key in a header, which the view checks")(wrapper))

    return decorate


@_guarded("GET")
def info_refs(request: HttpRequest, grant: keys.Grant) -> HttpResponseBase:
    """What this server speaks, and for a push which refs there are."""
    service = request.GET.get("service", "")
    if service == "git-upload-pack":
        grant.require(Permission.PROMPT_READ)
        if "version=2" not in request.headers.get("Git-Protocol", "").split(":"):
            raise ProtocolProblem(
                "This server speaks version 2 of git's protocol: use git 2.26 or newer, "
                "or git 2.18 with: git config --global protocol.version 2"
            )
        body = fetching.advertisement()
    elif service == "git-receive-pack":
        grant.require(Permission.PROMPT_WRITE)
        body = pushing.advertisement(versions.repository_of(grant.project))
    else:
        raise Forbidden("Only git's smart protocol is served here.")
    return HttpResponse(body, content_type=f"application/x-{service}-advertisement")


@_guarded("POST")
def upload_pack(request: HttpRequest, grant: keys.Grant) -> HttpResponseBase:
    """Clone and fetch."""
    grant.require(Permission.PROMPT_READ)
    pieces = fetching.answer(versions.repository_of(grant.project), _body(request, MAX_FETCH_BODY))
    return StreamingHttpResponse(pieces, content_type="application/x-git-upload-pack-result")


@_guarded("POST")
def receive_pack(request: HttpRequest, grant: keys.Grant) -> HttpResponseBase:
    """Push."""
    grant.require(Permission.PROMPT_WRITE)
    push = pushing.parse(_body(request, MAX_BODY))
    answer: Iterator[bytes] = iter(())
    if push.commands:  # before a large push git asks with an empty one whether it may
        report = git_push.receive(project=grant.project, push=push, by=grant.actor, now=timezone.now())
        answer = pushing.answer(push, report)
    return HttpResponse(b"".join(answer), content_type="application/x-git-receive-pack-result")


def _plain(error: DomainError) -> HttpResponse:
    return HttpResponse(error.message + "\n", status=error.status, content_type="text/plain; charset=utf-8")


def _grant(request: HttpRequest) -> keys.Grant:
    """The grant of a personal key whose owner is the user name.

    :raises KeyRefused: for anything else; a secret or publishable key is no person.
    """
    refused = keys.KeyRefused("Sign in with your e-mail address and a personal key of this project.")
    scheme, _, encoded = request.headers.get("Authorization", "").partition(" ")
    try:
        name, _, password = base64.b64decode(encoded.strip(), validate=True).decode().partition(":")
    except (binascii.Error, ValueError):
        raise refused from None
    if scheme.lower() != "basic" or not password:
        raise refused
    grant = keys.grant_for(password)
    email = project_queries.email_of(grant.actor.user_id)
    if grant.kind != "personal" or email is None or email.lower() != name.strip().lower():
        raise refused
    return grant


def _body(request: HttpRequest, most: int) -> bytes:
    """The whole body, chunked or not, inflated when it is compressed.

    :raises TooLarge: over `most` bytes, before or after inflating.
    """
    # A chunked body has no length, and Django takes that for an empty one: the server's own stream is read to its end.
    is_chunked = "chunked" in request.headers.get("Transfer-Encoding", "").lower()
    stream = request.META["wsgi.input"] if is_chunked else request
    encoding = request.headers.get("Content-Encoding", "").strip().lower()
    if encoding not in {"", "identity", "gzip", "x-gzip"}:
        raise ProtocolProblem("Only gzip is understood as the body's encoding.")
    inflater = zlib.decompressobj(31) if "gzip" in encoding else None
    parts: list[bytes] = []
    room = most
    for piece in _pieces(stream):
        data = piece if inflater is None else _inflated(inflater, piece, room)
        room -= len(data)
        if room < 0:
            raise TooLarge(f"The request is larger than {most // 2**20} MB.")
        parts.append(data)
    if inflater is not None and (not inflater.eof or inflater.unused_data):
        raise ProtocolProblem("The body is not one whole gzip stream.")
    return b"".join(parts)


def _pieces(stream: Any) -> Iterator[bytes]:
    try:
        while piece := stream.read(PIECE):
            yield piece
    except OSError:
        raise ProtocolProblem("The request ended too early.") from None


def _inflated(inflater: Any, piece: bytes, room: int) -> bytes:
    try:
        data: bytes = inflater.decompress(piece, room + 1)
    except zlib.error:
        raise ProtocolProblem("The body is not gzip.") from None
    return data
