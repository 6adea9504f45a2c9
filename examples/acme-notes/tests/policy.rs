//! Every clause of Acme's page, on Acme's own service.

#[path = "policy/subject.rs"]
mod subject;

conformance::suite!(subject::AcmeFactory, "acme.toml");
