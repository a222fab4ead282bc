//! What the simulation writes into the documents: tables between marks, and drawings beside them.
//!
//! A block begins with `<!-- simulated: NAME -->` and ends with `<!-- end -->`, each on a line of its own. `tests.rs` holds what is
//! committed to what is printed.

use std::{fs, path::Path};

use anyhow::{Context as _, ensure};

use super::{
    cluster, draw, report,
    scenario::{Short, day},
    settings::Settings,
    users,
};

/// A file of the repository, as it should be.
#[derive(Clone, Debug)]
pub(crate) struct Document {
    /// Below the root of the repository.
    pub path: &'static str,
    pub text: String,
}

/// A table, and where it belongs.
pub(crate) struct Block {
    path: &'static str,
    name: &'static str,
    pub text: String,
}

const AUTOSCALING: &str = "docs/autoscaling.md";
const CAPACITY: &str = "docs/capacity.md";

/// All tables.
pub(crate) fn blocks(settings: &Settings) -> Vec<Block> {
    let block = |name, text| Block {
        path: AUTOSCALING,
        name,
        text,
    };
    vec![
        block("scenarios", report::scenarios(settings)),
        block("targets", report::targets(settings)),
        block("windows", report::windows(settings)),
        block("starts", report::starts(settings)),
        block("policies", report::policies(settings)),
        block("stabilizations", report::stabilizations(settings)),
        block("fallbacks", report::fallbacks(settings)),
        block("choice", report::choice(settings.pods.capacity)),
        block("cluster", cluster::deviation().text()),
        Block {
            path: CAPACITY,
            name: "users",
            text: users::table(settings),
        },
    ]
}

/// All that is written, below `root`.
pub(crate) fn all(root: &Path, settings: &Settings) -> anyhow::Result<Vec<Document>> {
    let mut documents = drawings(settings);
    // What takes long comes first: somebody may be writing in an editor meanwhile.
    let blocks = blocks(settings);
    for path in [AUTOSCALING, CAPACITY] {
        let text = fs::read_to_string(root.join(path))
            .with_context(|| format!("{path} cannot be read"))?;
        let of_it = blocks.iter().filter(|block| block.path == path);
        let text = of_it
            .into_iter()
            .try_fold(text, |text, block| filled(&text, block))
            .context(path)?;
        documents.push(Document { path, text });
    }
    Ok(documents)
}

/// The text with the block in its place.
fn filled(text: &str, block: &Block) -> anyhow::Result<String> {
    let begin = format!("<!-- simulated: {} -->\n", block.name);
    let (before, rest) = text
        .split_once(&begin)
        .with_context(|| format!("there is no line {:?}", begin.trim_end()))?;
    let end = "<!-- end -->";
    let place = rest
        .find(end)
        .with_context(|| format!("no {end:?} follows {:?}", begin.trim_end()))?;
    ensure!(
        !rest.contains(&begin),
        "{:?} is there twice",
        begin.trim_end()
    );
    Ok(format!(
        "{before}{begin}\n{}\n{}",
        block.text,
        &rest[place..]
    ))
}

fn drawings(settings: &Settings) -> Vec<Document> {
    let capacity = settings.pods.capacity;
    let step = Short::Step.scenario(capacity).run(settings, 0);
    let blind = settings.clone().without_fallback();
    let blind = Short::Blind.scenario(capacity).run(&blind, 0);
    let day = day(capacity).run(settings, 0);
    [
        (
            "docs/images/autoscaling-step.svg",
            "Four times the load at once",
            step,
        ),
        (
            "docs/images/autoscaling-blind.svg",
            "Ten minutes without Prometheus, and without a fallback",
            blind,
        ),
        ("docs/images/autoscaling-day.svg", "A day", day),
    ]
    .map(|(path, title, timeline)| Document {
        path,
        text: draw::draw(title, &timeline),
    })
    .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block() -> Block {
        Block {
            path: AUTOSCALING,
            name: "one",
            text: "| new |\n".to_owned(),
        }
    }

    #[test]
    fn a_block_takes_the_place_of_the_one_before() {
        let text = "a\n<!-- simulated: one -->\n\nold\n\n<!-- end -->\nb\n";
        let new = "a\n<!-- simulated: one -->\n\n| new |\n\n<!-- end -->\nb\n";
        assert_eq!(filled(text, &block()).unwrap(), new);
        assert_eq!(filled(new, &block()).unwrap(), new);
    }

    #[test]
    fn a_document_without_its_marks_is_told() {
        let error = |text: &str| filled(text, &block()).unwrap_err().to_string();
        assert!(error("a\n").contains("no line"));
        assert!(error("<!-- simulated: one -->\n").contains("follows"));
    }
}
