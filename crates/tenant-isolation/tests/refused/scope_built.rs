//! A scope has private fields and no constructor.
use tenant_isolation::{Scope, level::Read};

fn main() {
    let _scope: Scope<Read> = Scope {};
}
