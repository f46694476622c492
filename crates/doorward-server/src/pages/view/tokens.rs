//! View of one's personal access tokens.

use askama::Template;

use super::super::assets;
use super::{Moment, Visitor};

/// A token, as its owner sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PersonalRow {
    /// Its id, for the button that ends it.
    pub id: String,
    /// What its owner calls it.
    pub name: String,
    /// The service that it is for.
    pub service: String,
    /// What it allows there.
    pub scope: String,
    /// When it was made.
    pub made: Moment,
    /// When it was last used.
    pub used: Option<Moment>,
    /// When it ends.
    pub ends: Moment,
}

/// A service that a token can be for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceChoice {
    /// What the form sends.
    pub value: String,
    /// What its owner reads.
    pub text: String,
}

/// `/account/tokens`.
#[derive(Clone, Debug, Template)]
#[template(path = "tokens.html")]
pub struct TokensPage<'a> {
    /// Who is signed in.
    pub visitor: Visitor<'a>,
    /// The text of a token that was made just now.
    pub new: Option<&'a str>,
    /// Why none was made.
    pub problem: Option<&'a str>,
    /// Those that there are, newest first.
    pub tokens: Vec<PersonalRow>,
    /// What one can be for.
    pub services: Vec<ServiceChoice>,
    /// The name that was typed.
    pub name: &'a str,
    /// The scope that was typed.
    pub scope: &'a str,
    /// The service that was chosen.
    pub audience: &'a str,
}
