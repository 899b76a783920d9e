//! Every page on the app's origin comes back unchanged, up to 2 KB.

use mock_osc::MockOsc;
use osc_tests::{Browser, app, layer, layer_for};

use super::landing;

#[tokio::test]
async fn every_page_on_the_origin_comes_back_unchanged() {
    let osc = MockOsc::builder().start().await.unwrap();
    let app = app(&layer(&osc));
    for page in [
        "/a%2Fb",
        "/p//q",
        "/?t=a%0Ab",
        "/100%25",
        "/100%",
        "/line%0Abreak",
        "/caf%E9",
        "/caf%C3%A9",
        "/a?next=https://elsewhere.example/&x=%2F%2F",
        "/a;v=1,2!*'()\"",
        "/a?x=\\&y={|}^`",
        "/files/..hidden/x",
        "/report?tab=2#row-7",
        "/report#/route//x?y=%2F",
        "/a%5Cb",
        "/%E6%9D%B1%E4%BA%AC?q=%F0%9F%97%BC",
    ] {
        assert_eq!(landing(&mut Browser::new(app.clone()), &osc, page).await, page);
    }
}

#[tokio::test]
async fn pages_of_any_length_up_to_two_kilobytes_come_back() {
    let osc = MockOsc::builder().start().await.unwrap();
    let app = app(&layer(&osc));
    for (unit, start) in [("a", "/"), ("%2F", "/x/"), ("%C3%A9", "/x?q="), ("&a=!", "/x?q=1"), ("#", "/x#")] {
        for length in [100, 180, 200, 220, 260, 319, 320, 321, 500, 1000, 1024, 1500, 2000, 2048] {
            let page = format!("{start}{}", unit.repeat((length - start.len()) / unit.len()));
            assert_eq!(landing(&mut Browser::new(app.clone()), &osc, &page).await, page);
        }
    }
}

#[tokio::test]
async fn a_longer_page_loses_its_query_and_no_sign_in_fails_for_it() {
    let osc = MockOsc::builder().start().await.unwrap();
    let layer = layer_for(&osc).after_signin("/home").build().unwrap();
    for (page, lands) in [
        (format!("/list?{}", "q".repeat(2048)), "/list"),
        (format!("/list?{}", "%2F".repeat(5000)), "/list"),
        (format!("/list#{}", "q".repeat(9000)), "/list"),
        (format!("/{}", "p".repeat(2048)), "/home"),
        (format!("/{}", "%22".repeat(6000)), "/home"),
        (format!("//evil.example/{}", "p".repeat(2048)), "/home"),
    ] {
        assert_eq!(landing(&mut Browser::new(app(&layer)), &osc, &page).await, lands);
    }
}

#[tokio::test]
async fn a_page_below_the_public_path_comes_back() {
    let osc = MockOsc::builder().loose_redirect_uris().start().await.unwrap();
    let layer = layer_for(&osc).public_url("http://127.0.0.1:3000/some/base").build().unwrap();
    let mut browser = Browser::new(app(&layer)).at("127.0.0.1:3000");
    for page in ["/some/base/p//q", "/some/base/a%2Fb?x#y", "/elsewhere"] {
        assert_eq!(landing(&mut browser, &osc, page).await, page);
    }
}
