//! Masks what is known of a person in the lines of a log; a line that cannot be scanned is withheld.
#![expect(clippy::print_stdout, reason = "an example prints")]

use std::error::Error;

use pii_scrub::{EntityType, Input, KnownValues, Scrubber};

const EMAIL: EntityType = EntityType::of("EMAIL_ADDRESS");
const NAME: EntityType = EntityType::of("PERSON_NAME");

fn main() -> Result<(), Box<dyn Error>> {
    let scrubber = KnownValues::new([(EMAIL, "ann@example.com"), (NAME, "Ann Lee")])?;
    let lines: [&[u8]; 3] = [
        b"login by ann@example.com",
        b"ticket 17 answered to Ann Lee <ann@example.com>",
        b"binary rubbish: \xff\xfe ann@example.com",
    ];
    for line in lines {
        println!("{}", masked(&scrubber, line));
    }
    Ok(())
}

fn masked(scrubber: &dyn Scrubber, line: &[u8]) -> String {
    let scan = match Input::utf8(line).and_then(|input| scrubber.scan(input)) {
        Ok(scan) => scan,
        Err(error) => return format!("withheld {} bytes: {error}", line.len()),
    };
    let text = scan.input().text();
    let mut shown = String::new();
    let mut at = 0;
    for finding in scan.findings() {
        shown.push_str(text.get(at..finding.span().start).unwrap_or_default());
        shown.push_str(&format!("[{}]", finding.entity()));
        at = finding.span().end;
    }
    shown.push_str(text.get(at..).unwrap_or_default());
    shown
}
