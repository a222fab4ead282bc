//! What changes `/urls/{id}`.

use std::sync::Arc;

use axum::{
    extract::{FromRef, State},
    http::{HeaderMap, StatusCode},
};

use super::store;
use crate::{
    access::Caller,
    app::AppState,
    database::{Db, Tx, timestamp::Timestamp},
    error::ApiError,
    http::{
        conditional::{Conditions, Tagged},
        extract::{Id, JsonObject, MergePatch},
        fields::{Fields, Reported, boolean, text},
    },
    links::{Links, change::Changed},
    shutdown::Tasks,
    urls::{
        ShortUrl, Title, UrlChange,
        http::{Judgement, must_exist, must_own, options_change},
    },
};

/// What can be changed about a URL.
pub const CHANGEABLE: &[&str] = &[
    "title",
    "is_active",
    "original_url",
    "status",
    "forward_query",
    "starts_at",
    "expires_at",
    "max_clicks",
];

/// What stays as it is.
pub const FIXED: &[&str] = &[
    "id",
    "user_id",
    "short_code",
    "created_at",
    "updated_at",
    "version",
];

/// What changing URLs takes.
#[derive(Clone, Debug)]
pub struct Editor {
    pub db: Db,
    pub links: Arc<Links>,
    pub tasks: Tasks,
    pub judgement: Judgement,
}

impl FromRef<AppState> for Editor {
    fn from_ref(state: &AppState) -> Self {
        Self {
            db: state.db.clone(),
            links: Arc::clone(&state.links),
            tasks: state.tasks.clone(),
            judgement: state.judgement.clone(),
        }
    }
}

impl Editor {
    /// The change that a body asks for.
    pub fn read_change(
        &self,
        fields: &mut Fields,
        headers: &HeaderMap,
    ) -> Result<UrlChange, Reported> {
        let title = fields.change("title", text(Title::parse));
        let is_active = fields.given("is_active", boolean);
        let original_url = fields.given("original_url", self.judgement.original_url(headers));
        let options = options_change(fields);
        Ok(UrlChange {
            title: title?,
            is_active: is_active?,
            original_url: original_url?,
            options: options?,
        })
    }

    /// Changes a URL that is the caller's.
    async fn update(
        self,
        caller: &Caller,
        id: i64,
        change: UrlChange,
        conditions: Conditions,
    ) -> Result<Tagged<ShortUrl>, ApiError> {
        let Self {
            db, links, tasks, ..
        } = self;
        must_own(caller, &db, id).await?;
        let now = Timestamp::now();
        let updating = async move {
            let mut tx = db.begin().await?;
            let url = store::update(&mut tx, id, &change, &conditions, now).await?;
            commit(tx, &links, &url).await?;
            Ok(Tagged(url))
        };
        tasks.carry_out(updating).await
    }
}

/// `PUT /urls/{id}`
pub async fn update(
    caller: Caller,
    State(editor): State<Editor>,
    Id(id): Id,
    conditions: Conditions,
    headers: HeaderMap,
    JsonObject(body): JsonObject,
) -> Result<Tagged<ShortUrl>, ApiError> {
    let change = body.read(|fields| {
        fields.require_any(CHANGEABLE);
        editor.read_change(fields, &headers)
    })?;
    editor.update(&caller, id, change, conditions).await
}

/// `PATCH /urls/{id}`
pub async fn patch(
    caller: Caller,
    State(editor): State<Editor>,
    Id(id): Id,
    conditions: Conditions,
    headers: HeaderMap,
    MergePatch(patch): MergePatch,
) -> Result<Tagged<ShortUrl>, ApiError> {
    if patch.are_none() {
        let url = must_exist(&caller, &editor.db, id).await?;
        conditions.check_change(url.version)?;
        return Ok(Tagged(url));
    }
    let change = patch.read(|fields| {
        fields.refuse(FIXED);
        fields.require_any(CHANGEABLE);
        editor.read_change(fields, &headers)
    })?;
    editor.update(&caller, id, change, conditions).await
}

/// `DELETE /urls/{id}`
pub async fn delete(
    caller: Caller,
    State(editor): State<Editor>,
    Id(id): Id,
    conditions: Conditions,
) -> Result<StatusCode, ApiError> {
    let Editor {
        db, links, tasks, ..
    } = editor;
    must_own(&caller, &db, id).await?;
    let (now, by_admin) = (Timestamp::now(), caller.is_admin());
    let deleting = async move {
        let mut tx = db.begin().await?;
        let url = store::delete(&mut tx, id, by_admin, &conditions, now).await?;
        commit(tx, &links, &url).await
    };
    tasks.carry_out(deleting).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `POST /urls/{id}/restore`
pub async fn restore(
    caller: Caller,
    State(editor): State<Editor>,
    Id(id): Id,
    conditions: Conditions,
) -> Result<Tagged<ShortUrl>, ApiError> {
    let Editor {
        db, links, tasks, ..
    } = editor;
    let owner = store::owner(&db, id).await?;
    let owner = owner.filter(|owner| caller.reaches(*owner));
    let owner = owner.ok_or(ApiError::NotFound("URL"))?;
    // What an admin took down is not to be brought back by its owner; where no key is asked for, nobody is told apart.
    let (now, may_undo) = (Timestamp::now(), caller.user().is_none());
    let restoring = async move {
        let mut tx = db.begin().await?;
        let url = store::restore(&mut tx, id, owner, may_undo, &conditions, now).await?;
        commit(tx, &links, &url).await?;
        Ok(Tagged(url))
    };
    tasks.carry_out(restoring).await
}

/// Commits a change of one URL, and waits until every replica obeys.
async fn commit(mut tx: Tx, links: &Links, url: &ShortUrl) -> Result<(), ApiError> {
    let changed = Changed::new(&url.short_code, url.version);
    let announced = links.change(&mut tx, changed).await?;
    tx.commit().await?;
    announced.obeyed().await
}
