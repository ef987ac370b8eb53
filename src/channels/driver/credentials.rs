//! Who asks: a token for all agents, one an agent, or an access token that is fetched first.

use std::collections::HashMap;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::HeaderValue;
use jiff::Timestamp;
use secrecy::{ExposeSecret as _, SecretString};
use url::Url;

use super::{
    Options,
    wire::{below, sensitive},
};
use crate::{
    channels::{
        ChannelError, check_url,
        oauth::{self, Grant, OAuth},
        web::Web,
    },
    domain::{
        delivery::{Judgement, Verdict},
        driver::{Auth, Need, fill::Values},
    },
};

/// What is known of who asks.
pub(super) struct Credentials {
    auth: Auth,
    account: String,
    user: String,
    token: SecretString,
    /// By the agent's id in the product, where each has one.
    agent_tokens: Option<HashMap<String, SecretString>>,
    oauth: Option<OAuth<Client>>,
}

/// Client credentials (RFC 6749, 4.4).
struct Client {
    endpoint: Url,
    form: SecretString,
    token: SecretString,
}

impl Grant for Client {
    fn endpoint(&self) -> &Url {
        &self.endpoint
    }

    fn secrets(&self) -> Vec<&str> {
        vec![self.form.expose_secret(), self.token.expose_secret()]
    }

    fn form(&self, _: Timestamp) -> Result<String, ChannelError> {
        Ok(self.form.expose_secret().to_owned())
    }
}

/// What one request is sent with.
pub(super) struct Access {
    token: SecretString,
    authorization: Option<HeaderValue>,
    fetched: Option<oauth::Access>,
}

impl Access {
    /// For `{token}` in headers.
    pub(super) fn token(&self) -> &str {
        self.token.expose_secret()
    }

    /// The `Authorization` header.
    pub(super) fn authorization(&self) -> Option<HeaderValue> {
        self.authorization.clone()
    }

    /// What must appear in no reason.
    pub(super) fn secrets(&self) -> Vec<&str> {
        let fetched = self
            .fetched
            .as_ref()
            .map(|access| access.token.expose_secret());
        fetched.into_iter().chain([self.token()]).collect()
    }
}

impl Credentials {
    pub(super) fn new(options: &Options, base: &Url, web: &Web) -> Result<Self, ChannelError> {
        let description = &options.description;
        let token = options.token.clone().unwrap_or_default();
        let user = options.user.clone().unwrap_or_default();
        let oauth = description.auth.oauth.as_ref().map(|oauth| {
            let values = Values {
                account: options.account.as_deref().unwrap_or_default(),
                user: &user,
                token: token.expose_secret(),
                ..Values::default()
            };
            let mut form = url::form_urlencoded::Serializer::new(String::new());
            for (name, value) in &oauth.form {
                form.append_pair(name, &values.text(value));
            }
            let form = form.finish().into();
            let endpoint = match &options.token_url {
                Some(url) => url.clone(),
                None => token_endpoint(base, &values.text(&oauth.url))?,
            };
            let client = Client {
                endpoint,
                form,
                token: token.clone(),
            };
            // A third for the token, as with FCM: the request still has its time.
            Ok(OAuth::new(client, web.clone(), options.request_timeout / 3))
        });
        Ok(Self {
            auth: description.auth.clone(),
            account: options.account.clone().unwrap_or_default(),
            user,
            token,
            agent_tokens: description
                .needs(Need::AgentTokens)
                .then(|| options.agent_tokens.clone()),
            oauth: oauth.transpose()?,
        })
    }

    /// For which agents one has to ask to have shown every credential, in order; for nobody, where one
    /// serves all.
    pub(super) fn asked_for(&self) -> Vec<&str> {
        match &self.agent_tokens {
            None => vec![""],
            Some(tokens) => {
                let mut agents: Vec<&str> = tokens.keys().map(String::as_str).collect();
                agents.sort_unstable();
                agents
            }
        }
    }

    /// Whether the credential is fetched, and so may have gone stale.
    pub(super) fn are_fetched(&self) -> bool {
        self.oauth.is_some()
    }

    /// What a request about `agent` is sent with, or the judgement of one that has nothing.
    pub(super) async fn access(&self, agent: &str, now: Timestamp) -> Result<Access, Judgement> {
        let token = match &self.agent_tokens {
            None => &self.token,
            Some(tokens) => match tokens.get(agent) {
                Some(token) => token,
                // A request about nobody is sent with anybody's.
                None if agent.is_empty() => tokens.values().next().unwrap_or(&self.token),
                None => return Err(Judgement::new(Verdict::Narrow, "no_token_of_this_agent")),
            },
        };
        let fetched = match &self.oauth {
            Some(oauth) => Some(oauth.access(now).await?),
            None => None,
        };
        let authorization = match &fetched {
            Some(access) => Some(access.header.clone()),
            None => self.authorization(token)?,
        };
        let token = token.clone();
        Ok(Access {
            token,
            authorization,
            fetched,
        })
    }

    fn authorization(&self, token: &SecretString) -> Result<Option<HeaderValue>, Judgement> {
        let values = Values {
            account: &self.account,
            user: &self.user,
            token: token.expose_secret(),
            ..Values::default()
        };
        let text = match (&self.auth.bearer, &self.auth.basic) {
            (Some(bearer), _) => format!("Bearer {}", values.text(bearer)),
            (None, Some(basic)) => format!("Basic {}", STANDARD.encode(values.text(basic))),
            (None, None) => return Ok(None),
        };
        let value = HeaderValue::try_from(text);
        value.map(|value| Some(sensitive(value))).map_err(|_| {
            Judgement::new(Verdict::Misconfigured, "the token holds what no header can")
        })
    }

    /// Throws a fetched token away, if it is still the current one.
    pub(super) async fn forget(&self, access: &Access) {
        if let (Some(oauth), Some(fetched)) = (&self.oauth, &access.fetched) {
            oauth.forget(fetched).await;
        }
    }

    /// When (UTC) the fetched token ends, where there is one.
    pub(super) fn expiry(&self) -> Option<Timestamp> {
        self.oauth.as_ref()?.expiry()
    }
}

/// A whole URL, or a path below the product's base.
fn token_endpoint(base: &Url, url: &str) -> Result<Url, ChannelError> {
    let parsed = if url.starts_with('/') {
        below(base, url)
    } else {
        Url::parse(url).map_err(|error| error.to_string())
    };
    let endpoint =
        parsed.map_err(|error| ChannelError::Client(format!("auth.oauth.url: {error}")))?;
    check_url(&endpoint).map_err(|problem| ChannelError::Endpoint {
        what: "auth.oauth.url",
        problem,
    })?;
    Ok(endpoint)
}
