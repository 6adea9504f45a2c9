//! A store cannot be asked without a scope.
use tenant_isolation::{Permit, TenantStore};

async fn begin(store: &dyn TenantStore) {
    store.begin(Permit {}).await;
}

fn main() {}
