//! Asks a running server what it accepts: one connection for each [`Probe`], and the first record of
//! the answer. It ends there; nothing is negotiated to the end and nothing is verified.

use std::fmt;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use covenant_core::{Random, RandomError};
use rustls::pki_types::CertificateDer;

use super::hello::{Must, Probe};

/// Longest record of TLS in bytes, without its header (RFC 5246: 2^14 + 2,048).
const RECORD_LEN_BYTES_MAX: usize = 18_432;
/// Longest first flight of a server that is read in bytes: a bound of ours, for ten certificates.
const FLIGHT_LEN_BYTES_MAX: usize = 196_608;

/// Type of a record with an alert.
const ALERT: u8 = 21;
/// Type of a record with messages of the handshake.
const HANDSHAKE: u8 = 22;
/// Type of the message that has the certificates.
const CERTIFICATE: u8 = 11;

/// How a server answered a hello.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Answer {
    /// It goes on, in this version and with this suite.
    Hello {
        /// The version: 0x0303 is TLS 1.2, 0x0304 is TLS 1.3.
        version: u16,
        /// The suite, by its number at IANA.
        suite: u16,
    },
    /// It sent an alert.
    Alert {
        /// Whether it was a fatal one: 2.
        level: u8,
        /// Its number: 40 is a failed handshake, 70 a version that is not spoken.
        description: u8,
    },
    /// It closed the connection without a word.
    Closed,
    /// It neither answered nor closed in time.
    Silent,
    /// It answered with something that is no record of TLS.
    Other,
}

impl Answer {
    /// Whether this is what the server must do with the probe. Something that is no TLS refuses
    /// nothing.
    #[must_use]
    pub const fn is_as_it_must(self, probe: Probe) -> bool {
        match probe.must() {
            Must::Accept => matches!(self, Self::Hello { .. }),
            Must::Refuse => matches!(self, Self::Alert { .. } | Self::Closed | Self::Silent),
        }
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Hello { version, suite } => {
                write!(f, "accepted, version {version:04x}, suite {suite:04x}")
            }
            Self::Alert { level, description } => {
                write!(f, "refused, alert {description} of level {level}")
            }
            Self::Closed => f.write_str("refused, closed"),
            Self::Silent => f.write_str("no answer"),
            Self::Other => f.write_str("an answer that is no TLS"),
        }
    }
}

/// A server could not be asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProbeError {
    /// There was no connection.
    #[error("the server cannot be reached")]
    Unreachable(#[source] io::Error),
    /// No randomness for a hello.
    #[error("no randomness for a hello")]
    Random(#[source] RandomError),
}

/// Sends every probe to the server, each on a connection of its own. `timeout` bounds each
/// connection, each read and each write.
///
/// # Errors
/// [`ProbeError::Unreachable`] when a connection cannot be made, [`ProbeError::Random`].
pub fn probe(
    server: SocketAddr,
    server_name: Option<&str>,
    timeout: Duration,
    random: &dyn Random,
) -> Result<Vec<(Probe, Answer)>, ProbeError> {
    let all = Probe::ALL.iter().copied();
    all.map(|one| Ok((one, probe_with(one, server, server_name, timeout, random)?)))
        .collect()
}

/// Sends one probe to the server.
///
/// # Errors
/// As [`probe`].
pub fn probe_with(
    probe: Probe,
    server: SocketAddr,
    server_name: Option<&str>,
    timeout: Duration,
    random: &dyn Random,
) -> Result<Answer, ProbeError> {
    let mut bytes = [0_u8; 32];
    random.fill(&mut bytes).map_err(ProbeError::Random)?;
    let mut stream = connect(server, timeout).map_err(ProbeError::Unreachable)?;
    Ok(ask(&mut stream, &probe.bytes(server_name, &bytes)))
}

fn connect(server: SocketAddr, timeout: Duration) -> io::Result<TcpStream> {
    let stream = TcpStream::connect_timeout(&server, timeout)?;
    stream.set_read_timeout(Some(timeout))?;
    stream.set_write_timeout(Some(timeout))?;
    Ok(stream)
}

/// The certificates that a server presents, leaf first, as they travel in the clear in TLS 1.2. They
/// are neither verified nor judged. Empty when the server does not get so far.
///
/// # Errors
/// As [`probe`].
pub fn presented(
    server: SocketAddr,
    server_name: Option<&str>,
    timeout: Duration,
    random: &dyn Random,
) -> Result<Vec<CertificateDer<'static>>, ProbeError> {
    let mut bytes = [0_u8; 32];
    random.fill(&mut bytes).map_err(ProbeError::Random)?;
    let mut stream = connect(server, timeout).map_err(ProbeError::Unreachable)?;
    let hello = Probe::Tls12.bytes(server_name, &bytes);
    let sent = stream.write_all(&hello).and_then(|()| stream.flush());
    Ok(if sent.is_ok() {
        read_chain(&mut stream)
    } else {
        Vec::new()
    })
}

/// Sends a hello, and reads the first record of the answer.
pub fn ask<S: Read + Write>(stream: &mut S, hello: &[u8]) -> Answer {
    if let Err(error) = stream.write_all(hello).and_then(|()| stream.flush()) {
        return ended(&error);
    }
    match read_record(stream) {
        Ok((ALERT, record)) => match *record.as_slice() {
            [level, description] => Answer::Alert { level, description },
            _ => Answer::Other,
        },
        Ok((HANDSHAKE, record)) => server_hello(&record).unwrap_or(Answer::Other),
        Ok(_) => Answer::Other,
        Err(error) => ended(&error),
    }
}

/// Type and body of the next record; what is none is [`ErrorKind::InvalidData`].
fn read_record<S: Read>(stream: &mut S) -> io::Result<(u8, Vec<u8>)> {
    let mut header = [0_u8; 5];
    stream.read_exact(&mut header)?;
    let [kind, major, _minor, high, low] = header;
    let len = usize::from(u16::from_be_bytes([high, low]));
    if !(20..=24).contains(&kind) || major != 3 || len > RECORD_LEN_BYTES_MAX {
        return Err(ErrorKind::InvalidData.into());
    }
    let mut record = vec![0_u8; len];
    stream.read_exact(&mut record)?;
    Ok((kind, record))
}

fn read_chain<S: Read>(stream: &mut S) -> Vec<CertificateDer<'static>> {
    let mut flight = Vec::new();
    while flight.len() <= FLIGHT_LEN_BYTES_MAX {
        match read_record(stream) {
            Ok((HANDSHAKE, record)) => flight.extend(record),
            _ => break,
        }
        if let Some(chain) = certificates(&flight) {
            return chain;
        }
    }
    Vec::new()
}

/// The certificates of the first Certificate message in a flight; `None` while it is not whole.
fn certificates(mut flight: &[u8]) -> Option<Vec<CertificateDer<'static>>> {
    loop {
        let (kind, rest) = flight.split_first()?;
        let (body, rest) = counted(rest)?;
        if *kind == CERTIFICATE {
            let (mut list, _) = counted(body)?;
            let mut chain = Vec::new();
            while let Some((certificate, rest)) = counted(list) {
                chain.push(CertificateDer::from(certificate.to_vec()));
                list = rest;
            }
            return Some(chain);
        }
        flight = rest;
    }
}

/// What stands behind a length of three bytes, and the rest.
fn counted(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (&[a, b, c], rest) = bytes.split_first_chunk::<3>()?;
    let len = u32::from_be_bytes([0, a, b, c]);
    rest.split_at_checked(usize::try_from(len).ok()?)
}

fn ended(error: &io::Error) -> Answer {
    match error.kind() {
        ErrorKind::WouldBlock | ErrorKind::TimedOut => Answer::Silent,
        ErrorKind::InvalidData => Answer::Other,
        _ => Answer::Closed,
    }
}

/// Version and suite of a ServerHello; a HelloRetryRequest is one too. In TLS 1.3 the version is in
/// an extension.
fn server_hello(message: &[u8]) -> Option<Answer> {
    let [2, _, _, _, rest @ ..] = message else {
        return None;
    };
    let (legacy, rest) = rest.split_first_chunk::<2>()?;
    let (_random, rest) = rest.split_at_checked(32)?;
    let (session, rest) = rest.split_first()?;
    let (_session, rest) = rest.split_at_checked(usize::from(*session))?;
    let (suite, rest) = rest.split_first_chunk::<2>()?;
    let (_compression, rest) = rest.split_first()?;
    let mut version = u16::from_be_bytes(*legacy);
    let mut extensions = rest.get(2..).unwrap_or_default();
    while let Some((kind, rest)) = extensions.split_first_chunk::<2>() {
        let (len, rest) = rest.split_first_chunk::<2>()?;
        let (body, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes(*len)))?;
        if let (&[0, 43], &[high, low]) = (kind, body) {
            version = u16::from_be_bytes([high, low]);
        }
        extensions = rest;
    }
    let suite = u16::from_be_bytes(*suite);
    Some(Answer::Hello { version, suite })
}
