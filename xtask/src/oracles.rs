//! Other people's tools that read what we write: Python packages in an environment of their own,
//! npm packages in a folder of their own, Java and Chromium from Debian.
//!
//! Everything is pinned in `xtask/oracles/` and lies in `target/oracles/`, installed once for each
//! content of the pins. Tests find it through an environment variable, and print `not run` where it
//! is not set.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use crate::process::{Fault, command, exists, output, root, run};
use crate::servers::install;

/// The pins: Python's, then npm's two.
const PINS: [&str; 3] = ["requirements.txt", "package.json", "package-lock.json"];

/// Programs of the system: how to ask whether one is there, and the packages that bring it.
const PROGRAMS: &[(&str, &[&str], &[&str])] = &[
    (
        "python3",
        &["-m", "ensurepip", "--version"],
        &["python3", "python3-venv"],
    ),
    ("node", &["--version"], &["nodejs"]),
    ("npm", &["--version"], &["npm"]),
    ("openssl", &["version"], &["openssl"]),
    ("java", &["-version"], &["openjdk-17-jre-headless"]),
    (
        "chromium",
        &["--version"],
        &["chromium", "fonts-liberation", "fonts-dejavu-core"],
    ),
];

/// Installs what is missing and returns the folder: `venv/`, `node_modules/`, and `work/`, the
/// working folder in which the tools run (one of them writes 160 MB into it).
pub(crate) fn prepare() -> Result<PathBuf, Fault> {
    for (program, probe, packages) in PROGRAMS {
        if exists(program, probe) {
            continue;
        }
        install(packages)?;
        if !exists(program, probe) {
            return Err(Fault::Missing(format!(
                "{program}: does not start; install {}",
                packages.join(" ")
            )));
        }
    }
    let pins = root().join("xtask/oracles");
    let folder = root().join("target/oracles");
    let wanted = pinned(&pins)?;
    let stamp = folder.join("installed");
    if std::fs::read_to_string(&stamp).is_ok_and(|found| found == wanted) {
        return Ok(folder);
    }
    if folder.exists() {
        std::fs::remove_dir_all(&folder)?;
    }
    std::fs::create_dir_all(folder.join("work"))?;
    python(&pins, &folder)?;
    npm(&pins, &folder)?;
    // last, so that half an installation is made anew
    std::fs::write(&stamp, wanted)?;
    Ok(folder)
}

/// The text of all pins, one after the other: what is installed for another text is replaced.
fn pinned(pins: &Path) -> Result<String, Fault> {
    let mut all = String::new();
    for name in PINS {
        all.push_str(&std::fs::read_to_string(pins.join(name))?);
    }
    Ok(all)
}

fn python(pins: &Path, folder: &Path) -> Result<(), Fault> {
    eprintln!("xtask: installing the Python oracles");
    let venv = folder.join("venv");
    output(command("python3").args(["-m", "venv"]).arg(&venv))?;
    let pip = venv.join("bin/pip");
    let mut pip = command(&pip.to_string_lossy());
    pip.args([
        "install",
        "--quiet",
        "--no-deps",
        "--disable-pip-version-check",
        "-r",
    ]);
    run(pip.arg(pins.join("requirements.txt")))
}

fn npm(pins: &Path, folder: &Path) -> Result<(), Fault> {
    eprintln!("xtask: installing the npm oracles");
    for name in ["package.json", "package-lock.json"] {
        std::fs::copy(pins.join(name), folder.join(name))?;
    }
    let mut npm = command("npm");
    npm.current_dir(folder)
        .args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"]);
    npm.args(["--loglevel", "error"]).stdout(Stdio::null());
    run(&mut npm)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pin_is_exact_and_names_no_place() {
        let pins = root().join("xtask/oracles");
        let python = std::fs::read_to_string(pins.join("requirements.txt")).unwrap();
        for line in python.lines() {
            let (name, version) = line.split_once("==").unwrap();
            assert!(
                !name.is_empty() && version.starts_with(|c: char| c.is_ascii_digit()),
                "{line}"
            );
        }
        let read = |name: &str| -> serde_json::Value {
            serde_json::from_str(&std::fs::read_to_string(pins.join(name)).unwrap()).unwrap()
        };
        let lock = read("package-lock.json");
        for (name, version) in read("package.json")["dependencies"].as_object().unwrap() {
            let locked = &lock["packages"][format!("node_modules/{name}")];
            assert_eq!(locked["version"], *version);
            assert!(locked["integrity"].is_string());
            assert!(locked.get("resolved").is_none());
        }
    }

    #[test]
    fn a_program_exists_when_it_starts_and_is_content() {
        assert!(!exists("covenant-no-such-program", &["--version"]));
        assert!(exists("cargo", &["--version"]));
        assert!(!exists("cargo", &["--no-such-option"]));
    }
}
