//! Who may do what over HTTP: tokens, their scopes, and what each is bound to.
//!
//! A token is `shiftbell_<id>_<secret>`. The id names it in lists and in the audit log; the secret is
//! 256 random bits, of which only the SHA-256 is stored. `src/http/api/auth.rs` asks these rules on
//! every request, and `tests/api/tenants.rs` tries them on every route.

use std::fmt::{self, Write as _};

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::presence::words;

/// What a token is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scope {
    /// The chat platform and its apps: everything of one workspace, or of all.
    Platform,
    /// One agent's own page.
    Agent,
    /// Reads the delivery log, the audit log and the metrics.
    OpsRead,
    /// The same, and retries and cancels deliveries.
    OpsWrite,
    /// One agent's shifts as a calendar, and nothing else: the token stands in the feed's address.
    Feed,
}

words!(Scope {
    Platform => "platform", Agent => "agent", OpsRead => "ops:read", OpsWrite => "ops:write",
    Feed => "feed",
});

/// What a request wants to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    /// Workspaces and whole teams.
    Teams,
    /// What one agent sees and sets.
    OwnPage,
    /// Why one agent's phone rang, or did not.
    Explain,
    /// Reading what was sent, and who did what.
    ReadLog,
    /// Retrying and cancelling deliveries.
    WriteLog,
}

/// What a token allows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// What for.
    pub scope: Scope,
    /// The one workspace it is bound to; `None` for all, and where it is bound to an agent.
    pub workspace: Option<String>,
    /// The one agent it is bound to: with [`Scope::Agent`] and [`Scope::Feed`], and only there.
    pub agent: Option<String>,
}

impl Grant {
    /// Whether such requests are allowed at all, whatever they are about.
    pub fn allows(&self, act: Act) -> bool {
        match self.scope {
            Scope::Platform => true,
            Scope::Feed => false,
            Scope::Agent => matches!(act, Act::OwnPage | Act::Explain),
            Scope::OpsRead => matches!(act, Act::ReadLog | Act::Explain),
            Scope::OpsWrite => matches!(act, Act::ReadLog | Act::WriteLog | Act::Explain),
        }
    }

    /// Whether a workspace exists as far as this token is concerned.
    pub fn sees_workspace(&self, workspace: &str) -> bool {
        self.agent.is_none() && self.workspace.as_deref().is_none_or(|own| own == workspace)
    }

    /// Whether an agent of `workspace` exists as far as this token is concerned.
    pub fn sees_agent(&self, agent: &str, workspace: &str) -> bool {
        match &self.agent {
            Some(own) => own == agent,
            None => self.sees_workspace(workspace),
        }
    }
}

const PREFIX: &str = "shiftbell_";
const ID_BYTES: usize = 6;
const SECRET_BYTES: usize = 32;

/// A token as its holder sends it. `Debug` hides it; [`ApiToken::expose`] is the one way out.
#[derive(Clone, PartialEq, Eq)]
pub struct ApiToken {
    id: String,
    secret: String,
}

impl ApiToken {
    /// A new token of bytes that must come from a cryptographic source.
    pub fn from_random(id: [u8; ID_BYTES], secret: [u8; SECRET_BYTES]) -> Self {
        Self {
            id: hex(&id),
            secret: hex(&secret),
        }
    }

    /// Reads what a request carries; `None` for anything that is no token of ours.
    pub fn parse(text: &str) -> Option<Self> {
        let (id, secret) = text.strip_prefix(PREFIX)?.split_once('_')?;
        let fits = |part: &str, bytes: usize| {
            part.len() == 2 * bytes
                && part
                    .bytes()
                    .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
        };
        (fits(id, ID_BYTES) && fits(secret, SECRET_BYTES)).then(|| Self {
            id: id.to_owned(),
            secret: secret.to_owned(),
        })
    }

    /// The half that is no secret: 12 hex digits.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The SHA-256 of the secret half in hex, which is what is stored.
    pub fn hash(&self) -> String {
        hex(&Sha256::digest(self.secret.as_bytes()))
    }

    /// Whether this is the token whose [`ApiToken::hash`] was stored. Takes as long for a wrong
    /// secret as for the right one.
    pub fn matches(&self, stored: &str) -> bool {
        self.hash().as_bytes().ct_eq(stored.as_bytes()).into()
    }

    /// Where the feed is that this token opens: a secret, to be shown once.
    pub fn feed_path(&self) -> String {
        format!("/v1/feeds/{}.ics", self.expose())
    }

    /// The whole token, to be shown once.
    pub fn expose(&self) -> String {
        format!("{PREFIX}{}_{}", self.id, self.secret)
    }
}

impl fmt::Debug for ApiToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ApiToken({}, …)", self.id)
    }
}

/// Bytes as hex digits.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token() -> ApiToken {
        ApiToken::from_random([7; 6], [9; 32])
    }

    #[test]
    fn a_token_is_read_back_and_matches_its_own_hash_only() {
        let token = token();
        let read = ApiToken::parse(&token.expose()).unwrap();
        assert_eq!(read, token);
        assert_eq!(token.hash().len(), 64);
        assert!(read.matches(&token.hash()));
        let other = ApiToken::from_random([7; 6], [8; 32]);
        assert!(!other.matches(&token.hash()));
        assert!(!token.matches(""));
    }

    #[test]
    fn what_is_no_token_is_not_taken_for_one() {
        let whole = token().expose();
        let broken = [
            "",
            "shiftbell_",
            &whole[1..],
            &whole[..whole.len() - 1],
            &whole.to_uppercase(),
            &format!("{whole}0"),
        ];
        for text in broken {
            assert!(ApiToken::parse(text).is_none(), "{text}");
        }
    }

    #[test]
    fn debug_shows_no_secret() {
        let shown = format!("{:?}", token());
        assert!(
            shown.contains("070707070707") && !shown.contains("0909"),
            "{shown}"
        );
    }

    #[test]
    fn a_grant_ends_where_its_workspace_or_agent_does() {
        let grant = |scope, workspace: Option<&str>, agent: Option<&str>| Grant {
            scope,
            workspace: workspace.map(str::to_owned),
            agent: agent.map(str::to_owned),
        };
        let acme = grant(Scope::Platform, Some("acme"), None);
        assert!(acme.sees_agent("a-1", "acme") && !acme.sees_agent("b-1", "bolt"));
        assert!(acme.sees_workspace("acme") && !acme.sees_workspace("bolt"));
        let all = grant(Scope::Platform, None, None);
        assert!(all.sees_agent("b-1", "bolt") && all.allows(Act::WriteLog));
        let ana = grant(Scope::Agent, None, Some("a-1"));
        assert!(ana.sees_agent("a-1", "acme") && !ana.sees_agent("a-2", "acme"));
        assert!(!ana.sees_workspace("acme") && !ana.allows(Act::Teams) && ana.allows(Act::OwnPage));
        let feed = grant(Scope::Feed, None, Some("a-1"));
        let all = [
            Act::Teams,
            Act::OwnPage,
            Act::Explain,
            Act::ReadLog,
            Act::WriteLog,
        ];
        assert!(all.into_iter().all(|act| !feed.allows(act)));
        let ops = grant(Scope::OpsRead, None, None);
        assert!(
            ops.allows(Act::ReadLog) && !ops.allows(Act::WriteLog) && !ops.allows(Act::OwnPage)
        );
    }
}
