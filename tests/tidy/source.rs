//! The sources of the workspace, as text.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// The crates that are delivered. One that does not exist yet is none to check.
const PRODUCT: [&str; 3] = ["shortener/src", "operator/src", "loadtest/src"];

#[derive(Clone, Debug)]
pub(crate) struct SourceFile {
    /// Relative to the workspace.
    pub(crate) path: PathBuf,
    pub(crate) text: String,
}

impl SourceFile {
    /// The part that is tests: all of a file under `tests/`, else what follows `#[cfg(test)]`, by convention the end.
    pub(crate) fn tests(&self) -> &str {
        if self.path.starts_with("tests") {
            return &self.text;
        }
        self.text
            .find("#[cfg(test)]")
            .map_or("", |start| &self.text[start..])
    }
}

/// What is delivered.
pub(crate) fn product() -> Vec<SourceFile> {
    let files: Vec<_> = PRODUCT
        .iter()
        .map(|folder| root().join(folder))
        .filter(|folder| folder.is_dir())
        .flat_map(|folder| rust_files(&folder))
        .collect();
    assert!(
        !files.is_empty(),
        "no sources found: is the workspace still laid out as {PRODUCT:?}?"
    );
    files
}

/// This crate.
pub(crate) fn tests() -> Vec<SourceFile> {
    rust_files(&root().join("tests"))
}

pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("this crate is in the workspace")
}

fn rust_files(folder: &Path) -> Vec<SourceFile> {
    let mut files = Vec::new();
    let mut pending = vec![folder.to_owned()];
    while let Some(folder) = pending.pop() {
        for entry in fs::read_dir(&folder).expect("the source tree is readable") {
            let path = entry.expect("the source tree is readable").path();
            if path.is_dir() {
                pending.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).expect("sources are UTF-8");
                let path = path.strip_prefix(root()).expect("listed under the root");
                files.push(SourceFile {
                    path: path.to_owned(),
                    text,
                });
            }
        }
    }
    files
}
