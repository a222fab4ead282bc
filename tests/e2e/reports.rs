//! What a run leaves for people to look at.

use std::{fs, path::PathBuf};

use harness::timeline::{Timeline, draw, tabulate};

/// Writes the picture and the table of a run, and says where the picture is.
pub(crate) fn timeline(name: &str, timeline: &Timeline<'_>) -> PathBuf {
    let (title, about) = (timeline.title, timeline.about);
    let table = tabulate(timeline.moments);
    write(
        &format!("{name}.md"),
        &format!("# {title}\n\n{about}\n\n![{title}]({name}.svg)\n\n{table}"),
    );
    write(&format!("{name}.svg"), &draw(timeline))
}

/// Writes a file into the folder of the reports, and says where it is.
pub(crate) fn write(name: &str, text: &str) -> PathBuf {
    let folder = folder();
    fs::create_dir_all(&folder).expect("the folder of reports can be made");
    let path = folder.join(name);
    fs::write(&path, text).expect("it can be written");
    path
}

/// `E2E_REPORTS`, or a folder of the build.
#[expect(
    clippy::disallowed_methods,
    reason = "where reports go belongs to the run, not to a test"
)]
fn folder() -> PathBuf {
    std::env::var_os("E2E_REPORTS")
        .filter(|folder| !folder.is_empty())
        .map_or_else(
            || PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("e2e"),
            PathBuf::from,
        )
}
