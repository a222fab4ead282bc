//! Amounts as Kubernetes writes them: `500m` of a processor, `256Mi` of memory.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// An amount of processors, which may be written as a number.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Cpu {
    Cores(i64),
    Text(String),
}

impl Cpu {
    pub fn text(&self) -> String {
        match self {
            Self::Cores(cores) => cores.to_string(),
            Self::Text(text) => text.clone(),
        }
    }
}

impl JsonSchema for Cpu {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Cpu".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "x-kubernetes-int-or-string": true,
            "x-kubernetes-validations": [{
                "rule": "type(self) == string ? self.matches('^[0-9]{1,6}m$|^[0-9]{1,4}([.][0-9]{1,3})?$') : self >= 0",
                "message": "give processors as a number, such as 2 or \"0.5\", or in thousandths, such as 500m",
            }],
        })
    }
}

/// The value of a quantity in its base unit, if it is one. For comparing what we ask for with what the API server made of it.
pub fn value(text: &str) -> Option<f64> {
    let split = text
        .find(|character: char| {
            !(character.is_ascii_digit() || character == '.' || character == '-')
        })
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let number: f64 = number.parse().ok()?;
    let factor = match unit {
        "" => 1.0,
        "n" => 1e-9,
        "u" => 1e-6,
        "m" => 1e-3,
        "k" => 1e3,
        "M" => 1e6,
        "G" => 1e9,
        "T" => 1e12,
        "Ki" => 1024.0,
        "Mi" => 1_048_576.0,
        "Gi" => 1_073_741_824.0,
        "Ti" => 1_099_511_627_776.0,
        _ => return None,
    };
    Some(number * factor)
}

/// A size in bytes. Sizes of the spec have been checked by the API server, so that there is always one.
pub fn bytes(text: &str) -> i64 {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a size that the rules allow is far below 2^53"
    )]
    value(text).map_or(0, |bytes| bytes as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_read_as_kubernetes_reads_them() {
        assert_eq!(bytes("1Gi"), 1_073_741_824);
        assert_eq!(bytes("256Mi"), 268_435_456);
        assert_eq!(bytes("10G"), 10_000_000_000);
        assert_eq!(value("500m"), Some(0.5));
        assert_eq!(value("1024Mi"), value("1Gi"));
        assert_eq!(value("shortener"), None);
        assert_eq!(value(""), None);
    }
}
