//! `covenant`: the operator's binary. It reads files that it is given and says what they say; its
//! results go to stdout, progress and complaints to stderr, its exit code is the answer in short.
#![forbid(unsafe_code)]

mod command;
mod input;
mod output;
mod progress;
mod replace;

use std::process::ExitCode;

use clap::Parser;

use crate::output::Format;

/// What a policy file promises, and whether a signed text is authentic.
#[derive(Debug, Parser)]
#[command(
    name = "covenant",
    version,
    after_help = "\
Exit codes: 0 good, 1 checked and false, 2 usage or bad input, 3 unreachable, 4 refused or not
authentic. `covenant policy` has its own: 0 good, 1 finding, 2 usage, 3 document invalid."
)]
struct Arguments {
    /// Prints one JSON object instead of text.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: command::Command,
}

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            // help and version go to stdout and are good; what cannot be printed cannot be told
            let code = u8::try_from(error.exit_code()).unwrap_or(output::USAGE);
            let printed = error.print();
            return ExitCode::from(printed.map_or(output::USAGE, |()| code));
        }
    };
    let format = if arguments.json {
        Format::Json
    } else {
        Format::Text
    };
    match arguments.command.run() {
        Ok(report) => output::print(&report, format),
        Err(failure) => output::fail(&failure, format),
    }
}
