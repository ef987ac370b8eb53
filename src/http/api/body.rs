//! Agents and workspaces on the wire: the objects of an import, with one difference. Phones are a
//! resource of their own, and a token that was sent in is never sent out.

mod lead;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    domain::{
        agent::{Agent, AskInvisible, Notify, Workspace},
        hours::{Away, Override, Slot},
        lead::Lead,
        roster::{self, Alone},
    },
    http::Problem,
};
use axum::http::StatusCode;
use lead::LeadInput;

/// A team.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Workspace)]
pub(super) struct WorkspaceBody {
    /// Unique in the installation.
    id: String,
    /// As typed.
    name: String,
    /// Local dates on which its agents have no slots of their own, `YYYY-MM-DD`.
    #[schema(value_type = Vec<String>)]
    holidays: Vec<jiff::civil::Date>,
    /// How many seconds a conversation may wait before invisible agents are asked; null for ever.
    ask_invisible_after_seconds: Option<u32>,
}

impl From<Workspace> for WorkspaceBody {
    fn from(workspace: Workspace) -> Self {
        Self {
            ask_invisible_after_seconds: workspace.ask_invisible.and_then(AskInvisible::seconds),
            id: workspace.id,
            name: workspace.name,
            holidays: workspace.holidays.unwrap_or_default(),
        }
    }
}

/// A workspace to put; what it leaves out is empty.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "describes what the roster reads")]
pub(super) struct WorkspaceInput {
    /// The one in the address.
    id: Option<String>,
    #[schema(min_length = 1)]
    name: String,
    /// `YYYY-MM-DD`
    holidays: Option<Vec<String>>,
    #[schema(minimum = 1, maximum = 86400)]
    ask_invisible_after_seconds: Option<u32>,
}

/// An agent, as an import's line has it, without its phones.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Agent)]
pub(super) struct AgentBody {
    /// Unique in the installation.
    id: String,
    /// The id of the workspace the agent belongs to.
    workspace: String,
    /// Full name, as typed.
    name: String,
    /// Where the platform shows a picture from.
    photo_url: Option<String>,
    /// IANA time zone.
    timezone: String,
    /// Language of the alerts, a BCP 47 tag.
    locale: Option<String>,
    /// Weekly slots, in the agent's local time.
    #[schema(value_type = Vec<SlotInput>)]
    hours: Vec<Slot>,
    /// Dates with slots of their own.
    #[schema(value_type = Vec<OverrideInput>)]
    overrides: Vec<Override>,
    /// Spans off duty, in the agent's local time.
    #[schema(value_type = Vec<AwayInput>)]
    away: Vec<Away>,
    /// Which boundaries ring.
    #[schema(value_type = NotifyInput)]
    notify: Notify,
    /// How long before hours start the phones ring as well.
    #[schema(value_type = Vec<LeadInput>)]
    leads: Vec<Lead>,
    /// Minutes without a reply after which the agent goes offline; null for never.
    auto_offline_after_minutes: Option<u16>,
    /// Whether the agent gets conversations while invisible when the others are slow.
    receive_when_invisible: bool,
    /// The agent's ids in other products, by the product's name.
    external: BTreeMap<String, String>,
}

impl From<Agent> for AgentBody {
    fn from(agent: Agent) -> Self {
        Self {
            id: agent.id,
            workspace: agent.workspace,
            name: agent.name,
            photo_url: agent.photo_url,
            timezone: agent.timezone,
            locale: agent.locale,
            hours: agent.hours,
            overrides: agent.overrides,
            away: agent.away,
            notify: agent.notify,
            leads: agent.leads,
            auto_offline_after_minutes: agent.auto_offline_after_minutes,
            receive_when_invisible: agent.receive_when_invisible,
            external: agent.external,
        }
    }
}

/// An agent as it was saved.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Saved {
    #[serde(flatten)]
    pub(super) agent: AgentBody,
    /// What was accepted but is probably not meant.
    pub(super) warnings: Vec<Warning>,
}

/// Something that was accepted but is probably not meant.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Warning {
    /// Path of the field, such as `hours[2].start`.
    field: String,
    /// What is the matter.
    detail: String,
}

/// An agent to put: without `devices` the phones stay as they are; whatever else is left out is empty.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "describes what the roster reads")]
pub(super) struct AgentInput {
    /// The one in the address.
    id: Option<String>,
    #[schema(min_length = 1)]
    workspace: String,
    #[schema(min_length = 1)]
    name: String,
    #[schema(min_length = 1, examples("Europe/Paris"))]
    timezone: String,
    #[schema(pattern = "^https?://[!-~]+$", max_length = 2048)]
    photo_url: Option<String>,
    #[schema(pattern = "^[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*$", max_length = 64)]
    locale: Option<String>,
    hours: Option<Vec<SlotInput>>,
    overrides: Option<Vec<OverrideInput>>,
    away: Option<Vec<AwayInput>>,
    notify: Option<NotifyInput>,
    #[schema(max_items = 5)]
    leads: Option<Vec<LeadInput>>,
    devices: Option<Vec<DeviceInput>>,
    #[schema(minimum = 1, maximum = 1440)]
    auto_offline_after_minutes: Option<u16>,
    receive_when_invisible: Option<bool>,
    /// The agent's ids in other products, such as `{"chatwoot":"17"}`; only a `platform` token changes them.
    external: Option<BTreeMap<String, String>>,
}

/// An edit of an agent, a merge patch (RFC 7396): what it names replaces what was there.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "describes what the roster reads")]
pub(super) struct AgentEdit {
    /// The one in the address.
    id: Option<String>,
    #[schema(min_length = 1)]
    workspace: Option<String>,
    #[schema(min_length = 1)]
    name: Option<String>,
    #[schema(pattern = "^https?://[!-~]+$", max_length = 2048)]
    photo_url: Option<String>,
    #[schema(min_length = 1, examples("Europe/Paris"))]
    timezone: Option<String>,
    #[schema(pattern = "^[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*$", max_length = 64)]
    locale: Option<String>,
    hours: Option<Vec<SlotInput>>,
    overrides: Option<Vec<OverrideInput>>,
    away: Option<Vec<AwayInput>>,
    notify: Option<NotifyInput>,
    #[schema(max_items = 5)]
    leads: Option<Vec<LeadInput>>,
    devices: Option<Vec<DeviceInput>>,
    #[schema(minimum = 1, maximum = 1440)]
    auto_offline_after_minutes: Option<u16>,
    receive_when_invisible: Option<bool>,
    /// The agent's ids in other products, such as `{"chatwoot":"17"}`; only a `platform` token changes them.
    external: Option<BTreeMap<String, String>>,
}

/// A slot of the week; an end that is not after the start lies on the next day.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Slot)]
#[expect(dead_code, reason = "describes what the roster reads")]
pub(super) struct SlotInput {
    #[schema(pattern = "^(mon|tue|wed|thu|fri|sat|sun)$")]
    day: String,
    #[schema(pattern = "^([01][0-9]|2[0-3]):[0-5][0-9]$")]
    start: String,
    #[schema(pattern = "^(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)$")]
    end: String,
}

/// What replaces every slot that starts on one local date; no slots are a day off.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Override)]
#[expect(dead_code, reason = "describes what the roster reads")]
pub(super) struct OverrideInput {
    #[schema(pattern = "^[0-9]{4}-[0-9]{2}-[0-9]{2}$")]
    date: String,
    slots: Vec<DaySlotInput>,
}

/// A span of one day's local time.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = DaySlot)]
#[expect(dead_code, reason = "describes what the roster reads")]
pub(super) struct DaySlotInput {
    #[schema(pattern = "^([01][0-9]|2[0-3]):[0-5][0-9]$")]
    start: String,
    #[schema(pattern = "^(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)$")]
    end: String,
}

/// A span of local time that takes the agent off duty.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Away)]
#[expect(dead_code, reason = "describes what the roster reads")]
pub(super) struct AwayInput {
    #[schema(pattern = "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-2][0-9]:[0-5][0-9]$")]
    from: String,
    #[schema(pattern = "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-2][0-9]:[0-5][0-9]$")]
    until: String,
}

/// Which boundaries ring.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Notify)]
#[expect(dead_code, reason = "describes what the roster reads")]
pub(super) struct NotifyInput {
    start: Option<bool>,
    end: Option<bool>,
}

/// One app on one phone.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = DeviceToRegister)]
#[expect(dead_code, reason = "describes what the roster reads")]
pub(super) struct DeviceInput {
    #[schema(pattern = "^(ios|android)$")]
    platform: String,
    #[schema(min_length = 1, max_length = 4096)]
    token: String,
    #[schema(pattern = "^(production|sandbox)$")]
    environment: Option<String>,
}

/// What the roster says of a body: the value with warnings, or a problem that names each field.
pub(super) fn judged<T>(read: Alone<T>) -> Result<(T, Vec<Warning>), Problem> {
    let (value, warnings) = read.map_err(|faults| refused(&faults))?;
    let warnings = warnings.into_iter().map(|warning| Warning {
        field: warning.field,
        detail: warning.reason,
    });
    Ok((value, warnings.collect()))
}

fn refused(faults: &[roster::Fault]) -> Problem {
    let status = StatusCode::UNPROCESSABLE_ENTITY;
    let mut faults = faults.iter().take(roster::LISTED);
    let Some(first) = faults.next() else {
        return Problem::new(status, "the body cannot be read");
    };
    faults.fold(
        Problem::field(status, &first.field, &first.reason),
        |problem, fault| problem.and_field(&fault.field, &fault.reason),
    )
}
