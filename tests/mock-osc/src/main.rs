//! The mock OSC as a program.

use std::error::Error;
use std::ffi::OsString;
use std::io::{self, Write};
use std::process::ExitCode;
use std::time::Duration;

use lexopt::prelude::*;
use mock_osc::{Delay, Endpoint, MockOsc, MockOscBuilder, Rotation};

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
      --client-id ID            id of the default client [default: osc_mock]
      --client-secret SECRET    secret of the default client [default: osc_secret_of_the_mock_for_tests_only]
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
      --auto-consent[=USER[/WORKSPACE]]
                                allow the access at once, without a page [default: as the first user]
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

Faults:
      --delay ENDPOINT=MS       delay the answers of an endpoint; may be repeated. The endpoints are metadata, authorize,
                                token, register, revoke, par, catalog, service-token, money, deploy, instances, elsewhere

  -h, --help                    print this help
";

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("mock-osc: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<(), Box<dyn Error>> {
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
fn parse(mut arguments: lexopt::Parser) -> Result<Option<MockOscBuilder>, lexopt::Error> {
    // The same client at every start, so that an app's settings stay right when the mock is restarted.
    let mut builder = MockOsc::builder()
        .port(4000)
        .client_id("osc_mock")
        .client_secret("osc_secret_of_the_mock_for_tests_only");
    let mut consent = Consent::default();
    while let Some(argument) = arguments.next()? {
        let name = match argument {
            Short('h') | Long("help") => return Ok(None),
            Long(name) => name.to_owned(),
            _ => return Err(argument.unexpected()),
        };
        let set = option(&name, builder, &mut consent, &mut arguments);
        builder = set.map_err(|error| format!("--{name}: {error}"))?;
    }
    Ok(Some(consent.apply(builder)))
}

/// The account that consents at once. Its default is known when all users are.
#[derive(Default)]
struct Consent {
    first_user: Option<String>,
    wanted: Option<Option<String>>,
}

impl Consent {
    fn apply(self, builder: MockOscBuilder) -> MockOscBuilder {
        let Some(wanted) = self.wanted else { return builder };
        let account = wanted.or(self.first_user).unwrap_or_else(|| "ada".to_owned());
        match account.split_once('/') {
            None => builder.auto_consent(&account),
            Some((user, workspace)) => builder.auto_consent_in(user, workspace),
        }
    }
}

fn option(
    name: &str,
    builder: MockOscBuilder,
    consent: &mut Consent,
    arguments: &mut lexopt::Parser,
) -> Result<MockOscBuilder, lexopt::Error> {
    Ok(match name {
        "port" => builder.port(arguments.value()?.parse()?),
        "address" => builder.address(arguments.value()?.parse()?),
        "issuer" => builder.issuer(&arguments.value()?.string()?),
        "client-id" => builder.client_id(&arguments.value()?.string()?),
        "client-secret" => builder.client_secret(&arguments.value()?.string()?),
        "token-ttl" => builder.token_ttl(seconds(&arguments.value()?)?),
        "refresh-grace" => builder.refresh_grace(seconds(&arguments.value()?)?),
        "rotation" => builder.rotation(arguments.value()?.parse_with(rotation)?),
        "loose-redirect-uris" => builder.loose_redirect_uris(),
        "api-site" => builder.api_site(&arguments.value()?.string()?),
        "user" => {
            let (id, workspaces) = user(&arguments.value()?.string()?)?;
            consent.first_user.get_or_insert_with(|| id.clone());
            builder.user(&id, &Vec::from_iter(workspaces.iter().map(String::as_str)))
        }
        "no-user-id" => builder.without_user_id(),
        "iss" => builder.iss(true),
        "par" => builder.par(true),
        "no-revocation" => builder.revocation(false),
        "auto-consent" => {
            consent.wanted = Some(arguments.optional_value().map(|value| value.string()).transpose()?);
            builder
        }
        "delay" => {
            let (endpoint, delay) = delay(&arguments.value()?.string()?)?;
            builder.delay(endpoint, delay)
        }
        "no-metadata" => builder.without_metadata(),
        "balance" => builder.balance(arguments.value()?.parse()?),
        "service-token-ttl" => builder.service_token_ttl(seconds(&arguments.value()?)?),
        "plan" => builder.plan(&arguments.value()?.string()?),
        "instance-start-ms" => builder.instance_start(milliseconds(&arguments.value()?)?),
        "creation-timeout-ms" => builder.creation_timeout(Delay::Time(milliseconds(&arguments.value()?)?)),
        "locked-when-fresh-ms" => builder.locked_when_fresh(Delay::Time(milliseconds(&arguments.value()?)?)),
        "no-instance-links" => builder.without_instance_links(),
        _ => return Err("there is no such option; --help lists them".into()),
    })
}

fn seconds(value: &OsString) -> Result<Duration, lexopt::Error> {
    Ok(Duration::from_secs(value.parse()?))
}

fn milliseconds(value: &OsString) -> Result<Duration, lexopt::Error> {
    Ok(Duration::from_millis(value.parse()?))
}

fn user(value: &str) -> Result<(String, Vec<String>), lexopt::Error> {
    let (id, workspaces) = value.split_once('=').unwrap_or((value, ""));
    let workspaces = Vec::from_iter(workspaces.split(',').map(str::to_owned));
    if id.is_empty() || id.contains('/') || workspaces.iter().any(String::is_empty) {
        return Err("expected ID=WORKSPACE,…, for example ada=adalovelace,team".into());
    }
    Ok((id.to_owned(), workspaces))
}

fn delay(value: &str) -> Result<(Endpoint, Duration), lexopt::Error> {
    let example = "expected ENDPOINT=MILLISECONDS, for example token=1500";
    let (endpoint, time) = value.split_once('=').ok_or(example)?;
    let endpoint = endpoint.parse().map_err(|error| format!("{example}: {error}"))?;
    let time = time.parse().map_err(|error| format!("{example}, but {time:?} is no number: {error}"))?;
    Ok((endpoint, Duration::from_millis(time)))
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
