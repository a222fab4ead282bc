//! Reads the fields of a JSON object or a query string, and collects everything that is wrong with them.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use crate::{
    database::timestamp::Timestamp,
    error::{ApiError, FieldErrors},
    invalid::Invalid,
};

/// Stands for a field that was wrong or missing; what was wrong is in the collection already.
#[derive(Clone, Copy, Debug)]
pub struct Reported;

/// The fields of one request. Those that nobody asks for are ignored.
#[derive(Debug)]
pub struct Fields {
    values: Map<String, Value>,
    errors: FieldErrors,
    /// The names that somebody has asked for.
    asked: BTreeSet<&'static str>,
}

impl Fields {
    pub fn new(values: Map<String, Value>) -> Self {
        Self {
            values,
            errors: FieldErrors::new(),
            asked: BTreeSet::new(),
        }
    }

    /// The parameters of a query string; the last one of a name counts.
    pub fn from_query(query: Option<&str>) -> Self {
        let pairs = url::form_urlencoded::parse(query.unwrap_or_default().as_bytes());
        Self::new(
            pairs
                .map(|(name, value)| (name.into_owned(), Value::String(value.into_owned())))
                .collect(),
        )
    }

    /// Builds a value from the fields, or tells everything that was wrong with them at once.
    pub fn read<T>(
        mut self,
        build: impl FnOnce(&mut Self) -> Result<T, Reported>,
    ) -> Result<T, ApiError> {
        match build(&mut self) {
            Ok(value) if self.errors.is_empty() => Ok(value),
            _ => Err(ApiError::Invalid(self.errors)),
        }
    }

    pub fn required<T>(
        &mut self,
        name: &'static str,
        parse: impl FnOnce(&Value) -> Result<T, Invalid>,
    ) -> Result<T, Reported> {
        self.asked.insert(name);
        match self.values.get(name) {
            Some(value) => parse(value).map_err(|reason| self.report(name, reason)),
            None => Err(self.report(name, "is missing".into())),
        }
    }

    /// A field that may be absent, or null.
    pub fn optional<T>(
        &mut self,
        name: &'static str,
        parse: impl FnOnce(&Value) -> Result<T, Invalid>,
    ) -> Result<Option<T>, Reported> {
        self.asked.insert(name);
        match self.values.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => parse(value)
                .map(Some)
                .map_err(|reason| self.report(name, reason)),
        }
    }

    /// A field that may be absent, but is no null when it is there.
    pub fn given<T>(
        &mut self,
        name: &'static str,
        parse: impl FnOnce(&Value) -> Result<T, Invalid>,
    ) -> Result<Option<T>, Reported> {
        self.asked.insert(name);
        if self.values.contains_key(name) {
            self.required(name, parse).map(Some)
        } else {
            Ok(None)
        }
    }

    /// A field that a change may set, clear with null, or leave alone by not naming it.
    pub fn change<T>(
        &mut self,
        name: &'static str,
        parse: impl FnOnce(&Value) -> Result<T, Invalid>,
    ) -> Result<Option<Option<T>>, Reported> {
        if self.values.get(name) == Some(&Value::Null) {
            return Ok(Some(None));
        }
        Ok(self.optional(name, parse)?.map(Some))
    }

    /// Refuses a change that names none of the fields that can be changed.
    pub fn require_any(&mut self, names: &[&'static str]) {
        if !names.iter().any(|name| self.values.contains_key(*name)) {
            for name in names {
                self.report(name, "is missing: give at least one of these".into());
            }
        }
    }

    /// All of them as JSON, in one form, however they were laid out.
    pub fn text(&self) -> String {
        let sorted: BTreeMap<_, _> = self.values.iter().collect();
        serde_json::to_string(&sorted).expect("JSON that was read can be written")
    }

    /// A field that is a text.
    pub fn text_of(&self, name: &str) -> Option<&str> {
        self.values.get(name)?.as_str()
    }

    /// Whether somebody has asked for a field of this name.
    pub fn knows(&self, name: &str) -> bool {
        self.asked.contains(name)
    }

    /// Whether there is no field at all.
    pub fn are_none(&self) -> bool {
        self.values.is_empty()
    }

    /// Refuses a change of what stays as it is.
    pub fn refuse(&mut self, names: &[&'static str]) {
        for name in names {
            if self.values.contains_key(*name) {
                self.report(name, "cannot be changed".into());
            }
        }
    }

    /// Notes what is wrong with a field.
    pub fn report(&mut self, name: &'static str, reason: Invalid) -> Reported {
        self.errors.insert(name, reason.to_string());
        Reported
    }
}

/// A JSON string that `parse` accepts.
pub fn text<T>(
    parse: impl FnOnce(&str) -> Result<T, Invalid>,
) -> impl FnOnce(&Value) -> Result<T, Invalid> {
    move |value| parse(value.as_str().ok_or("must be a string")?)
}

/// A JSON integer. `true`, `"1"` and `1.5` are none.
pub fn integer(value: &Value) -> Result<i64, Invalid> {
    match value {
        // Beyond 64 bits nothing has an id; the look-up will say so.
        Value::Number(number) if number.is_u64() || number.is_i64() => {
            Ok(number.as_i64().unwrap_or(i64::MAX))
        }
        _ => Err("must be an integer".into()),
    }
}

/// A JSON integer above zero.
pub fn positive(value: &Value) -> Result<i64, Invalid> {
    match integer(value)? {
        number if number > 0 && number < i64::MAX => Ok(number),
        _ => Err("must be an integer above 0".into()),
    }
}

/// A time in text, as RFC 3339 writes it; without a zone it is UTC.
pub fn time(text: &str) -> Result<Timestamp, Invalid> {
    Timestamp::parse(text).ok_or("must be a time such as 2026-11-24T12:00:00Z".into())
}

pub fn boolean(value: &Value) -> Result<bool, Invalid> {
    value.as_bool().ok_or("must be true or false".into())
}

/// An integer in a query string.
pub fn digits(text: &str) -> Result<i64, Invalid> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !is_number {
        return Err("must be a whole number".into());
    }
    // Too large to be anything's number, and so nothing's.
    Ok(text.parse().unwrap_or(i64::MAX))
}

/// A truth value in a query string.
pub fn flag(text: &str) -> Result<bool, Invalid> {
    match text {
        "true" | "True" | "1" => Ok(true),
        "false" | "False" | "0" => Ok(false),
        _ => Err("must be true or false".into()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn fields(value: Value) -> Fields {
        let Value::Object(values) = value else {
            panic!("{value} is no object");
        };
        Fields::new(values)
    }

    #[test]
    fn every_wrong_field_is_told_at_once() {
        let result = fields(json!({"a": true, "c": 3})).read(|fields| {
            let a = fields.required("a", integer);
            let b = fields.required("b", integer);
            let c = fields.required("c", integer);
            Ok((a?, b?, c?))
        });
        let Err(ApiError::Invalid(errors)) = result else {
            panic!("{result:?}");
        };
        assert_eq!(errors["a"], "must be an integer");
        assert_eq!(errors["b"], "is missing");
        assert_eq!(errors.len(), 2);
    }

    #[test]
    fn an_optional_field_that_is_wrong_is_no_absent_field() {
        let result = fields(json!({"a": "x"})).read(|fields| {
            let a = fields.optional("a", integer);
            a.map(|_| ())
        });
        assert!(result.is_err());
    }

    #[test]
    fn a_change_tells_clearing_from_leaving_alone() {
        let read = |value| {
            fields(value)
                .read(|fields| fields.change("a", integer))
                .unwrap()
        };
        assert_eq!(read(json!({})), None);
        assert_eq!(read(json!({"a": null})), Some(None));
        assert_eq!(read(json!({"a": 1})), Some(Some(1)));
    }

    #[test]
    fn only_integers_are_integers() {
        for value in [json!(true), json!("1"), json!(1.5), json!(1.0), json!(null)] {
            assert!(integer(&value).is_err(), "{value}");
        }
        assert_eq!(integer(&json!(u64::MAX)), Ok(i64::MAX));
    }

    #[test]
    fn a_number_in_a_query_has_digits_only() {
        for text in ["", "-1", "+1", "1.0", "abc", " 1", "１"] {
            assert!(digits(text).is_err(), "{text:?}");
        }
        assert_eq!(digits("0012"), Ok(12));
        assert_eq!(digits(&"9".repeat(30)), Ok(i64::MAX));
    }
}
