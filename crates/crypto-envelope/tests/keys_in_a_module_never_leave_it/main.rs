//! Keys in a PKCS#11 module do what keys of every backend do, cannot be read, and are never taken for
//! absent while their token is out of reach. Run on SoftHSM2, each test on a fresh token.
#![cfg(all(feature = "pkcs11", feature = "testing", unix))]

#[cfg(test)]
mod token;

use std::error::Error;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;

use covenant_core::testing::{SeededRandom, sealer_suite};
use covenant_core::{BoxFuture, KeyId, ManualClock, Random, Secret, TenantId};
use crypto_envelope::backend::pkcs11::{Pkcs11Backend, Pkcs11Error, SESSIONS_MAX};
use crypto_envelope::backend::{BackendError, KekBackend, Presence};
use crypto_envelope::store::{KeyStore, MemoryStore};
use crypto_envelope::testing::{Ground, SuiteError, backend_suite, suite};
use crypto_envelope::{Envelope, Keys, KeysOptions};
use cryptoki::object::{Attribute, AttributeInfo, AttributeType, KeyType, ObjectClass};
use time::UtcDateTime;
use token::{Token, on_a_token};

type TestResult = Result<(), Box<dyn Error>>;

const A: KeyId = KeyId::from_bytes([0xa1; 16]);
const B: KeyId = KeyId::from_bytes([0xb2; 16]);

async fn open(token: &Token) -> Result<Pkcs11Backend, BackendError> {
    Pkcs11Backend::open(token.url(), Arc::new(SeededRandom::new(20_261_122))).await
}

/// What a failed call says; `None` for a failure that is not the module's.
fn why<T>(result: Result<T, BackendError>) -> Option<String> {
    match result {
        Err(BackendError::Io(source)) => {
            let error = source.downcast_ref::<Pkcs11Error>()?;
            Some(format!("{error:?}"))
        }
        _ => None,
    }
}

/// Records in memory, keys on the token.
struct OnToken {
    backend: Arc<Pkcs11Backend>,
    clock: Arc<ManualClock>,
    random: Arc<SeededRandom>,
}

impl Ground for OnToken {
    fn store(&self) -> BoxFuture<'_, Result<Arc<dyn KeyStore>, SuiteError>> {
        let store: Arc<dyn KeyStore> = Arc::new(MemoryStore::new());
        Box::pin(async { Ok(store) })
    }

    fn backend(&self) -> Arc<dyn KekBackend> {
        self.backend.clone()
    }

    fn clock(&self) -> Arc<ManualClock> {
        self.clock.clone()
    }

    fn random(&self) -> Arc<dyn Random> {
        self.random.clone()
    }
}

#[test]
fn it_is_a_backend_like_every_other() -> TestResult {
    on_a_token("it_is_a_backend_like_every_other", async |token| {
        let backend = open(token).await?;
        backend_suite(&backend, [A, B]).await?;
        let clock = Arc::new(ManualClock::at(UtcDateTime::UNIX_EPOCH));
        let ground = OnToken {
            backend: Arc::new(open(token).await?),
            clock,
            random: Arc::new(SeededRandom::new(20_261_123)),
        };
        suite(&ground, "P-56".parse()?).await?;

        let random = Arc::new(SeededRandom::new(1));
        let clock = Arc::new(ManualClock::at(UtcDateTime::UNIX_EPOCH));
        let (store, backend) = (Arc::new(MemoryStore::new()), Arc::new(backend));
        let options = KeysOptions::default();
        let keys = Keys::open(store, backend, clock, random, options).await?;
        let tenant = TenantId::from_bytes([3; 16]);
        keys.create_tenant(tenant).await?;
        let other = TenantId::from_bytes([4; 16]);
        keys.create_tenant(other).await?;
        let sealer = Envelope::new(Arc::new(keys));
        sealer_suite(&sealer, tenant, other).await?;
        Ok(())
    })
}

#[test]
fn the_value_of_a_key_is_shown_to_nobody() -> TestResult {
    on_a_token("the_value_of_a_key_is_shown_to_nobody", async |token| {
        open(token).await?.create(A).await?;
        let session = token.session()?;
        let id = Attribute::Id(A.as_bytes().to_vec());
        let keys = session.find_objects(&[id])?;
        assert_eq!(keys.len(), 1);
        let infos = session.get_attribute_info(keys[0], &[AttributeType::Value])?;
        assert!(matches!(infos[..], [AttributeInfo::Sensitive]), "{infos:?}");
        assert_eq!(
            session.get_attributes(keys[0], &[AttributeType::Value])?,
            []
        );
        for forbidden in [Attribute::Sensitive(false), Attribute::Extractable(true)] {
            assert!(session.update_attributes(keys[0], &[forbidden]).is_err());
        }
        let shown = session.get_attributes(
            keys[0],
            &[
                AttributeType::Sensitive,
                AttributeType::NeverExtractable,
                AttributeType::Private,
            ],
        )?;
        for wanted in [
            Attribute::Sensitive(true),
            Attribute::NeverExtractable(true),
            Attribute::Private(true),
        ] {
            assert!(shown.contains(&wanted), "{shown:?}");
        }
        Ok(())
    })
}

#[test]
fn keys_outlive_the_process_that_made_them_and_its_sessions() -> TestResult {
    on_a_token(
        "keys_outlive_the_process_that_made_them_and_its_sessions",
        async |token| {
            let root = Secret::new([9; 32]);
            let first = open(token).await?;
            first.create(A).await?;
            let wrapped = first.wrap_root(A, b"x", &root).await?;
            let second = open(token).await?;
            assert_eq!(
                second.unwrap_root(A, b"x", &wrapped).await?.expose(),
                root.expose()
            );
            // the module is finalised under the first one, which finds its way back
            second.reopen().await?;
            assert_eq!(
                first.unwrap_root(A, b"x", &wrapped).await?.expose(),
                root.expose()
            );
            assert_eq!(
                second.unwrap_root(A, b"x", &wrapped).await?.expose(),
                root.expose()
            );
            second.destroy(A).await?;
            assert_eq!(first.probe(A).await?, Presence::Absent);
            Ok(())
        },
    )
}

#[test]
fn a_token_that_is_out_of_reach_has_lost_no_key() -> TestResult {
    on_a_token(
        "a_token_that_is_out_of_reach_has_lost_no_key",
        async |token| {
            let root = Secret::new([9; 32]);
            let backend = open(token).await?;
            backend.create(A).await?;
            let wrapped = backend.wrap_root(A, b"x", &root).await?;
            token.pull()?;
            // at once, and by a module that was started since
            for _ in 0..2 {
                assert!(why(backend.probe(A).await).is_some(), "probed");
                assert!(
                    why(backend.unwrap_root(A, b"x", &wrapped).await).is_some(),
                    "unwrapped"
                );
                assert!(why(backend.destroy(A).await).is_some(), "destroyed");
                assert_eq!(why(backend.reopen().await).as_deref(), Some("TokenAbsent"));
            }
            assert_eq!(why(open(token).await).as_deref(), Some("TokenAbsent"));
            token.put_back()?;
            backend.reopen().await?;
            assert_eq!(
                backend.unwrap_root(A, b"x", &wrapped).await?.expose(),
                root.expose()
            );
            Ok(())
        },
    )
}

#[test]
fn a_refused_pin_is_not_tried_again() -> TestResult {
    on_a_token("a_refused_pin_is_not_tried_again", async |token| {
        let backend = open(token).await?;
        backend.create(A).await?;
        token.write_pin("000000")?;
        assert_eq!(why(backend.reopen().await).as_deref(), Some("PinRefused"));
        token.write_pin(token::PIN)?;
        assert_eq!(why(backend.probe(A).await).as_deref(), Some("PinRefused"));
        backend.reopen().await?;
        assert_eq!(backend.probe(A).await?, Presence::Present);
        Ok(())
    })
}

#[test]
fn a_pin_lies_in_a_private_file() -> TestResult {
    on_a_token("a_pin_lies_in_a_private_file", async |token| {
        let pin = token.pin_file();
        for mode in [0o640, 0o604, 0o620] {
            fs::set_permissions(&pin, fs::Permissions::from_mode(mode))?;
            let refused = why(open(token).await);
            assert_eq!(
                refused.as_deref(),
                Some("PinSource(\"the file is not private\")")
            );
        }
        fs::set_permissions(&pin, fs::Permissions::from_mode(0o600))?;
        for (text, told) in [
            ("", "the file holds no PIN"),
            ("\n", "the file holds no PIN"),
            (&"1".repeat(257), "the file holds no PIN"),
        ] {
            token.write_pin(text)?;
            let refused = why(open(token).await);
            assert_eq!(refused, Some(format!("PinSource({told:?})")));
        }
        fs::remove_file(&pin)?;
        let refused = why(open(token).await).unwrap_or_default();
        assert!(refused.contains("not there"), "{refused}");
        token.write_pin(&format!("{}\n", token::PIN))?;
        open(token).await?;
        Ok(())
    })
}

#[test]
fn many_calls_share_few_sessions() -> TestResult {
    on_a_token("many_calls_share_few_sessions", async |token| {
        let backend = Arc::new(open(token).await?);
        backend.create(A).await?;
        let calls = (0..64_u8).map(|n| {
            let backend = Arc::clone(&backend);
            tokio::spawn(async move {
                let root = Secret::new([n; 32]);
                let wrapped = backend.wrap_root(A, &[n], &root).await?;
                let back = backend.unwrap_root(A, &[n], &wrapped).await?;
                Ok::<_, BackendError>(back.expose() == root.expose())
            })
        });
        for call in calls.collect::<Vec<_>>() {
            assert!(call.await??);
        }
        let open = backend.idle_sessions();
        assert!((1..=SESSIONS_MAX).contains(&open), "{open} sessions");
        Ok(())
    })
}

#[test]
fn a_key_that_could_leave_the_token_is_refused() -> TestResult {
    on_a_token(
        "a_key_that_could_leave_the_token_is_refused",
        async |token| {
            let backend = open(token).await?;
            token.session()?.create_object(&[
                Attribute::Class(ObjectClass::SECRET_KEY),
                Attribute::KeyType(KeyType::AES),
                Attribute::Id(A.as_bytes().to_vec()),
                Attribute::Value(vec![1; 32]),
                Attribute::Token(true),
                Attribute::Private(true),
                Attribute::Encrypt(true),
                Attribute::Decrypt(true),
            ])?;
            let refused = why(backend.create(A).await);
            assert_eq!(
                refused.as_deref(),
                Some("KeyUnsafe(\"was not made on it to stay there\")")
            );
            backend.destroy(A).await?;
            backend.create(A).await?;
            Ok(())
        },
    )
}

#[test]
fn two_keys_of_one_id_are_one_to_whoever_asks() -> TestResult {
    on_a_token(
        "two_keys_of_one_id_are_one_to_whoever_asks",
        async |token| {
            let root = Secret::new([9; 32]);
            let backend = open(token).await?;
            backend.create(A).await?;
            let first = backend.wrap_root(A, b"x", &root).await?;
            // as when two processes make it at once: the second key takes the id of the first later
            backend.create(B).await?;
            let second = backend.wrap_root(B, b"x", &root).await?;
            let session = token.session()?;
            let b = session.find_objects(&[Attribute::Id(B.as_bytes().to_vec())])?;
            session.update_attributes(b[0], &[Attribute::Id(A.as_bytes().to_vec())])?;
            for wrapped in [&first, &second] {
                assert_eq!(
                    backend.unwrap_root(A, b"x", wrapped).await?.expose(),
                    root.expose()
                );
            }
            let wrong = backend.unwrap_root(A, b"y", &first).await;
            assert!(
                matches!(wrong, Err(BackendError::NotAuthentic(_))),
                "{wrong:?}"
            );
            backend.destroy(A).await?;
            assert_eq!(backend.probe(A).await?, Presence::Absent);
            Ok(())
        },
    )
}
