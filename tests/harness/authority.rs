//! A certificate authority that lives as long as a test.

use std::{fs, path::PathBuf};

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};
use tempfile::TempDir;

/// Signs the certificates of servers. Its files go when it is dropped.
#[derive(Debug)]
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    dir: TempDir,
}

/// What a server shows and what it proves it with. The files belong to the authority.
#[derive(Debug)]
pub(crate) struct Signed {
    certificate: PathBuf,
    key: PathBuf,
}

impl Authority {
    pub fn new() -> Self {
        let dir = TempDir::with_prefix("authority-").expect("a temporary directory can be made");
        let key = KeyPair::generate().expect("keys can be made");
        let mut params = CertificateParams::default();
        params
            .distinguished_name
            .push(DnType::CommonName, "A test's authority");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let certificate = params.self_signed(&key).expect("it signs itself");
        fs::write(dir.path().join("ca.pem"), certificate.pem()).expect("the directory is ours");
        Self {
            issuer: Issuer::new(params, key),
            dir,
        }
    }

    /// The file with what a client has to trust.
    pub fn ca_file(&self) -> String {
        self.dir.path().join("ca.pem").display().to_string()
    }

    /// A certificate for 127.0.0.1.
    pub(crate) fn sign(&self) -> Signed {
        let key = KeyPair::generate().expect("keys can be made");
        let params = CertificateParams::new(["127.0.0.1".to_owned()]).expect("an address");
        let certificate = params.signed_by(&key, &self.issuer).expect("it is signed");
        let signed = Signed {
            certificate: self.dir.path().join("server.pem"),
            key: self.dir.path().join("server.key"),
        };
        fs::write(&signed.certificate, certificate.pem()).expect("the directory is ours");
        fs::write(&signed.key, key.serialize_pem()).expect("the directory is ours");
        signed
    }
}

impl Default for Authority {
    fn default() -> Self {
        Self::new()
    }
}

impl Signed {
    pub(crate) fn certificate_file(&self) -> String {
        self.certificate.display().to_string()
    }

    pub(crate) fn key_file(&self) -> String {
        self.key.display().to_string()
    }
}
