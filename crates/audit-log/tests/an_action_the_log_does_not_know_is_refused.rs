//! The table of actions says of each action what its event must carry; actions whose duties this
//! version does not keep have no settings, and their events are refused.

use audit_log::action::{Class, Effect, Op, settings};
use covenant_core::Action;

const UNKNOWN: [&str; 20] = [
    "erasure.requested",
    "erasure.applied",
    "erasure.completed",
    "staff.access",
    "breakglass.opened",
    "breakglass.closed",
    "incident.suspected",
    "incident.confirmed",
    "notice.queued",
    "notice.delivered",
    "update.announced",
    "update.started",
    "update.completed",
    "disclosure.requested",
    "disclosure.made",
    "disclosure.told",
    "log.key_rotated",
    "log.gap",
    "log.pruned",
    "log.recovered",
];

#[test]
fn exactly_these_are_refused() {
    for action in Action::ALL {
        let unknown = UNKNOWN.contains(&action.name());
        assert_eq!(settings(*action).is_none(), unknown, "{action}");
    }
}

#[test]
fn the_ledger_and_the_change_log_follow_these_actions() {
    let effects = [
        (Action::RecordDeleted, Effect::Hidden),
        (Action::RecordRestored, Effect::Live),
        (Action::RecordManualPurge, Effect::Purged),
        (Action::RecordPurged, Effect::Purged),
        (Action::ObjectDeleted, Effect::Purged),
        (Action::ContractTerminated, Effect::DatabaseDeleted),
        (Action::DatabaseDeleted, Effect::DatabaseDeleted),
        (Action::DatabaseRestored, Effect::DatabaseLive),
        (Action::DatabasePurged, Effect::DatabasePurged),
        (Action::HoldPlaced, Effect::Held),
        (Action::HoldReleased, Effect::Free),
    ];
    for action in Action::ALL {
        let expected = effects
            .iter()
            .find(|(a, _)| a == action)
            .map(|(_, effect)| *effect);
        let settings = settings(*action);
        assert_eq!(settings.and_then(|s| s.effect()), expected, "{action}");
        let changes = settings.is_some_and(|s| !s.ops().is_empty());
        let class = settings.is_some_and(|s| s.class() == Class::Change);
        assert_eq!(
            changes,
            class && *action != Action::ChangeUnattributed,
            "{action}"
        );
    }
    for op in [Op::Insert, Op::Update, Op::Delete] {
        assert_eq!(Op::named(op.name()), Some(op));
    }
    assert_eq!(Op::named("truncate"), None);
}
