//! The OpenAPI document: what the handlers say of themselves, and what all of them have in common.

use serde::Serialize;
use utoipa::{
    OpenApi, ToSchema,
    openapi::{
        ArrayBuilder, Components, ContentBuilder, InfoBuilder, OpenApi as Document, Ref, RefOr,
        Response, ResponseBuilder, Schema,
        security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme},
    },
};

use super::{feed, ring, verbs};

const PROBLEM: &str = "Problem";
const BEARER: &str = "token";

/// An error (RFC 9457).
#[derive(Serialize, ToSchema)]
struct Problem {
    /// Always `about:blank`: the status says what it is.
    r#type: String,
    /// The status in words.
    title: String,
    /// The HTTP status.
    status: u16,
    /// What is wrong, and what to do.
    detail: String,
    /// The fields at fault.
    errors: Option<Vec<FieldProblem>>,
}

/// A field at fault.
#[derive(Serialize, ToSchema)]
struct FieldProblem {
    /// Path of the field, such as `hours[2].start`.
    field: String,
    /// What is wrong with it.
    detail: String,
}

#[derive(OpenApi)]
#[openapi(components(schemas(Problem, FieldProblem)))]
struct Common;

/// What the handlers' own descriptions are added to.
pub(super) fn base() -> Document {
    let mut document = Common::openapi();
    document.merge(verbs::OnOne::openapi());
    document.merge(ring::OnOne::openapi());
    document.merge(feed::AtSecret::openapi());
    document.info = InfoBuilder::new()
        .title("shiftbell")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(
            "Working hours of chat agents: what they set, who is reachable, and what was sent. \
             Instants are RFC 3339, answered in UTC.",
        ))
        .build();
    document
}

/// The whole document as JSON: every operation needs a token, and answers a problem where it fails.
pub(super) fn finished(mut document: Document) -> String {
    let scheme = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .description(Some("Made with `shiftbell token create`."))
        .build();
    document
        .components
        .get_or_insert_with(Components::new)
        .add_security_scheme(BEARER, SecurityScheme::Http(scheme));
    document.security = Some(vec![SecurityRequirement::new(BEARER, [""; 0])]);
    let problem = problem();
    for item in document.paths.paths.values_mut() {
        let operations = [
            &mut item.get,
            &mut item.put,
            &mut item.post,
            &mut item.patch,
            &mut item.delete,
        ];
        for operation in operations.into_iter().flatten() {
            let answers = &mut operation.responses.responses;
            for answer in answers.values_mut() {
                if let RefOr::T(answer) = answer
                    && answer.description.is_empty()
                {
                    "Done".clone_into(&mut answer.description);
                }
            }
            answers.insert("default".to_owned(), RefOr::T(problem.clone()));
        }
    }
    pages_of_references(&mut document);
    document.to_json().unwrap_or_default()
}

/// Has the schema of a page name its items' schema, where the derive writes it out once more.
fn pages_of_references(document: &mut Document) {
    let Some(components) = &mut document.components else {
        return;
    };
    for (name, schema) in &mut components.schemas {
        let item = name.strip_prefix("Page_").map(Ref::from_schema_name);
        if let (Some(item), RefOr::T(Schema::Object(page))) = (item, schema) {
            let items = ArrayBuilder::new()
                .items(item)
                .description(Some("At most as many as were asked for."));
            page.properties.insert("items".to_owned(), items.into());
        }
    }
}

/// The answer of whatever fails.
fn problem() -> Response {
    let schema = Ref::from_schema_name(PROBLEM);
    let content = ContentBuilder::new().schema(Some(schema)).build();
    ResponseBuilder::new()
        .description("A problem")
        .content("application/problem+json", content)
        .build()
}
