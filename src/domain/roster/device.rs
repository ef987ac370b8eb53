//! One of a line's `devices`. Its token is a secret: no reason quotes it.

use super::{
    fields::{Fields, Findings},
    json::Json,
};
use crate::domain::{
    agent::Device,
    device::{DeviceToken, Environment, Platform},
};

const LONGEST_TOKEN: usize = 4096;

pub(super) fn device(value: Json, path: &str, findings: &mut Findings) -> Option<Device> {
    let mut fields = Fields::of(value, path, &["platform", "token", "environment"], findings)?;
    let platform = fields.parsed(
        "platform",
        "\"ios\" or \"android\"",
        findings,
        |word| match word {
            "ios" => Some(Platform::Ios),
            "android" => Some(Platform::Android),
            _ => None,
        },
    );
    let environment = match fields.take("environment") {
        None | Some(Json::Null) => Some(Environment::Production),
        Some(Json::Text(word)) if word == "production" => Some(Environment::Production),
        Some(Json::Text(word)) if word == "sandbox" => Some(Environment::Sandbox),
        Some(_) => {
            findings.refuse(
                fields.path_to("environment"),
                "must be \"production\" or \"sandbox\"",
            );
            None
        }
    };
    let token = fields.text("token", findings)?;
    let (platform, environment) = (platform?, environment?);
    let (fits, expected) = match platform {
        Platform::Ios => (
            token.len() >= 8
                && token.len().is_multiple_of(2)
                && token.bytes().all(|b| b.is_ascii_hexdigit()),
            "must be the device token in hexadecimal, two digits a byte",
        ),
        Platform::Android => (
            !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic()),
            "must be the FCM registration token, without blanks",
        ),
    };
    if !fits || token.len() > LONGEST_TOKEN {
        findings.refuse(fields.path_to("token"), expected);
        return None;
    }
    let environment = match platform {
        Platform::Ios => environment,
        Platform::Android => Environment::Production,
    };
    Some(Device {
        platform,
        token: DeviceToken::new(token),
        environment,
    })
}
