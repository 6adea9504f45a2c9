//! A server to point clients and probes at: loopback, one thread, one greeting over TLS. It is also
//! built in ways that are not sound, so that whoever looks for them can be tested.

mod listener;
mod unsound;

pub use listener::{GREETING, Listener, Serving};
pub use unsound::{aes128_server_config, unjudged_server_config};
