//! The mock OSC as a program.

use std::error::Error;
use std::ffi::OsString;
use std::io::{self, Write};
use std::time::Duration;

use lexopt::prelude::*;
use mock_osc::{Builder, Delay, MockOsc, Rotation};

const HELP: &str = "\
A mock of Open Source Cloud: its identity provider and its platform, in memory.

Usage: mock-osc [OPTIONS]

Address:
      --port PORT               listen on this port; 0 lets the system pick one [default: 4000]
      --address IP              listen on this address [default: 127.0.0.1]
      --issuer URL              announce this issuer, for a mock behind a proxy
      --api-site SITE           site of the services' APIs, such as prod-se, for requests by OSC's host names

Accounts and clients:
      --user ID=WORKSPACE,…     add a user who can sign in, with these workspaces; may be repeated
                                [default: ada=adalovelace,team and grace=gracehopper,team]
      --client-id ID            id of the default client [default: random]
      --client-secret SECRET    secret of the default client [default: random]
      --loose-redirect-uris     accept any http or https redirect URI

Tokens:
      --token-ttl SECONDS       lifetime of access tokens [default: 3600]
      --no-user-id              leave the userId out of access tokens
      --refresh-grace SECONDS   a reused refresh token returns the first answer again for this long [default: 0]
      --rotation HOW            what a refresh does with the refresh token: always (replace it, and revoke the grant
                                when an old one is reused), without-reuse-detection (replace it, refuse an old one),
                                never (keep it) or repeat (keep it and repeat it in the answer) [default: always]

Identity provider:
      --iss                     name the issuer in the authorization response (RFC 9207)
      --par                     offer pushed authorization requests (RFC 9126)
      --no-revocation           do not offer token revocation (RFC 7009)
      --no-consent-page         allow the access at once for the default user
      --no-metadata             answer 404 for the metadata (RFC 8414)

Platform:
      --balance TOKENS          token balance of each workspace [default: 1250]
      --plan PLAN               plan of each workspace [default: PERSONAL]
      --service-token-ttl SECONDS
                                lifetime of service access tokens [default: 3600]
      --instance-start-ms MS    new instances report `starting` for this long [default: 2000]
      --creation-timeout-ms MS  creations answer 504, and the instance appears after this long
      --locked-when-fresh-ms MS new instances answer 401 for this long
      --no-instance-links       leave _links out of instances, as OSC does with old ones

  -h, --help                    print this help
";

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let Some(builder) = parse(lexopt::Parser::from_env())? else {
        print!("{HELP}");
        return Ok(());
    };
    let osc = builder.start().await?;
    let mut stopped = std::pin::pin!(stopped());
    // The first poll installs the signal handlers. They must be in place before the mock announces itself.
    tokio::select! {
        biased;
        early = &mut stopped => return Ok(early?),
        announced = async { announce(&osc) } => announced?,
    }
    stopped.await?;
    osc.shutdown().await;
    Ok(())
}

/// Waits for Ctrl-C or for SIGTERM, which service managers send.
#[cfg(unix)]
async fn stopped() -> io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};

    let mut terminated = signal(SignalKind::terminate())?;
    tokio::select! {
        interrupted = tokio::signal::ctrl_c() => interrupted,
        _ = terminated.recv() => Ok(()),
    }
}

#[cfg(not(unix))]
async fn stopped() -> io::Result<()> {
    tokio::signal::ctrl_c().await
}

/// Returns `None` if help was requested.
fn parse(mut arguments: lexopt::Parser) -> Result<Option<Builder>, lexopt::Error> {
    let mut builder = MockOsc::builder().port(4000);
    while let Some(argument) = arguments.next()? {
        builder = match argument {
            Long("port") => builder.port(arguments.value()?.parse()?),
            Long("address") => builder.address(arguments.value()?.parse()?),
            Long("issuer") => builder.issuer(&arguments.value()?.string()?),
            Long("client-id") => builder.client_id(&arguments.value()?.string()?),
            Long("client-secret") => builder.client_secret(&arguments.value()?.string()?),
            Long("token-ttl") => builder.token_ttl(seconds(&arguments.value()?)?),
            Long("refresh-grace") => builder.refresh_grace(seconds(&arguments.value()?)?),
            Long("rotation") => builder.rotation(arguments.value()?.parse_with(rotation)?),
            Long("loose-redirect-uris") => builder.loose_redirect_uris(),
            Long("api-site") => builder.api_site(&arguments.value()?.string()?),
            Long("user") => user(builder, &arguments.value()?.string()?)?,
            Long("no-user-id") => builder.without_user_id(),
            Long("iss") => builder.iss(true),
            Long("par") => builder.par(true),
            Long("no-revocation") => builder.revocation(false),
            Long("no-consent-page") => builder.without_consent_page(),
            Long("no-metadata") => builder.without_metadata(),
            Long("balance") => builder.balance(arguments.value()?.parse()?),
            Long("service-token-ttl") => builder.service_token_ttl(seconds(&arguments.value()?)?),
            Long("plan") => builder.plan(&arguments.value()?.string()?),
            Long("instance-start-ms") => builder.instance_start(milliseconds(&arguments.value()?)?),
            Long("creation-timeout-ms") => {
                builder.creation_timeout(Delay::Time(milliseconds(&arguments.value()?)?))
            }
            Long("locked-when-fresh-ms") => {
                builder.locked_when_fresh(Delay::Time(milliseconds(&arguments.value()?)?))
            }
            Long("no-instance-links") => builder.without_instance_links(),
            Short('h') | Long("help") => return Ok(None),
            _ => return Err(argument.unexpected()),
        };
    }
    Ok(Some(builder))
}

fn seconds(value: &OsString) -> Result<Duration, lexopt::Error> {
    Ok(Duration::from_secs(value.parse()?))
}

fn milliseconds(value: &OsString) -> Result<Duration, lexopt::Error> {
    Ok(Duration::from_millis(value.parse()?))
}

fn user(builder: Builder, value: &str) -> Result<Builder, lexopt::Error> {
    let (id, workspaces) = value.split_once('=').unwrap_or((value, ""));
    let workspaces = Vec::from_iter(workspaces.split(','));
    if id.is_empty() || workspaces.contains(&"") {
        return Err("--user expects ID=WORKSPACE,…, for example ada=adalovelace,team".into());
    }
    Ok(builder.user(id, &workspaces))
}

fn rotation(value: &str) -> Result<Rotation, &'static str> {
    match value {
        "always" => Ok(Rotation::Always),
        "without-reuse-detection" => Ok(Rotation::WithoutReuseDetection),
        "never" => Ok(Rotation::Never),
        "repeat" => Ok(Rotation::Repeat),
        _ => Err("expected always, without-reuse-detection, never or repeat"),
    }
}

/// Prints the environment variables that an app needs.
fn announce(osc: &MockOsc) -> io::Result<()> {
    let mut out = io::stdout();
    writeln!(out, "# The mock OSC is running. Stop it with Ctrl-C. Set these variables for your app:")?;
    writeln!(out, "export OSC_ISSUER={}", osc.issuer())?;
    writeln!(out, "export OSC_PLATFORM={}", osc.platform())?;
    writeln!(out, "export CLIENT_ID={}", osc.client_id())?;
    writeln!(out, "export CLIENT_SECRET={}", osc.client_secret())?;
    out.flush()
}
