"""Settings for Django OAuth Toolkit as in a deployment, with its data in the test's folder."""

import json
import os
from pathlib import Path

SETUP = json.loads(os.environ["SETUP"])

SECRET_KEY = "a key for the cookies of a test"
ALLOWED_HOSTS = ["127.0.0.1"]
INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "oauth2_provider",
]
MIDDLEWARE = [
    "asked.Asked",
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
]
ROOT_URLCONF = "urls"
STATIC_URL = "static/"
# Nobody guesses passwords here. The default hasher takes a third of a second for each request with a client
# secret.
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
LOGIN_URL = "/login/"
USE_TZ = True
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [Path(__file__).parent / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {"context_processors": ["django.template.context_processors.request"]},
    }
]
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": Path(SETUP["folder"]) / "db.sqlite3",
        # Two transactions that begin with a read would fail instead of waiting for each other.
        "OPTIONS": {"transaction_mode": "IMMEDIATE", "timeout": 20},
    }
}
# Creates the final tables directly, because the migrations would take longer than any test.
MIGRATION_MODULES = {"auth": None, "contenttypes": None, "oauth2_provider": None, "sessions": None}

OAUTH2_PROVIDER = {
    "SCOPES": {"read": "Look at things"},
    "ACCESS_TOKEN_EXPIRE_SECONDS": SETUP["tokenTtl"],
    "REFRESH_TOKEN_EXPIRE_SECONDS": 86400,
    "PKCE_REQUIRED": True,
    "ROTATE_REFRESH_TOKEN": True,
    "REFRESH_TOKEN_GRACE_PERIOD_SECONDS": 0,
    "REFRESH_TOKEN_REUSE_PROTECTION": True,
    "OAUTH2_TOKEN_ENDPOINT_AUTH_METHODS_SUPPORTED": SETUP["authMethods"],
    "DCR_ENABLED": True,
    "DCR_REGISTRATION_PERMISSION_CLASSES": ("oauth2_provider.dcr.AllowAllDCRPermission",),
    # The defaults of the next major version.
    "COMPLIANT_BCP_RFC9700_IMPLICIT_GRANT": True,
    "COMPLIANT_BCP_RFC9700_PASSWORD_GRANT": True,
    "COMPLIANT_BCP_RFC9700_PKCE_METHOD": True,
    "COMPLIANT_BCP_RFC9700_ACCESS_TOKEN_TRANSPORT": True,
    "COMPLIANT_BCP_RFC9700_AUTHZ_RESPONSE_ISS": True,
    "COMPLIANT_BCP_RFC9700_TOKEN_STORAGE": True,
}
