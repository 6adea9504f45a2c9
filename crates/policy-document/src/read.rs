//! Reading a document: TOML with places, then tables, then what holds between them.
//!
//! Nothing stops at the first mistake: every reader reports to [`Errors`] and goes on.

use toml::de::DeTable;

use crate::document::DOCUMENT_LEN_BYTES_MAX;
use crate::{Catalogue, Document, DocumentError, ErrorKind};

mod bound;
mod clause;
mod cross;
mod draft;
mod errors;
mod feasible;
mod graph;
mod head;
mod limits;
mod reasons;
mod shape;
mod value;

use cross::Ids;
use errors::Errors;
use value::{Fields, tables};

/// Tables of a document, by their keys; `[[clause]]` and the like are lists of tables.
pub(crate) fn document(
    text: &str,
    catalogue: &Catalogue<'_>,
) -> Result<Document, Vec<DocumentError>> {
    let mut errors = Errors::new(text);
    if text.len() > DOCUMENT_LEN_BYTES_MAX {
        let message = format!("a document has at most {DOCUMENT_LEN_BYTES_MAX} bytes");
        errors.push(0, ErrorKind::TooLarge, message);
        return Err(errors.into_sorted());
    }
    let (root, syntax) = DeTable::parse_recoverable(text);
    if !syntax.is_empty() {
        for error in syntax {
            let at = error.span().map_or(0, |span| span.start);
            errors.push(at, ErrorKind::Syntax, error.message().to_owned());
        }
        return Err(errors.into_sorted());
    }
    let ids = Ids::of(root.get_ref());
    let mut fields = Fields::new(root.get_ref(), root.span().start, "document");
    let head = fields.required("document", &mut errors);
    let head = head.and_then(|value| head::head(value, &mut errors));
    let ignores = tables(
        fields.optional("ignore"),
        "ignore",
        &mut errors,
        head::ignore,
    );
    let terms = fields.optional("terms");
    let terms = terms
        .and_then(|v| head::terms(v, &mut errors))
        .unwrap_or_default();
    let classes = tables(fields.optional("class"), "class", &mut errors, graph::class);
    let stores = tables(fields.optional("store"), "store", &mut errors, graph::store);
    let keys = tables(fields.optional("key"), "key", &mut errors, graph::key);
    let clauses = tables(
        fields.optional("clause"),
        "clause",
        &mut errors,
        |fields, errors| clause::clause(fields, catalogue, errors),
    );
    let deviations = fields.optional("deviation");
    let deviations = tables(deviations, "deviation", &mut errors, reasons::deviation);
    let attestations = fields.optional("attestation");
    let attestations = tables(
        attestations,
        "attestation",
        &mut errors,
        reasons::attestation,
    );
    let answers = fields.optional("answer");
    let answers = tables(answers, "answer", &mut errors, reasons::answer);
    let todos = tables(fields.optional("todo"), "todo", &mut errors, draft::todo);
    let reviews = fields.optional("review");
    let reviews = tables(reviews, "review", &mut errors, draft::review);
    fields.finish(&mut errors);

    cross::graph(&ids, &classes, &stores, &keys, &mut errors);
    cross::clauses(&ids, &clauses, &mut errors);
    cross::reasons(&ids, &clauses, &deviations, &attestations, &mut errors);
    cross::answers(&ids, &answers, &mut errors);
    draft::reviews(&clauses, &reviews, &mut errors);
    if let Some(head) = &head {
        cross::lines(head, &ignores, &clauses, &todos, &mut errors);
    }
    limits::limits(
        head.as_ref(),
        &classes,
        &stores,
        &keys,
        &clauses,
        &mut errors,
    );
    let mut document = match (head, errors.is_empty()) {
        (Some(head), true) => Document {
            head,
            ignores,
            terms,
            classes,
            stores,
            keys,
            clauses,
            deviations,
            attestations,
            answers,
            todos,
            reviews,
            open: Vec::new(),
        },
        _ => return Err(errors.into_sorted()),
    };
    let (infeasible, open) = feasible::check(&document);
    for error in infeasible {
        errors.push_error(error);
    }
    if !errors.is_empty() {
        return Err(errors.into_sorted());
    }
    document.open = open;
    Ok(document)
}
