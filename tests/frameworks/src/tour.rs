//! A visitor, over HTTP, of an app with the layer.

use http::header::{CONTENT_TYPE, COOKIE, LOCATION, ORIGIN, SET_COOKIE};
use http::{Method, StatusCode};
use hyper::body::Bytes;
use mock_osc::MockOsc;
use reqwest::redirect::Policy;
use reqwest::{Client, RequestBuilder, Response};
use tonic::Code;
use tonic::client::Grpc;
use tonic::metadata::MetadataValue;
use tonic::transport::Endpoint;

use crate::frameworks::tonic::Plain;

/// The call that every app answers with a greeting.
#[derive(Clone, Copy)]
pub(crate) enum Call {
    /// Posts this body, of this type, to this path.
    Post(&'static str, &'static str, &'static str),
    Grpc,
}

/// The answer to a call: the greeting, or the app's way to say that the caller is not signed in.
#[derive(Debug, PartialEq)]
enum Answer {
    Greeting(String),
    NotSignedIn,
}

pub(crate) struct Visitor<'a> {
    osc: &'a MockOsc,
    app: String,
    client: Client,
}

impl<'a> Visitor<'a> {
    pub(crate) fn new(osc: &'a MockOsc, app: String) -> Self {
        let client = Client::builder().redirect(Policy::none()).build().expect("a client");
        Self { osc, app, client }
    }

    /// Calls the app before a sign-in, while signed in, and after the sign-out. Returns what differs from the promise.
    pub(crate) async fn tour(&self, call: Call) -> Result<(), String> {
        let before = self.call(call, "").await;
        let session = self.sign_in().await?;
        let during = self.call(call, &session).await;
        let (signout, origin) = (format!("{}/auth/signout", self.app), &self.app);
        let signout = self.client.post(signout).header(COOKIE, &session).header(ORIGIN, origin).send().await;
        let signed_out = signout.map_err(|error| error.to_string())?.status();
        let after = self.call(call, &session).await;
        let promised = Answer::Greeting("hello from adalovelace".to_owned());
        let is_kept = before == Answer::NotSignedIn
            && during == promised
            && signed_out == StatusCode::SEE_OTHER
            && after == Answer::NotSignedIn;
        if is_kept { Ok(()) } else { Err(format!("{before:?}, {during:?}, {signed_out}, {after:?}")) }
    }

    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("{}{path}", self.app))
    }

    pub(crate) async fn sign_in(&self) -> Result<String, String> {
        let signin = self.get(&format!("{}/auth/signin", self.app), "").await?;
        let authorize = header(&signin, LOCATION)?;
        let pending = cookie(&signin)?;
        let callback = self.osc.approve(&authorize).await.map_err(|error| error.to_string())?;
        let answer = self.get(&callback, &pending).await?;
        let cookies = answer.headers().get_all(SET_COOKIE).iter().filter_map(|cookie| cookie.to_str().ok());
        let mut sessions =
            cookies.filter(|cookie| cookie.starts_with("osc_session") && !cookie.contains("Max-Age=0"));
        let session = sessions.next().and_then(|cookie| cookie.split(';').next());
        session
            .map(str::to_owned)
            .ok_or_else(|| format!("the callback answered {} without a session", answer.status()))
    }

    async fn call(&self, call: Call, cookie: &str) -> Answer {
        match call {
            Call::Post(path, content_type, body) => {
                let request = self.request(Method::POST, path).header(CONTENT_TYPE, content_type);
                let answer = request.header(COOKIE, cookie).body(body).send().await.expect("the app answers");
                match answer.status() {
                    StatusCode::UNAUTHORIZED => Answer::NotSignedIn,
                    _ => Answer::Greeting(answer.text().await.expect("the app answers").replace('"', "")),
                }
            }
            Call::Grpc => {
                let channel = Endpoint::from_shared(self.app.clone()).expect("a URL").connect().await;
                let mut client = Grpc::new(channel.expect("the app listens"));
                client.ready().await.expect("the app listens");
                let mut request = tonic::Request::new(Bytes::from_static(b"hello"));
                request.metadata_mut().insert("cookie", MetadataValue::try_from(cookie).expect("ASCII"));
                match client.unary(request, "/greet.Greeter/Greet".try_into().expect("a path"), Plain).await {
                    Ok(answer) => Answer::Greeting(String::from_utf8_lossy(answer.get_ref()).into_owned()),
                    Err(status) if status.code() == Code::Unauthenticated => Answer::NotSignedIn,
                    Err(status) => Answer::Greeting(status.to_string()),
                }
            }
        }
    }

    async fn get(&self, url: &str, cookie: &str) -> Result<Response, String> {
        self.client.get(url).header(COOKIE, cookie).send().await.map_err(|error| error.to_string())
    }
}

fn header(answer: &Response, name: http::HeaderName) -> Result<String, String> {
    let value = answer.headers().get(&name).and_then(|value| value.to_str().ok());
    value.map(str::to_owned).ok_or_else(|| format!("an answer {} without {name}", answer.status()))
}

fn cookie(answer: &Response) -> Result<String, String> {
    let cookie = header(answer, SET_COOKIE)?;
    Ok(cookie.split(';').next().unwrap_or_default().to_owned())
}
