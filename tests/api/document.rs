//! The description at `/openapi.json`: every route is in it, and it says how to be let in.

use serde_json::Value;

use crate::{
    desk::{Desk, said},
    support::Database,
};

/// Method and path of everything that is described, in order.
pub(crate) async fn operations(desk: &Desk) -> Vec<(String, String)> {
    let document = said(desk.request("GET", "/openapi.json")).await.ok(200);
    let mut operations = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for method in item.as_object().unwrap().keys() {
            operations.push((method.to_uppercase(), path.clone()));
        }
    }
    operations.sort();
    operations
}

#[tokio::test]
async fn every_route_is_described() {
    let desk = Desk::at(Database::sqlite().await).await;
    let document: Value = said(desk.request("GET", "/openapi.json")).await.ok(200);
    assert_eq!(document["openapi"], "3.1.0");
    assert_eq!(
        document["components"]["securitySchemes"]["token"]["scheme"],
        "bearer"
    );
    assert_eq!(document["security"][0], serde_json::json!({"token": []}));
    let agent = &document["components"]["schemas"]["Agent"]["properties"];
    assert!(
        agent["hours"].is_object() && agent["devices"].is_null(),
        "{agent}"
    );
    let page = &document["components"]["schemas"]["Page_Agent"]["properties"];
    assert_eq!(page["items"]["items"]["$ref"], "#/components/schemas/Agent");
    let operations = operations(&desk).await;
    let described: Vec<String> = operations.iter().map(|(m, p)| format!("{m} {p}")).collect();
    assert_eq!(
        described,
        [
            "DELETE /v1/agents/{id}",
            "DELETE /v1/agents/{id}/devices/{platform}/{token}",
            "DELETE /v1/agents/{id}/feed",
            "DELETE /v1/workspaces/{id}",
            "GET /v1/agents",
            "GET /v1/agents/{id}",
            "GET /v1/agents/{id}/boundaries",
            "GET /v1/agents/{id}/devices",
            "GET /v1/agents/{id}/devices/{platform}/{token}",
            "GET /v1/agents/{id}/explain",
            "GET /v1/agents/{id}/status",
            "GET /v1/audit",
            "GET /v1/deliveries",
            "GET /v1/deliveries/{id}",
            "GET /v1/feeds/{secret}.ics",
            "GET /v1/workspaces",
            "GET /v1/workspaces/{id}",
            "GET /v1/workspaces/{id}/coverage",
            "GET /v1/workspaces/{id}/presence",
            "PATCH /v1/agents/{id}",
            "POST /v1/agents/{id}/devices/{platform}/{token}:test",
            "POST /v1/agents/{id}/feed",
            "POST /v1/boundaries:preview",
            "POST /v1/deliveries/{id}:cancel",
            "POST /v1/deliveries/{id}:retry",
            "POST /v1/deliveries:cancel",
            "POST /v1/deliveries:retry",
            "POST /v1/events",
            "PUT /v1/agents/{id}",
            "PUT /v1/agents/{id}/devices/{platform}/{token}",
            "PUT /v1/agents/{id}/status",
            "PUT /v1/workspaces/{id}",
        ]
    );
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let problem = &operation["responses"]["default"]["content"];
            let problem = &problem["application/problem+json"]["schema"]["$ref"];
            assert_eq!(problem, "#/components/schemas/Problem", "{method} {path}");
        }
    }
}
