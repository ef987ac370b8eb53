//! Rocket.Chat's user status: an answer that shows nothing, users who are not connected, settings that
//! forbid it.

use std::time::Duration;

use serde_json::json;
use shiftbell::domain::{delivery::Verdict, driver::Shown};

use super::desk::Desk;

#[tokio::test]
async fn the_requests_as_they_are_sent() {
    let desk = Desk::of("rocketchat-user").await;
    let ana = desk.product().add_agent(0);
    desk.tell(&desk.driver(), &ana, Shown::Invisible).await;
    assert_eq!(
        desk.last(),
        "POST /api/v1/users.setStatus\n\
         content-type: application/json\n\
         x-auth-token: …\n\
         x-user-id: rbAXPnMktTFbNpwtJ\n\
         {\"status\":\"busy\",\"userId\":\"zXuq7SvPKYbzY0000\"}"
    );
    assert_eq!(desk.driver().read(&[&ana], desk.now()).await.failed, None);
    assert_eq!(
        desk.last(),
        "GET /api/v1/users.getStatus?userId=zXuq7SvPKYbzY0000\n\
         x-auth-token: …\n\
         x-user-id: rbAXPnMktTFbNpwtJ\n"
    );
}

#[tokio::test]
async fn whoever_is_not_connected_contradicts_nothing() {
    let desk = Desk::of("rocketchat-user").await;
    let ana = desk.product().add_agent(0);
    let driver = desk.driver();
    desk.product().arrange("off", &ana);
    let judgement = desk.tell(&driver, &ana, Shown::Invisible).await;
    assert_eq!(judgement.verdict, Verdict::Sent, "{judgement:?}");
    let read = driver.read(&[&ana], desk.now()).await.shown;
    assert_eq!(read[&ana], json!("offline"));
    assert!(driver.description().means(&read[&ana], Shown::Invisible));
    // Somebody who is there and says otherwise does.
    desk.product().set_there(&ana, "online");
    let read = driver.read(&[&ana], desk.now()).await.shown;
    for (shown, means) in [
        (Shown::Online, true),
        (Shown::Offline, false),
        (Shown::Invisible, false),
    ] {
        assert_eq!(
            driver.description().means(&read[&ana], shown),
            means,
            "{shown:?}"
        );
    }
}

#[tokio::test]
async fn an_unknown_user_is_its_own_fault_and_is_left_out_when_read() {
    let desk = Desk::of("rocketchat-user").await;
    let ana = desk.product().add_agent(0);
    let judgement = desk.tell(&desk.driver(), "nobody", Shown::Online).await;
    assert_eq!(judgement.verdict, Verdict::Narrow, "{judgement:?}");
    assert_eq!(judgement.http_status, Some(400));
    assert_eq!(judgement.reason, "error-invalid-user");
    let read = desk
        .driver()
        .read(&["nobody", &ana], desk.now())
        .await
        .shown;
    assert_eq!(read.keys().collect::<Vec<_>>(), [&ana]);
}

#[tokio::test]
async fn what_the_workspace_forbids_is_our_configuration() {
    let rows = [
        (
            "Accounts_AllowUserStatusMessageChange",
            400,
            "error-not-allowed",
        ),
        (
            "Accounts_AllowInvisibleStatusOption",
            400,
            "error-status-not-allowed",
        ),
        ("edit-other-user-info", 403, "unauthorized"),
    ];
    for (setting, status, reason) in rows {
        let desk = Desk::of("rocketchat-user").await;
        let ana = desk.product().add_agent(0);
        desk.product().arrange("off", setting);
        let judgement = desk.tell(&desk.driver(), &ana, Shown::Offline).await;
        assert_eq!(judgement.verdict, Verdict::Misconfigured, "{judgement:?}");
        assert_eq!(judgement.http_status, Some(status));
        assert_eq!(judgement.reason, reason);
    }
}

#[tokio::test]
async fn ten_a_minute_unless_the_token_is_exempt() {
    let desk = Desk::of("rocketchat-user").await;
    let ana = desk.product().add_agent(0);
    let driver = desk.driver();
    desk.product().arrange("off", "api-bypass-rate-limit");
    for _ in 0..10 {
        let judgement = desk.tell(&driver, &ana, Shown::Online).await;
        assert_eq!(judgement.verdict, Verdict::Sent, "{judgement:?}");
    }
    let judgement = desk.tell(&driver, &ana, Shown::Online).await;
    assert_eq!(judgement.verdict, Verdict::Slow, "{judgement:?}");
    assert_eq!(judgement.retry_after, Some(Duration::from_secs(61)));
    // Each route has its own.
    assert_eq!(driver.read(&[&ana], desk.now()).await.shown.len(), 1);
}
