"""Every setting of the platform. docs/configuration.md lists what an operator may set in the environment."""

from __future__ import annotations

import os
import secrets
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import unquote, urlsplit

import environ
from cryptography.fernet import Fernet
from csp.constants import NONE, SELF

BASE_DIR = Path(__file__).resolve().parent.parent
env = environ.Env()


def secret(variable: str) -> str | None:
    """A secret from VARIABLE, or from the file that VARIABLE_FILE names."""
    if path := env.str(f"{variable}_FILE", default=""):
        return Path(path).read_text().strip()
    return env.str(variable, default="") or None


def generated(name: str, make: str) -> str:
    """A secret that is made at the first start and kept in the data folder, readable by its owner alone."""
    path = DATA_DIR / name
    if not path.exists():
        # Several processes start at once: each writes its own file, and the first link wins, never a half-written one.
        descriptor, draft = tempfile.mkstemp(dir=DATA_DIR, prefix=f".{name}-")  # readable by its owner alone
        with os.fdopen(descriptor, "w") as file:
            file.write(make)
        try:
            os.link(draft, path)
        except FileExistsError:
            pass
        finally:
            os.unlink(draft)
    text = path.read_text().strip()
    if not text:
        sys.exit(f"{path} is empty. Delete it to make a new secret, or restore it from your backup.")
    return text


def sealing_keys(line: str) -> list[str]:
    """Fernet keys, with commas between; the process does not start with one that cannot seal."""
    keys = [key.strip() for key in line.split(",") if key.strip()]
    try:
        for key in keys:
            Fernet(key)
    except ValueError as error:
        sys.exit(f"LLMOPS_SEALING_KEYS: key {keys.index(key) + 1} is not a Fernet key ({error}).")
    if not keys:
        sys.exit("LLMOPS_SEALING_KEYS holds no key.")
    return keys


def signing_key(key: str) -> str:
    """Long enough that nobody guesses it."""
    if len(key) < 32:
        sys.exit(f"LLMOPS_SECRET_KEY has {len(key)} characters; give it at least 32 random ones.")
    return key


DATA_DIR = Path(env.str("LLMOPS_DATA_DIR", default=str(BASE_DIR / ".data"))).resolve()
DATA_DIR.mkdir(parents=True, exist_ok=True)

DEBUG = env.bool("LLMOPS_DEBUG", default=False)
SECRET_KEY = signing_key(secret("LLMOPS_SECRET_KEY") or generated("secret_key", secrets.token_urlsafe(64)))
SECRET_KEY_FALLBACKS = env.list("LLMOPS_SECRET_KEY_FALLBACKS", default=[])
# The first key seals, all of them open: to rotate, put a new one in front and run `manage.py rotate_sealing_keys`.
LLMOPS_SEALING_KEYS = sealing_keys(
    secret("LLMOPS_SEALING_KEYS") or generated("sealing_keys", Fernet.generate_key().decode())
)

# --- address and TLS
LLMOPS_BASE_URL = env.str("LLMOPS_BASE_URL", default=f"http://127.0.0.1:{env.int('PORT', default=8000)}").rstrip("/")
_base = urlsplit(LLMOPS_BASE_URL)
BEHIND_TLS = _base.scheme == "https"
ALLOWED_HOSTS = env.list("LLMOPS_ALLOWED_HOSTS", default=["127.0.0.1", "localhost", "[::1]", _base.hostname or ""])
CSRF_TRUSTED_ORIGINS = [f"{_base.scheme}://{_base.netloc}"]
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = BEHIND_TLS
SESSION_COOKIE_NAME = "__Host-session" if BEHIND_TLS else "session"
CSRF_COOKIE_NAME = "__Host-csrf" if BEHIND_TLS else "csrf"
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_AGE = 14 * 24 * 3600
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
SECURE_HSTS_SECONDS = 365 * 24 * 3600 if BEHIND_TLS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = False
SECURE_SSL_REDIRECT = False  # the proxy in front does it; the health checks stay plain
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
if env.bool("LLMOPS_BEHIND_PROXY", default=False):
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    USE_X_FORWARDED_HOST = True
SILENCED_SYSTEM_CHECKS = ["security.W004", "security.W005", "security.W008", "security.W021"]

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],
        "connect-src": [SELF],
        "object-src": [NONE],
        "base-uri": [NONE],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
    }
}

# --- apps
INSTALLED_APPS = [
    "llmops.common",
    "llmops.audit",
    "llmops.accounts",
    "llmops.projects",
    "llmops.gateway",
    "prompts",
    "evals",
    "feedback",
    "llmops.dashboards",
    "llmops.demo",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "allauth",
    "allauth.account",
    "allauth.socialaccount",
    "allauth.socialaccount.providers.openid_connect",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "django_htmx",
    "template_partials",
    "lucide",
    "csp",
]

MIDDLEWARE = [
    "llmops.common.middleware.RequestIdMiddleware",
    "llmops.common.lane.ApiLane",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "llmops.common.middleware.DomainErrorMiddleware",
]

ROOT_URLCONF = "llmops.urls"
WSGI_APPLICATION = "llmops.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "llmops.projects.context.project",
            ],
            "builtins": ["llmops.common.templatetags.ui"],
        },
    }
]

# --- data
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
DATABASES = {"default": env.db_url("DATABASE_URL", default=f"sqlite:///{DATA_DIR / 'llmops.sqlite3'}")}
_database = DATABASES["default"]
ON_SQLITE = _database["ENGINE"] == "django.db.backends.sqlite3"
# A connection for each thread's life: on SQLite opening one costs more than most requests do.
_database["CONN_MAX_AGE"] = None
if ON_SQLITE:
    _database["OPTIONS"] = {
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,
        "init_command": (
            "PRAGMA journal_mode=WAL; PRAGMA foreign_keys=ON; "
            f"PRAGMA synchronous={env.str('LLMOPS_SQLITE_SYNCHRONOUS', default='FULL')};"
        ),
    }
else:
    _database["CONN_HEALTH_CHECKS"] = True
    _database["OPTIONS"] = {
        "connect_timeout": 5,
        "options": "-c statement_timeout=30s -c lock_timeout=10s -c idle_in_transaction_session_timeout=60s",
    }

REDIS_URL = env.str("REDIS_URL", default="")
# Holds the counts of sign-in attempts alone. Not in Redis: people sign in while it is away, and guessers gain nothing
# by its restart. Too few entries would let one who has many addresses push out the counts of others.
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.db.DatabaseCache",
        "LOCATION": "cache",
        "OPTIONS": {"MAX_ENTRIES": 10_000},
    }
}

# --- queues
BROKER_FILE = DATA_DIR / "broker.sqlite3"  # disposable: rows are the truth, messages only wake
CELERY = {
    "broker_url": REDIS_URL or f"sqla+sqlite:///{BROKER_FILE}",
    "broker_transport_options": (
        {"socket_connect_timeout": 0.3, "socket_timeout": 5, "health_check_interval": 20}
        if REDIS_URL
        else {"connect_args": {"timeout": 20}}
    ),
    "broker_connection_retry_on_startup": True,
    "broker_connection_max_retries": None,
    "task_ignore_result": True,
    "result_backend": None,
    "accept_content": ["json"],
    "task_serializer": "json",
    "task_default_queue": "upkeep",
    "task_routes": {
        "evals.work": {"queue": "runs"},
        "prompts.try_out": {"queue": "interactive"},
        "evals.import_rows": {"queue": "interactive"},
        "evals.propose_rows": {"queue": "interactive"},
        "evals.check_dataset": {"queue": "runs"},  # a minute of work: it must not hold up try-outs
        "gateway.test_connection": {"queue": "interactive"},
        "feedback.draft_for_theme": {"queue": "interactive"},
        "feedback.erase_end_user": {"queue": "runs"},  # as long as there are rows
        "feedback.sort_complaints": {"queue": "runs"},  # seconds to a minute of work
    },
    "worker_prefetch_multiplier": 1,
    "worker_enable_remote_control": False,
    "worker_hijack_root_logger": False,
    "task_time_limit": 3600,
    "timezone": "UTC",
}

# --- people
AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.Argon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "/"
LLMOPS_SIGNUP_OPEN = env.bool("LLMOPS_SIGNUP_OPEN", default=False)
ACCOUNT_ADAPTER = "llmops.accounts.adapter.AccountAdapter"
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*", "password2*"]
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_LOGOUT_ON_PASSWORD_CHANGE = True
ACCOUNT_PREVENT_ENUMERATION = True
ACCOUNT_SESSION_REMEMBER = True


def oidc_providers(line: str | None, name: str | None = None) -> dict[str, object]:
    """allauth's providers from one line: https://CLIENT_ID:CLIENT_SECRET@issuer.example/path, percent-encoded."""
    if not line:
        return {}
    url = urlsplit(line)
    if url.scheme not in {"http", "https"} or not (url.hostname and url.username and url.password):
        sys.exit("LLMOPS_OIDC must look like https://CLIENT_ID:CLIENT_SECRET@issuer.example/path")
    issuer = url._replace(netloc=url.netloc.rpartition("@")[2]).geturl().rstrip("/")
    app = {
        "provider_id": "oidc",
        "name": name or url.hostname,
        "client_id": unquote(url.username),
        "secret": unquote(url.password),
        "settings": {"server_url": issuer, "oauth_pkce_enabled": True},
    }
    return {"openid_connect": {"APPS": [app]}}


SOCIALACCOUNT_ADAPTER = "llmops.accounts.adapter.SocialAccountAdapter"
# The operator's own provider vouches for addresses, but only for those that it says are verified.
SOCIALACCOUNT_EMAIL_AUTHENTICATION = True
SOCIALACCOUNT_EMAIL_AUTHENTICATION_AUTO_CONNECT = True
SOCIALACCOUNT_PROVIDERS = oidc_providers(secret("LLMOPS_OIDC"), env.str("LLMOPS_OIDC_NAME", default=""))
LLMOPS_OIDC_ENABLED = bool(SOCIALACCOUNT_PROVIDERS)

# --- mail
vars().update(env.email_url("LLMOPS_EMAIL_URL", default="consolemail://"))
DEFAULT_FROM_EMAIL = SERVER_EMAIL = env.str("LLMOPS_EMAIL_FROM", default=f"llmops@{_base.hostname or 'localhost'}")

# --- API
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["llmops.projects.authentication.KeyAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["llmops.projects.authentication.HasDeclaredPermission"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["llmops.common.parsers.StrictJSONParser"],
    "DEFAULT_PAGINATION_CLASS": "llmops.common.api.Pages",
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "llmops.common.api.exception_handler",
    "UNAUTHENTICATED_USER": None,
    "DEFAULT_METADATA_CLASS": None,  # the schema describes operations; OPTIONS would describe them a second way
}
SPECTACULAR_SETTINGS = {
    "TITLE": "LLMOps API",
    "VERSION": "1",
    "OAS_VERSION": "3.1.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "SCHEMA_PATH_PREFIX": "/api/v1",
    # Fields of one name with different choices need names of their own in generated clients.
    "ENUM_NAME_OVERRIDES": {
        "AcceptOrRefuseEnum": ["accept", "refuse"],
        "InboxStateEnum": ["open", "done", "ignored"],
        "LabelingToolEnum": ["label_studio", "argilla"],
        "QueueFileEnum": [
            "label_studio",
            "label_studio_config",
            "argilla",
            "argilla_settings",
            "openai_chat",
            "openai_preferences",
        ],
        "ScoreKindEnum": "feedback.models.ScoreDefinition.Kind",
    },
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "llmops.common.api.add_plain_operations",
    ],
}
MAX_JSON_BYTES = env.int("LLMOPS_MAX_JSON_BYTES", default=10 * 1024 * 1024)
MAX_UPLOAD_BYTES = env.int("LLMOPS_MAX_UPLOAD_BYTES", default=512 * 1024 * 1024)
DATA_UPLOAD_MAX_MEMORY_SIZE = MAX_JSON_BYTES
FILE_UPLOAD_MAX_MEMORY_SIZE = 1024 * 1024
FILE_UPLOAD_HANDLERS = [
    "django.core.files.uploadhandler.MemoryFileUploadHandler",
    "django.core.files.uploadhandler.TemporaryFileUploadHandler",
]

# --- models
LLMOPS_EGRESS_ALLOW = env.list("LLMOPS_EGRESS_ALLOW", default=[])  # exact host:port pairs of private model servers
LLMOPS_RUNS_PROCESSES = env.int("LLMOPS_RUNS_PROCESSES", default=1)

# --- texts and files
LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_TZ = True
USE_I18N = False
STATIC_URL = "/static/"
STATIC_ROOT = DATA_DIR / "static"
# plotly.js lies inside the Python package; finding it does not import the package.
_plotly = find_spec("plotly")
STATICFILES_DIRS: list[Path | tuple[str, Path]] = [BASE_DIR / "static"]
if _plotly is not None and _plotly.origin:
    STATICFILES_DIRS.append(("plotly", Path(_plotly.origin).parent / "package_data"))
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = DEBUG
UPLOADS_DIR = DATA_DIR / "uploads"

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {"request_id": {"()": "llmops.common.logs.RequestIdFilter"}},
    "formatters": {"json": {"()": "llmops.common.logs.JsonFormatter"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "json", "filters": ["request_id"]}},
    "root": {"handlers": ["stderr"], "level": env.str("LLMOPS_LOG_LEVEL", default="WARNING")},
    "loggers": {"django.security.DisallowedHost": {"level": "ERROR"}},
}
