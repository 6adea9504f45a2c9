//! Level metadata begins no transaction.
use tenant_isolation::{Scope, TenantStore, level::Metadata};

async fn rows(scope: Scope<Metadata>, store: &dyn TenantStore) {
    scope.begin(store).await;
}

fn main() {}
