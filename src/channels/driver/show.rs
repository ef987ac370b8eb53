//! The requests as a person reads them, before any is sent.

use super::{Driver, wire::root};
use crate::domain::driver::{Request, Shown, fill::Values};

/// One request that would be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Preview {
    /// When it is made.
    pub when: String,
    /// Method, URL, headers and body, secrets left out.
    pub request: String,
}

/// Stands where a secret would.
const HIDDEN: &str = "…";

impl Driver {
    /// Every kind of request that is made for an agent of this id in the product.
    pub fn previews(&self, agent: &str) -> Vec<Preview> {
        let description = &self.description;
        let agents = [agent];
        let mut previews = Vec::new();
        for shown in Shown::ALL {
            let values = Values {
                agent,
                agents: &agents,
                status: Some(description.words.get(shown)),
                token: HIDDEN,
                ..self.values()
            };
            let request = match description.setting(shown) {
                Some(request) => self.shown(request, &values),
                None => "nothing: the lease is not renewed".to_owned(),
            };
            let when = format!("an agent goes {}", shown.as_str());
            previews.push(Preview { when, request });
            if let Some(bulk) = description.bulk.as_ref().filter(|_| shown == Shown::Online) {
                previews.push(Preview {
                    when: format!("up to {} go {}", bulk.size, shown.as_str()),
                    request: self.shown(&bulk.request, &values),
                });
            }
        }
        let reading = description.read.as_ref().map(|read| &read.request);
        let others = [
            ("a status is read back", reading),
            ("doctor asks", description.check.as_ref()),
        ];
        for (when, request) in others {
            let values = Values {
                agent,
                agents: &agents,
                token: HIDDEN,
                ..self.values()
            };
            previews.extend(request.map(|request| Preview {
                when: when.to_owned(),
                request: self.shown(request, &values),
            }));
        }
        previews
    }

    fn shown(&self, request: &Request, values: &Values<'_>) -> String {
        let filled = request.fill(values);
        let base = root(&self.base);
        let mut lines = vec![format!("{} {base}{}", filled.method.as_str(), filled.path)];
        let auth = &self.description.auth;
        let authorization = match (&auth.bearer, &auth.basic, &auth.oauth) {
            (Some(_), ..) => Some("Bearer …"),
            (None, Some(_), _) => Some("Basic …"),
            (None, None, Some(_)) => Some("Bearer …, fetched with the token"),
            (None, None, None) => None,
        };
        lines.extend(authorization.map(|value| format!("authorization: {value}")));
        let headers = self.description.headers.iter().chain(&request.headers);
        lines.extend(headers.map(|(name, value)| format!("{name}: {}", values.text(value))));
        if let Some((kind, body)) = &filled.body {
            lines.push(format!("content-type: {kind}"));
            lines.push(body.clone());
        }
        lines.join("\n")
    }
}
