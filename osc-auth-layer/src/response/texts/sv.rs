//! The texts in Swedish.

use http::Method;

use super::super::refusal::{Refusal, RequestProblem, StateProblem};
use super::{Catalogue, Label};
use crate::request::cookie::BadCookie;
use crate::sessions::Side;

pub(super) const CATALOGUE: Catalogue = Catalogue {
    title,
    description,
    label,
    nothing_was_saved: "Inget sparades.",
    unnamed: ["Appen", "appen", "appen"],
};

fn title(refusal: &Refusal) -> &'static str {
    match refusal {
        Refusal::Unauthenticated => "Logga in",
        Refusal::SessionEnded => "Du har loggats ut",
        Refusal::TemporarilyUnavailable { .. } | Refusal::ProviderUnavailable | Refusal::StoreUnavailable => {
            "Tillfälligt avbrott"
        }
        Refusal::AccessDenied => "Åtkomsten nekades",
        Refusal::NotAllowed => "Du har inte tillgång till {app}",
        Refusal::OtherUser { name: Some(_) } => "Du har loggat in som någon annan",
        Refusal::OtherUser { name: None } => "Du har loggat in på nytt",
        Refusal::Misconfigured | Refusal::UnknownHost { .. } | Refusal::KeptPrefix { .. } => {
            "Inloggningen är inte konfigurerad"
        }
        Refusal::InvalidState(_) | Refusal::SignInFailed => "Inloggningen misslyckades",
        Refusal::InvalidRequest(_)
        | Refusal::BadCookie(_)
        | Refusal::UserUnknown
        | Refusal::MethodNotAllowed { .. }
        | Refusal::Forbidden => "Något gick fel",
    }
}

fn description(refusal: &Refusal) -> &'static str {
    match refusal {
        Refusal::Unauthenticated => "Logga in för att fortsätta.",
        Refusal::SessionEnded => "Open Source Cloud avslutade din session. Logga in igen.",
        Refusal::TemporarilyUnavailable { side: Side::Provider, .. } => {
            "{App} får ingen kontakt med Open Source Cloud. Du är fortfarande inloggad. Försök igen om en stund."
        }
        Refusal::TemporarilyUnavailable { side: Side::Store, .. } => {
            "{App} får ingen kontakt med sin egen sessionslagring. Din session finns kvar. Försök igen om en stund."
        }
        Refusal::TemporarilyUnavailable { side: Side::Settings, .. } => {
            "Open Source Cloud godtar inte längre inställningarna för {app}. Du är fortfarande inloggad. Den som driver \
             appen hittar orsaken i dess logg."
        }
        Refusal::ProviderUnavailable => {
            "{App} får ingen kontakt med Open Source Cloud och kan därför inte logga in dig. Försök igen om en stund."
        }
        Refusal::StoreUnavailable => {
            "{App} får ingen kontakt med sin egen sessionslagring och kan därför inte logga in dig. Försök igen om en \
             stund."
        }
        Refusal::Misconfigured => {
            "Inloggningen är inte rätt konfigurerad i {app}. Den som driver appen hittar orsaken i dess logg."
        }
        Refusal::UnknownHost { .. } => {
            "Du öppnade {app} på {host}, som inte är någon av appens adresser. Den som driver appen behöver lägga till den i \
             PUBLIC_URL."
        }
        Refusal::KeptPrefix { .. } => {
            "Proxyn framför {app} tar inte bort {prefix}, sökvägen i PUBLIC_URL. Den som driver appen behöver ändra proxyn: i \
             nginx ska både location och proxy_pass sluta med ett snedstreck. Det står mer i appens logg."
        }
        Refusal::InvalidState(StateProblem::Expired) => {
            "Den här inloggningen tog längre tid än tio minuter. Logga in igen."
        }
        Refusal::InvalidState(StateProblem::Used) => "Den här inloggningen har redan använts. Logga in igen.",
        Refusal::InvalidState(StateProblem::Evicted) => {
            "Din webbläsare har påbörjat flera andra inloggningar efter den här. Logga in igen."
        }
        Refusal::InvalidState(StateProblem::NoCookie) => {
            "Din webbläsare skickade ingen kaka för den här inloggningen. Blockerar den kakor från den här webbplatsen? \
             Tillåt dem och logga sedan in igen. Om du började i en annan webbläsare kan du fortsätta där."
        }
        Refusal::InvalidState(StateProblem::Foreign) => {
            "Den här inloggningen påbörjades inte i den här webbläsaren. Logga in här."
        }
        Refusal::AccessDenied => "Den åtkomst som {app} bad om nekades. Du är inte inloggad.",
        Refusal::NotAllowed => {
            "Det här kontot har inte tillgång till {app}. Logga in med ett annat konto eller en annan arbetsyta."
        }
        Refusal::OtherUser { name: None } => {
            "Den här sidan hör till en tidigare inloggning, så inget har gjorts. Ladda om sidan."
        }
        Refusal::UserUnknown => {
            "{App} kan inte avgöra vem du är. Den som driver appen hittar orsaken i loggen."
        }
        Refusal::OtherUser { name: Some(_) } => {
            "Du är nu inloggad som {name}. Den här sidan hör till ett annat konto, så inget har gjorts. Ladda om sidan, eller \
             logga in med det andra kontot."
        }
        Refusal::SignInFailed => "Open Source Cloud slutförde inte inloggningen. Försök igen.",
        Refusal::InvalidRequest(RequestProblem::QueryTooLong) => "Adressens frågesträng är längre än 8 kB.",
        Refusal::InvalidRequest(RequestProblem::QueryNotText) => {
            "Adressens frågesträng är inte giltig procentkodad UTF-8."
        }
        Refusal::InvalidRequest(RequestProblem::DuplicateParameter) => {
            "Adressens frågesträng innehåller samma parameter två gånger."
        }
        Refusal::InvalidRequest(RequestProblem::EmptyCallback) => {
            "Inloggningstjänsten skickade varken en kod eller ett fel. Logga in igen."
        }
        Refusal::InvalidRequest(RequestProblem::OtherIssuer) => {
            "Svaret kom från en annan inloggningstjänst än den som tillfrågades. Logga in igen."
        }
        Refusal::InvalidRequest(RequestProblem::NotAWindow) => {
            "Inloggningen behöver ett eget webbläsarfönster, inte en ram, ett skript eller en förhandshämtning."
        }
        Refusal::BadCookie(BadCookie::Duplicate(_)) => {
            "Din webbläsare skickade dubbletter av en kaka från {app}. Appen har bett den att ta bort båda. Försök igen. Om \
             den här sidan visas igen kan du ta bort webbplatsens kakor."
        }
        Refusal::BadCookie(BadCookie::TooLong(_)) => {
            "Din webbläsare skickade en för stor kaka från {app}. Appen har bett den att ta bort kakan. Försök igen. Om den \
             här sidan visas igen kan du ta bort webbplatsens kakor."
        }
        Refusal::MethodNotAllowed { allow: Method::POST } => {
            "Den här länken loggar inte ut dig. Använd appens egen knapp."
        }
        Refusal::MethodNotAllowed { .. } => "Den här adressen stöder inte den HTTP-metoden.",
        Refusal::Forbidden => {
            "Förfrågan kom från en annan webbplats. Den här adressen tar bara emot förfrågningar från appens egna sidor."
        }
    }
}

fn label(label: Label) -> &'static str {
    match label {
        Label::SignIn => "Logga in med OSC",
        Label::TryAgain => "Försök igen",
        Label::OtherAccount => "Logga in med ett annat konto",
        Label::GoOn => "Fortsätt som {name}",
        Label::Home => "Gå till {the app}",
    }
}
