//! One request, and what came of it as JSON.

use std::{collections::BTreeMap, error::Error, time::Duration};

use clap::Args;
use reqwest::{Client, Method, redirect::Policy};
use serde_json::json;

#[derive(Args, Debug)]
pub(crate) struct Arguments {
    method: Method,
    url: String,
    /// An API key.
    #[arg(long)]
    key: Option<String>,
    /// A body, as JSON.
    #[arg(long)]
    body: Option<String>,
}

/// Prints `{"status": …, "headers": {…}, "body": …}`, and fails if there was no answer.
pub(crate) async fn run(arguments: Arguments) -> Result<(), Box<dyn Error>> {
    let client = Client::builder()
        .redirect(Policy::none())
        .timeout(Duration::from_secs(20))
        .build()?;
    let mut request = client.request(arguments.method, arguments.url);
    if let Some(key) = arguments.key {
        request = request.bearer_auth(key);
    }
    if let Some(body) = arguments.body {
        request = request
            .header("Content-Type", "application/json")
            .body(body);
    }
    let answer = request.send().await?;
    let status = answer.status().as_u16();
    let headers: BTreeMap<_, _> = answer
        .headers()
        .iter()
        .map(|(name, value)| {
            (
                name.to_string(),
                String::from_utf8_lossy(value.as_bytes()).into_owned(),
            )
        })
        .collect();
    let body = answer.text().await?;
    crate::say(&json!({"status": status, "headers": headers, "body": body}));
    Ok(())
}
