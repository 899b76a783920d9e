//! A user's visit to an example.

use http::{StatusCode, header};
use osc_tests::{Browser, NodeSetup, SampleNode, location, path_of, soon};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Starts an example without any setting, as a reader does.
pub(crate) async fn start(name: &'static str) -> SampleNode {
    NodeSetup::example(name).start().await
}

/// Returns the browser of a user who has signed in by the consent page of the mock inside the example.
pub(crate) async fn signed_in(example: &SampleNode, account: &str) -> Browser {
    let mut browser = Browser::new(example.app());
    sign_in(&mut browser, account).await;
    browser
}

/// Signs a user in to a workspace, as `ada/adalovelace`, in place of the user before.
pub(crate) async fn sign_in(browser: &mut Browser, account: &str) {
    let authorize = soon(browser.begin_sign_in("/auth/signin")).await;
    let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).no_proxy();
    let allow = http.build().expect("the client builds").post(authorize);
    let allow = allow.form(&[("account", account), ("decision", "allow")]).send();
    let answer = soon(allow).await.expect("the mock answers");
    let callback = answer.headers()[header::LOCATION].to_str().expect("ASCII");
    assert_eq!(location(&soon(browser.navigate(path_of(callback))).await), "/");
}

/// Signs out with the form that each example has.
pub(crate) async fn sign_out(browser: &mut Browser) {
    assert_eq!(soon(browser.post_from("same-origin", "/auth/signout")).await.status(), StatusCode::SEE_OTHER);
}

/// Asserts the answer to somebody without a session, to a navigation and to a script.
pub(crate) async fn refuses_strangers(example: &SampleNode, path: &str, navigation: StatusCode) {
    let mut stranger = Browser::new(example.app());
    assert_eq!(soon(stranger.navigate(path)).await.status(), navigation, "{path}");
    assert_eq!(soon(stranger.fetch(path)).await.status(), StatusCode::UNAUTHORIZED, "{path}");
}

/// Opens a page and returns its text.
pub(crate) async fn text(browser: &mut Browser, path: &str) -> String {
    let answer = soon(browser.navigate(path)).await;
    let text = String::from_utf8(answer.body().to_vec()).expect("UTF-8");
    assert_eq!(answer.status(), StatusCode::OK, "{path}: {text}");
    text
}

/// Returns the value of the hidden field that names the user of a page.
pub(crate) fn page_key(page: &str) -> &str {
    let field = page.split_once(r#"name="osc_user" value=""#).expect("the page has the field").1;
    field.split_once('"').expect("a quoted value").0
}

/// A connection that stays open: an event stream or a WebSocket.
pub(crate) struct Open(TcpStream);

impl Open {
    /// Sends a request with the browser's cookies, and expects an answer of this status.
    pub(crate) async fn at(
        example: &SampleNode,
        browser: &Browser,
        path: &str,
        headers: &str,
        status: StatusCode,
    ) -> Self {
        let cookies: Vec<_> =
            browser.cookies().iter().map(|(name, value)| format!("{name}={value}")).collect();
        let cookies = cookies.join("; ");
        let request =
            format!("GET {path} HTTP/1.1\r\nHost: localhost:3000\r\nCookie: {cookies}\r\n{headers}\r\n");
        let mut stream = TcpStream::connect(example.addr()).await.expect("the example listens");
        stream.write_all(request.as_bytes()).await.expect("the example reads");
        let mut open = Self(stream);
        let head = open.until("\r\n\r\n").await;
        assert!(head.starts_with(&format!("HTTP/1.1 {}", status.as_u16())), "{head}");
        open
    }

    /// Reads until the connection says this, and returns all it said.
    pub(crate) async fn until(&mut self, end: &str) -> String {
        let read = async {
            let mut said = String::new();
            while !said.ends_with(end) {
                let byte = self.0.read_u8().await;
                said.push(byte.unwrap_or_else(|error| panic!("{error} after {said:?}")).into());
            }
            said
        };
        soon(read).await
    }

    /// Sends a short text message, masked with zeros.
    pub(crate) async fn send(&mut self, text: &str) {
        let length = u8::try_from(text.len()).expect("a short text");
        let frame = [&[0x81, 0x80 | length, 0, 0, 0, 0], text.as_bytes()].concat();
        self.0.write_all(&frame).await.expect("the example reads");
    }

    /// Reads a short message, and returns its first byte, which says its kind, and its payload.
    pub(crate) async fn frame(&mut self) -> (u8, Vec<u8>) {
        let kind = soon(self.0.read_u8()).await.expect("a frame");
        let mut payload = vec![0; soon(self.0.read_u8()).await.expect("a length").into()];
        soon(self.0.read_exact(&mut payload)).await.expect("a payload");
        (kind, payload)
    }
}

/// Submits a form as a page of another site makes the browser do.
pub(crate) async fn forged(browser: &mut Browser, path: &str) -> StatusCode {
    soon(browser.post_from("cross-site", path)).await.status()
}
