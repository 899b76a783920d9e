//! mod_auth_openidc, in an Apache with a folder, a configuration and a port of its own.

use std::fs;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::processes::Process;
use crate::provider::{CLIENT_ID, CLIENT_SECRET};

const PROGRAM: &str = "/usr/sbin/apache2";
const MODULES: &str = "/usr/lib/apache2/modules";

/// The path that the module does not protect.
pub(crate) const BARE: &str = "/bare/";
pub(crate) const NAME: &str = "mod_auth_openidc";
/// Every other page starts a sign-in.
pub(crate) const SIGN_IN: &str = "/";

pub(crate) struct Apache {
    pub(crate) process: Process,
    folder: PathBuf,
}

impl Apache {
    /// Starts Apache for this issuer. Returns `None` if Apache or the module is not installed.
    pub(crate) async fn start(issuer: &str) -> Option<Self> {
        if !Path::new(PROGRAM).exists() || !Path::new(MODULES).join("mod_auth_openidc.so").exists() {
            return None;
        }
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|free| free.local_addr());
        let port = free.expect("a free port").port();
        let folder = std::env::temp_dir().join(format!("osc-peers-apache-{port}"));
        for page in ["pages/index.html", "pages/bare/index.html", "pages/token.shtml"] {
            let page = folder.join(page);
            fs::create_dir_all(page.parent().expect("a folder")).expect("a new folder");
            let text =
                if page.ends_with("token.shtml") { "<!--#echo var=\"OIDC_access_token\" -->" } else { "" };
            fs::write(page, text).expect("a new file");
        }
        // Apache's children run as another user.
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).expect("it is ours");
        let file = folder.join("apache.conf");
        fs::write(&file, configuration(&folder, port, issuer)).expect("a new file");
        let child =
            Command::new(PROGRAM).arg("-DFOREGROUND").arg("-f").arg(&file).stdout(Stdio::null()).spawn();
        let apache = Self { process: Process::new(child.expect("it is installed"), port), folder };
        let began_at = Instant::now();
        while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
            assert!(began_at.elapsed() < Duration::from_secs(20), "Apache starts: {}", apache.log());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Some(apache)
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.join("log")).unwrap_or_default()
    }
}

impl Drop for Apache {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// The module's defaults, besides PKCE and the refresh of tokens that are about to expire. One child with a fixed
/// number of threads keeps the processes the same during the measurement.
fn configuration(folder: &Path, port: u16, issuer: &str) -> String {
    let modules = ["mpm_event", "authn_core", "authz_core", "authz_user", "alias", "dir", "include"];
    let mut lines: Vec<_> = modules.iter().chain(&["auth_openidc"]).map(|name| load(name)).collect();
    let folder = folder.display();
    lines.push(format!(
        "ServerName app.example.com
Listen 127.0.0.1:{port}
User www-data
Group www-data
DefaultRuntimeDir {folder}
PidFile {folder}/pid
ErrorLog {folder}/log
LogLevel error
DocumentRoot {folder}/pages
DirectoryIndex index.html
StartServers 1
ServerLimit 1
ThreadsPerChild 64
MaxRequestWorkers 64
MinSpareThreads 1
MaxSpareThreads 64
KeepAlive On
MaxKeepAliveRequests 0
KeepAliveTimeout 60
OIDCProviderMetadataURL {issuer}/.well-known/openid-configuration
OIDCClientID {CLIENT_ID}
OIDCClientSecret \"{CLIENT_SECRET}\"
OIDCRedirectURI http://app.example.com/callback
OIDCCryptoPassphrase \"{CLIENT_SECRET}\"
OIDCPKCEMethod S256
Alias /token {folder}/pages/token.shtml
<Location />
AuthType openid-connect
Require valid-user
OIDCRefreshAccessTokenBeforeExpiry 1
</Location>
<Location {BARE}>
AuthType None
Require all granted
</Location>
<Location /token>
Options +Includes
SetOutputFilter INCLUDES
</Location>
"
    ));
    lines.join("\n")
}

fn load(name: &str) -> String {
    format!("LoadModule {name}_module {MODULES}/mod_{name}.so")
}
