//! A line between us and PostgreSQL that does not carry the start-up options on, as a pooler in
//! transaction mode does not, is noticed at the first connection.
#![cfg(feature = "postgres")]

#[cfg(test)]
#[path = "common/clock.rs"]
mod clock;
#[cfg(test)]
#[path = "common/postgres.rs"]
mod postgres;

use std::sync::Arc;

use clock::clock;
use postgres::TestRandom;
use sql_store::{Db, OpenError, PostgresOptions, Transport};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

type Outcome = Result<(), Box<dyn std::error::Error>>;

/// Passes bytes both ways, and writes another word of the same length over this one in the first.
async fn proxy(listener: TcpListener, to: String, from_word: &'static str, to_word: &'static str) {
    while let Ok((mut client, _)) = listener.accept().await {
        let to = to.clone();
        tokio::spawn(async move {
            let mut server = TcpStream::connect(to).await?;
            let mut first = vec![0; 65_536];
            let read = client.read(&mut first).await?;
            first.truncate(read);
            let width = from_word.len();
            let at = first
                .windows(width)
                .position(|window| window == from_word.as_bytes());
            if let Some(place) = at.and_then(|at| first.get_mut(at..at + width)) {
                place.copy_from_slice(to_word.as_bytes());
            }
            server.write_all(&first).await?;
            tokio::io::copy_bidirectional(&mut client, &mut server)
                .await
                .map(drop)
        });
    }
}

#[tokio::test]
async fn the_setting_that_did_not_arrive_is_named() -> Outcome {
    let Some(url) = postgres::server() else {
        return Ok(());
    };
    if postgres::schema("dropped").await?.is_none() {
        return Ok(());
    }
    let (_, rest) = url.split_once('@').ok_or("no user in the URL")?;
    let (address, _) = rest.split_once('/').ok_or("no database in the URL")?;
    for (setting, other, expected) in [
        (
            "covenant.session",
            "covenant.sessiom",
            Some("covenant.session"),
        ),
        (
            "search_path=dropped",
            "search_path=pg_temp",
            Some("search_path"),
        ),
        ("row_security=on", "row_security=of", None),
        (
            "synchronous_commit=on",
            "synchronous_commit=no",
            Some("synchronous_commit"),
        ),
        ("covenant.session", "covenant.session", None),
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let through = url.replace(address, &listener.local_addr()?.to_string());
        let line = tokio::spawn(proxy(listener, address.to_owned(), setting, other));
        let options = PostgresOptions::new(&through, "dropped", Transport::Local)?;
        let opened = Db::open_postgres(options, clock(), Arc::new(TestRandom)).await;
        match expected {
            Some(expected) => assert!(
                matches!(&opened, Err(OpenError::Setting { name, .. }) if *name == expected),
                "{setting}: {opened:?}"
            ),
            // an untouched line is the control; a value that PostgreSQL does not know ends the start
            None => assert_eq!(opened.is_ok(), setting == other, "{setting}: {opened:?}"),
        }
        line.abort();
    }
    Ok(())
}
