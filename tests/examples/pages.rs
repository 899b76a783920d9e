//! The examples that answer with pages, texts and JSON.

use http::{Method, StatusCode};
use osc_tests::{Browser, NodeSetup, example, soon};
use serde_json::{Value, json};
use tokio::process::Command;

use crate::visit::{forged, page_key, refuses_strangers, sign_in, sign_out, signed_in, start, text};

const ADA: &str = "ada/adalovelace";
const GRACE: &str = "grace/gracehopper";

#[tokio::test]
async fn hello_axum_greets_the_user_until_sign_out() {
    let example = start("hello_axum").await;
    refuses_strangers(&example, "/hello", StatusCode::UNAUTHORIZED).await;
    let home = text(&mut Browser::new(example.app()), "/").await;
    assert!(home.contains("/auth/signin?return_to=/hello"), "{home}");

    let mut ada = signed_in(&example, ADA).await;
    assert_eq!(text(&mut ada, "/hello").await, "Hello ada in adalovelace");
    assert!(text(&mut ada, "/").await.contains(r#"action="/auth/signout""#));
    sign_out(&mut ada).await;
    assert_eq!(soon(ada.navigate("/hello")).await.status(), StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn hello_tower_greets_the_workspace() {
    let example = start("hello_tower").await;
    refuses_strangers(&example, "/", StatusCode::SEE_OTHER).await;
    assert_eq!(text(&mut signed_in(&example, "ada/team").await, "/").await, "Hello from team");
}

#[tokio::test]
async fn outbound_calls_the_api_as_the_user() {
    let example = start("outbound").await;
    refuses_strangers(&example, "/", StatusCode::UNAUTHORIZED).await;
    assert_eq!(text(&mut signed_in(&example, ADA).await, "/").await, "The API says: your plan is PERSONAL");
}

#[tokio::test]
async fn spa_has_a_public_page_and_a_guarded_api() {
    let example = start("spa").await;
    let mut browser = Browser::new(example.app());
    let page = text(&mut browser, "/").await;
    assert!(page.contains("fetch('/auth/session')") && page.contains("fetch('/api/me')"), "{page}");
    refuses_strangers(&example, "/api/me", StatusCode::UNAUTHORIZED).await;
    let ask = async |browser: &mut Browser, path: &str| -> Value {
        let answer = soon(browser.fetch(path)).await;
        assert_eq!(answer.status(), StatusCode::OK, "{path}");
        serde_json::from_slice(answer.body()).expect("JSON")
    };
    let from_the_page = [("referer", "http://localhost:3000/"), ("sec-fetch-site", "same-origin")];
    let session = soon(browser.send(Method::GET, "/auth/session", &from_the_page)).await;
    let session: Value = serde_json::from_slice(session.body()).expect("JSON");
    // The link as it is leads back to the page.
    assert_eq!(session, json!({ "signed_in": false, "signin": "/auth/signin?return_to=/" }));
    assert!(page.contains("signin.href = session.signin;"), "{page}");

    sign_in(&mut browser, ADA).await;
    let session = ask(&mut browser, "/auth/session").await;
    assert_eq!((&session["signed_in"], &session["signout"]), (&json!(true), &json!("/auth/signout")));
    let me = ask(&mut browser, "/api/me").await;
    assert_eq!(me, json!({ "workspace": "adalovelace", "user": "ada" }));
}

#[tokio::test]
async fn workspace_creates_instances_and_lists_them() {
    let example = start("workspace").await;
    refuses_strangers(&example, "/", StatusCode::SEE_OTHER).await;
    let mut browser = signed_in(&example, ADA).await;
    let page = text(&mut browser, "/").await;
    assert!(page.contains("<ul></ul>"), "{page}");
    let form = [("osc_user", page_key(&page)), ("name", "mystore"), ("password", "correct horse")];
    assert_eq!(soon(browser.submit("/", &form)).await.status(), StatusCode::SEE_OTHER);
    let page = text(&mut browser, "/").await;
    assert!(page.contains("<ul><li>mystore</li></ul>"), "{page}");

    assert_eq!(forged(&mut browser, "/").await, StatusCode::FORBIDDEN);
    assert_eq!(soon(browser.submit("/", &form[1..])).await.status(), StatusCode::BAD_REQUEST);
    sign_in(&mut browser, GRACE).await;
    assert_eq!(soon(browser.submit("/", &form)).await.status(), StatusCode::CONFLICT, "the page is Ada's");
    assert!(text(&mut browser, "/").await.contains("<ul></ul>"));
}

#[tokio::test]
async fn custom_pages_show_the_brand_in_the_users_language() {
    let setup = NodeSetup::example("custom_pages");
    let branded = setup.start().await;
    let own = setup.argument("own").start().await;
    let (colour, header) = ("#0b6a62", "<header>Acme</header>");
    for (example, mark, foreign) in [(&branded, colour, header), (&own, header, colour)] {
        let mut browser = Browser::new(example.app());
        let answer = soon(browser.navigate("/")).await;
        let page = String::from_utf8_lossy(answer.body());
        assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
        assert!(page.contains("Acme") && page.contains(mark) && !page.contains(foreign), "{page}");
        assert!(page.contains(r#"lang="sv""#) && page.contains("/auth/signin?return_to="), "{page}");
        let english = [("accept", "text/html"), ("accept-language", "en-GB")];
        let english = soon(browser.send(Method::GET, "/", &english)).await;
        assert!(String::from_utf8_lossy(english.body()).contains(r#"lang="en""#));
        assert_eq!(text(&mut browser, "/static/about").await, "All about Acme");
        sign_in(&mut browser, ADA).await;
        assert_eq!(text(&mut browser, "/").await, "Hello adalovelace");
    }
    assert!(text(&mut Browser::new(own.app()), "/static/app.css").await.contains(colour));
}

#[tokio::test]
async fn test_your_app_passes_its_own_tests() {
    let program = example("test_your_app").await;
    let output = soon(Command::new(program).env_clear().kill_on_drop(true).output())
        .await
        .expect("the example can be run");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.stdout, b"both tests passed\n");
}
