//! The layer's answer in every situation: each row of the design's table, for a script and for a browser
//! navigation.

mod endpoints;
mod grpc;
mod kinds;
mod origins;
mod outage;
mod own_pages;
mod pages;
mod returning;
mod unauthenticated;

use http::header;
use osc_tests::{Answer, Browser, is_page, refusal};

/// Sends the request as a script and as a navigation, with the same cookies. Both must be refused in this
/// way.
async fn refused_both_ways(browser: &Browser, path: &str, status: u16, error: &str) -> [Answer; 2] {
    let script = browser.clone().fetch(path).await;
    let person = browser.clone().navigate(path).await;
    assert!(!is_page(&script) && is_page(&person), "{script:?} {person:?}");
    for answer in [&script, &person] {
        assert_eq!(refusal(answer), (status, error.to_owned()), "{path}");
    }
    [script, person]
}

fn header_of<'a>(answer: &'a Answer, name: &str) -> &'a str {
    answer.headers().get(name).unwrap_or_else(|| panic!("no {name}: {answer:?}")).to_str().expect("ASCII")
}

/// Returns status line, headers and body as text to search in.
fn everything(answer: &Answer) -> String {
    format!("{:?} {}", answer.headers(), String::from_utf8_lossy(answer.body()))
}

fn keeps_all_cookies(answer: &Answer) -> bool {
    !answer.headers().contains_key(header::SET_COOKIE)
}
