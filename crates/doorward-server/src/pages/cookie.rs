//! `/inspect/cookie`: what a browser makes of a `Set-Cookie` line.
//!
//! The same question as `doorward cookie explain`, and the same answer. It asks neither the store
//! nor who is there. The line is posted, because a person will paste a cookie that counts: what
//! stands in an address is kept by browsers, proxies and logs.

use std::time::Duration;

use axum::extract::State;
use axum::response::Response;
use doorward_wire::cookie::explain::{Answer, Context, Kind, Later, Place, Question};
use http::StatusCode;

use super::page;
use super::view::Field;
use super::view::cookie::{AFTER_MAX, Choices, CookieAnswer, CookieForm, CookiePage, LINE_MAX};
use crate::App;
use crate::request::{Form, SameOrigin};

/// What somebody asks, as they wrote it.
struct Written {
    line: String,
    from: String,
    embedded: bool,
    to: String,
    method: String,
    site: String,
    kind: String,
    after: String,
}

/// What is wrong with what they wrote.
#[derive(Default)]
struct Faults {
    line: Option<String>,
    from: Option<String>,
    to: Option<String>,
    choice: Option<String>,
    after: Option<String>,
}

/// `GET /inspect/cookie`.
pub async fn show() -> Response {
    draw(StatusCode::OK, &Written::nothing(), &Faults::default(), None)
}

/// `POST /inspect/cookie`: answers, and keeps nothing.
pub async fn explain(State(app): State<App>, _: SameOrigin, mut form: Form) -> Response {
    let written = Written::take(&mut form);
    match written.question() {
        Ok(question) => {
            let answer = question.answer(written.line().as_bytes(), app.ambient.now());
            draw(StatusCode::OK, &written, &Faults::default(), Some(&answer))
        }
        Err(faults) => draw(StatusCode::UNPROCESSABLE_ENTITY, &written, &faults, None),
    }
}

fn draw(
    status: StatusCode,
    written: &Written,
    faults: &Faults,
    answer: Option<&Answer<'_>>,
) -> Response {
    let form = CookieForm {
        line: Field { value: &written.line, problem: faults.line.as_deref() },
        from: Field { value: &written.from, problem: faults.from.as_deref() },
        embedded: written.embedded,
        to: Field { value: &written.to, problem: faults.to.as_deref() },
        choices: Choices {
            method: &written.method,
            site: &written.site,
            kind: &written.kind,
            problem: faults.choice.as_deref(),
        },
        after: Field { value: &written.after, problem: faults.after.as_deref() },
    };
    let answer = answer.map(|answer| CookieAnswer::of(answer, &written.method));
    page(status, &CookiePage { answer, form })
}

impl Written {
    fn nothing() -> Self {
        Self {
            line: String::new(),
            from: String::new(),
            embedded: false,
            to: String::new(),
            method: "GET".to_owned(),
            site: "same-site".to_owned(),
            kind: "navigation".to_owned(),
            after: "0".to_owned(),
        }
    }

    /// What was sent. What was left out is as in an empty form, so that a program may leave it out.
    fn take(form: &mut Form) -> Self {
        let usual = Self::nothing();
        let mut take = |name: &str, usual: String| {
            let text = form.take(name);
            if text.trim().is_empty() { usual } else { text.trim().to_owned() }
        };
        Self {
            from: take("from", usual.from),
            to: take("to", usual.to),
            method: take("method", usual.method),
            site: take("site", usual.site),
            kind: take("kind", usual.kind),
            after: take("after", usual.after),
            embedded: form.ticked("embedded"),
            line: form.take("line"),
        }
    }

    /// The line without the line breaks that come along when it is pasted.
    fn line(&self) -> &str {
        self.line.trim_matches(['\r', '\n'])
    }

    /// What they want to know, or every fault in it.
    fn question(&self) -> Result<Question, Faults> {
        let from = Some(&self.from).filter(|from| !from.is_empty()).map(|from| place(from));
        let to = Some(&self.to).filter(|to| !to.is_empty()).map(|to| place(to));
        let after = self.after.parse().ok().filter(|after| *after <= AFTER_MAX);
        let faults = Faults {
            line: self.line_fault(),
            from: from.clone().and_then(Result::err),
            to: to.clone().and_then(Result::err),
            choice: self.context().is_none().then(|| "Choose one of what is there.".to_owned()),
            after: after.is_none().then(|| format!("A whole number from 0 to {AFTER_MAX}.")),
        };
        let (Some(context), Some(after), false) = (self.context(), after, faults.are_there())
        else {
            return Err(faults);
        };
        let later = to
            .and_then(Result::ok)
            .map(|to| Later::new(to, &self.method, context, Duration::from_secs(after)));
        Ok(Question { from: from.and_then(Result::ok), embedded: self.embedded, later })
    }

    fn line_fault(&self) -> Option<String> {
        let line = self.line();
        if line.trim().is_empty() {
            return Some("Paste a line: Set-Cookie: name=value; …".to_owned());
        }
        if line.len() > LINE_MAX {
            return Some(format!(
                "This line has {} bytes, and {LINE_MAX} are read. No browser keeps so much.",
                line.len()
            ));
        }
        let several = "There are several lines here. Ask about one at a time.";
        line.contains(['\r', '\n']).then(|| several.to_owned())
    }

    /// Who asks for the later request, if the choices are those of the form.
    fn context(&self) -> Option<Context> {
        Choices::METHODS.iter().find(|method| **method == self.method)?;
        let kind = match self.kind.as_str() {
            "navigation" => Kind::Navigation,
            "frame" => Kind::Frame,
            "fetch" => Kind::Part,
            _ => return None,
        };
        match self.site.as_str() {
            "same-site" => Some(Context::SameSite),
            "cross-site" => Some(Context::cross_site(kind)),
            _ => None,
        }
    }
}

impl Faults {
    fn are_there(&self) -> bool {
        [&self.line, &self.from, &self.to, &self.choice, &self.after]
            .into_iter()
            .any(Option::is_some)
    }
}

fn place(text: &str) -> Result<Place, String> {
    text.parse().map_err(|refused| format!("This is no URL that a browser asks for: {refused}."))
}
