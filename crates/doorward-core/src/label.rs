//! A label: what people call a client, or a token.

/// The most characters of a label.
pub const LABEL_MAX: usize = 64;

/// One line of text, not empty.
///
/// ```
/// use doorward_core::label::Label;
///
/// assert_eq!(Label::parse("  nightly backup ").unwrap().as_str(), "nightly backup");
/// for wrong in ["", "  ", "a\nb", &"x".repeat(65)] {
///     assert!(Label::parse(wrong).is_err());
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label(String);

/// Why a text is no label.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a name has 1 to 64 characters, none of them a control character")]
pub struct LabelRefused;

impl Label {
    /// Reads a label.
    pub fn parse(text: &str) -> Result<Self, LabelRefused> {
        let text = text.trim();
        let fits = (1..=LABEL_MAX).contains(&text.chars().count());
        if !fits || text.chars().any(char::is_control) {
            return Err(LabelRefused);
        }
        Ok(Self(text.to_owned()))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}
