//! `covenant seal` and `covenant open`: any size, any part; nothing stands under the name asked for
//! unless all of it is authentic; and `covenant keys destroy-subject`.

#[cfg(test)]
mod common;

use std::error::Error;
use std::fs;
use std::path::Path;

use common::said;

type Outcome = Result<(), Box<dyn Error>>;

const WHO: &str = "--actor 00000000-0000-0000-0000-0000000000a1 --reason OPS-17";
const TENANT: &str = "00000000-0000-0000-0000-0000000000c1";
const OTHER: &str = "00000000-0000-0000-0000-0000000000c2";

fn covenant(folder: &Path, line: &str) -> Result<(i32, String), Box<dyn Error>> {
    said(
        folder,
        &format!("{line} --store sqlite:keys.db --keys file:keks"),
    )
}

fn check(folder: &Path, line: &str, code: i32, says: &str) -> Outcome {
    common::check(
        folder,
        &format!("{line} --store sqlite:keys.db --keys file:keks"),
        code,
        says,
    )
}

/// Bytes of which no two neighbouring chunks are alike.
fn content(len: u32) -> Vec<u8> {
    (0..len)
        .map(|at| (at.wrapping_mul(2_654_435_761) >> 24) as u8)
        .collect()
}

#[test]
fn a_file_of_any_size_comes_back() -> Outcome {
    let folder = tempfile::tempdir()?;
    let folder = folder.path();
    check(folder, "keys init", 0, "")?;
    for (at, len) in [0, 1, 16_383, 16_384, 16_385, 1 << 20, 3_200_000]
        .into_iter()
        .enumerate()
    {
        let name = format!("f{at}");
        fs::write(folder.join(&name), content(len))?;
        let new = format!("seal {name} --tenant {TENANT} --new-tenant");
        check(folder, &new, 0, &format!("bytes        {len}, sealed"))?;
        let open = format!("open {name}.sealed --tenant {TENANT} --out {name}.back");
        check(folder, &open, 0, &format!("{len} of {len}"))?;
        assert!(
            fs::read(folder.join(format!("{name}.back")))? == content(len),
            "{len}"
        );
    }
    let sealed = fs::read(folder.join("f6.sealed"))?;
    let plain = content(3_200_000);
    assert!(!sealed.windows(16).any(|window| window == &plain[..16]));
    Ok(())
}

#[test]
fn a_part_is_the_slice_of_the_whole() -> Outcome {
    let folder = tempfile::tempdir()?;
    let folder = folder.path();
    check(folder, "keys init", 0, "")?;
    let plain = content(2_500_000);
    fs::write(folder.join("f"), &plain)?;
    check(
        folder,
        &format!("seal f --tenant {TENANT} --new-tenant"),
        0,
        "",
    )?;
    for (at, (range, slice)) in [
        ("0-0", 0..1),
        ("16380-16390", 16_380..16_391),
        ("100-1900000", 100..1_900_001),
        ("2499999-", 2_499_999..2_500_000),
        ("0-9999999", 0..2_500_000),
    ]
    .into_iter()
    .enumerate()
    {
        let open = format!("open f.sealed --tenant {TENANT} --out p{at} --range {range}");
        check(folder, &open, 0, "of 2500000")?;
        assert!(
            fs::read(folder.join(format!("p{at}")))? == plain[slice],
            "{range}"
        );
    }
    let beyond = format!("open f.sealed --tenant {TENANT} --out p --range 2500000-");
    check(folder, &beyond, 2, "2500000 bytes")?;
    let reversed = format!("open f.sealed --tenant {TENANT} --out p --range 9-8");
    check(folder, &reversed, 2, "A-B")?;
    assert!(!folder.join("p").exists());
    Ok(())
}

#[test]
fn what_is_not_authentic_leaves_nothing() -> Outcome {
    let folder = tempfile::tempdir()?;
    let folder = folder.path();
    check(folder, "keys init", 0, "")?;
    fs::write(folder.join("f"), content(1_500_000))?;
    let unknown = format!("seal f --tenant {TENANT}");
    check(folder, &unknown, 4, "")?;
    check(folder, &format!("{unknown} --new-tenant"), 0, "")?;
    fs::write(folder.join("g"), b"short")?;
    check(
        folder,
        &format!("seal g --tenant {OTHER} --new-tenant"),
        0,
        "",
    )?;

    let sealed = fs::read(folder.join("f.sealed"))?;
    let mut flipped = sealed.clone();
    *flipped.last_mut().ok_or("empty")? ^= 1;
    fs::write(folder.join("flipped"), flipped)?;
    fs::write(folder.join("cut"), &sealed[..sealed.len() - 16_400])?;
    fs::write(folder.join("longer"), [sealed.as_slice(), b"x"].concat())?;
    fs::write(folder.join("none"), b"")?;
    let listed = || -> Result<usize, Box<dyn Error>> { Ok(fs::read_dir(folder)?.count()) };
    let before = listed()?;
    for (file, whose, name) in [
        ("f.sealed", OTHER, "f"),
        ("f.sealed", TENANT, "g"),
        ("flipped", TENANT, "f"),
        ("cut", TENANT, "f"),
        ("longer", TENANT, "f"),
        ("none", TENANT, "f"),
    ] {
        let open = format!("open {file} --tenant {whose} --name {name} --out out");
        check(folder, &open, 4, "not authentic")?;
    }
    assert_eq!(listed()?, before);

    let taken = format!("open f.sealed --tenant {TENANT} --out g");
    check(folder, &taken, 4, "there is something")?;
    assert_eq!(fs::read(folder.join("g"))?, b"short");
    check(
        folder,
        &format!("open absent --tenant {TENANT} --out o"),
        2,
        "no such file",
    )?;
    check(
        folder,
        &format!("open f.sealed --tenant {TENANT}"),
        2,
        "--out",
    )
}

#[test]
fn a_key_that_is_switched_off_opens_nothing() -> Outcome {
    let folder = tempfile::tempdir()?;
    let folder = folder.path();
    check(folder, "keys init", 0, "")?;
    fs::write(folder.join("f"), content(10))?;
    check(
        folder,
        &format!("seal f --tenant {TENANT} --new-tenant"),
        0,
        "",
    )?;
    let (_, listed) = covenant(folder, "keys list --json")?;
    let listed: serde_json::Value = serde_json::from_str(&listed)?;
    let roots = listed["roots"].as_array().ok_or("no roots")?;
    let data = roots.iter().find(|root| root["purpose"] == "data");
    let id = data
        .and_then(|root| root["root"].as_str())
        .ok_or("no root")?;
    check(folder, &format!("keys disable {id} {WHO}"), 0, "disabled")?;
    let open = format!("open f.sealed --tenant {TENANT} --out back");
    check(folder, &open, 4, "disabled")?;
    check(folder, &format!("keys enable {id} {WHO}"), 0, "enabled")?;
    check(folder, &open, 0, "10 of 10")
}

#[test]
fn an_erasure_order_says_from_when_on_it_holds() -> Outcome {
    let folder = tempfile::tempdir()?;
    let folder = folder.path();
    check(folder, "keys init", 0, "")?;
    let order = "--order 00000000-0000-0000-0000-0000000000d1 --clause P-35";
    let subject = "00000000-0000-0000-0000-0000000000e1";
    let line = format!("keys destroy-subject {subject} --tenant {TENANT} {order}");
    check(folder, &line, 2, "--reason")?;
    check(folder, &format!("{line} {WHO}"), 0, "gone by")?;
    let (_, first) = covenant(folder, &format!("{line} {WHO} --json"))?;
    let (_, again) = covenant(folder, &format!("{line} {WHO} --json"))?;
    assert_eq!(first, again);
    let other = line.replace(subject, "00000000-0000-0000-0000-0000000000e2");
    check(folder, &format!("{other} {WHO}"), 4, "order")
}
