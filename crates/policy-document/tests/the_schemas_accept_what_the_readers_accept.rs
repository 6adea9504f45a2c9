//! The JSON Schema of a policy file accepts the three policies, the full one and a draft, and refuses
//! every mistake of shape that the reader refuses; that of a lock file likewise.

use std::error::Error;

use covenant_core::Action;
use jsonschema::Validator;
use policy_document::{Document, Draft, FindingCode, Lock, Name};
use serde_json::{Map, Value, json};
use time::macros::date;

type Outcome = Result<(), Box<dyn Error>>;

const FULL: &str = include_str!("data/full.toml");
const POLICIES: [&str; 3] = [
    include_str!("../../../policies/prodb.toml"),
    include_str!("../../../policies/protopie.toml"),
    include_str!("../../../policies/immidb.toml"),
];
const POLICY: &str = include_str!("../schema/policy-v1.schema.json");
const LOCK: &str = include_str!("../schema/policy-lock-v1.schema.json");

fn schema(text: &str) -> Result<(Value, Validator), Box<dyn Error>> {
    let schema: Value = serde_json::from_str(text)?;
    jsonschema::meta::validate(&schema).map_err(|error| error.to_string())?;
    let validator = jsonschema::validator_for(&schema)?;
    Ok((schema, validator))
}

/// Tables are objects, dates are strings.
fn json(value: toml::Value) -> Value {
    match value {
        toml::Value::String(text) => Value::from(text),
        toml::Value::Integer(number) => Value::from(number),
        toml::Value::Float(number) => Value::from(number),
        toml::Value::Boolean(truth) => Value::from(truth),
        toml::Value::Datetime(at) => Value::from(at.to_string()),
        toml::Value::Array(items) => items.into_iter().map(json).collect(),
        toml::Value::Table(table) => {
            let members = table.into_iter().map(|(key, value)| (key, json(value)));
            Value::Object(members.collect::<Map<_, _>>())
        }
    }
}

fn parsed(text: &str) -> Result<Value, Box<dyn Error>> {
    Ok(json(toml::Value::Table(text.parse()?)))
}

fn accept(validator: &Validator, value: &Value) {
    let errors: Vec<_> = validator
        .iter_errors(value)
        .map(|e| e.to_string())
        .collect();
    assert_eq!(errors, [""; 0]);
}

#[test]
fn what_is_sound_is_accepted() -> Outcome {
    let (_, policy) = schema(POLICY)?;
    let (_, lock) = schema(LOCK)?;
    for text in POLICIES.into_iter().chain([FULL]) {
        accept(&policy, &parsed(text)?);
        let document = Document::parse(text).map_err(|errors| format!("{errors:?}"))?;
        let locked = Lock::of(&document, date!(2026 - 11 - 22)).encode();
        accept(&lock, &serde_json::from_str(&locked)?);
    }
    let id: Name = "acme".parse()?;
    let draft = Draft {
        id: &id,
        vendor: "Acme",
        file: "page.txt",
        reviewed: date!(2026 - 11 - 22),
    };
    for page in [&b""[..], b"one\n\ntwo", b"\xff\r\n"] {
        accept(&policy, &parsed(&draft.write(page)?)?);
    }
    Ok(())
}

/// Every key of the full document taken away, doubled by an unknown one, and of another type: what
/// the reader refuses for its shape, the schema refuses.
#[test]
fn mistakes_of_shape_are_refused() -> Outcome {
    let (_, policy) = schema(POLICY)?;
    let lines: Vec<&str> = FULL.lines().collect();
    let joined = |at: usize, by: &str| {
        let line = |(n, line): (usize, &&str)| {
            if n == at {
                by.to_owned()
            } else {
                (*line).to_owned()
            }
        };
        lines
            .iter()
            .enumerate()
            .map(line)
            .collect::<Vec<_>>()
            .join("\n")
    };
    let mut table = "";
    let (mut refused, mut accepted) = (0, 0);
    for (at, line) in lines.iter().enumerate() {
        if line.starts_with('[') {
            table = line.trim_matches(['[', ']']);
        }
        let Some((key, _)) = line.split_once(" = ") else {
            continue;
        };
        let without = joined(at, "");
        let other = joined(at, &format!("{key} = 1.5"));
        let surplus = joined(at, &format!("{line}\nsurplus = 1"));
        assert!(
            !policy.is_valid(&parsed(&other)?),
            "{table}.{key} of another type"
        );
        assert!(Document::parse(&other).is_err());
        if !matches!(table, "terms" | "clause.owner") {
            assert!(
                !policy.is_valid(&parsed(&surplus)?),
                "{table}.{key} and surplus"
            );
        }
        // what depends on the modality or on a declared figure is no matter of shape
        let is_valid = policy.is_valid(&parsed(&without)?);
        if Document::parse(&without).is_ok() {
            assert!(is_valid, "{table}.{key} may be missing");
            accepted += 1;
        } else if !is_valid {
            refused += 1;
        } else {
            assert!(
                matches!(table, "clause.bound" | "clause.figure")
                    || table.starts_with("clause.declared")
                    || matches!(key, "from" | "id"),
                "{table}.{key} is missing"
            );
        }
    }
    assert!(
        refused > 60 && accepted > 15,
        "{refused} refused, {accepted} accepted"
    );
    Ok(())
}

#[test]
fn values_that_cannot_be_are_refused() -> Outcome {
    let (_, policy) = schema(POLICY)?;
    for (from, to) in [
        ("covenant/policy/v1", "covenant/policy/v2"),
        ("id = \"full\"", "id = \"Full\""),
        ("source = \"full.txt\"", "source = \"../full.txt\""),
        ("source = \"full.txt\"", "source = \"..\""),
        ("vendor = \"Full\"", "vendor = \"Fu\\u0000ll\""),
        ("vendor = \"Full\"", "vendor = \"   \""),
        ("zones = [\"UTC\", \"+09:00\"]", "zones = []"),
        (
            "zones = [\"UTC\", \"+09:00\"]",
            "zones = [\"UTC\", \"UTC\"]",
        ),
        ("\"end-of-day\"]", "\"whole\"]"),
        ("blank = [2]", "blank = [-2]"),
        ("blank = [2]", "blank = [2, 2]"),
        ("lines = 4\n", "lines = 20001\n"),
        ("id = \"F-03\"", "id = \"F-3\""),
        ("id = \"F-03\"", "id = \"F-003\""),
        ("min = \"P30D\"", "min = \"30 days\""),
        ("min = \"P30D\"", "min = \"P30DT\""),
        ("min = \"P30D\"", "min = 30"),
        ("modality = \"exact\"", "modality = \"precise\""),
        ("kind = \"sql\"", "kind = \"epoch\""),
        ("kind = \"sql\"", "kind = \"paper\""),
        ("den = 2", "den = 0"),
        ("to = [\"record.purged\"]", "to = []"),
        ("to = [\"record.purged\"]", "to = [\"record.eaten\"]"),
        ("count = 30", "count = 30\ntext = \"thirty\""),
        ("count = 8", "count = 8\nperiod = \"P8D\""),
        ("late = \"PT0S\"", "late = \"PT1H\""),
        (
            "state = \"invisible\"",
            "state = \"invisible\"\nto = \"record.purged\"",
        ),
        ("of = \"took\"", "of = \"took\"\nfrom = \"record.deleted\""),
        (
            "per = \"civil-night\"",
            "per = \"civil-night\"\nmax = \"P1D\"",
        ),
        (
            "kind = \"technical\"",
            "attests = \"a\"\nkind = \"technical\"",
        ),
        ("count = 8", "count = 8\nanswers = \"small\""),
        (
            "crates = [\"retention-policy\"]",
            "crates = [\"retention\"]",
        ),
        ("53dc6c2368da9385", "53DC6c2368da9385"),
        ("class = \"stricter\"", "class = \"looser\""),
        ("after = \"P6M\"\n", ""),
    ] {
        assert!(FULL.contains(from), "{from}");
        let text = FULL.replacen(from, to, 1);
        assert!(Document::parse(&text).is_err(), "{from} -> {to}");
        assert!(!policy.is_valid(&parsed(&text)?), "{from} -> {to}");
    }
    Ok(())
}

#[test]
fn closed_lists_are_those_of_the_code() -> Outcome {
    let (policy, _) = schema(POLICY)?;
    let actions: Vec<_> = Action::ALL.iter().map(|action| action.name()).collect();
    assert_eq!(policy.pointer("/$defs/action/enum"), Some(&json!(actions)));
    let codes: Vec<_> = FindingCode::ALL.iter().map(|code| code.name()).collect();
    let listed = policy.pointer("/$defs/answer/properties/finding/enum");
    assert_eq!(listed, Some(&json!(codes)));
    Ok(())
}

#[test]
fn a_lock_file_of_another_shape_is_refused() -> Outcome {
    let (_, lock) = schema(LOCK)?;
    let document = Document::parse(FULL).map_err(|errors| format!("{errors:?}"))?;
    let text = Lock::of(&document, date!(2026 - 11 - 22)).encode();
    for (from, to) in [
        ("policy-lock/v1", "policy-lock/v2"),
        ("\"full\"", "\"Full\""),
        ("\"number\": 3", "\"number\": \"3\""),
        ("\"number\": 3,", ""),
        ("\"id\": \"F-01\"", "\"id\": \"F1\""),
        ("\"kind\": \"partial\"", "\"kind\": 1"),
        ("\"blessed\"", "\"surplus\": 1, \"blessed\""),
        ("\"blessed\": \"2026-11-22\",", ""),
    ] {
        assert!(text.contains(from), "{from}");
        let text = text.replacen(from, to, 1);
        assert!(Lock::decode(text.as_bytes()).is_err(), "{from}");
        assert!(!lock.is_valid(&serde_json::from_str(&text)?), "{from}");
    }
    Ok(())
}
