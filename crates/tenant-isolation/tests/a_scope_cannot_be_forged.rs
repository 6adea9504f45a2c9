//! What must not compile: building or copying a scope, building a permit, rows at level metadata,
//! a person without a source address.
#![cfg(feature = "sqlite")]

#[test]
fn these_do_not_compile() {
    trybuild::TestCases::new().compile_fail("tests/refused/*.rs");
}
