//! The one unsafe module: settings of SQLite that no SQL and no function of sqlx reaches, and the
//! copy of pages.
//!
//! Every value that is set is read back from the library and compared.
#![expect(
    unsafe_code,
    reason = "SQLite's C interface; every call has its own SAFETY comment"
)]

use std::ffi::c_int;
use std::ptr;

use libsqlite3_sys as ffi;
use sqlx::sqlite::LockedSqliteHandle;

/// One setting that did not read back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Mismatch {
    pub(super) name: &'static str,
    pub(super) expected: c_int,
    pub(super) found: c_int,
}

/// How many databases may be attached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Attach {
    /// None: neither ATTACH nor VACUUM works.
    Nothing,
    /// One, which VACUUM and VACUUM INTO need.
    One,
}

/// The switches of `sqlite3_db_config`, and the value of each.
const SWITCHES: [(&str, c_int, c_int); 6] = [
    ("DEFENSIVE", ffi::SQLITE_DBCONFIG_DEFENSIVE, 1),
    ("TRUSTED_SCHEMA", ffi::SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0),
    ("WRITABLE_SCHEMA", ffi::SQLITE_DBCONFIG_WRITABLE_SCHEMA, 0),
    (
        "ENABLE_LOAD_EXTENSION",
        ffi::SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION,
        0,
    ),
    ("DQS_DML", ffi::SQLITE_DBCONFIG_DQS_DML, 0),
    ("DQS_DDL", ffi::SQLITE_DBCONFIG_DQS_DDL, 0),
];

/// Sets the limit and every switch, then reads all of them back.
pub(super) fn harden(handle: &mut LockedSqliteHandle<'_>, attach: Attach) -> Result<(), Mismatch> {
    let expected = attached(attach);
    let db = handle.as_raw_handle().as_ptr();
    // SAFETY: `db` is the open connection of this lock guard, which nobody else uses while the guard
    // lives; the limit's id is SQLite's own constant. The call returns the former value.
    unsafe { ffi::sqlite3_limit(db, ffi::SQLITE_LIMIT_ATTACHED, expected) };
    for (_, switch, value) in SWITCHES {
        // SAFETY: as above; each of these switches takes an `int` and a pointer to an `int`, which
        // may be null.
        unsafe { ffi::sqlite3_db_config(db, switch, value, ptr::null_mut::<c_int>()) };
    }
    verify(handle, attach)
}

/// Reads the limit and every switch, and compares.
pub(super) fn verify(handle: &mut LockedSqliteHandle<'_>, attach: Attach) -> Result<(), Mismatch> {
    let expected = attached(attach);
    let db = handle.as_raw_handle().as_ptr();
    // SAFETY: `db` is the open connection of this lock guard; a value of -1 changes nothing and
    // returns the limit.
    let found = unsafe { ffi::sqlite3_limit(db, ffi::SQLITE_LIMIT_ATTACHED, -1) };
    compare("ATTACHED", expected, found)?;
    for (name, switch, expected) in SWITCHES {
        let mut found: c_int = -1;
        // SAFETY: as above; a value of -1 changes nothing, and `found` is an `int` that outlives the
        // call, into which SQLite writes the switch.
        unsafe { ffi::sqlite3_db_config(db, switch, -1, ptr::from_mut(&mut found)) };
        compare(name, expected, found)?;
    }
    Ok(())
}

const fn attached(attach: Attach) -> c_int {
    match attach {
        Attach::Nothing => 0,
        Attach::One => 1,
    }
}

const fn compare(name: &'static str, expected: c_int, found: c_int) -> Result<(), Mismatch> {
    if expected == found {
        Ok(())
    } else {
        Err(Mismatch {
            name,
            expected,
            found,
        })
    }
}

/// Copies every page of one database into another, as of one instant. On failure returns SQLite's
/// result code.
pub(super) fn copy_pages(
    from: &mut LockedSqliteHandle<'_>,
    to: &mut LockedSqliteHandle<'_>,
) -> Result<(), c_int> {
    let source = from.as_raw_handle().as_ptr();
    let target = to.as_raw_handle().as_ptr();
    // SAFETY: both are open connections of their lock guards, which live until this function
    // returns, and they are two different ones; the names are NUL-terminated literals.
    let backup =
        unsafe { ffi::sqlite3_backup_init(target, c"main".as_ptr(), source, c"main".as_ptr()) };
    if backup.is_null() {
        // SAFETY: the target is open; the call only reads its last result code.
        return Err(unsafe { ffi::sqlite3_extended_errcode(target) });
    }
    // SAFETY: `backup` is not null and was not finished yet; -1 copies all pages in one step, under
    // one read transaction of the source.
    let step = unsafe { ffi::sqlite3_backup_step(backup, -1) };
    // SAFETY: `backup` is not null, and is finished here and nowhere else.
    let finish = unsafe { ffi::sqlite3_backup_finish(backup) };
    match (step, finish) {
        (ffi::SQLITE_DONE, ffi::SQLITE_OK) => Ok(()),
        (ffi::SQLITE_DONE, code) | (code, _) => Err(code),
    }
}
