//! A fresh token of SoftHSM2 for one test. The module reads where its tokens lie from the environment
//! of its process, so each test runs again in a process of its own.

use std::error::Error;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use crypto_envelope::backend::pkcs11::Pkcs11Url;
use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::error::{Error as ModuleError, RvError};
use cryptoki::session::{Session, UserType};
use cryptoki::types::AuthPin;

/// The user's PIN.
pub(crate) const PIN: &str = "648219";
/// Set in the process that runs the test itself: where its token lies.
const FOLDER: &str = "COVENANT_TEST_TOKEN";
/// Where packages put the module.
const MODULES: [&str; 4] = [
    "/usr/lib/softhsm/libsofthsm2.so",
    "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so",
    "/usr/lib64/softhsm/libsofthsm2.so",
    "/usr/local/lib/softhsm/libsofthsm2.so",
];

pub(crate) struct Token {
    folder: PathBuf,
    module: PathBuf,
}

/// Runs a test on a fresh token; says so when there is no module and none is required.
pub(crate) fn on_a_token(
    test: &str,
    body: impl AsyncFnOnce(&Token) -> Result<(), Box<dyn Error>>,
) -> Result<(), Box<dyn Error>> {
    let Some(module) = module() else {
        assert!(
            variable("COVENANT_REQUIRE_SERVERS").is_none(),
            "SoftHSM2 is not installed, and is required: apt install softhsm2"
        );
        println!("not run: no PKCS#11 module");
        return Ok(());
    };
    if let Some(folder) = variable(FOLDER) {
        let folder = PathBuf::from(folder);
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()?;
        return runtime.block_on(body(&Token { folder, module }));
    }
    let folder = tempfile::tempdir()?;
    let at = |name: &str| folder.path().join(name);
    fs::create_dir(at("tokens"))?;
    let settings = format!(
        "directories.tokendir = {}\nobjectstore.backend = file\nlog.level = ERROR\n",
        at("tokens").display()
    );
    fs::write(at("softhsm2.conf"), settings)?;
    let token = Token {
        folder: folder.path().to_owned(),
        module,
    };
    token.write_pin(PIN)?;
    let made = Command::new("softhsm2-util")
        .args(["--init-token", "--free", "--label", "covenant"])
        .args(["--so-pin", "12345678", "--pin", PIN])
        .env("SOFTHSM2_CONF", at("softhsm2.conf"))
        .output()?;
    assert!(made.status.success(), "{made:?}");
    let run = Command::new(std::env::current_exe()?)
        .args([test, "--exact", "--nocapture"])
        .env("SOFTHSM2_CONF", at("softhsm2.conf"))
        .env(FOLDER, folder.path())
        .output()?;
    let said = [run.stdout, run.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    assert!(run.status.success(), "{said}");
    assert!(said.contains("1 passed"), "{said}");
    Ok(())
}

impl Token {
    pub(crate) fn url(&self) -> Pkcs11Url {
        let (module, pin) = (self.module.display(), self.pin_file());
        format!(
            "pkcs11:token=covenant?module-path={module}&pin-source=file:{}",
            pin.display()
        )
        .parse()
        .expect("an address")
    }

    pub(crate) fn pin_file(&self) -> PathBuf {
        self.folder.join("pin")
    }

    pub(crate) fn write_pin(&self, pin: &str) -> std::io::Result<()> {
        fs::write(self.pin_file(), pin)?;
        fs::set_permissions(self.pin_file(), fs::Permissions::from_mode(0o600))
    }

    /// Takes the token away, as if it were pulled out.
    pub(crate) fn pull(&self) -> std::io::Result<()> {
        fs::rename(self.folder.join("tokens"), self.folder.join("pulled"))?;
        fs::create_dir(self.folder.join("tokens"))
    }

    /// Puts it back.
    pub(crate) fn put_back(&self) -> std::io::Result<()> {
        fs::remove_dir(self.folder.join("tokens"))?;
        fs::rename(self.folder.join("pulled"), self.folder.join("tokens"))
    }

    fn context(&self) -> Result<Pkcs11, ModuleError> {
        let context = Pkcs11::new(&self.module)?;
        match context.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)) {
            Ok(()) | Err(ModuleError::Pkcs11(RvError::CryptokiAlreadyInitialized, _)) => {}
            Err(error) => return Err(error),
        }
        Ok(context)
    }

    /// A session beside those of the backend.
    pub(crate) fn session(&self) -> Result<Session, Box<dyn Error>> {
        let context = self.context()?;
        let slots = context.get_slots_with_initialized_token()?;
        let session = context.open_rw_session(*slots.first().ok_or("no token")?)?;
        match session.login(UserType::User, Some(&AuthPin::new(PIN.into()))) {
            Ok(()) | Err(ModuleError::Pkcs11(RvError::UserAlreadyLoggedIn, _)) => Ok(session),
            Err(error) => Err(error.into()),
        }
    }
}

fn module() -> Option<PathBuf> {
    if let Some(path) = variable("COVENANT_TEST_PKCS11") {
        return Some(PathBuf::from(path));
    }
    MODULES
        .iter()
        .map(PathBuf::from)
        .find(|path| Path::exists(path))
}

#[expect(
    clippy::disallowed_methods,
    reason = "the test command names its module this way"
)]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}
