//! Workspaces: made, changed by whoever saw the last change, and removed.

use serde_json::json;

use crate::{
    desk::{Desk, said},
    support::{Database, on_both},
};

on_both!(a_workspace_lives_and_goes, workspaces_come_in_pages);

async fn a_workspace_lives_and_goes(db: Database) {
    let desk = Desk::at(db).await;
    let platform = desk.platform().await;
    let path = "/v1/workspaces/acme";
    platform.get(path).await.refused(404, &[]);
    let body =
        json!({"name": "Acme", "holidays": ["2026-12-25"], "ask_invisible_after_seconds": 90});
    let made = platform.put(path, body.clone()).await;
    let whole = made.ok(201);
    assert_eq!(whole["id"], "acme");
    assert_eq!(whole["holidays"], json!(["2026-12-25"]));
    assert_eq!(whole["ask_invisible_after_seconds"], 90);
    let read = platform.get(path).await;
    assert_eq!(read.ok(200), whole);
    let etag = read.header("etag").to_owned();
    assert_eq!(made.header("etag"), etag);
    let same = said(platform.request("GET", path).header("if-none-match", &etag)).await;
    assert_eq!((same.status, same.text.as_str()), (304, ""));
    let once = |body| {
        let request = platform.request("PUT", path).json(&body);
        said(request.header("if-match", &etag))
    };
    let renamed = once(json!({"name": "Acme 2"})).await;
    // What a PUT leaves out is empty.
    assert_eq!(renamed.ok(200)["holidays"], json!([]));
    assert!(renamed.ok(200)["ask_invisible_after_seconds"].is_null());
    let stale = once(json!({"name": "Acme 3"})).await;
    stale.refused(412, &[]);
    assert_eq!(stale.header("etag"), renamed.header("etag"));
    let new = platform
        .request("PUT", path)
        .json(&body)
        .header("if-none-match", "*");
    said(new).await.refused(412, &[]);
    platform.hire("a-1", "acme").await;
    platform.delete(path).await.refused(409, &[]);
    platform.delete("/v1/agents/a-1").await.ok(204);
    platform.delete(path).await.ok(204);
    platform.delete(path).await.refused(404, &[]);
    assert_eq!(desk.db.sql("SELECT count(*) FROM holidays"), "0");
}

async fn workspaces_come_in_pages(db: Database) {
    let desk = Desk::at(db).await;
    let platform = desk.platform().await;
    for id in ["w-1", "w-2", "w-3"] {
        let said = platform
            .put(&format!("/v1/workspaces/{id}"), json!({"name": id}))
            .await;
        said.ok(201);
    }
    let (mut seen, mut path) = (Vec::new(), "/v1/workspaces?limit=2".to_owned());
    loop {
        let page = platform.get(&path).await.ok(200);
        let ids = page["items"].as_array().unwrap().iter();
        seen.push(
            ids.map(|w| w["id"].as_str().unwrap().to_owned())
                .collect::<Vec<_>>(),
        );
        let Some(next) = page["next"].as_str() else {
            break;
        };
        path = format!("/v1/workspaces?limit=2&cursor={next}");
    }
    assert_eq!(seen, [vec!["w-1", "w-2"], vec!["w-3"]]);
    let own = desk
        .platform_of("w-2")
        .await
        .get("/v1/workspaces")
        .await
        .ok(200);
    assert_eq!(own["items"].as_array().unwrap().len(), 1);
    assert_eq!(own["items"][0]["id"], "w-2");
}
