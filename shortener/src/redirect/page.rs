//! The pages that visitors of a link see: what is wrong with it, and where it leads.

use axum::http::StatusCode;

use crate::{links::link::Link, urls::ShortUrl};

/// What a visitor sees whose link does not lead anywhere.
pub fn problem(status: StatusCode) -> String {
    let (title, text) = match status {
        StatusCode::NOT_FOUND => (
            "Link not found",
            "There is no link here. Check the address for a typing error.",
        ),
        StatusCode::GONE => (
            "This link is over",
            "It was here for a while, or for a number of visits, and is not any more.",
        ),
        StatusCode::TOO_MANY_REQUESTS => (
            "Too many requests",
            "Many links have been followed from where you are. Please try again in a moment.",
        ),
        StatusCode::SERVICE_UNAVAILABLE => (
            "Please try again in a moment",
            "The link cannot be looked up right now.",
        ),
        _ => (
            "Something went wrong",
            "The link cannot be followed right now.",
        ),
    };
    document(title, &format!("<p>{text}</p>"))
}

/// What is behind a link, for somebody who would rather know before following it.
pub fn preview(url: &ShortUrl, link: &Link) -> String {
    let title = url.title.as_deref().unwrap_or("Where this link leads");
    // The target of a link with a limit is for those who use it up.
    let body = if link.max_clicks.is_some() {
        "<p>This link works for a limited number of visits. To see where it leads is to use one up.</p>"
            .to_owned()
    } else {
        let target = escaped(&String::from_utf8_lossy(link.location.as_bytes()));
        format!(
            "<p>This link leads to</p>\n<p><a href=\"{target}\" rel=\"noreferrer nofollow\">{target}</a></p>"
        )
    };
    document(&escaped(title), &body)
}

/// A page; `title` and `body` are HTML.
fn document(title: &str, body: &str) -> String {
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"robots\" content=\"noindex\">\n<title>{title}</title>\n\
         <link rel=\"stylesheet\" href=\"/assets/home.css\">\n\
         <main>\n<h1>{title}</h1>\n{body}\n</main>\n</html>\n"
    )
}

/// `text` as HTML shows it, in an attribute, too.
fn escaped(text: &str) -> String {
    let mut html = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '"' => html.push_str("&quot;"),
            '\'' => html.push_str("&#39;"),
            _ => html.push(character),
        }
    }
    html
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_wrote_is_no_html() {
        assert_eq!(escaped("<b a='\"&"), "&lt;b a=&#39;&quot;&amp;");
    }
}
