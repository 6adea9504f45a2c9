//! The text of a checkpoint is that of the C2SP format, and no other text is read as one.

use audit_log::checkpoint::Checkpoint;
use audit_log::merkle::{TreeHead, empty_root};
use audit_log::{ServiceHost, log_of, operator_log, tenant_of};
use covenant_core::TenantId;

const TEXT: &str = "db.example.org/audit/01010101010101010101010101010101\n70000\n\
                    47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n";

#[test]
fn the_text_is_origin_size_and_root() {
    let host: ServiceHost = "db.example.org".parse().unwrap();
    let tenant = TenantId::from_bytes([1; 16]);
    let head = TreeHead {
        size: 70_000,
        root: empty_root(),
    };
    let checkpoint = Checkpoint::new(&host.origin(log_of(tenant)), head).unwrap();
    assert_eq!(checkpoint.encode(), TEXT);
    assert_eq!(Checkpoint::parse(TEXT), Ok(checkpoint));
}

#[test]
fn other_texts_are_refused() {
    let swaps = [
        ("70000", "070000"),
        ("70000", "+70000"),
        ("70000", "-1"),
        ("70000", "18446744073709551616"),
        ("70000\n", "70000\r\n"),
        ("70000\n", ""),
        ("FU=\n", "FU=\nextension\n"),
        ("FU=\n", "FU="),
        ("FU=\n", "FU\n"),
        ("FU=", "FV="),
        ("47DE", "47D"),
        ("db.example.org/", "db example.org/"),
        ("db.example.org/", "db+example.org/"),
        ("db.example.org/audit/01010101010101010101010101010101", ""),
    ];
    for (from, to) in swaps {
        let changed = TEXT.replace(from, to);
        assert_ne!(changed, TEXT);
        assert!(Checkpoint::parse(&changed).is_err(), "{changed:?}");
    }
    assert!(Checkpoint::parse("").is_err());
    assert!("Db.example.org".parse::<ServiceHost>().is_err());
    assert!("".parse::<ServiceHost>().is_err());
}

#[test]
fn a_log_names_its_tenant_and_the_operators_none() {
    let tenant = TenantId::from_bytes([9; 16]);
    assert_eq!(tenant_of(log_of(tenant)), Some(tenant));
    assert_eq!(tenant_of(operator_log()), None);
    let name = uuid::Uuid::new_v5(&uuid::Uuid::NAMESPACE_OID, b"covenant/audit/operator");
    assert_eq!(operator_log().as_uuid(), name);
}
