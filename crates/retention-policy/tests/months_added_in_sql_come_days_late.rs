//! Why no statement computes a date: SQLite adds months by running over the end of a short one, so
//! a deadline comes up to three days late; a period never does. Over every start day of the
//! 400-year cycle of the calendar.
#![cfg(feature = "sqlite")]

use std::collections::BTreeMap;

use covenant_core::{DayRule, MonthRule, Period, Reading, Zone};
use sqlx::{Connection as _, Row as _, SqliteConnection};
use time::UtcDateTime;

const DAYS: i64 = 146_097;

#[tokio::test]
async fn on_one_start_day_in_fifty() -> Result<(), Box<dyn std::error::Error>> {
    let mut db = SqliteConnection::connect("sqlite::memory:").await?;
    let sql = "WITH RECURSIVE day(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM day WHERE n < 146096) \
               SELECT CAST(strftime('%s', n * 86400, 'unixepoch', '+6 months') AS INTEGER) AS due \
               FROM day ORDER BY n";
    let rows = sqlx::query(sql).fetch_all(&mut db).await?;
    assert_eq!(i64::try_from(rows.len())?, DAYS);
    let six_months: Period = "P6M".parse()?;
    let clamp = Reading::exact(Zone::UTC, DayRule::Elapsed, MonthRule::Clamp);
    let ours = Reading::exact(Zone::UTC, DayRule::Elapsed, MonthRule::ClampEnd);
    let mut late: BTreeMap<i64, u32> = BTreeMap::new();
    let mut before = UtcDateTime::UNIX_EPOCH;
    for (start, row) in (0_i64..).zip(&rows) {
        let sqlite: i64 = row.try_get("due")?;
        let start = UtcDateTime::from_unix_timestamp(start * 86_400)?;
        let due = six_months.resolve(start, &clamp)?.earliest;
        *late
            .entry((sqlite - due.unix_timestamp()) / 86_400)
            .or_default() += 1;
        // what the crate counts with: where the month is too short, the last instant of its last day
        let end = six_months.resolve(start, &ours)?.earliest;
        let over = (end - due).whole_days();
        assert_eq!(over, i64::from(sqlite != due.unix_timestamp()), "{start}");
        assert!(end >= before && sqlite >= end.unix_timestamp(), "{start}");
        before = end;
    }
    let never = late.remove(&0).unwrap_or(0);
    assert_eq!(late.keys().copied().collect::<Vec<_>>(), [1, 2, 3]);
    assert_eq!(late.values().sum::<u32>(), 2_703);
    assert_eq!(i64::from(never) + 2_703, DAYS);
    Ok(())
}
