//! Pages of a list: `?limit=` and `?cursor=` in, `{"data": […], "next_cursor": …}` out.

use std::str::FromStr;

use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::answer::Problem;

/// How many items a page of a list has unless the caller says otherwise.
const PAGE: usize = 50;
/// How many it may have.
const PAGE_MAX: usize = 200;

/// What a list reads from its query.
#[derive(Deserialize)]
pub struct PageQuery {
    limit: Option<usize>,
    cursor: Option<String>,
}

impl PageQuery {
    /// Where the page begins, which is after the item of this id, and how many items it may have.
    pub fn read<T: FromStr>(self) -> Result<(Option<T>, usize), Problem> {
        let limit = self.limit.unwrap_or(PAGE);
        if !(1..=PAGE_MAX).contains(&limit) {
            return Err(Problem::invalid("?limit", "out-of-range", "limit is from 1 to 200."));
        }
        let after = self.cursor.map(|text| text.parse()).transpose().map_err(|_| {
            let message = "Use the next_cursor of the page before.";
            Problem::invalid("?cursor", "malformed-cursor", message)
        })?;
        Ok((after, limit))
    }
}

/// Answers with a page of a list.
#[must_use]
pub fn answer(data: &[Value], next: Option<&impl Serialize>) -> Response {
    axum::Json(json!({ "data": data, "next_cursor": next })).into_response()
}
