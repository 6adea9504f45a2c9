//! When the connection is lost in COMMIT, the caller learns that the outcome is unknown, and never
//! that it failed or succeeded.
#![cfg(feature = "postgres")]

#[cfg(test)]
#[path = "common/clock.rs"]
mod clock;
#[cfg(test)]
#[path = "common/postgres.rs"]
mod postgres;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use clock::clock;
use covenant_core::{TxTag, TxnId};
use postgres::TestRandom;
use sql_store::{Args, Db, DbError, Mode, PostgresOptions, Transport};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

type Outcome = Result<(), Box<dyn std::error::Error>>;

fn tag() -> TxTag {
    TxTag {
        txn: TxnId::from_bytes([7; 16]),
        tenant: None,
        decision: None,
    }
}

/// Passes bytes both ways; armed, it passes one COMMIT on and cuts the line before the answer.
async fn proxy(listener: TcpListener, to: String, armed: Arc<AtomicBool>) {
    while let Ok((mut client, _)) = listener.accept().await {
        let (to, armed) = (to.clone(), Arc::clone(&armed));
        tokio::spawn(async move {
            let mut server = TcpStream::connect(to).await?;
            let (mut up, mut down) = (vec![0; 65_536], vec![0; 65_536]);
            loop {
                tokio::select! {
                    read = client.read(&mut up) => {
                        let sent = up.get(..read?).unwrap_or_default();
                        server.write_all(sent).await?;
                        let commit = sent.windows(6).any(|window| window == b"COMMIT");
                        if sent.is_empty() || commit && armed.swap(false, Ordering::SeqCst) {
                            // read the answer, so that the server has surely committed
                            let answered = server.read(&mut down).await;
                            return answered.map(drop);
                        }
                    }
                    read = server.read(&mut down) => {
                        let read = read?;
                        if read == 0 {
                            return Ok::<(), std::io::Error>(());
                        }
                        client.write_all(down.get(..read).unwrap_or_default()).await?;
                    }
                }
            }
        });
    }
}

#[tokio::test]
async fn the_outcome_is_unknown_and_the_row_is_there() -> Outcome {
    let Some(url) = postgres::server() else {
        return Ok(());
    };
    if postgres::schema("unknown").await?.is_none() {
        return Ok(());
    }
    let (_, rest) = url.split_once('@').ok_or("no user in the URL")?;
    let (address, _) = rest.split_once('/').ok_or("no database in the URL")?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let through = url.replace(address, &listener.local_addr()?.to_string());
    let armed = Arc::new(AtomicBool::new(false));
    let line = tokio::spawn(proxy(listener, address.to_owned(), Arc::clone(&armed)));

    let options = PostgresOptions::new(&through, "unknown", Transport::Local)?;
    let db = Db::open_postgres(options.connections(1), clock(), Arc::new(TestRandom)).await?;
    let mut tx = db.begin_with(Mode::ReadWrite, tag()).await?;
    tx.execute("CREATE TABLE t (n BIGINT NOT NULL)", Args::new())
        .await?;
    tx.commit().await?;

    let mut tx = db.begin_with(Mode::ReadWrite, tag()).await?;
    tx.execute("INSERT INTO t (n) VALUES (1)", Args::new())
        .await?;
    armed.store(true, Ordering::SeqCst);
    let lost = tx.commit().await;
    assert!(matches!(lost, Err(DbError::CommitUnknown(_))), "{lost:?}");

    let mut tx = db.begin_with(Mode::ReadOnly, tag()).await?;
    assert_eq!(tx.rows("SELECT n FROM t", Args::new()).await?.len(), 1);
    tx.commit().await?;
    line.abort();
    Ok(())
}
