"""Runs Django OAuth Toolkit on a free port. It prints its issuer once it listens.

python provider.py '{"folder": "/tmp/empty", "path": "/o", "clients": [{…}], "authMethods": […], "tokenTtl": 3600}'
"""

import os
import sys
import threading

os.environ["SETUP"] = sys.argv[1]
os.environ["DJANGO_SETTINGS_MODULE"] = "settings"

import django  # noqa: E402

django.setup()

from django.contrib.auth import get_user_model  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.core.servers.basehttp import ThreadedWSGIServer, WSGIRequestHandler  # noqa: E402
from django.core.wsgi import get_wsgi_application  # noqa: E402
from oauth2_provider.models import Application  # noqa: E402
from settings import SETUP  # noqa: E402


def end_with_whoever_started_this():
    sys.stdin.read()
    os._exit(0)


threading.Thread(target=end_with_whoever_started_this, daemon=True).start()
call_command("migrate", run_syncdb=True, verbosity=0)
get_user_model().objects.create_user("ada", password="correct horse")
for client in SETUP["clients"]:
    Application.objects.create(authorization_grant_type=Application.GRANT_AUTHORIZATION_CODE, **client)

server = ThreadedWSGIServer(("127.0.0.1", 0), WSGIRequestHandler)
server.set_app(get_wsgi_application())
print(f"http://127.0.0.1:{server.server_port}{SETUP['path']}", flush=True)
server.serve_forever()
