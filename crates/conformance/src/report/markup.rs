//! Text in XML and HTML: escaping, and the few shapes of elements that the writers share.
//!
//! Whatever comes from a policy, a subject or the command line passes through [`escape`]; markup is
//! written by the writers alone. What is written is well-formed XML, also in HTML.

use crate::json::is_hidden;

/// The text so that it is only text, as content and as value of an attribute.
///
/// `& < > " '` become references, so that neither a tag nor `]]>` can arise; line breaks and tabs
/// become spaces; other control characters and those that XML cannot hold are removed; characters
/// that hide, or turn the direction of writing, become U+FFFD.
#[must_use]
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\n' | '\t' => out.push(' '),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => {}
            c if is_hidden(c) => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

/// `<tag>text</tag>`, the text escaped.
pub(super) fn element(tag: &str, text: impl ToString) -> String {
    format!("<{tag}>{}</{tag}>", escape(&text.to_string()))
}

/// Words that a line does not break in, such as ids with a hyphen, with commas between them.
pub(super) fn whole(words: &[impl ToString]) -> String {
    let words = words.iter().map(|word| escape(&word.to_string()));
    let words = words.map(|word| format!("<span class=\"whole\">{word}</span>"));
    words.collect::<Vec<_>>().join(", ")
}

/// A table with its caption; cells are markup already, the first of each row is its heading.
pub(super) fn table<R: AsRef<[String]>>(
    caption: &str,
    headings: &[&str],
    rows: impl IntoIterator<Item = R>,
) -> String {
    let heads = headings
        .iter()
        .map(|heading| format!("<th scope=\"col\">{}</th>", escape(heading)));
    let mut out = format!(
        "<div class=\"scroll\" role=\"region\" aria-label=\"{name}\" tabindex=\"0\">\
         <table><caption>{name}</caption>\n<thead><tr>{}</tr></thead>\n<tbody>\n",
        heads.collect::<String>(),
        name = escape(caption),
    );
    for row in rows {
        out.push_str("<tr>");
        for (at, cell) in row.as_ref().iter().enumerate() {
            let (open, close) = if at == 0 {
                ("<th scope=\"row\">", "</th>")
            } else {
                ("<td>", "</td>")
            };
            out.push_str(open);
            out.push_str(cell);
            out.push_str(close);
        }
        out.push_str("</tr>\n");
    }
    out.push_str("</tbody></table></div>\n");
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn hostile_text_is_only_text() {
        let check = |text: &str, expect: &str| assert_eq!(escape(text), expect, "{text:?}");
        check("<script>", "&lt;script&gt;");
        check("]]>", "]]&gt;");
        check("\" onload='x'", "&quot; onload=&#39;x&#39;");
        check("&amp;", "&amp;amp;");
        check("a\u{0}b\u{1b}[31mc\u{7f}", "ab[31mc");
        check("a\r\nb\tc", "a b c");
        check("user\u{202e}txt.exe", "user\u{fffd}txt.exe");
        check("\u{200b}\u{feff}\u{fffe}", "\u{fffd}\u{fffd}");
        check("plain, \u{e9}\u{4e2d}", "plain, \u{e9}\u{4e2d}");
    }

    proptest! {
        #[test]
        fn any_text_is_well_formed_as_content_and_as_attribute(text in ".*") {
            let escaped = escape(&text);
            let xml = format!("<a b=\"{escaped}\">{escaped}</a>");
            let read = roxmltree::Document::parse(&xml).unwrap();
            let root = read.root_element();
            prop_assert_eq!(root.attribute("b"), Some(root.text().unwrap_or_default()));
            prop_assert!(root.children().all(|child| child.is_text()));
        }
    }
}
