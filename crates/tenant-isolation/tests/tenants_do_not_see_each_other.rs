//! What one tenant does, asks or injects shows it nothing of another.
#![cfg(all(feature = "sqlite", feature = "testing"))]

use std::collections::BTreeMap;

use covenant_core::testing::SeededRandom;
use sql_store::Args;
use tenant_isolation::level::Write;
use tenant_isolation::testing::{Backing, Deployment, SuiteError};
use tenant_isolation::{AccessAction, AccessRequest, Decision, EnterError, RuleId, RuleSet, Scope};

async fn write(at: &Deployment, n: u8) -> Result<Scope<Write>, SuiteError> {
    Ok(at
        .guard
        .enter::<Write>(Deployment::request(n, AccessAction::RecordWrite))
        .await?)
}

#[tokio::test]
async fn an_admin_of_one_is_a_stranger_to_the_other_and_to_one_that_never_was()
-> Result<(), SuiteError> {
    let folder = tempfile::tempdir()?;
    let at = Deployment::create(folder.path(), Backing::Sql).await?;
    at.create_tenant(1, "us-chicago").await?;
    at.create_tenant(2, "us-chicago").await?;
    for (n, rules) in [
        (2, RuleSet::EMPTY.with(RuleId::Member)),
        (7, RuleSet::EMPTY.with(RuleId::State).with(RuleId::Member)),
    ] {
        let tenant = Deployment::tenant(n);
        let request = AccessRequest::new(Deployment::admin(1), tenant, AccessAction::RecordWrite);
        let denied = at.guard.enter::<Write>(request).await;
        let Err(EnterError::Denied { decision_id }) = denied else {
            return Err("not denied".into());
        };
        let known = at.registry.decision(tenant, decision_id).await?;
        assert_eq!(known, Some(Decision::deny(rules)));
        let text = EnterError::Denied { decision_id }.to_string();
        assert_eq!(
            text,
            format!("denied by decision {decision_id}"),
            "alike but for the id"
        );
    }
    drop(write(&at, 1).await?);
    Ok(())
}

#[tokio::test]
async fn injected_sql_does_not_reach_the_other_file() -> Result<(), SuiteError> {
    let folder = tempfile::tempdir()?;
    let at = Deployment::create(folder.path(), Backing::Memory).await?;
    at.create_tenant(1, "us-chicago").await?;
    let target = at.create_tenant(2, "us-chicago").await?;
    let (attacker, victim) = (write(&at, 1).await?, write(&at, 2).await?);
    at.put(&victim, 1, "secret").await?;
    at.store.close().await?;
    let file = at.file(&target);
    let before = std::fs::read(&file)?;
    let path = file.display();
    for sql in [
        format!("ATTACH DATABASE '{path}' AS other"),
        format!("ATTACH DATABASE 'file:{path}?mode=ro' AS other"),
        format!("VACUUM INTO '{path}'"),
        "PRAGMA writable_schema = ON; UPDATE sqlite_schema SET sql = 'x'".to_owned(),
        "SELECT load_extension('x')".to_owned(),
        format!("SELECT readfile('{path}')"),
        "INSERT INTO covenant_identity (id, record) VALUES (2, x'00')".to_owned(),
    ] {
        let mut tx = attacker.begin(&at.store).await?;
        let text: &'static str = Box::leak(sql.clone().into_boxed_str());
        assert!(
            tx.tx().await?.execute(text, Args::new()).await.is_err(),
            "{sql}"
        );
        drop(tx);
        at.put(&attacker, 1, "mine")
            .await
            .map_err(|e| format!("after {sql}: {e}"))?;
    }
    assert_eq!(
        std::fs::read(&file)?,
        before,
        "not a byte of the other file changed"
    );
    assert_eq!(at.notes(&victim).await?, [(1, "secret".to_owned())]);
    Ok(())
}

#[tokio::test]
async fn what_a_session_leaves_behind_is_not_met_by_the_next() -> Result<(), SuiteError> {
    let folder = tempfile::tempdir()?;
    let at = Deployment::create(folder.path(), Backing::Memory).await?;
    at.create_tenant(1, "us-chicago").await?;
    let scope = write(&at, 1).await?;
    for sql in [
        "PRAGMA secure_delete = OFF",
        "CREATE TEMP TABLE note (id, body)",
        "CREATE TEMP TRIGGER t AFTER INSERT ON main.note BEGIN DELETE FROM main.note; END",
    ] {
        let mut tx = scope.begin(&at.store).await?;
        let left = tx.tx().await?.execute(sql, Args::new()).await;
        match left {
            Ok(_) => tx.commit().await?,
            Err(_) => drop(tx),
        }
        at.put(&scope, 1, sql).await?;
        assert_eq!(at.notes(&scope).await?, [(1, sql.to_owned())], "{sql}");
        let mut tx = scope.begin(&at.store).await?;
        let row = tx
            .tx()
            .await?
            .row("PRAGMA secure_delete", Args::new())
            .await?;
        assert_eq!(row.ok_or("no row")?.int("secure_delete")?, 1, "{sql}");
    }
    Ok(())
}

/// Random work of two tenants, interleaved, against one map per tenant.
#[tokio::test]
async fn interleaved_work_gives_each_what_it_would_have_alone() -> Result<(), SuiteError> {
    let folder = tempfile::tempdir()?;
    let at = Deployment::create(folder.path(), Backing::Memory).await?;
    let mut scopes = Vec::new();
    for n in [1, 2] {
        at.create_tenant(n, "us-chicago").await?;
        scopes.push((write(&at, n).await?, BTreeMap::new()));
    }
    let random = SeededRandom::new(11);
    for step in 0..200 {
        let dice = random.next_u64();
        let (scope, model) = &mut scopes[usize::from(dice & 1 == 1)];
        let id = i64::try_from(dice >> 1 & 7)?;
        if dice & 16 == 0 {
            let body = format!("{step} of {}", scope.tenant());
            at.put(scope, id, &body).await?;
            model.insert(id, body);
        } else {
            let mut tx = scope.begin(&at.store).await?;
            let args = Args::new().bind(id);
            let gone = tx
                .tx()
                .await?
                .execute("DELETE FROM note WHERE id = $1", args)
                .await?;
            if dice & 32 == 0 {
                tx.commit().await?;
                assert_eq!(
                    gone == 1,
                    model.remove(&id).is_some(),
                    "seed {}",
                    random.seed()
                );
            } else {
                assert_eq!(gone == 1, model.contains_key(&id), "seed {}", random.seed());
            }
        }
        let rows: Vec<(i64, String)> = model.iter().map(|(k, v)| (*k, v.clone())).collect();
        assert_eq!(
            at.notes(scope).await?,
            rows,
            "seed {} step {step}",
            random.seed()
        );
    }
    Ok(())
}
