//! backup-engine: records, snapshots and names of objects are accepted only as they are written,
//! and no path leads out of a restore.

use backup_engine::format::snapshot::{SnapshotBody, path_is_normal};
use backup_engine::format::vault::VaultRecord;
use backup_engine::layout::DomainName;

/// Vault records encode to themselves.
pub fn vault(data: &[u8]) {
    if let Ok((record, tail)) = VaultRecord::parse(data) {
        assert_eq!([&record.head(), tail].concat(), data);
    }
}

/// Snapshots encode to themselves, and restore below their folder.
pub fn snapshot(data: &[u8]) {
    let Ok(body) = SnapshotBody::parse(data) else {
        return;
    };
    assert_eq!(body.encode(), data);
    for member in &body.members {
        assert!(path_is_normal(&member.path));
        let leads_out = |part: &str| matches!(part, "" | "." | "..");
        assert!(!member.path.split('/').any(leads_out), "{}", member.path);
    }
}

/// Names of snapshots are read only as they are written.
pub fn layout(data: &[u8]) {
    let Ok(key) = str::from_utf8(data) else {
        return;
    };
    let domain = DomainName([3; 16]);
    if let Some((epoch, completed, id)) = domain.snapshot_of(key) {
        assert_eq!(domain.snapshot(epoch, completed, id), key);
        assert_eq!(domain.epoch_of(key), Some(epoch));
        assert!(key.starts_with(&domain.prefix()));
    }
    if path_is_normal(key) {
        assert!(!key.starts_with('/') && !key.contains('\0'));
        assert!(!key.split('/').any(|part| matches!(part, "" | "." | "..")));
    }
}
