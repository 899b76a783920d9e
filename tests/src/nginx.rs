//! A real nginx in front of an app.

use std::fs::{self, File};
use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::redis_server::server_port;

/// An `nginx` on a free port of 127.0.0.1 with its own directory, which passes requests on and keeps connections to the app.
/// Dropping it kills the process.
#[derive(Debug)]
pub struct Nginx {
    process: Child,
    port: u16,
    directory: PathBuf,
}

impl Nginx {
    /// Starts nginx in front of the app at `app`. `directives` come into its `server` block. The cache `answers` is there to use.
    ///
    /// # Panics
    /// If `nginx` is missing, or does not start.
    pub async fn start(app: SocketAddr, directives: &str) -> Self {
        let port = server_port();
        let directory = std::env::temp_dir().join(format!("osc-nginx-{}-{port}", std::process::id()));
        fs::create_dir_all(&directory).expect("a directory for the server's files");
        fs::write(directory.join("nginx.conf"), configuration(app, port, &directory, directives))
            .expect("a place for the configuration");
        let process = launch(&directory);
        let mut server = Self { process, port, directory };
        server.ready().await;
        server
    }

    /// Returns the address that the server listens on.
    pub fn addr(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }

    /// Waits until this process, and no other, answers on the port.
    async fn ready(&mut self) {
        const LIMIT: Duration = Duration::from_secs(20);
        let deadline = Instant::now() + LIMIT;
        let http = reqwest::Client::builder().no_proxy().build().expect("the client builds");
        let own = format!("http://{}/own-directory", self.addr());
        loop {
            if let Ok(answer) = http.get(&own).send().await
                && answer.text().await.is_ok_and(|text| Path::new(&text) == self.directory)
            {
                return;
            }
            let ended = self.process.try_wait().expect("the server's state");
            if ended.is_some() || Instant::now() > deadline {
                let log = fs::read_to_string(self.directory.join("log")).unwrap_or_default();
                panic!("nginx did not start:\n{log}");
            }
            // There is no event to wait for: the port refuses connections until the server listens.
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = fs::remove_dir_all(&self.directory);
    }
}

fn configuration(app: SocketAddr, port: u16, directory: &Path, directives: &str) -> String {
    let directory = directory.display();
    let mut temporary = String::new();
    for module in ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"] {
        temporary += &format!("    {module}_temp_path {directory}/{module};\n");
    }
    format!(
        "daemon off;
master_process off;
pid {directory}/pid;
error_log stderr;
events {{}}
http {{
    access_log off;
{temporary}    proxy_cache_path {directory}/cache keys_zone=answers:1m;
    upstream app {{
        server {app};
        keepalive 16;
    }}
    server {{
        listen 127.0.0.1:{port};
        client_max_body_size 100m;
        proxy_http_version 1.1;
        proxy_set_header Connection '';
        proxy_set_header Host $http_host;
        {directives}
        location = /own-directory {{ return 200 {directory}; }}
        location / {{ proxy_pass http://app; }}
    }}
}}
"
    )
}

fn launch(directory: &Path) -> Child {
    // The test's own output would stay open for as long as a server that outlives its test.
    let log = File::create(directory.join("log")).expect("a file for the server's log");
    let mut command = Command::new("nginx");
    command.arg("-p").arg(directory).args(["-c", "nginx.conf", "-e", "stderr"]);
    match command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn() {
        Ok(process) => process,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            panic!("nginx is missing: run tests/run.sh once, or apt-get install nginx-light")
        }
        Err(error) => panic!("nginx cannot be run: {error}"),
    }
}
