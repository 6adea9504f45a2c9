//! SoftHSM2, a PKCS#11 module in software: only found or installed here; each test makes tokens of its
//! own.

use std::path::PathBuf;

use super::install;
use crate::process::{Fault, exists};

/// Where packages put the module.
const MODULES: [&str; 4] = [
    "/usr/lib/softhsm/libsofthsm2.so",
    "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so",
    "/usr/lib64/softhsm/libsofthsm2.so",
    "/usr/local/lib/softhsm/libsofthsm2.so",
];

/// The module, installed first where it is missing and can be installed.
pub(crate) fn module() -> Result<PathBuf, Fault> {
    if let Some(module) = found() {
        return Ok(module);
    }
    install(&["softhsm2"])?;
    found()
        .ok_or_else(|| Fault::Missing("softhsm2: the module is not where packages put it".into()))
}

/// The module, when also the tool that makes tokens is there.
fn found() -> Option<PathBuf> {
    let tool = exists("softhsm2-util", &["--version"]);
    let module = MODULES.iter().map(PathBuf::from).find(|path| path.exists());
    module.filter(|_| tool)
}
