//! Files for the tests of bulk loads, made of single rows.

pub(crate) const USERS: &str = "id,username,email,created_at";
pub(crate) const URLS: &str =
    "id,user_id,short_code,original_url,title,is_active,created_at,updated_at";
pub(crate) const EVENTS: &str = "id,url_id,user_id,event_type,timestamp,details";

/// A time as files have it.
pub(crate) const TIME: &str = "2025-01-01 00:00:00";

/// A user called `name`, with an e-mail of that name.
pub(crate) fn user(id: i64, name: &str) -> String {
    format!("{id},{name},{name}@example.com,{TIME}")
}

/// An active URL of user 1.
pub(crate) fn url(id: i64, short_code: &str) -> String {
    format!("{id},1,{short_code},https://example.com/{id},Title,True,{TIME},{TIME}")
}

/// An event of URL 1 and user 1.
pub(crate) fn event(id: i64) -> String {
    format!("{id},1,1,updated,{TIME},{{}}")
}

/// `rows` below their header, each with a line end.
pub(crate) fn file(header: &str, rows: &[impl AsRef<str>]) -> String {
    let mut file = format!("{header}\n");
    for row in rows {
        file.push_str(row.as_ref());
        file.push('\n');
    }
    file
}
