//! Server-sent events: bytes in, events out. Pure.

/// Bytes of one event: a piece of log is far smaller.
const EVENT_BYTES_MAX: usize = 4 * 1024 * 1024;

/// One event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Event {
    /// The `event:` field; empty means `message`.
    pub name: String,
    /// The `data:` lines, joined by newlines.
    pub data: String,
    /// The `id:` field: where to go on after it; empty when it has none.
    pub id: String,
}

/// Collects bytes until events are complete.
#[derive(Debug, Default)]
pub struct Parser {
    line: Vec<u8>,
    event: Event,
    has_data: bool,
}

/// An event was longer than the limit.
#[derive(Debug, PartialEq, Eq)]
pub struct TooLong;

impl Parser {
    /// Takes bytes as they come, returns the events that they complete.
    ///
    /// # Errors
    /// [`TooLong`]: the stream is not worth reading on.
    pub fn push(&mut self, bytes: &[u8]) -> Result<Vec<Event>, TooLong> {
        let mut complete = Vec::new();
        for &byte in bytes {
            if byte != b'\n' {
                self.line.push(byte);
                if self.line.len() + self.event.data.len() > EVENT_BYTES_MAX {
                    return Err(TooLong);
                }
                continue;
            }
            let line = std::mem::take(&mut self.line);
            complete.extend(self.take_line(String::from_utf8_lossy(&line).trim_end_matches('\r')));
        }
        Ok(complete)
    }

    fn take_line(&mut self, line: &str) -> Option<Event> {
        if line.is_empty() {
            let event = std::mem::take(&mut self.event);
            return std::mem::take(&mut self.has_data).then_some(event);
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => self.event.name = value.to_owned(),
            "id" => self.event.id = value.to_owned(),
            "data" => {
                if self.has_data {
                    self.event.data.push('\n');
                }
                self.has_data = true;
                self.event.data.push_str(value);
            }
            _ => {} // comments keep the connection alive; retries are not used
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_come_out_however_the_bytes_are_cut() {
        let text = b": hello\n\nevent: status\nid: 7\ndata: {\"a\":\r\ndata: 1}\r\n\r\n\
              data:x\n\nevent: end\n";
        for size in [1, 3, 1000] {
            let mut parser = Parser::default();
            let events: Vec<_> = text
                .chunks(size)
                .flat_map(|bytes| parser.push(bytes).unwrap())
                .collect();
            let expected = [("status", "{\"a\":\n1}", "7"), ("", "x", "")];
            let got: Vec<_> = events
                .iter()
                .map(|e| (&*e.name, &*e.data, &*e.id))
                .collect();
            assert_eq!(got, expected, "cut every {size}");
        }
    }

    #[test]
    fn an_endless_line_is_given_up() {
        let mut parser = Parser::default();
        assert_eq!(parser.push(&vec![b'a'; EVENT_BYTES_MAX + 1]), Err(TooLong));
    }
}
