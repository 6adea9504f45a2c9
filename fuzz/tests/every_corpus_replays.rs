//! Every file of every corpus keeps its target's promise, every target has seeds, and every folder
//! has its target.

use std::collections::BTreeSet;
use std::error::Error;
use std::fs;
use std::path::Path;

use covenant_fuzz::TARGETS;

#[test]
fn corpora() -> Result<(), Box<dyn Error>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    for (name, target) in TARGETS {
        let mut files = 0;
        for file in fs::read_dir(root.join(name)).map_err(|e| format!("{name}: {e}"))? {
            target(&fs::read(file?.path())?);
            files += 1;
        }
        assert!(files >= 2, "{name} has {files} seeds");
        target(b"");
    }
    let folders = fs::read_dir(&root)?
        .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
        .collect::<Result<BTreeSet<_>, std::io::Error>>()?;
    let targets = TARGETS
        .iter()
        .map(|(name, _)| (*name).to_owned())
        .collect::<BTreeSet<_>>();
    assert_eq!(folders, targets);
    Ok(())
}
