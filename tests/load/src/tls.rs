//! A certificate made for one run.

use crate::report::Failure;
use rcgen::generate_simple_self_signed;
use rustls::RootCertStore;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use tokenim_bench::{Certified, Secured};

/// The name in the certificate.
const NAME: &str = "localhost";

/// Makes a certificate in a folder.
pub fn certify(folder: &Path) -> Result<Certified, Failure> {
    let made = generate_simple_self_signed([NAME.to_owned()]).map_err(failed)?;
    let (cert, key) = (folder.join("cert.pem"), folder.join("key.pem"));
    fs::write(&cert, made.cert.pem())?;
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&key)?;
    file.write_all(made.signing_key.serialize_pem().as_bytes())?;
    let mut roots = RootCertStore::empty();
    roots.add(made.cert.der().clone()).map_err(failed)?;
    Ok(Certified { cert, key, clients: Secured::new(NAME, roots)? })
}

fn failed(error: impl std::error::Error) -> Failure {
    Failure::new(format!("TLS: {error}"))
}
