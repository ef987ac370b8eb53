//! `traceparent`, in and out, as W3C Trace Context has it: a request that is part of a trace stays part
//! of it, any other begins one. Acts in the audit log name their trace.

use axum::{extract::Request, http::HeaderValue, middleware::Next, response::Response};

use crate::domain::access::hex;

const HEADER: &str = "traceparent";

/// The trace a request is part of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Trace {
    /// 32 hex digits.
    pub(super) id: String,
    flags: String,
}

impl Trace {
    /// Reads the header; `None` where it is no `traceparent` of a version that can be understood.
    fn read(header: &str) -> Option<Self> {
        let mut parts = header.split('-');
        let [version, id, parent, flags] = [(); 4].map(|()| parts.next().unwrap_or_default());
        let hex = |part: &str, digits: usize| {
            part.len() == digits
                && part
                    .bytes()
                    .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
        };
        let known = version == "00" && parts.next().is_none() || hex(version, 2) && version > "00";
        let zero = |part: &str| part.bytes().all(|b| b == b'0');
        let fits = known
            && version != "ff"
            && hex(id, 32)
            && hex(parent, 16)
            && hex(flags, 2)
            && !zero(id)
            && !zero(parent);
        fits.then(|| Self {
            id: id.to_owned(),
            flags: flags.to_owned(),
        })
    }

    fn begin() -> Self {
        Self {
            id: hex(&rand::random::<[u8; 16]>()),
            flags: "00".to_owned(),
        }
    }

    /// The header of the answer: this trace, and our own part in it.
    fn header(&self) -> Option<HeaderValue> {
        let own = hex(&rand::random::<[u8; 8]>());
        HeaderValue::from_str(&format!("00-{}-{own}-{}", self.id, self.flags)).ok()
    }
}

/// Puts the [`Trace`] into the request, and its header into the answer.
pub(super) async fn traced(mut request: Request, next: Next) -> Response {
    let given = request.headers().get(HEADER);
    let trace = given
        .and_then(|value| Trace::read(value.to_str().ok()?))
        .unwrap_or_else(Trace::begin);
    request.extensions_mut().insert(trace.clone());
    let mut answer = next.run(request).await;
    if let Some(header) = trace.header() {
        answer.headers_mut().insert(HEADER, header);
    }
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "0af7651916cd43dd8448eb211c80319c";

    #[test]
    fn a_trace_goes_on_under_a_span_of_our_own() {
        let trace = Trace::read(&format!("00-{ID}-b7ad6b7169203331-01")).unwrap();
        let header = trace.header().unwrap();
        let header = header.to_str().unwrap();
        assert!(
            header.starts_with(&format!("00-{ID}-")) && header.ends_with("-01"),
            "{header}"
        );
        assert!(!header.contains("b7ad6b7169203331"), "{header}");
    }

    #[test]
    fn a_later_version_is_read_as_far_as_it_is_known() {
        assert!(Trace::read(&format!("cc-{ID}-b7ad6b7169203331-01-more")).is_some());
    }

    #[test]
    fn what_is_no_traceparent_begins_a_trace() {
        let zeros = "0".repeat(32);
        for text in [
            String::new(),
            format!("00-{ID}-b7ad6b7169203331"),
            format!("00-{ID}-b7ad6b7169203331-01-more"),
            format!("ff-{ID}-b7ad6b7169203331-01"),
            format!("00-{zeros}-b7ad6b7169203331-01"),
            format!("00-{ID}-0000000000000000-01"),
            format!("00-{}-b7ad6b7169203331-01", ID.to_uppercase()),
        ] {
            assert_eq!(Trace::read(&text), None, "{text}");
        }
        assert_ne!(Trace::begin(), Trace::begin());
    }
}
