use std::sync::Arc;

use mock_osc::{MockOsc, MockOscBuilder};
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::*;
use crate::user::*;

async fn start_with(builder: MockOscBuilder) -> Arc<MockOsc> {
    Arc::new(builder.start().await.unwrap())
}

/// Returns the token of a user who signs in to a workspace.
async fn token(osc: &MockOsc, user: &str, workspace: &str) -> String {
    let callback = osc.approve_in(user, workspace, authorize_url(osc).as_str()).await.unwrap();
    tokens(redeem(osc, &param(&callback, "code").unwrap()).await).await.0
}

/// Submits the consent form as a browser does. Returns status and `Location`.
async fn submit(osc: &MockOsc, form: &[(&str, &str)]) -> (u16, Option<String>) {
    let answer = http().post(authorize_url(osc)).form(form).send().await.unwrap();
    let location = answer.headers().get("location").map(|url| url.to_str().unwrap().to_owned());
    (answer.status().as_u16(), location)
}

#[tokio::test]
async fn the_consent_page_offers_every_user_with_every_workspace() {
    let osc = start_with(MockOsc::builder()).await;
    let page = http().get(authorize_url(&osc)).send().await.unwrap().text().await.unwrap();
    let accounts = ["ada/adalovelace", "ada/team", "grace/gracehopper", "grace/team"];
    for account in accounts {
        assert!(page.contains(&format!(r#"name="account" value="{account}""#)), "{account}: {page}");
    }
    assert_eq!(page.matches(" checked>").count(), 1);
    for account in accounts {
        let (status, callback) = submit(&osc, &[("account", account), ("decision", "allow")]).await;
        let code = param(&callback.unwrap(), "code").unwrap();
        let (pat, _) = tokens(redeem(&osc, &code).await).await;
        let user = User { osc: osc.clone(), pat };
        let (_, workspace) = account.split_once('/').unwrap();
        assert_eq!((status, user.workspace().await.as_str()), (303, workspace));
    }
}

#[tokio::test]
async fn an_account_that_is_not_there_is_refused_on_a_page() {
    let osc = start_with(MockOsc::builder()).await;
    for account in ["ada/gracehopper", "ada", "nobody/team", ""] {
        assert_eq!(
            submit(&osc, &[("account", account), ("decision", "allow")]).await,
            (400, None),
            "{account}"
        );
    }
    let url = authorize_url(&osc);
    let error = osc.approve_as("nobody", url.as_str()).await.unwrap_err();
    let expected = "the provider did not answer: the mock has no user \"nobody\"; it has ada/adalovelace";
    assert!(error.to_string().starts_with(expected), "{error}");
    assert!(osc.approve_in("ada", "gracehopper", url.as_str()).await.is_err());
}

#[tokio::test]
async fn colleagues_share_a_workspace_and_nothing_else() {
    let osc = start_with(MockOsc::builder()).await;
    let sign_in = async |user, workspace| User { osc: osc.clone(), pat: token(&osc, user, workspace).await };
    let [ada, in_team, grace] =
        [sign_in("ada", "adalovelace").await, sign_in("ada", "team").await, sign_in("grace", "team").await];
    let secret = json!({ "secretName": "key", "secretData": "hidden" });
    let secrets = format!("/deploy/mysecrets/{SERVICE}");
    in_team.call(Method::POST, &secrets, &secret).await;
    in_team.api(SERVICE).await.call(Method::POST, "", &json!({ "name": "ours" })).await;
    in_team.call(Method::POST, "/catalog/mysubscriptions", &json!({ "services": ["minio-minio"] })).await;
    osc.workspace("team").set_balance(7);
    osc.workspace("team").set_plan("FREE");

    for (user, is_colleague) in [(&grace, true), (&in_team, true), (&ada, false)] {
        let found = user.api(SERVICE).await.call(Method::GET, "/ours", &Value::Null).await.status();
        assert_eq!(found == 200, is_colleague);
        assert_eq!(user.json(&secrets).await.as_array().unwrap().len(), usize::from(is_colleague));
        let subscriptions = user.json("/catalog/mysubscriptions").await.as_array().unwrap().len();
        assert_eq!(subscriptions, 1 + usize::from(is_colleague));
        assert_eq!(user.json("/money/mytokencount").await["tokens"] == 7, is_colleague);
        assert_eq!(user.json("/money/mytenantplan").await["planType"] == "FREE", is_colleague);
    }
    assert_eq!(osc.workspace("team").instances(SERVICE), ["demo", "ours"]);
    assert_eq!(osc.instances(SERVICE), ["demo"]);
}

#[tokio::test]
async fn a_refresh_stays_in_the_workspace() {
    let osc = start_with(MockOsc::builder()).await;
    let callback = osc.approve_in("ada", "team", authorize_url(&osc).as_str()).await.unwrap();
    let (_, refresh_token) = tokens(redeem(&osc, &param(&callback, "code").unwrap()).await).await;
    let (pat, _) = tokens(refresh(&osc, &refresh_token).await).await;
    assert_eq!(User { osc, pat }.workspace().await, "team");
}

#[tokio::test]
async fn a_test_brings_its_own_users() {
    let (long, odd) = ("w".repeat(63), r#"a/"b"<c> ö"#);
    let osc = start_with(MockOsc::builder().user("alan", &[&long, odd]).user("joan", &[odd])).await;
    assert_eq!(osc.default_workspace().name(), long);
    assert!(osc.approve_as("ada", authorize_url(&osc).as_str()).await.is_err());
    let page = http().get(authorize_url(&osc)).send().await.unwrap().text().await.unwrap();
    assert!(page.contains("workspace a/&quot;b&quot;&lt;c&gt; ö") && !page.contains("<c>"), "{page}");
    for user in ["alan", "joan"] {
        let user = User { osc: osc.clone(), pat: token(&osc, user, odd).await };
        assert_eq!(user.workspace().await, odd);
    }
}

#[tokio::test]
#[should_panic(expected = "the mock has no workspace \"adalovelac\"")]
async fn a_misspelt_workspace_fails_the_test() {
    start().await.workspace("adalovelac");
}

#[tokio::test]
#[should_panic(expected = "the mock has no user \"Ada\"; it has ada/adalovelace, ada/team")]
async fn a_misspelt_user_fails_the_test() {
    start().await.personal_access_token("Ada");
}
