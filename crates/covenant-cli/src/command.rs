//! The sub-commands.

mod key_place;
mod keys;
mod policy;
mod retention;
mod sealing;
mod tls;
mod token;
mod verify;
mod who;

use crate::output::{Failure, Report};

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Administers keys: lists, switches, rotates and destroys them, every call on record.
    Keys(keys::Keys),
    /// Opens a sealed file, whole or in part.
    Open(sealing::Open),
    /// Reads policy files: what a page promises, as data.
    #[command(subcommand)]
    Policy(policy::Policy),
    /// Says what must be kept, what must be gone by when, and why.
    #[command(subcommand)]
    Retention(retention::Retention),
    /// Seals a file under a tenant's root.
    Seal(sealing::Seal),
    /// Asks what a server or a certificate chain is worth.
    #[command(subcommand)]
    Tls(tls::Tls),
    /// Shows and replaces the key by which the tokens of a searchable field are made.
    Token(token::Token),
    /// Checks a signed text: a certificate, receipt, report, manifest or checkpoint.
    Verify(verify::Verify),
}

impl Command {
    pub(crate) fn run(self) -> Result<Report, Failure> {
        match self {
            Self::Keys(keys) => keys.run(),
            Self::Open(open) => open.run(),
            Self::Policy(policy) => policy.run(),
            Self::Retention(retention) => retention.run(),
            Self::Seal(seal) => seal.run(),
            Self::Tls(tls) => tls.run(),
            Self::Token(token) => token.run(),
            Self::Verify(verify) => verify.run(),
        }
    }
}
