//! The campaign that a link was shared in: the UTM values of a visit's query.

use std::borrow::Cow;

use url::form_urlencoded;

use super::text;

/// Room for 256 Latin or 85 Chinese characters; campaign names seen in the wild stay below 100.
const LONGEST_VALUE: usize = 256;

/// What the five `utm_…` parameters said, each absent where the query had none or an empty one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Campaign {
    pub source: Option<String>,
    pub medium: Option<String>,
    pub name: Option<String>,
    pub term: Option<String>,
    pub content: Option<String>,
}

impl Campaign {
    /// Reads a query (without its `?`). Of a parameter given twice the first one counts.
    pub fn parse(query: &str) -> Self {
        let mut campaign = Self::default();
        // Most visits have none: that is seen without decoding or allocating anything.
        if !query.contains("utm_") {
            return campaign;
        }
        for (key, value) in form_urlencoded::parse(query.as_bytes()) {
            if let Some(field) = campaign.field(&key)
                && field.is_none()
            {
                *field = clean(value);
            }
        }
        campaign
    }

    fn field(&mut self, key: &str) -> Option<&mut Option<String>> {
        match key {
            "utm_source" => Some(&mut self.source),
            "utm_medium" => Some(&mut self.medium),
            "utm_campaign" => Some(&mut self.name),
            "utm_term" => Some(&mut self.term),
            "utm_content" => Some(&mut self.content),
            _ => None,
        }
    }
}

fn clean(value: Cow<'_, str>) -> Option<String> {
    let value = text::safe(value.as_bytes(), LONGEST_VALUE);
    let value = value.trim();
    (!value.is_empty()).then(|| value.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(query: &str, expected: [&str; 5]) {
        let [source, medium, name, term, content] =
            expected.map(|value| (!value.is_empty()).then(|| value.to_owned()));
        let campaign = Campaign {
            source,
            medium,
            name,
            term,
            content,
        };
        assert_eq!(Campaign::parse(query), campaign, "{query}");
    }

    #[test]
    fn the_five_values_are_read() {
        check(
            "utm_source=news&utm_medium=email&utm_campaign=spring&utm_term=shoes&utm_content=top",
            ["news", "email", "spring", "shoes", "top"],
        );
        check("a=1&utm_source=news&b=2", ["news", "", "", "", ""]);
        check("", ["", "", "", "", ""]);
        check("source=news&utm_id=7&xutm_source=no", ["", "", "", "", ""]);
    }

    #[test]
    fn values_are_decoded() {
        check(
            "utm_source=spring+sale%21",
            ["spring sale!", "", "", "", ""],
        );
        check("utm_source=%E6%97%A5%E6%9C%AC", ["日本", "", "", "", ""]);
        check("utm_source=50%&utm_medium=%zz", ["50%", "%zz", "", "", ""]);
        check("utm_source=%ff", ["\u{fffd}", "", "", "", ""]);
        check("utm_source=a=b", ["a=b", "", "", "", ""]);
    }

    #[test]
    fn the_first_of_two_counts() {
        check("utm_source=a&utm_source=b", ["a", "", "", "", ""]);
        // An empty one says nothing.
        check("utm_source=&utm_source=b", ["b", "", "", "", ""]);
        check("utm_source&utm_medium=%20", ["", "", "", "", ""]);
    }

    #[test]
    fn values_are_made_safe() {
        check("utm_source=a%00b%0d%0ac", ["abc", "", "", "", ""]);
        let long = "é".repeat(300);
        check(
            &format!("utm_source={long}"),
            [&long[..LONGEST_VALUE], "", "", "", ""],
        );
    }
}
