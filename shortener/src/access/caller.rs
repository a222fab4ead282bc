//! Whoever sent a request, as handlers see them.

use axum::{extract::FromRequestParts, http::request::Parts};

use crate::{
    audit::Actor,
    error::ApiError,
    keys::{Right, Scope, keyring::Holder},
};

/// The id of no user: they begin with 1.
const NOBODY: i64 = 0;

/// Whoever sent the request, and what they reach.
///
/// A route that is not for admins only takes a handler that asks for this first: see [`super::Routes`].
#[derive(Clone, Debug)]
pub struct Caller {
    actor: Actor,
    /// None where no key is asked for, and for the key in the admin's file: everything is allowed.
    right: Option<Right>,
}

impl Caller {
    /// Somebody who needs no key.
    pub(super) fn anyone() -> Self {
        Self {
            actor: Actor::Anyone,
            right: None,
        }
    }

    pub(super) fn holding(holder: Holder) -> Self {
        match holder {
            Holder::AdminFile => Self {
                actor: Actor::AdminKeyFile,
                right: None,
            },
            Holder::Key { id, right } => Self {
                actor: Actor::Key {
                    id,
                    user_id: right.user_id(),
                },
                right: Some(right),
            },
        }
    }

    pub(super) fn actor(&self) -> Actor {
        self.actor
    }

    /// Tells callers apart who may give the same name to different things.
    pub fn identity(&self) -> String {
        self.actor.identity()
    }

    /// Refuses what the key is not for.
    pub(super) fn may(&self, scope: Scope) -> Result<(), ApiError> {
        match &self.right {
            Some(right) if !right.scopes().allow(scope) => Err(ApiError::MissingScope(scope)),
            _ => Ok(()),
        }
    }

    /// The user whose key it is, if it is not an admin's.
    pub fn user(&self) -> Option<i64> {
        self.right.as_ref().and_then(Right::user_id)
    }

    /// Whether it is an admin who is known as one: where no key is asked for, nobody is.
    pub fn is_admin(&self) -> bool {
        !matches!(self.actor, Actor::Anyone) && self.user().is_none()
    }

    /// Whether what belongs to `user_id` is theirs to see and change.
    pub fn reaches(&self, user_id: i64) -> bool {
        self.user().is_none_or(|own| own == user_id)
    }

    /// The user whose things a list shows, when `asked` for one or for all. A list of somebody else's is empty.
    pub fn narrow(&self, asked: Option<i64>) -> Option<i64> {
        match (self.user(), asked) {
            (None, asked) => asked,
            (Some(own), None) => Some(own),
            (Some(own), Some(asked)) if own == asked => Some(own),
            (Some(_), Some(_)) => Some(NOBODY),
        }
    }
}

impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let caller = parts.extensions.get::<Self>().cloned();
        caller.ok_or_else(|| anyhow::anyhow!("a route without a gate asks who called").into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::Scopes;

    fn user(id: i64) -> Caller {
        let scopes = Scopes::new(vec![Scope::Read]).unwrap();
        Caller::holding(Holder::Key {
            id: 1,
            right: Right::new(Some(id), scopes).unwrap(),
        })
    }

    #[test]
    fn a_user_sees_what_is_theirs() {
        assert_eq!(user(7).narrow(None), Some(7));
        assert_eq!(user(7).narrow(Some(7)), Some(7));
        assert_eq!(user(7).narrow(Some(8)), Some(NOBODY));
        assert!(user(7).reaches(7) && !user(7).reaches(8));
    }

    #[test]
    fn an_admin_sees_all() {
        let admin = Caller::holding(Holder::AdminFile);
        for caller in [admin, Caller::anyone()] {
            assert_eq!(caller.narrow(None), None);
            assert_eq!(caller.narrow(Some(8)), Some(8));
            assert!(caller.reaches(8) && caller.may(Scope::Admin).is_ok());
        }
        assert!(Caller::holding(Holder::AdminFile).is_admin());
        assert!(!Caller::anyone().is_admin() && !user(7).is_admin());
    }

    #[test]
    fn a_key_is_for_its_scopes() {
        assert!(user(7).may(Scope::Read).is_ok());
        for scope in [Scope::Write, Scope::Statistics, Scope::Admin] {
            assert!(user(7).may(scope).is_err());
        }
    }
}
