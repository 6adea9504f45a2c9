//! What we speak is TLS 1.2 or 1.3 with 256-bit ciphers, under chains that were judged, with peers
//! that were verified; everything else is refused.
#![cfg(all(feature = "transit", feature = "testing"))]

#[cfg(test)]
mod authority;
#[cfg(test)]
mod certificates_are_judged_by_hash_and_key;
#[cfg(test)]
mod each_hello_gets_its_answer;
#[cfg(test)]
#[cfg(unix)]
mod openssl_finds_no_old_version;
