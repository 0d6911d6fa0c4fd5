//! One certificate from an authority: account, order, proof, certificate (RFC 8555).
//!
//! In → Out: a name → its certificate with key, kept in a file; or what kept it from it.
//!
//! **Invariant**: the key of the account is made once for each authority; that of a certificate is made for each. Both are
//! in files for their owner only, and in nothing that is logged or told. A proof is there only while it is asked for.
//!
//! Not here: when (`keeper`), the answer to the authority's question (`challenge`).
//!
//! Tests: `tests/it/acme.rs`.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use escadre_model::hash::Hash;
use escadre_model::routes::Acme;
use instant_acme::{
    Account, AccountCredentials, AuthorizationStatus, ChallengeType, Error, Identifier, NewAccount, NewOrder, Order,
    OrderStatus, Problem, RetryPolicy,
};
use rcgen::{CertificateParams, DistinguishedName, KeyPair};

use super::client::{Client, ClientError};
use super::record::{Trouble, folder};
use super::{certificate_path, challenge};
use crate::certificate::Certificate;
use crate::files::{self, FileError};

/// How often it is asked whether it has looked, and whether it has signed: sooner, then later.
const PATIENCE: RetryPolicy =
    RetryPolicy::new().initial_delay(Duration::from_millis(500)).backoff(1.5).timeout(Duration::from_secs(90));

/// Longest words of an authority that are kept.
const WORDS: usize = 300;

/// A try that failed.
#[derive(Debug)]
pub(super) struct Failed {
    pub(super) trouble: Trouble,
    /// Not before, if the authority said so.
    pub(super) again: Option<SystemTime>,
}

/// One try.
pub(super) struct Try<'t> {
    pub(super) dir: &'t Path,
    pub(super) acme: &'t Acme,
    pub(super) host: &'t str,
    /// Held while the account is looked up or made.
    pub(super) account: &'t tokio::sync::Mutex<()>,
}

impl Try<'_> {
    /// The certificate, kept in its file.
    pub(super) async fn run(&self) -> Result<Certificate, Failed> {
        let client = Client::new(self.acme.roots.as_deref())
            .map_err(|error| Failed { trouble: Trouble::Unreachable(error.to_string()), again: None })?;
        self.obtain(&client).await.map_err(|trouble| Failed { trouble, again: client.again() })
    }

    async fn obtain(&self, client: &Client) -> Result<Certificate, Trouble> {
        let account = self.account(client).await?;
        let names = [Identifier::Dns(self.host.to_owned())];
        let mut order = match account.new_order(&NewOrder::new(&names)).await {
            Err(Error::Api(problem)) if is(&problem, "accountDoesNotExist") => {
                // It has forgotten us: the next try begins with a new account.
                let _gone = std::fs::remove_file(self.account_path());
                return Err(Trouble::Account(said(&problem)));
            }
            made => made.map_err(troubled)?,
        };
        self.prove(&mut order).await?;
        let key = KeyPair::generate().map_err(|error| Trouble::Here(error.to_string()))?;
        order.finalize_csr(&request(self.host, &key)?).await.map_err(troubled)?;
        let chain = order.poll_certificate(&PATIENCE).await.map_err(troubled)?;
        let text = format!("{}\n{}", chain.trim_end(), key.serialize_pem());
        let certificate = Certificate::read(text.as_bytes())
            .map_err(|error| Trouble::Unreachable(format!("what it sent cannot be used: {error}")))?;
        let unfit = certificate.unfit([self.host], SystemTime::now());
        if let Some(first) = unfit.first() {
            return Err(Trouble::Unreachable(format!("what it sent cannot be used: {first}")));
        }
        keep(&certificate_path(self.dir, self.host), text.as_bytes())?;
        Ok(certificate)
    }

    /// Shows the authority that the name leads here.
    async fn prove(&self, order: &mut Order) -> Result<(), Trouble> {
        let mut shown = Vec::new();
        let mut authorizations = order.authorizations();
        while let Some(found) = authorizations.next().await {
            let mut found = found.map_err(troubled)?;
            match found.status {
                AuthorizationStatus::Valid => continue,
                AuthorizationStatus::Pending => {}
                _ => return Err(Trouble::Refused("it has refused this name before".to_owned())),
            }
            let Some(mut proof) = found.challenge(ChallengeType::Http01) else {
                return Err(Trouble::Refused("it wants another proof than HTTP-01".to_owned()));
            };
            let token = proof.token.clone();
            challenge::show(self.dir, &token, proof.key_authorization().as_str()).map_err(here)?;
            shown.push(challenge::Shown::new(self.dir, token));
            proof.set_ready().await.map_err(troubled)?;
        }
        let ready = order.poll_ready(&PATIENCE).await;
        let why = match ready {
            Ok(OrderStatus::Ready) => None,
            Ok(_) => Some(None),
            Err(error) => Some(Some(error)),
        };
        drop(shown);
        let Some(error) = why else { return Ok(()) };
        // The order only says that it failed; the proof says why.
        if let Some(reason) = reason(order).await {
            return Err(Trouble::Refused(reason));
        }
        Err(error.map_or_else(|| Trouble::Refused("it does not say why".to_owned()), troubled))
    }

    /// The account at this authority: ours, or a new one.
    async fn account(&self, client: &Client) -> Result<Account, Trouble> {
        let _one_at_a_time = self.account.lock().await;
        let path = self.account_path();
        let builder = Account::builder_with_http(Box::new(client.clone()));
        if let Ok(bytes) = std::fs::read(&path) {
            let credentials: AccountCredentials =
                serde_json::from_slice(&bytes).map_err(|_| Trouble::Here(format!("{} is damaged", path.display())))?;
            return builder.from_credentials(credentials).await.map_err(troubled);
        }
        let email = self.acme.email.as_ref().map(|email| format!("mailto:{email}"));
        let contact: Vec<&str> = email.as_deref().into_iter().collect();
        let new = NewAccount { contact: &contact, terms_of_service_agreed: true, only_return_existing: false };
        let made = builder.create(&new, self.acme.directory.clone(), None).await;
        let (account, credentials) = made.map_err(|error| match troubled(error) {
            Trouble::Refused(said) => Trouble::Account(said),
            other => other,
        })?;
        let bytes = serde_json::to_vec(&credentials).map_err(|error| Trouble::Here(error.to_string()))?;
        keep(&path, &bytes)?;
        Ok(account)
    }

    fn account_path(&self) -> PathBuf {
        let name: String = Hash::of(&self.acme.directory).as_str().chars().take(16).collect();
        folder(self.dir).join(format!("account-{name}.json"))
    }
}

/// What the authority says about a proof that failed.
async fn reason(order: &mut Order) -> Option<String> {
    let mut authorizations = order.authorizations();
    while let Some(found) = authorizations.next().await {
        let mut found = found.ok()?;
        // What was read before is from before the proof.
        found.refresh().await.ok()?;
        let failed = found.challenges.iter().find_map(|challenge| challenge.error.as_ref());
        if let Some(problem) = failed {
            return Some(said(problem));
        }
    }
    None
}

/// The request for a certificate: the name and nothing about anybody.
fn request(host: &str, key: &KeyPair) -> Result<Vec<u8>, Trouble> {
    let failed = |error: rcgen::Error| Trouble::Here(error.to_string());
    let mut params = CertificateParams::new(vec![host.to_owned()]).map_err(failed)?;
    params.distinguished_name = DistinguishedName::new();
    let request = params.serialize_request(key).map_err(failed)?;
    Ok(request.der().to_vec())
}

fn keep(path: &Path, bytes: &[u8]) -> Result<(), Trouble> {
    let folder = path.parent().unwrap_or(Path::new("."));
    files::make_dir(folder).and_then(|()| files::write_whole(path, bytes, 0o600)).map_err(here)
}

#[expect(clippy::needless_pass_by_value, reason = "it is the end of an error's way")]
fn here(error: FileError) -> Trouble {
    Trouble::Here(error.sentence())
}

fn is(problem: &Problem, kind: &str) -> bool {
    problem.r#type.as_deref().and_then(|t| t.rsplit_once(':')).is_some_and(|(_, last)| last == kind)
}

/// Whose trouble it is.
fn troubled(error: Error) -> Trouble {
    match error {
        Error::Api(problem) if is(&problem, "rateLimited") => Trouble::RateLimited(said(&problem)),
        Error::Api(problem)
            if [
                "accountDoesNotExist",
                "unauthorized",
                "externalAccountRequired",
                "userActionRequired",
                "invalidContact",
                "unsupportedContact",
            ]
            .iter()
            .any(|kind| is(&problem, kind)) =>
        {
            Trouble::Account(said(&problem))
        }
        // Also where it took none of several tickets in a row: that says nothing about the name.
        Error::Api(problem) if is(&problem, "serverInternal") || is(&problem, "badNonce") => {
            Trouble::Unreachable(said(&problem))
        }
        Error::Api(problem) => Trouble::Refused(said(&problem)),
        Error::Other(error) => match error.downcast_ref::<ClientError>() {
            Some(client) => Trouble::Unreachable(client.to_string()),
            None => Trouble::Unreachable(cut(&error.to_string())),
        },
        Error::Timeout(_) => Trouble::Unreachable("it did not come to an end in time".to_owned()),
        other => Trouble::Unreachable(cut(&other.to_string())),
    }
}

/// An authority's words, made harmless and short.
fn said(problem: &Problem) -> String {
    let detail = problem.detail.clone().or_else(|| problem.r#type.clone()).unwrap_or_default();
    let of = problem.subproblems.iter().filter_map(|sub| sub.detail.clone());
    cut(&std::iter::once(detail).chain(of).collect::<Vec<_>>().join("; "))
}

fn cut(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(WORDS).collect()
}
