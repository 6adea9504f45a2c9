//! The first messages of TLS connections, made byte by byte: what an old, weak or sound client would
//! send. No TLS library makes the old ones any more, which is why they are made here.

use std::fmt;

/// What a server under our rules must do with a hello.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "it goes on or it does not")]
pub enum Must {
    /// Go on with the handshake.
    Accept,
    /// Refuse: an alert, or no answer and an end.
    Refuse,
}

macro_rules! probes {
    ($($(#[$doc:meta])* $variant:ident = $name:literal, $must:ident),* $(,)?) => {
        /// One first message to a server.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum Probe { $($(#[$doc])* $variant),* }

        impl Probe {
            /// All of them, oldest first.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// Its name: lower case, without spaces.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name),* }
            }

            /// What a server must do with it.
            #[must_use]
            pub const fn must(self) -> Must {
                match self { $(Self::$variant => Must::$must),* }
            }
        }
    };
}

probes! {
    /// A request of HTTP, not encrypted.
    Plaintext = "plaintext", Refuse,
    /// SSL 2.0 framing.
    Ssl2 = "ssl-2.0", Refuse,
    /// SSL 3.0.
    Ssl3 = "ssl-3.0", Refuse,
    /// TLS 1.0 without signature algorithms, as old clients send it.
    Tls10 = "tls-1.0", Refuse,
    /// TLS 1.0 with signature algorithms.
    Tls10Signed = "tls-1.0-with-signature-algorithms", Refuse,
    /// TLS 1.1 without signature algorithms.
    Tls11 = "tls-1.1", Refuse,
    /// TLS 1.1 with signature algorithms.
    Tls11Signed = "tls-1.1-with-signature-algorithms", Refuse,
    /// Dressed as TLS 1.2, and its list of versions has 1.1 and 1.0 alone.
    OldVersions = "list-of-1.1-and-1.0", Refuse,
    /// TLS 1.2 with suites of 128 bits alone.
    Tls12Aes128 = "tls-1.2-aes-128", Refuse,
    /// TLS 1.2 without the extended master secret.
    Tls12NoEms = "tls-1.2-without-extended-master-secret", Refuse,
    /// TLS 1.2.
    Tls12 = "tls-1.2", Accept,
    /// TLS 1.3 with suites of 128 bits alone.
    Tls13Aes128 = "tls-1.3-aes-128", Refuse,
    /// TLS 1.3.
    Tls13 = "tls-1.3", Accept,
}

impl fmt::Display for Probe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// CBC suites with ECDHE and plain RSA: what TLS 1.0 and 1.1 know.
const OLD_SUITES: &[u16] = &[0xc014, 0xc00a, 0x0035, 0xc013, 0xc009, 0x002f, 0x000a];
const SUITES_12: &[u16] = &[0xc02c, 0xc030, 0xcca9, 0xcca8];
const SUITES_12_AES128: &[u16] = &[0xc02b, 0xc02f, 0x009c];
const SUITES_13: &[u16] = &[0x1302, 0x1303];
const SUITES_13_AES128: &[u16] = &[0x1301];
/// Says that renegotiation is safe or not wanted (RFC 5746).
const RENEGOTIATION_SCSV: u16 = 0x00ff;

const SERVER_NAME: u16 = 0;
const SUPPORTED_GROUPS: u16 = 10;
const POINT_FORMATS: u16 = 11;
const SIGNATURE_ALGORITHMS: u16 = 13;
const EXTENDED_MASTER_SECRET: u16 = 23;
const SUPPORTED_VERSIONS: u16 = 43;
const KEY_SHARE: u16 = 51;

const X25519: u16 = 0x001d;
const GROUPS: &[u16] = &[X25519, 0x0017, 0x0018];
const SIGNATURES: &[u16] = &[
    0x0403, 0x0503, 0x0804, 0x0805, 0x0806, 0x0807, 0x0401, 0x0501, 0x0601,
];

/// Bits of the key of a suite that a [`Probe`] offers; `None` for any other.
#[must_use]
pub const fn suite_key_bits(suite: u16) -> Option<u16> {
    match suite {
        0x1302 | 0x1303 | 0xc02c | 0xc030 | 0xcca8 | 0xcca9 | 0xc014 | 0xc00a | 0x0035 => Some(256),
        0x1301 | 0xc02b | 0xc02f | 0x009c | 0xc013 | 0xc009 | 0x002f => Some(128),
        // three keys of DES, of which two parts count
        0x000a => Some(112),
        _ => None,
    }
}

/// What a hello says.
struct Hello {
    /// The version in the message; in the record it is at most 0301, as clients send it.
    version: u16,
    suites: &'static [u16],
    extensions: Vec<(u16, Vec<u8>)>,
}

impl Probe {
    /// The bytes to send. `random` goes into the hello, and is a key share that nobody can use.
    #[must_use]
    pub fn bytes(self, server_name: Option<&str>, random: &[u8; 32]) -> Vec<u8> {
        let hello = match self {
            Self::Plaintext => return b"GET / HTTP/1.0\r\n\r\n".to_vec(),
            Self::Ssl2 => return ssl2(random),
            Self::Ssl3 => Hello::new(0x0300, OLD_SUITES, Vec::new()),
            Self::Tls10 => Hello::old(0x0301, server_name),
            Self::Tls11 => Hello::old(0x0302, server_name),
            Self::Tls10Signed => Hello::old(0x0301, server_name).signed(),
            Self::Tls11Signed => Hello::old(0x0302, server_name).signed(),
            Self::OldVersions => Hello::old(0x0303, server_name)
                .signed()
                .with(SUPPORTED_VERSIONS, listed::<1>(&[0x0302, 0x0301])),
            Self::Tls12 => {
                Hello::tls12(SUITES_12, server_name).with(EXTENDED_MASTER_SECRET, vec![])
            }
            Self::Tls12NoEms => Hello::tls12(SUITES_12, server_name),
            Self::Tls12Aes128 => {
                Hello::tls12(SUITES_12_AES128, server_name).with(EXTENDED_MASTER_SECRET, vec![])
            }
            Self::Tls13 => Hello::tls13(SUITES_13, server_name, random),
            Self::Tls13Aes128 => Hello::tls13(SUITES_13_AES128, server_name, random),
        };
        hello.encode(random)
    }
}

impl Hello {
    const fn new(version: u16, suites: &'static [u16], extensions: Vec<(u16, Vec<u8>)>) -> Self {
        Self {
            version,
            suites,
            extensions,
        }
    }

    fn old(version: u16, server_name: Option<&str>) -> Self {
        let hello = Self::new(version, OLD_SUITES, Vec::new());
        let hello = match server_name {
            Some(name) => hello.with(SERVER_NAME, name_list(name)),
            None => hello,
        };
        hello
            .with(SUPPORTED_GROUPS, listed::<2>(GROUPS))
            .with(POINT_FORMATS, vec![1, 0])
    }

    fn tls12(suites: &'static [u16], server_name: Option<&str>) -> Self {
        let hello = Self::old(0x0303, server_name).signed();
        Self { suites, ..hello }
    }

    fn tls13(suites: &'static [u16], server_name: Option<&str>, random: &[u8; 32]) -> Self {
        let mut share = X25519.to_be_bytes().to_vec();
        share.extend(block::<2>(random));
        Self::tls12(suites, server_name)
            .with(SUPPORTED_VERSIONS, listed::<1>(&[0x0304]))
            .with(KEY_SHARE, block::<2>(&share))
    }

    fn signed(self) -> Self {
        self.with(SIGNATURE_ALGORITHMS, listed::<2>(SIGNATURES))
    }

    fn with(mut self, kind: u16, body: Vec<u8>) -> Self {
        self.extensions.push((kind, body));
        self
    }

    fn encode(&self, random: &[u8; 32]) -> Vec<u8> {
        let mut body = self.version.to_be_bytes().to_vec();
        body.extend_from_slice(random);
        // no session
        body.push(0);
        let mut suites: Vec<u16> = self.suites.to_vec();
        suites.push(RENEGOTIATION_SCSV);
        body.extend(listed::<2>(&suites));
        // no compression
        body.extend([1, 0]);
        let mut extensions = Vec::new();
        for (kind, value) in &self.extensions {
            extensions.extend(kind.to_be_bytes());
            extensions.extend(block::<2>(value));
        }
        if !extensions.is_empty() {
            body.extend(block::<2>(&extensions));
        }
        let mut message = vec![1];
        message.extend(block::<3>(&body));
        let mut record = vec![22];
        record.extend(self.version.min(0x0301).to_be_bytes());
        record.extend(block::<2>(&message));
        record
    }
}

/// A CLIENT-HELLO of SSL 2.0 that offers nothing newer.
fn ssl2(random: &[u8; 32]) -> Vec<u8> {
    let suites = [[0x01, 0x00, 0x80], [0x07, 0x00, 0xc0], [0x03, 0x00, 0x80]];
    // CLIENT-HELLO, version 2, lengths of suites, session and challenge
    let mut body = vec![1, 0, 2, 0, 9, 0, 0, 0, 32];
    body.extend(suites.as_flattened());
    body.extend_from_slice(random);
    let mut message = block::<2>(&body);
    if let Some(first) = message.first_mut() {
        *first |= 0x80;
    }
    message
}

fn name_list(name: &str) -> Vec<u8> {
    let mut entry = vec![0];
    entry.extend(block::<2>(name.as_bytes()));
    block::<2>(&entry)
}

/// Numbers of two bytes behind their length in bytes.
fn listed<const LEN: usize>(numbers: &[u16]) -> Vec<u8> {
    let bytes: Vec<u8> = numbers.iter().flat_map(|n| n.to_be_bytes()).collect();
    block::<LEN>(&bytes)
}

/// Bytes behind their length in `LEN` bytes, cut at what that length can tell.
fn block<const LEN: usize>(bytes: &[u8]) -> Vec<u8> {
    let most = 256_usize
        .saturating_pow(u32::try_from(LEN).unwrap_or(u32::MAX))
        .saturating_sub(1);
    let bytes = bytes.get(..bytes.len().min(most)).unwrap_or(bytes);
    let len = u64::try_from(bytes.len()).unwrap_or(u64::MAX).to_be_bytes();
    let skip = len.len().saturating_sub(LEN);
    len.into_iter()
        .skip(skip)
        .chain(bytes.iter().copied())
        .collect()
}
