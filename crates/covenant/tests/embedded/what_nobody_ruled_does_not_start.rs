//! A deployment has stores, and its rules must know each of them and every class in it: with rules
//! that lack one, or with a store that no rule knows, it does not start, and what is there stays.

use covenant::{HeldStore, Holdings, Profile, StartError, Wraps};
use covenant_core::RegionSet;
use policy_document::Document;
use retention_policy::{RuleErrors, RuleSet, RulesFile, StoreKind};
use std::sync::Arc;

use crate::common::{Outcome, Stage, admin, admin_id, item, plain, profile, tenant};

/// A profile whose rules are those of the document after a change; or why they do not even load.
fn changed(change: impl FnOnce(&mut RulesFile)) -> Outcome<Result<Profile, RuleErrors>> {
    let profile = profile("prodb")?;
    let mut file = profile.rules.file().clone();
    change(&mut file);
    Ok(RuleSet::load(file).map(|rules| Profile { rules, ..profile }))
}

fn without(file: &mut RulesFile, store: &str) {
    file.stores.retain(|spec| spec.id != store);
    for spec in &mut file.stores {
        spec.fed_by.retain(|from| from != store);
    }
    for key in &mut file.keys {
        key.seals.retain(|sealed| sealed != store);
    }
    for rule in &mut file.rules {
        rule.stores.retain(|ruled| ruled != store);
    }
    file.rules.retain(|rule| !rule.stores.is_empty());
}

async fn start(profile: Profile, wraps: Wraps) -> Outcome<String> {
    match Stage::with(profile, wraps).await {
        Ok(_started) => Ok("started".to_owned()),
        Err(error) => match error.downcast::<StartError>() {
            Ok(error) => Ok(error.to_string()),
            Err(other) => Err(other),
        },
    }
}

#[tokio::test]
async fn rules_without_a_store_or_a_class_start_nothing() -> Outcome {
    assert_eq!(start(profile("prodb")?, Wraps::default()).await?, "started");
    let profile = changed(|file| without(file, "support"))??;
    let said = start(profile, Wraps::default()).await?;
    assert_eq!(said, "nobody has ruled support");
    let mut not_started = 0;
    for (store, class) in [
        ("objects", None),
        ("backups", None),
        ("replica", None),
        ("rows", Some("record")),
        ("rows", Some("database")),
        ("support", Some("account")),
        ("backups", Some("attachment")),
        ("replica", Some("account")),
    ] {
        let less = changed(|file| match class {
            Some(class) if store != "support" => cut(file, store, class),
            _ => without(file, store),
        })?;
        // some rules cannot even hold without the other ones
        let Ok(profile) = less else { continue };
        let said = start(profile, Wraps::default()).await?;
        assert!(
            said.starts_with("nobody has ruled"),
            "{store} {class:?}: {said}"
        );
        not_started += 1;
    }
    assert!(not_started > 2, "{not_started}");
    Ok(())
}

fn cut(file: &mut RulesFile, store: &str, class: &str) {
    let mut specs = file.stores.iter_mut();
    if let Some(spec) = specs.find(|spec| spec.id == store) {
        spec.classes.retain(|one| one != class);
    }
}

/// Has one store more.
#[derive(Debug)]
struct AlsoLogs(Arc<dyn Holdings>);

impl Holdings for AlsoLogs {
    fn held(&self) -> Vec<HeldStore> {
        let more = HeldStore {
            name: "journal".to_owned(),
            kind: StoreKind::Log,
            classes: ["record".to_owned()].into(),
            copies: [].into(),
            ruled_as: None,
        };
        self.0.held().into_iter().chain([more]).collect()
    }
}

#[tokio::test]
async fn a_store_that_nobody_ruled_is_not_served() -> Outcome {
    let wraps = Wraps {
        holdings: Some(Box::new(|sound| Arc::new(AlsoLogs(sound)))),
        ..Wraps::default()
    };
    let said = start(profile("prodb")?, wraps).await?;
    assert_eq!(said, "nobody has ruled journal");

    let mut stage = Stage::new("prodb").await?;
    let (who, id) = (admin(1), item("one")?);
    stage.covenant.create_tenant(tenant(1), admin_id(1)).await?;
    let record = plain("one");
    let put = stage.covenant.put(&who, tenant(1), &id, &record);
    put.await?;
    let beside = stage.root().join("search-index");
    std::fs::create_dir(&beside)?;
    let refused = stage.start(Wraps::default()).await?;
    assert!(matches!(&refused, Err(StartError::UnknownStore(name)) if name == "search-index"));
    std::fs::remove_dir(&beside)?;
    stage.restart(Wraps::default()).await?;
    let read = stage.covenant.get(&who, tenant(1), &id).await?;
    assert_eq!(read.body.0, b"one");
    Ok(())
}

#[tokio::test]
async fn each_class_of_each_store_is_told_with_its_rules() -> Outcome {
    for id in ["prodb", "protopie", "immidb"] {
        let stage = Stage::new(id).await?;
        let stores = stage.covenant.stores();
        for folder in ["tenants", "objects", "depot"] {
            assert!(
                stores.iter().any(|store| store.name == folder),
                "{id}: {folder}"
            );
        }
        for store in stores {
            assert!(!store.classes.is_empty(), "{id}: {}", store.name);
            let unruled = store.classes.values().any(Vec::is_empty);
            assert!(!unruled, "{id}: {}", store.name);
        }
    }
    let prodb = Stage::new("prodb").await?;
    let others = ["support", "billing", "replica"];
    for other in others {
        assert!(
            prodb
                .covenant
                .stores()
                .iter()
                .any(|store| store.name == other)
        );
    }
    Ok(())
}

/// A page that does not name the store of attached files has rules for it all the same.
#[tokio::test]
async fn a_store_that_a_document_does_not_name_has_rules_of_ours() -> Outcome {
    let text = std::fs::read_to_string(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../policies/immidb.toml"
    ))?;
    let text = text.replace(r#"["rows", "objects"]"#, r#"["rows"]"#);
    let mut tables = text.split("\n\n").collect::<Vec<_>>();
    tables.retain(|table| !table.contains(r#"id = "objects""#));
    let document = Document::parse(&tables.join("\n\n"));
    let document = document.map_err(|errors| format!("{errors:?}"))?;
    assert!(document.store("objects").is_none());
    let profile = Profile::from_document(&document, RegionSet::new(["us-chicago"])?)?;
    let stage = Stage::with(profile, Wraps::default()).await?;
    let stores = stage.covenant.stores();
    let ruled = |name: &str| stores.iter().find(|store| store.name == name);
    let attachments = ruled("objects").and_then(|store| store.classes.get("attachment"));
    assert_eq!(attachments.map(Vec::len), Some(2));
    assert!(ruled("depot").is_some_and(|store| store.classes.contains_key("attachment")));
    Ok(())
}
