//! Whether bytes may go to an address: verified TLS, a Unix socket or a local file, and nothing else
//! in production. Judged by the address alone, before anything is opened.
//!
//! An address that leaves a choice to the other side (try TLS, fall back) is refused like one without
//! TLS. Errors name the setting and never the address, which may hold a password.

use std::net::{IpAddr, Ipv6Addr};

/// Longest address in bytes: a bound of ours.
const ENDPOINT_LEN_BYTES_MAX: usize = 4_096;

/// Whether plaintext on the loopback interface may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the two words of a setting")]
pub enum Plaintext {
    /// Never: production.
    Refused,
    /// On the loopback interface alone: tests.
    Loopback,
}

/// An address to which bytes may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Endpoint {
    /// A file or folder of this host.
    LocalFile,
    /// Plaintext that does not leave the host; tests only.
    Loopback,
    /// TLS, with the server's name and chain verified.
    Tls,
    /// A socket in the file system of this host.
    UnixSocket,
}

/// Bytes may not go there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EndpointError {
    /// It is no address, or one that can be read in two ways.
    #[error("not an address")]
    Malformed,
    /// Nothing encrypts what is sent there.
    #[error("{0} is not encrypted: use TLS, a Unix socket or a local file")]
    Plaintext(&'static str),
    /// TLS is left to the other side, or the server is not verified; the text is what to set.
    #[error("TLS is not certain or not verified: {0}")]
    NotVerified(&'static str),
    /// The scheme says nothing about how bytes travel.
    #[error("the scheme of the address is not known: give the https endpoint")]
    UnknownScheme,
}

impl Endpoint {
    /// Judges an address: `https`, `tls`, `postgres` (with `sslmode=verify-full`, or a socket
    /// folder as host), `smtps`, `smtp` with `tls=required`, `unix`, `file`, `sqlite`; in plaintext
    /// on the loopback interface also `http`, `tcp`, and `postgres` and `smtp` without TLS, where
    /// that is allowed.
    ///
    /// # Errors
    /// [`EndpointError`] by what is wrong with it.
    // clause: P-11, P-36, Q-12, R-10
    pub fn judge(address: &str, plaintext: Plaintext) -> Result<Self, EndpointError> {
        let printable = |b: u8| b.is_ascii_graphic() && b != b'\\';
        if address.len() > ENDPOINT_LEN_BYTES_MAX || !address.bytes().all(printable) {
            return Err(EndpointError::Malformed);
        }
        let (scheme, rest) = address.split_once(':').ok_or(EndpointError::Malformed)?;
        let rest = rest.split('#').next().unwrap_or_default();
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let query = Query::parse(query)?;
        match scheme.to_ascii_lowercase().as_str() {
            "https" | "tls" | "smtps" => network(rest).map(|_host| Self::Tls),
            "http" => clear(rest, plaintext, "http"),
            "tcp" => clear(rest, plaintext, "tcp"),
            "postgres" | "postgresql" => postgres(rest, &query, plaintext),
            "smtp" => match query.one(&["tls"])? {
                Some("required") => network(rest).map(|_host| Self::Tls),
                Some("opportunistic") => Err(EndpointError::NotVerified("tls=required")),
                _ => clear(rest, plaintext, "smtp without tls=required"),
            },
            "unix" => local(rest).map(|()| Self::UnixSocket),
            "file" => local(rest).map(|()| Self::LocalFile),
            // a path of any shape, never a host
            "sqlite" if !rest.is_empty() => Ok(Self::LocalFile),
            "sqlite" => Err(EndpointError::Malformed),
            _ => Err(EndpointError::UnknownScheme),
        }
    }
}

/// The host of `//[user@]host[:port][/path]`; never empty.
fn host(rest: &str) -> Result<&str, EndpointError> {
    let authority = rest.strip_prefix("//").ok_or(EndpointError::Malformed)?;
    let authority = authority.split('/').next().unwrap_or_default();
    let (_, place) = authority.rsplit_once('@').unwrap_or(("", authority));
    let (host, port) = if let Some(literal) = place.strip_prefix('[') {
        let (host, port) = literal.split_once(']').ok_or(EndpointError::Malformed)?;
        host.parse::<Ipv6Addr>().or(Err(EndpointError::Malformed))?;
        (host, port)
    } else {
        let end = place.find(':').unwrap_or(place.len());
        place.split_at_checked(end).unwrap_or((place, ""))
    };
    let port_fits = match port.strip_prefix(':') {
        Some(number) => number.is_empty() || number.parse::<u16>().is_ok(),
        None => port.is_empty(),
    };
    if port_fits {
        Ok(host)
    } else {
        Err(EndpointError::Malformed)
    }
}

/// The host of an address on a network: a name or an IP address, one of them.
fn network(rest: &str) -> Result<&str, EndpointError> {
    let host = host(rest)?;
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b".-_:".contains(&b);
    if host.is_empty() || !host.bytes().all(allowed) {
        return Err(EndpointError::Malformed);
    }
    Ok(host)
}

/// A path of this host: `/path`, `///path` or `//localhost/path`.
fn local(rest: &str) -> Result<(), EndpointError> {
    let path = match rest.strip_prefix("//") {
        Some(after) => after.strip_prefix("localhost").unwrap_or(after),
        None => rest,
    };
    if path.starts_with('/') && !path.starts_with("//") {
        Ok(())
    } else {
        Err(EndpointError::Plaintext("a file of another host"))
    }
}

fn clear(rest: &str, plaintext: Plaintext, what: &'static str) -> Result<Endpoint, EndpointError> {
    let host = network(rest)?;
    if plaintext == Plaintext::Loopback && is_loopback(host) {
        Ok(Endpoint::Loopback)
    } else {
        Err(EndpointError::Plaintext(what))
    }
}

fn is_loopback(host: &str) -> bool {
    let address = host.parse::<IpAddr>();
    host.eq_ignore_ascii_case("localhost") || address.is_ok_and(|address| address.is_loopback())
}

/// `host` and `hostaddr` in the query win over the host before the path, as in libpq.
fn postgres(rest: &str, query: &Query, plaintext: Plaintext) -> Result<Endpoint, EndpointError> {
    let named = query.one(&["host", "hostaddr"])?;
    let before = decoded(host(rest)?)?;
    let host = named.unwrap_or(&before);
    if host.starts_with('/') {
        return Ok(Endpoint::UnixSocket);
    }
    let place = format!("//{host}");
    network(&place)?;
    match query.one(&["sslmode", "ssl-mode"])? {
        Some("verify-full") => Ok(Endpoint::Tls),
        Some("disable") | None => clear(&place, plaintext, "postgres without sslmode=verify-full"),
        Some(_) => Err(EndpointError::NotVerified("sslmode=verify-full")),
    }
}

/// The parameters of an address, decoded.
struct Query(Vec<(String, String)>);

impl Query {
    fn parse(text: &str) -> Result<Self, EndpointError> {
        let pairs = text.split('&').filter(|pair| !pair.is_empty());
        let pairs = pairs.map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            Ok((decoded(name)?, decoded(value)?))
        });
        pairs.collect::<Result<_, _>>().map(Self)
    }

    /// The value of a parameter that has these names. Given twice, under whatever names, it could be
    /// read in two ways.
    fn one(&self, names: &[&str]) -> Result<Option<&str>, EndpointError> {
        let mut found = self
            .0
            .iter()
            .filter(|(name, _)| names.contains(&name.as_str()));
        let first = found.next().map(|(_, value)| value.as_str());
        if found.next().is_some() {
            return Err(EndpointError::Malformed);
        }
        Ok(first)
    }
}

/// A text with its percent signs resolved; a plus stays one, so that it is in no word we know.
fn decoded(text: &str) -> Result<String, EndpointError> {
    let mut bytes = text.bytes();
    let mut out = Vec::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        match byte {
            b'%' => {
                let digit = |b: Option<u8>| b.and_then(|b| char::from(b).to_digit(16));
                let (high, low) = (digit(bytes.next()), digit(bytes.next()));
                let (Some(high), Some(low)) = (high, low) else {
                    return Err(EndpointError::Malformed);
                };
                let value = high.saturating_mul(16).saturating_add(low);
                out.push(u8::try_from(value).or(Err(EndpointError::Malformed))?);
            }
            other => out.push(other),
        }
    }
    String::from_utf8(out).or(Err(EndpointError::Malformed))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(address: &str, production: Result<Endpoint, EndpointError>) {
        assert_eq!(
            Endpoint::judge(address, Plaintext::Refused),
            production,
            "{address}"
        );
    }

    #[test]
    fn what_is_verified_or_stays_on_the_host_is_accepted() {
        for address in [
            "https://depot.example",
            "HTTPS://depot.example:8443/a?b=c",
            "https://[2001:db8::1]:443/",
            "tls://0.0.0.0:443",
            "postgres://user:word@db.example/app?sslmode=verify-full",
            "postgresql://db.example:5432/app?a=b&ssl-mode=verify-full",
            "postgres://db.example/app?ssl%6Dode=verify%2Dfull",
            "smtps://mail.example:465",
            "smtp://mail.example:587?tls=required",
        ] {
            check(address, Ok(Endpoint::Tls));
        }
        for address in [
            "unix:/run/app.sock",
            "unix:///run/app.sock",
            "postgres:///app?host=/run/postgresql",
            "postgres://%2Frun%2Fpostgresql/app",
        ] {
            check(address, Ok(Endpoint::UnixSocket));
        }
        for address in ["file:///srv/depot", "sqlite:///srv/a.db", "sqlite:a.db"] {
            check(address, Ok(Endpoint::LocalFile));
        }
    }

    #[test]
    fn plaintext_is_refused() {
        for (address, what) in [
            ("http://depot.example", "http"),
            ("http://127.0.0.1", "http"),
            ("http://localhost:9000/", "http"),
            ("tcp://10.0.0.1:80", "tcp"),
            ("smtp://mail.example", "smtp without tls=required"),
            ("file://server/share", "a file of another host"),
            ("file:////server/share", "a file of another host"),
            ("unix://server/run/a.sock", "a file of another host"),
        ] {
            check(address, Err(EndpointError::Plaintext(what)));
        }
        let what = "postgres without sslmode=verify-full";
        for address in [
            "postgres://db.example/app",
            "postgres://db.example/app?sslmode=disable",
            "postgres://%2Frun/app?host=db.example",
        ] {
            check(address, Err(EndpointError::Plaintext(what)));
        }
    }

    #[test]
    fn tls_that_may_not_happen_is_refused() {
        let unsure = EndpointError::NotVerified("sslmode=verify-full");
        for mode in [
            "allow",
            "prefer",
            "require",
            "verify-ca",
            "VERIFY-FULL",
            "verify+full",
            "",
        ] {
            check(
                &format!("postgres://db.example/a?sslmode={mode}"),
                Err(unsure),
            );
        }
        let unsure = EndpointError::NotVerified("tls=required");
        check("smtp://mail.example?tls=opportunistic", Err(unsure));
    }

    #[test]
    fn what_can_be_read_in_two_ways_is_refused() {
        let long = format!("https://{}", "a".repeat(ENDPOINT_LEN_BYTES_MAX));
        for address in [
            "",
            "depot.example",
            "https:depot.example",
            "https://",
            "https:///path",
            "https://a b",
            "https://a\\@b",
            "https://depot.example:https",
            "https://[::1",
            "https://[::g]/",
            "postgres://db/a?sslmode=verify-full&sslmode=disable",
            "postgres://db/a?sslmode=verify-full&ssl-mode=disable",
            "postgres://db/a?sslmode=verify-full&host=/run&host=db",
            "postgres://db/a?sslmode=verify-full&host=/run&hostaddr=10.0.0.1",
            "postgres://a,b/c?sslmode=verify-full",
            "postgres://db/a?sslmode=verify%2",
            "sqlite:",
            "https://d\u{e9}pot.example",
            &long,
        ] {
            check(address, Err(EndpointError::Malformed));
        }
        for address in ["s3://bucket", "gs://bucket", "ftp://a", "memory:///"] {
            check(address, Err(EndpointError::UnknownScheme));
        }
    }

    #[test]
    fn plaintext_stays_on_the_loopback_interface_in_tests() {
        for address in [
            "http://127.0.0.1:80",
            "http://localhost",
            "http://[::1]:80/",
            "postgres://u@127.0.0.1:16250/db",
            "smtp://127.9.9.9:25",
        ] {
            let judged = Endpoint::judge(address, Plaintext::Loopback);
            assert_eq!(judged, Ok(Endpoint::Loopback), "{address}");
        }
        for address in [
            "http://127.0.0.1@depot.example/",
            "http://127.0.0.1.depot.example/",
            "http://depot.example/127.0.0.1",
            "http://0.0.0.0",
            "postgres://127.0.0.1/a?host=db.example",
        ] {
            let judged = Endpoint::judge(address, Plaintext::Loopback);
            assert!(
                matches!(judged, Err(EndpointError::Plaintext(_))),
                "{address}"
            );
        }
    }
}
