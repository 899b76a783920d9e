//! The providers' programs.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread;
use std::time::Duration;

use http::StatusCode;
use osc_tests::soon;
use serde_json::{Value, json};
use tokio::sync::oneshot;

/// The callback URL of the app.
pub(crate) const CALLBACK: &str = "http://localhost:3000/auth/callback";

/// One of the providers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Kind {
    /// `oidc-provider` on Node.
    OidcProvider,
    /// Django OAuth Toolkit.
    Django,
}

/// A client authentication method. Its names are those of metadata and registrations.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Proof {
    Post,
    Basic,
    None,
}

impl Proof {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Post => "client_secret_post",
            Self::Basic => "client_secret_basic",
            Self::None => "none",
        }
    }
}

/// The settings of a provider.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Setup {
    pub(crate) kind: Kind,
    /// The issuer's path, such as `/tenant/one`, or an empty text.
    pub(crate) path: &'static str,
    pub(crate) proof: Proof,
    pub(crate) token_ttl: u64,
}

impl Setup {
    /// Returns an issuer without a path. Its only client sends its secret in the form, and tokens live for an
    /// hour.
    pub(crate) fn of(kind: Kind) -> Self {
        Self { kind, path: "", proof: Proof::Post, token_ttl: 3600 }
    }

    pub(crate) fn client_id(&self) -> &'static str {
        match self.proof {
            // Characters that some decoders handle incorrectly.
            Proof::Basic => "app 1+1%20:=/?&\"",
            Proof::Post | Proof::None => "app",
        }
    }

    pub(crate) fn client_secret(&self) -> &'static str {
        match self.proof {
            Proof::Basic => "a secret: 100% +more%2B:'*/<>~",
            Proof::Post | Proof::None => "a secret that nobody would guess",
        }
    }

    /// Returns the scopes that the app requests.
    pub(crate) fn scopes(&self) -> &'static [&'static str] {
        match self.kind {
            Kind::OidcProvider => &["openid", "read"],
            Kind::Django => &["read"],
        }
    }

    fn json(&self, folder: &Path) -> Value {
        let (id, secret) = (self.client_id(), self.client_secret());
        let mut client = match self.kind {
            Kind::OidcProvider => json!({
                "client_id": id, "token_endpoint_auth_method": self.proof.name(), "redirect_uris": [CALLBACK],
            }),
            Kind::Django => json!({
                "client_id": id,
                "client_type": if self.proof == Proof::None { "public" } else { "confidential" },
                "redirect_uris": CALLBACK,
            }),
        };
        if self.proof != Proof::None {
            client["client_secret"] = secret.into();
        }
        json!({
            "folder": folder,
            "path": self.path,
            "clients": [client],
            "authMethods": [self.proof.name()],
            "tokenTtl": self.token_ttl,
        })
    }

    fn command(&self, folder: &Path) -> Command {
        let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("providers");
        let (directory, program, script, installed) = match self.kind {
            Kind::OidcProvider => {
                let directory = here.join("oidc-provider");
                let installed = directory.join("node_modules");
                // This exists if the system's Node is too old.
                let own = here.join("node/node_modules/.bin/node");
                let node = if own.exists() { own } else { PathBuf::from("node") };
                (directory, node, "provider.mjs", installed)
            }
            Kind::Django => {
                let directory = here.join("django");
                let python = directory.join(".venv/bin/python");
                (directory, python.clone(), "provider.py", python)
            }
        };
        assert!(installed.exists(), "{} is missing: tests/run.sh installs it", installed.display());
        let mut command = Command::new(program);
        command.current_dir(directory).arg(script).arg(self.json(folder).to_string());
        command
    }
}

/// A provider's process with its own port. Dropping it kills the process.
#[derive(Debug)]
pub(crate) struct Provider {
    process: Child,
    issuer: String,
    setup: Setup,
    folder: PathBuf,
    log: Log,
    /// Created at the first use, after a layer has installed the TLS provider of the process.
    http: OnceLock<reqwest::Client>,
}

/// Interpreters that load a hundred files are slow on a busy machine.
const START_LIMIT: Duration = Duration::from_secs(120);

type Log = Arc<Mutex<String>>;

impl Provider {
    pub(crate) async fn start(setup: Setup) -> Self {
        let folder = std::env::temp_dir().join(format!("osc-provider-{:016x}", unique()));
        fs::create_dir_all(&folder).expect("a folder for the provider's data");
        let mut command = setup.command(&folder);
        // The input closes when this process ends for any reason, and the provider ends with its input.
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut process = command.spawn().expect("the provider's program can be run");
        let (log, (first_line, issuer)) = (Log::default(), oneshot::channel());
        keep(process.stdout.take(), log.clone(), Some(first_line));
        keep(process.stderr.take(), log.clone(), None);
        let http = OnceLock::new();
        let mut provider = Self { process, issuer: String::new(), setup, folder, log, http };
        let issuer = tokio::time::timeout(START_LIMIT, issuer).await.expect("it starts in time");
        provider.issuer = issuer.expect("it prints its issuer");
        provider
    }

    pub(crate) fn issuer(&self) -> &str {
        &self.issuer
    }

    fn http(&self) -> &reqwest::Client {
        let new = || reqwest::Client::builder().no_proxy().build().expect("an HTTP client");
        self.http.get_or_init(new)
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.issuer.strip_suffix(self.setup.path).expect("the issuer ends with its path"))
    }

    /// Returns the requests that `endpoint` answered.
    pub(crate) async fn asked(&self, endpoint: &str) -> Vec<Value> {
        let asked = soon(self.http().get(self.url("/__asked")).send()).await.expect("it answers");
        let mut asked: Vec<Value> = asked.json().await.expect("a list");
        asked.retain(|request| request["endpoint"] == endpoint);
        asked
    }

    /// Returns the number of refresh requests, granted or not.
    pub(crate) async fn refreshes(&self) -> usize {
        let asked = self.asked("token").await;
        asked.iter().filter(|request| request["grant_type"] == "refresh_token").count()
    }

    /// Returns the refresh tokens that the provider issued, in order.
    pub(crate) async fn refresh_tokens(&self) -> Vec<String> {
        let asked = self.asked("token").await;
        asked.iter().filter_map(|request| request["refresh_token"].as_str().map(str::to_owned)).collect()
    }

    /// Asks an API of the provider for the user of an access token. Returns `None` if the API refuses the
    /// token.
    pub(crate) async fn user_of(&self, access_token: &str) -> Option<String> {
        let request = self.http().get(self.url("/__whoami")).bearer_auth(access_token);
        let answer = soon(request.send()).await.expect("it answers");
        if answer.status() != StatusCode::OK {
            return None;
        }
        let answer: Value = answer.json().await.expect("JSON");
        answer["user"].as_str().map(str::to_owned)
    }

    /// Returns the URL of an endpoint from the metadata (RFC 8414).
    pub(crate) async fn endpoint(&self, name: &str) -> String {
        let metadata = self.url(&format!("/.well-known/oauth-authorization-server{}", self.setup.path));
        let metadata = soon(self.http().get(metadata).send()).await.expect("it answers");
        let metadata: Value = metadata.json().await.expect("JSON");
        metadata[name].as_str().expect("a URL").to_owned()
    }

    /// Uses a refresh token without the layer. Returns the error, or `None` if the provider granted it.
    pub(crate) async fn spend(&self, refresh_token: &str) -> Option<String> {
        assert_eq!(self.setup.proof, Proof::Post);
        let form = [
            ("grant_type", "refresh_token"),
            ("refresh_token", refresh_token),
            ("client_id", self.setup.client_id()),
            ("client_secret", self.setup.client_secret()),
        ];
        let endpoint = self.endpoint("token_endpoint").await;
        let answer = soon(self.http().post(endpoint).form(&form).send()).await.expect("it answers");
        let answer: Value = answer.json().await.expect("JSON");
        answer["error"].as_str().map(str::to_owned)
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        let killed = self.process.kill().and_then(|()| self.process.wait());
        let removed = fs::remove_dir_all(&self.folder);
        if thread::panicking() {
            let log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
            eprintln!("--- {:?} ({killed:?}, {removed:?}) said:\n{log}", self.setup.kind);
        }
    }
}

/// Reads the output, so that the process never blocks on it, and sends its first line.
fn keep(
    output: Option<impl Read + Send + 'static>,
    log: Log,
    mut first_line: Option<oneshot::Sender<String>>,
) {
    let output = BufReader::new(output.expect("a pipe"));
    thread::spawn(move || {
        for line in output.lines().map_while(Result::ok) {
            *log.lock().unwrap_or_else(PoisonError::into_inner) += &format!("{line}\n");
            if let Some(first_line) = first_line.take() {
                let _ = first_line.send(line);
            }
        }
    });
}

/// Returns a number that no other test has.
fn unique() -> u64 {
    use std::hash::{BuildHasher, RandomState};
    RandomState::new().hash_one(std::process::id())
}
