//! `covenant retention rules` on a real deployment: what a tenant's rules would do is said before they
//! are set, those that do not fit are refused with the reason, and each answer has its exit code.

use std::error::Error;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use covenant::{Covenant, NewRecord, Profile, Settings, Wraps};
use covenant_core::{
    Clock as _, ItemId, ManualClock, RegionSet, SystemClock, SystemRandom, TenantId, UserId,
};
use policy_document::Document;
use serde_json::Value;
use sql_store::Durability;
use tenant_isolation::Caller;
use time::Duration;

type Outcome<T = ()> = Result<T, Box<dyn Error>>;

const TENANT: [u8; 16] = [1; 16];
const ADMIN: [u8; 16] = [2; 16];

/// A rule file with one ceiling on live records.
fn ceiling(period: &str) -> String {
    format!(
        "format = \"covenant/rules/v1\"\n[[rule]]\nid = \"own-age\"\nclass = [\"record\"]\n\
         bound = \"ceiling\"\nfrom = \"record.created\"\nperiod = \"{period}\"\n"
    )
}

/// A deployment twenty days old, with two records of then.
async fn deployment(folder: &Path) -> Outcome {
    let policy = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../policies/prodb.toml");
    let text = fs::read_to_string(policy)?;
    fs::write(folder.join("prodb.toml"), &text)?;
    let document = Document::parse(&text).map_err(|errors| format!("{errors:?}"))?;
    let then = SystemClock::new().now() - Duration::days(20);
    let covenant = Covenant::create(Settings {
        folder: folder.join("d"),
        profile: Profile::from_document(&document, RegionSet::new(["us-chicago"])?)?,
        clock: Arc::new(ManualClock::at(then)),
        random: Arc::new(SystemRandom::new()),
        durability: Durability::Off,
        host: "covenant.example".parse()?,
        sites: Vec::new(),
        wraps: Wraps::default(),
    });
    let covenant = covenant.await?;
    let (tenant, user) = (TenantId::from_bytes(TENANT), UserId::from_bytes(ADMIN));
    covenant.create_tenant(tenant, user).await?;
    let caller = Caller::member(tenant, user, [192, 0, 2, 7].into());
    for name in ["one", "two"] {
        let record = NewRecord {
            body: name.repeat(50).into_bytes(),
            ..NewRecord::default()
        };
        let id = ItemId::try_from(name)?;
        covenant.put(&caller, tenant, &id, &record).await?;
    }
    Ok(())
}

/// What the command says on stdout as JSON, and its exit code.
fn run(folder: &Path, act: &str, tail: &[&str]) -> Outcome<(i32, Value)> {
    let tenant = TenantId::from_bytes(TENANT).to_string();
    let mut line = vec!["--json", "retention", "rules", act];
    line.extend(["--deployment", "d", "--policy", "prodb.toml"]);
    line.extend(["--region", "us-chicago", "--host", "covenant.example"]);
    line.extend(["--tenant", tenant.as_str()]);
    line.extend(tail);
    let binary = env!("CARGO_BIN_EXE_covenant");
    let output = Command::new(binary)
        .current_dir(folder)
        .args(&line)
        .output()?;
    let code = output.status.code().ok_or("no exit code")?;
    let said = String::from_utf8(output.stdout)?;
    let why = String::from_utf8_lossy(&output.stderr);
    let json =
        serde_json::from_str(&said).map_err(|error| format!("{error}: {line:?}: {said}{why}"))?;
    Ok((code, json))
}

fn own(json: &Value) -> usize {
    json["own"].as_array().map_or(0, Vec::len)
}

// clause: P-46
#[tokio::test]
async fn shown_checked_set_and_removed() -> Outcome {
    let folder = tempfile::tempdir()?;
    let folder = folder.path();
    deployment(folder).await?;
    fs::write(folder.join("age.toml"), ceiling("P40D"))?;
    fs::write(folder.join("year.toml"), ceiling("P1Y"))?;
    fs::write(folder.join("short.toml"), ceiling("P20D"))?;
    let json = r#"{"format":"covenant/rules/v1","rule":[{"id":"own-age","class":["record"],
        "bound":"ceiling","from":"change.recorded","period":"P40D"}]}"#;
    fs::write(folder.join("age.json"), json)?;
    let elsewhere = format!("{}[reading]\nzones = [\"-05:00\"]\n", ceiling("P40D"));
    fs::write(folder.join("elsewhere.toml"), elsewhere)?;
    let others = "format = \"covenant/rules/v1\"\n[[class]]\nid = \"note\"\n";
    fs::write(folder.join("classes.toml"), others)?;
    let admin = UserId::from_bytes(ADMIN).to_string();
    let by = ["--by", admin.as_str()];

    let (code, shown) = run(folder, "show", &[])?;
    assert_eq!((code, own(&shown)), (0, 0), "{shown}");
    assert!(
        shown["everybodys"]
            .as_array()
            .is_some_and(|all| !all.is_empty())
    );

    let (code, said) = run(folder, "check", &[&by[..], &["age.toml"]].concat())?;
    assert_eq!(code, 0, "{said}");
    assert_eq!(said["at_once"]["records"], 2, "{said}");
    assert!(said["at_once"]["bytes"].as_u64() > Some(300), "{said}");
    assert!(said["first_due"].is_string() && said["lead_hours"].as_u64() > Some(30 * 24));
    let (code, said) = run(folder, "check", &[&by[..], &["age.json"]].concat())?;
    assert_eq!(
        (code, &said["at_once"]["records"]),
        (0, &2.into()),
        "{said}"
    );
    let (code, said) = run(folder, "check", &[&by[..], &["year.toml"]].concat())?;
    assert_eq!(
        (code, &said["at_once"]["records"]),
        (0, &0.into()),
        "{said}"
    );
    for act in ["check", "set"] {
        let (code, said) = run(folder, act, &[&by[..], &["short.toml"]].concat())?;
        let finding = said["findings"][0].as_str().unwrap_or_default();
        assert_eq!(code, 1, "{said}");
        assert!(
            finding.contains("own-age") && finding.contains("20 d"),
            "{finding}"
        );
        for file in ["classes.toml", "elsewhere.toml", "nothing.toml"] {
            let (code, said) = run(folder, act, &[&by[..], &[file]].concat())?;
            assert_eq!(code, 2, "{file}: {said}");
        }
    }
    let stranger = UserId::from_bytes([9; 16]).to_string();
    let (code, said) = run(folder, "set", &["--by", &stranger, "age.toml"])?;
    assert_eq!(code, 4, "{said}");
    let (code, shown) = run(folder, "show", &[])?;
    assert_eq!((code, own(&shown)), (0, 0), "nothing was set: {shown}");

    let (code, set) = run(folder, "set", &[&by[..], &["age.toml"]].concat())?;
    assert_eq!((code, own(&set)), (0, 1), "{set}");
    let (code, shown) = run(folder, "show", &[])?;
    assert_eq!((code, own(&shown)), (0, 1), "{shown}");
    assert_eq!(shown["own"][0]["event"], "record.created");
    assert_eq!(shown["own"][0]["period"], "P40D");
    let (code, removed) = run(folder, "remove", &by)?;
    assert_eq!((code, own(&removed)), (0, 0), "{removed}");
    let (code, said) = run(&folder.join("d"), "show", &[])?;
    assert_eq!(code, 2, "the policy file is not there: {said}");
    fs::rename(folder.join("d"), folder.join("moved"))?;
    let (code, said) = run(folder, "show", &[])?;
    assert_eq!(code, 3, "{said}");
    Ok(())
}
