"""Serves the provider at the host's root or below a path, and its metadata where RFC 8414 §3.1 expects it."""

from django.contrib.auth.views import LoginView
from django.http import HttpResponseNotFound, JsonResponse
from django.urls import include, path
from oauth2_provider import urls as provider
from oauth2_provider.decorators import protected_resource

import asked
from settings import SETUP


@protected_resource(scopes=["read"])
def whoami(request):
    """Returns the user of the access token in the request."""
    return JsonResponse({"user": request.resource_owner.username})


prefix = SETUP["path"].strip("/")
metadata = ".well-known/oauth-authorization-server"
urlpatterns = [
    path("__asked", lambda _: JsonResponse(asked.requests, safe=False)),
    path("__whoami", whoami),
    path("login/", LoginView.as_view(template_name="login.html")),
    path("", include(provider.metadata_urlpatterns)),
]
if prefix:
    # The toolkit also serves the metadata here, for clients that look in the wrong place.
    urlpatterns.append(path(f"{prefix}/{metadata}", lambda _: HttpResponseNotFound()))
    prefix += "/"
urlpatterns.append(path(prefix, include("oauth2_provider.urls", namespace="oauth2_provider")))
