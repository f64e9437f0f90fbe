//! Certificates that only a test trusts.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Tls;

const CONFIG: &str = "
[req]
distinguished_name = name
prompt = no
[name]
CN = Footlight's tests
[authority]
basicConstraints = critical, CA:TRUE
keyUsage = keyCertSign
[node]
basicConstraints = critical, CA:FALSE
extendedKeyUsage = serverAuth, clientAuth
subjectAltName = IP:127.0.0.1, DNS:localhost
";

/// An authority, and one certificate of it for servers and clients on this machine.
pub struct Authority {
    directory: tempfile::TempDir,
}

impl Authority {
    /// Makes one.
    ///
    /// # Panics
    /// When there is no `openssl`.
    #[must_use]
    pub fn new() -> Self {
        let directory = tempfile::tempdir().expect("a directory for certificates");
        std::fs::write(directory.path().join("config"), CONFIG).expect("is written");
        let made = Self { directory };
        made.make("ca", &["-extensions", "authority"]);
        made.make("node", &["-extensions", "node", "-CA", "ca.crt", "-CAkey", "ca.key"]);
        made
    }

    fn make(&self, name: &str, arguments: &[&str]) {
        let (key, certificate) = (format!("{name}.key"), format!("{name}.crt"));
        let made = Command::new("openssl")
            .args(["req", "-x509", "-config", "config", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"])
            .args(["-nodes", "-days", "2", "-keyout", &key, "-out", &certificate])
            .args(arguments)
            .current_dir(self.directory.path())
            .output()
            .unwrap_or_else(|error| panic!("openssl cannot be run ({error}): install it, `apt-get install openssl`"));
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    }

    /// Where a file is: `ca.crt`, `node.crt` or `node.key`.
    #[must_use]
    pub fn path(&self, file: &str) -> PathBuf {
        self.directory.path().join(file)
    }

    /// Trust in this authority, and the certificate of a client if there is to be one.
    ///
    /// # Panics
    /// When the files are gone.
    #[must_use]
    pub fn tls(&self, with_certificate: bool) -> Tls {
        let read = |file: &str| std::fs::read(Path::new(&self.path(file))).expect("is there");
        Tls {
            authorities: Some(read("ca.crt")),
            client: with_certificate.then(|| (read("node.crt"), read("node.key"))),
        }
    }
}

impl Default for Authority {
    fn default() -> Self {
        Self::new()
    }
}
