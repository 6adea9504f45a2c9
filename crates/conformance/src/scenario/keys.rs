//! Keys: every backup vault is sealed under a root of its own.

use covenant_core::BoxFuture;
use time::Duration;

use super::steps::{put, tenant_alone};
use super::{Scenario, Shape, Starts};
use crate::act::{Act, ActKind, Opening, Record, Seen, Tenant, VaultSeen};
use crate::sabotage::Sabotage;
use crate::stage::{Stage, Stop};

/// Two tenants with backups in two epochs each: four vaults at least.
const TENANTS: [Tenant; 2] = [Tenant(1), Tenant(2)];
/// Beyond the longest epoch of a vault in use here, a week.
const NEXT_EPOCH: Duration = Duration::days(8);

/// Roots are injective over vaults, each opens its own vault, and none opens another's.
pub(super) const ONE_KEY_PER_VAULT: Scenario = Scenario {
    id: "keys::one_key_per_vault",
    shape: Shape::Words,
    starts: Starts::Once,
    needs: &[
        ActKind::CreateTenant,
        ActKind::PutRecord,
        ActKind::SetCadence,
        ActKind::BackUp,
        ActKind::ListVaults,
        ActKind::TryVaultRoot,
    ],
    kills: &[Sabotage::VaultKeyShared],
    run: one_key_per_vault,
};

fn one_key_per_vault<'s>(stage: &'s mut Stage<'_>) -> BoxFuture<'s, Result<(), Stop>> {
    Box::pin(async move {
        for tenant in TENANTS {
            tenant_alone(stage, tenant).await?;
            put(stage, tenant, Record(1)).await?;
            stage.back_up(tenant).await?;
        }
        stage.pass(NEXT_EPOCH).await?;
        for tenant in TENANTS {
            stage.back_up(tenant).await?;
        }
        let Seen::Vaults(vaults) = stage.act(Act::ListVaults).await? else {
            return Err(Stop::WrongAnswer(ActKind::ListVaults));
        };
        for tenant in TENANTS {
            let own = vaults.iter().filter(|vault| vault.tenant == tenant).count();
            let enough = if own >= 2 {
                "two or more"
            } else {
                "fewer than two"
            };
            stage.premise(format!("living vaults of {tenant}"), "two or more", enough)?;
        }
        let (for_each, of) = roots_for_vaults(stage);
        let roots = distinct(vaults.iter().map(|vault| vault.root));
        let so_many = vaults.len().saturating_mul(for_each).div_ceil(of);
        stage.check("roots of so many vaults", so_many, roots)?;
        let ids = distinct(vaults.iter().map(|vault| vault.vault));
        stage.check("ids of so many vaults", vaults.len(), ids)?;
        for vault in &vaults {
            for other in &vaults {
                try_root(stage, vault, other).await?;
            }
        }
        Ok(())
    })
}

/// How many roots there are for how many vaults, in the words of the clause: one for each without any.
fn roots_for_vaults(stage: &Stage<'_>) -> (usize, usize) {
    let words = stage.brief().words(|word| {
        let (roots, vaults) = word.split_once(':')?;
        let vaults = vaults.parse::<usize>().ok().filter(|vaults| *vaults > 0)?;
        Some((roots.parse::<usize>().ok()?, vaults))
    });
    words.into_iter().next().unwrap_or((1, 1))
}

async fn try_root(stage: &mut Stage<'_>, vault: &VaultSeen, other: &VaultSeen) -> Result<(), Stop> {
    let act = Act::TryVaultRoot {
        vault: vault.vault,
        root_of: other.vault,
    };
    let Seen::Trial(opening) = stage.act(act).await? else {
        return Err(Stop::WrongAnswer(ActKind::TryVaultRoot));
    };
    let observed = match opening {
        Opening::Opened => "opened",
        Opening::Refused => "refused",
    };
    if vault.vault == other.vault {
        stage.premise("a vault under its own root", "opened", observed)
    } else {
        stage.check("a vault under the root of another", "refused", observed)
    }
}

fn distinct<T: Ord>(ids: impl Iterator<Item = T>) -> usize {
    ids.collect::<std::collections::BTreeSet<_>>().len()
}
