use std::io::ErrorKind;
use std::time::Instant;

use futures_util::FutureExt;

use super::*;
use crate::soon;

/// Starts a server that echoes its input and counts the bytes.
async fn echo() -> (SocketAddr, watch::Receiver<usize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let (arrived, count) = watch::channel(0);
    tokio::spawn(async move {
        loop {
            let (mut client, _) = listener.accept().await.unwrap();
            let arrived = arrived.clone();
            tokio::spawn(async move {
                let mut chunk = [0; 1024];
                while let Ok(length @ 1..) = client.read(&mut chunk).await {
                    arrived.send_modify(|count| *count += length);
                    let _ = client.write_all(&chunk[..length]).await;
                }
            });
        }
    });
    (addr, count)
}

async fn say(client: &mut TcpStream, text: &str) -> String {
    soon(client.write_all(text.as_bytes())).await.unwrap();
    hear(client, text.len()).await
}

async fn hear(client: &mut TcpStream, length: usize) -> String {
    let mut heard = vec![0; length];
    soon(client.read_exact(&mut heard)).await.unwrap();
    String::from_utf8(heard).unwrap()
}

/// Waits for data through another proxy, which shows that data through any proxy has had time to arrive.
async fn time_to_pass(target: SocketAddr) {
    let other = Proxy::to(target).await;
    assert_eq!(say(&mut TcpStream::connect(other.addr()).await.unwrap(), "other").await, "other");
}

/// Returns true once the connection is closed, cleanly or not.
async fn is_closed(client: &mut TcpStream) -> bool {
    matches!(soon(client.read(&mut [0])).await, Ok(0) | Err(_))
}

#[tokio::test]
async fn what_a_black_hole_held_arrives_in_full_when_it_resumes() {
    let (target, arrived) = echo().await;
    let proxy = Proxy::to(target).await;
    let mut old = TcpStream::connect(proxy.addr()).await.unwrap();
    assert_eq!(say(&mut old, "before").await, "before");

    proxy.black_hole();
    let mut new = TcpStream::connect(proxy.addr()).await.unwrap();
    new.write_all(b"new").await.unwrap();
    let large = "x".repeat(16 << 20);
    let (mut from_old, mut to_old) = old.into_split();
    let sent = tokio::spawn({
        let large = large.clone();
        async move { to_old.write_all(large.as_bytes()).await }
    });
    time_to_pass(target).await;
    assert_eq!(*arrived.borrow(), "before".len() + "other".len());
    assert!(!sent.is_finished(), "it waits for what was sent to be taken");

    proxy.resume().await;
    let mut heard = vec![0; large.len()];
    soon(from_old.read_exact(&mut heard)).await.unwrap();
    assert!(heard == large.as_bytes());
    assert_eq!(hear(&mut new, 3).await, "new");
    assert_eq!((*arrived.borrow(), proxy.connections()), ("beforeothernew".len() + large.len(), 2));
}

#[tokio::test]
async fn swallowed_answers_come_late_but_what_was_asked_arrives() {
    let (target, mut arrived) = echo().await;
    let proxy = Proxy::to(target).await;
    let mut client = TcpStream::connect(proxy.addr()).await.unwrap();
    proxy.swallow_answers();
    client.write_all(b"ask").await.unwrap();
    soon(arrived.wait_for(|count| *count == 3)).await.unwrap();
    time_to_pass(target).await;
    assert!(client.read(&mut [0]).now_or_never().is_none());
    proxy.black_hole();
    time_to_pass(target).await;
    assert!(client.read(&mut [0]).now_or_never().is_none(), "nor through a black hole");
    proxy.resume().await;
    assert_eq!(hear(&mut client, 3).await, "ask");
}

#[tokio::test]
async fn a_cut_closes_what_is_open_and_lets_new_connections_in() {
    let (target, _) = echo().await;
    let proxy = Proxy::to(target).await;
    let mut client = TcpStream::connect(proxy.addr()).await.unwrap();
    assert_eq!(say(&mut client, "1").await, "1");
    proxy.cut();
    assert!(is_closed(&mut client).await);
    assert_eq!(say(&mut TcpStream::connect(proxy.addr()).await.unwrap(), "2").await, "2");
}

#[tokio::test]
async fn while_it_refuses_open_connections_stay_and_new_ones_are_refused() {
    let (target, _) = echo().await;
    let proxy = Proxy::to(target).await;
    let mut client = TcpStream::connect(proxy.addr()).await.unwrap();
    assert_eq!(say(&mut client, "1").await, "1");
    proxy.refuse().await;
    let refused = TcpStream::connect(proxy.addr()).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
    assert_eq!(say(&mut client, "2").await, "2");
    proxy.resume().await;
    assert_eq!(say(&mut TcpStream::connect(proxy.addr()).await.unwrap(), "3").await, "3");
}

#[tokio::test]
async fn a_delay_counts_in_each_direction() {
    let (target, _) = echo().await;
    let proxy = Proxy::to(target).await;
    let delay = Duration::from_millis(50);
    proxy.delay(delay);
    let mut client = TcpStream::connect(proxy.addr()).await.unwrap();
    let before = Instant::now();
    assert_eq!(say(&mut client, "late").await, "late");
    assert!(before.elapsed() >= 2 * delay);
}

#[tokio::test]
async fn the_end_of_what_one_side_sends_is_passed_on_and_a_dropped_proxy_closes_all() {
    let (target, _) = echo().await;
    let proxy = Proxy::to(target).await;
    let mut client = TcpStream::connect(proxy.addr()).await.unwrap();
    assert_eq!(say(&mut client, "1").await, "1");
    client.shutdown().await.unwrap();
    assert!(is_closed(&mut client).await, "the server closes when it has read all");

    let mut client = TcpStream::connect(proxy.addr()).await.unwrap();
    assert_eq!(say(&mut client, "2").await, "2");
    let addr = proxy.addr();
    drop(proxy);
    assert!(is_closed(&mut client).await);
    // The listening task ends when the runtime next polls it.
    while TcpStream::connect(addr).await.is_ok() {
        tokio::task::yield_now().await;
    }
}
