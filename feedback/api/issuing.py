"""REST: a token that lets one person react to one call from a browser."""

from __future__ import annotations

from datetime import timedelta
from typing import ClassVar

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from feedback import tokens
from feedback.api import serializers
from llmops.projects import keys
from llmops.projects.api import ProjectAPIView
from llmops.projects.permissions import Permission


class FeedbackTokens(ProjectAPIView):
    """Sign a feedback token with the secret key of the request; `docs/feedback.md` says how to sign without asking.

    The scope is that of sending calls, so that a publishable key, which everybody can read, signs nothing.
    """

    permissions: ClassVar = {"POST": Permission.CALL_SEND}
    serializer_class = serializers.AskForToken

    @extend_schema(operation_id="feedback_tokens_create", responses={201: serializers.Token})
    def post(self, request: Request) -> Response:
        body = self.get_serializer(data=request.data)
        body.is_valid(raise_exception=True)
        given = body.validated_data
        self.grant.require(Permission.FEEDBACK_SEND)
        prefix, digest = keys.digest_of(self.grant)
        expires_at = (timezone.now() + timedelta(seconds=given["expires_in"])).replace(microsecond=0)
        claim = tokens.Claim(given["call"], given["end_user"], int(expires_at.timestamp()))
        token = tokens.sign(claim, prefix=prefix, key_digest=digest)
        return Response(serializers.Token({"token": token, "expires_at": expires_at}).data, status=201)
