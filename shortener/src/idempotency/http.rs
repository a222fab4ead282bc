//! The header, and what handlers of creates do with it.

use axum::{
    body::{Body, HttpBody as _, to_bytes},
    extract::FromRequestParts,
    http::{HeaderName, HeaderValue, StatusCode, header, request::Parts},
    response::Response,
};

use super::{
    Answer, Fingerprint, IdempotencyKey,
    store::{self, Record},
};
use crate::{
    access::Caller,
    database::{Db, Tx, failure, timestamp::Timestamp},
    error::ApiError,
    http::{extract::ObjectId, fields::Fields},
};

const NAME: &str = "Idempotency-Key";

/// Says that an answer is the one that was given before.
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// The largest answer that is kept, in bytes: a thousand URLs of usual length have room in it.
const MAX_KEPT: u64 = 2 << 20;

const TOO_MUCH: &str =
    "has an answer of more than 2 MiB, which is not kept: ask for less in one call";

/// The headers of an answer that are kept. Others are about the exchange, not about what was made.
const KEPT: [HeaderName; 4] = [
    header::CACHE_CONTROL,
    header::CONTENT_TYPE,
    header::ETAG,
    header::LOCATION,
];

/// The key of a request, if it has one.
#[derive(Clone, Debug)]
pub struct Idempotency(Option<Given>);

#[derive(Clone, Debug)]
struct Given {
    /// Whose key it is: others may have the same.
    caller: String,
    key: IdempotencyKey,
    route: String,
}

impl<S: Send + Sync> FromRequestParts<S> for Idempotency {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let mut given = parts.headers.get_all(NAME).iter();
        let Some(value) = given.next() else {
            return Ok(Self(None));
        };
        if given.next().is_some() {
            return Err(ApiError::invalid(NAME, "must be there once"));
        }
        let key = IdempotencyKey::parse(value.as_bytes())
            .map_err(|reason| ApiError::invalid(NAME, reason.to_string()))?;
        let caller = Caller::from_request_parts(parts, state).await?;
        Ok(Self(Some(Given {
            caller: caller.identity(),
            key,
            // As the table of routes has it: without the prefix under which it is served.
            route: format!("{} {}", parts.method, parts.uri.path()),
        })))
    }
}

impl Idempotency {
    /// Refuses a key where nothing can be remembered.
    pub fn refuse(&self, reason: &'static str) -> Result<(), ApiError> {
        match self.0 {
            None => Ok(()),
            Some(_) => Err(ApiError::invalid(NAME, reason)),
        }
    }

    /// The attempt to make what `body` describes.
    pub fn attempt(self, body: &Fields) -> Attempt {
        Attempt(self.0.map(|given| Keyed {
            fingerprint: Fingerprint::new(&given.route, body),
            caller: given.caller,
            key: given.key,
        }))
    }
}

/// An attempt to make something, maybe not the first one.
#[derive(Clone, Debug)]
pub struct Attempt(Option<Keyed>);

#[derive(Clone, Debug)]
struct Keyed {
    caller: String,
    key: IdempotencyKey,
    fingerprint: Fingerprint,
}

/// What is to be done.
#[derive(Debug)]
pub enum Begun {
    /// Nothing: it was done before, and this is what was answered.
    Before(Response),
    Now(Work),
}

/// Where something is to be made.
#[derive(Debug)]
pub enum Work {
    /// Anywhere: nobody will ask again.
    Plain(Db),
    /// In this transaction.
    InTransaction(Box<Transaction>),
}

/// A transaction in which something is made. If there is a key, nobody else can use it until the end.
#[derive(Debug)]
pub struct Transaction {
    pub tx: Tx,
    keyed: Option<Keyed>,
}

impl Attempt {
    /// What was answered before, if it was. To be asked before anything that may have changed since then.
    pub async fn recall(&self, db: &Db) -> Result<Option<Response>, ApiError> {
        let Some(keyed) = &self.0 else {
            return Ok(None);
        };
        match store::find(db, &keyed.caller, &keyed.key).await? {
            Some(record) => keyed.answer(record).map(Some),
            None => Ok(None),
        }
    }

    /// Claims the key. Who comes second waits for the first one's commit, a few seconds at most.
    pub async fn begin(self, db: &Db) -> Result<Begun, ApiError> {
        let Some(keyed) = self.0 else {
            return Ok(Begun::Now(Work::Plain(db.clone())));
        };
        let mut tx = db.begin_guarded().await?;
        let claim = store::claim(
            &mut tx,
            &keyed.caller,
            &keyed.key,
            keyed.fingerprint,
            Timestamp::now(),
        );
        match claim.await {
            Ok(None) => {
                let keyed = Some(keyed);
                let transaction = Box::new(Transaction { tx, keyed });
                Ok(Begun::Now(Work::InTransaction(transaction)))
            }
            Ok(Some(record)) => {
                // Nothing was written; the connection is used again.
                tx.commit().await?;
                keyed.answer(record).map(Begun::Before)
            }
            Err(error) if failure::is_lock_timeout(&error) => {
                tx.roll_back().await?;
                Err(ApiError::UnderWay)
            }
            Err(error) => Err(error.into()),
        }
    }
}

impl Keyed {
    fn answer(&self, record: Record) -> Result<Response, ApiError> {
        if record.fingerprint != self.fingerprint.as_bytes() {
            return Err(ApiError::invalid(
                NAME,
                "was used for another request: use a new one",
            ));
        }
        let answer = record.answer?;
        let mut response = Response::new(Body::from(answer.body));
        *response.status_mut() =
            StatusCode::from_u16(answer.status).map_err(anyhow::Error::from)?;
        for (name, value) in answer.headers {
            let name = HeaderName::try_from(name).map_err(anyhow::Error::from)?;
            let value = HeaderValue::try_from(value).map_err(anyhow::Error::from)?;
            response.headers_mut().insert(name, value);
        }
        response
            .headers_mut()
            .insert(REPLAYED, HeaderValue::from_static("true"));
        if let Some(id) = answer.object_id {
            response.extensions_mut().insert(ObjectId(id));
        }
        Ok(response)
    }
}

impl Work {
    /// A transaction in any case.
    pub async fn in_transaction(self) -> sqlx::Result<Transaction> {
        match self {
            Self::InTransaction(transaction) => Ok(*transaction),
            Self::Plain(db) => Ok(Transaction {
                tx: db.begin().await?,
                keyed: None,
            }),
        }
    }

    /// Undoes what was begun, since it is refused.
    pub async fn refused(self, refusal: impl Into<ApiError>) -> ApiError {
        match self {
            Self::Plain(_) => refusal.into(),
            Self::InTransaction(transaction) => transaction.refused(refusal).await,
        }
    }

    /// Keeps the answer, if somebody may ask again, together with what was made.
    pub async fn commit(self, response: Response) -> Result<Response, ApiError> {
        match self {
            Self::Plain(_) => Ok(response),
            Self::InTransaction(transaction) => transaction.commit(response).await,
        }
    }
}

impl Transaction {
    /// Undoes everything, and frees the key: it is judged anew whether it is refused.
    pub async fn refused(self, refusal: impl Into<ApiError>) -> ApiError {
        let refusal = refusal.into();
        // After a fault of ours nobody knows where the connection stands: it is dropped, and closed.
        if !refusal.is_ours()
            && let Err(error) = self.tx.roll_back().await
        {
            return error.into();
        }
        refusal
    }

    pub async fn commit(self, response: Response) -> Result<Response, ApiError> {
        if self.keyed.is_some() && response.body().size_hint().lower() > MAX_KEPT {
            let refusal = ApiError::invalid(NAME, TOO_MUCH);
            return Err(self.refused(refusal).await);
        }
        let Self { mut tx, keyed } = self;
        let Some(keyed) = keyed else {
            tx.commit().await?;
            return Ok(response);
        };
        let (parts, body) = response.into_parts();
        // It is in memory already.
        let body = to_bytes(body, usize::MAX)
            .await
            .map_err(anyhow::Error::from)?;
        let kept = |name: &HeaderName| {
            let value = parts.headers.get(name)?.to_str().ok()?;
            Some((name.to_string(), value.to_owned()))
        };
        let answer = Answer {
            status: parts.status.as_u16(),
            headers: KEPT.iter().filter_map(kept).collect(),
            object_id: parts.extensions.get().map(|ObjectId(id)| *id),
            body: String::from_utf8(body.to_vec()).map_err(anyhow::Error::from)?,
        };
        store::keep(&mut tx, &keyed.caller, &keyed.key, &answer).await?;
        tx.commit().await?;
        Ok(Response::from_parts(parts, Body::from(answer.body)))
    }
}
