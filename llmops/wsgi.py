"""The WSGI application. It refuses to start when a view does not declare who may use it."""

from __future__ import annotations

import os

from django.core.checks import run_checks
from django.core.exceptions import ImproperlyConfigured
from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "llmops.settings")

application = get_wsgi_application()

if problems := [problem for problem in run_checks(tags=["access"]) if problem.is_serious()]:
    raise ImproperlyConfigured("\n".join(str(problem) for problem in problems))
