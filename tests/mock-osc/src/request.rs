//! A request as the mock records it. It is read once and then passed on as a value.

use http::request::Parts;

/// One request that arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Recorded {
    /// The method, for example `POST`.
    pub method: String,
    /// The path as sent, without the query.
    pub path: String,
    /// The headers in the order they arrived, with lower-case names.
    pub headers: Vec<(String, String)>,
    /// The decoded name–value pairs of the query.
    pub query: Vec<(String, String)>,
    /// The decoded name–value pairs of an `application/x-www-form-urlencoded` body; empty for any other body.
    pub form: Vec<(String, String)>,
    /// The body as text.
    pub body: String,
}

impl Recorded {
    pub(crate) fn new(parts: &Parts, body: &[u8]) -> Self {
        let headers: Vec<(String, String)> = parts
            .headers
            .iter()
            .map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
            .collect();
        let is_form = is(&headers, "application/x-www-form-urlencoded");
        Self {
            method: parts.method.to_string(),
            path: parts.uri.path().to_owned(),
            query: pairs(parts.uri.query().unwrap_or_default().as_bytes()),
            form: if is_form { pairs(body) } else { Vec::new() },
            body: String::from_utf8_lossy(body).into_owned(),
            headers,
        }
    }

    /// Returns the value of the first header with this name. Case does not matter.
    pub fn header(&self, name: &str) -> Option<&str> {
        header(&self.headers, name)
    }

    /// Returns the value of the first field with this name, from the form or else from the query.
    pub fn field(&self, name: &str) -> Option<&str> {
        let pairs = self.form.iter().chain(&self.query);
        pairs.into_iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// Returns true if the body is announced with this content type.
    pub(crate) fn is(&self, content_type: &str) -> bool {
        is(&self.headers, content_type)
    }

    /// Returns the token of a `Bearer` header with this name.
    pub(crate) fn bearer(&self, name: &str) -> Option<&str> {
        let (scheme, token) = self.header(name)?.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
    }
}

/// OAuth parameters. Each may be sent once, and an empty one counts as absent (RFC 6749 §3.1, §3.2).
#[derive(Clone, Debug)]
pub(crate) struct Params(Vec<(String, String)>);

impl Params {
    /// Parses the parameters.
    ///
    /// # Errors
    /// The name of a parameter that was sent twice.
    pub(crate) fn parse(pairs: &[(String, String)]) -> Result<Self, String> {
        for (index, (name, _)) in pairs.iter().enumerate() {
            if pairs[..index].iter().any(|(earlier, _)| earlier == name) {
                return Err(name.clone());
            }
        }
        let present = pairs.iter().filter(|(_, value)| !value.is_empty());
        Ok(Self(present.cloned().collect()))
    }

    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// Returns the same parameters with this one set.
    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.0.retain(|(key, _)| key != name);
        self.0.push((name.to_owned(), value.to_owned()));
        self
    }
}

fn header<'a>(headers: &'a [(String, String)], name: &str) -> Option<&'a str> {
    let found = headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
    found.map(|(_, value)| value.as_str())
}

/// Compares the content type without its parameters, such as `charset`.
fn is(headers: &[(String, String)], content_type: &str) -> bool {
    header(headers, "content-type").is_some_and(|kind| {
        let essence = kind.split(';').next().unwrap_or_default().trim();
        essence.eq_ignore_ascii_case(content_type)
    })
}

fn pairs(encoded: &[u8]) -> Vec<(String, String)> {
    form_urlencoded::parse(encoded).into_owned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owned(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn a_parameter_sent_twice_is_named() {
        let twice = Params::parse(&owned(&[("code", "a"), ("state", "s"), ("code", "b")]));
        assert_eq!(twice.unwrap_err(), "code");
    }

    #[test]
    fn an_empty_parameter_counts_as_absent() {
        let params = Params::parse(&owned(&[("code", ""), ("state", "s")])).unwrap();
        assert_eq!((params.get("code"), params.get("state")), (None, Some("s")));
    }
}
