//! Where an answer's head ends, and its body: enough of HTTP for clients that have no time for more.

use anyhow::{Context as _, bail};

/// What comes before the body.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Head {
    pub status: u16,
    pub length: usize,
    /// Bytes of the body that follows.
    pub body: usize,
}

impl Head {
    /// Nothing as long as it is not complete.
    pub fn read(bytes: &[u8]) -> anyhow::Result<Option<Self>> {
        let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") else {
            return Ok(None);
        };
        let text = std::str::from_utf8(&bytes[..end]).context("an answer's head is no text")?;
        let mut lines = text.split("\r\n");
        let status = lines.next().and_then(|line| line.split(' ').nth(1));
        let status = status.and_then(|status| status.parse().ok());
        let mut body = 0;
        for (name, value) in lines.filter_map(|line| line.split_once(':')) {
            if name.eq_ignore_ascii_case("content-length") {
                body = value.trim().parse().context("a length is no number")?;
            } else if name.eq_ignore_ascii_case("transfer-encoding") {
                bail!("an answer comes in chunks, which this client does not read");
            }
        }
        Ok(Some(Self {
            status: status.with_context(|| format!("no HTTP: {text}"))?,
            length: end + 4,
            body,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::Head;

    #[track_caller]
    fn check(bytes: &str, expected: Option<(u16, usize, usize)>) {
        let head = Head::read(bytes.as_bytes()).unwrap();
        assert_eq!(
            head.map(|head| (head.status, head.length, head.body)),
            expected
        );
    }

    #[test]
    fn an_answer_ends_where_its_head_says() {
        check("HTTP/1.1 302 Found\r\nLocation: x\r\n", None);
        check("HTTP/1.1 204 No Content\r\n\r\n", Some((204, 27, 0)));
        check(
            "HTTP/1.1 200 OK\r\ncontent-LENGTH: 7\r\n\r\nand so",
            Some((200, 38, 7)),
        );
    }

    #[test]
    fn chunks_are_refused() {
        let chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
        assert!(Head::read(chunked).is_err());
    }
}
