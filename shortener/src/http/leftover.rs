//! The part of a request's body that its handler did not read.
//!
//! Closing a connection on which bytes are still arriving resets it, and the client may then never see the answer that
//! says why its body was refused. So what is left of a body is read and thrown away, for a while, before the answer goes.

use std::{
    pin::Pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use axum::{
    body::Body,
    http::{HeaderMap, header},
};
use bytes::Bytes;
use http_body_util::BodyExt as _;
use hyper::body::{Body as _, Frame, Incoming, SizeHint};

/// How long a body may go on after the answer is known. On loopback a gigabyte passes.
const PATIENCE: Duration = Duration::from_secs(5);

/// Who sends nothing for this long is waiting for the answer.
const IDLE: Duration = Duration::from_millis(100);

/// A body that a handler reads and the connection keeps a hold of.
#[derive(Clone, Debug)]
pub(super) struct Leftover {
    body: Arc<Mutex<Incoming>>,
    /// Set for a client that waits for `100 Continue`: it sends nothing until somebody reads.
    awaits_permission: Arc<AtomicBool>,
}

/// Shares `body` between a handler and the connection; a body that is empty needs no sharing.
pub(super) fn share(body: Incoming, headers: &HeaderMap) -> (Body, Option<Leftover>) {
    if body.is_end_stream() {
        return (Body::empty(), None);
    }
    let leftover = Leftover {
        body: Arc::new(Mutex::new(body)),
        awaits_permission: Arc::new(headers.contains_key(header::EXPECT).into()),
    };
    (Body::new(leftover.clone()), Some(leftover))
}

impl Leftover {
    /// Reads and forgets what the handler left.
    pub(super) async fn discard(mut self) {
        if self.awaits_permission.load(Ordering::Relaxed) || self.is_end_stream() {
            return;
        }
        let rest =
            async { while let Ok(Some(Ok(_))) = tokio::time::timeout(IDLE, self.frame()).await {} };
        tokio::time::timeout(PATIENCE, rest).await.ok();
    }
}

impl hyper::body::Body for Leftover {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        self.awaits_permission.store(false, Ordering::Relaxed);
        let mut body = self.body.lock().unwrap_or_else(PoisonError::into_inner);
        Pin::new(&mut *body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        let body = self.body.lock().unwrap_or_else(PoisonError::into_inner);
        body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let body = self.body.lock().unwrap_or_else(PoisonError::into_inner);
        body.size_hint()
    }
}
