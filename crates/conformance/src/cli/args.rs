//! The arguments of the command.

use std::collections::BTreeSet;
use std::path::PathBuf;

/// How to use the command, printed when it is used in another way.
pub const USAGE: &str = "usage: conformance [--policy ID|FILE].. [--clause ID].. [--scenario ID]..
                   [--seed N] [--sources DIR] [--out DIR] [--expected FILE] [--strict]
                   [--sign FILE] [--list] [--help]

  --policy    a document: an id of the folder policies, or a file; all of the folder by default
  --clause    only this clause, as P-51 or prodb.P-51
  --scenario  only this scenario, and the clauses that bind it
  --seed      what starts, canaries and contents are drawn from
  --sources   where the pages are; ../shared/seeds by default
  --out       where the reports go; target/conformance by default
  --expected  reviewed statuses: instead of codes 1 and 5, the code is 6 when one got worse
  --strict    code 5 when a clause is unattested or expired
  --sign      a signing key (PRIVATE+KEY+..): sign a statement over the reports, statement.txt
  --list      print the scenarios that are built, and run nothing
  --help      print this, and run nothing

exit codes: 0 kept; 1 a technical clause is broken, untested or toothless; 2 usage; 3 a document is
invalid, drifted, uncovered or weaker, or a severe finding has no answer; 4 the subject did not start, or no report could be written;
5 with --strict, unattested or expired; 6 with --expected, a status got worse";

/// The seed when none is given; any number will do, and this one is stated in the report.
pub(crate) const SEED_DEFAULT: u64 = 20_271_031;

/// What to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the command has these ways")]
pub enum Way {
    /// Run the scenarios.
    Run,
    /// List them.
    List,
    /// Say how to use the command.
    Help,
}

/// Whether missing and expired attestations count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "they count or they do not")]
pub enum Attestations {
    /// They do not decide the exit code.
    Optional,
    /// They do.
    Strict,
}

/// Parsed arguments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Args {
    /// Documents by id or file; all when empty.
    pub policies: Vec<String>,
    /// Clauses; all when empty.
    pub clauses: BTreeSet<String>,
    /// Scenarios; all when empty.
    pub scenarios: BTreeSet<String>,
    /// The seed.
    pub seed: u64,
    /// Where the pages are.
    pub sources: PathBuf,
    /// Where the reports go.
    pub out: PathBuf,
    /// The golden file.
    pub expected: Option<PathBuf>,
    /// Whether attestations count.
    pub attestations: Attestations,
    /// The file of the key that signs the statement over the reports.
    pub sign: Option<PathBuf>,
    /// What to do.
    pub way: Way,
}

/// The arguments are wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ArgsError {
    /// An option that the command does not know.
    #[error("unknown argument {0}")]
    Unknown(String),
    /// An option without its value.
    #[error("{0} needs a value")]
    NoValue(String),
    /// A value that cannot be.
    #[error("{value} is no value for {option}")]
    Value {
        /// The option.
        option: String,
        /// The value.
        value: String,
    },
}

impl Args {
    /// Parses arguments, the program's name not among them.
    ///
    /// # Errors
    /// [`ArgsError`], the first mistake.
    pub fn parse(args: impl IntoIterator<Item = String>) -> Result<Self, ArgsError> {
        let mut parsed = Self {
            policies: Vec::new(),
            clauses: BTreeSet::new(),
            scenarios: BTreeSet::new(),
            seed: SEED_DEFAULT,
            sources: PathBuf::from("../shared/seeds"),
            out: PathBuf::from("target/conformance"),
            expected: None,
            sign: None,
            attestations: Attestations::Optional,
            way: Way::Run,
        };
        let mut args = args.into_iter();
        while let Some(arg) = args.next() {
            let mut value = || args.next().ok_or_else(|| ArgsError::NoValue(arg.clone()));
            match arg.as_str() {
                "--policy" => parsed.policies.push(value()?),
                "--clause" => drop(parsed.clauses.insert(value()?)),
                "--scenario" => drop(parsed.scenarios.insert(value()?)),
                "--seed" => {
                    let value = value()?;
                    let wrong = |_| ArgsError::Value {
                        option: arg,
                        value: value.clone(),
                    };
                    parsed.seed = value.parse().map_err(wrong)?;
                }
                "--sources" => parsed.sources = value()?.into(),
                "--out" => parsed.out = value()?.into(),
                "--expected" => parsed.expected = Some(value()?.into()),
                "--sign" => parsed.sign = Some(value()?.into()),
                "--strict" => parsed.attestations = Attestations::Strict,
                "--list" => parsed.way = Way::List,
                "--help" | "-h" => {
                    parsed.way = Way::Help;
                    return Ok(parsed);
                }
                _ => return Err(ArgsError::Unknown(arg)),
            }
        }
        Ok(parsed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Args, ArgsError> {
        Args::parse(text.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn every_option_is_understood() {
        let args = parse(
            "--policy prodb --policy a.toml --clause P-51 --scenario bin::x --seed 9 \
             --sources s --out o --expected e --sign k --strict --list",
        );
        let args = args.unwrap();
        assert_eq!(args.policies, ["prodb", "a.toml"]);
        assert!(args.clauses.contains("P-51") && args.scenarios.contains("bin::x"));
        assert_eq!((args.seed, args.way), (9, Way::List));
        assert_eq!(args.attestations, Attestations::Strict);
        assert_eq!(args.expected, Some(PathBuf::from("e")));
        assert_eq!(args.sign, Some(PathBuf::from("k")));
    }

    #[test]
    fn mistakes_are_named() {
        let check = |text: &str, expect: &str| {
            assert_eq!(parse(text).unwrap_err().to_string(), expect);
        };
        check("--bogus", "unknown argument --bogus");
        check("prodb", "unknown argument prodb");
        check("--seed", "--seed needs a value");
        check("--seed x", "x is no value for --seed");
        check("--seed -1", "-1 is no value for --seed");
    }
}
