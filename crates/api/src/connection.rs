//! How sockets are set up.

use std::any::Any;
use std::time::Duration;

use actix_web::dev::Extensions;
use actix_web::rt::net::TcpStream;
use socket2::SockRef;

/// Bytes that may wait in the kernel, unsent, for one client. The kernel would take megabytes: a minute of video that a
/// slow reader gets late instead of not at all.
const UNSENT_BYTES_MAX: u32 = 64 * 1024;

/// How long a client may take nothing of what waits for it. Nothing above the kernel looks after an answer that is on its way: one
/// that nobody reads would be kept for as long as its reader likes. Other systems than Linux keep it.
const UNREAD_FOR: Duration = Duration::from_secs(60);

/// Sets up an accepted connection: nothing waits to be joined with what comes later, little waits at all, and none of it for
/// ever. For `HttpServer::on_connect`.
pub fn tune_connection(connection: &dyn Any, _: &mut Extensions) {
    let Some(stream) = connection.downcast_ref::<TcpStream>() else { return };
    let socket = SockRef::from(stream);
    let tuned = socket.set_tcp_nodelay(true);
    #[cfg(any(target_os = "linux", target_os = "android"))]
    let tuned = tuned
        .and_then(|()| socket.set_tcp_notsent_lowat(UNSENT_BYTES_MAX))
        .and_then(|()| socket.set_tcp_user_timeout(Some(UNREAD_FOR)));
    if let Err(error) = tuned {
        // It works without, only later.
        tracing::debug!(%error, "a connection could not be tuned");
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use actix_web::rt::net::TcpListener;

    use super::*;

    #[actix_web::test]
    async fn a_client_that_reads_nothing_is_given_up_by_the_kernel() {
        let socket = TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port");
        let address = socket.local_addr().expect("it is bound");
        let (accepted, client) = tokio::join!(socket.accept(), TcpStream::connect(address));
        let (accepted, _client) = (accepted.expect("a connection").0, client.expect("a connection"));
        tune_connection(&accepted, &mut Extensions::new());
        let tuned = SockRef::from(&accepted);
        assert_eq!(tuned.tcp_user_timeout().expect("an option"), Some(UNREAD_FOR));
        assert!(tuned.tcp_nodelay().expect("an option"));
    }
}
