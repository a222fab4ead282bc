//! The first admin's key: from a file that somebody gives, or made at the first start.

use std::{
    fs,
    io::{self, IsTerminal as _, Write as _},
    os::unix::fs::PermissionsExt as _,
    path::Path,
};

use anyhow::{Context as _, anyhow};

use super::{
    secret::{Hasher, KeyText},
    store,
};
use crate::database::{Db, timestamp::Timestamp};

/// The key in the file that the settings name.
///
/// It is not stored, not even as a hash: every replica with the same file agrees, another file at the next start is another
/// key, and a text that a person made up cannot be guessed from the database.
pub fn given(file: &Path) -> anyhow::Result<KeyText> {
    let text = fs::read_to_string(file).with_context(|| {
        format!(
            "could not read the file of SHORTENER_ADMIN_KEY_FILE, {}",
            file.display()
        )
    })?;
    KeyText::parse(&text).map_err(|problem| {
        anyhow!(
            "the file of SHORTENER_ADMIN_KEY_FILE, {}, {problem}",
            file.display()
        )
    })
}

/// Makes the first admin's key, unless there is or was one, and leaves it in the data folder.
///
/// The file comes before the row. Who is killed in between finds the file at the next start and goes on with it; who finds
/// that another replica was faster takes the file away again.
pub async fn make(db: &Db, hasher: &Hasher, data_dir: &Path) -> anyhow::Result<()> {
    if store::has_admin(db)
        .await
        .context("could not look for an admin's key")?
    {
        return Ok(());
    }
    let file = data_dir.join("admin-key");
    let (key, is_new) = match fs::read_to_string(&file) {
        Ok(text) => {
            let key = KeyText::parse(&text)
                .map_err(|problem| anyhow!("the file {} {problem}", file.display()))?;
            (key, false)
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let key = KeyText::generate();
            write(&file, &key).with_context(|| {
                format!(
                    "could not write the first admin's key to {}",
                    file.display()
                )
            })?;
            (key, true)
        }
        Err(error) => {
            return Err(error).with_context(|| format!("could not read {}", file.display()));
        }
    };
    let hash = hasher.hash(key.expose().as_bytes());
    let is_ours = store::insert_first(db, hash, key.prefix(), Timestamp::now())
        .await
        .context("could not store the first admin's key")?;
    if is_ours {
        show(&file, &key);
    } else if is_new {
        fs::remove_file(&file).ok();
    }
    Ok(())
}

/// Leaves the whole key in `file`, for the owner's eyes only, or nothing.
fn write(file: &Path, key: &KeyText) -> anyhow::Result<()> {
    let folder = file.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    let mut draft = tempfile::NamedTempFile::new_in(folder)?;
    draft
        .as_file()
        .set_permissions(fs::Permissions::from_mode(0o600))?;
    writeln!(draft, "{}", key.expose())?;
    draft.as_file().sync_all()?;
    draft.persist_noclobber(file)?;
    Ok(())
}

/// Tells where the key is; on a terminal, where nobody collects what is written, the key itself.
fn show(file: &Path, key: &KeyText) {
    tracing::info!(
        file = %file.display(),
        "made the first admin's API key; the file holds it"
    );
    let mut terminal = io::stderr();
    if terminal.is_terminal() {
        let text = format!(
            "\nThe first admin's API key, shown this once:\n\n  {}\n\n",
            key.expose()
        );
        terminal.write_all(text.as_bytes()).ok();
    }
}
