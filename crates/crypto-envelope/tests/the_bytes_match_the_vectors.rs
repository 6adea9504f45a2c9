//! Every vector of `tests/vectors/valid` reads as it says, every one of `invalid` is refused. They
//! were made without this crate, some by another implementation of the format.

use std::error::Error;
use std::fs;
use std::path::Path;

use covenant_core::sealer::{Layer, OpenError};
use covenant_core::{KeyId, Place, canon};
use crypto_envelope::backend::file;
use crypto_envelope::record::{decode_owner, parse_purpose};
use crypto_envelope::sealed::{SealedBytes, open_with};
use crypto_envelope::wrapped::{WrappedKey, wrap_context};
use serde_json::Value;

type Fallible<T> = Result<T, Box<dyn Error>>;

#[test]
fn valid_vectors_open_to_what_they_say() -> Fallible<()> {
    let mut seen = 0;
    for (name, vector) in vectors("valid")? {
        match text(&vector, "format")? {
            "sealed_value" => {
                let opened = open_sealed(&vector)?.map_err(|e| format!("{name}: {e}"))?;
                assert_eq!(opened, hex(&vector, "plain")?, "{name}");
            }
            "wrapped_key" => {
                let root = unwrap_key(&vector)?.ok_or(format!("{name} is refused"))?;
                assert_eq!(root.as_slice(), hex(&vector, "root")?, "{name}");
            }
            "kek_file" => {
                let (id, key) = file::decode(&hex(&vector, "bytes")?)?;
                assert_eq!(id, key_id(&vector, "id")?, "{name}");
                assert_eq!(key.expose().as_slice(), hex(&vector, "key")?, "{name}");
                assert_eq!(
                    *file::encode(id, key.expose()).expose(),
                    hex(&vector, "bytes")?
                );
            }
            other => return Err(format!("{name}: format {other}").into()),
        }
        seen += 1;
    }
    assert_eq!(seen, 13);
    Ok(())
}

#[test]
fn invalid_vectors_are_refused_in_one_way() -> Fallible<()> {
    let mut seen = 0;
    for (name, vector) in vectors("invalid")? {
        let refused = match text(&vector, "format")? {
            "sealed_value" => matches!(open_sealed(&vector)?, Err(OpenError::NotAuthentic)),
            "wrapped_key" => unwrap_key(&vector)?.is_none(),
            "kek_file" => file::decode(&hex(&vector, "bytes")?).is_err(),
            other => return Err(format!("{name}: format {other}").into()),
        };
        assert!(refused, "{name}");
        seen += 1;
    }
    assert_eq!(seen, 43);
    Ok(())
}

#[test]
fn the_prefix_and_the_salt_stand_where_the_format_says() -> Fallible<()> {
    for (_, vector) in vectors("valid")? {
        if text(&vector, "format")? == "sealed_value" {
            let bytes = hex(&vector, "bytes")?;
            let parts = SealedBytes::parse(&bytes)?;
            assert_eq!(parts.key().as_bytes(), &bytes[1..17]);
            assert_eq!(parts.salt(), &bytes[17..41]);
            assert_eq!(parts.message(), &bytes[17..]);
        }
    }
    Ok(())
}

fn open_sealed(vector: &Value) -> Fallible<Result<Vec<u8>, OpenError>> {
    let owner = decode_owner(&hex(vector, "owner")?).ok_or("owner")?;
    let purpose = parse_purpose(text(vector, "purpose")?).ok_or("purpose")?;
    let (collection, field) = (text(vector, "collection")?, text(vector, "field")?);
    let place = Place::new(owner, purpose, collection, field, &hex(vector, "locator")?)?;
    let layer = vector.get("layer").and_then(Value::as_u64);
    let layers = [Layer::Single, Layer::Outer, Layer::Inner];
    let layer = layers
        .into_iter()
        .find(|l| Some(u64::from(l.byte())) == layer)
        .ok_or("layer")?;
    let place = place.layered(layer, purpose);
    let (root, version) = (array(vector, "root")?, key_id(vector, "version")?);
    let opened = open_with(&root, version, &place, &hex(vector, "bytes")?);
    Ok(opened.map(|plain| plain.expose().clone()))
}

fn unwrap_key(vector: &Value) -> Fallible<Option<[u8; 32]>> {
    let owner = decode_owner(&hex(vector, "owner")?).ok_or("owner")?;
    let purpose = parse_purpose(text(vector, "purpose")?).ok_or("purpose")?;
    let kek = key_id(vector, "kek_id")?;
    let context = wrap_context(kek, owner, purpose, key_id(vector, "version")?);
    let Ok(wrapped) = WrappedKey::try_from(hex(vector, "bytes")?.as_slice()) else {
        return Ok(None);
    };
    let root = wrapped.unwrap_with(&array(vector, "kek")?, &context);
    Ok(root.ok().map(|root| *root.expose()))
}

fn vectors(kind: &str) -> Fallible<Vec<(String, Value)>> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/vectors")
        .join(kind);
    let mut vectors = Vec::new();
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        let name = path.display().to_string();
        vectors.push((name, serde_json::from_slice(&fs::read(path)?)?));
    }
    Ok(vectors)
}

fn text<'a>(vector: &'a Value, name: &str) -> Fallible<&'a str> {
    Ok(vector
        .get(name)
        .and_then(Value::as_str)
        .ok_or_else(|| name.to_owned())?)
}

fn hex(vector: &Value, name: &str) -> Fallible<Vec<u8>> {
    Ok(canon::unhex(text(vector, name)?).ok_or_else(|| name.to_owned())?)
}

fn array<const N: usize>(vector: &Value, name: &str) -> Fallible<[u8; N]> {
    Ok(hex(vector, name)?
        .try_into()
        .ok()
        .ok_or_else(|| name.to_owned())?)
}

fn key_id(vector: &Value, name: &str) -> Fallible<KeyId> {
    array(vector, name).map(KeyId::from_bytes)
}
