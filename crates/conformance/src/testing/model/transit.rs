//! The model's listener, as rules: which first messages it goes on with.

use super::{Model, Refusal, Sabotage, Seen};
use crate::act::{AnswerSeen, Carrier, CertificateSeen, EndpointSeen, Hello};

impl Model {
    pub(super) fn endpoints(&self) -> Seen {
        let listener = if self.is(Sabotage::PlaintextListener) {
            Carrier::Plaintext
        } else {
            Carrier::Tls
        };
        let endpoint = |name: &str, carrier| EndpointSeen {
            name: name.to_owned(),
            carrier,
        };
        Seen::Endpoints(vec![
            endpoint("listener", listener),
            endpoint("memory", Carrier::LocalFile),
        ])
    }

    pub(super) fn answer(&self, hello: Hello) -> Seen {
        if self.is(Sabotage::PlaintextListener) {
            return Seen::Answer(AnswerSeen::Clear);
        }
        let accepted = |version: &str, key_bits| AnswerSeen::Accepted {
            version: version.to_owned(),
            key_bits,
        };
        Seen::Answer(match hello {
            Hello::Tls12 => accepted("tls-1.2", 256),
            Hello::Tls13 => accepted("tls-1.3", 256),
            Hello::Tls12Aes128 if self.is(Sabotage::Aes128) => accepted("tls-1.2", 128),
            Hello::Tls13Aes128 if self.is(Sabotage::Aes128) => accepted("tls-1.3", 128),
            Hello::Tls11 | Hello::OldVersions if self.is(Sabotage::Tls11Allowed) => {
                accepted("tls-1.1", 256)
            }
            _ => AnswerSeen::Refused,
        })
    }

    pub(super) fn chain(&self) -> Seen {
        let signature = if self.is(Sabotage::WeakChain) {
            "sha-1"
        } else {
            "sha-256"
        };
        Seen::Chain(vec![CertificateSeen {
            signature: signature.to_owned(),
            key: "p-256".to_owned(),
        }])
    }

    pub(super) fn use_endpoint(&self, address: &str) -> Result<Seen, Refusal> {
        let encrypted = address.starts_with("https:")
            || address.ends_with("sslmode=verify-full")
            || address.ends_with("tls=required");
        let local = address.starts_with("file:")
            || address.starts_with("unix:")
            || address.contains("host=/");
        if encrypted || local || self.is(Sabotage::PlaintextListener) {
            Ok(Seen::Done)
        } else {
            Err(Refusal::denied("not encrypted"))
        }
    }
}
