//! Every row change is seen by a trigger, whatever statement made it, and one that no event accounts
//! for is found, counted, and recorded as such.

use audit_log::changes::{
    Watched, begin_change, check_triggers, coverage, end_change, install_triggers, settle,
};
use audit_log::coverage::Coverage;
use audit_log::{log_of, watched};
use covenant_core::event::Datum;
use covenant_core::{Action, Clock as _, Event, EventSink as _, OutboxTx as _};
use sql_store::{Args, Migrations};

use crate::deployment::{Deployment, event, tenant};

const TABLES: &[Watched] = &[
    watched!("records", integer "id"),
    watched!("remarks", bytes "name"),
];

const SCHEMA: Migrations = Migrations {
    crate_name: "service",
    steps: &[(
        "0001_tables",
        "CREATE TABLE records (id INTEGER PRIMARY KEY, body TEXT);
         CREATE TABLE remarks (name TEXT PRIMARY KEY, record BIGINT REFERENCES records (id)
             ON DELETE CASCADE);",
    )],
};

const INSERT: &str = "INSERT INTO records (id, body) VALUES ($1, 'x')";
const UPDATE: &str = "UPDATE records SET body = body || 'y' WHERE id = $1";
const REPLACE: &str = "REPLACE INTO records (id, body) VALUES ($1, 'z')";
const DELETE: &str = "DELETE FROM records WHERE id = $1";

async fn watched_deployment() -> Deployment {
    let deployment = Deployment::new(1).await;
    deployment.stores[0].1.migrate(&SCHEMA).await.unwrap();
    install_triggers(&deployment.stores[0].1, TABLES)
        .await
        .unwrap();
    deployment
}

/// A business transaction: statements on row 1 or all rows, and the events that tell of them.
async fn business(deployment: &Deployment, sql: &[(&'static str, Args)], events: Vec<Event>) {
    let mut prepared = Vec::new();
    for event in events {
        prepared.push(deployment.sink.prepare(event).await.unwrap());
    }
    let mut tx = deployment.begin(tenant(1)).await;
    begin_change(&mut tx).await.unwrap();
    for (sql, args) in sql {
        tx.execute(sql, args.clone()).await.unwrap();
    }
    for prepared in prepared {
        deployment.sink.record(&mut tx, prepared).await.unwrap();
    }
    end_change(&mut tx).await.unwrap();
    tx.commit().await.unwrap();
}

async fn shell(deployment: &Deployment, sql: &'static str, args: Args) {
    deployment.shell(&deployment.stores[0].1, sql, args).await;
}

async fn measured(deployment: &Deployment) -> Coverage {
    deployment.drain().await;
    let mut tx = deployment.begin(tenant(1)).await;
    coverage(&mut tx, &deployment.log, log_of(tenant(1)), 0)
        .await
        .unwrap()
}

fn one(id: i64) -> Args {
    Args::new().bind(id)
}

fn change(n: u64, action: Action, item: i64) -> Event {
    event(tenant(1), n, action, item)
}

// clause: R-20
#[tokio::test]
async fn changes_with_their_events_are_covered() {
    let deployment = watched_deployment().await;
    business(
        &deployment,
        &[(INSERT, one(1))],
        vec![change(1, Action::RecordCreated, 1)],
    )
    .await;
    business(
        &deployment,
        &[(UPDATE, one(1))],
        vec![change(2, Action::ChangeRecorded, 1)],
    )
    .await;
    business(
        &deployment,
        &[(UPDATE, one(1))],
        vec![change(3, Action::RecordDeleted, 1)],
    )
    .await;
    business(
        &deployment,
        &[(UPDATE, one(1))],
        vec![change(4, Action::RecordRestored, 1)],
    )
    .await;
    business(
        &deployment,
        &[(DELETE, one(1))],
        vec![change(5, Action::RecordPurged, 1)],
    )
    .await;
    let found = measured(&deployment).await;
    assert!(found.is_complete(), "{found:?}");
    assert_eq!((found.touched_rows(), found.attributed_rows()), (5, 5));
}

#[tokio::test]
async fn what_has_no_event_is_found() {
    let cases: &[(&[(&'static str, i64)], u64)] = &[
        (&[(INSERT, 2)], 1),
        (&[(UPDATE, 1)], 1),
        (&[(DELETE, 1)], 1),
        (&[(REPLACE, 1)], 2),
        (&[("UPDATE records SET id = id + $1", 10)], 2),
        (
            &[("INSERT INTO records (id) SELECT id + $1 FROM records", 10)],
            1,
        ),
        (
            &[
                ("INSERT INTO remarks (name, record) VALUES ('a', $1)", 1),
                (DELETE, 1),
            ],
            3,
        ),
    ];
    for (statements, missing) in cases {
        let deployment = watched_deployment().await;
        let created = vec![change(1, Action::RecordCreated, 1)];
        business(&deployment, &[(INSERT, one(1))], created).await;
        assert!(measured(&deployment).await.is_complete());
        for (sql, value) in *statements {
            shell(&deployment, sql, one(*value)).await;
        }
        let found = measured(&deployment).await;
        let count = u64::try_from(found.unattributed.len()).unwrap();
        assert_eq!(count, *missing, "{statements:?}: {found:?}");
        assert_eq!(found.attributed_rows(), 1);
    }
}

#[tokio::test]
async fn an_event_accounts_for_its_own_change_only() {
    let deployment = watched_deployment().await;
    let created = vec![change(1, Action::RecordCreated, 1)];
    // inserted two, told of one; updated one, told of another; deleted, told of an update
    business(&deployment, &[(INSERT, one(1)), (INSERT, one(2))], created).await;
    business(
        &deployment,
        &[(UPDATE, one(1))],
        vec![change(2, Action::ChangeRecorded, 2)],
    )
    .await;
    business(
        &deployment,
        &[(DELETE, one(1))],
        vec![change(3, Action::ChangeRecorded, 1)],
    )
    .await;
    // a change refused, and one in another transaction than its event's
    let mut denied = change(4, Action::ChangeRecorded, 2);
    denied.outcome = covenant_core::Outcome::Denied;
    business(&deployment, &[(UPDATE, one(2))], vec![denied]).await;
    business(&deployment, &[], vec![change(5, Action::ChangeRecorded, 2)]).await;
    business(&deployment, &[(UPDATE, one(2))], vec![]).await;
    let found = measured(&deployment).await;
    assert_eq!(
        (found.touched_rows(), found.attributed_rows()),
        (6, 1),
        "{found:?}"
    );
}

#[tokio::test]
async fn a_bulk_event_accounts_for_exactly_its_count() {
    for (told, complete) in [(3, true), (2, false), (4, false)] {
        let deployment = watched_deployment().await;
        let rows = [(INSERT, one(1)), (INSERT, one(2)), (INSERT, one(3))];
        let mut bulk = change(1, Action::ChangeRecorded, 1).with("op", Datum::Token("insert"));
        bulk.target.id = None;
        bulk.rows = Some(told);
        business(&deployment, &rows, vec![bulk]).await;
        assert_eq!(
            measured(&deployment).await.is_complete(),
            complete,
            "{told}"
        );
    }
}

#[tokio::test]
async fn a_rollback_leaves_neither_touch_nor_leaf() {
    let deployment = watched_deployment().await;
    let created = change(1, Action::RecordCreated, 1);
    let prepared = deployment.sink.prepare(created).await.unwrap();
    let mut tx = deployment.begin(tenant(1)).await;
    begin_change(&mut tx).await.unwrap();
    tx.execute(INSERT, one(1)).await.unwrap();
    deployment.sink.record(&mut tx, prepared).await.unwrap();
    tx.rollback().await.unwrap();
    let found = measured(&deployment).await;
    assert_eq!((found.touched_rows(), found.unattributed.len()), (0, 0));
    assert!(deployment.entries(log_of(tenant(1))).await.is_empty());
    // nor does the announcement outlive it: a change by nobody is nobody's
    shell(&deployment, INSERT, one(1)).await;
    assert_eq!(measured(&deployment).await.unattributed[0].txn, None);
}

#[tokio::test]
async fn settling_records_what_nobody_told_and_forgets_the_rest() {
    let deployment = watched_deployment().await;
    business(
        &deployment,
        &[(INSERT, one(1))],
        vec![change(1, Action::RecordCreated, 1)],
    )
    .await;
    shell(&deployment, UPDATE, one(1)).await;
    deployment.drain().await;
    let log = log_of(tenant(1));
    // the first try is lost after the event was emitted, the second settles it
    for end in ["rollback", "commit"] {
        deployment.clock.advance(std::time::Duration::from_secs(1));
        let mut tx = deployment.begin(tenant(1)).await;
        assert_eq!(tx.tag().tenant, Some(tenant(1)));
        let now = deployment.clock.now();
        let (audit, sink) = (&deployment.log, &deployment.sink);
        let found = settle(&mut tx, audit, log, 0, sink, now, TABLES)
            .await
            .unwrap();
        assert_eq!(found.unattributed.len(), 1);
        if end == "commit" {
            tx.commit().await.unwrap();
        } else {
            tx.rollback().await.unwrap();
        }
    }
    let found = measured(&deployment).await;
    assert_eq!(found.touched_rows(), 0);
    let actions: Vec<_> = deployment
        .entries(log)
        .await
        .into_iter()
        .map(|entry| entry.leaf.action)
        .collect();
    assert_eq!(actions, [Action::RecordCreated, Action::ChangeUnattributed]);
}

#[tokio::test]
async fn a_dropped_trigger_and_a_table_without_one_are_found() {
    let deployment = watched_deployment().await;
    let check = async || {
        let mut tx = deployment.begin(tenant(1)).await;
        check_triggers(&mut tx, TABLES, &["exempt"]).await.unwrap()
    };
    assert!(check().await.is_empty(), "{:?}", check().await);
    shell(
        &deployment,
        "DROP TRIGGER audit_touch_records_delete",
        Args::new(),
    )
    .await;
    assert_eq!(check().await.triggers, ["audit_touch_records_delete"]);
    let hollow = "CREATE TRIGGER \"audit_touch_records_delete\" AFTER DELETE ON \"records\" \
                  BEGIN SELECT 1; END";
    shell(&deployment, hollow, Args::new()).await;
    assert_eq!(check().await.triggers, ["audit_touch_records_delete"]);
    shell(
        &deployment,
        "DROP TRIGGER audit_touch_records_delete",
        Args::new(),
    )
    .await;
    install_triggers(&deployment.stores[0].1, TABLES)
        .await
        .unwrap();
    shell(&deployment, "CREATE TABLE exempt (id INTEGER)", Args::new()).await;
    assert!(check().await.is_empty());
    shell(
        &deployment,
        "CREATE TABLE forgotten (id INTEGER)",
        Args::new(),
    )
    .await;
    assert_eq!(check().await.tables, ["forgotten"]);
}
