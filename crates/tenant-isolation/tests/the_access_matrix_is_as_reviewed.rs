//! Every request that the crate knows, on every fact it can meet, has the answer that was reviewed:
//! the golden matrix, and laws over the same enumeration.

use std::fmt::Write;

use common::{callers, facts, rules, states, tenant};
use covenant_core::UserId;
use tenant_isolation::{
    AccessAction, AccessLevel, AccessRequest, Decision, Effect, Principal, RuleId, Rules,
    TenantSnapshot,
};
use uuid::Uuid;

#[cfg(test)]
mod common {
    use std::net::{IpAddr, Ipv4Addr};

    use covenant_core::{Region, RegionSet, StaffId, StoreId, TenantId, UserId};
    use tenant_isolation::{
        Caller, Role, ServiceKind, StandardRules, TenantEpoch, TenantRecord, TenantSnapshot,
        TenantState,
    };
    use time::UtcDateTime;
    use uuid::Uuid;

    const ADDRESS: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 7));

    pub(super) fn tenant(n: u128) -> TenantId {
        TenantId::from_uuid(Uuid::from_u128(n))
    }

    pub(super) fn user() -> UserId {
        UserId::from_uuid(Uuid::from_u128(100))
    }

    pub(super) fn region(name: &str) -> Region {
        RegionSet::new([name])
            .and_then(|set| set.region(name))
            .unwrap()
    }

    pub(super) fn rules() -> StandardRules {
        StandardRules::new(RegionSet::new(["us-chicago"]).unwrap())
    }

    pub(super) fn facts(
        state: Option<TenantState>,
        role: Option<Role>,
        place: &str,
    ) -> TenantSnapshot {
        TenantSnapshot {
            tenant: tenant(1),
            record: state.map(|state| TenantRecord {
                region: region(place),
                state,
                epoch: TenantEpoch::FIRST,
                store: StoreId::from_uuid(Uuid::from_u128(9)),
                generation: 1,
                created: UtcDateTime::UNIX_EPOCH,
            }),
            role: role.map(|role| (user(), role)),
        }
    }

    pub(super) fn states() -> Vec<(&'static str, Option<TenantState>)> {
        let known = TenantState::ALL
            .into_iter()
            .map(|state| (state.name(), Some(state)));
        [("absent", None)].into_iter().chain(known).collect()
    }

    /// Every caller with the role that the facts give it, by name.
    pub(super) fn callers() -> Vec<(String, Caller, Option<Role>)> {
        let mine = || Caller::member(tenant(1), user(), ADDRESS);
        let mut all = vec![
            ("stranger".to_owned(), mine(), None),
            (
                "neighbour-admin".to_owned(),
                Caller::member(tenant(2), user(), ADDRESS),
                Some(Role::Admin),
            ),
            (
                "staff".to_owned(),
                Caller::staff(StaffId::from_uuid(Uuid::from_u128(5)), ADDRESS),
                None,
            ),
        ];
        all.extend(Role::ALL.map(|role| (role.name().to_owned(), mine(), Some(role))));
        all.extend(
            ServiceKind::ALL.map(|kind| (format!("service-{kind}"), Caller::service(kind), None)),
        );
        all
    }
}

const GOLDEN: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/tests/golden/access-matrix.txt"
);
fn every_request(mut see: impl FnMut(&str, &str, &AccessRequest, &TenantSnapshot, Decision)) {
    for (state_name, state) in states() {
        for (name, caller, role) in callers() {
            for action in AccessAction::ALL.iter().copied() {
                let request = AccessRequest::new(caller.clone(), tenant(1), action);
                let facts = facts(state, role, "us-chicago");
                see(
                    state_name,
                    &name,
                    &request,
                    &facts,
                    rules().decide(&request, &facts),
                );
            }
        }
    }
}

#[test]
fn the_golden_matrix_is_met() {
    let mut text = String::from("# state caller action level: effect rule (also)\n");
    every_request(|state, caller, request, _, decision| {
        let level = request.level().map_or("registry", AccessLevel::name);
        let (action, effect) = (request.action(), decision.effect().name());
        write!(
            text,
            "{state} {caller} {action} {level}: {effect} {}",
            decision.rule()
        )
        .unwrap();
        if !decision.also().is_empty() {
            write!(text, " ({})", decision.also()).unwrap();
        }
        text.push('\n');
    });
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(GOLDEN, &text).unwrap();
    }
    let golden = std::fs::read_to_string(GOLDEN).unwrap();
    for (line, (ours, theirs)) in text.lines().zip(golden.lines()).enumerate() {
        assert_eq!(ours, theirs, "line {}", line + 1);
    }
    assert_eq!(text.lines().count(), golden.lines().count());
}

#[test]
fn a_level_above_that_of_the_action_is_never_allowed() {
    every_request(|_, _, request, facts, decision| {
        for level in AccessLevel::ALL {
            let asked = rules().decide(&request.clone().at_level(level), facts);
            if request.action().level().is_none_or(|needed| level > needed) {
                assert_eq!(asked.effect(), Effect::Deny, "{request:?} at {level}");
                assert!(asked.rule() == RuleId::Level || asked.also().contains(RuleId::Level));
            } else if decision.effect() == Effect::Allow {
                assert_eq!(asked.effect(), Effect::Allow, "{request:?} at {level}");
            }
        }
    });
}

#[test]
fn no_allow_crosses_a_tenant_or_stands_on_facts_of_another() {
    every_request(|_, _, request, facts, decision| {
        if let Principal::Member { tenant, .. } = request.caller().principal()
            && tenant != request.tenant()
        {
            assert_eq!(decision.effect(), Effect::Deny);
        }
        let other = TenantSnapshot {
            tenant: tenant(2),
            ..facts.clone()
        };
        let decision = rules().decide(request, &other);
        assert_eq!(
            (decision.effect(), decision.rule()),
            (Effect::Deny, RuleId::Facts)
        );
    });
}

#[test]
fn a_role_of_another_user_gives_nothing() {
    every_request(|_, _, request, facts, _| {
        let other = UserId::from_uuid(Uuid::from_u128(101));
        let facts = TenantSnapshot {
            role: facts.role.map(|(_, role)| (other, role)),
            ..facts.clone()
        };
        if matches!(request.caller().principal(), Principal::Member { .. }) {
            assert_eq!(rules().decide(request, &facts).effect(), Effect::Deny);
        }
    });
}

#[test]
fn a_tenant_of_a_region_that_is_not_served_is_refused_to_everybody() {
    every_request(|_, _, request, known, _| {
        let state = known.record.as_ref().map(|record| record.state);
        let elsewhere = facts(state, known.role.map(|(_, role)| role), "eu-west");
        let decision = rules().decide(request, &elsewhere);
        if state.is_some() {
            assert_eq!(
                (decision.effect(), decision.rule()),
                (Effect::Deny, RuleId::Region)
            );
        }
    });
}

#[test]
fn a_role_taken_away_never_allows() {
    every_request(|_, _, request, facts, decision| {
        let without = TenantSnapshot {
            role: None,
            ..facts.clone()
        };
        if decision.effect() == Effect::Deny {
            assert_eq!(rules().decide(request, &without).effect(), Effect::Deny);
        }
    });
}

#[test]
fn every_decision_cites_a_clause() {
    every_request(|_, _, _, _, decision| assert!(!decision.clauses().is_empty()));
}
