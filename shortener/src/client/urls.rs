//! The commands of `shortener urls`.

use hyper::{HeaderMap, Method, header::LINK};
use serde_json::{Map, Value, json};

use super::{
    Failure,
    arguments::{CreateUrl, EditUrl, LinkOptions, ListUrls, UrlStats, UrlsCommand},
    connection::Connection,
    print::{self, Table},
    statistics,
};

pub async fn run(command: UrlsCommand) -> anyhow::Result<()> {
    let connection = Connection::new(command.connection())?;
    let as_json = command.connection().json;
    match command {
        UrlsCommand::Create(arguments) => {
            let url = create(&connection, arguments).await?;
            show(&connection, &url, as_json)
        }
        UrlsCommand::Show(arguments) => {
            let path = format!("/urls/{}", arguments.id);
            let answer = connection.send(Method::GET, &path, &[], None).await?;
            show(&connection, &answer.body, as_json)
        }
        UrlsCommand::List(arguments) => list(&connection, arguments, as_json).await,
        UrlsCommand::Edit(arguments) => {
            let url = edit(&connection, arguments).await?;
            show(&connection, &url, as_json)
        }
        UrlsCommand::Delete(arguments) => {
            for id in arguments.ids {
                let path = format!("/urls/{id}");
                connection.send(Method::DELETE, &path, &[], None).await?;
                if as_json {
                    print::json(&json!({"deleted": id}))?;
                } else {
                    print::line(&format!("URL {id} is deleted."))?;
                }
            }
            Ok(())
        }
        UrlsCommand::Stats(arguments) => stats(&connection, arguments, as_json).await,
    }
}

async fn create(connection: &Connection, arguments: CreateUrl) -> Result<Value, Failure> {
    let user_id = match arguments.user {
        Some(user) => user,
        None => only_user(connection).await?,
    };
    let mut body = options(arguments.options)?;
    body.insert("user_id".to_owned(), user_id.into());
    body.insert("original_url".to_owned(), arguments.original_url.into());
    if let Some(code) = arguments.code {
        body.insert("short_code".to_owned(), code.into());
    }
    if let Some(title) = arguments.title {
        body.insert("title".to_owned(), title.into());
    }
    let answer = connection.send(Method::POST, "/urls", &[], Some(body.into()));
    Ok(answer.await?.body)
}

/// The one user that there is: for a user's key, that user.
async fn only_user(connection: &Connection) -> Result<i64, Failure> {
    let two = [("per_page", "2".to_owned())];
    let users = connection.send(Method::GET, "/users", &two, None).await?;
    match users.body.as_array().map(Vec::as_slice) {
        Some([user]) => Ok(user["id"].as_i64().unwrap_or_default()),
        Some([]) => Err(Failure::Command(
            "there is no user yet who could own the URL".to_owned(),
        )),
        _ => Err(Failure::Command(
            "there are several users: say with --user who is to own the URL".to_owned(),
        )),
    }
}

async fn edit(connection: &Connection, arguments: EditUrl) -> Result<Value, Failure> {
    let mut change = options(arguments.options)?;
    if let Some(original_url) = arguments.original_url {
        change.insert("original_url".to_owned(), original_url.into());
    }
    if let Some(title) = arguments.title {
        let title = (!title.is_empty()).then_some(title);
        change.insert("title".to_owned(), title.into());
    }
    if let Some(is_active) = arguments.active {
        change.insert("is_active".to_owned(), is_active.into());
    }
    if change.is_empty() {
        return Err(Failure::Command(
            "nothing to change: give --title, --original-url or another of the options".to_owned(),
        ));
    }
    let path = format!("/urls/{}", arguments.id);
    let answer = connection.send(Method::PUT, &path, &[], Some(change.into()));
    Ok(answer.await?.body)
}

/// The members of a body that these options are.
fn options(options: LinkOptions) -> Result<Map<String, Value>, Failure> {
    let or_null = |text: String| (!text.is_empty()).then_some(text);
    let number = |text: String| match or_null(text) {
        None => Ok(Value::Null),
        Some(text) => text.parse::<i64>().map(Value::from).map_err(|_| {
            Failure::Command("--max-clicks must be a number, or '' for no limit".to_owned())
        }),
    };
    let given = [
        ("status", options.status.map(Value::from)),
        ("forward_query", options.forward_query.map(Value::from)),
        (
            "starts_at",
            options.starts_at.map(|time| or_null(time).into()),
        ),
        (
            "expires_at",
            options.expires_at.map(|time| or_null(time).into()),
        ),
        ("max_clicks", options.max_clicks.map(number).transpose()?),
    ];
    let given = given.into_iter();
    Ok(given
        .filter_map(|(name, value)| Some((name.to_owned(), value?)))
        .collect())
}

async fn list(connection: &Connection, arguments: ListUrls, as_json: bool) -> anyhow::Result<()> {
    let mut query = vec![("per_page", arguments.per_page.to_string())];
    query.extend(arguments.user.map(|user| ("user_id", user.to_string())));
    query.extend(
        arguments
            .active
            .map(|active| ("is_active", active.to_string())),
    );
    let is_walk = arguments.all || arguments.search.is_some() || arguments.host.is_some();
    query.extend(arguments.search.map(|words| ("q", words)));
    query.extend(arguments.host.map(|host| ("host", host)));
    let page = arguments.page.unwrap_or(1);
    query.push(if is_walk {
        ("cursor", String::new())
    } else {
        ("page", page.to_string())
    });
    let wanted = usize::try_from(arguments.per_page).unwrap_or(usize::MAX);
    let mut urls = Vec::new();
    let has_more = loop {
        let answer = connection.send(Method::GET, "/urls", &query, None).await?;
        urls.extend(answer.body.as_array().into_iter().flatten().cloned());
        let next = next_cursor(&answer.headers);
        match next {
            // A part of a search may be short, or empty, and still not be the last.
            Some(cursor) if is_walk && (arguments.all || urls.len() < wanted) => {
                query.retain(|(name, _)| *name != "cursor");
                query.push(("cursor", cursor));
            }
            next => break next.is_some(),
        }
    };
    if as_json {
        return print::json(&urls);
    }
    let mut table = Table::new(&["ID", "SHORT URL", "ACTIVE", "LEADS TO", "TITLE"]);
    for url in &urls {
        table.row([
            text(&url["id"]),
            connection.short_url(&text(&url["short_code"])),
            yes_or_no(&url["is_active"]),
            text(&url["original_url"]),
            text(&url["title"]),
        ]);
    }
    table.print()?;
    if has_more && is_walk {
        print::note("There are more: --all shows them all")?;
    } else if has_more {
        print::note(&format!(
            "There are more: --page {}",
            page.saturating_add(1)
        ))?;
    }
    Ok(())
}

/// The cursor, or nothing for a page, that the list goes on with, if it does.
fn next_cursor(headers: &HeaderMap) -> Option<String> {
    let links = headers.get(LINK)?.to_str().ok()?;
    let next = links
        .split(", ")
        .find(|link| link.ends_with("rel=\"next\""))?;
    let (target, _) = next.strip_prefix('<')?.split_once('>')?;
    let (_, query) = target.split_once('?').unwrap_or((target, ""));
    let mut parameters = url::form_urlencoded::parse(query.as_bytes());
    let cursor = parameters.find(|(name, _)| name == "cursor");
    Some(
        cursor
            .map(|(_, cursor)| cursor.into_owned())
            .unwrap_or_default(),
    )
}

async fn stats(connection: &Connection, arguments: UrlStats, as_json: bool) -> anyhow::Result<()> {
    let wishes = [
        ("from", arguments.from),
        ("to", arguments.to),
        ("bucket", arguments.bucket),
        ("time_zone", arguments.time_zone),
        ("top", arguments.top.map(|top| top.to_string())),
    ];
    let query: Vec<_> = wishes
        .into_iter()
        .filter_map(|(name, value)| Some((name, value?)))
        .collect();
    let path = format!("/urls/{}/stats", arguments.id);
    let answer = connection.send(Method::GET, &path, &query, None).await?;
    if as_json {
        print::json(&answer.body)
    } else {
        statistics::print(&answer.body)
    }
}

fn show(connection: &Connection, url: &Value, as_json: bool) -> anyhow::Result<()> {
    if as_json {
        return print::json(url);
    }
    let mut table = Table::plain();
    table.row([
        "short URL".to_owned(),
        connection.short_url(&text(&url["short_code"])),
    ]);
    table.row(["leads to".to_owned(), text(&url["original_url"])]);
    // Whatever else the service tells, in its own words: a newer one tells more.
    for (name, value) in url.as_object().into_iter().flatten() {
        if matches!(name.as_str(), "short_code" | "original_url" | "warnings") {
            continue;
        }
        let value = match value {
            Value::Bool(_) => yes_or_no(value),
            value => text(value),
        };
        table.row([name.replace('_', " "), value]);
    }
    for warning in url["warnings"].as_array().into_iter().flatten() {
        table.row([
            "warning".to_owned(),
            text(&warning["code"]).replace('_', " "),
        ]);
    }
    table.print()
}

/// What a value is, without quotation marks.
pub(super) fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        value => value.to_string(),
    }
}

fn yes_or_no(value: &Value) -> String {
    let is_so = value.as_bool().unwrap_or(false);
    if is_so { "yes" } else { "no" }.to_owned()
}
