//! What a run of the tests has at hand: servers, modules and other people's tools.

/// Set when what is missing is a failure, and no reason to leave a test out.
const REQUIRED: &str = "COVENANT_REQUIRE_SERVERS";

/// A run that requires servers and tools does not say where one of them is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0} is not set, and {REQUIRED} is")]
pub struct NotProvided(String);

/// Where the test command says that a server or a tool is, by the name of the variable. `None`, with
/// a note on the standard output, when it says nothing: under a plain `cargo test`, which has no
/// servers.
///
/// # Errors
/// [`NotProvided`] when the variable is not set, and `COVENANT_REQUIRE_SERVERS` is.
#[expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "the test command names servers and tools this way, and a test that did not run says so"
)]
pub fn provided(name: &str) -> Result<Option<String>, NotProvided> {
    match std::env::var(name) {
        Ok(place) => Ok(Some(place)),
        Err(_) if std::env::var_os(REQUIRED).is_some() => Err(NotProvided(name.to_owned())),
        Err(_) => {
            println!("not run: {name} is not set");
            Ok(None)
        }
    }
}
