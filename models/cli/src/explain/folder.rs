//! The folder that explanations are put into. It has a list of the files that are ours, so that what an earlier run has left there, of
//! other methods or other images, does not stand among the new ones; no other file is touched.

use convnet::atomic_file;
use convnet::wording::counted;
use std::collections::BTreeSet;
use std::error::Error;
use std::path::{Path, PathBuf};

/// The name of the list.
const LIST: &str = "files.txt";
/// How it begins; a file of that name that does not is none of ours.
const HEAD: &str = "# Files written by `convnet explain`, which its next run into this folder replaces.";

/// The folder, with the names of the files in it that are ours.
pub struct OutputFolder {
    path: PathBuf,
    before: BTreeSet<String>,
    now: BTreeSet<String>,
}

impl OutputFolder {
    /// Makes the folder, and reads what an earlier run has left in it.
    pub fn open(path: &Path) -> Result<Self, Box<dyn Error>> {
        let failed = |what: &str, error: std::io::Error| format!("cannot {what} {}: {error}", path.display());
        std::fs::create_dir_all(path).map_err(|error| failed("make the folder", error))?;
        let list = path.join(LIST);
        let before = match std::fs::read_to_string(&list) {
            Ok(text) => match text.strip_prefix(HEAD) {
                Some(names) => names.lines().filter(|name| is_plain(name)).map(String::from).collect(),
                None => {
                    return Err(format!(
                        "{} is not a list of `explain`: choose another folder by --out",
                        list.display()
                    )
                    .into());
                }
            },
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => BTreeSet::new(),
            Err(error) => return Err(format!("cannot read {}: {error}", list.display()).into()),
        };
        Ok(OutputFolder { path: path.into(), before, now: BTreeSet::new() })
    }

    /// The path of a file in it.
    pub fn join(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Takes note of files that have been written, at once: a run that is ended here leaves nothing that the next one does not know.
    pub fn add(&mut self, files: &[PathBuf]) -> Result<(), Box<dyn Error>> {
        self.now.extend(files.iter().filter_map(|file| Some(file.file_name()?.to_str()?.to_string())));
        self.write(self.before.union(&self.now))
    }

    /// Removes what an earlier run has left and this one has not written anew; says how much that was.
    pub fn close(self) -> Result<Option<String>, Box<dyn Error>> {
        let mut removed = 0;
        for name in self.before.difference(&self.now) {
            let path = self.path.join(name);
            match std::fs::remove_file(&path) {
                Ok(()) => removed += 1,
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(error) => return Err(format!("cannot remove {}: {error}", path.display()).into()),
            }
        }
        self.write(self.now.iter())?;
        let files = counted(removed, "file");
        Ok((removed > 0).then(|| format!("removed {files} of an earlier run from {}", self.path.display())))
    }

    fn write<'a>(&self, names: impl Iterator<Item = &'a String>) -> Result<(), Box<dyn Error>> {
        let lines: Vec<&str> = std::iter::once(HEAD).chain(names.map(String::as_str)).collect();
        let path = self.path.join(LIST);
        let written = atomic_file::write(&path, (lines.join("\n") + "\n").as_bytes());
        Ok(written.map_err(|error| format!("cannot write {}: {error}", path.display()))?)
    }
}

/// Whether a name is that of a file in the folder itself; a list may have been changed by anybody.
fn is_plain(name: &str) -> bool {
    !name.is_empty() && Path::new(name).file_name().is_some_and(|own| own == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_files_of_an_earlier_run_are_removed() {
        let outer = tempfile::tempdir().unwrap();
        let path = outer.path().join("out");
        let put = |name: &str| std::fs::write(path.join(name), name).map(|()| path.join(name)).unwrap();
        let mut first = OutputFolder::open(&path).unwrap();
        first.add(&[put("a.png"), put("b.png")]).unwrap();
        assert_eq!(first.close().unwrap(), None);
        put("mine.png");
        std::fs::write(outer.path().join("outside.png"), "").unwrap();
        // A list that names files elsewhere, or none, does no harm.
        let list = path.join(LIST);
        std::fs::write(&list, std::fs::read_to_string(&list).unwrap() + "../outside.png\n\n..\ngone.png\n").unwrap();
        let mut second = OutputFolder::open(&path).unwrap();
        second.add(&[put("b.png"), put("c.png")]).unwrap();
        assert_eq!(second.close().unwrap(), Some(format!("removed 1 file of an earlier run from {}", path.display())));
        let there = |name: &str| path.join(name).exists();
        assert!(!there("a.png") && there("b.png") && there("c.png") && there("mine.png"));
        assert!(outer.path().join("outside.png").exists());
        // What an interrupted run has written is known to the next one.
        OutputFolder::open(&path).unwrap().add(&[put("d.png")]).unwrap();
        OutputFolder::open(&path).unwrap().close().unwrap();
        assert!(!there("b.png") && !there("d.png") && there("mine.png"));
        std::fs::write(&list, "my notes").unwrap();
        assert!(OutputFolder::open(&path).err().unwrap().to_string().contains("is not a list"));
    }
}
