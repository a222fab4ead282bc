//! Which resource has a database that others run. A status tells it, but only once it is written, and two resources that come in the same
//! moment would both find nothing there. So whoever is carried out first takes the database here, before anything is made.

use std::{collections::HashMap, sync::Mutex};

use super::{
    Context,
    validate::{Refusal, database, plan::Plan},
};

/// Who has each database, by its identity.
#[derive(Debug, Default)]
pub struct Databases(Mutex<HashMap<String, Holder>>);

#[derive(Debug)]
struct Holder {
    uid: String,
    name: String,
}

/// Takes the database of a plan, or says who has it.
pub fn take(ctx: &Context, plan: Plan) -> Result<Plan, Refusal> {
    let Some(identity) = &plan.database_identity else {
        return Ok(plan);
    };
    let resources = ctx.resources();
    let lives = |uid: &str| {
        let uids = resources.iter().filter_map(|guard| guard.0.as_ref().ok());
        uids.into_iter()
            .any(|resource| resource.metadata.uid.as_deref() == Some(uid))
    };
    let name = format!("{}/{}", plan.namespace, plan.name);
    match ctx.databases.take(identity, &plan.uid, name, lives) {
        Some(other) => Err(database::in_use(&other)),
        None => Ok(plan),
    }
}

impl Databases {
    /// The name of another that has it and still exists; otherwise it is taken.
    fn take(
        &self,
        identity: &str,
        uid: &str,
        name: String,
        lives: impl Fn(&str) -> bool,
    ) -> Option<String> {
        let mut all = self
            .0
            .lock()
            .expect("nothing panics while it holds the lock");
        // Whoever has moved to another database has left this one.
        all.retain(|held, holder| holder.uid != uid || held == identity);
        match all.get(identity) {
            Some(holder) if holder.uid != uid && lives(&holder.uid) => Some(holder.name.clone()),
            _ => {
                let uid = uid.to_owned();
                all.insert(identity.to_owned(), Holder { uid, name });
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_is_that_of_the_first_until_it_goes_or_moves() {
        let databases = Databases::default();
        let take = |identity: &str, uid: &str, gone: &str| {
            let name = format!("web/{uid}");
            databases.take(identity, uid, name, |holder| holder != gone)
        };
        assert_eq!(take("links", "one", ""), None);
        assert_eq!(take("links", "two", ""), Some("web/one".to_owned()));
        assert_eq!(take("links", "one", ""), None, "it has it already");
        assert_eq!(take("links", "two", "one"), None, "the first is gone");
        assert_eq!(take("other", "two", ""), None, "it moves");
        assert_eq!(take("links", "three", ""), None);
        assert_eq!(take("links", "two", ""), Some("web/three".to_owned()));
    }
}
