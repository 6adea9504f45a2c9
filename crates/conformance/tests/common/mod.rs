//! A small policy whose clauses a test writes out: one line of page, which serves all of them.

use covenant_core::digest::Digest;

/// The page.
pub(crate) const PAGE: &[u8] = b"All of it.\n";

/// The text of a policy file with these clauses, each as `id`, then its keys without `lines` and
/// `digests`, and these tables behind them.
pub(crate) fn policy(clauses: &[(&str, &str)], tables: &str) -> String {
    let line = Digest::of(b"All of it.");
    let mut text = format!(
        r#"
[document]
format = "covenant/policy/v1"
id = "small"
vendor = "Small"
source = "small.txt"
sha256 = "{}"
lines = 1
blank = []
reviewed = 2026-11-21
zones = ["UTC"]
day = ["elapsed", "end-of-day"]
"#,
        Digest::of(PAGE),
    );
    for (id, keys) in clauses {
        text.push_str(&format!(
            "[[clause]]\nid = \"{id}\"\nlines = [1]\ndigests = [\"{line}\"]\nsays = \"{id}\"\n{keys}\n"
        ));
    }
    text.push_str(tables);
    text
}
