use super::*;

#[test]
fn an_error_about_a_url_contains_no_password() {
    for url in [
        "",
        "app",
        "http://ada:hunter2@localhost/app",
        "postgres://ada:hun/ter2@localhost",
        "postgres://[hunter2",
        "postgres://ada@localhost/app?pasword=hunter2",
        "postgres://ada@localhost/app?sslmode=require&hunter2",
    ] {
        let error = PostgresStore::from_url(url).expect_err(url).to_string();
        assert!(error.starts_with(SETTING) && !error.contains("hun"), "{error}");
    }
}

#[test]
fn every_parameter_of_sqlx_is_accepted() {
    for query in [
        "sslmode=verify-full&sslrootcert=%2Fca.pem",
        "options[a]=b&options=-c%20c=d",
        "host=%2Frun&user=a&password=b",
    ] {
        assert!(PostgresStore::from_url(&format!("postgres://localhost/app?{query}")).is_ok(), "{query}");
    }
}

#[test]
fn debug_shows_the_namespace_and_no_password() {
    let store = PostgresStore::from_url("postgresql://ada:hunter2@localhost/app")
        .expect("a valid URL")
        .with_namespace("shop");
    let debug = format!("{store:?}");
    assert!(debug.contains("shop") && !debug.contains("hunter2"), "{debug}");
    assert_eq!(store.place(), "PostgreSQL at localhost:5432/app");
}

#[test]
fn a_channel_is_short_and_differs_between_namespaces() {
    let channel = |namespace: &str| {
        let store = PostgresStore::from_url("postgres://localhost/app")
            .expect("a valid URL")
            .with_namespace(namespace);
        store.database.channel.clone()
    };
    let long = "a".repeat(500);
    assert!(channel(&long).len() < 64);
    assert_ne!(channel(&long), channel(&(long.clone() + "b")));
}
