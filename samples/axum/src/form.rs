//! Forms of the user who is signed in now.

use axum::extract::{Form, FromRequest, FromRequestParts, RawForm, Request};
use axum::response::{IntoResponse, Response};
use osc_auth_layer::OscToken;
use osc_sample_app::{App, OSC_USER, check_page};
use serde::de::DeserializeOwned;

/// A form that comes from a page of the user who is signed in now. Another user may have signed in since the page was made.
pub(crate) struct OscForm<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequest<App> for OscForm<T> {
    type Rejection = Response;

    async fn from_request(request: Request, app: &App) -> Result<Self, Response> {
        let (mut parts, body) = request.into_parts();
        let token =
            OscToken::from_request_parts(&mut parts, app).await.map_err(IntoResponse::into_response)?;
        let request = Request::from_parts(parts.clone(), body);
        let RawForm(bytes) =
            RawForm::from_request(request, app).await.map_err(IntoResponse::into_response)?;
        let osc_user = form_urlencoded::parse(&bytes).find(|(name, _)| name == OSC_USER);
        let osc_user = osc_user.map(|(_, value)| value).unwrap_or_default();
        check_page(&token, &osc_user).map_err(|_| app.other_user(&token).into_response())?;
        let form = Form::from_request(Request::from_parts(parts, bytes.into()), app).await;
        form.map(|Form(fields)| Self(fields)).map_err(IntoResponse::into_response)
    }
}
