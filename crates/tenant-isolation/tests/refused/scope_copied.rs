//! A scope is one; a copy would outlive it.
use tenant_isolation::{Scope, level::Read};

fn twice(scope: &Scope<Read>) -> (Scope<Read>, Scope<Read>) {
    (scope.clone(), Scope::default())
}

fn main() {}
