//! As much of Redis' protocol as a test needs to look after a server of its own.

use std::{
    io::{self, Error},
    path::Path,
};

use tokio::{
    io::{
        AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _,
        BufReader,
    },
    net::UnixStream,
};

/// Sends one command to the server behind `socket`; panics when it is refused.
pub(super) async fn ask(socket: &Path, words: &[&str]) -> String {
    let mut stream = UnixStream::connect(socket)
        .await
        .expect("the server has its socket");
    exchange(&mut stream, words)
        .await
        .unwrap_or_else(|error| panic!("{words:?}: {error}"))
}

/// Sends one command, and reads an answer of one line, or of one text. A missing value is an empty text.
pub(super) async fn exchange(
    stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
    words: &[&str],
) -> io::Result<String> {
    let words = words
        .iter()
        .map(|word| format!("${}\r\n{word}\r\n", word.len()));
    let command = format!("*{}\r\n{}", words.len(), words.collect::<String>());
    stream.write_all(command.as_bytes()).await?;

    let mut answers = BufReader::new(stream);
    let mut line = String::new();
    answers.read_line(&mut line).await?;
    let line = line.trim_end();
    let (kind, rest) = line.split_at_checked(1).ok_or_else(|| unexpected(line))?;
    match kind {
        "+" | ":" => Ok(rest.to_owned()),
        "$" if rest == "-1" => Ok(String::new()),
        "$" => {
            let length = rest.parse().map_err(|_| unexpected(line))?;
            let mut text = vec![0; length];
            answers.read_exact(&mut text).await?;
            String::from_utf8(text).map_err(|_| unexpected(line))
        }
        _ => Err(unexpected(line)),
    }
}

fn unexpected(line: &str) -> Error {
    Error::other(format!("the server answered {line:?}"))
}
