//! The settings of the layer's pages.

use url::Url;

use super::OscAuthLayerBuilder;
use crate::error::{ConfigError, quoted};
use crate::oauth::ClientConfig;
use crate::pages::{Color, Home, Language, Page, PageHtml, Pages, Renderer};
use crate::request::public_path::is_ambiguous;

/// The most characters of an app's name.
const LONGEST_NAME: usize = 100;
/// The most bytes of an address.
const LONGEST_HOME: usize = 2048;

/// The settings of the pages, before they are checked.
#[derive(Default)]
pub(super) struct PageSettings {
    pub(super) app_name: Option<String>,
    color: Option<String>,
    home: Option<String>,
    languages: Option<Vec<String>>,
    renderer: Option<Renderer>,
}

impl OscAuthLayerBuilder {
    /// Sets the app's name on the layer's pages, in their titles and in their texts. The environment variable is
    /// `OSC_APP_NAME`. At most 100 characters.
    ///
    /// Default: the name of a [`OAuthClient::register`](crate::OAuthClient::register) app. Other apps have none, and the pages say “this app”.
    ///
    /// ```
    /// use osc_auth_layer::{OAuthClient, OscAuthLayer};
    ///
    /// let auth = OscAuthLayer::builder(OAuthClient::public("cli"))
    ///     .app_name("Acme")
    ///     .app_color("#0b6a62")
    ///     .app_home("https://www.acme.example")
    ///     .build()?;
    /// # Ok::<(), osc_auth_layer::ConfigError>(())
    /// ```
    pub fn app_name(mut self, name: impl Into<String>) -> Self {
        self.pages.app_name = Some(name.into());
        self
    }

    /// Sets the colour of buttons and links on the layer's pages: `#rrggbb` or `#rgb`. Default: a blue.
    ///
    /// The layer chooses black or white for the text of a button. It makes links darker or lighter where they could not be read
    /// otherwise, in the light and in the dark colour scheme (contrast 4.5, WCAG 2.2).
    pub fn app_color(mut self, color: impl Into<String>) -> Self {
        self.pages.color = Some(color.into());
        self
    }

    /// Sets the page that the app's name and the button *Go to the app* lead to: a path below the public URL, or an `http` or
    /// `https` URL. Default: `/`.
    pub fn app_home(mut self, home: impl Into<String>) -> Self {
        self.pages.home = Some(home.into());
        self
    }

    /// Sets the languages of the layer's pages. Default: `en` and `sv`, all that it has.
    ///
    /// The browser's `Accept-Language` chooses among them (RFC 9110 §12.5.4). A browser that asks for none of them gets the
    /// first. With one language, all pages are in that language. Answers for programs, JSON and gRPC, are always in English.
    ///
    /// ```
    /// use osc_auth_layer::{OAuthClient, OscAuthLayer};
    ///
    /// let auth = OscAuthLayer::builder(OAuthClient::public("cli")).page_languages(["sv", "en"]).build()?;
    /// # Ok::<(), osc_auth_layer::ConfigError>(())
    /// ```
    pub fn page_languages<I>(mut self, languages: I) -> Self
    where
        I: IntoIterator,
        I::Item: Into<String>,
    {
        self.pages.languages = Some(languages.into_iter().map(Into::into).collect());
        self
    }

    /// Replaces the layer's pages by the app's own. Default: the layer's.
    ///
    /// The layer calls `render` for each page, and sends the HTML that it returns: a `String` or a [`PageHtml`]. The layer sets
    /// status and headers itself, `Cache-Control: no-store` for example. A page can change only its `Content-Security-Policy`.
    ///
    /// By default, `Content-Security-Policy` allows style sheets, scripts, images and fonts of the app's own origin, and
    /// nothing inline but [`Page::script`]. It forbids forms and frames. [`PageHtml::content_security_policy`] replaces it. The
    /// files must be on [public paths](Self::public_prefix), because users read these pages before they sign in.
    ///
    /// Risks:
    /// - `render` has to escape the texts of the page. Use a template library, or [`PageHtml::escape`].
    /// - It runs while a request waits, so it must not block.
    ///
    /// If `render` panics, the layer logs an error and shows its own page.
    ///
    /// ```
    /// use osc_auth_layer::{OAuthClient, OscAuthLayer, Page, PageHtml};
    ///
    /// fn render(page: &Page) -> String {
    ///     let links = page.actions().iter().map(|action| {
    ///         let (href, label) = (PageHtml::escape(action.href()), PageHtml::escape(action.label()));
    ///         format!("<a href=\"{href}\">{label}</a>")
    ///     });
    ///     format!(
    ///         "<!doctype html><html lang=\"{}\"><link rel=\"stylesheet\" href=\"/static/app.css\"><title>{title}</title>
    ///          <h1>{title}</h1><p>{}</p>{}<script>{}</script></html>",
    ///         page.language(),
    ///         PageHtml::escape(page.description()),
    ///         links.collect::<String>(),
    ///         page.script().unwrap_or_default(),
    ///         title = PageHtml::escape(page.title()),
    ///     )
    /// }
    ///
    /// let auth = OscAuthLayer::builder(OAuthClient::public("cli"))
    ///     .public_prefix("/static")
    ///     .page_renderer(render)
    ///     .build()?;
    /// # Ok::<(), osc_auth_layer::ConfigError>(())
    /// ```
    pub fn page_renderer<R>(mut self, render: impl Fn(&Page) -> R + Send + Sync + 'static) -> Self
    where
        R: Into<PageHtml>,
    {
        self.pages.renderer = Some(Renderer::new(render));
        self
    }
}

impl PageSettings {
    /// Checks the settings. An app that registers itself has a name already.
    pub(super) fn check(self, client: &ClientConfig) -> Result<Pages, ConfigError> {
        let registered = match client {
            ClientConfig::Register { name } => Some(name.clone()),
            ClientConfig::Static { .. } => None,
        };
        for (setting, name) in [
            ("OSC_APP_NAME / app_name", &self.app_name),
            ("OSC_APP_NAME / OAuthClient::register", &registered),
        ] {
            let Some(name) = name else { continue };
            if name.trim().is_empty() {
                let remedy = "Pass the name that users know the app by, or leave it out.";
                return Err(ConfigError::invalid(setting, "is empty", remedy));
            }
            if name.chars().count() > LONGEST_NAME || name.contains(char::is_control) {
                let problem = format!("is longer than {LONGEST_NAME} characters or has control characters");
                return Err(ConfigError::invalid(setting, problem, "Pass a short name of one line."));
            }
        }
        let color = self.color.as_deref().map(color).transpose()?;
        let home = self.home.map_or_else(|| Ok(Home::Path("/".to_owned())), home)?;
        let languages = self.languages.map_or_else(|| Ok(Language::ALL.to_vec()), |tags| languages(&tags))?;
        Ok(Pages::new(self.app_name.or(registered), color, home, languages, self.renderer))
    }
}

fn color(text: &str) -> Result<Color, ConfigError> {
    Color::parse(text).ok_or_else(|| {
        let problem = format!("is {text:?}, which is not a colour");
        ConfigError::invalid("app_color", problem, "Use six hex digits, such as #0b6a62, or three.")
    })
}

fn home(text: String) -> Result<Home, ConfigError> {
    let is_path = text.starts_with('/') && !is_ambiguous(&text);
    let has_no_user = |url: Url| url.username().is_empty() && url.password().is_none();
    let is_url = || {
        let is_absolute = text.starts_with("https://") || text.starts_with("http://");
        is_absolute && Url::parse(&text).is_ok_and(has_no_user)
    };
    let is_plain = text.len() <= LONGEST_HOME && !text.contains(|c: char| c.is_control() || c == ' ');
    if is_plain && is_path {
        return Ok(Home::Path(text));
    }
    if is_plain && is_url() {
        return Ok(Home::Url(text));
    }
    let problem =
        format!("is {}, which is neither a path of the app nor an http or https URL", quoted(&text));
    let remedy =
        "Use a path that starts with one slash, such as /start, or a URL, such as https://www.example.com.";
    Err(ConfigError::invalid("app_home", problem, remedy))
}

fn languages(tags: &[String]) -> Result<Vec<Language>, ConfigError> {
    const SETTING: &str = "page_languages";
    const REMEDY: &str = "Choose from en and sv, or leave it out to have both.";
    let found = |tag: &String| Language::ALL.into_iter().find(|language| language.tag() == tag);
    if let Some(tag) = tags.iter().find(|tag| found(tag).is_none()) {
        let problem = format!("contains {tag:?}, which the layer has no texts in");
        return Err(ConfigError::invalid(SETTING, problem, REMEDY));
    }
    if tags.is_empty() {
        return Err(ConfigError::invalid(SETTING, "is an empty list", REMEDY));
    }
    Ok(tags.iter().filter_map(found).collect())
}
