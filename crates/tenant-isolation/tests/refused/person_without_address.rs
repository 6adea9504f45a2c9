//! A person cannot ask without a source address.
use covenant_core::{TenantId, UserId};
use tenant_isolation::Caller;

fn main() {
    Caller::member(TenantId::from_bytes([1; 16]), UserId::from_bytes([1; 16]));
}
