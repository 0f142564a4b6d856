"""All settings, from the environment. docs/operations.md lists the variables; `manage.py serve` sets them."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

import environ

from accounts import keys

env = environ.Env()
BASE_DIR = Path(__file__).resolve().parent.parent

# State and secrets
DEFAULT_VAR = Path("/var/lib/confr") if os.geteuid() == 0 else BASE_DIR / "var"
VAR_DIR = Path(env.str("CONFR_VAR", default=str(DEFAULT_VAR))).resolve()
KEYS_FILE = Path(env.str("CONFR_KEYS_FILE", default=str(VAR_DIR / "keys.json")))
KEYS = keys.load(KEYS_FILE)
SECRET_KEY, *SECRET_KEY_FALLBACKS = KEYS["django"]
DEBUG = env.bool("CONFR_DEBUG", default=False)

# Addresses: where we listen, and what the outside world calls us
BIND = env.str("CONFR_BIND", default="127.0.0.1")
PORT = env.int("CONFR_PORT", default=8000)
RTMP_PORT = env.int("CONFR_RTMP_PORT", default=1935)
MEDIA_HTTP_PORT = env.int("CONFR_MEDIA_HTTP_PORT", default=8080)
_HOST = "127.0.0.1" if BIND in {"0.0.0.0", "::"} else BIND  # noqa: S104 compared, not bound
PUBLIC_URL = env.str("CONFR_PUBLIC_URL", default=f"http://{_HOST}:{PORT}").rstrip("/")
PUBLIC_RTMP_URL = env.str("CONFR_PUBLIC_RTMP_URL", default=f"rtmp://{_HOST}:{RTMP_PORT}").rstrip("/")
PUBLIC_MEDIA_URL = env.str("CONFR_PUBLIC_MEDIA_URL", default=f"http://{_HOST}:{MEDIA_HTTP_PORT}").rstrip("/")
PUBLIC_WS_URL = "ws" + PUBLIC_URL.removeprefix("http")
TRUSTED_PROXIES = env.list("CONFR_TRUSTED_PROXIES", default=[])
METRICS_TOKEN = env.str("CONFR_METRICS_TOKEN", default="")  # without it /metrics is for this machine alone
ALLOWED_HOSTS = ["*"]  # every link is built from PUBLIC_URL, never from the Host header
SECURE_PUBLIC = urlsplit(PUBLIC_URL).scheme == "https"

# Media server
MEDIA_SERVER = env.str("CONFR_MEDIA_SERVER", default="conferences.media.nginx_rtmp.NginxRtmp")
MEDIA_CONTROL_URL = env.str("CONFR_MEDIA_CONTROL_URL", default="http://127.0.0.1:19380")
# Where Confr's own recorder, mixer and pictures reach the streams, by the shortest way
MEDIA_RTMP_URL = env.str("CONFR_MEDIA_RTMP_URL", default=f"rtmp://{_HOST}:{RTMP_PORT}").rstrip("/")
FLV = env.bool("CONFR_FLV", default=False)
MEDIA_HLS_DIR = VAR_DIR / "media" / "hls"
MEDIA_API_USER = env.str("CONFR_MEDIA_API_USER", default="")
MEDIA_API_PASSWORD = env.str("CONFR_MEDIA_API_PASSWORD", default="")

# Recordings: where they are made and, without S3, kept; what must stay free there; for how long they are kept
RECORDINGS_DIR = Path(env.str("CONFR_RECORDINGS_DIR", default=str(VAR_DIR / "recordings")))
RECORDING_MIN_FREE_BYTES = env.int("CONFR_RECORDING_MIN_FREE_BYTES", default=1 << 30)
MIXES_AT_ONCE = env.int("CONFR_MIXES_AT_ONCE", default=2)  # a mix of four takes a quarter of a core
RECORDINGS_AT_ONCE = env.int("CONFR_RECORDINGS_AT_ONCE", default=50)  # streams that one media worker records
RECORDING_DAYS = env.int("CONFR_RECORDING_DAYS", default=30)
RECORDING_ATTEMPTS = env.int("CONFR_RECORDING_ATTEMPTS", default=6)  # after 30 s, 2 min, 8 min, 32 min, 1 h
RECORDING_RETRY = timedelta(seconds=env.int("CONFR_RECORDING_RETRY_SECONDS", default=30))
RECORDING_LINK_SECONDS = env.int("CONFR_RECORDING_LINK_SECONDS", default=3600)
S3_BUCKET = env.str("CONFR_S3_BUCKET", default="")
_S3_REGION = env.str("CONFR_S3_REGION", default="us-east-1")
# Viewers of recordings are sent there, so it must be an address that they reach.
S3_ENDPOINT = env.str("CONFR_S3_ENDPOINT", default=f"https://s3.{_S3_REGION}.amazonaws.com").rstrip("/")
_FOLDER = {
    "BACKEND": "conferences.media.storage.Folder",
    "OPTIONS": {"location": RECORDINGS_DIR / "files", "file_permissions_mode": 0o600},
}
_BUCKET = {
    "BACKEND": "conferences.media.s3.Bucket",
    "OPTIONS": {
        "bucket_name": S3_BUCKET,
        "endpoint_url": S3_ENDPOINT,
        "region_name": _S3_REGION,
        "access_key": env.str("CONFR_S3_ACCESS_KEY", default="") or None,  # none: as boto3 finds them
        "secret_key": env.str("CONFR_S3_SECRET_KEY", default="") or None,
        "location": env.str("CONFR_S3_PREFIX", default=""),
    },
}
STORAGES = {
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
    "recordings": _BUCKET if S3_BUCKET else _FOLDER,
}

# Vendors' dialects: the names of the folders in conferences/vendors that are switched on
VENDORS: list[str] = env.list("CONFR_VENDORS", default=["emedia"])

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "channels",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "csp",
    "django.contrib.humanize",  # allauth's templates
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.socialaccount",
    "allauth.socialaccount.providers.openid_connect",
    "allauth.usersessions",
    "axes",
    "accounts",
    "conferences",
]
MIDDLEWARE = [
    "config.middleware.RequestContextMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "config.middleware.CorsMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "accounts.signin.middleware.SessionsMiddleware",
    "axes.middleware.AxesMiddleware",
]
ROOT_URLCONF = "config.urls"
ASGI_APPLICATION = "config.asgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
AUTH_USER_MODEL = "accounts.Staff"
APPEND_SLASH = False
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
                "csp.context_processors.nonce",
            ],
            "libraries": {"dashboard": "conferences.dashboard.tags"},
        },
    }
]

# Database: PostgreSQL only. Each thread of a web process keeps its connection; others give it back after use.
DATABASES = {"default": env.db_url("DATABASE_URL", default="postgres:///confr")}
# More of them hinder each other more than they help: they share one interpreter (measured with bench/).
DB_THREADS = env.int("CONFR_DB_THREADS", default=4)
DATABASES["default"].update(
    CONN_MAX_AGE=600 if env.bool("CONFR_DB_POOL", default=False) else 0,
    OPTIONS={
        **DATABASES["default"].get("OPTIONS", {}),
        "options": "-c lock_timeout=2s -c idle_in_transaction_session_timeout=30s -c statement_timeout=30s",
        # PostgreSQL plans a statement that a connection repeats once, and not every time.
        "server_side_binding": True,
        "prepare_threshold": 3,
    },
)

REDIS_URL = env.str("REDIS_URL", default="redis://127.0.0.1:6379/0")
REDIS_PREFIX = env.str("CONFR_REDIS_PREFIX", default="confr")
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": REDIS_URL,
        "KEY_PREFIX": REDIS_PREFIX,
    }
}

# Security
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.ScryptPasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in ("MinimumLengthValidator", "CommonPasswordValidator", "NumericPasswordValidator")
]
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE_PUBLIC
CSRF_COOKIE_HTTPONLY = True  # scripts read the token in the page
SECURE_HSTS_SECONDS = 31_536_000 if SECURE_PUBLIC else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = SECURE_PUBLIC
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if TRUSTED_PROXIES else None
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
CSRF_TRUSTED_ORIGINS = [PUBLIC_URL]
DATA_UPLOAD_MAX_MEMORY_SIZE = 1 << 20
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'none'"],
        "script-src": ["'self'"],
        "style-src": ["'self'"],
        "img-src": ["'self'", "data:"],
        "font-src": ["'self'"],
        "connect-src": ["'self'", PUBLIC_WS_URL, PUBLIC_MEDIA_URL],
        "media-src": ["'self'", "blob:", PUBLIC_MEDIA_URL, *([S3_ENDPOINT] if S3_BUCKET else [])],
        "form-action": ["'self'"],
        "frame-ancestors": ["'none'"],
        "base-uri": ["'none'"],
        "report-uri": "/dashboard/violations/",
    }
}

# Sign-in of the staff (accounts/signin): django-allauth, with lock-outs by django-axes
_COOKIE_PREFIX = "__Host-" if SECURE_PUBLIC else ""  # no other host of the domain can set them
SESSION_COOKIE_NAME, CSRF_COOKIE_NAME = f"{_COOKIE_PREFIX}sessionid", f"{_COOKIE_PREFIX}csrftoken"
SESSION_COOKIE_AGE = 12 * 3600
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "/dashboard/"
AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    "allauth.account.auth_backends.AuthenticationBackend",
]
ACCOUNT_ADAPTER = "accounts.signin.adapters.AccountAdapter"
ACCOUNT_LOGIN_METHODS = {"username", "email"}
ACCOUNT_SIGNUP_FIELDS = ["username*", "password1*", "password2*"]
ACCOUNT_EMAIL_VERIFICATION = "none"  # nobody chooses an address: it comes from an invitation or a superuser
ACCOUNT_LOGOUT_REDIRECT_URL = LOGIN_URL
ACCOUNT_SESSION_REMEMBER = True
ACCOUNT_REAUTHENTICATION_TIMEOUT = 300
ACCOUNT_RATE_LIMITS = {"login_failed": "30/m/ip,10/5m/key"}
MFA_ADAPTER = "accounts.signin.adapters.SecondFactorAdapter"
MFA_FORMS = {
    "authenticate": "accounts.signin.forms.CodeForm",
    "reauthenticate": "accounts.signin.forms.CodeAgainForm",
}
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_PASSKEY_LOGIN_ENABLED = True
MFA_WEBAUTHN_ALLOW_INSECURE_ORIGIN = not SECURE_PUBLIC  # browsers allow it for localhost alone
MFA_TOTP_ISSUER = "Confr"
MFA_TOTP_TOLERANCE = 1
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_FAILURE_LIMIT = 5
AXES_COOLOFF_TIME = timedelta(minutes=15)
AXES_RESET_ON_SUCCESS = True
AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = False
AXES_USERNAME_CALLABLE = "accounts.signin.lockouts.username_of"
AXES_CLIENT_IP_CALLABLE = "accounts.signin.lockouts.address_of"
AXES_LOCKOUT_CALLABLE = "accounts.signin.lockouts.answer"
AXES_SENSITIVE_PARAMETERS = ["login", "csrfmiddlewaretoken", "next", "code"]
AXES_DISABLE_ACCESS_LOG = True
AXES_ENABLE_ADMIN = False

# A company's own sign-in (OpenID Connect) beside ours
OIDC_URL = env.str("CONFR_OIDC_URL", default="")
SOCIALACCOUNT_ADAPTER = "accounts.signin.adapters.SingleSignOnAdapter"
SOCIALACCOUNT_LOGIN_ON_GET = True  # a form that ends at another host is against our `form-action`
SOCIALACCOUNT_PROVIDERS = {
    "openid_connect": {
        "OAUTH_PKCE_ENABLED": True,
        "APPS": [
            {
                "provider_id": "sso",
                "name": env.str("CONFR_OIDC_NAME", default="OpenID Connect"),
                "client_id": env.str("CONFR_OIDC_CLIENT_ID", default=""),
                "secret": env.str("CONFR_OIDC_CLIENT_SECRET", default=""),
                "settings": {"server_url": OIDC_URL},
            }
        ]
        if OIDC_URL
        else [],
    }
}

# Languages
LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("zh-hans", "简体中文")]
LOCALE_PATHS = [BASE_DIR / "locale"]
TIME_ZONE = "UTC"
USE_TZ = True

# Static files are served from where they lie; `collectstatic` is for who puts a web server in front.
STATIC_URL = "/static/"
STATICFILES_DIRS = [path for path in [BASE_DIR / "static"] if path.is_dir()]
STATIC_ROOT = VAR_DIR / "static"
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = False

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["conferences.api.authentication.ActorAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["conferences.api.authentication.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["conferences.api.rendering.Renderer"],
    "DEFAULT_PARSER_CLASSES": ["conferences.api.rendering.Parser"],
    "DEFAULT_SCHEMA_CLASS": "conferences.api.schema.Schema",
    "EXCEPTION_HANDLER": "conferences.api.exceptions.handle",
    "UNAUTHENTICATED_USER": None,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Confr",
    "DESCRIPTION": "Conferences, tickets, members and streams for mini-program backends.",
    "VERSION": "1",
    "OAS_VERSION": "3.1.1",
    "SERVE_INCLUDE_SCHEMA": False,
    "COMPONENT_SPLIT_PATCH": False,
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "ENUM_NAME_OVERRIDES": {
        "ConferenceType": "conferences.models.ConferenceType",
        "ConferenceState": "conferences.models.Conference.State",
        "CloseReason": "conferences.models.CloseReason",
        "Role": "conferences.models.Role",
        "Kind": "conferences.models.Kind",
        "MemberState": "conferences.models.Member.State",
        "ExitReason": "conferences.models.ExitReason",
        "StreamType": "conferences.models.StreamType",
        "StreamState": "conferences.models.Stream.State",
        "BanCause": "conferences.models.Ban.Cause",
        "RecordingKind": "conferences.models.Recording.Kind",
        "RecordingState": "conferences.models.Recording.State",
        "MixState": "conferences.models.Mix.State",
        "MixLayout": "conferences.models.Mix.Layout",
        "MixStopReason": "conferences.models.Mix.StopReason",
    },
}

# Closed conferences are kept, with all that happened in them, for so long
RETENTION_DAYS = env.int("CONFR_RETENTION_DAYS", default=180)

# Celery: config/celery.py holds the beat table
CELERY_BROKER_URL = REDIS_URL.replace("unix://", "redis+socket://").replace("?db=", "?virtual_host=")

LOG_LEVEL = env.str("CONFR_LOG_LEVEL", default="INFO")
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"plain": {"format": "%(asctime)s %(levelname)s %(name)s %(message)s"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "plain"}},
    "root": {"handlers": ["console"], "level": LOG_LEVEL},
    "loggers": {
        "django.request": {"level": "ERROR"},  # refusals are in the access log
        "axes": {"level": "ERROR"},  # confr.signin says it, without what strangers typed
    },
}
SILENCED_SYSTEM_CHECKS = ["security.W008"]  # the proxy in front redirects to https, not Django
