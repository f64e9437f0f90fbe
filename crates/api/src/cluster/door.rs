//! Who is let in on the cluster listener.

use std::time::Instant;

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage as _, HttpRequest, ResponseError as _};
use footlight_cluster::http::{NOTE_NOT_HERE, NOTE_PASS_REFUSED};
use footlight_cluster::{PASS_HEADER, Pass, Whereabouts};

use crate::operator::{Operator, Role};
use crate::problem::{Code, Problem};
use crate::proxy::{moving, session_in};
use crate::state::ApiState;

/// Stands before every route of the cluster listener.
pub(crate) async fn require_pass(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    match read_pass(request.request()) {
        Ok(pass) => {
            request.extensions_mut().insert(pass);
            Ok(next.call(request).await?.map_into_left_body())
        }
        Err(problem) => {
            let mut response = problem.error_response();
            note(&mut response, NOTE_PASS_REFUSED);
            Ok(request.into_response(response).map_into_right_body())
        }
    }
}

fn read_pass(request: &HttpRequest) -> Result<Pass, Problem> {
    let state = ApiState::of(request);
    let Some(cluster) = &state.cluster else {
        return Err(Problem::new(Code::PassInvalid, "this node stands alone and takes no calls of others"));
    };
    let header = request.headers().get(PASS_HEADER).and_then(|value| value.to_str().ok());
    let target = request.uri().path_and_query().map_or("/", |target| target.as_str());
    let pass = cluster.doorkeeper.admit(header, request.method().as_str(), target, state.node.now(), Instant::now());
    pass.map_err(|fault| {
        tracing::warn!(%fault, from = ?request.peer_addr(), "a call on the cluster listener was refused");
        Problem::new(Code::PassInvalid, fault.to_string())
    })
}

/// Stands before the operators' routes: the node that passes such a call on has checked the operator's token and role.
pub(crate) async fn require_named_operator(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let name = request.extensions().get::<Pass>().and_then(|pass| pass.operator.clone());
    let Some(name) = name else {
        let problem = Problem::new(Code::PassInvalid, "the pass names no operator");
        return Ok(request.into_response(problem.error_response()).map_into_right_body());
    };
    let role = Role::needed_for(request.method(), request.path());
    request.extensions_mut().insert(Operator::forwarded(name, role));
    Ok(next.call(request).await?.map_into_left_body())
}

/// Stands before the sessions' routes: a call that was passed on is not passed on again. Whoever sent it knew less than
/// the directory does now, and is told so.
pub(crate) async fn only_what_is_here(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    if is_elsewhere(request.request()).await {
        let mut response = moving("the session is not at this node any more; nothing was done").error_response();
        note(&mut response, NOTE_NOT_HERE);
        return Ok(request.into_response(response).map_into_right_body());
    }
    Ok(next.call(request).await?.map_into_left_body())
}

async fn is_elsewhere(request: &HttpRequest) -> bool {
    let state = ApiState::of(request).clone();
    let (Some(cluster), Some(session)) = (&state.cluster, session_in(request.path())) else { return false };
    if state.node.has(session) {
        return false;
    }
    // What the store does not say, the route itself will say that it does not.
    matches!(cluster.directory.look_again(session).await, Ok(Whereabouts::At(_) | Whereabouts::Moving))
}

fn note(response: &mut actix_web::HttpResponse, note: &'static str) {
    response.headers_mut().insert(HeaderName::from_static(NOTE_HEADER_NAME), HeaderValue::from_static(note));
}

/// The header's name in this crate's version of the types.
const NOTE_HEADER_NAME: &str = "footlight-note";

#[cfg(test)]
mod tests {
    use footlight_cluster::http::NOTE_HEADER;

    use super::*;

    #[test]
    fn both_ends_mean_the_same_header() {
        assert_eq!(NOTE_HEADER.as_str(), NOTE_HEADER_NAME);
    }
}
