//! The vectors, made by another program in another language, hold: valid ones read and write back to
//! themselves and have their hashes, invalid ones are refused.

use audit_log::checkpoint::Checkpoint;
use audit_log::field::commit;
use audit_log::leaf::Leaf;
use audit_log::merkle::{MerkleTree, leaf_hash};
use covenant_core::EventId;
use covenant_core::canon::unhex;
use serde_json::Value;

type Outcome = Result<(), Box<dyn std::error::Error>>;

fn vectors(folder: &str) -> Result<Vec<(String, Value)>, Box<dyn std::error::Error>> {
    let folder = format!("{}/tests/vectors/{folder}", env!("CARGO_MANIFEST_DIR"));
    let mut vectors = Vec::new();
    for file in std::fs::read_dir(folder)? {
        let path = file?.path();
        vectors.push((
            path.display().to_string(),
            serde_json::from_slice(&std::fs::read(path)?)?,
        ));
    }
    Ok(vectors)
}

fn text<'v>(vector: &'v Value, name: &str) -> Result<&'v str, String> {
    vector
        .get(name)
        .and_then(Value::as_str)
        .ok_or(format!("no text {name}"))
}

fn array<const N: usize>(vector: &Value, name: &str) -> Result<[u8; N], String> {
    let bytes = unhex(text(vector, name)?).ok_or(format!("{name} is not hexadecimal"))?;
    bytes
        .try_into()
        .or(Err(format!("{name} has not {N} bytes")))
}

fn leaf_holds(vector: &Value) -> Outcome {
    let bytes = text(vector, "text")?.as_bytes();
    let leaf = Leaf::decode(bytes)?;
    assert_eq!(leaf.encode()?, bytes);
    assert_eq!(leaf.hash()?.to_string(), text(vector, "hash")?);
    Ok(())
}

fn commitment_holds(vector: &Value) -> Outcome {
    let event = EventId::from_bytes(array(vector, "event")?);
    let value = unhex(text(vector, "value")?).ok_or("value")?;
    let made = commit(
        event,
        text(vector, "path")?,
        &array(vector, "salt")?,
        &value,
    );
    assert_eq!(made.to_string(), text(vector, "commitment")?);
    Ok(())
}

/// The root is that of as many leaves as the size says, each the decimal number of its place.
fn checkpoint_holds(vector: &Value) -> Outcome {
    let checkpoint = Checkpoint::parse(text(vector, "text")?)?;
    assert_eq!(checkpoint.encode(), text(vector, "text")?);
    assert_eq!(checkpoint.origin(), text(vector, "origin")?);
    let mut tree = MerkleTree::new();
    for n in 0..checkpoint.head().size {
        tree.push(leaf_hash(n.to_string().as_bytes()));
    }
    assert_eq!(tree.head(), checkpoint.head());
    Ok(())
}

#[test]
fn valid() -> Outcome {
    let mut held = 0;
    for (name, vector) in vectors("valid")? {
        match text(&vector, "kind")? {
            "leaf" => leaf_holds(&vector),
            "commitment" => commitment_holds(&vector),
            "checkpoint" => checkpoint_holds(&vector),
            _ => Err("unknown kind".into()),
        }
        .map_err(|error| format!("{name}: {error}"))?;
        held += 1;
    }
    assert!(held >= 12, "{held} vectors");
    Ok(())
}

#[test]
fn invalid() -> Outcome {
    let mut refused = 0;
    for (name, vector) in vectors("invalid")? {
        let bytes = text(&vector, "text")?;
        let why = text(&vector, "why")?;
        match text(&vector, "kind")? {
            "leaf" => assert!(Leaf::decode(bytes.as_bytes()).is_err(), "{name}: {why}"),
            "checkpoint" => assert!(Checkpoint::parse(bytes).is_err(), "{name}: {why}"),
            _ => return Err("unknown kind".into()),
        }
        refused += 1;
    }
    assert!(refused >= 30, "{refused} vectors");
    Ok(())
}
