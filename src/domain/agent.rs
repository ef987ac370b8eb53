//! The objects of import and export: one agent, or one workspace, a line.
//!
//! [`super::roster`] reads them; `serde` writes them, in the same format. A line that is read may
//! leave optional fields out, and [`Named`] remembers which it named, because an import replaces
//! what a line names and nothing else. A line that is written names every list and switch, so that
//! exporting and importing again restores them; leads, a later addition, only if there are any.

use std::collections::BTreeMap;

use jiff::civil::Date;
use serde::{Serialize, Serializer};

use super::{
    delivery::AlertKind,
    device::{DeviceToken, Environment, Platform},
    hours::{Away, OperatingHours, Override, Slot},
    lead::Lead,
    zone::{UnknownZone, Zones},
};

/// An agent, as a line of an import file says it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Agent {
    /// Unique in the installation.
    pub id: String,
    /// The id of the workspace the agent belongs to.
    pub workspace: String,
    /// Full name, as typed.
    pub name: String,
    /// Where the platform shows a picture from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub photo_url: Option<String>,
    /// IANA time zone, exactly as the time-zone data spell it.
    pub timezone: String,
    /// Language of the alerts, a BCP 47 tag; without one, English.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub locale: Option<String>,
    /// Weekly slots, in the agent's local time.
    pub hours: Vec<Slot>,
    /// Dates with slots of their own, each date once.
    pub overrides: Vec<Override>,
    /// Spans off duty, in the agent's local time.
    pub away: Vec<Away>,
    /// Which boundaries ring.
    pub notify: Notify,
    /// How long before hours start the phones ring as well, each once.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub leads: Vec<Lead>,
    /// Phones.
    pub devices: Vec<Device>,
    /// Minutes without a reply after which the agent goes offline; never, without.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auto_offline_after_minutes: Option<u16>,
    /// Whether the agent gets conversations while invisible when the others are slow.
    pub receive_when_invisible: bool,
    /// The agent's ids in other products, by the product's name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub external: BTreeMap<String, String>,
    /// Which optional fields the line named.
    #[serde(skip)]
    pub named: Named,
}

impl Agent {
    /// An agent with nothing but the required fields.
    pub fn new(
        id: impl Into<String>,
        workspace: impl Into<String>,
        name: impl Into<String>,
        timezone: impl Into<String>,
    ) -> Self {
        Self {
            id: id.into(),
            workspace: workspace.into(),
            name: name.into(),
            photo_url: None,
            timezone: timezone.into(),
            locale: None,
            hours: Vec::new(),
            overrides: Vec::new(),
            away: Vec::new(),
            notify: Notify::default(),
            leads: Vec::new(),
            devices: Vec::new(),
            auto_offline_after_minutes: None,
            receive_when_invisible: false,
            external: BTreeMap::new(),
            named: Named::NONE,
        }
    }

    /// This agent where it names a field, `stored` where it does not: what an upsert would leave.
    #[must_use]
    pub fn over(mut self, stored: &Self) -> Self {
        let named = self.named;
        let keep = |field| !named.contains(field);
        if keep(Field::Hours) {
            self.hours.clone_from(&stored.hours);
        }
        if keep(Field::Overrides) {
            self.overrides.clone_from(&stored.overrides);
        }
        if keep(Field::Away) {
            self.away.clone_from(&stored.away);
        }
        self
    }

    /// The agent's operating hours under the workspace's `holidays`.
    ///
    /// # Errors
    /// The time-zone data at hand do not know the agent's zone.
    pub fn operating_hours(
        &self,
        zones: &Zones,
        holidays: &[Date],
    ) -> Result<OperatingHours, UnknownZone> {
        let zone = zones.get(&self.timezone)?;
        Ok(OperatingHours::new(
            zone,
            &self.hours,
            &self.overrides,
            holidays,
            &self.away,
        ))
    }
}

/// Which boundaries ring the agent's phones. Off unless the agent said otherwise.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Notify {
    /// When hours start.
    pub start: bool,
    /// When hours end.
    pub end: bool,
}

impl Notify {
    /// Whether the phones ring for it: for the start or the end of hours if that is switched on, for
    /// another change of status if either is, for a test in any case. Whoever chose a lead wants it.
    pub fn wants(self, kind: AlertKind) -> bool {
        match kind {
            AlertKind::HoursStart => self.start,
            AlertKind::HoursEnd => self.end,
            AlertKind::NoReply | AlertKind::Overflow => self.start || self.end,
            AlertKind::HoursStartLead | AlertKind::Test => true,
        }
    }
}

/// One app on one phone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Device {
    /// Which push service reaches it.
    pub platform: Platform,
    /// Its address there.
    pub token: DeviceToken,
    /// Which of Apple's hosts knows the token; for Android always production.
    pub environment: Environment,
}

/// A team, as a line of an import file says it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Workspace {
    /// Unique in the installation.
    pub id: String,
    /// As typed.
    pub name: String,
    /// Local dates on which its agents have no slots of their own; `None` where the line did not say.
    pub holidays: Option<Vec<Date>>,
    /// When invisible agents are asked too; `None` where the line did not say, or nothing is stored.
    pub ask_invisible: Option<AskInvisible>,
}

/// How long a conversation may wait before invisible agents get it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AskInvisible {
    /// As long as it likes.
    Never,
    /// So many seconds.
    After(u32),
}

impl AskInvisible {
    /// The seconds; `None` for never.
    pub fn seconds(self) -> Option<u32> {
        match self {
            Self::Never => None,
            Self::After(seconds) => Some(seconds),
        }
    }
}

impl Serialize for Workspace {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Line<'a> {
            r#type: &'static str,
            id: &'a str,
            name: &'a str,
            holidays: &'a [Date],
            #[serde(skip_serializing_if = "Option::is_none")]
            ask_invisible_after_seconds: Option<u32>,
        }
        let holidays = self.holidays.as_deref().unwrap_or_default();
        Line {
            r#type: "workspace",
            id: &self.id,
            name: &self.name,
            holidays,
            ask_invisible_after_seconds: self.ask_invisible.and_then(AskInvisible::seconds),
        }
        .serialize(to)
    }
}

/// An optional field of [`Agent`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Field {
    /// `photo_url`
    PhotoUrl,
    /// `locale`
    Locale,
    /// `hours`
    Hours,
    /// `overrides`
    Overrides,
    /// `away`
    Away,
    /// `notify`
    Notify,
    /// `devices`
    Devices,
    /// `auto_offline_after_minutes`
    AutoOffline,
    /// `receive_when_invisible`
    ReceiveWhenInvisible,
    /// `external`
    External,
    /// `leads`
    Leads,
}

/// A set of optional fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Named(u16);

impl Named {
    /// No field: an upsert keeps all that is stored.
    pub const NONE: Self = Self(0);
    /// Every field: an upsert replaces the whole agent.
    pub const ALL: Self = Self((1 << 11) - 1);

    /// Every field but one.
    pub const fn all_but(field: Field) -> Self {
        Self(Self::ALL.0 & !(1 << field as u16))
    }

    /// Whether `field` is in the set.
    pub fn contains(self, field: Field) -> bool {
        self.0 & (1 << field as u16) != 0
    }

    /// Takes `field` out.
    pub fn remove(&mut self, field: Field) {
        self.0 &= !(1 << field as u16);
    }

    /// Adds `field`.
    pub fn insert(&mut self, field: Field) {
        self.0 |= 1 << field as u16;
    }
}
