//! What encrypted connections trust, and how they prove themselves.

use redis::{ClientTlsConfig, TlsCertificates};

/// What encrypted connections trust, and how they prove themselves. Printed without the key.
#[derive(Clone, Default)]
pub struct Tls {
    /// Certificates of the authorities that are trusted, as PEM. Without them the system's are.
    pub authorities: Option<Vec<u8>>,
    /// This side's certificate chain and its key, as PEM: for servers that ask for them (`tls-auth-clients yes`).
    pub client: Option<(Vec<u8>, Vec<u8>)>,
}

impl Tls {
    pub(crate) fn certificates(&self) -> TlsCertificates {
        let client =
            |(chain, key): &(Vec<u8>, Vec<u8>)| ClientTlsConfig { client_cert: chain.clone(), client_key: key.clone() };
        TlsCertificates { client_tls: self.client.as_ref().map(client), root_cert: self.authorities.clone() }
    }
}

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let is = |set: bool| if set { "(set)" } else { "(not set)" };
        f.debug_struct("Tls")
            .field("authorities", &is(self.authorities.is_some()))
            .field("client", &is(self.client.is_some()))
            .finish()
    }
}
