//! `/register`.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use doorward_core::credential::Password;
use doorward_core::session::Device;
use http::StatusCode;
use serde::Deserialize;

use super::login::enter;
use super::view::{Field, NewAccountForm, RegisterPage, Trouble};
use super::{page_before, stays_here};
use crate::App;
use crate::answer::{EMAIL_FAULT, Problem};
use crate::flow::account::{self, Application, Entry, Faults, RegisterError};
use crate::request::{Before, Form, From, Query, SameOrigin};

/// What `/register` reads from its query.
#[derive(Deserialize)]
pub struct RegisterQuery {
    return_to: Option<String>,
}

/// What somebody wrote who wants an account.
pub(super) struct Written {
    pub(super) username: String,
    pub(super) email: String,
}

impl Written {
    /// Takes what was written, and the password, out of a form.
    pub(super) fn take(form: &mut Form) -> (Self, Password) {
        let written = Self { username: form.take("username"), email: form.take("email") };
        (written, Password::from(form.take("password")))
    }

    /// What it asks for.
    pub(super) fn application(&self, password: Password, device: &Device) -> Application {
        Application {
            username: self.username.clone(),
            email: self.email.clone(),
            password,
            from: device.clone(),
        }
    }
}

/// What is wrong with what they wrote, in words.
#[derive(Default)]
pub(super) struct Words {
    username: Option<String>,
    email: Option<&'static str>,
    password: Option<String>,
    busy: bool,
}

impl Words {
    /// Puts a refusal into words beside its field, or gives the problem back that has no field.
    pub(super) fn of(error: RegisterError) -> Result<(StatusCode, Self), Problem> {
        match error {
            RegisterError::Invalid(Faults { username, email, password }) => Ok((
                StatusCode::UNPROCESSABLE_ENTITY,
                Self {
                    username: username.map(|refusal| refusal.message().to_owned()),
                    email: email.then_some(EMAIL_FAULT),
                    password: password.map(|refusal| refusal.to_string()),
                    busy: false,
                },
            )),
            RegisterError::Taken => {
                let problem = Problem::from(RegisterError::Taken);
                let words = Self { username: Some(problem.detail), ..Self::default() };
                Ok((problem.status, words))
            }
            RegisterError::Busy(_) => {
                Ok((StatusCode::SERVICE_UNAVAILABLE, Self { busy: true, ..Self::default() }))
            }
            RegisterError::Closed
            | RegisterError::LinkSpent
            | RegisterError::Hash
            | RegisterError::Store(_) => Err(error.into()),
        }
    }

    /// The form as it was, with the words in their places.
    pub(super) fn form<'a>(&'a self, app: &App, written: &'a Written) -> NewAccountForm<'a> {
        NewAccountForm {
            username: Field { value: &written.username, problem: self.username.as_deref() },
            email: Field { value: &written.email, problem: self.email },
            password_problem: self.password.as_deref(),
            password_min: app.settings.password.length_min().into(),
            trouble: self.busy.then_some(Trouble::Busy),
        }
    }
}

/// `GET /register`.
pub async fn show(
    State(app): State<App>,
    Query(query): Query<RegisterQuery>,
) -> Result<Response, Problem> {
    if !app.settings.registration_open {
        return Err(RegisterError::Closed.into());
    }
    let written = Written { username: String::new(), email: String::new() };
    let words = Words::default();
    let return_to = query.return_to.as_deref().and_then(stays_here);
    let form = words.form(&app, &written);
    Ok(page_before(&app, (StatusCode::OK, &RegisterPage { form, return_to }), return_to).await)
}

/// The form, for whoever sent one that was refused for where it came from.
pub(super) fn stale(app: &App) -> Option<String> {
    if !app.settings.registration_open {
        return None;
    }
    let form = empty(app);
    RegisterPage { form, return_to: None }.render().ok()
}

/// A form that nobody has filled in, and that was refused for where it came from.
pub(super) fn empty(app: &App) -> NewAccountForm<'static> {
    NewAccountForm {
        password_min: app.settings.password.length_min().into(),
        trouble: Some(Trouble::Stale),
        ..NewAccountForm::default()
    }
}

/// `POST /register`: makes the account and signs its owner in.
pub async fn submit(
    State(app): State<App>,
    _: SameOrigin,
    From(device): From,
    Before(before): Before,
    mut form: Form,
) -> Result<Response, Problem> {
    let (written, password) = Written::take(&mut form);
    let application = written.application(password, &device);
    let return_to = stays_here(form.text("return_to"));
    match account::register_and_enter(&app, application, Entry { before, device }).await {
        Ok(welcome) => Ok(enter(&app, &welcome, return_to.unwrap_or("/account?said=welcome"))),
        Err(error) => {
            let (status, words) = Words::of(error)?;
            let form = words.form(&app, &written);
            Ok(page_before(&app, (status, &RegisterPage { form, return_to }), return_to).await)
        }
    }
}
