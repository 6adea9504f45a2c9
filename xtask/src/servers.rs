//! Throw-away servers of the test suite: on loopback, in a folder of their own, stopped on drop.

pub(crate) mod postgres;
pub(crate) mod softhsm;

use std::net::{Ipv4Addr, TcpListener};

use crate::process::{Fault, command, exists, run};

/// A port that is free on loopback now.
fn free_port() -> Result<u16, Fault> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?
        .local_addr()?
        .port())
}

/// Installs packages with apt when this is Debian and we are root; else says what to install.
pub(crate) fn install(packages: &[&str]) -> Result<(), Fault> {
    let names = packages.join(" ");
    if !exists("apt-get", &["--version"]) || !is_root() {
        return Err(Fault::Missing(format!(
            "{names}: not installed; install it, then run again"
        )));
    }
    eprintln!("xtask: installing {names}");
    let apt = |args: &[&str]| {
        let mut apt = command("apt-get");
        apt.env("DEBIAN_FRONTEND", "noninteractive")
            .args(["-qq", "-y"])
            .args(args);
        run(&mut apt)
    };
    apt(&["update"])?;
    let mut args = vec!["install", "--no-install-recommends"];
    args.extend(packages);
    apt(&args)
}

/// Whether this process is root's.
fn is_root() -> bool {
    crate::process::output(command("id").arg("-u")).is_ok_and(|id| id.trim() == "0")
}
