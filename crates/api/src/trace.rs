//! Around every request: an id that the client, the log and the support desk share, and one line in the log.

use std::time::Instant;

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage as _};
use tracing::Instrument as _;
use uuid::Uuid;

/// The header that carries the id, both ways.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// The longest id taken from a client.
const ID_LEN_MAX: usize = 64;

/// A request's id, for those who write it down.
pub(crate) struct RequestId(pub(crate) String);

/// Answers with the request's id (the client's own, if it sent a usable one) and logs how the request went.
pub(crate) async fn trace(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let started = Instant::now();
    let id = request_id(&request);
    request.extensions_mut().insert(RequestId(id.to_str().unwrap_or_default().to_owned()));
    let (method, path) = (request.method().clone(), request.path().to_owned());
    // An error's line is found by the id in its answer. At the level of errors, so that no filter takes it away from them.
    let span = tracing::error_span!("request", request_id = ?id);
    // Errors of handlers become responses below this middleware; what is left are faults of the framework.
    let mut response = next.call(request).instrument(span).await?;
    let status = response.status();
    let elapsed_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    if status.is_server_error() {
        tracing::warn!(%method, path, status = status.as_u16(), elapsed_ms, request_id = ?id, "request");
    } else {
        tracing::debug!(%method, path, status = status.as_u16(), elapsed_ms, request_id = ?id, "request");
    }
    response.headers_mut().insert(REQUEST_ID, id);
    Ok(response)
}

fn request_id(request: &ServiceRequest) -> HeaderValue {
    let usable = |value: &&HeaderValue| {
        let bytes = value.as_bytes();
        (1..=ID_LEN_MAX).contains(&bytes.len()) && bytes.iter().all(u8::is_ascii_graphic)
    };
    request.headers().get(REQUEST_ID).filter(usable).cloned().unwrap_or_else(|| {
        HeaderValue::from_str(&Uuid::now_v7().simple().to_string()).expect("hexadecimal digits are header text")
    })
}
