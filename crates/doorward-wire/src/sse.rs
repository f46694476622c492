//! Server-sent events, as little of them as a stream of one-line statements needs (WHATWG HTML,
//! section 9.2).
//!
//! # What this module answers
//!
//! - *A stream that never ends a line*: an event has at most [`EVENT_BYTES_MAX`] bytes, or the stream
//!   is refused. What is kept is one event at the most.

/// The media type of such a stream.
pub const MEDIA_TYPE: &str = "text/event-stream";

/// The most bytes of one event, with the names of its fields.
pub const EVENT_BYTES_MAX: usize = 16 * 1024;

/// An event: its number, its name, its text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Event {
    /// What a reader says it has seen when it comes back (`Last-Event-ID`).
    pub id: Option<String>,
    /// What kind of event it is; without a name it is a `message`.
    pub name: Option<String>,
    /// What it says.
    pub text: String,
}

impl Event {
    /// Writes an event of one line. Neither its name nor its text may have a line's end in it.
    #[must_use]
    pub fn written(id: u64, name: &str, text: &str) -> String {
        debug_assert!(!name.contains(['\n', '\r']) && !text.contains(['\n', '\r']));
        format!("id: {id}\nevent: {name}\ndata: {text}\n\n")
    }
}

/// The stream has an event that is too long, or bytes that are no text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a stream of events that we can read")]
pub struct BadStream;

/// Reads events from a stream's bytes, however they are cut.
///
/// ```
/// use doorward_wire::sse::{Event, Reader};
///
/// let written = Event::written(7, "bulletin", "a.b.c");
/// let (first, rest) = written.split_at(5);
/// let mut reader = Reader::default();
/// assert_eq!(reader.read(first.as_bytes()), Ok(vec![]));
/// let events = reader.read(rest.as_bytes()).unwrap();
/// assert_eq!(events[0].text, "a.b.c");
/// assert_eq!(events[0].id.as_deref(), Some("7"));
/// ```
#[derive(Debug, Default)]
pub struct Reader {
    line: Vec<u8>,
    after_return: bool,
    event: Event,
    has_text: bool,
    bytes: usize,
}

impl Reader {
    /// Takes more bytes, and gives the events that are whole now.
    pub fn read(&mut self, bytes: &[u8]) -> Result<Vec<Event>, BadStream> {
        let mut events = Vec::new();
        for &byte in bytes {
            let ends_the_same = byte == b'\n' && std::mem::take(&mut self.after_return);
            if ends_the_same {
                continue;
            }
            self.after_return = byte == b'\r';
            if byte == b'\n' || byte == b'\r' {
                events.extend(self.end_line()?);
                continue;
            }
            self.bytes += 1;
            if self.bytes > EVENT_BYTES_MAX {
                return Err(BadStream);
            }
            self.line.push(byte);
        }
        Ok(events)
    }

    fn end_line(&mut self) -> Result<Option<Event>, BadStream> {
        let line = std::mem::take(&mut self.line);
        if line.is_empty() {
            self.bytes = 0;
            let event = std::mem::take(&mut self.event);
            return Ok(std::mem::take(&mut self.has_text).then_some(event));
        }
        let line = std::str::from_utf8(&line).map_err(|_| BadStream)?;
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "data" => {
                if std::mem::replace(&mut self.has_text, true) {
                    self.event.text.push('\n');
                }
                self.event.text.push_str(value);
            }
            "id" => self.event.id = Some(value.to_owned()),
            "event" => self.event.name = Some(value.to_owned()),
            // A comment, or a field that is none of ours.
            _ => {}
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(text: &str) -> Vec<Event> {
        Reader::default().read(text.as_bytes()).unwrap()
    }

    #[test]
    fn events_come_out_the_same_however_they_are_cut() {
        let text = ": hello\r\n\r\nid: 1\nevent: bulletin\ndata: a\ndata: b\n\ndata:c\r\rid: 9\n\n";
        let whole = all(text);
        assert_eq!(whole.len(), 2);
        assert_eq!(whole[0].text, "a\nb");
        assert_eq!(
            (whole[0].id.as_deref(), whole[0].name.as_deref()),
            (Some("1"), Some("bulletin"))
        );
        assert_eq!(whole[1], Event { text: "c".into(), ..Event::default() });
        for size in 1..9 {
            let mut reader = Reader::default();
            let cut = text.as_bytes().chunks(size).flat_map(|bytes| reader.read(bytes).unwrap());
            assert_eq!(cut.collect::<Vec<_>>(), whole, "{size}");
        }
    }

    #[test]
    fn an_event_that_is_too_long_or_no_text_refuses_the_stream() {
        let fits = format!("data:{}\n\n", "x".repeat(EVENT_BYTES_MAX - 5));
        assert_eq!(all(&fits)[0].text.len(), EVENT_BYTES_MAX - 5);
        let long = format!("data:{}", "x".repeat(EVENT_BYTES_MAX - 4));
        assert_eq!(Reader::default().read(long.as_bytes()), Err(BadStream));
        let lines = "data: x\n".repeat(EVENT_BYTES_MAX / 7 + 1);
        assert_eq!(Reader::default().read(lines.as_bytes()), Err(BadStream));
        assert_eq!(Reader::default().read(b"data: \xFF\n"), Err(BadStream));
    }
}
