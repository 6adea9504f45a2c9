//! `covenant tls`: what a certificate is made of, and what a running server accepts. Exit codes: 0
//! good, 1 checked and false, 2 usage or bad input, 3 unreachable.

use std::net::{SocketAddr, ToSocketAddrs as _};
use std::path::PathBuf;
use std::time::Duration;

use covenant_core::{Clock as _, SystemClock, SystemRandom};
use crypto_envelope::transit::chain::{self, CERTIFICATE_LEN_BYTES_MAX, CHAIN_LEN_MAX};
use crypto_envelope::transit::{
    Answer, CertificateInfo, ChainError, Must, Probe, ProbeError, presented, probe_with,
};
use serde_json::{Value, json};
use time::UtcDateTime;

use crate::input;
use crate::output::{FALSE, Failure, GOOD, Report, Table};
use crate::progress::Progress;

/// Seconds for a connection, a read or a write when none are given.
const TIMEOUT_SECS: u16 = 5;

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Tls {
    /// Judges a certificate chain: hashes of signatures, keys, order, dates.
    Check(Check),
    /// Sends old, weak and sound first messages to a server, and shows what it answers.
    Probe(ProbeServer),
}

#[derive(Debug, clap::Args)]
pub(crate) struct Check {
    /// The certificates as PEM, leaf first.
    file: PathBuf,
}

#[derive(Debug, clap::Args)]
pub(crate) struct ProbeServer {
    /// Where the server listens, as HOST:PORT.
    server: String,
    /// The name to ask for, when it is not that of the host.
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Seconds for each connection, read and write.
    #[arg(long, value_name = "SECONDS", default_value_t = TIMEOUT_SECS)]
    timeout: u16,
}

impl Tls {
    pub(crate) fn run(self) -> Result<Report, Failure> {
        match self {
            Self::Check(check) => check.run(),
            Self::Probe(probe) => probe.run(),
        }
    }
}

impl Check {
    fn run(self) -> Result<Report, Failure> {
        let path = self.file.display();
        let len_max = CHAIN_LEN_MAX.saturating_mul(CERTIFICATE_LEN_BYTES_MAX.saturating_mul(2));
        let text = input::bytes(&self.file, len_max)?;
        let chain =
            chain::from_pem(&text).map_err(|error| Failure::usage(format!("{path}: {error}")))?;
        let judged = chain::check(&chain);
        if let Err(ChainError::Malformed { .. } | ChainError::TooLarge { .. }) = &judged {
            let error = judged.err().map(|error| error.to_string());
            let error = error.unwrap_or_default();
            return Err(Failure::usage(format!("{path}: {error}")));
        }
        let now = SystemClock::new().now();
        Ok(Judged::of(judged, now).report())
    }
}

/// What came of judging a chain at an instant.
struct Judged {
    certificates: Vec<CertificateInfo>,
    wrong: Vec<String>,
}

impl Judged {
    fn of(judged: Result<Vec<CertificateInfo>, ChainError>, now: UtcDateTime) -> Self {
        let (certificates, mut wrong) = match judged {
            Ok(certificates) => (certificates, Vec::new()),
            Err(error) => (Vec::new(), vec![error.to_string()]),
        };
        for (at, certificate) in certificates.iter().enumerate() {
            if now < certificate.not_before {
                let from = certificate.not_before;
                wrong.push(format!("certificate {at} is not valid before {from}"));
            }
            if now > certificate.not_after {
                let until = certificate.not_after;
                wrong.push(format!("certificate {at} was valid until {until}"));
            }
        }
        Self {
            certificates,
            wrong,
        }
    }

    fn code(&self) -> u8 {
        if self.wrong.is_empty() { GOOD } else { FALSE }
    }

    fn write(&self, text: &mut Table) {
        for certificate in &self.certificates {
            text.row("certificate", &certificate.subject);
            text.row("key", &certificate.key.to_string());
            text.row("signed with", &signature(certificate));
            text.row("valid until", &certificate.not_after.to_string());
        }
        text.rows("wrong", self.wrong.iter().cloned());
    }

    fn json(&self) -> Value {
        let certificate = |certificate: &CertificateInfo| {
            json!({
                "subject": certificate.subject,
                "key": certificate.key.to_string(),
                "signed_with": signature(certificate),
                "not_before": certificate.not_before.unix_timestamp(),
                "not_after": certificate.not_after.unix_timestamp(),
            })
        };
        let certificates: Vec<_> = self.certificates.iter().map(certificate).collect();
        json!({ "certificates": certificates, "wrong": self.wrong })
    }

    fn report(&self) -> Report {
        let code = self.code();
        let mut text = Table::default();
        text.line(if code == GOOD { "good" } else { "not good" });
        self.write(&mut text);
        let chain = self.json();
        Report {
            code,
            text,
            json: json!({ "chain": chain, "exit": code }),
        }
    }
}

fn signature(certificate: &CertificateInfo) -> String {
    let hash = certificate.signature.map(|hash| hash.to_string());
    hash.unwrap_or_else(|| "itself".to_owned())
}

impl ProbeServer {
    fn run(self) -> Result<Report, Failure> {
        let server = self.address()?;
        let host = self.server.rsplit_once(':').map_or("", |(host, _)| host);
        let name = self.name.as_deref().or_else(|| names_a_host(host));
        let timeout = Duration::from_secs(u64::from(self.timeout.max(1)));
        let random = SystemRandom::new();
        let unreachable = |error: ProbeError| {
            let source = std::error::Error::source(&error);
            let why = source.map_or_else(|| error.to_string(), ToString::to_string);
            Failure::unreachable(format!("{}: {}", self.server, why.to_lowercase()))
        };
        let mut answers = Vec::with_capacity(Probe::ALL.len());
        let progress = Progress::new("hellos", Probe::ALL.len());
        for probe in Probe::ALL {
            let answer = probe_with(*probe, server, name, timeout, &random);
            answers.push((*probe, answer.map_err(unreachable)?));
            progress.step();
        }
        drop(progress);
        let chain = presented(server, name, timeout, &random).map_err(unreachable)?;
        // a server that speaks TLS 1.3 alone shows its chain to nobody who cannot finish
        let only_13 = chain.is_empty() && accepts(&answers, Probe::Tls13);
        let judged = (!only_13).then(|| Judged::of(chain::check(&chain), SystemClock::new().now()));
        Ok(report(&answers, judged.as_ref()))
    }

    fn address(&self) -> Result<SocketAddr, Failure> {
        let addresses = self.server.to_socket_addrs();
        let mut addresses = addresses.map_err(|error| {
            let why = error.to_string().to_lowercase();
            match error.kind() {
                std::io::ErrorKind::InvalidInput => Failure::usage(format!("HOST:PORT: {why}")),
                _ => Failure::unreachable(format!("{}: {why}", self.server)),
            }
        })?;
        let none = || Failure::unreachable(format!("{}: no address", self.server));
        addresses.next().ok_or_else(none)
    }
}

/// A host's name is asked for; an address is not.
fn names_a_host(host: &str) -> Option<&str> {
    let is_address = host.starts_with('[') || host.parse::<std::net::IpAddr>().is_ok();
    (!is_address && !host.is_empty()).then_some(host)
}

fn accepts(answers: &[(Probe, Answer)], probe: Probe) -> bool {
    let accepted = |answer: &Answer| matches!(answer, Answer::Hello { .. });
    answers
        .iter()
        .any(|(one, answer)| *one == probe && accepted(answer))
}

/// Good when everything is refused that must be, and TLS 1.2 or 1.3 is spoken under a chain that
/// nothing is wrong with.
fn report(answers: &[(Probe, Answer)], chain: Option<&Judged>) -> Report {
    let spoken = accepts(answers, Probe::Tls12) || accepts(answers, Probe::Tls13);
    let is_wrong = |probe: Probe, answer: Answer| match probe.must() {
        Must::Refuse => !answer.is_as_it_must(probe),
        Must::Accept => !spoken,
    };
    let wrong = answers
        .iter()
        .any(|(probe, answer)| is_wrong(*probe, *answer));
    let chain_code = chain.map_or(GOOD, Judged::code);
    let code = if wrong { FALSE } else { chain_code };
    let mut text = Table::default();
    text.line(if code == GOOD { "good" } else { "not good" });
    let mut rows = Vec::new();
    for (probe, answer) in answers {
        let mark = if is_wrong(*probe, *answer) {
            "wrong"
        } else {
            "as it must"
        };
        text.row(mark, &format!("{probe}: {answer}"));
        rows.push(json!({
            "hello": probe.name(),
            "answer": answer.to_string(),
            "as_it_must": !is_wrong(*probe, *answer),
        }));
    }
    if let Some(chain) = chain {
        chain.write(&mut text);
    }
    let chain = chain.map(Judged::json);
    Report {
        code,
        text,
        json: json!({ "answers": rows, "chain": chain, "exit": code }),
    }
}
