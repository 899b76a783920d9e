"""Records the requests to the provider, for the tests to read."""

import json

ENDPOINTS = {
    "token": "token",
    "revoke-token": "revocation",
    "dcr-register": "registration",
    "authorize": "authorization",
    "oauth-server-metadata": "discovery",
    "oauth-server-metadata-issuer": "discovery",
}
requests = []


class Asked:
    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request):
        # The body is read here, because otherwise parsing the form below would leave nothing for the view.
        request.body
        response = self.get_response(request)
        endpoint = ENDPOINTS.get(request.resolver_match.url_name) if request.resolver_match else None
        if endpoint:
            is_json = response.get("Content-Type", "").startswith("application/json")
            answer = json.loads(response.content or "null") if is_json else None
            scheme = request.headers.get("Authorization", "").split(" ")[0]
            requests.append(
                {
                    "endpoint": endpoint,
                    "status": response.status_code,
                    "grant_type": request.POST.get("grant_type"),
                    "proof": scheme or ("post" if "client_secret" in request.POST else "none"),
                    "refresh_token": answer.get("refresh_token") if isinstance(answer, dict) else None,
                }
            )
        return response
