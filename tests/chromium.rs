//! The pages in a real browser: Debian's Chromium, driven over `WebDriver`.
//!
//! A person's whole story, with JavaScript and without; what the browser itself keeps from a page
//! (the cookie, foreign scripts, foreign forms); and screenshots in `tests/artefacts/`, to be
//! looked at.

mod accessible;
mod behind_nginx;
mod bound;
mod confirm;
mod driver;
mod examples;
mod foreign;
mod hostile;
mod person;
mod protected;
mod screenshots;
mod tabs;
mod tokens;
mod without_javascript;

use driver::Chromium;
