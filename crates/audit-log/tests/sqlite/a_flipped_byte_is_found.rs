//! Whatever is changed in the audit database behind the log's back, verification says so at the
//! level that the change concerns; a level that could not be run is never good.

use audit_log::merkle::TreeHead;
use audit_log::store::AuditLog as _;
use audit_log::store::sql::{LogKeys as _, SealedKeys};
use audit_log::verify::{Level, LevelResult, Outside, Report, verify};
use audit_log::{ServiceHost, log_of};
use covenant_core::Action;
use covenant_core::note::Vkey;
use sql_store::Args;

use crate::deployment::{Deployment, event, tenant};

struct Signed {
    deployment: Deployment,
    host: ServiceHost,
    keys: Vec<Vkey>,
    known: Vec<TreeHead>,
}

impl Signed {
    async fn new(events: u64) -> Self {
        let deployment = Deployment::new(1).await;
        let host: ServiceHost = "db.example.org".parse().unwrap();
        let log = log_of(tenant(1));
        let keys = SealedKeys::new(deployment.log.clone(), deployment.sealer.clone());
        let mut known = Vec::new();
        for n in 0..events {
            let change = event(tenant(1), 1 + n, Action::ChangeRecorded, 1);
            deployment.record(tenant(1), vec![change]).await;
            if n == events / 2 {
                deployment.drain().await;
                known.push(deployment.log.head(log).await.unwrap());
            }
        }
        deployment.drain().await;
        deployment.log.publish_heads(&host, &keys).await.unwrap();
        let signer = keys.signer(log, &host.origin(log)).await.unwrap();
        let keys = vec![signer.key().parse().unwrap()];
        Self {
            deployment,
            host,
            keys,
            known,
        }
    }

    async fn report(&self) -> Report {
        let outside = Outside {
            host: Some(&self.host),
            keys: &self.keys,
            heads: &self.known,
        };
        verify(&self.deployment.log, log_of(tenant(1)), &outside)
            .await
            .unwrap()
    }

    async fn edit(&self, sql: &'static str, args: Args) {
        let changed = self
            .deployment
            .shell(self.deployment.log.db(), sql, args)
            .await;
        assert!(changed > 0, "{sql}");
    }
}

fn failed(report: &Report, level: Level) -> Vec<u64> {
    match report.level(level) {
        LevelResult::Failed(findings) => findings.iter().map(|finding| finding.index).collect(),
        LevelResult::Good | LevelResult::NotRun(_) => Vec::new(),
    }
}

// clause: R-20
#[tokio::test]
async fn every_byte_of_a_leaf() {
    let signed = Signed::new(3).await;
    assert!(signed.report().await.is_good());
    let log = log_of(tenant(1));
    let leaf = signed.deployment.entries(log).await[1]
        .leaf
        .encode()
        .unwrap();
    let put = "UPDATE audit_entry SET leaf = $1 WHERE idx = 1";
    for at in 0..leaf.len() {
        let mut changed = leaf.clone();
        changed[at] ^= 1;
        signed.edit(put, Args::new().bind(changed)).await;
        let report = signed.report().await;
        assert!(failed(&report, Level::Content).contains(&1), "byte {at}");
        assert!(!failed(&report, Level::Tree).is_empty(), "byte {at}");
        assert!(!report.nothing_failed());
    }
    signed.edit(put, Args::new().bind(leaf)).await;
    assert!(signed.report().await.is_good());
}

#[tokio::test]
async fn each_change_fails_its_level() {
    let edits: &[(&'static str, &[Level])] = &[
        (
            "UPDATE audit_entry SET action = 'record.purged' WHERE idx = 2",
            &[Level::IndexVsLog],
        ),
        (
            "UPDATE audit_entry SET at = at + 1 WHERE idx = 2",
            &[Level::IndexVsLog],
        ),
        (
            "UPDATE audit_entry SET txn = zeroblob(16) WHERE idx = 2",
            &[Level::IndexVsLog],
        ),
        (
            "UPDATE audit_entry SET event = zeroblob(16) WHERE idx = 2",
            &[Level::IndexVsLog],
        ),
        (
            "UPDATE audit_entry SET item = NULL WHERE idx = 2",
            &[Level::IndexVsLog],
        ),
        (
            "UPDATE audit_entry SET tbl = 'others' WHERE idx = 2",
            &[Level::IndexVsLog],
        ),
        (
            "UPDATE audit_entry SET outcome = 'fine' WHERE idx = 2",
            &[Level::Content, Level::Tree],
        ),
        (
            "UPDATE audit_entry SET leaf_hash = zeroblob(32) WHERE idx = 2",
            &[Level::Content],
        ),
        (
            "UPDATE audit_head SET root = zeroblob(32)",
            &[Level::Tree, Level::Inclusion],
        ),
        (
            "UPDATE audit_head SET edge = zeroblob(32 * 3)",
            &[Level::Tree],
        ),
        ("UPDATE audit_head SET edge = x'00'", &[Level::Tree]),
        (
            "UPDATE audit_head SET note = replace(note, '7', '6')",
            &[Level::Signature],
        ),
        ("UPDATE audit_head SET note = 'x'", &[Level::Signature]),
        ("UPDATE audit_head SET note_size = 1", &[Level::Signature]),
        (
            "DELETE FROM audit_entry WHERE idx = 6",
            &[Level::Content, Level::Tree],
        ),
        (
            "DELETE FROM audit_entry WHERE idx = 2",
            &[Level::Content, Level::Tree],
        ),
    ];
    for (sql, levels) in edits {
        let signed = Signed::new(7).await;
        assert!(signed.report().await.is_good());
        signed.edit(sql, Args::new()).await;
        let report = signed.report().await;
        for level in *levels {
            assert!(
                !failed(&report, *level).is_empty(),
                "{sql}: {}: {report:?}",
                level.name()
            );
        }
    }
}

#[tokio::test]
async fn a_log_cut_and_made_whole_again_is_found_by_heads_known_outside() {
    let signed = Signed::new(7).await;
    let whole = signed.deployment.log.head(log_of(tenant(1))).await.unwrap();
    let mut edge = audit_log::merkle::Edge::default();
    for entry in signed
        .deployment
        .entries(log_of(tenant(1)))
        .await
        .iter()
        .take(4)
    {
        edge.push(entry.hash, |_, _| ());
    }
    let head = edge.head();
    signed
        .edit("DELETE FROM audit_entry WHERE idx >= 4", Args::new())
        .await;
    let put =
        "UPDATE audit_head SET size = $1, root = $2, edge = $3, note = NULL, note_size = NULL";
    let args = Args::new().bind(4_i64).bind(head.root).bind(edge.encode());
    signed.edit(put, args).await;
    let mut report = signed.report().await;
    assert!(
        report.nothing_failed(),
        "the head known outside is of size 4: {report:?}"
    );
    assert!(
        !report.is_good(),
        "without a note the signature cannot be checked"
    );
    let newest = Signed {
        known: vec![whole],
        ..signed
    };
    report = newest.report().await;
    assert_eq!(failed(&report, Level::Consistency), [7]);
}

#[tokio::test]
async fn a_level_that_was_not_run_is_not_good() {
    let signed = Signed::new(2).await;
    let log = log_of(tenant(1));
    let nothing = Outside::default();
    let report = verify(&signed.deployment.log, log, &nothing).await.unwrap();
    assert!(report.nothing_failed() && !report.is_good());
    for level in [Level::Signature, Level::Consistency] {
        assert!(
            matches!(report.level(level), LevelResult::NotRun(_)),
            "{}",
            level.name()
        );
    }
    let other = Signed {
        keys: vec![Vkey::new("other.example.org", [1; 32]).unwrap()],
        ..signed
    };
    assert!(!failed(&other.report().await, Level::Signature).is_empty());
    assert_eq!(report.levels().len(), Level::ALL.len());
}
