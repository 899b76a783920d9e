//! The texts that the test tools fail with take one line each.

use std::panic::{AssertUnwindSafe, catch_unwind};

use futures_util::FutureExt;
use mock_osc::{DecisionError, MockOsc};
use osc_auth_layer::test_util::{MemoryStore, TestToken, store_contract};
use osc_tests::{Op, RiggedStore, Trouble, layer_for, soon};

fn text_of(panic: Box<dyn std::any::Any + Send>) -> String {
    match panic.downcast::<String>() {
        Ok(text) => *text,
        Err(panic) => (*panic.downcast::<&str>().expect("a text")).to_owned(),
    }
}

#[tokio::test]
async fn every_panic_has_one_line() {
    let osc = MockOsc::builder().start().await.expect("the mock starts");
    let store = RiggedStore::new(MemoryStore::new());
    let layer = layer_for(&osc).store(store.clone()).cookie_key([7; 32]).authorize(|_| false);
    let refusing = layer.build().expect("it builds");
    let failing = layer_for(&osc).store(store.clone()).cookie_key([7; 32]).build().expect("it builds");
    store.trouble(Op::Create, Trouble::Fails);
    let page = "<h1>a\npage</h1>";

    let panics: Vec<Box<dyn FnOnce() + '_>> = vec![
        Box::new(|| drop(osc.personal_access_token("alan"))),
        Box::new(|| drop(osc.personal_access_token_in("ada", "bletchley\npark"))),
        Box::new(|| drop(osc.grant_for("alan"))),
        Box::new(|| drop(osc.grant_in("ada", "bletchley"))),
        Box::new(|| drop(osc.workspace("bletchley\npark"))),
        Box::new(|| _ = osc.workspace("team").suspend_instance("no\nservice", "a")),
        Box::new(|| drop(MockOsc::builder().user("a\nb", &[]))),
        Box::new(|| drop(MockOsc::builder().user("a/b", &["c"]))),
        Box::new(|| drop(TestToken::new("two\nlines"))),
        Box::new(|| drop(TestToken::from_answer(page))),
    ];
    let mut texts: Vec<_> = panics
        .into_iter()
        .map(|panic| text_of(catch_unwind(AssertUnwindSafe(panic)).expect_err("it panics")))
        .collect();
    for (layer, token) in [(&refusing, "opaque"), (&failing, "opaque")] {
        let signed_in = AssertUnwindSafe(layer.sign_in_for_test(TestToken::new(token))).catch_unwind();
        texts.push(text_of(soon(signed_in).await.expect_err("it panics")));
    }
    store.trouble(Op::Read, Trouble::Fails);
    let run = AssertUnwindSafe(store_contract::run(async || store.clone())).catch_unwind();
    texts.push(text_of(soon(run).await.expect_err("it panics")));
    for text in texts {
        assert!(!text.is_empty() && !text.contains('\n'), "{text:?}");
    }
}

#[tokio::test]
async fn a_page_of_the_provider_becomes_one_line() {
    let osc = MockOsc::builder().start().await.expect("the mock starts");
    let refused: DecisionError = osc
        .approve(&format!("{}/api/connect/authorize?client_id=nobody", osc.issuer()))
        .await
        .expect_err("the client is unknown");
    assert!(refused.body().lines().count() > 10);
    let expected = "the provider answered 400 instead of a redirect: You cannot sign in with this request Open Source Cloud \
                    refuses the request of the app that sent you here. The reason is: client_id is missing or unknown";
    assert_eq!(refused.to_string(), expected);
    assert_eq!(format!("{refused:?}"), format!("DecisionError({expected})"));
}
