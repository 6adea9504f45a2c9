//! A PostgreSQL server of its own: fresh data folder, free port, loopback only.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::{free_port, install, is_root};
use crate::process::{Fault, command, output, run};

/// Oldest major version that the tests run on (tenant-isolation 6: the floor 15.14).
const MAJOR_MIN: u32 = 15;

/// A running server; dropping it stops it and removes its folder.
#[derive(Debug)]
pub(crate) struct Postgres {
    programs: PathBuf,
    folder: PathBuf,
    port: u16,
}

impl Postgres {
    /// Starts a server, installing PostgreSQL first where it is missing and can be installed.
    pub(crate) fn start() -> Result<Self, Fault> {
        let programs = match programs() {
            Some(programs) => programs,
            None => {
                install(&["postgresql"])?;
                programs().ok_or_else(|| {
                    Fault::Missing(format!(
                        "postgresql: version {MAJOR_MIN} or newer is needed"
                    ))
                })?
            }
        };
        let name = format!("covenant-postgres-{}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        if folder.exists() {
            std::fs::remove_dir_all(&folder)?;
        }
        std::fs::create_dir_all(&folder)?;
        if is_root() {
            run(command("chown").arg("postgres").arg(&folder))?;
        }
        let server = Self {
            programs,
            folder,
            port: free_port()?,
        };
        let data = server.folder.join("data");
        output(
            server
                .program("initdb")
                .arg("-D")
                .arg(&data)
                .args([
                    "--username=postgres",
                    "--auth=trust",
                    "--encoding=UTF8",
                    "--no-sync",
                ])
                .arg("--locale=C"),
        )?;
        // The server inherits these pipes, so its own words must go to a file.
        let options = format!(
            "-p {} -k {} -c listen_addresses=127.0.0.1 -c fsync=on -c max_connections=64",
            server.port,
            server.folder.display()
        );
        let mut start = server.program("pg_ctl");
        start
            .arg("-D")
            .arg(&data)
            .arg("-l")
            .arg(server.folder.join("log"));
        start.args(["-w", "-t", "60", "-o", &options, "start"]);
        start
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null());
        run(&mut start)?;
        Ok(server)
    }

    /// Where to connect: superuser `postgres`, no password.
    pub(crate) fn url(&self) -> String {
        format!("postgres://postgres@127.0.0.1:{}/postgres", self.port)
    }

    fn program(&self, name: &str) -> Command {
        let path = self.programs.join(name);
        let mut program = if is_root() {
            let mut program = Command::new("runuser");
            program.args(["-u", "postgres", "--"]).arg(path);
            program
        } else {
            Command::new(path)
        };
        program.current_dir(&self.folder);
        program
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        let data = self.folder.join("data");
        let stopped =
            output(
                self.program("pg_ctl")
                    .arg("-D")
                    .arg(&data)
                    .args(["-m", "immediate", "stop"]),
            );
        if let Err(fault) = stopped {
            eprintln!("xtask: postgresql did not stop: {fault}");
        }
        if let Err(error) = std::fs::remove_dir_all(&self.folder) {
            eprintln!("xtask: {}: {error}", self.folder.display());
        }
    }
}

/// The folder of the newest server programs that are new enough: Debian's places, then PATH's.
fn programs() -> Option<PathBuf> {
    let mut found: Vec<(u32, PathBuf)> = Vec::new();
    for entry in std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
    {
        let major = entry.file_name().to_string_lossy().parse().unwrap_or(0);
        found.push((major, entry.path().join("bin")));
    }
    if let Ok(folder) = output(Command::new("pg_config").arg("--bindir")) {
        let version = output(Command::new("pg_config").arg("--version")).unwrap_or_default();
        found.push((major_of(&version), PathBuf::from(folder.trim())));
    }
    found.retain(|(major, bin)| *major >= MAJOR_MIN && has_server(bin));
    found.sort();
    found.pop().map(|(_, bin)| bin)
}

fn has_server(bin: &Path) -> bool {
    ["initdb", "pg_ctl", "postgres"]
        .iter()
        .all(|name| bin.join(name).is_file())
}

/// The major version in a line such as `PostgreSQL 15.18 (Debian 15.18-0+deb12u1)`.
fn major_of(line: &str) -> u32 {
    let digits = line
        .chars()
        .skip_while(|c| !c.is_ascii_digit())
        .take_while(char::is_ascii_digit);
    digits.collect::<String>().parse().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_line_gives_its_major_version() {
        assert_eq!(major_of("PostgreSQL 15.18 (Debian 15.18-0+deb12u1)"), 15);
        assert_eq!(major_of("PostgreSQL 18.0"), 18);
        assert_eq!(major_of("none"), 0);
    }
}
