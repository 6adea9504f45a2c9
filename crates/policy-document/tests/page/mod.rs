//! Small pages about nothing, with one line for each clause: only their figures matter.

/// Id, modality, and the bound with all that follows it.
pub(crate) type Line<'a> = (&'a str, &'a str, &'a str);

/// A document of these clauses and tables, read in these zones; days both ways.
pub(crate) fn policy(zones: &str, clauses: &[Line<'_>], tables: &str) -> String {
    let digest = "ab".repeat(32);
    let mut text = format!(
        "[document]\nformat = \"covenant/policy/v1\"\nid = \"acme\"\nvendor = \"Acme\"\n\
         source = \"page.txt\"\nsha256 = \"{digest}\"\nlines = {}\nblank = []\n\
         reviewed = 2026-01-01\nzones = [{zones}]\nday = [\"elapsed\", \"end-of-day\"]\n\n{tables}\n",
        clauses.len()
    );
    for (line, (id, modality, rest)) in (1..).zip(clauses) {
        text.push_str(&format!(
            "[[clause]]\nid = \"{id}\"\nlines = [{line}]\ndigests = [\"{digest}\"]\n\
             says = \"a promise\"\nkind = \"technical\"\nmodality = \"{modality}\"\n\
             crates = [\"retention-policy\"]\n{rest}\n\n"
        ));
    }
    text
}
