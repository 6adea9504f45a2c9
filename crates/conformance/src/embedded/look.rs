//! Looking at the stores from outside: raw bytes of every file, what surviving keys open of the
//! depot, how a value is sealed, and what the triggers counted.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use audit_log::log_of;
use backup_engine::testing::SEAL_INFO;
use backup_engine::{Backups as _, Engine, Epoch};
use covenant::{Covenant, body_place, object_place, sensitive_place};
use covenant_core::sealer::{Layer, Purpose};
use covenant_core::{Owner, Place, TxTag, TxnId, VaultId};
use crypto_envelope::sealed::{SealedBytes, open_with};
use crypto_envelope::{SurvivingRoot, VaultKeys};
use retention_policy::scan::{Needle, find};
use sql_store::{Args, Db, Mode, SqliteOptions, SqliteProfile};

use super::Embedded;
use super::acts::refusal;
use super::schema::Columns;
use crate::act::{CoverageSeen, LayerSeen, Opening, Record, SealingSeen, Seen, Tenant, VaultSeen};
use crate::canary::{Canary, Sight, Sightings, Store, occurrences, salts_in};
use crate::subject::{Refusal, SubjectError};

/// Bits of the key of a C2SP Cobblestone-256 message, which is all that the opener here opens.
const KEY_BITS: u16 = 256;

impl Embedded {
    /// Searches every file raw, and the depot in what surviving keys open.
    pub(super) async fn look(&mut self, canary: &Canary) -> Result<Sightings, SubjectError> {
        let layout = self.covenant.layout();
        let mut sightings = Sightings::new();
        let mut seen = BTreeSet::new();
        let stores = [
            (Store::Rows, layout.tenants()),
            (Store::Objects, layout.objects()),
            (Store::Backups, layout.depot()),
            (Store::Other, layout.scratch()),
            (Store::Other, layout.keks()),
        ];
        for (store, folder) in stores {
            let mut files = Vec::new();
            walk(&folder, &mut files).map_err(SubjectError::from_source)?;
            raw(&mut sightings, store, &files, canary)?;
            seen.extend(files);
        }
        let beside = |file: PathBuf| retention_policy::scan::sqlite_files(&file).to_vec();
        let audit = beside(layout.audit());
        raw(&mut sightings, Store::Audit, &audit, canary)?;
        seen.extend(audit);
        // Whatever else lies there, whoever put it there.
        let mut rest = Vec::new();
        walk(self.folder.path(), &mut rest).map_err(SubjectError::from_source)?;
        rest.retain(|file| !seen.contains(file));
        raw(&mut sightings, Store::Other, &rest, canary)?;
        let keys: Arc<dyn VaultKeys> = self.covenant.keys().clone();
        let copy = self.covenant.engine_over(self.stolen.path(), keys).await;
        let copy = copy.map_err(SubjectError::from_source)?;
        let depot = self.adversary().await.map_err(SubjectError::from_source)?;
        for (store, engine) in [(Store::Backups, depot), (Store::Replica, copy)] {
            self.look_into_vaults(&mut sightings, store, &engine, canary)
                .await?;
        }
        Ok(sightings)
    }

    /// Takes a copy of what lies at the depot, as somebody would who means to open it later.
    pub(super) fn steal_depot(&self) -> std::io::Result<()> {
        let depot = self.covenant.layout().depot();
        let mut files = Vec::new();
        walk(&depot, &mut files)?;
        for file in files {
            let Ok(path) = file.strip_prefix(&depot) else {
                continue;
            };
            let copy = self.stolen.path().join(path);
            if let Some(folder) = copy.parent() {
                std::fs::create_dir_all(folder)?;
            }
            std::fs::copy(&file, &copy)?;
        }
        Ok(())
    }

    async fn look_into_vaults(
        &self,
        sightings: &mut Sightings,
        store: Store,
        engine: &Engine,
        canary: &Canary,
    ) -> Result<(), SubjectError> {
        let roots = self.covenant.keys().surviving_roots().await;
        let roots = roots.map_err(SubjectError::from_source)?;
        for home in self.homes.values() {
            let domain = Covenant::domain(home.id).map_err(SubjectError::from_source)?;
            let items = engine
                .items(&domain)
                .await
                .map_err(SubjectError::from_source)?;
            for item in items {
                for root in roots
                    .iter()
                    .filter(|root| matches!(root.owner, Owner::Vault(..)))
                {
                    let Some(seal) = root.derive(SEAL_INFO) else {
                        continue;
                    };
                    let opened = engine.plaintexts(&domain, item.epoch, &seal).await;
                    for plain in opened.map_err(SubjectError::from_source)? {
                        // Whoever opens the vault has the sealed values in it, and the roots of the
                        // tenant open those; a salt stands for its value.
                        let marks = occurrences(plain.expose(), canary.marker());
                        let salts = salts_in(plain.expose(), canary.salts());
                        let found = marks.saturating_add(salts);
                        sightings.add_found(store, Sight::Opened, found);
                    }
                }
            }
        }
        Ok(())
    }

    async fn adversary(&self) -> Result<Engine, covenant::StartError> {
        let keys: Arc<dyn VaultKeys> = self.covenant.keys().clone();
        self.covenant.engine_on(keys).await
    }

    pub(super) async fn coverage(&self, tenant: Tenant) -> Result<Seen, Refusal> {
        let home = self.home(tenant)?;
        self.covenant.sequence().await.map_err(refusal)?;
        let db = self.tenant_db(tenant).await?;
        let tag = own_tag();
        let mut tx = db
            .begin_with(Mode::ReadOnly, tag)
            .await
            .map_err(Refusal::failed)?;
        let log = self.covenant.log();
        let measured =
            audit_log::changes::coverage(&mut tx, log.as_ref(), log_of(home.id), 0).await;
        drop(tx);
        db.close().await;
        let measured = measured.map_err(Refusal::failed)?;
        Ok(Seen::Coverage(CoverageSeen {
            touched: measured.touched_rows(),
            attributed: measured.attributed_rows(),
        }))
    }

    async fn tenant_db(&self, tenant: Tenant) -> Result<Db, Refusal> {
        let home = self.home(tenant)?;
        let file = self
            .covenant
            .layout()
            .tenant_file(self.covenant.region(), home.id);
        let options = SqliteOptions::new(file, SqliteProfile::Control)
            .durability(sql_store::Durability::Off)
            .readers(1);
        Db::open_sqlite(options, self.clock.clone())
            .await
            .map_err(Refusal::failed)
    }

    pub(super) async fn vaults(&self) -> Result<Seen, Refusal> {
        let mut seen = Vec::new();
        for (tenant, _epoch, record) in self.vault_records().await? {
            seen.push(VaultSeen {
                vault: record.vault,
                tenant,
                root: record.root,
            });
        }
        Ok(Seen::Vaults(seen))
    }

    async fn vault_records(
        &self,
    ) -> Result<Vec<(Tenant, Epoch, backup_engine::format::vault::VaultRecord)>, Refusal> {
        let engine = self.adversary().await.map_err(Refusal::failed)?;
        let mut found = Vec::new();
        for (tenant, home) in &self.homes {
            let domain = Covenant::domain(home.id).map_err(Refusal::failed)?;
            for item in engine.items(&domain).await.map_err(Refusal::failed)? {
                let record = engine.vault_record(&domain, item.epoch).await;
                if let Some(record) = record.map_err(Refusal::failed)? {
                    found.push((*tenant, item.epoch, record));
                }
            }
        }
        Ok(found)
    }

    pub(super) async fn try_root(&self, vault: VaultId, root_of: VaultId) -> Result<Seen, Refusal> {
        let records = self.vault_records().await?;
        let named = |id| records.iter().find(|(_, _, record)| record.vault == id);
        let (Some((tenant, epoch, own)), Some((other_tenant, other_epoch, other))) =
            (named(vault), named(root_of))
        else {
            return Err(Refusal::denied("no such vault"));
        };
        let roots = self
            .covenant
            .keys()
            .surviving_roots()
            .await
            .map_err(Refusal::failed)?;
        let seal_of = |version| {
            let root = roots.iter().find(|root| root.version == version);
            root.and_then(|root| root.derive(SEAL_INFO))
        };
        let (Some(seal), Some(own_seal)) = (seal_of(other.root), seal_of(own.root)) else {
            return Ok(Seen::Trial(Opening::Refused));
        };
        let domain = Covenant::domain(self.home(*tenant)?.id).map_err(Refusal::failed)?;
        let engine = self.adversary().await.map_err(Refusal::failed)?;
        let opened = engine
            .plaintexts(&domain, *epoch, &seal)
            .await
            .map_err(Refusal::failed)?;
        // Or with the chunk keys that the other vault's snapshots hold.
        let other_domain = Covenant::domain(self.home(*other_tenant)?.id);
        let other_domain = other_domain.map_err(Refusal::failed)?;
        let theirs = engine.chunk_keys(&other_domain, *other_epoch, &seal).await;
        let ours = engine.chunk_keys(&domain, *epoch, &own_seal).await;
        let (theirs, ours) = (
            theirs.map_err(Refusal::failed)?,
            ours.map_err(Refusal::failed)?,
        );
        let opening = if opened.is_empty() && ours.is_disjoint(&theirs) {
            Opening::Refused
        } else {
            Opening::Opened
        };
        Ok(Seen::Trial(opening))
    }

    /// Opens the stored value that holds the canary with every surviving root, by the format alone.
    pub(super) async fn describe(
        &self,
        tenant: Tenant,
        record: Record,
        canary: &Canary,
    ) -> Result<Seen, Refusal> {
        let roots = self
            .covenant
            .keys()
            .surviving_roots()
            .await
            .map_err(Refusal::failed)?;
        let columns = self.columns(tenant).await?;
        let Stored {
            bytes: stored,
            place,
            layered,
            column,
        } = self.stored(tenant, record, canary).await?;
        let mut layers = Vec::new();
        let mut outer_alone = Opening::Refused;
        let outer = if layered {
            place.layered(Layer::Outer, place.purpose())
        } else {
            place.clone()
        };
        if let Some((root, plain)) = open_any(&roots, &outer, &stored) {
            layers.push(layer(root));
            if occurrences(&plain, canary.marker()) > 0 {
                outer_alone = Opening::Opened;
            }
            let inner = place.layered(Layer::Inner, Purpose::Sensitive);
            if layered && let Some((root, _plain)) = open_any(&roots, &inner, &plain) {
                layers.push(layer(root));
            }
        } else if occurrences(&stored, canary.marker()) > 0 {
            outer_alone = Opening::Opened;
        }
        Ok(Seen::Sealing(SealingSeen {
            layers,
            outer_alone,
            column: column.to_owned(),
            content_columns: columns.content,
            plain_columns: columns.plain,
            undeclared_columns: columns.undeclared,
        }))
    }

    async fn columns(&self, tenant: Tenant) -> Result<Columns, Refusal> {
        let db = self.tenant_db(tenant).await?;
        let begun = db.begin_with(Mode::ReadOnly, own_tag()).await;
        let mut tx = begun.map_err(Refusal::failed)?;
        let columns = Columns::read(&mut tx).await;
        drop(tx);
        db.close().await;
        columns.map_err(Refusal::failed)
    }

    /// The stored value that carries one of the canary's salts.
    async fn stored(
        &self,
        tenant: Tenant,
        record: Record,
        canary: &Canary,
    ) -> Result<Stored, Refusal> {
        let home = self.home(tenant)?;
        let item = home.item(record)?;
        let carries = |bytes: &[u8]| {
            SealedBytes::parse(bytes).is_ok_and(|sealed| canary.salts().contains(sealed.salt()))
        };
        let db = self.tenant_db(tenant).await?;
        let mut tx = db
            .begin_with(Mode::ReadOnly, own_tag())
            .await
            .map_err(Refusal::failed)?;
        let sql = include_str!("../../sql/read_content.sql");
        let row = tx.row(sql, Args::new().bind(home.id).bind(item)).await;
        let row = row.map_err(Refusal::failed)?;
        drop(tx);
        db.close().await;
        let row = row.ok_or_else(|| Refusal::denied("no such record"))?;
        let body = row.bytes("body").map_err(Refusal::failed)?;
        if carries(body) {
            let place = body_place(home.id, item).map_err(Refusal::failed)?;
            return Ok(Stored {
                bytes: body.to_vec(),
                place,
                layered: false,
                column: "content.body",
            });
        }
        let sensitive = row
            .opt_bytes("sensitive")
            .map_err(Refusal::failed)?
            .unwrap_or_default();
        if carries(sensitive) {
            let place = sensitive_place(home.id, item).map_err(Refusal::failed)?;
            return Ok(Stored {
                bytes: sensitive.to_vec(),
                place,
                layered: true,
                column: "content.sensitive",
            });
        }
        let objects = self.covenant.layout().objects();
        let mut files = Vec::new();
        walk(&objects, &mut files).map_err(Refusal::failed)?;
        for file in files {
            let bytes = std::fs::read(&file).map_err(Refusal::failed)?;
            if carries(&bytes) {
                let path = file.strip_prefix(&objects).map_err(Refusal::failed)?;
                let place = object_place(home.id, &path.to_string_lossy());
                return Ok(Stored {
                    bytes,
                    place: place.map_err(Refusal::failed)?,
                    layered: false,
                    column: "objects",
                });
            }
        }
        Err(Refusal::denied("no stored value with such a salt"))
    }
}

/// A stored value.
struct Stored {
    bytes: Vec<u8>,
    place: Place,
    /// Whether the place is that of two layers.
    layered: bool,
    /// The column that holds it, or the store.
    column: &'static str,
}

fn layer(root: &SurvivingRoot) -> LayerSeen {
    LayerSeen {
        cipher: format!("aes-{KEY_BITS}"),
        key_bits: KEY_BITS,
        root: root.version,
    }
}

/// The one root that opens the bytes at the place, and what it opens. Bytes that open under any other
/// secret too, or at another place, are not sealed under that root, whatever they say: none then.
fn open_any<'r>(
    roots: &'r [SurvivingRoot],
    place: &Place,
    sealed: &[u8],
) -> Option<(&'r SurvivingRoot, Vec<u8>)> {
    roots.iter().find_map(|root| {
        let opened = open_with(root.root.expose(), root.version, place, sealed).ok()?;
        let others = roots.iter().filter(|other| other.version != root.version);
        let opens = |secret| open_with(secret, root.version, place, sealed).is_ok();
        let elsewhere = place.layered(Layer::Inner, Purpose::Subject);
        let anywhere = open_with(root.root.expose(), root.version, &elsewhere, sealed).is_ok();
        if anywhere
            || others
                .map(|other| other.root.expose())
                .chain([&[0; 32]])
                .any(opens)
        {
            return None;
        }
        Some((root, opened.expose().clone()))
    })
}

/// Adds what lies raw in these files.
fn raw(
    sightings: &mut Sightings,
    store: Store,
    files: &[PathBuf],
    canary: &Canary,
) -> Result<(), SubjectError> {
    let mut needles: Vec<Needle> = canary
        .salts()
        .iter()
        .filter_map(|salt| Needle::new(salt.to_vec()).ok())
        .collect();
    let markers = needles.len();
    needles.extend(Needle::new(canary.marker().to_vec()));
    let scanned = find(files, &needles).map_err(SubjectError::from_source)?;
    sightings.add_scanned(store, scanned.bytes);
    for sighting in scanned.sightings {
        let sight = if sighting.needle < markers {
            Sight::Salt
        } else {
            Sight::Marker
        };
        sightings.add_found(store, sight, 1);
    }
    Ok(())
}

/// Every file below a folder; a folder that is not there has none.
pub(super) fn walk(folder: &Path, files: &mut Vec<PathBuf>) -> std::io::Result<()> {
    let entries = match std::fs::read_dir(folder) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        other => other?,
    };
    for entry in entries {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            walk(&entry.path(), files)?;
        } else {
            files.push(entry.path());
        }
    }
    files.sort();
    Ok(())
}

const fn own_tag() -> TxTag {
    TxTag {
        txn: TxnId::from_bytes([0; 16]),
        tenant: None,
        decision: None,
    }
}
