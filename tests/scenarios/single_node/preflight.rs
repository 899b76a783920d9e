//! `check()` with each thing wrong in turn at the provider.

mod client;
mod provider;
mod redirect_uri;

use mock_osc::{MockOsc, MockOscBuilder};
use osc_auth_layer::{OAuthClient, OscAuthLayer, OscAuthLayerBuilder};

const URL: &str = "http://localhost:3000";

async fn start(osc: MockOscBuilder) -> MockOsc {
    osc.start().await.expect("the mock starts")
}

fn layer_as(osc: &MockOsc, client: OAuthClient) -> OscAuthLayerBuilder {
    OscAuthLayer::builder(client).issuer(osc.issuer())
}

/// Returns the builder of a layer with the mock's client and no public URL.
fn layer(osc: &MockOsc) -> OscAuthLayerBuilder {
    layer_as(osc, OAuthClient::confidential(osc.client_id(), osc.client_secret()))
}

fn build(layer: OscAuthLayerBuilder) -> OscAuthLayer {
    layer.build().expect("the test's layer builds")
}
