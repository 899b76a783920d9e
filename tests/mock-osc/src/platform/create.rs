//! Creates instances, and refuses creations in every way that OSC does.

use http::StatusCode;
use serde_json::Value;

use crate::platform::Workspace;
use crate::platform::problem::{Problem, json_body};
use crate::platform::services::Service;
use crate::platform::view::{View, secret_name};
use crate::platform::workspace::Instance;
use crate::reply::Reply;
use crate::request::Recorded;

pub(crate) fn create(
    workspace: &mut Workspace,
    view: View<'_>,
    request: &Recorded,
) -> Result<Reply, Problem> {
    let View { service, settings, now, .. } = view;
    let body = json_body(request)?;
    let name = body["name"].as_str().filter(|name| is_valid_name(name));
    let name = name.ok_or_else(|| Problem::bad_request("name must consist of a-z and 0-9"))?.to_owned();
    if workspace.instance(service, &name).is_some() {
        return Err(Problem::name_taken(&settings.name_taken));
    }
    if settings.not_included.contains(service.id) {
        return Err(Problem::NOT_INCLUDED);
    }
    if workspace.balance <= 0 {
        return Err(Problem::forbidden("no tokens left"));
    }
    refuse_missing_secrets(workspace, service, &body)?;
    let Value::Object(fields) = body else {
        return Err(Problem::bad_request("the body is not a JSON object"));
    };
    let mut instance = Instance::new(fields, now);
    let answer = match settings.creation_timeout {
        Some(delay) => {
            instance.hidden = Some(delay.begin(now));
            Reply::gateway_timeout()
        }
        None => {
            instance.start(settings, now);
            Reply::json(StatusCode::CREATED, &view.show(&name, &instance))
        }
    };
    workspace.insert(service, &name, instance);
    Ok(answer)
}

/// Refuses fields that refer to a secret that is not stored.
pub(crate) fn refuse_missing_secrets(
    workspace: &Workspace,
    service: &'static Service,
    fields: &Value,
) -> Result<(), Problem> {
    let fields = fields.as_object().into_iter().flat_map(|fields| fields.values());
    let mut named = fields.filter_map(|value| secret_name(value.as_str()?));
    match named.find(|name| workspace.secret(service, name).is_none()) {
        Some(missing) => Err(Problem::bad_request(format!("no such secret: {missing}"))),
        None => Ok(()),
    }
}

fn is_valid_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_lower_case_letters_and_digits() {
        assert!(is_valid_name("a1"));
        for name in ["", "A", "a-b", "a b", "å"] {
            assert!(!is_valid_name(name), "{name}");
        }
    }
}
