//! The pages and forms of the samples. Each method answers one route.

use askama::Template;
use http::StatusCode;
use osc_auth_layer::{ContextError, OscToken, OscVisitor, SessionError};

use crate::account;
use crate::creations::Creations;
use crate::dashboard::{Dashboard, Kept, Refused};
use crate::notes::Notes;
use crate::page::{Answer, Frame, Visitor, dashboard_path, page, progress_path, see_other, sentence};
use crate::progress;

/// The state of this process, for all visitors. Clones share it.
#[derive(Clone, Debug)]
pub struct App {
    package: &'static str,
    creations: Creations,
    notes: Notes,
}

/// The form that creates an instance.
#[derive(Clone, Copy, Debug)]
pub struct Creation<'a> {
    /// Id of the service.
    pub service: &'a str,
    /// Name of the instance.
    pub name: &'a str,
    /// The service's options, as a JSON object. May be empty.
    pub options: &'a str,
}

#[derive(Debug, Template)]
#[template(path = "home.html")]
struct Home {
    frame: Frame,
}

#[derive(Debug, Template)]
#[template(path = "error.html")]
struct Error<'a> {
    frame: Frame,
    status: StatusCode,
    title: &'a str,
    message: &'a str,
}

impl App {
    /// Makes the state of a sample. Its pages name the sample's package.
    #[must_use]
    pub fn new(package: &'static str) -> Self {
        Self { package, creations: Creations::default(), notes: Notes::default() }
    }

    /// Answers with the public start page. It greets a signed-in user. In an outage it does not ask for a sign-in, because the
    /// visitor may be signed in already.
    #[must_use]
    pub fn home(&self, visitor: &OscVisitor) -> Answer {
        let visitor = Visitor::from(visitor);
        let frame = Frame { package: self.package, here: "/".to_owned(), visitor };
        page(StatusCode::OK, &Home { frame })
    }

    /// Answers with the dashboard, for this service or for the first one.
    pub async fn dashboard(&self, token: &OscToken, service: Option<&str>) -> Answer {
        match self.load(token, service, None).await {
            Ok(answer) => answer,
            Err(error) => self.failed(token, &error),
        }
    }

    /// Stores the user's note. `service` is the one that the page shows.
    pub async fn keep_note(&self, token: &OscToken, service: &str, note: &str) -> Answer {
        let Some(user) = token.user() else {
            let text = "The provider does not say who you are, so this app cannot keep a note for you.";
            return self.error(Some(token), StatusCode::INTERNAL_SERVER_ERROR, text);
        };
        match self.notes.keep(&user, note) {
            Ok(()) => see_other(&shown_path(service)),
            Err(error) => {
                let refused = Refused::Note { text: note, error };
                let loaded = self.load(token, shown(service), Some(refused)).await;
                loaded.unwrap_or_else(|_| self.error(Some(token), StatusCode::BAD_REQUEST, error))
            }
        }
    }

    /// Subscribes the workspace to a service. `shown` is the service that the page shows.
    pub async fn add_service(&self, token: &OscToken, shown_service: &str, service: &str) -> Answer {
        match token.context().service(service.trim()).subscribe().await {
            Ok(subscription) => see_other(&dashboard_path(&subscription.service_id)),
            Err(error) => {
                self.refuse(token, shown_service, &error, Refused::Add { service, error: &error }).await
            }
        }
    }

    /// Creates an instance, or answers with the form and the reason why not.
    pub async fn create(&self, token: &OscToken, creation: Creation<'_>) -> Answer {
        let Creation { service, name, options } = creation;
        match self.creations.begin(token.context(), service, name, options).await {
            Ok(()) => see_other(&progress_path(service, name)),
            Err(error) => {
                self.refuse(token, service, &error, Refused::Create { name, options, error: &error }).await
            }
        }
    }

    /// Answers with the progress of a creation.
    pub async fn progress(&self, token: &OscToken, service: &str, name: &str) -> Answer {
        let progress = match self.creations.progress(&token.context(), service, name).await {
            Ok(progress) => progress,
            Err(error) => return self.failed(token, &error),
        };
        let frame = self.frame(token, progress_path(service, name));
        match progress::Page::of(frame, service, name, progress) {
            Some(template) => page(StatusCode::OK, &template),
            None => see_other(&dashboard_path(service)),
        }
    }

    /// Removes an instance, or answers with the dashboard and the reason why not.
    pub async fn remove(&self, token: &OscToken, service: &str, name: &str) -> Answer {
        let osc = token.context();
        match osc.service(service).instance(name).remove().await {
            Ok(()) => {
                self.creations.forget(&osc, service, name);
                see_other(&dashboard_path(service))
            }
            Err(error) => self.refuse(token, service, &error, Refused::Remove { error: &error }).await,
        }
    }

    /// Answers with the account page.
    pub async fn account(&self, token: &OscToken) -> Answer {
        match account::Page::load(self.frame(token, account::PATH), token, None).await {
            Ok(template) => page(StatusCode::OK, &template),
            Err(error) => self.error(Some(token), account::status_of(&error), &sentence(&error)),
        }
    }

    /// Ends one of the user's sessions. The id of another user's session ends nothing.
    pub async fn end_session(&self, token: &OscToken, id: &str) -> Answer {
        match token.session().end(id).await {
            Ok(_) => see_other(account::PATH),
            Err(error) => self.refuse_on_account(token, &error).await,
        }
    }

    /// Ends all sessions of the user.
    pub async fn sign_out_everywhere(&self, token: &OscToken) -> Answer {
        match token.session().sign_out_everywhere().await {
            Ok(()) => see_other("/"),
            Err(error) => self.refuse_on_account(token, &error).await,
        }
    }

    /// Answers a path that does not exist.
    #[must_use]
    pub fn not_found(&self, token: Option<&OscToken>) -> Answer {
        self.error(token, StatusCode::NOT_FOUND, "This page does not exist.")
    }

    /// Answers a form from another site. The reader is the victim of an attack, or uses a browser that does not send the origin of
    /// forms.
    #[must_use]
    pub fn forged(&self, token: Option<&OscToken>) -> Answer {
        let text = "This request came from another site, so nothing was done. If you meant it, repeat it in this app.";
        self.error(token, StatusCode::FORBIDDEN, text)
    }

    /// Answers with a page about an error.
    #[must_use]
    pub fn error(&self, token: Option<&OscToken>, status: StatusCode, message: &str) -> Answer {
        let title = match status {
            StatusCode::UNAUTHORIZED => "Your session has ended",
            StatusCode::INTERNAL_SERVER_ERROR => "This app is misconfigured",
            StatusCode::NOT_FOUND => "Not found",
            StatusCode::SERVICE_UNAVAILABLE => "Please try again in a moment",
            _ if status.is_server_error() => "Open Source Cloud has a problem",
            _ => "The request failed",
        };
        let frame =
            Frame { package: self.package, here: "/dashboard".to_owned(), visitor: Visitor::of(token) };
        page(status, &Error { frame, status, title, message })
    }

    fn failed(&self, token: &OscToken, error: &ContextError) -> Answer {
        self.error(Some(token), error.response_status(), &sentence(error))
    }

    /// Answers with the dashboard and the error of a form. If the dashboard cannot be loaded either, the form's error is the one to
    /// show.
    async fn refuse(
        &self,
        token: &OscToken,
        service: &str,
        error: &ContextError,
        refused: Refused<'_>,
    ) -> Answer {
        let loaded = self.load(token, shown(service), Some(refused)).await;
        loaded.unwrap_or_else(|_| self.failed(token, error))
    }

    async fn refuse_on_account(&self, token: &OscToken, error: &SessionError) -> Answer {
        let (frame, status) = (self.frame(token, account::PATH), account::status_of(error));
        match account::Page::load(frame, token, Some(sentence(error))).await {
            Ok(template) => page(status, &template),
            Err(_) => self.error(Some(token), status, &sentence(error)),
        }
    }

    async fn load(
        &self,
        token: &OscToken,
        service: Option<&str>,
        refused: Option<Refused<'_>>,
    ) -> Result<Answer, ContextError> {
        let kept = Kept { creations: &self.creations, notes: &self.notes };
        let frame = self.frame(token, shown_path(service.unwrap_or_default()));
        let (status, dashboard) = Dashboard::load(frame, token, kept, service, refused).await?;
        Ok(page(status, &dashboard))
    }

    fn frame(&self, token: &OscToken, here: impl Into<String>) -> Frame {
        Frame::of(self.package, token, here)
    }
}

/// Returns the service that a form's page shows, if there is one.
fn shown(service: &str) -> Option<&str> {
    Some(service).filter(|service| !service.is_empty())
}

fn shown_path(service: &str) -> String {
    shown(service).map_or_else(|| "/dashboard".to_owned(), dashboard_path)
}
