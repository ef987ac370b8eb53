//! The receivers of this installation, each with its lane; a section that is absent switches its
//! receiver off.
//!
//! A new channel is a file in `channels`, a variant of `ChannelKind`, and a line in each function
//! here.

use std::sync::Arc;

use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use super::{
    Shared,
    direct::ShortWays,
    lane::{Lane, Limits, Until},
    upkeep::Upkeep,
    zones::ZonesInUse,
};
use crate::{
    channels::{
        Channel, ChannelError, Checkup, apns, apns::Apns, driver, driver::Driver, fcm, fcm::Fcm,
        presence, presence::Presence,
    },
    config::{self, Config},
    domain::{
        delivery::{ChannelKind, Judgement, Push},
        pace::Pace,
        presence::Posting,
    },
};

/// The wire clients that are switched on.
#[derive(Debug, Clone, Default)]
pub struct Receivers {
    /// Apple's push service.
    pub apns: Option<Arc<Apns>>,
    /// Google's push service.
    pub fcm: Option<Arc<Fcm>>,
    /// The chat platform.
    pub presence: Option<Arc<Presence>>,
    /// A chat product in its place.
    pub driver: Option<Arc<Driver>>,
}

impl Receivers {
    /// The clients that the configuration switches on; connects nothing yet.
    pub fn new(config: &Config) -> Result<Self, ChannelError> {
        let timeout = config.delivery.request_timeout;
        let apns = config.apns.as_ref().map(|c| {
            Apns::new(apns::Options {
                endpoint: c.endpoint.clone(),
                sandbox_endpoint: c.sandbox_endpoint.clone(),
                key_pem: c.key_pem.clone(),
                key_id: c.key_id.clone(),
                team_id: c.team_id.clone(),
                topic: c.topic.clone(),
                extra_ca: c.ca.clone(),
                request_timeout: timeout,
                max_in_flight: c.pace.max_in_flight as usize,
            })
        });
        let fcm = config.fcm.as_ref().map(|c| {
            Fcm::new(fcm::Options {
                endpoint: c.endpoint.clone(),
                service_account: c.service_account.clone(),
                extra_ca: c.ca.clone(),
                request_timeout: timeout,
                max_in_flight: c.pace.max_in_flight as usize,
            })
        });
        let presence = config.presence.as_ref().map(|c| {
            Presence::new(presence::Options {
                url: c.url.clone(),
                secret: c.secret.clone(),
                batch_size: c.batch_size as usize,
                extra_ca: c.ca.clone(),
                request_timeout: timeout,
                max_in_flight: c.pace.max_in_flight as usize,
            })
        });
        let driver = config.driver.as_ref().map(|c| {
            Driver::new(driver::Options {
                description: c.description.clone(),
                url: c.url.clone(),
                token: c.token.clone(),
                token_url: c.token_url.clone(),
                agent_tokens: c.agent_tokens.clone(),
                account: c.account.clone(),
                user: c.user.clone(),
                extra_ca: c.ca.clone(),
                request_timeout: timeout,
                max_in_flight: c.max_in_flight as usize,
            })
        });
        Ok(Self {
            apns: apns.transpose()?.map(Arc::new),
            fcm: fcm.transpose()?.map(Arc::new),
            presence: presence.transpose()?.map(Arc::new),
            driver: driver.transpose()?.map(Arc::new),
        })
    }

    /// The push services that are switched on.
    pub fn push(&self) -> Vec<ChannelKind> {
        let apns = self.apns.as_ref().map(|_| ChannelKind::Apns);
        let fcm = self.fcm.as_ref().map(|_| ChannelKind::Fcm);
        apns.into_iter().chain(fcm).collect()
    }

    /// Who is told of changes of status.
    pub fn posting(&self) -> Posting {
        match (&self.driver, &self.presence) {
            (Some(driver), _) => Posting::Product {
                identity: driver.identity(),
                external: driver.description().external.clone(),
            },
            (None, Some(_)) => Posting::PresenceApi,
            (None, None) => Posting::Nobody,
        }
    }

    /// Rings one phone at `now` (UTC), past lanes and log; `None` if its push service is switched off.
    pub async fn ring(
        &self,
        channel: ChannelKind,
        push: Push,
        now: Timestamp,
    ) -> Option<Judgement> {
        match channel {
            ChannelKind::Apns => Some(self.apns.as_ref()?.send(&[push], now).await),
            ChannelKind::Fcm => Some(self.fcm.as_ref()?.send(&[push], now).await),
            ChannelKind::Presence => None,
        }
    }

    /// Asks each receiver whether it can be reached and takes our credentials, ringing nobody;
    /// `None` for one that is switched off.
    pub async fn check(
        &self,
        now: Timestamp,
    ) -> Vec<(ChannelKind, Option<Result<Checkup, String>>)> {
        macro_rules! check {
            ($channel:expr) => {
                match &$channel {
                    Some(channel) => Some(channel.check(now).await),
                    None => None,
                }
            };
        }
        vec![
            (ChannelKind::Apns, check!(self.apns)),
            (ChannelKind::Fcm, check!(self.fcm)),
            (
                ChannelKind::Presence,
                match check!(self.driver) {
                    Some(checked) => Some(checked),
                    None => check!(self.presence),
                },
            ),
        ]
    }
}

/// A lane for each receiver that is switched on.
#[derive(Debug)]
pub struct Lanes {
    apns: Option<Lane<Apns>>,
    fcm: Option<Lane<Fcm>>,
    presence: Option<Lane<Presence>>,
    driver: Option<Lane<Driver>>,
}

impl Lanes {
    /// Lanes for `receivers`, with the pace and the times of the configuration.
    pub fn new(
        shared: &Shared,
        config: &Config,
        receivers: &Receivers,
        zones: &Arc<ZonesInUse>,
    ) -> Self {
        let limits = Limits {
            lease: config.delivery.lease,
            request_timeout: config.delivery.request_timeout,
        };
        macro_rules! lane {
            ($channel:ident, $pace:expr) => {
                receivers
                    .$channel
                    .as_ref()
                    .zip(config.$channel.as_ref())
                    .map(|(channel, section)| {
                        let pace = $pace(section);
                        let (shared, channel) = (shared.clone(), Arc::clone(channel));
                        Lane::new(shared, channel, limits, pace, Arc::clone(zones))
                    })
            };
        }
        let per_second = |pace: &config::Pace| Pace::new(pace.max_per_second);
        Self {
            apns: lane!(apns, |c: &config::Apns| per_second(&c.pace)),
            fcm: lane!(fcm, |c: &config::Fcm| per_second(&c.pace)),
            presence: lane!(presence, |c: &config::Presence| per_second(&c.pace)),
            driver: lane!(driver, |c: &config::Driver| Pace::per_minute(
                c.max_per_minute
            )),
        }
    }

    /// The lanes that send what is recorded at once. A chat product names agents by ids of its own, which
    /// its lane looks up.
    pub fn short_ways(&self) -> ShortWays {
        let apns = self.apns.as_ref().map(|l| (ChannelKind::Apns, l.direct()));
        let fcm = self.fcm.as_ref().map(|l| (ChannelKind::Fcm, l.direct()));
        ShortWays {
            push: apns.into_iter().chain(fcm).collect(),
            presence: self.presence.as_ref().map(Lane::direct),
        }
    }

    /// The upkeep of the chat product, if one is driven.
    pub fn upkeep(
        &self,
        shared: &Shared,
        config: &Config,
        receivers: &Receivers,
    ) -> Option<Upkeep> {
        let (lane, section) = self.driver.as_ref().zip(config.driver.as_ref())?;
        Some(Upkeep::new(
            shared.clone(),
            Arc::clone(receivers.driver.as_ref()?),
            lane.gate(),
            section.max_per_minute,
            section.check_every,
        ))
    }

    /// Runs all lanes side by side; returns how many rounds sent something.
    pub async fn run(&self, until: Until, stop: &CancellationToken) -> usize {
        macro_rules! run {
            ($lane:expr) => {
                async {
                    match &$lane {
                        Some(lane) => lane.run(until, stop).await,
                        None => 0,
                    }
                }
            };
        }
        let (apns, fcm, presence, driver) = tokio::join!(
            run!(self.apns),
            run!(self.fcm),
            run!(self.presence),
            run!(self.driver)
        );
        apns + fcm + presence + driver
    }

    /// Each lane's state, in the order ops read them.
    pub fn states(&self, now: Timestamp) -> Vec<LaneState> {
        macro_rules! state {
            ($kind:ident, $lane:expr) => {
                $lane.as_ref().map(|lane| LaneState {
                    kind: ChannelKind::$kind,
                    open: lane.open_reason(),
                    credential_expiry: lane.credential_expiry(now),
                })
            };
        }
        let states = [
            state!(Apns, self.apns),
            state!(Fcm, self.fcm),
            state!(Presence, self.presence),
            state!(Presence, self.driver),
        ];
        states.into_iter().flatten().collect()
    }
}

/// How a lane is.
#[derive(Debug, Clone)]
pub struct LaneState {
    /// The receiver.
    pub kind: ChannelKind,
    /// Why its breaker is open, if it is.
    pub open: Option<String>,
    /// When (UTC) the credential in use ends, where it is known.
    pub credential_expiry: Option<Timestamp>,
}
