//! A server to point clients and probes at: loopback, one thread, one greeting over TLS. It is also
//! built in ways that are not sound, so that whoever looks for them can be tested.

mod listener;
mod unsound;

pub use listener::{GREETING, Listener, Serving};
pub use unsound::{aes128_server_config, unjudged_server_config};

/// A self-signed certificate with SHA-1 over P-256, and its key, as PEM; made by OpenSSL, valid until
/// 2126, and worth nothing: its key is public.
pub const WEAK_IDENTITY_PEM: &[u8] = include_bytes!("transit/p256_sha1.pem");
