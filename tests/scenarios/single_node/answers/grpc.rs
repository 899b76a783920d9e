//! A gRPC client by other authors, over HTTP/2.

use std::time::Duration;

use axum::Router;
use axum::routing::post;
use bytes::{Buf, BufMut, Bytes};
use http::uri::PathAndQuery;
use mock_osc::MockOsc;
use osc_auth_layer::OscAuthLayer;
use osc_auth_layer::test_util::TestToken;
use osc_tests::{QuickClock, Server, layer_for};
use tokio::net::TcpListener;
use tonic::client::Grpc;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::metadata::MetadataValue;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Request, Status};

/// Messages as plain bytes, without a schema.
#[derive(Clone, Copy)]
struct Plain;

impl Codec for Plain {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        *self
    }

    fn decoder(&mut self) -> Self {
        *self
    }
}

impl Encoder for Plain {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, item: Bytes, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buffer.put(item);
        Ok(())
    }
}

impl Decoder for Plain {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(buffer.copy_to_bytes(buffer.remaining())))
    }
}

/// Serves a call that answers with an empty message, behind the layer.
async fn serve(auth: &OscAuthLayer) -> (Server, Grpc<Channel>) {
    const EMPTY_MESSAGE: [u8; 5] = [0; 5];
    let answer = [("content-type", "application/grpc"), ("grpc-status", "0")];
    let app = Router::new().route("/pkg.Service/Call", post(async move || (answer, &EMPTY_MESSAGE[..])));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address");
    let server = Server::start(axum::serve(listener, app.layer(auth.clone())).into_future());
    let channel = Endpoint::from_shared(format!("http://{address}")).expect("a URL").connect_lazy();
    (server, Grpc::new(channel))
}

async fn call(client: &mut Grpc<Channel>, cookie: Option<&str>) -> Result<Bytes, Status> {
    client.ready().await.expect("it connects");
    let mut request = Request::new(Bytes::from_static(b"question"));
    if let Some(cookie) = cookie {
        request.metadata_mut().insert("cookie", MetadataValue::try_from(cookie).expect("ASCII"));
    }
    let path = PathAndQuery::from_static("/pkg.Service/Call");
    client.unary(request, path, Plain).await.map(tonic::Response::into_inner)
}

#[tokio::test]
async fn tonic_reads_why_the_layer_refused_a_call() {
    let osc = MockOsc::builder().start().await.unwrap();
    let clock = QuickClock::new();
    let auth = layer_for(&osc).clock(clock.clone()).build().unwrap();
    let (_server, mut client) = serve(&auth).await;

    let refused = call(&mut client, None).await.unwrap_err();
    assert_eq!((refused.code(), refused.message()), (Code::Unauthenticated, "Sign in to continue."));

    let cookie = auth.sign_in_for_test(TestToken::new("a-token").refresh_token("rt")).await;
    let cookie = cookie.to_str().unwrap();
    assert_eq!(call(&mut client, Some(cookie)).await.unwrap(), "");

    osc.stop_listening().await;
    clock.advance(Duration::from_secs(3600));
    let refused = call(&mut client, Some(cookie)).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unavailable, "{refused:?}");
    assert!(refused.message().ends_with("Try again shortly."), "{refused:?}");
    assert!(refused.metadata().contains_key("retry-after"), "{refused:?}");
}
