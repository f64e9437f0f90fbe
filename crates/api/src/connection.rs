//! How sockets are set up.

use std::any::Any;

use actix_web::dev::Extensions;
use actix_web::rt::net::TcpStream;
use socket2::SockRef;

/// Bytes that may wait in the kernel, unsent, for one client. The kernel would take megabytes: a minute of video that a
/// slow reader gets late instead of not at all.
const UNSENT_BYTES_MAX: u32 = 64 * 1024;

/// Sets up an accepted connection: nothing waits to be joined with what comes later, and little waits at all. For
/// `HttpServer::on_connect`.
pub fn tune_connection(connection: &dyn Any, _: &mut Extensions) {
    let Some(stream) = connection.downcast_ref::<TcpStream>() else { return };
    let socket = SockRef::from(stream);
    let tuned = socket.set_tcp_nodelay(true);
    #[cfg(any(target_os = "linux", target_os = "android"))]
    let tuned = tuned.and_then(|()| socket.set_tcp_notsent_lowat(UNSENT_BYTES_MAX));
    if let Err(error) = tuned {
        // It works without, only later.
        tracing::debug!(%error, "a connection could not be tuned");
    }
}
