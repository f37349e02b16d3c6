"""The API's schema and its browsable page."""

from __future__ import annotations

from typing import Any

from csp.constants import SELF, UNSAFE_INLINE
from csp.decorators import csp_update
from django.views.decorators.http import require_safe
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView

from llmops.projects import access

_open: dict[str, Any] = {"authentication_classes": [], "permission_classes": []}

schema = access.public("the schema holds no data")(require_safe(SpectacularAPIView.as_view(**_open)))
# Swagger's page injects styles; scripts stay on 'self'.
docs = access.public("the schema holds no data")(
    csp_update({"style-src": [SELF, UNSAFE_INLINE], "img-src": [SELF, "data:"]})(
        require_safe(SpectacularSwaggerSplitView.as_view(url_name="api-schema", **_open))
    )
)
