//! A request as it goes over the wire: below the product's base URL and nowhere else.

use http::{HeaderName, HeaderValue, header};
use url::Url;

use super::{Driver, Options, credentials};
use crate::{
    channels::{ChannelError, check_endpoint},
    domain::driver::{
        Request,
        fill::{Filled, Values},
    },
};

impl Driver {
    /// The request as it goes over the wire.
    pub(super) fn wire(
        &self,
        request: &Request,
        filled: &Filled,
        values: &Values<'_>,
        access: &credentials::Access,
    ) -> Result<reqwest::Request, String> {
        let url = below(&self.base, &filled.path)?;
        let method = reqwest::Method::from_bytes(filled.method.as_str().as_bytes())
            .map_err(|error| error.to_string())?;
        let mut wire = reqwest::Request::new(method, url);
        let values = Values {
            token: access.token(),
            ..values.clone()
        };
        let common = self.description.headers.iter();
        for (name, value) in common.chain(&request.headers) {
            let name = HeaderName::try_from(name).map_err(|_| format!("header {name}"))?;
            let value =
                HeaderValue::try_from(values.text(value)).map_err(|_| format!("header {name}"))?;
            wire.headers_mut().insert(name, sensitive(value));
        }
        if let Some(value) = access.authorization() {
            wire.headers_mut().insert(header::AUTHORIZATION, value);
        }
        if let Some((kind, body)) = &filled.body {
            let kind = HeaderValue::from_static(kind);
            wire.headers_mut().insert(header::CONTENT_TYPE, kind);
            *wire.body_mut() = Some(body.clone().into());
        }
        Ok(wire)
    }
}

/// The product's base URL. Credentials go there, so it is encrypted or on this machine.
pub(super) fn base(options: &Options) -> Result<Url, ChannelError> {
    let what = "presence url";
    let own = options.description.url.as_deref().map(Url::parse);
    let base = match (&options.url, own) {
        (Some(url), _) => url.clone(),
        (None, Some(Ok(url))) => url,
        _ => return Err(ChannelError::Client(format!("{what}: is missing"))),
    };
    check_endpoint(&base).map_err(|problem| ChannelError::Endpoint { what, problem })?;
    Ok(base)
}

/// What paths are put behind.
pub(super) fn root(base: &Url) -> &str {
    base.as_str().trim_end_matches('/')
}

/// `path` below `base`, whose own path stays. An id such as `..` would lead elsewhere, with our
/// credentials: that is refused.
pub(super) fn below(base: &Url, path: &str) -> Result<Url, String> {
    let whole = format!("{}{path}", root(base));
    let url = Url::parse(&whole).map_err(|error| error.to_string())?;
    let plain = path.split(['?', '#']).next().unwrap_or_default();
    let own = base.path().trim_end_matches('/');
    let expected = format!("{own}{plain}").matches('/').count();
    if url.path().matches('/').count() != expected.max(1) {
        return Err("id_leads_elsewhere".to_owned());
    }
    Ok(url)
}

pub(super) fn sensitive(mut value: HeaderValue) -> HeaderValue {
    value.set_sensitive(true);
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_id_leads_out_of_its_place() {
        let base = |text: &str| Url::parse(text).unwrap();
        let well = below(
            &base("https://chat.example/x/"),
            "/agents/a%2Fb?ids=..&x=/../y",
        )
        .unwrap();
        assert_eq!(
            well.as_str(),
            "https://chat.example/x/agents/a%2Fb?ids=..&x=/../y"
        );
        assert!(below(&base("https://chat.example"), "").is_ok());
        for path in [
            "/agents/..",
            "/agents/../status",
            "/agents/./status",
            "/agents/%2e%2E/x",
        ] {
            assert!(
                below(&base("https://chat.example/x"), path).is_err(),
                "{path}"
            );
        }
    }
}
