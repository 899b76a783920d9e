//! The dashboard: the workspace's balance, its services, and the instances of the one the visitor picked.

use std::time::SystemTime;

use osc_auth_layer::OscToken;

use super::pages::{self, Text, dashboard_path};
use super::platform::{Balance, Error, Instance, Platform, Subscription};

pub(crate) struct Dashboard<'a> {
    balance: Balance,
    minutes_left: u64,
    services: Vec<Subscription>,
    /// An index into `services`, and what that service answered.
    picked: Option<(usize, Result<Vec<Instance>, Error>)>,
    refused: Option<(&'a str, Error)>,
}

impl<'a> Dashboard<'a> {
    /// `picked` is the service to show, otherwise the first; `refused` the name of an instance that could not be made,
    /// and why.
    pub(crate) async fn load(
        osc: &Platform,
        token: &OscToken,
        picked: Option<&str>,
        refused: Option<(&'a str, Error)>,
    ) -> Result<Self, Error> {
        let (balance, services) = tokio::try_join!(osc.balance(token), osc.subscriptions(token))?;
        let index = match picked {
            None => 0,
            Some(id) => {
                let found = services.iter().position(|service| service.service_id == id);
                found.ok_or_else(|| Error::NoSuchService(id.to_owned()))?
            }
        };
        let picked = match services.get(index) {
            // Kept as it is: a service out of order must not keep the visitor from the others.
            Some(service) => Some((index, osc.instances(token, service).await)),
            None => None,
        };
        let left = token.expires_at().duration_since(SystemTime::now());
        Ok(Self { balance, minutes_left: left.unwrap_or_default().as_secs() / 60, services, picked, refused })
    }

    pub(crate) fn render(&self) -> String {
        let picked = self.picked.as_ref().map(|(index, _)| *index);
        let links = self.services.iter().enumerate();
        let links: String = links.map(|(index, service)| link(service, picked == Some(index))).collect();
        let content = format!(
            include_str!("pages/dashboard.html"),
            tokens = self.balance.tokens,
            minutes = self.minutes_left,
            services = links,
            instances = self.panel()
        );
        pages::layout("Dashboard", true, &content)
    }

    fn panel(&self) -> String {
        let Some((index, instances)) = &self.picked else {
            return empty("This workspace has no services yet. Activate one in Open Source Cloud.");
        };
        let service = &self.services[*index].service_id;
        let (name, refusal) = match &self.refused {
            Some((name, why)) => (*name, notice(why)),
            None => ("", String::new()),
        };
        let list = match instances {
            Err(error) => notice(error),
            Ok(instances) if instances.is_empty() => empty("No instances yet. Create the first one above."),
            Ok(instances) => {
                let rows: String = instances.iter().map(|instance| row(service, instance)).collect();
                format!("<ul class=\"instances\">{rows}</ul>")
            }
        };
        format!(
            include_str!("pages/instances.html"),
            service = Text(service),
            notice = refusal,
            name = Text(name),
            list = list
        )
    }
}

fn link(service: &Subscription, picked: bool) -> String {
    format!(
        include_str!("pages/service.html"),
        href = Text(&dashboard_path(&service.service_id)),
        current = if picked { " aria-current=\"page\"" } else { "" },
        service = Text(&service.service_id)
    )
}

fn row(service: &str, instance: &Instance) -> String {
    // Anything but a web address, `javascript:` above all, must not become a link.
    let is_web = |url: &&str| url.starts_with("https://") || url.starts_with("http://");
    let url = instance.url.as_deref().filter(is_web);
    let link = url.map(|url| format!("<a href=\"{0}\" rel=\"noreferrer\">{0}</a>", Text(url)));
    format!(
        include_str!("pages/instance.html"),
        service = Text(service),
        name = Text(&instance.name),
        link = link.unwrap_or_default()
    )
}

fn notice(error: &Error) -> String {
    format!("<p class=\"notice\" role=\"alert\">{}</p>", Text(&error.to_string()))
}

fn empty(text: &str) -> String {
    format!("<p class=\"empty\">{text}</p>")
}
