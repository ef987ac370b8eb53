//! The same fault at every receiver.

use std::sync::Arc;

use shiftbell::{
    domain::delivery::ChannelKind,
    sim::{
        World,
        script::{Behaviour, Rule, Script},
    },
};

/// A receiver's script.
pub(crate) fn script(world: &World, channel: ChannelKind) -> &Script {
    match channel {
        ChannelKind::Apns => world.apns.script(),
        ChannelKind::Fcm => world.fcm.script(),
        ChannelKind::Presence => world.presence.script(),
    }
}

/// Makes the next `turns` requests to each receiver end so, then as many with the next behaviour.
pub(crate) fn next(world: &World, turns: u64, behaviours: &[Behaviour]) -> Vec<Arc<Rule>> {
    let mut rules = Vec::new();
    for channel in ChannelKind::ALL {
        for behaviour in behaviours {
            rules.push(script(world, channel).next(turns, behaviour.clone()));
        }
    }
    rules
}

/// How often they struck, and a complaint for each that never did.
pub(crate) fn struck(rules: &[Arc<Rule>]) -> (u64, Vec<String>) {
    let idle = rules.iter().filter(|rule| rule.struck() == 0);
    let complaints = idle.map(|rule| format!("never struck: {rule:.60?}"));
    let complaints = complaints.collect();
    (rules.iter().map(|rule| rule.struck()).sum(), complaints)
}
