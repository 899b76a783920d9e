//! Every page begins with the code that you came for. Its examples compile with all features.
//!
//! | page | it shows |
//! |---|---|
//! | [Your first app](first_app) | Sign users in, from an empty directory to a running app. |
//! | [Examples](examples) | Small programs to run and to copy from, one for each topic. |
//! | [Who the user is](user) | Greet the user, and keep data for them under a key that stays the same. |
//! | [Where to put the layer in axum](axum_layer) | Layers, nested routers, public paths, `TraceLayer` and `CorsLayer`. |
//! | [hyper and bare Tower](hyper) | The layer around any Tower service, served by hyper. |
//! | [Other frameworks](frameworks) | tonic, warp, salvo, poem, Leptos and tower-http, each as an app that runs as a test. |
//! | [Single-page apps](single_page_apps) | Ask who is signed in without a 401, call your API, and handle its errors. |
//! | [WebSockets and event streams](streams) | A fresh token for a long connection, and the end of its session. |
//! | [Acting in the workspace](workspace) | Create and run services for the user with `OscContext`. |
//! | [Calling your own APIs](outbound) | Send requests with the user's token to hosts that you name. |
//! | [Forms and CSRF](forms) | Keep other sites from submitting your forms. |
//! | [Kinds of requests](navigation) | What htmx, Turbo, gRPC, event streams and service workers get. |
//! | [The layer's pages](pages) | Your app's name, colour and language on them, or pages of your own. |
//! | [Behind a proxy](proxy) | nginx, TLS and a base path. |
//! | [On Open Source Cloud](on_osc) | Deploy your app on OSC, with two instances. |
//! | [Sessions and stores](stores) | A restart signs nobody out: SQLite, PostgreSQL, Redis, and how to move from one to another. |
//! | [What is promised at refresh](refresh) | When a token is refreshed, and what survives each failure. |
//! | [Metrics and spans](observability) | Count sign-ins, refreshes and failures, alert on them, and trace a request. |
//! | [Testing your app](testing) | Signed-in requests without a provider, and the mock of OSC. |
//! | [Answers, errors and logs](answers) | Every answer, configuration error and log line, with its cause and remedy. |
//! | [Configuration](configuration) | Every variable, setting and feature. |
//! | [Security model](security) | What the layer protects, how, and what it leaves to you. |
//! | [From Express to Rust](from_express) | Each step of OSC's tutorial beside its Rust. |
//! | [Writing a store](custom_store) | Keep sessions in a database of your own. |

/// The pages link to each other as files. Of two definitions of a link the first counts, so `links.txt` comes first and
/// leads to modules.
macro_rules! page {
    ($name:ident, $file:literal) => {
        #[doc = include_str!("guide/links.txt")]
        #[doc = ""]
        #[doc = include_str!($file)]
        pub mod $name {}
    };
}

page!(first_app, "guide/first_app.md");
page!(examples, "guide/examples.md");
page!(user, "guide/user.md");
page!(axum_layer, "guide/axum_layer.md");
page!(hyper, "guide/hyper.md");
page!(frameworks, "guide/frameworks.md");
page!(single_page_apps, "guide/single_page_apps.md");
page!(streams, "guide/streams.md");
page!(workspace, "guide/workspace.md");
page!(outbound, "guide/outbound.md");
page!(forms, "guide/forms.md");
page!(navigation, "guide/navigation.md");
page!(pages, "guide/pages.md");
page!(proxy, "guide/proxy.md");
page!(on_osc, "guide/on_osc.md");
page!(stores, "guide/stores.md");
page!(refresh, "guide/refresh.md");
page!(observability, "guide/observability.md");
page!(testing, "guide/testing.md");
page!(answers, "guide/answers.md");
page!(configuration, "guide/configuration.md");
page!(security, "guide/security.md");
page!(from_express, "guide/from_express.md");
page!(custom_store, "guide/custom_store.md");
