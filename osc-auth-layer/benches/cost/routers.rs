//! The contenders as layers of an axum router.

use axum::Router;
use axum::routing::get;
use osc_auth_layer::OscAuthLayer;
use tower_layer::layer_fn;

use crate::contenders::Minimum;
use crate::stage::Stage;

/// The contenders in front of an axum app, with the same users.
pub(crate) struct Routers {
    pub(crate) bare: Router,
    pub(crate) minimum: Router,
    pub(crate) layer: Router,
}

impl Routers {
    pub(crate) fn new(stage: &Stage, auth: OscAuthLayer) -> Self {
        let app = || Router::new().route("/", get(async || ()));
        let sessions = stage.minimum.sessions.clone();
        let minimum = layer_fn(move |inner| Minimum { inner, sessions: sessions.clone() });
        let routers = [app(), app().layer(minimum), app().layer(auth)];
        // As `axum::serve` does, or axum would make the routes anew for each request.
        let [bare, minimum, layer] = routers.map(|router| router.with_state(()));
        Self { bare, minimum, layer }
    }
}
