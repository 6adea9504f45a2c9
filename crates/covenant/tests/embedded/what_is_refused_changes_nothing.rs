//! A record that is there already, a caller of another tenant, an event that cannot be recorded: the
//! call says so, and no row, file or event is left; the same call succeeds once the one obstacle is
//! gone.

use audit_log::log_of;
use audit_log::store::AuditLog as _;
use covenant::{ATTACHMENTS_MAX, Error, NewRecord, Wraps};
use covenant_core::Action;

use crate::broken::{self, Switch};
use crate::common::{
    Outcome, Stage, admin, admin_id, covered, files, full, item, plain, profile, tenant,
};

async fn two_tenants(wraps: Wraps) -> Outcome<Stage> {
    let stage = Stage::with(profile("prodb")?, wraps).await?;
    for number in [1, 2] {
        stage
            .covenant
            .create_tenant(tenant(number), admin_id(number))
            .await?;
    }
    Ok(stage)
}

#[tokio::test]
async fn a_record_that_is_there_is_not_written_over() -> Outcome {
    let stage = two_tenants(Wraps::default()).await?;
    let (who, id) = (admin(1), item("one")?);
    stage
        .covenant
        .put(&who, tenant(1), &id, &full("first"))
        .await?;
    let objects = files(&stage.covenant.layout().objects())?;
    let second = stage
        .covenant
        .put(&who, tenant(1), &id, &full("second"))
        .await;
    assert!(matches!(second, Err(Error::Exists)), "{second:?}");
    let many = [
        (item("two")?, b"new".to_vec()),
        (id.clone(), b"second".to_vec()),
    ];
    let many = stage.covenant.put_many(&who, tenant(1), &many).await;
    assert!(matches!(many, Err(Error::Exists)), "{many:?}");
    assert_eq!(
        stage.covenant.get(&who, tenant(1), &id).await?.body.0,
        b"first"
    );
    assert_eq!(
        stage.covenant.list(&who, tenant(1)).await?,
        std::slice::from_ref(&id)
    );
    assert_eq!(
        files(&stage.covenant.layout().objects())?,
        objects,
        "a file was left"
    );
    // In the bin it is still there.
    stage.covenant.delete(&who, tenant(1), &id).await?;
    let third = stage
        .covenant
        .put(&who, tenant(1), &id, &plain("third"))
        .await;
    assert!(matches!(third, Err(Error::Exists)), "{third:?}");
    covered(&stage).await
}

#[tokio::test]
async fn a_caller_of_another_tenant_is_denied_everything() -> Outcome {
    let stage = two_tenants(Wraps::default()).await?;
    let covenant = &stage.covenant;
    let (me, other, id) = (tenant(1), admin(2), item("mine")?);
    covenant.put(&admin(1), me, &id, &full("mine")).await?;
    let snapshot = covenant.back_up(me).await?;
    let denied = [
        covenant
            .put(&other, me, &item("new")?, &plain("new"))
            .await
            .err(),
        covenant.get(&other, me, &id).await.err(),
        covenant.change(&other, me, &id, b"changed").await.err(),
        covenant.reveal(&other, me, &id).await.err(),
        covenant.delete(&other, me, &id).await.err(),
        covenant.restore(&other, me, &id).await.err(),
        covenant.list(&other, me).await.err(),
        covenant.open_session(&other, me).await.err(),
        covenant.delete_database(&other, me).await.err(),
        covenant
            .restore_in_place(&other, me, snapshot.id)
            .await
            .err(),
    ];
    for (call, error) in denied.iter().enumerate() {
        assert!(
            matches!(error, Some(Error::Denied(_))),
            "call {call}: {error:?}"
        );
    }
    assert_eq!(
        covenant.list(&admin(1), me).await?,
        std::slice::from_ref(&id)
    );
    assert_eq!(covenant.get(&admin(1), me, &id).await?.body.0, b"mine");
    assert!(covenant.list(&other, tenant(2)).await?.is_empty());
    Ok(())
}

// clause: R-20
#[tokio::test]
async fn without_an_event_there_is_no_change() -> Outcome {
    let switch = Switch::default();
    let stage = two_tenants(broken::sink(&switch, Action::RecordCreated)).await?;
    let (who, id) = (admin(1), item("one")?);
    switch.on();
    let refused = stage.covenant.put(&who, tenant(1), &id, &full("one")).await;
    assert!(matches!(refused, Err(Error::NotAudited(_))), "{refused:?}");
    assert!(stage.covenant.list(&who, tenant(1)).await?.is_empty());
    assert_eq!(
        files(&stage.covenant.layout().objects())?.len(),
        0,
        "a file was left"
    );
    switch.off();
    stage
        .covenant
        .put(&who, tenant(1), &id, &full("one"))
        .await?;
    assert_eq!(files(&stage.covenant.layout().objects())?.len(), 1);
    covered(&stage).await
}

#[tokio::test]
async fn without_an_event_there_is_no_decision_and_no_reveal() -> Outcome {
    let switch = Switch::default();
    let stage = two_tenants(broken::sink(&switch, Action::AccessAllowed)).await?;
    let (who, id) = (admin(1), item("one")?);
    stage
        .covenant
        .put(&who, tenant(1), &id, &full("one"))
        .await?;
    switch.on();
    let refused = stage.covenant.get(&who, tenant(1), &id).await;
    assert!(matches!(refused, Err(Error::NotAudited(_))), "{refused:?}");
    switch.off();
    stage.covenant.get(&who, tenant(1), &id).await?;

    let switch = Switch::default();
    let stage = two_tenants(broken::sink(&switch, Action::FieldRevealed)).await?;
    stage
        .covenant
        .put(&who, tenant(1), &id, &full("one"))
        .await?;
    switch.on();
    let refused = stage.covenant.reveal(&who, tenant(1), &id).await;
    assert!(matches!(refused, Err(Error::NotAudited(_))), "{refused:?}");
    switch.off();
    assert_eq!(
        stage.covenant.reveal(&who, tenant(1), &id).await?.expose(),
        b"one, sensitive"
    );
    Ok(())
}

#[tokio::test]
async fn what_is_not_there_is_not_found() -> Outcome {
    let stage = two_tenants(Wraps::default()).await?;
    let covenant = &stage.covenant;
    let (me, who) = (tenant(1), admin(1));
    let (absent, there) = (item("absent")?, item("there")?);
    covenant.put(&who, me, &there, &plain("there")).await?;
    stage.covenant.sequence().await?;
    let size = covenant.log().head(log_of(me)).await?.size;
    let none = [
        covenant.get(&who, me, &absent).await.err(),
        covenant.change(&who, me, &absent, b"changed").await.err(),
        covenant.delete(&who, me, &absent).await.err(),
        covenant
            .delete_many(&who, me, &[there.clone(), absent.clone()])
            .await
            .err(),
        covenant.restore(&who, me, &there).await.err(),
        covenant.reveal(&who, me, &there).await.err(),
    ];
    for (call, error) in none.iter().enumerate() {
        assert!(
            matches!(error, Some(Error::NotFound)),
            "call {call}: {error:?}"
        );
    }
    assert_eq!(covenant.list(&who, me).await?, std::slice::from_ref(&there));
    stage.covenant.sequence().await?;
    // Six decisions, and nothing else.
    assert_eq!(covenant.log().head(log_of(me)).await?.size, size + 7);
    let many = [(absent.clone(), b"new".to_vec())];
    covenant.put_many(&who, me, &many).await?;
    covenant.change_many(&who, me, &many).await?;
    covenant.delete_many(&who, me, &[there, absent]).await?;
    let empty = NewRecord::default();
    covenant.put(&who, me, &item("empty")?, &empty).await?;
    assert_eq!(covenant.get(&who, me, &item("empty")?).await?.body.0, b"");
    covered(&stage).await
}

/// A record with more files than a disposal can look for could never be purged.
// clause: P-52
#[tokio::test]
async fn a_record_of_too_many_files_is_not_written() -> Outcome {
    let stage = two_tenants(Wraps::default()).await?;
    let (who, id) = (admin(1), item("many")?);
    let many = |len: usize| NewRecord {
        body: b"body".to_vec(),
        sensitive: None,
        attachments: vec![Vec::new(); len],
    };
    let refused = stage
        .covenant
        .put(&who, tenant(1), &id, &many(ATTACHMENTS_MAX + 1))
        .await;
    assert!(
        matches!(refused, Err(Error::TooManyFiles { .. })),
        "{refused:?}"
    );
    assert_eq!(stage.covenant.list(&who, tenant(1)).await?, []);
    assert_eq!(files(&stage.covenant.layout().objects())?.len(), 0);
    stage.covenant.put(&who, tenant(1), &id, &many(2)).await?;
    assert_eq!(files(&stage.covenant.layout().objects())?.len(), 2);
    Ok(())
}
