//! Which avatars can be asked for by name.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use super::shipped::shipped_summary;
use super::{AvatarBundle, BundleError, Summary, shipped, shipped_names};

/// The avatars that ship, and an operator's own bundle files. A file of a shipped avatar's name takes its place.
#[derive(Debug, Clone, Default)]
pub struct Catalogue {
    files: BTreeMap<String, (PathBuf, Summary)>,
}

impl Catalogue {
    /// Adds a bundle file under the name that its manifest gives, and returns that name. Blocks while it checks the file.
    ///
    /// # Errors
    /// As [`AvatarBundle::open`].
    pub fn add_file(&mut self, path: &Path) -> Result<String, BundleError> {
        let summary = AvatarBundle::open(path)?.summary();
        let name = summary.manifest.name.clone();
        self.files.insert(name.clone(), (path.to_owned(), summary));
        Ok(name)
    }

    /// Adds every `*.zip` of a folder, in the order of their names. A file that is no good is left out and returned with
    /// what is wrong with it: one bad file must not keep the others away.
    ///
    /// # Errors
    /// When the folder cannot be listed.
    pub fn add_directory(&mut self, directory: &Path) -> io::Result<Vec<(PathBuf, BundleError)>> {
        let entries = std::fs::read_dir(directory)?.map(|entry| entry.map(|entry| entry.path()));
        let mut files = entries.collect::<Result<Vec<_>, _>>()?;
        files.retain(|path| path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("zip")));
        files.sort_unstable();
        Ok(files.into_iter().filter_map(|path| self.add_file(&path).err().map(|error| (path, error))).collect())
    }

    /// The names, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        let mut names: Vec<&str> = self.files.keys().map(String::as_str).collect();
        for name in shipped_names() {
            names.push(name);
        }
        names.sort_unstable();
        names.dedup();
        names.into_iter()
    }

    /// Whether there is an avatar of this name.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.files.contains_key(name) || shipped_names().any(|shipped| shipped == name)
    }

    /// What is to be said of an avatar, if there is one of this name. The first call for a shipped one unpacks them all: for
    /// threads that may take some tenths of a second.
    #[must_use]
    pub fn summary(&self, name: &str) -> Option<&Summary> {
        self.files.get(name).map(|(_, summary)| summary).or_else(|| shipped_summary(name))
    }

    /// Unpacks an avatar, from its file as it is now.
    ///
    /// # Errors
    /// [`BundleError::UnknownShipped`] when there is none of this name, or as [`AvatarBundle::open`].
    pub fn open(&self, name: &str) -> Result<AvatarBundle, BundleError> {
        match self.files.get(name) {
            Some((path, _)) => AvatarBundle::open(path),
            None => shipped(name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shipped_avatars_are_unpacked_for_their_summaries_once() {
        let (first, second) = (Catalogue::default(), Catalogue::default());
        for name in shipped_names() {
            let summary = first.summary(name).unwrap();
            assert_eq!(*summary, shipped(name).unwrap().summary());
            assert!(std::ptr::eq(summary, second.summary(name).unwrap()), "{name} is unpacked again");
        }
        assert!(first.summary("nobody").is_none());
    }

    #[test]
    fn a_folder_adds_its_good_bundles_and_names_the_bad_ones() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("a-broken.zip"), b"PK not really").unwrap();
        std::fs::write(folder.path().join("my-clapper.zip"), include_bytes!("../../assets/clapper.zip")).unwrap();
        std::fs::write(folder.path().join("notes.txt"), b"no bundle at all").unwrap();
        let mut catalogue = Catalogue::default();
        let bad = catalogue.add_directory(folder.path()).unwrap();
        assert_eq!(bad.len(), 1);
        assert!(bad[0].0.ends_with("a-broken.zip") && matches!(bad[0].1, BundleError::NotAnArchive(_)), "{bad:?}");
        // It has the shipped one's name and takes its place; the others are still there, once each.
        assert_eq!(catalogue.names().collect::<Vec<_>>(), ["ada", "clapper", "miles"]);
        std::fs::write(folder.path().join("my-clapper.zip"), b"gone bad since").unwrap();
        assert!(catalogue.open("clapper").is_err() && catalogue.open("ada").is_ok());
        assert!(!catalogue.has("a-broken") && catalogue.open("nobody").is_err());
        assert!(catalogue.add_directory(&folder.path().join("missing")).is_err());
    }
}
