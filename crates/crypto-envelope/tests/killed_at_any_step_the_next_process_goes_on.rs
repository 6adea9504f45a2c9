//! A process that rotates or destroys keys is killed (SIGKILL) after each of its calls to the store
//! and to the backend: the next process completes the work, and nothing is lost or left over.
#![cfg(all(unix, feature = "sqlite", feature = "testing"))]

#[cfg(test)]
mod common;

use std::error::Error;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use common::{TestResult, World, body, epoch, start};
use covenant_core::sealer::{Purpose, Sealer};
use covenant_core::{Owner, Place};
use crypto_envelope::backend::Presence;
use crypto_envelope::record::{KekState, RootState, Switch};
use crypto_envelope::testing::{Faults, FaultyBackend, FaultyStore};
use crypto_envelope::{Envelope, Keys, VaultKeys};
use time::{Duration, UtcDateTime};

const DAY: Duration = Duration::DAY;
/// Names the folder, the run and the point of a child.
const CHILD: &str = "COVENANT_TEST_KEYS_CHILD";
const HALTED: &str = "halted at its point";
const DONE: &str = "went through";
/// More calls than a run has.
const CALLS: u64 = 300;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Run {
    Rotation,
    Destruction,
}

impl Run {
    fn at(self) -> UtcDateTime {
        match self {
            Self::Rotation => start() + DAY * 365,
            Self::Destruction => start() + DAY * 373,
        }
    }

    async fn work(self, keys: &Keys) -> TestResult {
        match self {
            Self::Rotation => drop(keys.rotate_due(self.at()).await?),
            Self::Destruction => drop(keys.destroy_due(self.at()).await?),
        }
        Ok(())
    }
}

/// A platform before its run: what opens afterwards, and what must not.
struct Before {
    opens: Vec<(Place, Vec<u8>)>,
    dead: Vec<(Place, Vec<u8>)>,
}

async fn prepare(dir: &Path, run: Run) -> Result<Before, Box<dyn Error>> {
    let world = World::on_files(dir).await?;
    let keys = Arc::new(world.keys().await?);
    let sealer = Envelope::new(keys.clone());
    let (mut opens, mut dead) = (Vec::new(), Vec::new());
    let (living, planned) = (world.tenant()?, world.tenant()?);
    for tenant in [living, planned] {
        keys.create_tenant(tenant).await?;
        for purpose in [Purpose::Data, Purpose::Sensitive] {
            let place = body(Owner::Tenant(tenant), purpose)?;
            let sealed = sealer.seal(&place, b"text").await?;
            let goes = tenant == planned && run == Run::Destruction;
            if goes { &mut dead } else { &mut opens }.push((place, sealed));
        }
    }
    if run == Run::Destruction {
        keys.plan_tenant(planned, run.at()).await?;
        world.clock.advance_to(start() + DAY * 330);
        let name = epoch("dies")?;
        for _ in 0..2 {
            keys.vault_root(living, world.vault()?, &name, run.at())
                .await?;
        }
        world.clock.advance_to(Run::Rotation.at());
        keys.rotate_due(Run::Rotation.at()).await?;
    }
    Ok(Before { opens, dead })
}

async fn check(dir: &Path, run: Run, before: &Before, seed: u64) -> TestResult {
    let world = World::open_files(dir, seed, run.at()).await?;
    let keys = Arc::new(world.keys().await?);
    run.work(&keys).await?;
    let sealer = Envelope::new(keys.clone());
    for (place, sealed) in &before.opens {
        assert_eq!(sealer.open(place, sealed).await?.expose(), b"text");
    }
    for (place, sealed) in &before.dead {
        assert!(sealer.open(place, sealed).await.is_err());
    }
    let keks = keys.list_keks().await?;
    for kek in &keks {
        let alive = world.backend.probe(kek.id).await? == Presence::Present;
        assert_eq!(alive, kek.state == KekState::Enabled, "{kek:?}");
        match run {
            Run::Rotation => {
                let switch = if kek.n == 1 {
                    Switch::Pending
                } else {
                    Switch::On
                };
                assert_eq!(kek.switch, switch);
            }
            Run::Destruction => assert_eq!(alive, kek.n == 2),
        }
    }
    let expect = match run {
        Run::Rotation => 4,
        Run::Destruction => 5,
    };
    assert_eq!(keks.len(), expect, "no KEK too many");
    let survivors = keys.surviving_roots().await?;
    let roots = keys.list().await?;
    let living = roots.iter().filter(|r| r.state != RootState::Destroyed);
    assert_eq!(survivors.len(), living.count());
    let files = std::fs::read_dir(common::key_dir(dir))?.count();
    let alive = keks.iter().filter(|kek| kek.state == KekState::Enabled);
    assert_eq!(files, alive.count(), "no key file is left over");
    Ok(())
}

#[tokio::test]
async fn during_a_rotation() -> TestResult {
    killed(Run::Rotation).await
}

#[tokio::test]
async fn during_a_destruction() -> TestResult {
    killed(Run::Destruction).await
}

async fn killed(run: Run) -> TestResult {
    for call in 0..CALLS {
        let dir = tempfile::tempdir()?;
        let before = prepare(dir.path(), run).await?;
        let told = kill_child(dir.path(), run, call)?;
        check(dir.path(), run, &before, 1000 + call).await?;
        if told == DONE {
            assert!(call > 10, "only {call} calls");
            say(&format!("{run:?}: killed after each of {call} calls"))?;
            return Ok(());
        }
    }
    Err("the run has more calls than are tried".into())
}

/// Runs a child up to its point and kills it there; what it said last.
fn kill_child(dir: &Path, run: Run, call: u64) -> Result<&'static str, Box<dyn Error>> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["--exact", "the_child", "--nocapture"]);
    command.env(CHILD, format!("{run:?};{call};{}", dir.display()));
    command.stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn()?;
    let stdout = child.stdout.take().ok_or("no output")?;
    let mut told = None;
    for line in BufReader::new(stdout).lines() {
        let line = line?;
        told = [HALTED, DONE].into_iter().find(|word| line.contains(word));
        if told.is_some() {
            break;
        }
    }
    if told == Some(HALTED) {
        child.kill()?;
    }
    child.wait()?;
    told.ok_or_else(|| "the child said nothing".into())
}

/// What a child does; nothing at all in the run of the tests themselves.
#[tokio::test]
#[expect(
    clippy::disallowed_methods,
    reason = "a child is told by its parent what to do"
)]
async fn the_child() -> TestResult {
    let Ok(told) = std::env::var(CHILD) else {
        return Ok(());
    };
    let mut parts = told.splitn(3, ';');
    let mut part = || parts.next().ok_or("a part is missing");
    let run = match part()? {
        "Rotation" => Run::Rotation,
        _ => Run::Destruction,
    };
    let call: u64 = part()?.parse()?;
    let world = World::open_files(Path::new(part()?), 500 + call, run.at()).await?;
    let faults = Faults::none();
    let store = Arc::new(FaultyStore::new(world.store.clone(), faults.clone()));
    let backend = Arc::new(FaultyBackend::new(world.backend.clone(), faults.clone()));
    let keys = world.keys_over(store, backend).await?;
    // after the call: before the next one is the same moment
    faults.halt_at(call * 2 + 1, || drop(say(HALTED)));
    run.work(&keys).await?;
    say(DONE)?;
    Ok(())
}

fn say(word: &str) -> std::io::Result<()> {
    let mut out = std::io::stdout();
    writeln!(out, "{word}")?;
    out.flush()
}
