//! The local authority: certificates for private names, from a root of this state folder's own.
//!
//! In → Out: the edge's folder → a root, made once; a private host name → a certificate for it.
//!
//! **Invariant**: the key is written once, readable for its owner only, and never leaves the folder. The root says itself
//! that it holds for private names alone ([`host::PRIVATE`], private addresses), so that who trusts it trusts it with nothing else.
//!
//! Not here: whom the root is shown to (`escadre trust`).
//!
//! Tests: `authority/tests.rs`, `tests/it/tls.rs`.

use std::fs::{self, OpenOptions};
use std::io;
use std::net::IpAddr;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use escadre_model::host::{self, Reach};
use rcgen::{
    BasicConstraints, CertificateParams, CidrSubnet, DistinguishedName, DnType, ExtendedKeyUsagePurpose,
    GeneralSubtree, IsCa, Issuer, KeyPair, KeyUsagePurpose, NameConstraints,
};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use x509_cert::der::Decode;
use x509_cert::ext::pkix::name::GeneralName;

use crate::certificate::{Certificate, CertificateError};
use crate::files::{FileError, make_dir, write_whole};

#[cfg(test)]
mod tests;

/// How every root's name begins.
const NAME: &str = "Escadre local authority of ";
const END: &str = "-----END CERTIFICATE-----";
/// How long the root holds: longer than the machine.
const ROOT_LIFE: Duration = Duration::from_secs(10 * 365 * 24 * 3600);
/// How long a host's certificate holds; a new one is made long before, in memory.
const LEAF_LIFE: Duration = Duration::from_secs(30 * 24 * 3600);
/// Clocks differ.
const EARLIER: Duration = Duration::from_secs(3600);
/// Networks nobody routes (RFC 1918, 4193, loopback): the root may certify them, though nothing asks for that yet.
const NETWORKS: [(&str, u8); 6] =
    [("127.0.0.0", 8), ("10.0.0.0", 8), ("172.16.0.0", 12), ("192.168.0.0", 16), ("::1", 128), ("fc00::", 7)];

/// Why the local authority cannot certify.
#[derive(Debug, thiserror::Error)]
pub enum AuthorityError {
    /// Its files cannot be used.
    #[error("the local authority's files cannot be used: {}", .0.sentence())]
    Files(#[from] FileError),
    /// One of its files is damaged, or belongs to another one.
    #[error("the local authority in {dir} is damaged: {why}", dir = .dir.display())]
    Damaged {
        /// Its folder.
        dir: PathBuf,
        /// In words.
        why: String,
    },
    /// A certificate could not be made.
    #[error("the local authority cannot certify {host}: {why}")]
    Make {
        /// For whom.
        host: String,
        /// In words.
        why: String,
    },
    /// A name it is not trusted for.
    #[error("the local authority certifies private names only, and {0} is none")]
    NotPrivate(String),
}

/// The local authority of one edge's folder.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    root: String,
    name: String,
    ends: SystemTime,
}

impl std::fmt::Debug for Authority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Authority").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Where it lives.
#[must_use]
pub fn folder(dir: &Path) -> PathBuf {
    dir.join("tls").join("local")
}

impl Authority {
    /// The authority of an edge's folder; made there if there is none.
    ///
    /// # Errors
    /// When its files cannot be used, or are damaged: nothing is replaced then, because people trust what is there.
    pub fn open(dir: &Path) -> Result<Authority, AuthorityError> {
        let folder = folder(dir);
        make_dir(&folder)?;
        // `escadre trust` and the edge may come at the same time.
        let path = folder.join("lock");
        let open = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&path);
        let lock = open.map_err(FileError::io("open", &path))?;
        rustix::fs::flock(&lock, rustix::fs::FlockOperation::LockExclusive)
            .map_err(|errno| FileError::io("lock", &path)(errno.into()))?;
        match Authority::there(dir)? {
            Some(there) => Ok(there),
            None => Authority::make(&folder),
        }
    }

    /// The authority of an edge's folder, if there is one; nothing is made.
    ///
    /// # Errors
    /// As [`Authority::open`].
    pub fn there(dir: &Path) -> Result<Option<Authority>, AuthorityError> {
        let folder = folder(dir);
        let (Some(key), Some(root)) = (read(&folder.join("root.key"))?, read(&folder.join("root.pem"))?) else {
            return Ok(None);
        };
        let damaged = |why: &str| AuthorityError::Damaged { dir: folder.clone(), why: why.to_owned() };
        let whole = Certificate::read_apart(root.as_bytes(), key.as_bytes());
        let whole = whole.map_err(|error: CertificateError| damaged(&error.to_string()))?;
        let der = CertificateDer::from_pem_slice(root.as_bytes()).map_err(|_| damaged("its root cannot be read"))?;
        let parsed = x509_cert::Certificate::from_der(&der).map_err(|_| damaged("its root cannot be read"))?;
        let name = crate::certificate::common_name(&parsed.tbs_certificate.subject)
            .ok_or_else(|| damaged("its root has no name"))?;
        let key = KeyPair::from_pem(&key).map_err(|_| damaged("its key cannot be read"))?;
        let issuer = Issuer::new(root_params(&name), key);
        Ok(Some(Authority { issuer, root, name, ends: whole.ends() }))
    }

    fn make(folder: &Path) -> Result<Authority, AuthorityError> {
        let failed = |error: rcgen::Error| AuthorityError::Make { host: "itself".to_owned(), why: error.to_string() };
        let key = KeyPair::generate().map_err(failed)?;
        let uname = rustix::system::uname();
        let machine: String = uname.nodename().to_string_lossy().chars().filter(|c| !c.is_control()).take(64).collect();
        let number: String = key.public_key_raw().iter().skip(1).take(4).map(|b| format!("{b:02x}")).collect();
        let name = format!("{NAME}{machine} ({number})");
        let mut params = root_params(&name);
        let now = SystemTime::now();
        (params.not_before, params.not_after) = ((now - EARLIER).into(), (now + ROOT_LIFE).into());
        let root = params.self_signed(&key).map_err(failed)?.pem();
        // The key first: a root without one would be taken for damaged.
        write_whole(&folder.join("root.key"), key.serialize_pem().as_bytes(), 0o600)?;
        write_whole(&folder.join("root.pem"), root.as_bytes(), 0o644)?;
        Ok(Authority { issuer: Issuer::new(params, key), root, name, ends: now + ROOT_LIFE })
    }

    /// Its root, PEM: what others are to trust.
    #[must_use]
    pub fn root(&self) -> &str {
        &self.root
    }

    /// What it is called in lists of authorities.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// When its root ends.
    #[must_use]
    pub fn ends(&self) -> SystemTime {
        self.ends
    }

    /// A certificate for a private host name, as [`host::read`] gives it.
    ///
    /// # Errors
    /// When the name is not private, or the certificate cannot be made.
    pub fn certify(&self, host: &str) -> Result<Certificate, AuthorityError> {
        if host::reach(host) != Reach::Private {
            return Err(AuthorityError::NotPrivate(host.to_owned()));
        }
        let failed = |why: String| AuthorityError::Make { host: host.to_owned(), why };
        let key = KeyPair::generate().map_err(|error| failed(error.to_string()))?;
        let mut params = CertificateParams::new(vec![host.to_owned()]).map_err(|error| failed(error.to_string()))?;
        let now = SystemTime::now();
        (params.not_before, params.not_after) = ((now - EARLIER).into(), (now + LEAF_LIFE).min(self.ends).into());
        params.distinguished_name = DistinguishedName::new();
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        let made = params.signed_by(&key, &self.issuer).map_err(|error| failed(error.to_string()))?;
        Certificate::read_apart(made.pem().as_bytes(), key.serialize_pem().as_bytes())
            .map_err(|error| failed(error.to_string()))
    }
}

/// The root of any local authority, whoever's it is: as PEM, its name, its end. `None`: another certificate, or none; above
/// all, one that does not say of itself that it is for private names only.
#[must_use]
pub fn recognise(pem: &[u8]) -> Option<(String, String, SystemTime)> {
    let der = CertificateDer::from_pem_slice(pem).ok()?;
    let parsed = x509_cert::Certificate::from_der(&der).ok()?;
    let name = crate::certificate::common_name(&parsed.tbs_certificate.subject)?;
    let (_, constraints) = parsed.tbs_certificate.get::<x509_cert::ext::pkix::NameConstraints>().ok().flatten()?;
    let permitted = constraints.permitted_subtrees.unwrap_or_default();
    let private = |base: &GeneralName| match base {
        GeneralName::DnsName(ending) => host::PRIVATE.contains(&ending.as_str()),
        GeneralName::IpAddress(_) => true,
        _ => false,
    };
    let names = permitted.iter().any(|subtree| matches!(subtree.base, GeneralName::DnsName(_)));
    let addresses = permitted.iter().any(|subtree| matches!(subtree.base, GeneralName::IpAddress(_)));
    // Without any name in the list it would hold for all of them.
    if !(names && addresses && permitted.iter().all(|subtree| private(&subtree.base))) {
        return None;
    }
    let ends = SystemTime::UNIX_EPOCH + parsed.tbs_certificate.validity.not_after.to_unix_duration();
    // Only what was read, not what stands around it.
    let text = String::from_utf8_lossy(pem);
    let begin = text.find("-----BEGIN CERTIFICATE-----")?;
    let end = text.get(begin..)?.find(END)? + begin + END.len();
    (name.starts_with(NAME)).then(|| (format!("{}\n", text.get(begin..end).unwrap_or_default()), name, ends))
}

fn root_params(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.distinguished_name.push(DnType::OrganizationName, "Escadre");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let names = host::PRIVATE.iter().map(|ending| GeneralSubtree::DnsName((*ending).to_owned()));
    let networks = NETWORKS.iter().filter_map(|(address, prefix)| {
        let address: IpAddr = address.parse().ok()?;
        Some(GeneralSubtree::IpAddress(CidrSubnet::from_addr_prefix(address, *prefix)))
    });
    let permitted_subtrees = names.chain(networks).collect();
    params.name_constraints = Some(NameConstraints { permitted_subtrees, excluded_subtrees: Vec::new() });
    params
}

fn read(path: &Path) -> Result<Option<String>, AuthorityError> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(FileError::io("read", path)(error).into()),
    }
}
