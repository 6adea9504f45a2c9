//! Every log that grew gets one signed checkpoint, the same head the same bytes; leaves and earlier
//! heads are proven against it with what is stored.

use std::sync::Arc;

use audit_log::checkpoint::Checkpoint;
use audit_log::merkle::{verify_consistency, verify_inclusion};
use audit_log::store::sql::{LogKeys, SealedKeys, SqlLog};
use audit_log::store::{AuditLog as _, LeafRef};
use audit_log::{LogError, ServiceHost, log_of};
use covenant_core::note::{Ed25519Signer, Note, Vkey};
use covenant_core::{Action, BoxFuture, LogId, NoteSigner, Secret};

use crate::deployment::{Deployment, event, tenant};

fn host() -> ServiceHost {
    "db.example.org".parse().unwrap()
}

async fn grow(deployment: &Deployment, owner: u128, from: u64, to: u64) {
    for n in from..to {
        let change = event(
            tenant(owner),
            1_000 * u64::try_from(owner).unwrap() + n,
            Action::ChangeRecorded,
            1,
        );
        deployment.record(tenant(owner), vec![change]).await;
    }
    deployment.drain().await;
}

#[tokio::test]
async fn heads_are_signed_once_for_each_size() {
    let deployment = Deployment::new(2).await;
    let keys = SealedKeys::new(deployment.log.clone(), deployment.sealer.clone());
    grow(&deployment, 1, 0, 3).await;
    grow(&deployment, 2, 0, 1).await;
    let first = deployment.log.publish_heads(&host(), &keys).await.unwrap();
    assert_eq!(first.len(), 2);
    assert!(
        deployment
            .log
            .publish_heads(&host(), &keys)
            .await
            .unwrap()
            .is_empty()
    );
    for signed in &first {
        let origin = host().origin(signed.log);
        let vkey: Vkey = keys
            .vkey(signed.log)
            .await
            .unwrap()
            .unwrap()
            .parse()
            .unwrap();
        let note: Note = signed.note.parse().unwrap();
        note.verify(&[vkey]).unwrap();
        let checkpoint = Checkpoint::parse(note.text()).unwrap();
        assert_eq!(
            (checkpoint.origin(), checkpoint.head()),
            (origin.as_str(), signed.head)
        );
        assert_eq!(deployment.log.head(signed.log).await.unwrap(), signed.head);
        assert_eq!(
            deployment
                .log
                .signed_head(signed.log)
                .await
                .unwrap()
                .as_ref(),
            Some(signed)
        );
    }
    // a crash after signing and before storing: the same head gives the same bytes
    let forget = "UPDATE audit_head SET note = NULL, note_size = NULL";
    deployment
        .shell(deployment.log.db(), forget, sql_store::Args::new())
        .await;
    let db = deployment.log.db().clone();
    let reopened = SqlLog::open(db, Arc::clone(&deployment.random))
        .await
        .unwrap();
    let keys = SealedKeys::new(reopened.clone(), deployment.sealer.clone());
    assert_eq!(reopened.publish_heads(&host(), &keys).await.unwrap(), first);
    grow(&deployment, 1, 3, 4).await;
    let second = reopened.publish_heads(&host(), &keys).await.unwrap();
    assert_eq!(
        second.iter().map(|signed| signed.log).collect::<Vec<_>>(),
        [log_of(tenant(1))]
    );
}

#[tokio::test]
async fn stored_hashes_prove_leaves_and_earlier_heads() {
    let deployment = Deployment::new(1).await;
    let log = log_of(tenant(1));
    let mut heads = Vec::new();
    for (from, to) in [(0, 1), (1, 255), (255, 256), (256, 257), (257, 600)] {
        grow(&deployment, 1, from, to).await;
        heads.push(deployment.log.head(log).await.unwrap());
    }
    let entries = deployment.entries(log).await;
    assert_eq!(entries.len(), 600);
    for head in &heads {
        for entry in entries.iter().filter(|e| e.index < head.size).step_by(51) {
            let at = LeafRef {
                log,
                index: entry.index,
            };
            let path = deployment.log.inclusion(at, head.size).await.unwrap();
            verify_inclusion(&entry.hash, entry.index, &path, head).unwrap();
        }
        for old in heads.iter().filter(|old| old.size <= head.size) {
            let path = deployment
                .log
                .consistency(log, old.size, head.size)
                .await
                .unwrap();
            verify_consistency(old, head, &path).unwrap();
        }
    }
    let (at, path) = deployment.log.prove(entries[300].leaf.event).await.unwrap();
    verify_inclusion(&entries[300].hash, at.index, &path, &heads[4]).unwrap();
    for (index, size) in [(600, 600), (0, 601), (5, 5)] {
        let refused = deployment.log.inclusion(LeafRef { log, index }, size).await;
        assert!(matches!(refused, Err(LogError::OutOfRange { .. })));
    }
}

/// Hands out a key of another name.
#[derive(Debug)]
struct WrongName;

impl LogKeys for WrongName {
    fn signer<'a>(
        &'a self,
        _: LogId,
        _: &'a str,
    ) -> BoxFuture<'a, Result<Arc<dyn NoteSigner>, LogError>> {
        let signer = Ed25519Signer::from_seed("other.example.org", &Secret::new([1; 32]));
        Box::pin(async move { Ok(Arc::new(signer.unwrap()) as Arc<dyn NoteSigner>) })
    }
}

#[tokio::test]
async fn a_key_of_another_name_signs_nothing() {
    let deployment = Deployment::new(1).await;
    grow(&deployment, 1, 0, 1).await;
    let refused = deployment.log.publish_heads(&host(), &WrongName).await;
    assert!(matches!(refused, Err(LogError::Signing(_))));
    assert_eq!(
        deployment.log.signed_head(log_of(tenant(1))).await.unwrap(),
        None
    );
    let keys = SealedKeys::new(deployment.log.clone(), deployment.sealer.clone());
    assert_eq!(
        deployment
            .log
            .publish_heads(&host(), &keys)
            .await
            .unwrap()
            .len(),
        1
    );
    // the key was made for this service: under another name it is refused
    let other: ServiceHost = "other.example.org".parse().unwrap();
    grow(&deployment, 1, 1, 2).await;
    assert!(deployment.log.publish_heads(&other, &keys).await.is_err());
}
