//! Authorization server metadata (RFC 8414).

use http::StatusCode;
use serde_json::{Value, json};

use crate::reply::Reply;
use crate::settings::{Settings, override_fields};

pub(crate) fn metadata(settings: &Settings) -> Reply {
    if !settings.metadata {
        return Reply::reason(StatusCode::NOT_FOUND, "no metadata");
    }
    Reply::json(StatusCode::OK, &document(settings))
}

fn document(settings: &Settings) -> Value {
    let issuer = &settings.issuer;
    let mut document = json!({
        "issuer": issuer,
        "authorization_endpoint": format!("{issuer}/api/connect/authorize"),
        "token_endpoint": format!("{issuer}/api/connect/token"),
        "registration_endpoint": format!("{issuer}/api/connect/register"),
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": ["authorization_code", "refresh_token"],
        "code_challenge_methods_supported": ["S256"],
        "token_endpoint_auth_methods_supported": settings.auth_methods,
    });
    if settings.revocation {
        document["revocation_endpoint"] = json!(format!("{issuer}/api/connect/revoke"));
        document["revocation_endpoint_auth_methods_supported"] = json!(settings.auth_methods);
    }
    if settings.par {
        document["pushed_authorization_request_endpoint"] = json!(format!("{issuer}/api/connect/par"));
    }
    if settings.require_par {
        document["require_pushed_authorization_requests"] = json!(true);
    }
    if settings.iss {
        document["authorization_response_iss_parameter_supported"] = json!(true);
    }
    override_fields(&mut document, &settings.metadata_fields);
    document
}
