//! `external`: an agent's ids in other products.
//!
//! An id in a product belongs to one agent of the installation. Two agents of one file who claim the
//! same are found here; a claim on what is stored is judged by `store::roster::external`.

use std::collections::{BTreeMap, HashMap, hash_map::Entry as Slot};

use super::{
    fields::{Findings, shown, wrong},
    json::Json,
};

const MOST_PRODUCTS: usize = 20;
const LONGEST_PRODUCT: usize = 40;
const LONGEST_ID: usize = 200;

/// Reads `external`; null, for the whole or for a product, is the same as nothing.
pub(super) fn external(value: Json, findings: &mut Findings) -> BTreeMap<String, String> {
    let mut ids = BTreeMap::new();
    let products = match value {
        Json::Null => return ids,
        Json::Object(products) => products,
        other => {
            findings.refuse("external", wrong(&other, "an object {…}"));
            return ids;
        }
    };
    if products.len() > MOST_PRODUCTS {
        let reason = format!("names more than {MOST_PRODUCTS} products");
        findings.refuse("external", reason);
        return ids;
    }
    for (product, value) in products {
        let field = path(&product);
        if !is_product(&product) {
            let reason = format!(
                "is no name of a product: write 1 to {LONGEST_PRODUCT} of a-z, 0-9, _ and -"
            );
            findings.refuse(field, reason);
            continue;
        }
        match value {
            Json::Null => {}
            Json::Text(id) => match fault(&id) {
                None => {
                    ids.insert(product, id);
                }
                Some(reason) => findings.refuse(field, reason),
            },
            other => findings.refuse(field, wrong(&other, "a text \"…\"")),
        }
    }
    ids
}

/// `external.chatwoot`
pub(super) fn path(product: &str) -> String {
    format!("external.{}", shown(product))
}

fn is_product(name: &str) -> bool {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_' || b == b'-';
    (1..=LONGEST_PRODUCT).contains(&name.len()) && name.bytes().all(plain)
}

fn fault(id: &str) -> Option<String> {
    if id.is_empty() {
        Some("is empty".to_owned())
    } else if matches!(id, "." | "..") {
        // In an address it would be taken for a folder.
        Some(format!("\"{id}\" is no id"))
    } else if id.chars().count() > LONGEST_ID {
        Some(format!("is longer than {LONGEST_ID} characters"))
    } else if id.chars().any(super::is_unprintable) {
        let id = shown(id);
        Some(format!(
            "\"{id}\" holds control characters or invisible marks: remove them"
        ))
    } else if id.trim() != id {
        let id = shown(id);
        Some(format!("\"{id}\" begins or ends with a blank: remove it"))
    } else {
        None
    }
}

/// The ids that earlier lines claimed, and which line it was.
#[derive(Default)]
pub(super) struct Claims(HashMap<(String, String), usize>);

impl Claims {
    /// Refuses an id that an agent on another line has.
    pub(super) fn check(
        &mut self,
        line: usize,
        ids: &BTreeMap<String, String>,
        findings: &mut Findings,
    ) {
        for (product, id) in ids {
            match self.0.entry((product.clone(), id.clone())) {
                Slot::Vacant(free) => {
                    free.insert(line);
                }
                Slot::Occupied(taken) => {
                    let (id, line) = (shown(id), taken.get());
                    let reason = format!(
                        "\"{id}\" is also the id of the agent on line {line}: it belongs to one agent"
                    );
                    findings.refuse(path(product), reason);
                }
            }
        }
    }
}
