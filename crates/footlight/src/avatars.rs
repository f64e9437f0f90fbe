//! Avatars beside those that ship.

use std::path::Path;

use anyhow::Context;
use footlight_avatar::bundle::Catalogue;

/// Those that ship and the bundles of the operator's folder; a bundle that is no good is named in the log and left out.
pub(crate) fn of_folder(folder: &Path) -> anyhow::Result<Catalogue> {
    let mut catalogue = Catalogue::default();
    // An empty setting is no folder.
    if folder.as_os_str().is_empty() {
        return Ok(catalogue);
    }
    let bad = catalogue
        .add_directory(folder)
        .with_context(|| format!("`stage.avatars_dir` is {}, which cannot be listed", folder.display()))?;
    for (path, error) in bad {
        tracing::warn!(path = %path.display(), error = &error as &dyn std::error::Error, "an avatar is left out");
    }
    Ok(catalogue)
}

/// What somebody typed: the name of an avatar that ships, or the path of a bundle, which is added. Returns the name.
pub(crate) fn of_argument(argument: &str) -> anyhow::Result<(Catalogue, String)> {
    let mut catalogue = Catalogue::default();
    let path = Path::new(argument);
    // A path is told from a name by what names never have.
    if !argument.contains(['/', '.']) {
        return Ok((catalogue, argument.to_owned()));
    }
    let name = catalogue.add_file(path).with_context(|| format!("avatar {} cannot be used", path.display()))?;
    Ok((catalogue, name))
}
