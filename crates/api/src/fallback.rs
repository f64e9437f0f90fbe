//! What answers where no route does.

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, Resource, ResponseError as _, web};

use crate::problem::{Code, Problem};

/// Nothing lives at this path.
pub(crate) async fn not_found(request: HttpRequest) -> HttpResponse {
    let path: String = request.path().chars().take(200).collect();
    Problem::new(Code::RouteNotFound, format!("there is nothing at {path}; /docs lists what there is")).error_response()
}

/// A path that answers methods it does not take with those it does.
pub(crate) fn resource(path: &str, methods: &'static str) -> Resource {
    web::resource(path).default_service(web::to(move |request: HttpRequest| async move {
        let detail = format!("{} is not possible here; possible: {methods}", request.method());
        let mut response = Problem::new(Code::MethodNotAllowed, detail).error_response();
        response.headers_mut().insert(header::ALLOW, header::HeaderValue::from_static(methods));
        response
    }))
}
