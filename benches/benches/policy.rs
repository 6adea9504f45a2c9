//! Policy documents: the three real ones are read in a moment.

use std::error::Error;
use std::hint::black_box;

use benches::{Bar, Measure, time};
use policy_document::Document;

const DOCUMENTS: [&str; 3] = [
    include_str!("../../policies/immidb.toml"),
    include_str!("../../policies/prodb.toml"),
    include_str!("../../policies/protopie.toml"),
];

fn main() -> Result<(), Box<dyn Error>> {
    for text in DOCUMENTS {
        if let Err(errors) = Document::parse(text) {
            return Err(format!("{} mistakes in a document", errors.len()).into());
        }
    }
    let took = time(|| {
        for text in DOCUMENTS {
            drop(black_box(Document::parse(black_box(text))));
        }
    });
    Measure {
        id: "policy-document/parse",
        value: took.as_secs_f64() * 1_000.0,
        unit: "ms for three documents",
        peer: "limit: 50 ms",
        bar: Bar::AtMost(50.0),
    }
    .print()?;
    Ok(())
}
